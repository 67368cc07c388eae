//! The gate's Worker.
//!
//! `fetch` is synchronous: what isolate memory can answer is decided in one call,
//! and only a look-up enters asynchronous code.

mod admin;
mod isolate;
mod kv;
mod lookup;
mod workspace;

use wasm_bindgen::prelude::*;

use super::{answer_to, kept, now, promise, respond, shim};
use crate::answer::Answer;
use crate::denial::Fault;
use crate::forward;
use crate::ticket::Ticket;
use isolate::Step;

/// Hands over to the JavaScript side what it needs besides requests.
#[wasm_bindgen(start)]
pub fn start() {
    shim::install(&forward::OWN.join("\n"), &forward::TOLD.join("\n"), &origin_fault());
}

/// A request of the Worker's default entrypoint; a `Response` or a promise of one.
///
/// See [`kept`].
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
            send_on(&request, &env, &plan, &facts)
        }
        Step::Answer(answer) => {
            if let Some(kid) = ticket.denied() {
                lookup::close_later(&env, &ctx, kid);
            }
            respond(&request, &answer)
        }
        Step::Need(need) => kept(lookup::answer(request, env, ctx, facts, ticket, need)),
        Step::Manage { unavailable } => manage(&request, &env, &unavailable, &facts),
    }
}

/// A request for the admin host goes on to the Worker of the Workspaces, untouched.
fn manage(request: &web_sys::Request, env: &JsValue, unavailable: &Answer, facts: &str) -> JsValue {
    let Answer { status, headers, body } = unavailable;
    let body = (request.method() != "HEAD").then_some(body.as_str());
    let answer = shim::manage(request, env, *status, headers, body);
    if answer.is_undefined() { respond(request, &isolate::not_found(facts)) } else { answer }
}

fn send_on(request: &web_sys::Request, env: &JsValue, plan: &str, facts: &str) -> JsValue {
    match shim::forward(request, env, plan) {
        Ok(answer) => answer.into(),
        Err(_) => {
            shim::log("portcullis: no request could be made for the origin");
            respond(request, &isolate::fault(Fault::Internal, facts))
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
