//! A key whose record is in memory, while KV is down or lies.

use portcullis::clock::Now;
use portcullis::decide::{Decision, decide};
use portcullis::memory::{Memory, RECORD_MILLIS};
use portcullis::need::{KvRow, Need};
use portcullis::request::Request;
use portcullis::ticket::Ticket;
use serde_json::Value;

use crate::vectors::{gate, text, world};

/// Asks with the key `full` and tells KV's answer only if `kv` is up: look-ups made, and whether
/// the request is allowed.
struct Isolate {
    world: Value,
    memory: Memory,
}

impl Isolate {
    fn new() -> Self {
        Self { world: world(), memory: Memory::default() }
    }

    fn ask(&mut self, millis: u64, kv: bool) -> (usize, bool) {
        let gate = gate(&self.world);
        let now = Now::from_millis(self.world["now"].as_u64().unwrap() * 1000 + millis);
        let key = text(&self.world["keys"], "full");
        let facts = format!("GET\nhttp://api.test/v1/agents\nx-api-key\n{key}");
        let request = Request::parse(&facts).unwrap();
        let mut lookups = 0;
        let mut ticket = Ticket::default();
        loop {
            let row = match decide(&request, &gate, &mut self.memory, &mut ticket, now) {
                Decision::Allow(_) => return (lookups, true),
                Decision::Need(Need::Kv(row)) => row,
                Decision::Deny(_)
                | Decision::Need(_)
                | Decision::Fault(_)
                | Decision::Admin
                | Decision::Usage(_)
                | Decision::Preflight(_) => {
                    return (lookups, false);
                }
            };
            lookups += 1;
            if !kv {
                return (lookups, false);
            }
            self.learn(&row, now);
        }
    }

    fn learn(&mut self, row: &KvRow, now: Now) {
        let value = self.world["kv"][row.kv_name()].as_str().map(str::as_bytes);
        row.learn(value, &gate(&self.world), &mut self.memory, now).unwrap();
    }
}

#[test]
fn a_record_is_believed_until_it_expires_and_no_longer() {
    let mut isolate = Isolate::new();
    assert_eq!(isolate.ask(0, true), (1, true));
    assert_eq!(isolate.ask(1, false), (0, true));
    assert_eq!(isolate.ask(RECORD_MILLIS - 1, false), (0, true));
    assert_eq!(isolate.ask(RECORD_MILLIS, false), (1, false));
    assert_eq!(isolate.ask(RECORD_MILLIS, true), (1, true));
}

#[test]
fn an_unusable_row_leaves_what_is_known() {
    let mut isolate = Isolate::new();
    assert_eq!(isolate.ask(0, true), (1, true));
    let key = text(&isolate.world["keys"], "full");
    let kid = portcullis::key::Kid::parse(key.rsplit('_').nth(1).unwrap()).unwrap();
    let now = Now::from_millis(isolate.world["now"].as_u64().unwrap() * 1000 + 1);
    let row = text(&isolate.world["rows"], "record record_mac");
    let value = text(&isolate.world["kv"], row).as_bytes();
    let learnt =
        KvRow::Record(kid).learn(Some(value), &gate(&isolate.world), &mut isolate.memory, now);
    assert!(learnt.is_err());
    assert_eq!(isolate.ask(2, false), (0, true));
}
