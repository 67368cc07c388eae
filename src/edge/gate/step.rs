//! What is to be done with a request, as the JavaScript around the Wasm is told it.

use crate::answer::Answer;
use crate::lookup::Told;
use crate::need::Need;
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

/// Tells an answer: what is told of the decision, its status, names and values of headers in turn, its body.
pub(super) fn answered(told: Told, answer: &Answer, observation: &str) -> String {
    told.line(observation).number(answer.status.into()).answer(answer).finish()
}
