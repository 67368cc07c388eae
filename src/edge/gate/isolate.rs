//! What lives as long as the isolate: the gate, its memory, entropy.

use std::cell::RefCell;

use wasm_bindgen::JsValue;

use super::step::{Step, answered};
use super::{admin, shim};
use crate::answer;
use crate::clock::Now;
use crate::cors;
use crate::decide::{self, Decision};
use crate::denial::{Denial, Fault, Wire};
use crate::edge::deployment::Deployment;
use crate::edge::entropy::Entropy;
use crate::forward;
use crate::key::Kid;
use crate::lease::CallId;
use crate::lookup::{Came, Chore, Desk, LookUp, Matter, Told, Trouble};
use crate::memory::Memory;
use crate::observation::{self, Answered};
use crate::policy::DocsUrl;
use crate::request::Request;
use crate::ticket::Ticket;

/// What one isolate has.
pub(super) struct Isolate {
    deployment: Deployment,
    memory: Memory,
    entropy: Entropy,
    desk: Desk,
}

thread_local! {
    static ISOLATE: RefCell<Option<Isolate>> = const { RefCell::new(None) };
}

/// Decides a request from memory, unless the isolate has yet to start.
pub(super) fn step(facts: &str, ticket: &mut Ticket, now: impl FnOnce() -> Now) -> Option<Step> {
    ISOLATE.with_borrow_mut(|isolate| {
        isolate.as_mut().map(|isolate| isolate.step(facts, ticket, now()))
    })
}

/// Starts the isolate, unless it has started.
pub(super) fn start(env: &JsValue) {
    ISOLATE.with_borrow_mut(|isolate| {
        isolate.get_or_insert_with(|| Isolate::start(env));
    });
}

/// Lets `act` use the isolate; nothing comes of it before that has started.
pub(super) fn with<T: Default>(act: impl FnOnce(&mut Isolate) -> T) -> T {
    ISOLATE.with_borrow_mut(|isolate| isolate.as_mut().map(act).unwrap_or_default())
}

impl Isolate {
    fn start(env: &JsValue) -> Self {
        Self {
            deployment: Deployment::start(env, &shim::text(env, STATIC_KEYS)),
            memory: Memory::default(),
            entropy: Entropy::default(),
            desk: Desk::default(),
        }
    }

    /// Goes on with a request, the first `step` of which may have been made.
    pub(super) fn proceed(
        &mut self,
        step: Option<Step>,
        facts: &str,
        mut ticket: Ticket,
        now: Now,
    ) -> String {
        let step = step.unwrap_or_else(|| self.step(facts, &mut ticket, now));
        self.pursue(step, facts, ticket, 0, Vec::new(), now)
    }

    /// Goes on with what waits at `number`; nothing if nothing does, or nothing is left to do.
    pub(super) fn resume(
        &mut self,
        number: u32,
        facts: &str,
        came: Came<'_>,
        now: Now,
    ) -> Option<String> {
        let matter = self.desk.take(number)?;
        let gate = self.deployment.gate()?;
        let memory = &mut self.memory;
        match matter {
            Matter::Request { mut ticket, look_up, looks } => {
                let leaves = look_up.leaves();
                log(look_up.end(came, &mut ticket, gate, memory, now));
                let chores = leaves.map(|kid| self.close(kid, now)).unwrap_or_default();
                let step = self.step(facts, &mut ticket, now);
                Some(self.pursue(step, facts, ticket, looks, chores, now))
            }
            Matter::Chore(chore) => {
                let id = CallId::new(self.entropy.bytes());
                let (next, trouble) = chore.next(came, id, gate, memory, now);
                log(trouble);
                let (chore, errand) = next?;
                let number = self.desk.file(Matter::Chore(chore), &errand, memory, now);
                Some(Told::errand(number, &errand, &[]))
            }
        }
    }

    /// Looks at a request until it is decided, or something has to be done for it first.
    fn pursue(
        &mut self,
        mut step: Step,
        facts: &str,
        mut ticket: Ticket,
        mut looks: u32,
        mut chores: Vec<u32>,
        now: Now,
    ) -> String {
        loop {
            ticket.drop_body();
            let need = match step {
                Step::Forward { plan, reserved, ahead } => {
                    let ahead = ahead.map(Chore::ahead);
                    let file = |chore| self.desk.file_due(chore, &mut self.memory, now);
                    chores.extend(ahead.map(file));
                    let Some(reserved) = reserved else {
                        return Told::new("forward", &chores).line(&plan).finish();
                    };
                    let header = reserved.header.clone();
                    let number = self.desk.file_reserved(reserved, &mut self.memory, now);
                    let told = Told::new("settle", &chores).number(number);
                    return told.line(header.as_str()).line(&plan).finish();
                }
                Step::Answer(answer, observation) => {
                    if let Some(kid) = ticket.denied() {
                        chores.extend(self.close(kid, now));
                    }
                    return answered(Told::new("answer", &chores), &answer, &observation);
                }
                Step::Manage { url, unavailable } => {
                    return answered(Told::new("manage", &chores).line(&url), &unavailable, "");
                }
                Step::Need(need) => need,
            };
            looks = looks.saturating_add(1);
            let id = CallId::new(self.entropy.bytes());
            let Some(gate) = self.deployment.gate().filter(|_| looks <= MAX_LOOKS) else {
                return self.fault(Fault::Internal, facts);
            };
            if let Some((look_up, errand)) =
                LookUp::begin(need, &mut ticket, id, gate, &mut self.memory, now)
            {
                let look_up = Box::new(look_up);
                let matter = Matter::Request { ticket, look_up, looks };
                let number = self.desk.file(matter, &errand, &mut self.memory, now);
                return Told::errand(number, &errand, &chores);
            }
            step = self.step(facts, &mut ticket, now);
        }
    }

