//! What is to be done with a request, as JavaScript is told it: lines, of which the first is a word and the
//! second the numbers of chores to be begun.
//!
//! ```text
//! allow    what the grant says
//! deny     status, code, names and values of headers in turn, body
//! unknown  the same: it could not be decided
//! pages    the same: a preflight's answer
//! read, call, body, fetch, verify, wait     as in `src/edge/lookup.mjs`
//! ```

use crate::answer::Answer;
use crate::lookup::Told;

/// Tells an answer under one of these words.
pub(super) fn answered(told: Told, code: &str, answer: &Answer) -> String {
    told.number(answer.status.into()).line(code).answer(answer).finish()
}
