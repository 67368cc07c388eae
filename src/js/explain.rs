//! What becomes of a request that nobody has sent.

use wasm_bindgen::prelude::*;

use super::now;
use crate::explanation::question;

/// See [`question::answer`].
///
/// # Errors
/// What is wrong with what is asked.
#[wasm_bindgen]
pub fn explain(policy: &str, question: &str) -> Result<String, String> {
    question::answer(policy, question, now())
}
