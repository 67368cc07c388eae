//! What is told of decisions.

use portcullis::decide::{Decision, decide};
use portcullis::denial::Denial;
use portcullis::forward;
use portcullis::gate::Gate;
use portcullis::key::Workspace;
use portcullis::lookup::{Came, LookUp};
use portcullis::memory::Memory;
use portcullis::mint;
use portcullis::need::Need;
use portcullis::observation::{self, Answered, NUMBERS, TEXTS};
use portcullis::policy::Policy;
use portcullis::record::{Document, SecretDocument};
use portcullis::request::Request;
use portcullis::root::Keyring;
use portcullis::ticket::{Body, Ticket};
use serde_json::{Value, json};

use crate::workspace::{at, call_id};

/// An isolate in mode `edge` that tells by these rules, and a key.
struct World {
    gate: Gate,
    memory: Memory,
    millis: u64,
    row: String,
    kid: String,
    secret: String,
}

impl World {
    fn new(observe: &Value) -> Self {
        let policy = json!({
            "version": 1, "hosts": ["api.test"], "admin_host": "admin.test", "mode": "edge",
            "kv_timeout_ms": 200, "observe": observe,
            "root_fingerprints": [Keyring::parse(ROOT).unwrap().newest().fingerprint()],
            "origins": [{"name": "near", "timeout_ms": 1500,
                "upstream": {"service": {"binding": "ORIGIN"}}}],
            "products": [{"name": "shop"}],
            "tiers": [], "static_keys": [], "imports": [],
            "routes": [
                {"credentials": ["key"], "methods": ["GET"], "origin": 0, "path": "/items/{id}",
                    "product": 0, "cost": 3},
                {"credentials": ["key"], "methods": ["GET"], "origin": 0, "path": "/scoped",
                    "scope": "items:read"},
                {"credentials": ["public"], "methods": ["GET"], "origin": 0, "path": "/pages",
                    "cors": ["*"]},
                {"credentials": ["key"], "methods": ["GET"], "origin": 0, "path": "/tried",
                    "shadow": {"scope": "items:read", "ips": ["203.0.113.0/24"]}},
            ],
        });
        let gate = Gate::new(Policy::from_json(&policy.to_string()).unwrap(), ROOT, "", 0).unwrap();
        let root = gate.keyring().newest();
        let number = Workspace::parse("DEM0WS").unwrap();
        let minted = mint::native(root, "ak", number, &[7; 22]).unwrap();
        let secret = SecretDocument::new(0, 1, &minted.digest);
        let document = Document::new(&minted.kid, "ak", secret, at(0).seconds());
        let (row, kid) = (document.row(root).unwrap().value, minted.kid.to_string());
        let secret = minted.secret.expose().to_owned();
        Self { gate, memory: Memory::default(), millis: 0, row, kid, secret }
    }

    /// What is told of a request, and the plan if it is forwarded. A read of KV takes 7 ms.
    fn ask(&mut self, path: &str, headers: &str, id: &str) -> (String, Option<String>) {
        let facts = format!("GET\nhttp://api.test{path}\nx-api-key\n{}{headers}", self.secret);
        let request = Request::parse(&facts).unwrap();
        let (gate, memory) = (&self.gate, &mut self.memory);
        let mut ticket = Ticket::default();
        loop {
            let now = at(self.millis);
            match decide(&request, gate, memory, &mut ticket, now) {
                Decision::Need(need) => {
                    let begun = LookUp::begin(need, &mut ticket, call_id(1), gate, memory, now);
                    self.millis += 7;
                    let now = at(self.millis);
                    let (look_up, _) = begun.unwrap();
                    assert!(
                        look_up
                            .end(Came::Text(&self.row), &mut ticket, gate, memory, now)
                            .is_none()
                    );
                }
                Decision::Allow(grant) => {
                    let told = observation::of_grant(&request, &grant, true, &ticket, gate, id);
                    let plan = forward::plan(&request, &grant, gate, id, told.as_deref(), now);
                    return (told.unwrap_or_default(), Some(plan));
                }
                Decision::Deny(denial) => {
                    return (self.denied(&request, &denial, &ticket, id), None);
                }
                decision @ (Decision::Fault(_)
                | Decision::Admin
                | Decision::Usage(_)
                | Decision::Preflight(_)) => panic!("{decision:?}"),
            }
        }
    }

    fn denied(&self, request: &Request<'_>, denial: &Denial, ticket: &Ticket, id: &str) -> String {
        let (answered, code) = (Answered::Denied, denial.code());
        observation::of_answer(Some(request), answered, code, ticket, &self.gate, id)
    }
}

