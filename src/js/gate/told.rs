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
use crate::encoding;
use crate::lookup::Errand;
use crate::policy::HELD_BODY_BYTES;

pub(super) struct Told(String);

impl Told {
    pub(super) fn new(word: &str, chores: &[u32]) -> Self {
        let mut told = Self(word.to_owned());
        told.0.push('\n');
        for (at, number) in chores.iter().enumerate() {
            if at > 0 {
                told.0.push(' ');
            }
            encoding::append_decimal((*number).into(), &mut told.0);
        }
        told
    }

    /// What is to be done for `number` next.
    pub(super) fn errand(number: u32, errand: &Errand, chores: &[u32]) -> String {
        let word = match errand {
            Errand::Read { .. } => "read",
            Errand::Call { .. } => "call",
            Errand::Body { .. } => "body",
            Errand::Fetch { .. } => "fetch",
            Errand::Verify { .. } => "verify",
            Errand::Wait { .. } => "wait",
        };
        let told = Self::new(word, chores).number(number).number(errand.patience());
        let told = match errand {
            Errand::Read { name, .. } => told.line(name),
            Errand::Call { workspace, text, .. } => told.line(workspace.as_str()).line(text),
            Errand::Body { limit } => told.number(*limit).number(HELD_BODY_BYTES),
            Errand::Fetch { url, limit, .. } => told.number(*limit).line(url),
            Errand::Verify { algorithm, jwk, signature, signed } => {
                told.line(algorithm).line(jwk).line(signature).line(signed)
            }
            Errand::Wait { .. } => told,
        };
        told.finish()
    }

    pub(super) fn answer(self, code: &str, answer: &Answer) -> String {
        let told = self.number(answer.status.into()).line(code);
        told.line(answer.headers.trim_end_matches('\n')).line(&answer.body).finish()
    }

    pub(super) fn line(mut self, text: &str) -> Self {
        self.0.push('\n');
        self.0.push_str(text);
        self
    }

    fn number(mut self, number: u32) -> Self {
        self.0.push('\n');
        encoding::append_decimal(number.into(), &mut self.0);
        self
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}
