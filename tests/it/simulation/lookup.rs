//! What `edge/gate/isolate.rs` and `lookup.mjs` do: errands of requests, and of chores behind answers.

use portcullis::decide::{Decision, decide};
use portcullis::lease::CallId;
use portcullis::lookup::{Came, Chore, Errand, LookUp, Matter};
use portcullis::request;
use portcullis::ticket::Ticket;

use super::deployment::{KV_TIMEOUT, Path};
use super::ledger::Outcome;
use super::world::{Event, World};

/// A request on its way through the gate. Its ticket is at the isolate's desk while an errand is done.
#[derive(Debug)]
pub struct Request {
    pub isolate: usize,
    pub key: usize,
    pub path: Path,
    pub probe: bool,
    pub arrived: u64,
    /// Its latest call that was answered with leave.
    pub granted: Option<CallId>,
}

/// What waits at an isolate's desk for an errand.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    pub isolate: usize,
    pub life: u32,
    /// The request, unless it is a chore.
    pub request: Option<usize>,
    /// Its number at the desk.
    pub number: u32,
}

impl World {
    pub fn arrive(&mut self, isolate: usize, key: usize, path: Path, probe: bool) {
        let arrived = self.now;
        self.requests.push(Request { isolate, key, path, probe, arrived, granted: None });
        self.pursue(self.requests.len() - 1, Ticket::default(), 0);
    }

    /// Decides until something has to be done first.
    fn pursue(&mut self, id: usize, mut ticket: Ticket, mut looks: u32) {
        let (gate, keys) = (self.gate.clone(), self.keys.clone());
        let request = &mut self.requests[id];
        let at = request.isolate;
        let facts = &keys[request.key].facts[request.path as usize];
        let parsed = request::Request::parse(facts).unwrap();
        loop {
            let request = &self.requests[id];
            let isolate = &mut self.isolates[at];
            let now = isolate.now(self.now);
            let has_word = |ticket: &Ticket| format!("{ticket:?}").contains("Admitted");
            let word = request.granted.is_some() && has_word(&ticket);
            let need = match decide(&parsed, &gate, &mut isolate.memory, &mut ticket, now) {
                Decision::Allow(grant) => {
                    let ahead = grant.ahead(&gate, &mut isolate.memory, now);
                    let reserved = grant.reservation(&gate).map(Box::new);
                    let reserved = reserved
                        .map(|own| isolate.desk.file_reserved(own, &mut isolate.memory, now));
                    let by =
                        (word && !has_word(&ticket)).then(|| request.granted.clone()).flatten();
                    self.ledger.decided(self.now, request, Outcome::Admitted(by));
                    if let Some(need) = ahead {
                        self.begin(at, Chore::ahead(need));
                    }
                    if let Some(number) = reserved {
                        self.forward(at, number);
                    }
                    return;
                }
                Decision::Deny(denial) => {
                    self.ledger.decided(self.now, request, Outcome::Denied(denial));
                    if let Some(kid) = ticket.denied()
                        && let Some(chore) = Chore::closing(kid, &gate, &mut isolate.memory, now)
                    {
                        self.begin(at, chore);
                    }
                    return;
                }
                Decision::Fault(fault) => {
                    self.ledger.decided(self.now, request, Outcome::Fault(fault));
                    return;
                }
                Decision::Need(need) => need,
                Decision::Admin | Decision::Usage(_) | Decision::Preflight(_) => {
                    panic!("no request is for the admin host")
                }
            };
            looks += 1;
            assert!(looks <= 4096, "asks for ever");
            let call = CallId::new(self.random.id());
            let memory = &mut isolate.memory;
            if let Some((look_up, errand)) =
                LookUp::begin(need, &mut ticket, call, &gate, memory, now)
            {
                let look_up = Box::new(look_up);
                let matter = Matter::Request { ticket, look_up, looks };
                self.send(at, Some(id), matter, errand);
                return;
            }
        }
    }

    /// The origin answers, or does not, and says what it has cost, or something.
    fn forward(&mut self, at: usize, number: u32) {
        let task = Task { isolate: at, life: self.isolates[at].life, request: None, number };
        let (delay, said) = (self.random.between(0, 1_500), self.random.below(9));
        let said = ["0", "1", "1", "3", "4", "5", "x"].get(said).map(|word| (*word).to_owned());
        if !self.random.chance(100) {
            self.after(delay, Event::Answered { task, said });
        }
    }

    /// Begins work behind an answer.
    fn begin(&mut self, at: usize, chore: Chore) {
        let isolate = &mut self.isolates[at];
        let now = isolate.now(self.now);
        let number = isolate.desk.file_due(chore, &mut isolate.memory, now);
        let task = Task { isolate: at, life: isolate.life, request: None, number };
        self.resume(&task, Came::Nothing);
    }

    fn send(&mut self, at: usize, request: Option<usize>, matter: Matter, errand: Errand) {
        let isolate = &mut self.isolates[at];
        let now = isolate.now(self.now);
        let number = isolate.desk.file(matter, &errand, &mut isolate.memory, now);
        let task = Task { isolate: at, life: isolate.life, request, number };
        match errand {
            Errand::Read { name, .. } => self.read(task, &name),
            Errand::Call { text, .. } => self.call(task, text),
            Errand::Wait { millis } => self.after(millis.into(), Event::Waited { task }),
            Errand::Body { .. } => panic!("nobody signs here"),
            Errand::Fetch { .. } | Errand::Verify { .. } => panic!("nobody has a token"),
        }
    }

    fn read(&mut self, task: Task, name: &str) {
        let (age, ttl) = (self.faults.kv_age, self.faults.kv_ttl);
        let (age, ttl) = (self.random.between(0, age), self.random.between(0, ttl));
        let cache = &mut self.isolates[task.isolate].cache;
        let value = cache.read(&self.kv, name, self.now, age, ttl);
        let fails = self.faults.kv_fails;
        let (delay, value) = if self.random.chance(fails) {
            (self.random.pick(&[1, KV_TIMEOUT]), Err(()))
        } else {
            let delay = self.delay();
            let slow = if self.random.chance(fails) { KV_TIMEOUT / 2 } else { 0 };
            if delay + slow >= KV_TIMEOUT {
                (KV_TIMEOUT, Err(()))
            } else {
                (delay + slow, Ok(value))
            }
        };
        self.after(delay, Event::Read { task, value });
    }

    /// Comes back with what came of an errand.
    pub fn resume(&mut self, task: &Task, came: Came<'_>) {
        let gate = self.gate.clone();
        let isolate = &mut self.isolates[task.isolate];
        if isolate.life != task.life {
            return;
        }
        let now = isolate.now(self.now);
        let memory = &mut isolate.memory;
        match isolate.desk.take(task.number).unwrap() {
            Matter::Request { mut ticket, look_up, looks } => {
                let leaves = look_up.leaves();
                look_up.end(came, &mut ticket, &gate, memory, now);
                if let Some(chore) = leaves.and_then(|kid| Chore::closing(kid, &gate, memory, now))
                {
                    self.begin(task.isolate, chore);
                }
                self.pursue(task.request.unwrap(), ticket, looks);
            }
            Matter::Chore(chore) => {
                let call = CallId::new(self.random.id());
                if let (Some((chore, errand)), _) = chore.next(came, call, &gate, memory, now) {
                    self.send(task.isolate, None, Matter::Chore(chore), errand);
                }
            }
        }
    }
}
