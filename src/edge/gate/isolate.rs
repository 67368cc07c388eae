//! What lives as long as the isolate: the gate, its memory, entropy.

use std::cell::RefCell;

use wasm_bindgen::JsValue;

use super::{admin, now, shim};
use crate::answer::{self, Answer};
use crate::clock::Now;
use crate::decide::{self, Decision};
use crate::denial::{Denial, Fault, Wire};
use crate::edge::deployment::Deployment;
use crate::edge::entropy::Entropy;
use crate::forward;
use crate::gate::Gate;
use crate::key::Kid;
use crate::lease::CallId;
use crate::memory::{Memory, Turn};
use crate::need::Need;
use crate::policy::DocsUrl;
use crate::request::Request;
use crate::ticket::Ticket;

/// What to do with a request now.
pub(super) enum Step {
    /// Send it on by this plan; then, perhaps, find something out ahead of need.
    Forward { plan: String, ahead: Option<Need> },
    /// Answer it.
    Answer(Answer),
    /// Find this out and step again.
    Need(Need),
    /// It is for the management API; this is the answer if that fails.
    Manage { unavailable: Answer },
}

/// Decides a request from memory.
pub(super) fn step(env: &JsValue, facts: &str, ticket: &mut Ticket, now: Now) -> Step {
    with(env, |isolate| isolate.step(facts, ticket, now))
}

/// The same, unless the isolate has yet to start.
pub(super) fn step_again(
    facts: &str,
    ticket: &mut Ticket,
    now: impl FnOnce() -> Now,
) -> Option<Step> {
    ISOLATE.with_borrow_mut(|isolate| {
        isolate.as_mut().map(|isolate| isolate.step(facts, ticket, now()))
    })
}

/// Lets `begin` begin a call with a new name; `None` if this isolate cannot decide.
pub(super) fn begin<T>(begin: impl FnOnce(CallId, &Gate, &mut Memory) -> T) -> Option<T> {
    ISOLATE.with_borrow_mut(|isolate| {
        let Isolate { deployment, memory, entropy } = isolate.as_mut()?;
        let id = CallId::new(entropy.bytes());
        deployment.gate().map(|gate| begin(id, gate, memory))
    })
}

/// Whose turn it is to find out about `need`.
pub(super) fn turn(need: Need, joins: bool, waited: bool) -> Turn {
    with_memory(|gate, memory| memory.turn(need, gate.patience(&need), joins, waited, now()))
        .unwrap_or(Turn::Failed(Fault::Internal))
}

/// Ends a turn.
pub(super) fn turn_over(need: &Need, fault: Option<Fault>) {
    with_memory(|gate, memory| {
        let millis = gate.policy().lease_seconds.millis();
        memory.turn_over(need, fault, millis, now());
    });
}

/// How long a request waits for somebody else's turn, in milliseconds.
pub(super) fn patience(need: &Need) -> u64 {
    with_memory(|gate, _| gate.patience(need)).unwrap_or_default()
}

/// When the leases of `kid` are to be closed, in milliseconds from now; `None` if somebody will.
pub(super) fn closing_due(kid: &Kid) -> Option<u32> {
    with_memory(|gate, memory| {
        let millis = gate.policy().lease_seconds.millis();
        let owing = memory.closing_due(kid, millis, now());
        owing.then(|| u32::try_from(millis).unwrap_or(u32::MAX))
    })
    .flatten()
}

/// The answer to a request that `fault` kept from being decided.
pub(super) fn fault(fault: Fault, facts: &str) -> Answer {
    let problem = Request::parse(facts).is_some_and(|request| request.wants_problem_json());
    ISOLATE.with_borrow_mut(|isolate| match isolate {
        Some(isolate) => isolate.fault(fault, problem),
        None => answer::render(&fault.wire(0), "", problem, None),
    })
}

