//! The Cloudflare Worker. Translates, drives, stores; decides nothing.
//!
//! `fetch` is synchronous: what isolate memory can answer is decided in one call,
//! and only a look-up enters asynchronous code.

mod admin;
mod entropy;
mod isolate;
mod kv;
mod shim;

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::answer::Answer;
use crate::clock::Now;
use crate::denial::Fault;
use crate::forward;
use crate::need::Need;
use isolate::Step;

/// Hands over to the JavaScript side what it needs besides requests.
#[wasm_bindgen(start)]
pub fn start() {
    shim::install(&forward::OWN.join("\n"), &origin_fault());
}

/// A request of the Worker's default entrypoint; a `Response` or a promise of one.
///
/// A promise that only this module can keep stands in an array, and so does what it resolves to:
/// `entry.mjs` gives it up should this module fail.
#[wasm_bindgen]
#[must_use]
pub fn fetch(request: web_sys::Request, env: JsValue, ctx: JsValue) -> JsValue {
    let facts = shim::facts(&request);
    match isolate::step(&env, &facts, now()) {
        Step::Forward { plan, refresh } => {
            if let Some(need) = refresh {
                refresh_later(&env, ctx, need);
            }
            send_on(&request, &env, &plan, &facts)
        }
        Step::Answer(answer) => respond(&request, &answer),
        Step::Need(need) => {
            let later = async move { Ok(alone(&look_up(request, env, facts, need).await)) };
            alone(&future_to_promise(later))
        }
    }
}

fn alone(item: &JsValue) -> JsValue {
    js_sys::Array::of1(item).into()
}

/// Finds out what the decision needs and asks again. A request needs at most a
/// pointer under each root version and a record.
async fn look_up(
    request: web_sys::Request,
    env: JsValue,
    facts: String,
    mut need: Need,
) -> JsValue {
    for _ in 0..MAX_LOOK_UPS {
        if let Err(fault) = kv::learn(&env, need).await {
            return respond(&request, &isolate::fault(fault, &facts));
        }
        match isolate::step(&env, &facts, now()) {
            // Not awaited: what is at the origin needs this module no more.
            Step::Forward { plan, .. } => return send_on(&request, &env, &plan, &facts),
            Step::Answer(answer) => return respond(&request, &answer),
            Step::Need(next) => need = next,
        }
    }
    respond(&request, &isolate::fault(Fault::Internal, &facts))
}

fn send_on(request: &web_sys::Request, env: &JsValue, plan: &str, facts: &str) -> JsValue {
    match shim::forward(request, env, plan) {
        Ok(answer) => answer.into(),
        Err(_) => {
            worker::console_error!("portcullis: no request could be made for the origin");
            respond(request, &isolate::fault(Fault::Internal, facts))
        }
    }
}

/// Renews a record behind the answer, so that a key in use never waits for KV.
fn refresh_later(env: &JsValue, ctx: JsValue, need: Need) {
    let env = env.clone();
    let done = future_to_promise(async move {
        // A failure is logged there; the record at hand serves until it expires.
        let _ = kv::learn(&env, need).await;
        Ok(JsValue::UNDEFINED)
    });
    ctx.unchecked_into::<Context>().wait_until(&done);
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

#[wasm_bindgen]
extern "C" {
    type Context;

    #[wasm_bindgen(method, js_name = waitUntil)]
    fn wait_until(this: &Context, promise: &js_sys::Promise);
}

/// More root versions than that are not in use at once.
const MAX_LOOK_UPS: usize = 64;
