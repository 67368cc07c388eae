//! What `edge/lookup.rs` does: turns, short waits, faults on the ticket, work behind answers.

use portcullis::decide::{Decision, decide};
use portcullis::denial::Fault;
use portcullis::enquiry::Enquiry;
use portcullis::lease::CallId;
use portcullis::memory::Turn;
use portcullis::need::{Ask, KvRow, Leave, Need};
use portcullis::request;
use portcullis::ticket::Ticket;

use super::deployment::KV_TIMEOUT;
use super::ledger::Outcome;
use super::world::{Event, World};

/// A request on its way through the gate.
#[derive(Debug)]
pub struct Request {
    pub isolate: usize,
    pub life: u32,
    pub key: usize,
    pub strict: bool,
    pub probe: bool,
    pub arrived: u64,
    pub ticket: Ticket,
    /// Its latest call that was answered with leave.
    pub granted: Option<CallId>,
    look_ups: u32,
}

/// Something being found out.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    pub isolate: usize,
    pub life: u32,
    pub purpose: Purpose,
    pub need: Option<Need>,
}

/// For whom.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    Request(usize),
    Ahead,
    Close { key: usize, left: u32 },
}

impl World {
    pub fn arrive(&mut self, isolate: usize, key: usize, strict: bool, probe: bool) {
        let life = self.isolates[isolate].life;
        self.requests.push(Request {
            isolate,
            life,
            key,
            strict,
            probe,
            arrived: self.now,
            ticket: Ticket::default(),
            granted: None,
            look_ups: 0,
        });
        self.step(self.requests.len() - 1);
    }

    /// Decides until something has to be waited for.
    pub fn step(&mut self, id: usize) {
        let (gate, keys) = (self.gate.clone(), self.keys.clone());
        loop {
            let request = &mut self.requests[id];
            let isolate = &mut self.isolates[request.isolate];
            if isolate.life != request.life {
                return;
            }
            let facts = &keys[request.key].facts[usize::from(request.strict)];
            let parsed = request::Request::parse(facts).unwrap();
            let now = isolate.now(self.now);
            let has_word = |ticket: &Ticket| format!("{ticket:?}").contains("Admitted");
            let word = request.granted.is_some() && has_word(&request.ticket);
            let ticket = &mut request.ticket;
            let need = match decide(&parsed, &gate, &mut isolate.memory, ticket, now) {
                Decision::Allow(grant) => {
                    let ahead = grant.ahead(&gate, &mut isolate.memory, now);
                    let by = (word && !has_word(ticket)).then(|| request.granted.clone()).flatten();
                    self.ledger.decided(self.now, request, Outcome::Admitted(by));
                    let at = request.isolate;
                    if let Some(need) = ahead {
                        self.ahead(at, need);
                    }
                    return;
                }
                Decision::Deny(denial) => {
                    let told = ticket.denied().is_some();
                    self.ledger.decided(self.now, request, Outcome::Denied(denial));
                    let (isolate, key) = (request.isolate, request.key);
                    if told {
                        self.close_later(isolate, key, CLOSINGS);
                    }
                    return;
                }
                Decision::Fault(fault) => {
                    self.ledger.decided(self.now, request, Outcome::Fault(fault));
                    return;
                }
                Decision::Need(need) => need,
                Decision::Admin => panic!("no request is for the admin host"),
            };
            request.look_ups += 1;
            assert!(request.look_ups <= 4096, "asks for ever");
            if self.meet(id, need) {
                return;
            }
        }
    }

    /// Whether something is under way now.
    fn meet(&mut self, id: usize, need: Need) -> bool {
        let request = &mut self.requests[id];
        let task = Task {
            isolate: request.isolate,
            life: request.life,
            purpose: Purpose::Request(id),
            need: Some(need),
        };
        if let Need::Workspace(Ask::Leave(Leave { alone: true, .. })) = need {
            self.learn(task, need);
            return true;
        }
        let isolate = &mut self.isolates[request.isolate];
        let now = isolate.now(self.now);
        let patience = self.gate.patience(&need);
        let joins = request.ticket.joins(&need);
        let turn = isolate.memory.turn(need, patience, joins, request.ticket.has_waited(), now);
        if joins && turn == Turn::Wait {
            request.ticket.count();
        }
        match turn {
            Turn::Go => self.learn(task, need),
            Turn::Wait if request.ticket.wait(POLL, patience) => {
                self.after(POLL.into(), Event::Resume { request: id });
            }
            Turn::Wait => {
                request.ticket.fail(&need, need.timeout());
                return false;
            }
            Turn::Failed(fault) => {
                request.ticket.fail(&need, fault);
                return false;
            }
        }
        true
    }

