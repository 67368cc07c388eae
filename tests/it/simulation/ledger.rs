//! What is written down of a schedule: grants, admissions, denials, changes.

use std::collections::{BTreeMap, VecDeque};

use portcullis::denial::{Denial, Fault};
use portcullis::lease::{CallId, Granted};
use portcullis::record::Status;
use portcullis::workspace::call::{Answer, Call};

use super::deployment::{Path, RESERVED};
use super::lookup::Request;
use super::object::Effect;
use super::plan::{Operation, START};

/// What the object granted, once for each call.
#[derive(Debug)]
pub struct Grant {
    pub at: u64,
    pub key: String,
    pub at_once: u32,
    pub tokens: u32,
    pub cost: u64,
    pub product: bool,
    /// Of a request whose origin tells its cost: whether it has, and what.
    pub told: Option<Option<u64>>,
    answer: Answer,
}

impl Grant {
    /// What the request that asked has cost.
    pub fn spent(&self) -> u64 {
        self.told.flatten().unwrap_or(self.cost)
    }
}

/// A request that was forwarded.
#[derive(Clone, Debug)]
pub struct Admission {
    pub key: usize,
    pub arrived: u64,
    /// When it counts: the instant of the grant for the request that asked, of its spending for
    /// one by lease.
    pub at: u64,
    pub leased: bool,
    pub path: Path,
    /// The call, if it was by one.
    pub call: Option<CallId>,
}

/// A request that was not.
#[derive(Debug)]
pub struct Refusal {
    pub key: usize,
    pub arrived: u64,
    pub at: u64,
    pub denial: Denial,
}

/// What a decision came to.
#[derive(Debug)]
pub enum Outcome {
    /// By the Workspace's word on this call, or by a lease.
    Admitted(Option<CallId>),
    Denied(Denial),
    Fault(Fault),
}

/// A time in which a key must not be used: by lease from one instant, strictly from another.
#[derive(Clone, Copy, Debug)]
pub struct Dead {
    pub key: usize,
    pub effective_by: u64,
    pub from: u64,
    pub until: u64,
}

#[derive(Debug, Default)]
pub struct Ledger {
    pub grants: BTreeMap<CallId, Grant>,
    pub admissions: Vec<Admission>,
    pub refusals: Vec<Refusal>,
    pub faults: u32,
    pub dead: Vec<Dead>,
    /// How each key stands, as far as it exists.
    pub status: Vec<Option<Status>>,
    /// The newest version that was acknowledged.
    pub versions: Vec<u64>,
    pub probes: Vec<(usize, String)>,
    pub heard: VecDeque<String>,
    pub attentive: bool,
}

impl Ledger {
    pub fn new(keys: usize) -> Self {
        let dead = |key| Dead { key, effective_by: START, from: START, until: u64::MAX };
        Self {
            status: vec![None; keys],
            versions: vec![0; keys],
            dead: (0..keys).map(dead).collect(),
            ..Self::default()
        }
    }

    pub fn hear(&mut self, at: u64, what: impl FnOnce() -> String) {
        if self.attentive {
            let mut what = what();
            what.truncate(400);
            self.heard.push_back(format!("{:>7} {what}", at - START));
            if self.heard.len() > HEARD {
                self.heard.pop_front();
            }
        }
    }

    pub fn executed(&mut self, at: u64, call: &Call, effect: &Effect) {
        self.hear(at, || format!("  object: {} -> {}", call.print(), effect.answer.print()));
        for (name, value) in &effect.changes {
            let value = value.as_deref().unwrap_or("-");
            self.hear(at, || format!("    {name} {}", value.get(..150).unwrap_or(value)));
        }
        if let Call::Settle { id, coins, .. } = call {
            let told = self.grants.get_mut(id).unwrap().told.as_mut().unwrap();
            assert_eq!(told.is_some(), effect.changes.is_empty(), "the first changes something");
            assert!(u64::from(*coins) < RESERVED);
            told.get_or_insert((*coins).into());
            return;
        }
        let Call::Admit(admit) = call else { return };
        if let Some(first) = self.grants.get(&admit.id) {
            assert_eq!(first.answer, effect.answer, "a repeated call has the same answer");
            assert!(effect.changes.is_empty(), "a repeated call changes nothing");
        } else if let Answer::Granted(Granted { tokens, .. }) = effect.answer {
            let at_once = u32::from(!admit.ahead);
            assert!(tokens >= 1 && tokens <= admit.want.max(1), "no more than is wanted");
            let (key, answer) = (admit.kid.clone(), effect.answer.clone());
            let cost = admit.pool.as_ref().map_or(admit.coins.max(1), |pool| pool.cost).into();
            let product = admit.pool.as_ref().is_some_and(|pool| pool.product.is_some());
            let told = admit.settle.then_some(None);
            let grant = Grant { at, key, at_once, tokens, cost, product, told, answer };
            self.grants.insert(admit.id.clone(), grant);
        }
    }

