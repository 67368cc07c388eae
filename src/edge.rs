//! The two Cloudflare Workers: the gate, which every request meets, and the one that holds the
//! Workspaces. They translate, drive, store; they decide nothing.

mod deployment;
mod entropy;
#[cfg(feature = "gate")]
mod gate;
mod shim;
#[cfg(feature = "workspace")]
mod workspace;

// Its start function brings the instance up again after a panic.
use worker as _;

use std::future::Future;
use std::pin::Pin;

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::future_to_promise;

use crate::answer::Answer;
use crate::clock::Now;

fn respond(request: &web_sys::Request, answer: &Answer) -> JsValue {
    answer_to(&request.method(), answer)
}

fn answer_to(method: &str, answer: &Answer) -> JsValue {
    let body = (method != "HEAD").then_some(answer.body.as_str());
    shim::respond(answer.status, &answer.headers, body)
}

/// A promise of what `work` ends with.
fn promise(work: impl Future<Output = JsValue> + 'static) -> js_sys::Promise {
    // Boxed, or each would have an executor of its own in the upload.
    let boxed: Pin<Box<dyn Future<Output = Result<JsValue, JsValue>>>> =
        Box::pin(async move { Ok(work.await) });
    future_to_promise(boxed)
}

/// The promise of an answer that only this module can keep stands in an array, and so does what it
/// resolves to: the JavaScript around the Wasm gives it up should the Wasm fail.
fn kept(answer: impl Future<Output = JsValue> + 'static) -> JsValue {
    alone(&promise(async move { alone(&answer.await) }))
}

fn alone(item: &JsValue) -> JsValue {
    js_sys::Array::of1(item).into()
}

fn now() -> Now {
    at(js_sys::Date::now())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds since 1970 are a whole number below 2^53"
)]
fn at(millis: f64) -> Now {
    Now::from_millis(millis as u64)
}