    /// Files the closing of the leases of `kid`, if that is due.
    fn close(&mut self, kid: Kid, now: Now) -> Vec<u32> {
        let Some(gate) = self.deployment.gate() else { return Vec::new() };
        let chore = Chore::closing(kid, gate, &mut self.memory, now);
        chore.map(|chore| self.desk.file_due(chore, &mut self.memory, now)).into_iter().collect()
    }

    fn step(&mut self, facts: &str, ticket: &mut Ticket, now: Now) -> Step {
        let request_id = self.entropy.request_id();
        let request = Request::parse(facts);
        let problem = request.is_some_and(|request| request.wants_problem_json());
        let Some(gate) = self.deployment.fit(CONSEQUENCE, now) else {
            let wire = Fault::Unfit.wire(self.entropy.byte());
            let answer = answer::render(&wire, &request_id, problem, None);
            return Step::Answer(answer, String::new());
        };
        let docs = gate.policy().docs.as_ref().map(DocsUrl::as_str);
        let refuse = |wire: &Wire, answered: Answered, ticket: &Ticket| {
            let mut answer = answer::render(wire, &request_id, problem, docs);
            let pages = request.map(|request| cors::leave_of_answer(&request, gate.policy()));
            answer.headers.push_str(&pages.unwrap_or_default());
            let request = request.as_ref();
            let told =
                observation::of_answer(request, answered, wire.code, ticket, gate, &request_id);
            Step::Answer(answer, told)
        };
        let Some(request) = request else {
            return refuse(&Denial::Unreadable.wire(), Answered::Denied, ticket);
        };
        let manage = |url, byte| {
            let wire = Fault::WorkspaceUnavailable.wire(byte);
            let unavailable = answer::render(&wire, &request_id, problem, docs);
            Step::Manage { url, unavailable }
        };
        match decide::decide(&request, gate, &mut self.memory, ticket, now) {
            Decision::Allow(grant) => {
                let reserved = grant.reservation(gate).map(Box::new);
                let ahead = grant.ahead(gate, &mut self.memory, now);
                let renews = ahead.is_some();
                let told =
                    observation::of_grant(&request, &grant, renews, ticket, gate, &request_id);
                let plan = forward::plan(&request, &grant, gate, &request_id, told.as_deref(), now);
                Step::Forward { plan, reserved, ahead }
            }
            Decision::Deny(denial) => {
                self.memory.note_incident(ticket, &request_id);
                refuse(&denial.wire(), Answered::Denied, ticket)
            }
            Decision::Need(need) => Step::Need(need),
            Decision::Fault(fault) => {
                let wire = fault.wire(self.entropy.byte());
                refuse(&wire, Answered::Failed, ticket)
            }
            Decision::Preflight(granted) => {
                let told = observation::of_answer(
                    Some(&request),
                    Answered::Granted,
                    "preflight",
                    ticket,
                    gate,
                    &request_id,
                );
                Step::Answer(answer::preflight(&granted, &request_id), told)
            }
            Decision::Admin => match admin::answer(&request, &request_id) {
                Some(answer) => Step::Answer(answer, String::new()),
                None => manage(String::new(), self.entropy.byte()),
            },
            Decision::Usage(url) => manage(url, self.entropy.byte()),
        }
    }

    /// Tells the answer to a request that `fault` kept from being decided.
    pub(super) fn fault(&mut self, fault: Fault, facts: &str) -> String {
        let wire = fault.wire(self.entropy.byte());
        self.refuse(&wire, facts)
    }

    /// Tells the answer to a request for the admin host where there is no management API.
    pub(super) fn not_found(&mut self, facts: &str) -> String {
        self.refuse(&Denial::NotFound.wire(), facts)
    }

    fn refuse(&mut self, wire: &Wire, facts: &str) -> String {
        let problem = Request::parse(facts).is_some_and(|request| request.wants_problem_json());
        let request_id = self.entropy.request_id();
        let answer = answer::render(wire, &request_id, problem, self.deployment.docs());
        answered(Told::new("answer", &[]), &answer, "")
    }
}

/// Tells the answer to a request that an origin's `fault` left without one. The isolate may be another since
/// it was sent. `told` is the observation in its plan, or empty.
pub(super) fn origin_fault(fault: Fault, request_id: &str, problem: bool, told: &str) -> String {
    ISOLATE.with_borrow(|isolate| {
        let docs = isolate.as_ref().and_then(|isolate| isolate.deployment.docs());
        let gate = isolate.as_ref().and_then(|isolate| isolate.deployment.gate());
        let wire = fault.wire(0);
        let told = gate.map(|gate| observation::failed(told, wire.code, gate, request_id));
        let answer = answer::render(&wire, request_id, problem, docs);
        answered(Told::new("answer", &[]), &answer, &told.unwrap_or_default())
    })
}

fn log(trouble: Option<Trouble>) {
    if let Some(trouble) = trouble {
        shim::log(&format!("portcullis: {trouble}"));
    }
}

const CONSEQUENCE: &str = "answering 503 to every request";
const STATIC_KEYS: &str = "PORTCULLIS_STATIC_KEYS";
/// Waiting included; a request needs at most a pointer under each root version, a record from KV
/// and from the Workspace, leave, and each again if the key changes meanwhile.
const MAX_LOOKS: u32 = 4096;
