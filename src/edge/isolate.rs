//! What lives as long as the isolate: the gate, its memory, entropy.

use std::cell::RefCell;

use wasm_bindgen::JsValue;

use super::entropy::Entropy;
use super::{admin, shim};
use crate::answer::{self, Answer};
use crate::clock::Now;
use crate::decide::{self, Decision};
use crate::denial::{Denial, Fault, Wire};
use crate::forward;
use crate::gate::{Gate, Unfit};
use crate::memory::Memory;
use crate::need::Need;
use crate::policy::{DocsUrl, Policy};
use crate::request::Request;

/// What to do with a request now.
pub(super) enum Step {
    /// Send it on by this plan; then, perhaps, renew what it was decided by.
    Forward { plan: String, refresh: Option<Need> },
    /// Answer it.
    Answer(Answer),
    /// Find this out and step again.
    Need(Need),
}

/// Decides a request from memory.
pub(super) fn step(env: &JsValue, facts: &str, now: Now) -> Step {
    with(env, |isolate| isolate.step(facts, now))
}

/// The answer to a request that `fault` kept from being decided.
pub(super) fn fault(fault: Fault, facts: &str) -> Answer {
    let problem = Request::parse(facts).is_some_and(|request| request.wants_problem_json());
    ISOLATE.with_borrow_mut(|isolate| match isolate {
        Some(isolate) => isolate.fault(fault, problem),
        None => answer::render(&fault.wire(0), "", problem, None),
    })
}

/// Lets `learn` put something into memory; `None` if there is nothing to put it into.
pub(super) fn with_memory<T>(learn: impl FnOnce(&Gate, &mut Memory) -> T) -> Option<T> {
    ISOLATE.with_borrow_mut(|isolate| {
        let isolate = isolate.as_mut()?;
        isolate.gate.as_ref().ok().map(|gate| learn(gate, &mut isolate.memory))
    })
}

struct Isolate {
    gate: Result<Gate, Unfit>,
    memory: Memory,
    entropy: Entropy,
    /// The last millisecond at which unfitness was logged.
    logged: Option<u64>,
}

thread_local! {
    static ISOLATE: RefCell<Option<Isolate>> = const { RefCell::new(None) };
}

fn with<T>(env: &JsValue, act: impl FnOnce(&mut Isolate) -> T) -> T {
    ISOLATE.with_borrow_mut(|isolate| act(isolate.get_or_insert_with(|| Isolate::start(env))))
}

impl Isolate {
    fn start(env: &JsValue) -> Self {
        let gate = Policy::from_json(POLICY).map_err(|_| Unfit::Policy).and_then(|policy| {
            let built = BUILT.parse().unwrap_or(u64::MAX);
            Gate::new(policy, &shim::text(env, ROOT), &shim::text(env, STATIC_KEYS), built)
        });
        Self { gate, memory: Memory::default(), entropy: Entropy::default(), logged: None }
    }

    fn step(&mut self, facts: &str, now: Now) -> Step {
        let request_id = self.entropy.request_id();
        let request = Request::parse(facts);
        let problem = request.is_some_and(|request| request.wants_problem_json());
        let fit = self.gate.as_ref().map_err(|unfit| *unfit);
        let gate = match fit.and_then(|gate| gate.fit_at(now).map(|()| gate)) {
            Ok(gate) => gate,
            Err(unfit) => {
                log(&mut self.logged, unfit, now);
                let wire = Fault::Unfit.wire(self.entropy.byte());
                return Step::Answer(answer::render(&wire, &request_id, problem, None));
            }
        };
        let docs = gate.policy().docs.as_ref().map(DocsUrl::as_str);
        let deny = |denial: &Denial| {
            Step::Answer(answer::render(&denial.wire(), &request_id, problem, docs))
        };
        let Some(request) = request else { return deny(&Denial::Unreadable) };
        match decide::decide(&request, gate, &mut self.memory, now) {
            Decision::Allow(grant) => {
                let plan = forward::plan(&request, &grant, gate, &request_id, now);
                let kid = grant.kid().filter(|kid| self.memory.refresh_due(kid, now));
                Step::Forward { plan, refresh: kid.map(Need::Record) }
            }
            Decision::Deny(denial) => deny(&denial),
            Decision::Need(need) => Step::Need(need),
            Decision::Admin => Step::Answer(admin::answer(&request, &request_id, docs)),
        }
    }

    fn fault(&mut self, fault: Fault, problem: bool) -> Answer {
        let request_id = self.entropy.request_id();
        let wire = fault.wire(self.entropy.byte());
        self.render(&wire, &request_id, problem)
    }

    fn render(&self, wire: &Wire, request_id: &str, problem: bool) -> Answer {
        let docs = self
            .gate
            .as_ref()
            .ok()
            .and_then(|gate| gate.policy().docs.as_ref().map(DocsUrl::as_str));
        answer::render(wire, request_id, problem, docs)
    }
}

/// The answer to a request whose origin failed after it was sent on.
pub(super) fn origin_fault(late: bool, request_id: &str, problem: bool) -> Answer {
    let fault = if late { Fault::OriginTimeout } else { Fault::OriginUnreachable };
    ISOLATE.with_borrow(|isolate| match isolate {
        Some(isolate) => isolate.render(&fault.wire(0), request_id, problem),
        None => answer::render(&fault.wire(0), request_id, problem, None),
    })
}

/// Names the cause, at most once in ten seconds: every request has it.
fn log(logged: &mut Option<u64>, unfit: Unfit, now: Now) {
    if logged.is_none_or(|last| now.millis().abs_diff(last) >= LOG_MILLIS) {
        *logged = Some(now.millis());
        worker::console_error!("portcullis: answering 503 to every request: {unfit}");
    }
}

const POLICY: &str = include_str!(concat!(env!("OUT_DIR"), "/policy.json"));
const BUILT: &str = env!("PORTCULLIS_BUILT");
const ROOT: &str = "PORTCULLIS_ROOT";
const STATIC_KEYS: &str = "PORTCULLIS_STATIC_KEYS";
const LOG_MILLIS: u64 = 10_000;
