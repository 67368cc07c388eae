//! The Workspace's functions for `workspace.mjs`.

use std::fmt::Write as _;

use wasm_bindgen::prelude::*;

use super::{at, isolate};
use crate::workspace::rows::{Missing, Rows};
use crate::workspace::{self, Outcome};

/// The rows that a call will probably need: a line for each name, and `from`, `to`, `limit` with
/// tabs between for each range.
#[wasm_bindgen]
#[must_use]
pub fn workspace_needs(text: &str, now: f64) -> String {
    workspace::needs(text, at(now)).lines()
}

/// Answers a call with the rows of `missing` at hand: name and value in turn, a line each. Lines:
///
/// - `?` and then more of what is missing; or
/// - `=`, the number of lines of the answer, the answer, the time of the alarm or nothing, then name and value in turn of what has
///   changed; an empty value deletes.
///
/// # Errors
/// When the deployment is not fit to decide.
#[wasm_bindgen]
pub fn workspace_answer(
    env: &JsValue,
    text: &str,
    missing: &str,
    rows: &str,
    now: f64,
) -> Result<String, JsValue> {
    let missing = Missing::parse(missing);
    isolate::with_gate(env, |gate| {
        let mut held = Rows::default();
        held.load(&missing, rows);
        match workspace::answer(text, gate, &mut held, at(now)) {
            Err(more) => format!("?\n{}", more.lines()),
            Ok(Outcome { answer, alarm }) => {
                let alarm = alarm.map(|alarm| alarm.to_string()).unwrap_or_default();
                let answer = answer.print();
                // The answer alone may have lines of its own: it is said how many.
                let mut out = format!("=\n{}\n{answer}\n{alarm}", answer.split('\n').count());
                for (name, value) in held.changes() {
                    let _ = write!(out, "\n{name}\n{}", value.unwrap_or_default());
                }
                out
            }
        }
    })
    .ok_or_else(|| JsValue::from_str("portcullis: the deployment is not fit to decide"))
}
