//! What is broken, in which state a key is, and what must come of both: a slow and obvious model.

use serde_json::{Value, json};

use super::stage::{EDGE, FALLBACK, LEASE, STRICT};

/// What KV does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kv {
    Well,
    /// No usable answer after so many milliseconds.
    Fails(u64),
    /// A good answer after so many.
    Slow(u64),
    /// There is nothing, it says.
    Misses,
    /// A good copy of an older version.
    Stale,
    /// The same of a key that has been revoked since.
    StaleRevoked,
    /// A copy past its freshness.
    Outdated,
}

/// What the Workspace does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    Well,
    /// No answer to any of so many attempts, after so many milliseconds.
    Fails(u64, u64),
    /// The first attempt comes to nothing after so many milliseconds.
    FailsOnce(u64),
    Slow(u64),
    /// So slow that it is asked twice, and in time.
    SlowTwice(u64),
}

/// What is broken.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) name: String,
    pub(super) kv: Kv,
    pub(super) object: Object,
    /// For the control service.
    pub(super) kv_fault: Value,
    pub(super) object_fault: Value,
}

/// In which state a key is.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) name: &'static str,
    pub(super) workspace: &'static str,
    pub(super) imported: bool,
    /// Requests before.
    pub(super) warm: u32,
}

/// What must come of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) status: u16,
    pub(super) admits: u64,
    pub(super) records: u64,
    pub(super) degraded: bool,
    /// Milliseconds of deadlines and of slowness that it may take.
    pub(super) millis: u64,
    /// Whether two `admit` calls are one call made twice.
    pub(super) again: bool,
}

pub(super) const STATES: [State; 12] = [
    State { name: "lease left", workspace: LEASE, imported: false, warm: WITH_LEASE },
    State { name: "no lease", workspace: LEASE, imported: false, warm: 1 },
    State { name: "cold", workspace: LEASE, imported: false, warm: 0 },
    State { name: "strict", workspace: STRICT, imported: false, warm: 1 },
    State { name: "strict cold", workspace: STRICT, imported: false, warm: 0 },
    State { name: "edge", workspace: EDGE, imported: false, warm: 1 },
    State { name: "edge cold", workspace: EDGE, imported: false, warm: 0 },
    State { name: "imported", workspace: LEASE, imported: true, warm: 1 },
    State { name: "imported cold", workspace: LEASE, imported: true, warm: 0 },
    State { name: "fallback lease left", workspace: FALLBACK, imported: false, warm: WITH_LEASE },
    State { name: "fallback", workspace: FALLBACK, imported: false, warm: 1 },
    State { name: "fallback cold", workspace: FALLBACK, imported: false, warm: 0 },
];

/// The faults of the matrix.
pub(super) fn faults() -> Vec<Fault> {
    let mut faults = vec![
        kv("none", Kv::Well, json!([])),
        kv("KV error 500", Kv::Fails(0), json!({ "kind": "error" })),
        kv("KV error 503", Kv::Fails(0), json!({ "kind": "error", "status": 503 })),
        kv("KV error 429", Kv::Fails(0), json!({ "kind": "error", "status": 429 })),
        kv("KV hang", Kv::Fails(KV), json!({ "kind": "hang" })),
        kv("KV late", Kv::Fails(KV), json!({ "kind": "delay", "delay_ms": KV + 60 })),
        kv("KV delay", Kv::Slow(40), json!({ "kind": "delay", "delay_ms": 40 })),
        kv("KV garbage", Kv::Fails(0), json!({ "kind": "garbage" })),
        kv("KV flip", Kv::Fails(0), json!({ "kind": "flip" })),
        kv("KV flip in the seal", Kv::Fails(0), json!({ "kind": "flip", "at": 3 })),
        kv("KV truncate", Kv::Fails(0), json!({ "kind": "truncate" })),
        kv("KV miss", Kv::Misses, json!({ "kind": "miss" })),
        kv("KV stale", Kv::Stale, json!([])),
        kv("KV stale, revoked since", Kv::StaleRevoked, json!([])),
        kv("KV outdated", Kv::Outdated, json!([])),
        object("object error", Object::Fails(2, 0), json!({ "kind": "error" })),
        object("object overloaded", Object::Fails(1, 0), json!({ "kind": "overloaded" })),
        object("object retryable", Object::Fails(2, 0), json!({ "kind": "retryable" })),
        object("object hang", Object::Fails(2, OBJECT), json!({ "kind": "hang" })),
        object("object answers lost", Object::Fails(2, 0), json!({ "kind": "lost" })),
        object("object delay", Object::Slow(60), json!({ "kind": "delay", "delay_ms": 60 })),
        // Later than the first attempt is waited for alone, and in time all the same.
        object("object slow", Object::SlowTwice(180), json!({ "kind": "delay", "delay_ms": 180 })),
        object(
            "object overloaded once",
            Object::Fails(1, 0),
            json!({ "kind": "overloaded", "count": 1 }),
        ),
    ];
    for (kind, millis) in [("retryable", 0), ("error", 0), ("lost", 0), ("hang", OBJECT / 2)] {
        let value = json!({ "kind": kind, "count": 1 });
        faults.push(object(&format!("object {kind} once"), Object::FailsOnce(millis), value));
    }
    for statement in 0..ADMIT_STATEMENTS {
        let value = json!({ "kind": "throw", "statement": statement });
        let name = format!("object throws at statement {statement}");
        faults.push(object(&name, Object::Fails(2, 0), value));
    }
    let (down, silent) = (json!({ "kind": "error" }), json!({ "kind": "hang" }));
    faults.push(fault("both down", Kv::Fails(0), down.clone(), Object::Fails(2, 0), down));
    let hang = Object::Fails(2, OBJECT);
    faults.push(fault("both hang", Kv::Fails(KV), silent.clone(), hang, silent));
    faults
}

