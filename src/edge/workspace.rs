//! The Worker that holds the Workspaces, for `workspace.mjs`.

use std::cell::RefCell;
use std::fmt::Write as _;

use wasm_bindgen::prelude::*;

use super::deployment::Deployment;
use super::entropy::Entropy;
use super::{at, now, respond, shim};
use crate::answer;
use crate::denial::{Denial, Fault};
use crate::request::Request;
use crate::workspace::rows::{Missing, Rows};
use crate::workspace::{self, Outcome};

/// A request of the Worker's default entrypoint: there is nothing here yet.
#[wasm_bindgen]
#[must_use]
pub fn fetch(request: &web_sys::Request, env: &JsValue) -> JsValue {
    let facts = shim::facts(request);
    let problem = Request::parse(&facts).is_some_and(|request| request.wants_problem_json());
    let answer = with(env, |Isolate { deployment, entropy }| {
        let request_id = entropy.request_id();
        let wire = match deployment.fit(CONSEQUENCE, now()) {
            Some(_) => Denial::NotFound.wire(),
            None => Fault::Unfit.wire(entropy.byte()),
        };
        answer::render(&wire, &request_id, problem, deployment.docs())
    });
    respond(request, &answer)
}

/// The rows that a call will probably need: a line for each name, and `from`, `to`, `limit` with
/// tabs between for each range.
#[wasm_bindgen]
#[must_use]
pub fn workspace_needs(text: &str, now: f64) -> String {
    workspace::needs(text, at(now)).lines()
}

/// Answers a call with the rows of `missing` at hand: name and value in turn, a line each. Lines:
///
/// - `?` and then more of what is missing; or
/// - `=`, the number of lines of the answer, the answer, the time of the alarm or nothing, then name and value in turn of what has
///   changed; an empty value deletes; or
/// - `!` alone when the deployment is not fit to decide.
#[wasm_bindgen]
#[must_use]
pub fn workspace_answer(env: &JsValue, text: &str, missing: &str, rows: &str, now: f64) -> String {
    let missing = Missing::parse(missing);
    with(env, |Isolate { deployment, .. }| {
        let Some(gate) = deployment.fit(CONSEQUENCE, at(now)) else { return "!".to_owned() };
        let mut held = Rows::default();
        held.load(&missing, rows);
        match workspace::answer(text, gate, &mut held, at(now)) {
            Err(more) => format!("?\n{}", more.lines()),
            Ok(Outcome { answer, alarm }) => {
                let alarm = alarm.map(|alarm| alarm.to_string()).unwrap_or_default();
                let answer = answer.print();
                // The answer alone may have lines of its own: it is said how many.
                let mut out = format!("=\n{}\n{answer}\n{alarm}", answer.split('\n').count());
                for (name, value) in held.changes() {
                    let _ = write!(out, "\n{name}\n{}", value.unwrap_or_default());
                }
                out
            }
        }
    })
}

struct Isolate {
    deployment: Deployment,
    entropy: Entropy,
}

thread_local! {
    static ISOLATE: RefCell<Option<Isolate>> = const { RefCell::new(None) };
}

fn with<T>(env: &JsValue, act: impl FnOnce(&mut Isolate) -> T) -> T {
    ISOLATE.with_borrow_mut(|isolate| {
        act(isolate.get_or_insert_with(|| Isolate {
            deployment: Deployment::start(env, NO_ENVIRONMENT_KEYS),
            entropy: Entropy::default(),
        }))
    })
}

/// They are known to no Workspace.
const NO_ENVIRONMENT_KEYS: &str = "";
const CONSEQUENCE: &str = "answering no call";
