//! Requests that may be admitted once only: what tells each from any other is remembered for as long as
//! its signature could be accepted.

use super::Object;
use super::call::Once;
use super::rows::Stop;
use super::span;
use crate::clock::Now;
use crate::encoding;

impl Object<'_> {
    /// Whether such a request was admitted before, or is too old, or too far ahead, to know.
    pub(super) fn is_replayed(&self, kid: &str, once: &Once) -> Result<bool, Stop> {
        // What was forgotten could be told from nothing, and what is not looked up neither.
        let is_known =
            self.now.seconds() <= once.until && span::all(self.now).contains(&span::of(once.until));
        let mut found = !is_known;
        for row in rows(kid, once, self.now) {
            found |= self.rows.text(&row)?.is_some();
        }
        Ok(found)
    }

    /// Remembers it.
    pub(super) fn remember_once(&mut self, kid: &str, once: &Once) {
        let span = span::of(once.until);
        self.rows.put(row(kid, once, span), &1);
        self.wake(span::end(span).saturating_mul(1000));
    }
}

/// Where such a request may have been remembered, whatever the second in which it was made.
pub(super) fn rows<'a>(
    kid: &'a str,
    once: &'a Once,
    now: Now,
) -> impl Iterator<Item = String> + use<'a> {
    span::all(now).into_iter().map(move |span| row(kid, once, span))
}

fn row(kid: &str, once: &Once, span: u64) -> String {
    span::row(PREFIX, span, kid, &encoding::hex(&once.mark))
}

pub(super) const PREFIX: &str = "once-only/";
