//! The gate's Worker.
//!
//! What isolate memory can answer is decided in one call, facts in and plan out. What else a request
//! comes to is told as a text, step by step: JavaScript does it and comes back. Nothing waits in here.

mod admin;
mod isolate;
mod step;

use std::cell::Cell;

use wasm_bindgen::prelude::*;

use super::{now, shim};
use crate::denial::Fault;
use crate::forward;
use crate::lookup::Came;
use crate::observation;
use crate::ticket::{Body, Ticket};
use step::Step;

/// The names of [`forward::OWN`], [`forward::TOLD`], [`observation::TEXTS`] and [`observation::NUMBERS`], with
/// an empty line between.
#[wasm_bindgen]
#[must_use]
pub fn names() -> String {
    let names: [&[&str]; 4] =
        [&forward::OWN, &forward::TOLD, &observation::TEXTS, &observation::NUMBERS];
    names.map(|names| names.join("\n")).join("\n\n")
}

/// The plan by which a request of these facts is forwarded. Without one, [`proceed`] is to be called
/// next, before anything else.
#[wasm_bindgen]
#[must_use]
pub fn decide(facts: String) -> Option<String> {
    let mut ticket = Ticket::default();
    let step = match isolate::step(&facts, &mut ticket, now) {
        Some(Step::Forward { plan, reserved: None, ahead: None }) => return Some(plan),
        step => step,
    };
    UNDONE.set(Some(Undone { facts, ticket, step }));
    None
}

/// What is to be done for the request that was decided last: a [`step`](crate::lookup::Told).
#[wasm_bindgen]
#[must_use]
pub fn proceed(env: &JsValue) -> String {
    isolate::start(env);
    let undone = UNDONE.take();
    isolate::with(|isolate| match undone {
        Some(Undone { facts, ticket, step }) => isolate.proceed(step, &facts, ticket, now()),
        None => isolate.fault(Fault::Internal, ""),
    })
}

/// What is to be done next where `number` waits for what came of its errand: of a call its answer, of a
/// row its value or, if there is none, nothing; `came` is false if nothing did. `facts` are the
/// request's. Nothing if nothing waits there, or is left to do.
#[wasm_bindgen]
#[must_use]
pub fn resume(number: u32, facts: &str, came: bool, text: Option<String>) -> Option<String> {
    let came = match &text {
        Some(text) => Came::Text(text),
        None if came => Came::NoRow,
        None => Came::Nothing,
    };
    isolate::with(|isolate| isolate.resume(number, facts, came, now()))
}

/// The same where a body came: its bytes or, in their place, `long`, `full` or `late`.
#[wasm_bindgen]
#[must_use]
pub fn resume_with_body(
    number: u32,
    facts: &str,
    bytes: Option<Vec<u8>>,
    instead: &str,
) -> Option<String> {
    let body = match (bytes, instead) {
        (Some(bytes), _) => Body::Read(bytes),
        (None, "long") => Body::TooLong,
        (None, "full") => Body::Failed(Fault::NoRoom),
        (None, _) => Body::Late,
    };
    isolate::with(|isolate| isolate.resume(number, facts, Came::Body(body), now()))
}

/// The answer to a request for the admin host where no management API is bound.
#[wasm_bindgen]
#[must_use]
pub fn not_found(facts: &str) -> String {
    isolate::with(|isolate| isolate.not_found(facts))
}

/// The answer to a request that did not come back from its origin: because it could not be made, as
/// the origin failed or was `late`. `id` is the request's, `problem` and `observation` of its plan.
#[wasm_bindgen]
#[must_use]
pub fn origin_fault(made: bool, late: bool, id: &str, problem: bool, observation: &str) -> String {
    let fault = match (made, late) {
        (false, _) => Fault::Internal,
        (true, true) => Fault::OriginTimeout,
        (true, false) => Fault::OriginUnreachable,
    };
    isolate::origin_fault(fault, id, problem, observation)
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
