//! Requests that may be admitted once only: what tells each from any other is remembered for as long as
//! its signature could be accepted.

use super::Object;
use super::call::Once;
use super::rows::{Range, Stop};
use crate::clock::Now;
use crate::encoding;

impl Object<'_> {
    /// Whether such a request was admitted before, or is too old, or too far ahead, to know.
    pub(super) fn is_replayed(&self, kid: &str, once: &Once) -> Result<bool, Stop> {
        // What was forgotten could be told from nothing, and what is not looked up neither.
        let is_known = self.now.seconds() <= once.until && spans(self.now).contains(&span(once));
        let mut found = !is_known;
        for row in rows(kid, once, self.now) {
            found |= self.rows.text(&row)?.is_some();
        }
        Ok(found)
    }

    /// Remembers it.
    pub(super) fn remember_once(&mut self, kid: &str, once: &Once) {
        self.rows.put(row(kid, once, span(once)), &1);
        self.wake(end(span(once)).saturating_mul(1000));
    }

    /// Forgets what can be accepted no more, and wakes for the rest.
    pub(super) fn forget_once(&mut self) -> Result<(), Stop> {
        let rows = self.rows.names(&Range::of(PREFIX, CHUNK))?;
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

/// Where such a request may have been remembered, whatever the second in which it was made.
pub(super) fn rows<'a>(
    kid: &'a str,
    once: &'a Once,
    now: Now,
) -> impl Iterator<Item = String> + use<'a> {
    spans(now).into_iter().map(move |span| row(kid, once, span))
}

/// In the order in which they are forgotten.
fn row(kid: &str, once: &Once, span: u64) -> String {
    format!("{PREFIX}{span:010}/{kid}/{}", encoding::hex(&once.mark))
}

/// What ends in the same span is forgotten together.
const fn span(once: &Once) -> u64 {
    once.until / SPAN_SECONDS
}

/// Those in which anything ends that is to be remembered now.
const fn spans(now: Now) -> [u64; 2] {
    let first = now.seconds() / SPAN_SECONDS;
    [first, first.saturating_add(1)]
}

/// The first second after a span.
const fn end(span: u64) -> u64 {
    span.saturating_add(1).saturating_mul(SPAN_SECONDS)
}

fn end_of(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.split('/').next()?.parse().ok().map(end)
}

/// Longer than anything is remembered: 420 seconds, for a signature that is made a minute ahead.
const SPAN_SECONDS: u64 = 512;

const PREFIX: &str = "once-only/";
const CHUNK: u32 = 500;
