//! The JavaScript side of this Worker alone, as Rust sees it.

use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::management::exchange::BadBody;
use crate::token::Key;

#[wasm_bindgen(module = "/src/edge/workspace/shim.js")]
extern "C" {
    fn download(url: &str, millis: u32, limit: u32, form: Option<&str>) -> Promise;

    #[wasm_bindgen(js_name = file)]
    fn read_file(env: &JsValue, name: &str, is_head: bool) -> Promise;

    fn verify(algorithm: &str, jwk: &str, signature: &[u8], signed: &[u8]) -> Promise;

    #[wasm_bindgen(js_name = ask)]
    fn ask_object(env: &JsValue, binding: &str, name: &str, text: &str) -> Promise;

    #[wasm_bindgen(js_name = row)]
    fn read_row(env: &JsValue, name: &str) -> Promise;

    #[wasm_bindgen(js_name = body)]
    fn read_body(request: &web_sys::Request, limit: u32) -> Promise;
}

/// The text at `url`, of `limit` bytes at most and within `millis`; nothing if it does not come so.
/// Redirects are not followed. With a form it is sent there.
pub(super) async fn text_at(
    url: &str,
    millis: u32,
    limit: u32,
    form: Option<&str>,
) -> Result<String, String> {
    text_of(download(url, millis, limit, form)).await
}

/// The answer of the object that `name` names to a call; or why there is none.
pub(super) async fn ask(
    env: &JsValue,
    binding: &str,
    name: &str,
    text: &str,
) -> Result<String, String> {
    text_of(ask_object(env, binding, name, text)).await
}

/// A row of KV, if there is one; or why that cannot be told.
pub(super) async fn row(env: &JsValue, name: &str) -> Result<Option<String>, String> {
    Ok(value_of(read_row(env, name)).await?.as_string())
}

/// A file of the dashboard, as the body of a response; or the status by which it is not to be had.
pub(super) async fn file(env: &JsValue, name: &str, is_head: bool) -> Result<JsValue, u16> {
    let file = value_of(read_file(env, name, is_head)).await.map_err(|_| 503_u16)?;
    match file.as_f64() {
        Some(status) => Err(status as u16),
        None => Ok(file),
    }
}

async fn text_of(promise: Promise) -> Result<String, String> {
    value_of(promise).await?.as_string().ok_or_else(|| "no text".to_owned())
}

async fn value_of(promise: Promise) -> Result<JsValue, String> {
    JsFuture::from(promise).await.map_err(|error| {
        let message = error.dyn_ref::<js_sys::Error>().map(|error| error.message().into());
        message.unwrap_or_else(|| "no answer".to_owned())
    })
}

/// Whether `signature` over `signed` is that of `key`; nothing if the platform could not tell.
pub(super) async fn is_signed_by(key: &Key, signature: &[u8], signed: &[u8]) -> Option<bool> {
    let algorithm = key.algorithm().as_str();
    JsFuture::from(verify(algorithm, key.jwk(), signature, signed)).await.ok()?.as_bool()
}

/// The body of a request as text, of `limit` bytes at most.
pub(super) async fn body(request: &web_sys::Request, limit: u32) -> Result<String, BadBody> {
    let read = JsFuture::from(read_body(request, limit)).await.map_err(|_| BadBody::Broken)?;
    read.as_string().ok_or(match read.as_f64() {
        Some(1.0) => BadBody::TooLong,
        Some(2.0) => BadBody::NotUtf8,
        _ => BadBody::Broken,
    })
}
