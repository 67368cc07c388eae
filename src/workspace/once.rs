//! Requests that may be admitted once only: what tells each from any other is remembered for as long as
//! its signature could be accepted.

use super::Object;
use super::call::Once;
use super::rows::{Range, Stop};
use crate::encoding;

impl Object<'_> {
    /// Whether such a request was admitted before, or is too old to know.
    pub(super) fn is_replayed(&self, kid: &str, once: &Once) -> Result<bool, Stop> {
        // What was forgotten could be told from nothing.
        let is_over = once.until < self.now.seconds();
        Ok(is_over || self.rows.text(&row(kid, once))?.is_some())
    }

    /// Remembers it.
    pub(super) fn remember_once(&mut self, kid: &str, once: &Once) {
        self.rows.put(row(kid, once), &1);
        self.wake(once.until.saturating_add(1).saturating_mul(1000));
    }

    /// Forgets what can be accepted no more, and wakes for the rest.
    pub(super) fn forget_once(&mut self) -> Result<(), Stop> {
        let rows = self.rows.names(&Range::of(PREFIX, CHUNK))?;
        let is_over = |name: &String| until(name).is_none_or(|until| until < self.now.seconds());
        let (over, left): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_over);
        match left.first().and_then(|name| until(name)) {
            Some(until) => self.wake(until.saturating_add(1).saturating_mul(1000)),
            // There may be more.
            None if !over.is_empty() => self.wake(self.now.millis()),
            None => {}
        }
        over.into_iter().for_each(|name| self.rows.delete(name));
        Ok(())
    }
}

/// In the order in which they are forgotten.
pub(super) fn row(kid: &str, once: &Once) -> String {
    format!("{PREFIX}{:012}/{kid}/{}", once.until, encoding::hex(&once.mark))
}

fn until(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.split('/').next()?.parse().ok()
}

const PREFIX: &str = "once-only/";
const CHUNK: u32 = 500;
