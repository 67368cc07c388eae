//! The Workspace's storage as its functions see it: named rows, of which some are at hand.
//!
//! A function asks for rows as if all were there. One that is not ends it with [`Missing`]; whoever
//! drives it fetches what is missing and starts it again. Changes are written in one transaction,
//! after the function has ended well, or not at all.

use crate::fields::BadField;
use core::fmt::Write as _;

/// What a row holds.
pub trait Value: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// [`BadField`].
    fn parse(text: &str) -> Result<Self, BadField>;

    /// Writes it: one line, not empty.
    fn print(&self) -> String;
}

/// A row of which the name alone is of interest.
struct Unread;

impl Value for Unread {
    fn parse(_: &str) -> Result<Self, BadField> {
        Ok(Self)
    }

    fn print(&self) -> String {
        String::new()
    }
}

/// Rows at hand and the changes to them.
#[derive(Debug, Default)]
pub struct Rows {
    loaded: Sorted,
    /// In order.
    ranges: Vec<Range>,
    changes: Sorted,
}

/// Rows in the order of their names; `None` for one that is not there.
#[derive(Debug, Default)]
struct Sorted(Vec<(String, Option<String>)>);

impl Sorted {
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(own, _)| own.as_str().cmp(name))
    }

    fn get(&self, name: &str) -> Option<&Option<String>> {
        let at = self.place(name).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    fn set(&mut self, name: String, value: Option<String>) {
        match self.place(&name) {
            Ok(at) => {
                if let Some((_, old)) = self.0.get_mut(at) {
                    *old = value;
                }
            }
            Err(at) => self.0.insert(at, (name, value)),
        }
    }

    /// The rows within a range, there or not.
    fn within(&self, range: &Range) -> &[(String, Option<String>)] {
        let (Ok(from) | Err(from)) = self.place(&range.from);
        let (Ok(to) | Err(to)) = self.place(&range.to);
        self.0.get(from..to).unwrap_or_default()
    }
}

/// Rows in the order of their names: from `from` on, before `to`, at most `limit`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// The first name that may be among them.
    pub from: String,
    /// The first that may not.
    pub to: String,
    /// At most so many.
    pub limit: u32,
}

impl Range {
    /// The rows whose names begin with `prefix`, which ends in `/`.
    #[must_use]
    pub fn of(prefix: &str, limit: u32) -> Self {
        Self::between(prefix, "", "~", limit)
    }

    /// The rows of `prefix` whose rest is from `from` on and before `to`.
    #[must_use]
    pub fn between(prefix: &str, from: &str, to: &str, limit: u32) -> Self {
        Self { from: format!("{prefix}{from}"), to: format!("{prefix}{to}"), limit }
    }

    fn holds(&self, name: &str) -> bool {
        self.from.as_str() <= name && name < self.to.as_str()
    }
}

/// What is to be fetched before a function can go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Single rows.
    pub names: Vec<String>,
    /// Ranges.
    pub ranges: Vec<Range>,
}

impl Missing {
    /// Reads what [`Missing::lines`] wrote.
    #[must_use]
    pub fn parse(lines: &str) -> Self {
        let mut missing = Self::default();
        for line in lines.split('\n').filter(|line| !line.is_empty()) {
            let mut parts = line.split('\t');
            match (parts.next(), parts.next(), parts.next().and_then(|limit| limit.parse().ok())) {
                (Some(from), Some(to), Some(limit)) => {
                    missing.ranges.push(Range { from: from.to_owned(), to: to.to_owned(), limit });
                }
                _ => missing.names.push(line.to_owned()),
            }
        }
        missing
    }

    /// Lines for an adapter: a name, or for a range `from`, `to` and `limit` with tabs between.
    #[must_use]
    pub fn lines(&self) -> String {
        let mut out = self.names.join("\n");
        for Range { from, to, limit } in &self.ranges {
            if !out.is_empty() {
                out.push('\n');
            }
            let _ = write!(out, "{from}\t{to}\t{limit}");
        }
        out
    }
}

/// Why a function could not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// These rows have to be fetched first.
    Missing(Missing),
    /// A row does not hold what it should: nothing may be done on its word.
    Damaged(String),
}

/// A damaged row counts as none where it must not stand in the way of others.
pub(super) fn readable<T>(row: Result<Option<T>, Stop>) -> Result<Option<T>, Stop> {
    match row {
        Err(Stop::Damaged(_)) => Ok(None),
        row => row,
    }
}