    fn learn(&mut self, task: Task, need: Need) {
        match need {
            Need::Kv(row) => self.read(task, row),
            Need::Body(_) => panic!("nobody signs here"),
            Need::Workspace(ask) => {
                let id = CallId::new(self.random.id());
                let isolate = &mut self.isolates[task.isolate];
                let now = isolate.now(self.now);
                let (gate, memory) = (&*self.gate, &mut isolate.memory);
                let (enquiry, text) = match (task.purpose, ask) {
                    (Purpose::Ahead, Ask::Leave(leave)) => {
                        Enquiry::ahead(leave, id, gate, memory, now)
                    }
                    (_, ask) => Enquiry::new(ask, id, gate, memory, now),
                };
                self.call(task, enquiry, text);
            }
        }
    }

    fn read(&mut self, task: Task, row: KvRow) {
        let (age, ttl) = (self.faults.kv_age, self.faults.kv_ttl);
        let (age, ttl) = (self.random.between(0, age), self.random.between(0, ttl));
        let cache = &mut self.isolates[task.isolate].cache;
        let value = cache.read(&self.kv, &row.kv_name(), self.now, age, ttl);
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
        self.after(delay, Event::Read { task, row, value });
    }

    pub fn has_read(&mut self, task: &Task, row: KvRow, value: Result<Option<String>, ()>) {
        let isolate = &mut self.isolates[task.isolate];
        if isolate.life != task.life {
            return;
        }
        let now = isolate.now(self.now);
        let learnt = value.map_err(|()| Fault::KvUnavailable).and_then(|value| {
            let value = value.as_deref().map(str::as_bytes);
            row.learn(value, &self.gate, &mut isolate.memory, now)
                .map_err(|_| Fault::RecordUnusable)
        });
        self.met(task, learnt.err());
    }

    /// What was to be found out is, or not.
    pub fn met(&mut self, task: &Task, fault: Option<Fault>) {
        let alone =
            matches!(task.need, Some(Need::Workspace(Ask::Leave(Leave { alone: true, .. }))));
        let isolate = &mut self.isolates[task.isolate];
        let now = isolate.now(self.now);
        if let Some(need) = task.need.filter(|_| !alone) {
            isolate.memory.turn_over(&need, fault, self.plan.rules.lease_millis(), now);
        }
        if let (Purpose::Request(id), Some(need), Some(fault)) = (task.purpose, &task.need, fault) {
            self.requests[id].ticket.fail(need, fault);
        }
        if let Some(Need::Workspace(Ask::Leave(Leave { kid, alone: false, .. }))) = task.need {
            let key = self.keys.iter().position(|key| key.kid == kid).unwrap();
            self.close_later(task.isolate, key, CLOSINGS);
        }
        match task.purpose {
            Purpose::Request(id) => self.step(id),
            Purpose::Close { key, left } => self.close_later(task.isolate, key, left),
            Purpose::Ahead => {}
        }
    }

    fn ahead(&mut self, at: usize, need: Need) {
        let isolate = &mut self.isolates[at];
        let now = isolate.now(self.now);
        if isolate.memory.turn(need, self.gate.patience(&need), false, true, now) == Turn::Go {
            let life = isolate.life;
            let task = Task { isolate: at, life, purpose: Purpose::Ahead, need: Some(need) };
            self.learn(task, need);
        }
    }

    fn close_later(&mut self, at: usize, key: usize, left: u32) {
        let isolate = &mut self.isolates[at];
        let (now, millis) = (isolate.now(self.now), self.plan.rules.lease_millis());
        if left > 0 && isolate.memory.closing_due(&self.keys[key].kid, millis, now) {
            let life = isolate.life;
            self.after(millis, Event::Close { isolate: at, life, key, left: left - 1 });
        }
    }

    pub fn close(&mut self, at: usize, life: u32, key: usize, left: u32) {
        let isolate = &mut self.isolates[at];
        if isolate.life != life {
            return;
        }
        let now = isolate.now(self.now);
        match Enquiry::report(self.keys[key].kid, &mut isolate.memory, now) {
            Some((enquiry, text)) => {
                let purpose = Purpose::Close { key, left };
                self.call(Task { isolate: at, life, purpose, need: None }, enquiry, text);
            }
            None => self.close_later(at, key, left),
        }
    }
}

const POLL: u32 = 5;
const CLOSINGS: u32 = 12;
