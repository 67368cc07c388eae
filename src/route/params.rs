//! What the `{params}` of a pattern matched.

/// The most parameters that a pattern may have.
pub const MAX_PARAMS: usize = 8;

/// The parameters of a match, in the order of the pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    items: [(&'a str, &'a str); MAX_PARAMS],
    len: usize,
}

impl<'a> Params<'a> {
    /// The raw text that the parameter matched, still percent-encoded: one segment, or for a tail
    /// the segments with the slashes between them. Compare it with
    /// [`eq_decoded`](super::eq_decoded).
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// Names and raw texts.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.items.iter().take(self.len).copied()
    }

    /// How many parameters there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Adds one; a pattern has no more than there is room for.
    pub(super) fn push(&mut self, name: &'a str, value: &'a str) {
        if let Some(slot) = self.items.get_mut(self.len) {
            *slot = (name, value);
            self.len = self.len.saturating_add(1);
        }
    }

    /// Forgets what was added after there were `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        for slot in self.items.iter_mut().skip(self.len) {
            *slot = ("", "");
        }
    }
}
