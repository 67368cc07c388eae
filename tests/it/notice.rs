//! What the holder of a key is told of its end.

use portcullis::decide::{Decision, decide};
use portcullis::forward;
use portcullis::gate::Gate;
use portcullis::key::Workspace;
use portcullis::memory::Memory;
use portcullis::mint;
use portcullis::need::Need;
use portcullis::policy::Policy;
use portcullis::record::{Document, SecretDocument};
use portcullis::request::Request;
use portcullis::root::Keyring;
use portcullis::ticket::Ticket;
use serde_json::json;

use crate::workspace::at;

const DAY: u64 = 24 * 3600;

/// What is told at the clock's beginning of a key and its secret that end so many days later, by a policy
/// that says how long ahead.
fn told(notice: Option<u64>, key: Option<u64>, secret: Option<u64>) -> String {
    let mut policy = json!({
        "version": 1, "hosts": ["api.test"], "admin_host": "admin.test", "mode": "edge",
        "kv_timeout_ms": 200,
        "root_fingerprints": [Keyring::parse(ROOT).unwrap().newest().fingerprint()],
        "origins": [{"name": "near", "timeout_ms": 1500,
            "upstream": {"service": {"binding": "ORIGIN"}}}],
        "tiers": [], "static_keys": [], "imports": [],
        "routes": [{"credentials": ["key"], "methods": ["GET"], "origin": 0, "path": "/plain"}],
    });
    if let Some(days) = notice {
        policy["expiry_notice_days"] = days.into();
    }
    let gate = Gate::new(Policy::from_json(&policy.to_string()).unwrap(), ROOT, "", 0).unwrap();
    let root = gate.keyring().newest();
    let minted = mint::native(root, "ak", Workspace::parse("DEM0WS").unwrap(), &[7; 22]).unwrap();
    let end = |days: Option<u64>| days.map(|days| at(0).seconds() + days * DAY);
    let own = SecretDocument { expires: end(secret), ..SecretDocument::new(0, 1, &minted.digest) };
    let document =
        Document { expires: end(key), ..Document::new(&minted.kid, "ak", own, at(0).seconds()) };
    let value = document.row(root).unwrap().value;
    let facts = format!("GET\nhttp://api.test/plain\nx-api-key\n{}", minted.secret.expose());
    let request = Request::parse(&facts).unwrap();
    let (mut memory, mut ticket) = (Memory::default(), Ticket::default());
    loop {
        match decide(&request, &gate, &mut memory, &mut ticket, at(0)) {
            Decision::Need(Need::Kv(row)) => {
                row.learn(Some(value.as_bytes()), &gate, &mut memory, at(0)).unwrap();
            }
            Decision::Allow(grant) => {
                let plan = forward::plan(&request, &grant, &gate, "id", None, at(0));
                let place =
                    forward::TOLD.iter().position(|name| *name == "x-portcullis-key-expires");
                let line = 4 + forward::OWN.len() + place.unwrap();
                return plan.split('\n').nth(line).unwrap().to_owned();
            }
            decision @ (Decision::Deny(_)
            | Decision::Need(_)
            | Decision::Fault(_)
            | Decision::Admin
            | Decision::Usage(_)
            | Decision::Preflight(_)) => panic!("{decision:?}"),
        }
    }
}

#[test]
fn a_near_end_of_the_key_or_of_its_secret_is_told() {
    let end = |days: u64| (at(0).seconds() + days * DAY).to_string();
    for (notice, key, secret, expected) in [
        (None, None, None, String::new()),
        (None, Some(14), None, end(14)),
        (None, Some(15), None, String::new()),
        (None, None, Some(3), end(3)),
        (None, Some(2), Some(3), end(2)),
        (None, Some(15), Some(3), end(3)),
        (None, Some(15), Some(16), String::new()),
        (Some(30), Some(15), None, end(15)),
        (Some(0), Some(1), None, String::new()),
    ] {
        assert_eq!(told(notice, key, secret), expected, "{notice:?} {key:?} {secret:?}");
    }
}

const ROOT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
