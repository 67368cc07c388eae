//! What lives as long as a gate: the deployment, its memory, what waits.

use super::entropy::Entropy;
use super::told::answered;
use crate::answer::{self, Answer};
use crate::clock::Now;
use crate::cors;
use crate::decide::{self, Decision};
use crate::denial::{Denial, Fault, Wire};
use crate::forward;
use crate::gate::Gate;
use crate::key::Kid;
use crate::lease::CallId;
use crate::lookup::{Came, Chore, Desk, LookUp, Matter, Told};
use crate::memory::Memory;
use crate::need::Need;
use crate::policy::DocsUrl;
use crate::request::Request;
use crate::ticket::Ticket;

pub(super) struct Isolate {
    gate: Gate,
    memory: Memory,
    entropy: Entropy,
    desk: Desk,
}

/// What a look at a request came to.
enum Looked {
    Allowed { grant: String, ahead: Option<Need> },
    Answered { word: &'static str, code: &'static str, answer: Answer },
    Needs(Need),
}

impl Isolate {
    pub(super) fn new(gate: Gate) -> Self {
        Self { gate, memory: Memory::default(), entropy: Entropy::default(), desk: Desk::default() }
    }

    pub(super) fn decide(&mut self, facts: &str, now: Now) -> String {
        self.pursue(facts, Ticket::default(), 0, Vec::new(), now)
    }

    /// Goes on with what waits at `number`; nothing if nothing does, or nothing is left to do.
    pub(super) fn resume(
        &mut self,
        number: u32,
        facts: &str,
        came: Came<'_>,
        now: Now,
    ) -> Option<String> {
        match self.desk.take(number)? {
            Matter::Request { mut ticket, look_up, looks } => {
                let leaves = look_up.leaves();
                look_up.end(came, &mut ticket, &self.gate, &mut self.memory, now);
                let chores = leaves.map(|kid| self.close(kid, now)).unwrap_or_default();
                Some(self.pursue(facts, ticket, looks, chores, now))
            }
            Matter::Chore(chore) => {
                let id = CallId::new(self.entropy.take());
                let (next, _) = chore.next(came, id, &self.gate, &mut self.memory, now);
                let (chore, errand) = next?;
                let number = self.desk.file(Matter::Chore(chore), &errand, &mut self.memory, now);
                Some(Told::errand(number, &errand, &[]))
            }
        }
    }

    /// Looks at a request until it is decided, or something has to be done for it first.
    fn pursue(
        &mut self,
        facts: &str,
        mut ticket: Ticket,
        mut looks: u32,
        mut chores: Vec<u32>,
        now: Now,
    ) -> String {
        loop {
            let looked = self.look(facts, &mut ticket, now);
            ticket.drop_body();
            let need = match looked {
                Looked::Allowed { grant, ahead } => {
                    let ahead = ahead.map(Chore::ahead);
                    let file = |chore| self.desk.file_due(chore, &mut self.memory, now);
                    chores.extend(ahead.map(file));
                    return Told::new("allow", &chores).line(&grant).finish();
                }
                Looked::Answered { word, code, answer } => {
                    if let Some(kid) = ticket.denied() {
                        chores.extend(self.close(kid, now));
                    }
                    return answered(Told::new(word, &chores), code, &answer);
                }
                Looked::Needs(need) => need,
            };
            looks = looks.saturating_add(1);
            if looks > MAX_LOOKS {
                let wire = Fault::Internal.wire(0);
                let answer = answer::render(&wire, &self.entropy.request_id(), false, None);
                return answered(Told::new("unknown", &chores), wire.code, &answer);
            }
            let id = CallId::new(self.entropy.take());
            let begun = LookUp::begin(need, &mut ticket, id, &self.gate, &mut self.memory, now);
            if let Some((look_up, errand)) = begun {
                let matter = Matter::Request { ticket, look_up: Box::new(look_up), looks };
                let number = self.desk.file(matter, &errand, &mut self.memory, now);
                return Told::errand(number, &errand, &chores);
            }
        }
    }

    /// Files the closing of the leases of `kid`, if that is due.
    fn close(&mut self, kid: Kid, now: Now) -> Vec<u32> {
        let chore = Chore::closing(kid, &self.gate, &mut self.memory, now);
        chore.map(|chore| self.desk.file_due(chore, &mut self.memory, now)).into_iter().collect()
    }

    fn look(&mut self, facts: &str, ticket: &mut Ticket, now: Now) -> Looked {
        let id = self.entropy.request_id();
        let request = Request::parse(facts);
        let problem = request.is_some_and(|request| request.wants_problem_json());
        let gate = &self.gate;
        let docs = gate.policy().docs.as_ref().map(DocsUrl::as_str);
        let refuse = |word, wire: &Wire| {
            let mut answer = answer::render(wire, &id, problem, docs);
            let pages = request.map(|request| cors::leave_of_answer(&request, gate.policy()));
            answer.headers.push_str(&pages.unwrap_or_default());
            Looked::Answered { word, code: wire.code, answer }
        };
        let Some(request) = request else { return refuse("deny", &Denial::Unreadable.wire()) };
        match decide::decide(&request, gate, &mut self.memory, ticket, now) {
            Decision::Allow(grant) => {
                let ahead = grant.ahead(gate, &mut self.memory, now);
                let grant = forward::granted(&request, &grant, gate, &id, now);
                Looked::Allowed { grant, ahead }
            }
            Decision::Deny(denial) => {
                self.memory.note_incident(ticket, &id);
                refuse("deny", &denial.wire())
            }
            Decision::Need(need) => Looked::Needs(need),
            Decision::Fault(fault) => {
                let [jitter] = self.entropy.take();
                refuse("unknown", &fault.wire(jitter))
            }
            Decision::Preflight(granted) => {
                let answer = answer::preflight(&granted, &id);
                Looked::Answered { word: "pages", code: "", answer }
            }
            // Its management API is a Worker's alone.
            Decision::Admin | Decision::Usage(_) => refuse("deny", &Denial::NotFound.wire()),
        }
    }
}

/// As in the gate's Worker.
const MAX_LOOKS: u32 = 4096;
