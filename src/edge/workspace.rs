//! The Worker that holds the Workspaces, for `workspace.mjs`.

use std::cell::RefCell;
use std::fmt::Write as _;

use wasm_bindgen::prelude::*;

use super::deployment::Deployment;
use super::entropy::Entropy;
use super::shim::log;
use super::{at, now};
use crate::directory;
use crate::imported::{Pointer, PointerId};
use crate::management::desk::{Brought, Desk, Turn};
use crate::workspace::rows::{Missing, Rows};
use crate::workspace::{self, Outcome};

/// What is to be done first for a request to the management API: a [turn](Turn).
#[wasm_bindgen]
#[must_use]
pub fn manage(env: &JsValue, facts: &str) -> String {
    with(env, |Isolate { deployment, entropy, desk }| {
        let (request_id, seed) = (entropy.request_id(), entropy.seed());
        let now = now();
        told(desk.begin(facts, request_id, seed, deployment.fit(UNAVAILABLE, now), now))
    })
}

/// What is to be done next where `number` waits for what came of its errand: a text or, in its place, the
/// word `none`, `long`, `binary` or another. `facts` are the request's. Nothing if nothing waits there.
#[wasm_bindgen]
#[must_use]
pub fn resume(
    env: &JsValue,
    number: u32,
    facts: &str,
    word: &str,
    text: Option<String>,
) -> Option<String> {
    let brought = match (&text, word) {
        (Some(text), _) => Brought::Text(text),
        (None, "none") => Brought::NoRow,
        (None, "long") => Brought::TooLong,
        (None, "binary") => Brought::NotUtf8,
        (None, "full") => Brought::NoRoom,
        (None, _) => Brought::Nothing,
    };
    with(env, |Isolate { deployment, desk, .. }| {
        let now = now();
        desk.resume(number, facts, brought, deployment.fit(UNAVAILABLE, now), now).map(told)
    })
}

/// The answer where a file of the dashboard was not to be had, as there is none or else.
#[wasm_bindgen]
#[must_use]
pub fn no_file(env: &JsValue, facts: &str, is_missing: bool) -> String {
    with(env, |Isolate { deployment, entropy, desk }| {
        let (request_id, seed) = (entropy.request_id(), entropy.seed());
        let now = now();
        let gate = deployment.fit(UNAVAILABLE, now);
        told(desk.no_file(facts, request_id, seed, is_missing, gate, now))
    })
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
            Ok(Outcome { answer, alarm }) => done(&answer.print(), alarm, &held),
        }
    })
}

/// Whether KV is to get `value` at `name`, the name of a pointer, where it holds `held` or, if that
/// is empty, nothing: [`Claim`](crate::imported::Claim) as a word; `!` when the deployment is not
/// fit to decide.
#[wasm_bindgen]
#[must_use]
pub fn pointer_claim(env: &JsValue, name: &str, held: &str, value: &str) -> String {
    with(env, |Isolate { deployment, .. }| {
        let gate = deployment.fit(CONSEQUENCE, now());
        let claim = gate.zip(PointerId::from_kv_name(name)).map(|(gate, id)| {
            let held = Some(held).filter(|held| !held.is_empty());
            Pointer::claim(gate.keyring(), &id, held, value).as_str()
        });
        claim.unwrap_or("!").to_owned()
    })
}

/// As [`workspace_needs`], of a Directory.
#[wasm_bindgen]
#[must_use]
pub fn directory_needs(text: &str, _now: f64) -> String {
    directory::needs(text).lines()
}

/// As [`workspace_answer`], of a Directory.
#[wasm_bindgen]
#[must_use]
pub fn directory_answer(
    _env: &JsValue,
    text: &str,
    missing: &str,
    rows: &str,
    _now: f64,
) -> String {
    let mut held = Rows::default();
    held.load(&Missing::parse(missing), rows);
    match directory::answer(text, &mut held) {
        Err(more) => format!("?\n{}", more.lines()),
        Ok(answer) => done(&answer, None, &held),
    }
}

fn done(answer: &str, alarm: Option<u64>, rows: &Rows) -> String {
    let alarm = alarm.map(|alarm| alarm.to_string()).unwrap_or_default();
    // The answer alone may have lines of its own: it is said how many.
    let mut out = format!("=\n{}\n{answer}\n{alarm}", answer.split('\n').count());
    for (name, value) in rows.changes() {
        let _ = write!(out, "\n{name}\n{}", value.unwrap_or_default());
    }
    out
}

fn told(turn: Turn) -> String {
    if let Some(trouble) = turn.trouble {
        log(&format!("portcullis: {trouble}"));
    }
    turn.told
}

struct Isolate {
    deployment: Deployment,
    entropy: Entropy,
    desk: Desk,
}

thread_local! {
    static ISOLATE: RefCell<Option<Isolate>> = const { RefCell::new(None) };
}

fn with<T>(env: &JsValue, act: impl FnOnce(&mut Isolate) -> T) -> T {
    ISOLATE.with_borrow_mut(|isolate| {
        act(isolate.get_or_insert_with(|| Isolate {
            deployment: Deployment::start(env, NO_ENVIRONMENT_KEYS),
            entropy: Entropy::default(),
            desk: Desk::default(),
        }))
    })
}

/// They are known to no Workspace.
const NO_ENVIRONMENT_KEYS: &str = "";
const CONSEQUENCE: &str = "answering no call";
const UNAVAILABLE: &str = "answering 503 to every request";
