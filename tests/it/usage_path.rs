//! A key's own use on a gated host: the management API's, by another name.

use portcullis::clock::Now;
use portcullis::decide::{Decision, decide};
use portcullis::memory::Memory;
use portcullis::policy::Policy;
use portcullis::request::Request;
use portcullis::ticket::Ticket;
use serde_json::json;

use crate::simulation::deployment;

#[test]
fn own_use_is_asked_where_the_policy_says_and_nowhere_else() {
    let gate = deployment::gate_with(&json!({"usage_path": "/v1/keys/usage"}));
    let decided = |method: &str, target: &str, header: &str| {
        let facts = format!("{method}\nhttps://api.test{target}{header}");
        let (mut memory, mut ticket) = (Memory::default(), Ticket::default());
        let request = Request::parse(&facts).unwrap();
        let now = Now::from_millis(1_800_000_000_000);
        match decide(&request, &gate, &mut memory, &mut ticket, now) {
            Decision::Usage(url) => url,
            Decision::Deny(denial) => denial.wire().code.to_owned(),
            decision @ (Decision::Allow(_)
            | Decision::Need(_)
            | Decision::Fault(_)
            | Decision::Admin
            | Decision::Preflight(_)) => panic!("{decision:?}"),
        }
    };
    let there = "https://admin.test/api/v1/keys/usage";
    // Who asks is the management API's to find out.
    for header in ["", "\nauthorization\nBearer x", "\nx-api-key\nx"] {
        assert_eq!(decided("GET", "/v1/keys/usage", header), there);
    }
    assert_eq!(decided("HEAD", "/v1/keys/usage", ""), there);
    let asked = "?from=2026-11-30T00:00:00Z&to=a/../b";
    assert_eq!(decided("GET", &format!("/v1/keys/usage{asked}"), ""), format!("{there}{asked}"));
    for (method, target, code) in [
        ("POST", "/v1/keys/usage", "METHOD_NOT_ALLOWED"),
        ("DELETE", "/v1/keys/usage", "METHOD_NOT_ALLOWED"),
        ("GET", "/v1/keys/usage/", "BAD_TARGET"),
        ("GET", "/v1/keys/../keys/usage", "BAD_TARGET"),
        ("GET", "/v1/keys/Usage", "UNKNOWN_ROUTE"),
        ("GET", "/v1/keys/usage/more", "UNKNOWN_ROUTE"),
        ("GET", "/api/v1/keys/usage", "UNKNOWN_ROUTE"),
    ] {
        assert_eq!(decided(method, target, ""), code, "{method} {target}");
    }
    let two = "\nauthorization\nBearer x\nx-api-key\nx";
    assert_eq!(decided("GET", "/v1/keys/usage", two), "AMBIGUOUS_CREDENTIALS");
}

#[test]
fn no_route_has_the_path_of_own_use() {
    let policy = |path: &str| {
        let route =
            json!({"credentials": ["public"], "methods": ["GET"], "origin": 0, "path": "/public"});
        let origin = json!({"name": "near", "timeout_ms": 1500,
            "upstream": {"service": {"binding": "ORIGIN"}}});
        let document = json!({
            "version": 1, "hosts": ["api.test"], "admin_host": "admin.test", "mode": "edge",
            "root_fingerprints": [], "kv_timeout_ms": 1000, "origins": [origin], "tiers": [],
            "static_keys": [], "imports": [], "usage_path": path, "routes": [route],
        });
        Policy::from_json(&document.to_string())
    };
    assert!(policy("/v1/keys/usage").is_ok());
    assert!(policy("v1/keys/usage").is_err());
    assert!(policy("/public").is_err());
}
