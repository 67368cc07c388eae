//! A gate: facts in and a text out. What cannot be decided yet is told as an errand, which JavaScript does
//! before it comes back with what came of it.

mod entropy;
mod isolate;
mod told;

use wasm_bindgen::prelude::*;

use super::{deployment, now};
use crate::denial::Fault;
use crate::forward;
use crate::lookup::Came;
use crate::ticket::Body;
use isolate::Isolate;

/// A deployment in one process.
#[wasm_bindgen]
pub struct Gate(Isolate);

#[wasm_bindgen]
impl Gate {
    /// `policy` is the text that `portcullis policy compile` writes, less `Document::NOT_FOR_GATE`.
    ///
    /// # Errors
    /// Why it must not decide.
    #[wasm_bindgen(constructor)]
    pub fn new(policy: &str, root: &str, static_keys: &str) -> Result<Self, String> {
        deployment(policy, root, static_keys).map(|gate| Self(Isolate::new(gate)))
    }

    /// What is to be done for a request of these facts: a text as in [`told`].
    pub fn decide(&mut self, facts: &str) -> String {
        self.0.decide(facts, now())
    }

    /// What is to be done next where `number` waits for what came of its errand; see the gate's `resume`.
    pub fn resume(
        &mut self,
        number: u32,
        facts: &str,
        came: bool,
        text: Option<String>,
    ) -> Option<String> {
        let came = match &text {
            Some(text) => Came::Text(text),
            None if came => Came::NoRow,
            None => Came::Nothing,
        };
        self.0.resume(number, facts, came, now())
    }

    /// The same where a body came: its bytes or, in their place, `long`, `full` or `late`.
    pub fn resume_with_body(
        &mut self,
        number: u32,
        facts: &str,
        bytes: Option<Vec<u8>>,
        instead: &str,
    ) -> Option<String> {
        let body = match (bytes, instead) {
            (Some(bytes), _) => Body::Read(bytes),
            (None, "long") => Body::TooLong,
            (None, "full") => Body::Failed(Fault::NoRoom),
            (None, _) => Body::Late,
        };
        self.0.resume(number, facts, Came::Body(body), now())
    }
}

/// The names of [`forward::TOLD`].
#[wasm_bindgen]
#[must_use]
pub fn told_names() -> String {
    forward::TOLD.join("\n")
}
