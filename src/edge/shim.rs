//! The JavaScript side, as Rust sees it.

#[cfg(feature = "workspace")]
use js_sys::Promise;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/shim.js")]
extern "C" {
    /// Fills `into` with random bytes.
    pub(super) fn random(into: &mut [u8]);

    /// A text binding; empty if there is none.
    pub(super) fn text(env: &JsValue, name: &str) -> String;
}

#[cfg(feature = "workspace")]
#[wasm_bindgen(module = "/src/edge/shim.js")]
extern "C" {
    /// The request as [`crate::request`] reads it.
    pub(super) fn facts(request: &web_sys::Request) -> String;

    /// A response: headers as lines of name and value.
    pub(super) fn respond(status: u16, headers: &str, body: Option<&str>) -> JsValue;

    /// The same with a stream as the body, or null.
    #[wasm_bindgen(js_name = respond)]
    pub(super) fn respond_with(status: u16, headers: &str, body: &JsValue) -> JsValue;

    /// Waits so many milliseconds.
    pub(super) fn sleep(millis: u32) -> Promise;
}

#[wasm_bindgen]
extern "C" {
    /// Writes a line to the log of errors.
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub(super) fn log(line: &str);
}