fn fault(name: &str, kv: Kv, kv_fault: Value, object: Object, object_fault: Value) -> Fault {
    Fault { name: name.to_owned(), kv, object, kv_fault, object_fault }
}

fn kv(name: &str, kv: Kv, value: Value) -> Fault {
    fault(name, kv, value, Object::Well, json!([]))
}

fn object(name: &str, object: Object, value: Value) -> Fault {
    fault(name, Kv::Well, json!([]), object, value)
}

impl Fault {
    /// Whether the state can be brought about with this fault.
    pub(super) fn fits(&self, state: &State) -> bool {
        // A key that is revoked cannot be warm with it.
        self.kv != Kv::StaleRevoked || state.warm == 0
    }

    /// What must come of a request. KV's miss, where KV alone has a say, is 401: nothing tells it
    /// from a key that does not exist.
    pub(super) fn due(&self, state: &State) -> Due {
        let mut due = Due::default();
        let known = state.warm > 0;
        let mut kv = self.kv;
        if !known {
            match kv {
                Kv::Fails(millis) => due.millis += millis,
                Kv::Slow(millis) => due.millis += millis * if state.imported { 2 } else { 1 },
                Kv::Well | Kv::Misses | Kv::Stale | Kv::StaleRevoked | Kv::Outdated => {}
            }
        }
        if !known && state.imported {
            match kv {
                Kv::Fails(_) => return Due { status: 503, ..due },
                Kv::Misses => return Due { status: 401, ..due },
                Kv::Well | Kv::Slow(_) | Kv::Stale | Kv::StaleRevoked | Kv::Outdated => {}
            }
        }
        if known {
            kv = Kv::Well;
        }
        if state.workspace == EDGE {
            let status = match kv {
                Kv::Fails(_) | Kv::Outdated => 503,
                Kv::Misses => 401,
                Kv::Well | Kv::Slow(_) | Kv::Stale | Kv::StaleRevoked => 200,
            };
            return Due { status, ..due };
        }
        let mut object = self.object;
        if matches!(kv, Kv::Fails(_) | Kv::Misses | Kv::Outdated) {
            let (calls, answers) = object.ask(&mut due.millis);
            due.records += calls;
            if !answers {
                return Due { status: 503, ..due };
            }
        }
        if state.warm == WITH_LEASE {
            return Due { status: 200, ..due };
        }
        let (calls, answers) = object.ask(&mut due.millis);
        due.admits += calls;
        due.again = calls == 2;
        let fails = if state.workspace == FALLBACK { 200 } else { 503 };
        let degraded = !answers && state.workspace == FALLBACK;
        match kv {
            Kv::Stale => due.admits += 1,
            Kv::StaleRevoked => return Due { status: 401, ..due },
            Kv::Well | Kv::Fails(_) | Kv::Slow(_) | Kv::Misses | Kv::Outdated => {}
        }
        Due { status: if answers { 200 } else { fails }, degraded, ..due }
    }
}

impl Object {
    /// Attempts that one call takes and whether an answer comes of it; what it takes in `millis`.
    fn ask(&mut self, millis: &mut u64) -> (u64, bool) {
        match *self {
            Self::Well => (1, true),
            Self::Slow(slow) => {
                *millis += slow;
                (1, true)
            }
            Self::SlowTwice(slow) => {
                *millis += slow;
                (2, true)
            }
            Self::Fails(calls, time) => {
                *millis += time;
                (calls, false)
            }
            Self::FailsOnce(time) => {
                *millis += time;
                *self = Self::Well;
                (2, true)
            }
        }
    }
}

/// So many requests one after the other leave a lease with some tokens.
const WITH_LEASE: u32 = 8;
/// Statements of an `admit` that grants: rows, calls, answer.
const ADMIT_STATEMENTS: u64 = 2;
/// The policy's deadlines, in milliseconds.
const KV: u64 = 100;
const OBJECT: u64 = 250;
