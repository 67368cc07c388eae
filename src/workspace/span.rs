//! Rows that are forgotten together: named by the span of time in which what they remember ends.

use super::Object;
use super::rows::{Range, Stop};
use super::{once, reserved};
use crate::clock::Now;

impl Object<'_> {
    /// Forgets what is over, and wakes for the rest.
    pub(super) fn forget_spans(&mut self) -> Result<(), Stop> {
        self.forget(once::PREFIX)?;
        self.forget(reserved::PREFIX)
    }

    fn forget(&mut self, prefix: &str) -> Result<(), Stop> {
        let end_of = |name: &str| -> Option<u64> {
            name.strip_prefix(prefix)?.split('/').next()?.parse().ok().map(end)
        };
        let rows = self.rows.names(&Range::of(prefix, CHUNK))?;
        let is_over = |name: &String| end_of(name).is_none_or(|end| end <= self.now.seconds());
        let (over, left): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_over);
        match left.first().and_then(|name| end_of(name)) {
            Some(end) => self.wake(end.saturating_mul(1000)),
            // There may be more.
            None if !over.is_empty() => self.wake(self.now.millis()),
            None => {}
        }
        over.into_iter().for_each(|name| self.rows.delete(name));
        Ok(())
    }
}

/// The span in which a second lies.
pub(super) const fn of(second: u64) -> u64 {
    second / SPAN_SECONDS
}

/// Those in which anything ends that is remembered now.
pub(super) const fn all(now: Now) -> [u64; 2] {
    let first = of(now.seconds());
    [first, first.saturating_add(1)]
}

/// The first second after a span.
pub(super) const fn end(span: u64) -> u64 {
    span.saturating_add(1).saturating_mul(SPAN_SECONDS)
}

/// The name of a row, in the order in which they are forgotten.
pub(super) fn row(prefix: &str, span: u64, kid: &str, name: &str) -> String {
    format!("{prefix}{span:010}/{kid}/{name}")
}

/// Longer than anything is remembered: 420 seconds, for a signature that is made a minute ahead.
const SPAN_SECONDS: u64 = 512;

const CHUNK: u32 = 500;