impl Rows {
    /// Takes in what an adapter fetched for `missing`: name and value in turn, a line each.
    pub fn load(&mut self, missing: &Missing, lines: &str) {
        for name in &missing.names {
            if self.loaded.get(name).is_none() {
                self.loaded.set(name.clone(), None);
            }
        }
        // No name or value is empty, but what was fetched in one go of several may be.
        let mut lines = lines.split('\n').filter(|line| !line.is_empty());
        while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
            self.loaded.set(name.to_owned(), Some(value.to_owned()));
        }
        for range in &missing.ranges {
            if let Err(at) = self.ranges.binary_search(range) {
                self.ranges.insert(at, range.clone());
            }
        }
    }

    /// Reads a row.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn get<T: Value>(&self, name: &str) -> Result<Option<T>, Stop> {
        self.text(name)?.map(|text| read(name, text)).transpose()
    }

    /// Reads a row as it is.
    ///
    /// # Errors
    /// [`Stop::Missing`].
    pub fn text(&self, name: &str) -> Result<Option<&str>, Stop> {
        match self.changes.get(name).or_else(|| self.loaded.get(name)) {
            Some(value) => Ok(value.as_deref()),
            None if self.ranges.iter().any(|range| range.holds(name) && self.is_whole(range)) => {
                Ok(None)
            }
            // It comes of a damaged row: no row has such a name, and no driver can be asked for it.
            None if name.contains(['\t', '\n']) => Ok(None),
            None => {
                Err(Stop::Missing(Missing { names: vec![name.to_owned()], ..Missing::default() }))
            }
        }
    }

    /// Sees to it that rows are at hand, so that they are fetched in one go.
    ///
    /// # Errors
    /// [`Stop::Missing`] with all that are not.
    pub fn require(&self, names: impl IntoIterator<Item = String>) -> Result<(), Stop> {
        self.require_all(names, Vec::new())
    }

    /// The same with ranges.
    ///
    /// # Errors
    /// [`Stop::Missing`] with all that are not at hand.
    pub fn require_all(
        &self,
        names: impl IntoIterator<Item = String>,
        mut ranges: Vec<Range>,
    ) -> Result<(), Stop> {
        ranges.retain(|range| self.ranges.binary_search(range).is_err());
        let names: Vec<String> =
            names.into_iter().filter(|name| self.text(name).is_err()).collect();
        if names.is_empty() && ranges.is_empty() {
            return Ok(());
        }
        Err(Stop::Missing(Missing { names, ranges }))
    }

    /// The names in a range, in order, whatever the rows hold.
    ///
    /// # Errors
    /// [`Stop::Missing`].
    pub fn names(&self, range: &Range) -> Result<Vec<String>, Stop> {
        let rows = self.scan::<Unread>(range)?;
        Ok(rows.into_iter().map(|(name, _)| name).collect())
    }

    /// Reads a range, in order.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn scan<T: Value>(&self, range: &Range) -> Result<Vec<(String, T)>, Stop> {
        if self.ranges.binary_search(range).is_err() {
            return Err(Stop::Missing(Missing {
                ranges: vec![range.clone()],
                ..Missing::default()
            }));
        }
        self.held(range)
            .into_iter()
            .map(|(name, text)| Ok((name.to_owned(), read(name, text)?)))
            .collect()
    }

    /// Reads a range to its end, so many at a time as it says.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn all<T: Value>(&self, mut range: Range) -> Result<Vec<(String, T)>, Stop> {
        let mut all = Vec::new();
        loop {
            let some = self.scan::<T>(&range)?;
            let next = some.last().map(|(name, _)| format!("{name}!"));
            let full = u32::try_from(some.len()).is_ok_and(|some| some >= range.limit);
            all.extend(some);
            match next {
                Some(next) if full => range.from = next,
                _ => return Ok(all),
            }
        }
    }

    /// The names in a range to its end, whatever the rows hold.
    ///
    /// # Errors
    /// [`Stop::Missing`].
    pub fn all_names(&self, range: Range) -> Result<Vec<String>, Stop> {
        let rows = self.all::<Unread>(range)?;
        Ok(rows.into_iter().map(|(name, _)| name).collect())
    }

    /// Writes a row when all is done.
    pub fn put(&mut self, name: String, value: &impl Value) {
        self.changes.set(name, Some(value.print()));
    }

    /// Deletes a row when all is done.
    pub fn delete(&mut self, name: String) {
        self.changes.set(name, None);
    }

    /// Forgets all changes.
    pub fn undo(&mut self) {
        self.changes.0.clear();
    }

    /// The changes, in the order of names; `None` deletes.
    pub fn changes(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.changes.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    fn is_whole(&self, range: &Range) -> bool {
        let held = self.loaded.within(range).iter().filter(|(_, value)| value.is_some());
        u32::try_from(held.count()).is_ok_and(|count| count < range.limit)
    }

    /// What a range holds with all changes made: what was loaded and not deleted, and what is new.
    fn held(&self, range: &Range) -> Vec<(&str, &str)> {
        let loaded = self.loaded.within(range).iter();
        let untouched = loaded.filter(|(name, _)| self.changes.get(name).is_none());
        let rows = untouched.chain(self.changes.within(range));
        let mut held: Vec<_> =
            rows.filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?))).collect();
        held.sort_unstable();
        held.truncate(usize::try_from(range.limit).unwrap_or(usize::MAX));
        held
    }
}

fn read<T: Value>(name: &str, text: &str) -> Result<T, Stop> {
    T::parse(text).map_err(|BadField| Stop::Damaged(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_that_found_nothing_shifts_no_row() {
        let mut rows = Rows::default();
        let missing = Missing { names: vec!["meta".to_owned()], ranges: Vec::new() };
        rows.load(&missing, "\nmeta\nm\n\nlease/a\n1");
        assert_eq!(rows.text("meta"), Ok(Some("m")));
        assert_eq!(rows.text("lease/a"), Ok(Some("1")));
    }

    #[test]
    fn a_name_that_is_no_line_is_not_asked_for() {
        let rows = Rows::default();
        assert!(rows.text("key/a").is_err());
        for name in ["key/a\tb\t1", "key/a\tb", "key/a\nb"] {
            assert_eq!(rows.text(name), Ok(None), "{name:?}");
            assert_eq!(rows.require([name.to_owned()]), Ok(()), "{name:?}");
        }
    }
}
