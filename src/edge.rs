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

use wasm_bindgen::JsValue;

use crate::answer::Answer;
use crate::clock::Now;

fn respond(request: &web_sys::Request, answer: &Answer) -> JsValue {
    answer_to(&request.method(), answer)
}

fn answer_to(method: &str, answer: &Answer) -> JsValue {
    let body = (method != "HEAD").then_some(answer.body.as_str());
    shim::respond(answer.status, &answer.headers, body)
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
