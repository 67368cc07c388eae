//! The JavaScript side, as Rust sees it.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/shim.js")]
extern "C" {
    /// Fills `into` with random bytes.
    pub(super) fn random(into: &mut [u8]);

    /// A text binding; empty if there is none.
    pub(super) fn text(env: &JsValue, name: &str) -> String;
}

#[wasm_bindgen]
extern "C" {
    /// Writes a line to the log of errors.
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub(super) fn log(line: &str);
}