    pub fn decided(&mut self, now: u64, request: &Request, outcome: Outcome) {
        let Request { key, arrived, path, probe, isolate, .. } = *request;
        let told =
            || format!("  isolate {isolate} key {key}, arrived {}: {outcome:?}", arrived - START);
        if self.attentive {
            let told = told();
            self.hear(now, || told);
        }
        if probe {
            let told = match &outcome {
                Outcome::Admitted(_) => "admitted".to_owned(),
                Outcome::Denied(denial) => denial.code().to_owned(),
                Outcome::Fault(fault) => format!("{fault:?}"),
            };
            self.probes.push((key, told));
        }
        match outcome {
            Outcome::Admitted(by) => {
                let granted = by.as_ref().map(|id| self.grants[id].at);
                let at = granted.unwrap_or(now);
                let leased = granted.is_none();
                self.admissions.push(Admission { key, arrived, at, leased, path, call: by });
            }
            Outcome::Denied(denial) => {
                self.refusals.push(Refusal { key, arrived, at: now, denial });
            }
            Outcome::Fault(_) => self.faults += 1,
        }
    }

    pub fn operated(&mut self, now: u64, operation: Operation, answer: &Answer) {
        let told = || format!("  {operation:?}: {answer:?}");
        self.hear(now, told);
        let Answer::Written { version, effective_by } = *answer else {
            let revoked = |key: usize| self.status[key] == Some(Status::Revoked);
            match operation {
                Operation::Create(key) | Operation::Change(key) => {
                    assert!(revoked(key), "{operation:?}: {answer:?}");
                }
                Operation::Enable(key) | Operation::Disable(key) => {
                    assert!(
                        revoked(key) || self.status[key].is_none(),
                        "{operation:?}: {answer:?}"
                    );
                }
                Operation::Revoke(key) => assert!(self.status[key].is_none(), "{answer:?}"),
                Operation::RevokeAll => panic!("not revoked: {answer:?}"),
            }
            return;
        };
        assert!(effective_by >= now);
        let (keys, status) = match operation {
            Operation::Enable(key) => (vec![key], Status::Active),
            Operation::Disable(key) => (vec![key], Status::Disabled),
            Operation::Revoke(key) => (vec![key], Status::Revoked),
            Operation::RevokeAll => ((0..self.status.len()).collect(), Status::Revoked),
            Operation::Create(key) | Operation::Change(key) => {
                (vec![key], self.status[key].unwrap_or(Status::Active))
            }
        };
        for key in keys {
            if operation_counts(operation) {
                assert!(version > self.versions[key], "a version rises with every change");
                self.versions[key] = version;
            }
            if matches!(operation, Operation::RevokeAll) && self.status[key].is_none() {
                continue;
            }
            self.status[key] = Some(status);
            let open = self.dead.iter_mut().find(|dead| dead.key == key && dead.until == u64::MAX);
            match (open, status) {
                (Some(open), Status::Active) => open.until = now,
                (None, Status::Disabled | Status::Revoked) => {
                    self.dead.push(Dead { key, effective_by, from: now, until: u64::MAX });
                }
                _ => {}
            }
        }
    }
}

/// Whether the answer's version is that of the key.
fn operation_counts(operation: Operation) -> bool {
    !matches!(operation, Operation::RevokeAll)
}

const HEARD: usize = 4_000;
