//! What is to be done with a request, as the JavaScript around the Wasm is told it.

use crate::answer::Answer;
use crate::lookup::Errand;
use crate::need::Need;
use crate::policy::HELD_BODY_BYTES;
use crate::reservation::Reservation;

/// What to do with a request now.
pub(super) enum Step {
    /// Send it on by this plan; then, perhaps, settle what it has cost, and find something out ahead of
    /// need.
    Forward { plan: String, reserved: Option<Box<Reservation>>, ahead: Option<Need> },
    /// Answer it. The second is the observation of that, or empty.
    Answer(Answer, String),
    /// Find this out and step again.
    Need(Need),
    /// It is for the management API, under this URL or, if that is empty, under its own; this is the answer if that
    /// fails.
    Manage { url: String, unavailable: Answer },
}

/// A text of lines: a word, the numbers of chores that are to be begun behind the answer, and what
/// `lookup.mjs` says of that word.
pub(super) struct Told(String);

impl Told {
    pub(super) fn new(word: &str, chores: &[u32]) -> Self {
        let chores: Vec<String> = chores.iter().map(u32::to_string).collect();
        Self([word, &chores.join(" ")].join("\n"))
    }

    /// What is to be done for `number` next.
    pub(super) fn errand(number: u32, errand: &Errand, chores: &[u32]) -> String {
        let (word, millis) = match errand {
            Errand::Read { .. } => ("read", errand.patience()),
            Errand::Call { .. } => ("call", errand.patience()),
            Errand::Body { .. } => ("body", errand.patience()),
            Errand::Fetch { .. } => ("fetch", errand.patience()),
            Errand::Verify { .. } => ("verify", errand.patience()),
            Errand::Wait { .. } => ("wait", errand.patience()),
        };
        let told = Self::new(word, chores).number(number).number(millis);
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

    /// What is told of the decision, its status, names and values of headers in turn, its body.
    pub(super) fn answer(self, answer: &Answer, observation: &str) -> String {
        let told = self.line(observation).number(answer.status.into());
        told.line(answer.headers.trim_end_matches('\n')).line(&answer.body).finish()
    }

    pub(super) fn line(mut self, text: &str) -> Self {
        self.0.push('\n');
        self.0.push_str(text);
        self
    }

    pub(super) fn number(self, number: u32) -> Self {
        let mut digits = String::new();
        crate::encoding::append_decimal(number.into(), &mut digits);
        self.line(&digits)
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}
