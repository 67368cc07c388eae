//! The JavaScript side, as Rust sees it.

use js_sys::Promise;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/shim.js")]
extern "C" {
    /// The request as [`crate::request`] reads it.
    pub(super) fn facts(request: &web_sys::Request) -> String;

    /// Fills `into` with random bytes.
    pub(super) fn random(into: &mut [u8]);

    /// Sends the request on by `plan`; the promise of a response.
    #[wasm_bindgen(catch)]
    pub(super) fn forward(
        request: &web_sys::Request,
        env: &JsValue,
        plan: &str,
    ) -> Result<Promise, JsValue>;

    /// A response: headers as lines of name and value.
    pub(super) fn respond(status: u16, headers: &str, body: Option<&str>) -> JsValue;

    /// A text binding; empty if there is none.
    pub(super) fn text(env: &JsValue, name: &str) -> String;

    /// Hands over the names of [`crate::forward::OWN`] and what answers an origin's failure.
    pub(super) fn install(own: &str, fault: &JsValue);
}