#[test]
fn a_request_is_told_by_what_the_policy_calls_it() {
    let mut world = World::new(&json!({"analytics": true}));
    let told = |decided: &str, millis: u32, kid: &str| {
        format!(
            "p\tallow\t\tDEM0WS\tGET\t/items/{{id}}\tshop\tservice\tedge\t{decided}\t{kid}\t{LOW}\t\t3\t{millis}"
        )
    };
    let (kid, secret) = (world.kid.clone(), world.secret.clone());
    assert_eq!(world.ask("/items/7?q=1", "", LOW).0, told("cold", 7, &kid));
    assert_eq!(world.ask("/items/8", "", LOW).0, told("renewed", 0, &kid));
    let (scoped, _) = world.ask("/scoped", "", LOW);
    let expected = format!(
        "p\tPERMISSION_DENIED\t\tDEM0WS\tGET\t/scoped\t\tservice\tedge\twarm\t{kid}\t{LOW}\t\t0\t0"
    );
    assert_eq!(scoped, expected);
    world.secret.replace_range(30..31, if world.secret.as_bytes()[30] == b'0' { "1" } else { "0" });
    let (invented, _) = world.ask("/items/7", "", LOW);
    let expected =
        format!("p\tINVALID_API_KEY\t\t\tGET\t/items/{{id}}\tshop\t\t\twarm\t\t{LOW}\t\t0\t0");
    assert_eq!(invented, expected);
    // Of a key, in the mode too in which no Workspace counts it.
    world.secret.clone_from(&secret);
    let (tried, _) = world.ask("/tried", "\ncf-connecting-ip\n203.0.113.7", LOW);
    assert!(tried.ends_with(&format!("\t{kid}\t{LOW}\tPERMISSION_DENIED\t1\t0")), "{tried}");
    // As many as Analytics Engine takes, and the status and the origin's time are not known here.
    assert!(TEXTS.len() <= 21 && NUMBERS.len() <= 20);
    assert_eq!(invented.split('\t').count(), TEXTS.len() + NUMBERS.len());
}

#[test]
fn nothing_is_told_by_a_policy_that_does_not_say_so() {
    for observe in [json!({}), json!({"server_timing": true}), json!({"log_faults": 0})] {
        let mut world = World::new(&observe);
        let (told, plan) = world.ask("/items/7", "", LOW);
        assert_eq!((told.as_str(), plan.unwrap().lines().nth(3)), ("", Some("k")), "{observe}");
        assert_eq!(world.ask("/nowhere", "", LOW).0, "", "{observe}");
    }
}

#[test]
fn shares_are_by_the_id_and_by_the_end() {
    let shares = json!({"log_allowed": 500_000, "log_denied": 250_000, "log_faults": 1_000_000});
    let mut world = World::new(&shares);
    for (id, allowed, denied) in
        [(LOW, "l", "l"), (QUARTER, "l", ""), (HALF, "", ""), (HIGH, "", "")]
    {
        let (told, _) = world.ask("/items/7", "", id);
        assert_eq!(told.split('\t').next(), Some(allowed), "{id}");
        let failed = observation::failed(&told, "ORIGIN_TIMEOUT", &world.gate, id);
        assert_eq!(failed.split('\t').next(), Some("l"), "{id}");
        let fields = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
        let (before, after) = (fields(&told), fields(&failed));
        assert_eq!((before[1].as_str(), after[1].as_str()), ("allow", "ORIGIN_TIMEOUT"));
        assert_eq!(before[2..], after[2..]);
        assert_eq!(world.ask("/nowhere", "", id).0.split('\t').next(), Some(denied), "{id}");
    }
}

#[test]
fn timing_is_for_whoever_asks_where_it_may_be_asked_for() {
    let asks = "\nx-portcullis-timing\n1";
    let mut world = World::new(&json!({"server_timing": true}));
    assert!(
        world.ask("/items/7", asks, LOW).0.starts_with("\tallow\tauth;desc=cold;dur=7\tDEM0WS\t")
    );
    let (told, plan) = world.ask("/items/7", asks, LOW);
    assert!(told.starts_with("\tallow\tauth;desc=renewed;dur=0\t"), "{told}");
    let failed = observation::failed(&told, "ORIGIN_TIMEOUT", &world.gate, LOW);
    assert!(failed.starts_with("\tORIGIN_TIMEOUT\tauth;desc=renewed;dur=0\t"), "{failed}");
    assert!(plan.unwrap().contains("\nx-portcullis-timing\n"), "it is dropped");
    assert_eq!(world.ask("/nowhere", asks, LOW).0, "");
    let mut world = World::new(&json!({"analytics": true}));
    assert!(world.ask("/items/7", asks, LOW).0.starts_with("p\tallow\t\tDEM0WS\t"));
}

#[test]
fn the_observation_is_the_last_line_of_a_plan() {
    let mut world = World::new(&json!({"analytics": true}));
    for (path, headers, flags, behind) in [
        ("/items/7", "", "kw", ["x-api-key", ""].as_slice()),
        ("/pages", "", "ow", &["x-api-key", "", "access-control-allow-origin", "*"]),
    ] {
        let (told, plan) = world.ask(path, headers, LOW);
        let plan = plan.unwrap();
        let lines: Vec<&str> = plan.split('\n').collect();
        assert_eq!((lines[3], lines.last()), (flags, Some(&told.as_str())), "{path}");
        let dropped = 4 + forward::OWN.len() + forward::TOLD.len();
        assert!(lines[dropped..].starts_with(behind), "{path}: {lines:?}");
        // Headers stand in pairs before it.
        let pages = lines.len() - 1 - dropped - 2;
        assert_eq!(pages % 2, 0, "{path}: {lines:?}");
    }
}

#[test]
fn the_arrival_of_a_body_is_no_look_up() {
    let World { gate, mut memory, .. } = World::new(&json!({"analytics": true}));
    let mut ticket = Ticket::default();
    let begun = LookUp::begin(Need::Body(9), &mut ticket, call_id(1), &gate, &mut memory, at(0));
    let came = Came::Body(Body::Read(Vec::new()));
    assert!(begun.unwrap().0.end(came, &mut ticket, &gate, &mut memory, at(900)).is_none());
    assert_eq!(ticket.looked(), None);
}

const ROOT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// Ids with a part of 2³² of their first 32 bits.
const LOW: &str = "3fffffffffffffffffffffffffffffff";
const QUARTER: &str = "40000000000000000000000000000000";
const HALF: &str = "80000000000000000000000000000000";
const HIGH: &str = "ffffffffffffffffffffffffffffffff";
