//! Limits on trial: what they would have denied is counted, and nothing is denied.

use portcullis::key::Kid;
use portcullis::lease::Report;
use portcullis::workspace::call::{Admit, Answer, Call, Hour, Pool, Told};
use serde_json::{Value, json};

use crate::simulation::deployment;
use crate::workspace::{Workspace, admit, call_id};

fn workspace(more: &Value) -> (Workspace, Kid) {
    let mut workspace = Workspace::open(deployment::gate_with(more));
    let kid = workspace.put(1, None, 0);
    (workspace, kid)
}

fn six() -> Value {
    json!({ "requests": 6, "window_seconds": 60, "burst": 6 })
}

/// Lends so many tokens.
fn grant(workspace: &mut Workspace, call: Admit, millis: u64) -> u32 {
    let answer = workspace.call(&Call::Admit(call), millis);
    let Answer::Granted(granted) = answer else { panic!("{answer:?}") };
    granted.tokens
}

fn report(workspace: &mut Workspace, kid: &Kid, lease: u64, spent: u32, closed: bool) {
    let report = Report { lease: call_id(lease), spent, coins: spent.into(), closed };
    let told = Told { reports: vec![report], ..Told::default() };
    workspace.call(&Call::Report { kid: kid.to_string(), told }, 1_000);
}

fn used(workspace: &mut Workspace, kid: &Kid) -> Hour {
    let call = Call::Usage { kid: kid.to_string(), from: 0, to: u64::from(u32::MAX) };
    let Answer::Usage { hours, .. } = workspace.call(&call, 1_000) else { panic!("no usage") };
    hours.into_iter().next().unwrap()
}

fn would_deny(hour: &Hour) -> Vec<(&str, u64)> {
    hour.would_deny.iter().map(|(code, count)| (code.as_str(), *count)).collect()
}

#[test]
fn what_is_beyond_is_counted_and_admitted() {
    let of_product = json!({ "products": [{ "name": "maps", "shadow": six() }] });
    let of_workspace = json!({ "workspace_shadow": six() });
    for more in [of_workspace, of_product] {
        let (mut workspace, kid) = workspace(&more);
        let pool = Some(Pool { product: Some("maps".to_owned()), cost: 1 });
        let pool = pool.filter(|_| more.get("products").is_some());
        for id in 0..10 {
            grant(&mut workspace, Admit { pool: pool.clone(), ..admit(id, &kid, 1) }, 0);
        }
        // What was over the limit has taken nothing of the next window.
        for id in 10..20 {
            grant(&mut workspace, Admit { pool: pool.clone(), ..admit(id, &kid, 1) }, 60_000);
        }
        let used = used(&mut workspace, &kid);
        assert_eq!((used.exact, used.denied.len()), (20, 0));
        assert_eq!(would_deny(&used), [("RATE_LIMITED", 8)], "{more}");
    }
}

#[test]
fn a_tier_s_limits_on_trial_are_of_its_keys() {
    let tiers = json!({ "tiers": [{ "name": "pro", "shadow": six(),
        "limits": { "requests": 100, "window_seconds": 60, "burst": 100 } }] });
    let (mut workspace, kid) = workspace(&tiers);
    let document = workspace.document(1, Some("pro"));
    let put = Call::Put { document: Box::new(document), replaces: 1 };
    assert!(matches!(workspace.call(&put, 0), Answer::Written { version: 2, .. }));
    for id in 0..10 {
        grant(&mut workspace, Admit { version: 2, ..admit(id, &kid, 1) }, 0);
    }
    assert_eq!(would_deny(&used(&mut workspace, &kid)), [("RATE_LIMITED", 4)]);
}

/// Of a lease the first tokens are those that would have been granted.
#[test]
fn of_a_lease_what_is_spent_counts() {
    let (mut workspace, kid) = workspace(&json!({ "workspace_shadow": six() }));
    assert_eq!(grant(&mut workspace, admit(1, &kid, 10), 0), 10);
    for (spent, closed, counted) in [(4, false, 0), (7, false, 1), (7, false, 1), (9, true, 3)] {
        report(&mut workspace, &kid, 1, spent, closed);
        let counted = Some(("RATE_LIMITED", counted)).filter(|(_, count)| *count > 0);
        assert_eq!(would_deny(&used(&mut workspace, &kid)), counted.as_slice(), "{spent}");
    }
}

#[test]
fn what_a_lease_did_not_spend_comes_back() {
    let (mut workspace, kid) = workspace(&json!({ "workspace_shadow": six() }));
    grant(&mut workspace, admit(1, &kid, 10), 0);
    report(&mut workspace, &kid, 1, 2, true);
    for id in 2..6 {
        grant(&mut workspace, admit(id, &kid, 1), 1_000);
    }
    assert_eq!(would_deny(&used(&mut workspace, &kid)), []);
    grant(&mut workspace, admit(6, &kid, 1), 1_000);
    assert_eq!(would_deny(&used(&mut workspace, &kid)), [("RATE_LIMITED", 1)]);
}

/// What the limits that hold refuse is not counted by those on trial.
#[test]
fn what_is_denied_is_not_counted_twice() {
    let limits = json!({ "requests": 2, "window_seconds": 60, "burst": 2 });
    let (mut workspace, kid) =
        workspace(&json!({ "workspace_limits": limits, "workspace_shadow": six() }));
    for id in 0..9 {
        workspace.call(&Call::Admit(admit(id, &kid, 1)), 0);
    }
    let used = used(&mut workspace, &kid);
    assert_eq!((used.exact, used.denied("RATE_LIMITED"), used.would_deny.len()), (2, 7, 0));
}
