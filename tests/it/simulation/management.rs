//! What somebody does to keys, and the object's alarm that copies them to KV.

use portcullis::clock::Now;
use portcullis::record::{Document, Status};
use portcullis::workspace::call::{Answer, Call, Copy};

use super::deployment::{WORKSPACE, limits};
use super::plan::Operation;
use super::world::{Event, World};

impl World {
    pub fn open(&mut self) {
        let opened = self.execute(&Call::Open { workspace: WORKSPACE.to_owned() }.print());
        assert_eq!(opened, Answer::Done);
    }

    pub fn operate(&mut self, operation: Operation) {
        let dies = self.faults.object_dies;
        if !matches!(operation, Operation::Create(_)) && self.random.chance(dies) {
            // Before its transaction: nothing of it is acknowledged.
            return;
        }
        let status = |key: usize, status| Call::SetStatus { kid: self.kid(key), status };
        let call = match operation {
            Operation::Create(key) | Operation::Change(key) => {
                let limits = self.plan.limits[key].map(limits);
                let mut document = self.keys[key].document(limits);
                let before = self.stored(key);
                if let Some(before) = &before {
                    document.name = format!("changed at {}", self.now);
                    document.status = before.status;
                }
                let replaces = before.map_or(0, |before| before.version);
                Call::Put { document: Box::new(document), replaces }
            }
            Operation::Revoke(key) => status(key, Status::Revoked),
            Operation::Disable(key) => status(key, Status::Disabled),
            Operation::Enable(key) => status(key, Status::Active),
            Operation::RevokeAll => Call::RevokeAll,
        };
        let answer = self.execute(&call.print());
        self.ledger.operated(self.now, operation, &answer);
    }

    /// How the Workspace says that a key stands.
    pub fn stored(&self, key: usize) -> Option<Document> {
        let call = Call::Record { kid: self.kid(key) }.print();
        let answer = self.object.call(&call, &self.gate, Now::from_millis(self.now)).answer;
        let Answer::Record { value } = answer else { return None };
        Some(self.opened(key, &value))
    }

    pub fn opened(&self, key: usize, value: &str) -> Document {
        let ring = self.gate.keyring();
        Document::open(ring, &self.keys[key].kid, value.as_bytes()).unwrap().0
    }

    pub fn alarm(&mut self) {
        // One at a time, as the platform has it.
        let busy = self.batches.last().is_some_and(|(awaited, ..)| *awaited > 0);
        if busy || self.object.alarm.is_none_or(|at| self.now < at) {
            return;
        }
        self.object.alarm = None;
        let Answer::Due { copies } = self.execute(&Call::Due.print()) else {
            panic!("no answer to an alarm");
        };
        let dies = self.faults.object_dies;
        if self.random.chance(dies * 5) {
            // In the middle: the platform wakes it again, and some copies get there by themselves.
            // Each of them gets there before that, or never.
            self.object.alarm = Some(self.now + 1_000);
            self.after(1_000, Event::Alarm);
        }
        let batch = self.batches.len();
        self.batches.push((copies.len(), Vec::new(), false));
        if copies.is_empty() {
            self.execute(&Call::Copied { copies: Vec::new(), failed: false }.print());
        }
        for Copy { kid, version, name, value } in copies {
            let delay = self.delay();
            self.after(delay, Event::Copied { batch, name, value, version: (kid, version) });
        }
    }

    pub fn copied(&mut self, batch: usize, name: String, value: String, copy: (String, u64)) {
        let key = (0..self.plan.limits.len()).find(|key| self.kid(*key) == copy.0).unwrap();
        let (held, stored) = (self.opened(key, &value), self.stored(key).unwrap());
        assert_eq!(held.version, copy.1, "a copy is what it is said to be");
        assert!(held.version <= stored.version, "a copy overtakes the Workspace");
        let fails = self.faults.kv_fails;
        let failed = self.random.chance(fails);
        if !failed {
            self.kv.put(name, value, self.now);
        }
        let (awaited, done, any_failed) = &mut self.batches[batch];
        *awaited -= 1;
        if failed {
            *any_failed = true;
        } else {
            done.push(copy);
        }
        if *awaited == 0 {
            let call = Call::Copied { copies: done.clone(), failed: *any_failed }.print();
            self.execute(&call);
            self.alarm();
        }
    }

    pub fn kid(&self, key: usize) -> String {
        self.keys[key].kid.to_string()
    }
}
