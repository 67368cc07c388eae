//! What is to be done for a request, as the JavaScript around the Wasm is told it.

use super::Errand;
use crate::answer::Answer;
use crate::encoding;
use crate::policy::HELD_BODY_BYTES;

/// A text of lines: a word, the numbers of chores that are to be begun behind the answer, and what belongs to
/// that word.
#[derive(Debug)]
pub struct Told(String);

impl Told {
    /// Begins one.
    #[must_use]
    pub fn new(word: &str, chores: &[u32]) -> Self {
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
    #[must_use]
    pub fn errand(number: u32, errand: &Errand, chores: &[u32]) -> String {
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

    /// Adds a line.
    #[must_use]
    pub fn line(mut self, text: &str) -> Self {
        self.0.push('\n');
        self.0.push_str(text);
        self
    }

    /// Adds a line of a number.
    #[must_use]
    pub fn number(mut self, number: u32) -> Self {
        self.0.push('\n');
        encoding::append_decimal(number.into(), &mut self.0);
        self
    }

    /// The headers and the body of an answer.
    #[must_use]
    pub fn answer(self, answer: &Answer) -> Self {
        self.line(answer.headers.trim_end_matches('\n')).line(&answer.body)
    }

    /// The same, where the body may have lines of its own: first how many those of the headers are.
    #[must_use]
    pub fn counted(self, answer: &Answer) -> String {
        let headers = answer.headers.strip_suffix('\n').unwrap_or(&answer.headers);
        let lines = u32::try_from(headers.split('\n').count()).unwrap_or(u32::MAX);
        self.number(lines).line(headers).line(&answer.body).finish()
    }

    /// The text.
    #[must_use]
    pub fn finish(self) -> String {
        self.0
    }
}
