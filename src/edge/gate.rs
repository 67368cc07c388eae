//! The gate's Worker.
//!
//! What isolate memory can answer is decided in one call, facts in and plan out; what else a request
//! comes to is told by a second one, and only a look-up enters asynchronous code.

mod admin;
mod body;
mod isolate;
mod kv;
mod lookup;
mod workspace;

use std::cell::Cell;

use wasm_bindgen::prelude::*;

use super::{answer_to, kept, now, promise, respond, shim};
use crate::answer::Answer;
use crate::denial::Fault;
use crate::forward;
use crate::ticket::Ticket;
use isolate::Step;

/// The names of [`forward::OWN`] and, after an empty line, of [`forward::TOLD`].
#[wasm_bindgen]
#[must_use]
pub fn header_names() -> String {
    [forward::OWN.join("\n"), forward::TOLD.join("\n")].join("\n\n")
}

/// The plan by which a request of these facts is forwarded. Without one, [`proceed`] is to be called
/// next, before anything else.
#[wasm_bindgen]
#[must_use]
pub fn decide(facts: String) -> Option<String> {
    let mut ticket = Ticket::default();
    let step = match isolate::step_again(&facts, &mut ticket, now) {
        Some(Step::Forward { plan, ahead: None }) => return Some(plan),
        step => step,
    };
    UNDONE.set(Some(Undone { facts, ticket, step }));
    None
}

/// What else the request comes to that was decided last: its plan, a `Response` or a promise of one.
///
/// See [`kept`].
#[wasm_bindgen]
#[must_use]
pub fn proceed(request: web_sys::Request, env: JsValue, ctx: JsValue) -> JsValue {
    let Some(Undone { facts, mut ticket, step }) = UNDONE.take() else {
        return respond(&request, &isolate::fault(Fault::Internal, ""));
    };
    let step = step.unwrap_or_else(|| isolate::step(&env, &facts, &mut ticket, now()));
    match step {
        Step::Forward { plan, ahead } => {
            if let Some(need) = ahead {
                lookup::ahead(&env, &ctx, need);
            }
            JsValue::from_str(&plan)
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

/// A request that was decided, but for what takes its environment.
struct Undone {
    facts: String,
    ticket: Ticket,
    /// `None` if the isolate has not started.
    step: Option<Step>,
}

thread_local! {
    static UNDONE: Cell<Option<Undone>> = const { Cell::new(None) };
}

/// A request for the admin host goes on to the Worker of the Workspaces, untouched.
fn manage(request: &web_sys::Request, env: &JsValue, unavailable: &Answer, facts: &str) -> JsValue {
    let Answer { status, headers, body } = unavailable;
    let body = (request.method() != "HEAD").then_some(body.as_str());
    let answer = shim::manage(request, env, *status, headers, body);
    if answer.is_undefined() { respond(request, &isolate::not_found(facts)) } else { answer }
}

/// The answer to a request that did not come back from its origin: because it could not be made, as
/// the origin failed or was `late`. `id` is the request's, `problem` of its plan.
#[wasm_bindgen]
#[must_use]
pub fn origin_fault(made: bool, late: bool, id: &str, problem: bool, method: &str) -> JsValue {
    let fault = match (made, late) {
        (false, _) => Fault::Internal,
        (true, true) => Fault::OriginTimeout,
        (true, false) => Fault::OriginUnreachable,
    };
    answer_to(method, &isolate::origin_fault(fault, id, problem))
}
