//! The JavaScript side, as Rust sees it.

use js_sys::Promise;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/shim.js")]
extern "C" {
    /// Fills `into` with random bytes.
    pub(super) fn random(into: &mut [u8]);

    /// A response: headers as lines of name and value.
    pub(super) fn respond(status: u16, headers: &str, body: Option<&str>) -> JsValue;

    /// A text binding; empty if there is none.
    pub(super) fn text(env: &JsValue, name: &str) -> String;

    /// Waits so many milliseconds.
    pub(super) fn sleep(millis: u32) -> Promise;
}

#[cfg(feature = "gate")]
#[wasm_bindgen(module = "/src/edge/shim.js")]
extern "C" {
    /// Reads a row of KV within so many milliseconds; the promise of its text or `null`.
    #[wasm_bindgen(catch)]
    pub(super) fn read(env: &JsValue, name: &str, millis: u32) -> Result<Promise, JsValue>;

    /// Reads the body that a request has: the promise of a [`Held`], or of a word: `long`, if it has more
    /// than `limit` bytes; `full`, if all that are held would be more than `most`; `late`, if it is not
    /// there after so many milliseconds or breaks off.
    pub(super) fn body(request: &web_sys::Request, limit: u32, most: u32, millis: u32) -> Promise;

    /// A body that counts among those that are held.
    pub(super) type Held;

    #[wasm_bindgen(method, getter)]
    pub(super) fn bytes(this: &Held) -> js_sys::Uint8Array;

    /// Counts it no more.
    #[wasm_bindgen(method)]
    pub(super) fn release(this: &Held);

    /// Asks the Workspace of this number within so many milliseconds; the promise of its answer, or
    /// of `null`.
    pub(super) fn ask(env: &JsValue, number: &str, text: &str, millis: u32) -> Promise;

    /// Sends the request on to the Worker of the management API, untouched; the promise of its
    /// response, or of this one should it fail. `undefined` if there is no such binding.
    pub(super) fn manage(
        request: &web_sys::Request,
        env: &JsValue,
        status: u16,
        headers: &str,
        body: Option<&str>,
    ) -> JsValue;
}

#[cfg(feature = "workspace")]
#[wasm_bindgen(module = "/src/edge/shim.js")]
extern "C" {
    /// The request as [`crate::request`] reads it.
    pub(super) fn facts(request: &web_sys::Request) -> String;
}

#[wasm_bindgen]
extern "C" {
    /// Writes a line to the log of errors.
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub(super) fn log(line: &str);
}
