//! The Cloudflare Worker. Translates, drives, stores; decides nothing.
//!
//! `fetch` is synchronous: what isolate memory can answer is decided in one call,
//! and only a look-up enters asynchronous code.

mod admin;
mod entropy;
mod isolate;
mod kv;
mod lookup;
mod object;
mod shim;
mod workspace;

// Its start function brings the instance up again after a panic.
use worker as _;

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::answer::Answer;
use crate::clock::Now;
use crate::ticket::Ticket;
use isolate::Step;

/// A request of the Worker's default entrypoint; a `Response` or a promise of one.
#[wasm_bindgen]
#[must_use]
pub fn fetch(request: web_sys::Request, env: JsValue, ctx: JsValue) -> JsValue {
    let facts = shim::facts(&request);
    let mut ticket = Ticket::default();
    match isolate::step(&env, &facts, &mut ticket, now()) {
        Step::Forward { plan, ahead } => {
            if let Some(need) = ahead {
                lookup::ahead(&env, &ctx, need);
            }
            shim::forward(&request, &env, &plan).into()
        }
        Step::Answer(answer) => {
            if let Some(kid) = ticket.denied() {
                lookup::close_later(&env, &ctx, kid);
            }
            respond(&request, &answer)
        }
        Step::Need(need) => {
            future_to_promise(lookup::answer(request, env, ctx, facts, ticket, need)).into()
        }
    }
}

/// What the JavaScript side calls when an origin fails: `(late, id, problem, method)`.
fn origin_fault() -> JsValue {
    Closure::<dyn Fn(bool, String, bool, String) -> JsValue>::new(
        |late: bool, id: String, problem: bool, method: String| {
            answer_to(&method, &isolate::origin_fault(late, &id, problem))
        },
    )
    .into_js_value()
}

fn respond(request: &web_sys::Request, answer: &Answer) -> JsValue {
    answer_to(&request.method(), answer)
}

fn answer_to(method: &str, answer: &Answer) -> JsValue {
    let body = (method != "HEAD").then_some(answer.body.as_str());
    shim::respond(answer.status, &answer.headers, body)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds since 1970 are a whole number below 2^53"
)]
fn now() -> Now {
    Now::from_millis(js_sys::Date::now() as u64)
}