/// The answer to a request for the admin host where there is no management API.
pub(super) fn not_found(facts: &str) -> Answer {
    let problem = Request::parse(facts).is_some_and(|request| request.wants_problem_json());
    let wire = Denial::NotFound.wire();
    ISOLATE.with_borrow_mut(|isolate| match isolate {
        Some(isolate) => {
            let request_id = isolate.entropy.request_id();
            isolate.render(&wire, &request_id, problem)
        }
        None => answer::render(&wire, "", problem, None),
    })
}

/// Lets `learn` put something into memory; `None` if there is nothing to put it into.
pub(super) fn with_memory<T>(learn: impl FnOnce(&Gate, &mut Memory) -> T) -> Option<T> {
    ISOLATE.with_borrow_mut(|isolate| {
        let isolate = isolate.as_mut()?;
        isolate.deployment.gate().map(|gate| learn(gate, &mut isolate.memory))
    })
}

struct Isolate {
    deployment: Deployment,
    memory: Memory,
    entropy: Entropy,
}

thread_local! {
    static ISOLATE: RefCell<Option<Isolate>> = const { RefCell::new(None) };
}

fn with<T>(env: &JsValue, act: impl FnOnce(&mut Isolate) -> T) -> T {
    ISOLATE.with_borrow_mut(|isolate| act(isolate.get_or_insert_with(|| Isolate::start(env))))
}

impl Isolate {
    fn start(env: &JsValue) -> Self {
        let deployment = Deployment::start(env, &shim::text(env, STATIC_KEYS));
        Self { deployment, memory: Memory::default(), entropy: Entropy::default() }
    }

    fn step(&mut self, facts: &str, ticket: &mut Ticket, now: Now) -> Step {
        let request_id = self.entropy.request_id();
        let request = Request::parse(facts);
        let problem = request.is_some_and(|request| request.wants_problem_json());
        let Some(gate) = self.deployment.fit(CONSEQUENCE, now) else {
            let wire = Fault::Unfit.wire(self.entropy.byte());
            return Step::Answer(answer::render(&wire, &request_id, problem, None));
        };
        let docs = gate.policy().docs.as_ref().map(DocsUrl::as_str);
        let deny = |denial: &Denial| {
            Step::Answer(answer::render(&denial.wire(), &request_id, problem, docs))
        };
        let Some(request) = request else { return deny(&Denial::Unreadable) };
        match decide::decide(&request, gate, &mut self.memory, ticket, now) {
            Decision::Allow(grant) => {
                let plan = forward::plan(&request, &grant, gate, &request_id, now);
                let ahead = grant.ahead(gate, &mut self.memory, now);
                Step::Forward { plan, ahead }
            }
            Decision::Deny(denial) => deny(&denial),
            Decision::Need(need) => Step::Need(need),
            Decision::Fault(fault) => {
                let wire = fault.wire(self.entropy.byte());
                Step::Answer(answer::render(&wire, &request_id, problem, docs))
            }
            Decision::Admin => match admin::answer(&request, &request_id) {
                Some(answer) => Step::Answer(answer),
                None => {
                    let wire = Fault::WorkspaceUnavailable.wire(self.entropy.byte());
                    let unavailable = answer::render(&wire, &request_id, problem, docs);
                    Step::Manage { unavailable }
                }
            },
        }
    }

    fn fault(&mut self, fault: Fault, problem: bool) -> Answer {
        let request_id = self.entropy.request_id();
        let wire = fault.wire(self.entropy.byte());
        self.render(&wire, &request_id, problem)
    }

    fn render(&self, wire: &Wire, request_id: &str, problem: bool) -> Answer {
        answer::render(wire, request_id, problem, self.deployment.docs())
    }
}

/// The answer to a request that an origin's `fault` left without one.
pub(super) fn origin_fault(fault: Fault, request_id: &str, problem: bool) -> Answer {
    ISOLATE.with_borrow(|isolate| match isolate {
        Some(isolate) => isolate.render(&fault.wire(0), request_id, problem),
        None => answer::render(&fault.wire(0), request_id, problem, None),
    })
}

const CONSEQUENCE: &str = "answering 503 to every request";
const STATIC_KEYS: &str = "PORTCULLIS_STATIC_KEYS";
