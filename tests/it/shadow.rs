//! Rules of routes on trial: what they would refuse is admitted, and counted by the key's Workspace.

use portcullis::workspace::call::{Answer, Call};
use serde_json::json;

use crate::metering::{ALLOWED, Isolate};

/// Requests of a key without scopes, from nowhere in particular, to a route with both rules and to one
/// with none; what its Workspace has counted then.
fn counted(mode: &str) -> Vec<(String, u64)> {
    let route =
        |path: &str| json!({"credentials": ["key"], "methods": ["GET"], "origin": 0, "path": path});
    let mut trial = route("/trial");
    trial["shadow"] = json!({"scope": "admin:write", "ips": ["203.0.113.0/24"]});
    let rules = json!({"mode": mode, "routes": [route("/plain"), trial]});
    let mut isolate = Isolate::new(&rules, &json!({}), None);
    for millis in 0..3 {
        assert_eq!(isolate.get("trial", millis), ALLOWED, "{mode}");
        assert_eq!(isolate.get("plain", millis), ALLOWED, "{mode}");
    }
    if let Some((_, report)) = isolate.report(2_000) {
        isolate.workspace.call(&report, 2_000);
    }
    let usage = Call::Usage { kid: isolate.document.kid.clone(), from: 0, to: u64::MAX };
    let Answer::Usage { hours, .. } = isolate.workspace.call(&usage, 2_000) else {
        panic!("no usage")
    };
    assert!(hours.iter().all(|hour| hour.denied.is_empty()), "{hours:?}");
    hours.into_iter().flat_map(|hour| hour.would_deny).collect()
}

#[test]
fn what_rules_on_trial_would_refuse_is_counted() {
    for mode in ["lease", "strict"] {
        let both = ["IP_NOT_ALLOWED", "PERMISSION_DENIED"].map(|code| (code.to_owned(), 3));
        assert_eq!(counted(mode), both, "{mode}");
    }
}

/// Nobody would be told.
#[test]
fn nothing_is_counted_in_mode_edge() {
    assert_eq!(counted("edge"), []);
}
