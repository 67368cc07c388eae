//! Alerts, from what makes them true to what a receiver gets.

use std::collections::BTreeMap;

use portcullis::key::Kid;
use portcullis::lease::Report;
use portcullis::root::Keyring;
use portcullis::webhook::HookSecret;
use portcullis::workspace::call::{Admit, Answer, Call, Pool, Post, Told};
use serde_json::{Value, json};

use super::desk::{self, Desk, KEYS, SPACE, WORKSPACE};
use crate::workspace::{admit, at};

const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// A workspace with a webhook, whose rules of alerts are these.
fn open(alerts: &Value) -> Desk {
    let mut desk = Desk::open();
    let mut policy = desk::policy();
    policy["alerts"] = alerts.clone();
    desk.gate = desk::gate(&policy);
    assert!(put(&mut desk, &json!({"url": "https://hooks.example.com/in"})).is_string());
    desk
}

fn hooks() -> String {
    format!("{SPACE}/webhooks")
}

/// Sets the webhook; the secret that is shown.
fn put(desk: &mut Desk, body: &Value) -> Value {
    let put = desk.ask("dev:admin", "PUT", &hooks(), body);
    assert_eq!(put.status, 200, "{put:?}");
    put.body["secret"].clone()
}

fn shown(desk: &mut Desk) -> Value {
    let shown = desk.ask("dev:admin", "GET", &hooks(), &Value::Null);
    assert_eq!(shown.status, 200, "{shown:?}");
    shown.body
}

/// A key with so many requests an hour that is told of at these parts of them.
fn key(desk: &mut Desk, requests: u32, thresholds: &Value) -> Kid {
    let limits = json!({"requests": requests, "burst": requests});
    let (kid, _) = desk.key(&json!({"scopes": ["read"], "limits": limits}));
    let set = json!({ "thresholds": thresholds });
    let set = desk.ask("dev:admin", "PUT", &format!("{KEYS}/{kid}/alerts"), &set);
    assert_eq!(set.status, 200, "{set:?}");
    Kid::parse(&kid).unwrap()
}

/// What is sent now.
fn due(desk: &mut Desk) -> Vec<Post> {
    let Answer::Alerts { posts, .. } = desk.call(&Call::Alerts { sending: 0 }) else { panic!() };
    posts
}

fn answer(desk: &mut Desk, post: &Post, status: u16) {
    let answers = vec![(post.name.clone(), status)];
    assert_eq!(desk.call(&Call::Sent { answers }), Answer::Done);
}

/// What is sent now, each taken; what it tells.
fn taken(desk: &mut Desk) -> Vec<Value> {
    let mut told = Vec::new();
    loop {
        let posts = due(desk);
        if posts.is_empty() {
            return told;
        }
        for post in posts {
            answer(desk, &post, 204);
            told.push(serde_json::from_str(&post.payload).unwrap());
        }
    }
}

fn types(told: &[Value]) -> Vec<&str> {
    told.iter().map(|own| own["type"].as_str().unwrap()).collect()
}

/// Admits one request; how many rows that writes.
fn one(desk: &mut Desk, id: u64, kid: &Kid) -> usize {
    let effect =
        desk.object.call(&Call::Admit(admit(id, kid, 1)).print(), &desk.gate, at(desk.millis));
    desk.object.commit(&effect);
    effect.changes.len()
}

fn actions(desk: &mut Desk) -> Vec<(String, String)> {
    let audit = desk.ask("dev:admin", "GET", &format!("{SPACE}/audit"), &Value::Null).body;
    let entries = audit["entries"].as_array().unwrap().clone();
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    entries.iter().map(|entry| (text(entry, "action"), text(entry, "actor"))).collect()
}

#[test]
fn a_webhook_is_made_with_a_secret_that_is_shown_once() {
    let mut desk = Desk::open();
    let none = desk.ask("dev:admin", "GET", &hooks(), &Value::Null);
    assert_eq!((none.status, none.code()), (404, "NOT_FOUND"));
    let body =
        json!({"url": "https://hooks.example.com/in", "events": ["key.leaked", "key.threshold"]});
    let secret = put(&mut desk, &body).as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"));
    assert_eq!(put(&mut desk, &body), Value::Null, "no change, no secret");
    let own = shown(&mut desk);
    assert_eq!(own["events"], json!(["key.threshold", "key.leaked"]));
    assert_eq!((&own["disabled"], &own["version"]), (&Value::Null, &json!(1)));
    let rotated = desk.ask(
        "dev:admin",
        "POST",
        &format!("{}/rotate", hooks()),
        &json!({"grace_seconds": 60}),
    );
    let second = rotated.body["secret"].as_str().unwrap().to_owned();
    assert_ne!(second, secret);
    assert_eq!(rotated.body["secrets"].as_array().unwrap().len(), 2);
    let removed = desk.ask("dev:admin", "DELETE", &hooks(), &Value::Null);
    assert_eq!((removed.status, removed.body), (200, json!({"removed": true})));
    assert_eq!(desk.ask("dev:admin", "GET", &hooks(), &Value::Null).status, 404);
    let third = put(&mut desk, &body).as_str().unwrap().to_owned();
    assert!(third != secret && third != second, "no secret comes twice");
    let rows = format!("{:?}", desk.object.rows);
    for secret in [secret, second, third] {
        assert!(!rows.contains(&secret[6..26]), "a secret is stored");
    }
    let audited: Vec<_> =
        actions(&mut desk).into_iter().map(|(action, _)| action).take(4).collect();
    assert_eq!(audited, ["webhook.create", "webhook.remove", "webhook.rotate", "webhook.create"]);
}

#[test]
fn what_is_wrong_with_a_webhook_is_told_of_every_field() {
    let mut desk = Desk::open();
    for (body, wrong) in [
        (json!({}), vec!["url"]),
        (json!({"url": "http://hooks.example.com/"}), vec!["url"]),
        (json!({"url": "http://127.0.0.1:9/hook"}), vec!["url"]),
        (json!({"url": "https://admin.test/hook"}), vec!["url"]),
        (json!({"url": "https://10.0.0.1/", "events": []}), vec!["url", "events"]),
        (json!({"url": "https://a:b@hooks.example.com/"}), vec!["url"]),
        (
            json!({"url": "https://hooks.example.com/#x", "events": ["key.x"], "disabled": 1, "a": 2}),
            vec!["url", "events[0]", "disabled", "a"],
        ),
    ] {
        let refused = desk.ask("dev:admin", "PUT", &hooks(), &body);
        assert_eq!((refused.status, refused.fields()), (422, wrong), "{body}");
    }
    put(&mut desk, &json!({"url": "https://hooks.example.com/in"}));
    for (version, status) in [(2, 412), (1, 200), (1, 412)] {
        let body = json!({"url": "https://hooks.example.com/"});
        let put =
            desk.ask_with("dev:admin", "PUT", &hooks(), &body, |call| call.version = Some(version));
        assert_eq!(put.status, status);
    }
    for _ in 0..4 {
        desk.ask(
            "dev:admin",
            "POST",
            &format!("{}/rotate", hooks()),
            &json!({"grace_seconds": 60}),
        );
    }
    let sixth = desk.ask(
        "dev:admin",
        "POST",
        &format!("{}/rotate", hooks()),
        &json!({"grace_seconds": 60}),
    );
    assert_eq!(sixth.fields(), ["grace_seconds"]);
    let (kid, _) = desk.key(&json!({"scopes": ["read"]}));
    for (thresholds, wrong) in [
        (json!([]), "thresholds"),
        (json!([0]), "thresholds[0]"),
        (json!([80, 101]), "thresholds[1]"),
    ] {
        let path = format!("{KEYS}/{kid}/alerts");
        let refused = desk.ask("dev:admin", "PUT", &path, &json!({ "thresholds": thresholds }));
        assert_eq!((refused.status, refused.fields()), (422, vec![wrong]));
    }
}

#[test]
fn a_key_is_told_of_at_each_part_of_its_limit_once_a_window() {
    let mut desk = open(&json!({}));
    let kid = key(&mut desk, 10, &json!([100, 50, 80]));
    let path = format!("{KEYS}/{kid}");
    let alerts = desk.ask("dev:member", "GET", &path, &Value::Null).body["alerts"].clone();
    assert_eq!(alerts, json!([50, 80, 100]));
    let written: Vec<usize> = (1..=10).map(|id| one(&mut desk, id, &kid)).collect();
    // The call, the account of the key and that of the workspace; an alert more at a crossing.
    assert_eq!(written, [3, 3, 3, 3, 4, 3, 3, 4, 3, 4]);
    let told = taken(&mut desk);
    assert_eq!(types(&told), ["key.threshold"; 3]);
    let parts: Vec<_> = told.iter().map(|own| own["data"]["threshold"].as_u64().unwrap()).collect();
    assert_eq!(BTreeMap::from_iter(parts.iter().map(|part| (part, ()))).len(), 3);
    let half = told.iter().find(|own| own["data"]["threshold"] == 50).unwrap();
    let end = portcullis::management::time::print_millis(at(HOUR).millis());
    assert_eq!(
        half["data"],
        json!({
            "workspace": WORKSPACE, "kid": kid.as_str(), "threshold": 50, "used": 5, "limit": 10,
            "window_seconds": 3600, "window_end": end,
        })
    );
    assert_eq!(half["timestamp"], portcullis::management::time::print_millis(at(0).millis()));
    one(&mut desk, 11, &kid);
    assert!(taken(&mut desk).is_empty(), "refusals cross nothing");
    desk.millis = HOUR;
    for id in 12..=16 {
        one(&mut desk, id, &kid);
    }
    assert_eq!(taken(&mut desk).len(), 1, "the next window");
}

#[test]
fn a_refusal_tells_of_a_limit_that_was_lowered_to_what_is_used() {
    let mut desk = open(&json!({}));
    let kid = key(&mut desk, 20, &json!([80, 100]));
    for id in 1..=9 {
        one(&mut desk, id, &kid);
    }
    let limits = json!({"limits": {"requests": 9, "burst": 9}});
    let lowered = desk.ask("dev:admin", "PATCH", &format!("{KEYS}/{kid}"), &limits);
    assert_eq!(lowered.status, 200, "{lowered:?}");
    let call = |id| Admit { version: 2, ..admit(id, &kid, 1) };
    let Answer::Refused(_) = desk.call(&Call::Admit(Admit { ahead: true, ..call(10) })) else {
        panic!()
    };
    assert!(taken(&mut desk).is_empty(), "nobody waits for what is asked ahead");
    let Answer::Refused(_) = desk.call(&Call::Admit(call(11))) else { panic!() };
    let told = taken(&mut desk);
    let mut told: Vec<_> = told.iter().map(|own| own["data"]["threshold"].as_u64()).collect();
    told.sort_unstable();
    assert_eq!(told, [Some(80), Some(100)]);
    desk.call(&Call::Admit(call(12)));
    assert!(taken(&mut desk).is_empty(), "once");
}

#[test]
fn thresholds_that_are_reached_already_are_told_of_when_they_are_set() {
    let mut desk = open(&json!({}));
    let kid = key(&mut desk, 10, &Value::Null);
    let path = format!("{KEYS}/{kid}/alerts");
    let set = |desk: &mut Desk, thresholds: Value| {
        let set = desk.ask("dev:admin", "PUT", &path, &json!({ "thresholds": thresholds }));
        assert_eq!(set.status, 200, "{set:?}");
        taken(desk).iter().map(|own| own["data"]["threshold"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert!(set(&mut desk, json!([50])).is_empty(), "never used");
    for id in 1..=10 {
        one(&mut desk, id, &kid);
    }
    assert_eq!(taken(&mut desk).len(), 1);
    assert_eq!(set(&mut desk, json!([80])), [80]);
    assert!(set(&mut desk, Value::Null).is_empty());
    assert!(set(&mut desk, json!([80])).is_empty(), "once");
    one(&mut desk, 11, &kid);
    assert!(taken(&mut desk).is_empty());
    assert_eq!(set(&mut desk, json!([80, 100])), [100]);
    desk.millis = HOUR;
    assert!(set(&mut desk, json!([70])).is_empty(), "the next window");
}

#[test]
fn a_lease_that_passes_two_parts_tells_of_both_and_giving_back_of_none() {
    let mut desk = open(&json!({}));
    let kid = key(&mut desk, 8, &json!([10, 25, 50]));
    let lease = Admit { millis: 2000, ..admit(1, &kid, 2) };
    let Answer::Granted(granted) = desk.call(&Call::Admit(lease.clone())) else { panic!() };
    assert_eq!(granted.tokens, 2);
    assert_eq!(taken(&mut desk).len(), 2);
    let reports = vec![Report { lease: lease.id, spent: 1, coins: 1, closed: true }];
    let told = Told { reports, ..Told::default() };
    let back = Call::Report { kid: kid.to_string(), told };
    desk.call(&back);
    one(&mut desk, 2, &kid);
    assert!(taken(&mut desk).is_empty(), "a quarter again");
    // Told again only when more is used than was told of.
    one(&mut desk, 3, &kid);
    one(&mut desk, 4, &kid);
    assert_eq!(taken(&mut desk).len(), 1);
}

#[test]
fn a_repeated_call_tells_nothing_twice_and_short_windows_tell_once_an_hour() {
    let mut desk = open(&json!({}));
    let limits = json!({"requests": 1, "burst": 1, "window_seconds": 1});
    let (kid, _) = desk.key(&json!({"scopes": ["read"], "limits": limits}));
    desk.ask("dev:admin", "PUT", &format!("{KEYS}/{kid}/alerts"), &json!({"thresholds": [100]}));
    let kid = Kid::parse(&kid).unwrap();
    one(&mut desk, 1, &kid);
    one(&mut desk, 1, &kid);
    assert_eq!(taken(&mut desk).len(), 1);
    for id in 2..10 {
        desk.millis += 2 * SECOND;
        one(&mut desk, id, &kid);
    }
    assert!(taken(&mut desk).is_empty());
    desk.millis = HOUR;
    one(&mut desk, 10, &kid);
    assert_eq!(taken(&mut desk).len(), 1);
}

#[test]
fn without_a_webhook_that_wants_it_nothing_is_kept() {
    for body in [
        None,
        Some(json!({"url": "https://hooks.example.com/", "events": ["key.leaked"]})),
        Some(json!({"url": "https://hooks.example.com/", "disabled": true})),
    ] {
        let mut desk = Desk::open();
        body.iter().for_each(|body| drop(put(&mut desk, body)));
        let kid = key(&mut desk, 2, &json!([50]));
        assert_eq!([one(&mut desk, 1, &kid), one(&mut desk, 2, &kid)], [3, 3], "{body:?}");
        assert!(due(&mut desk).is_empty());
    }
    // A row of it that cannot be read does not keep requests from being admitted.
    let mut desk = open(&json!({}));
    let kid = key(&mut desk, 2, &json!([50]));
    for row in ["webhook".to_owned(), format!("alerts/{kid}")] {
        desk.object.rows.insert(row, "?".to_owned());
        assert_eq!(one(&mut desk, 1, &kid), 3);
        desk.object.rows.retain(|name, _| !name.starts_with("call/"));
    }
}

fn denied(desk: &mut Desk, kid: &Kid, count: u32) {
    let denied = vec![("PERMISSION_DENIED".to_owned(), count)];
    let told = Told { denied, ..Told::default() };
    let report = Call::Report { kid: kid.to_string(), told };
    assert_eq!(desk.call(&report), Answer::Done);
}

#[test]
fn denials_are_an_anomaly_if_there_are_many_and_many_more_than_before() {
    let mut desk = open(&json!({"denials_at_least": 20, "denials_times": 3}));
    let kid = key(&mut desk, 10, &Value::Null);
    denied(&mut desk, &kid, 19);
    assert!(taken(&mut desk).is_empty());
    denied(&mut desk, &kid, 1);
    let told = taken(&mut desk);
    assert_eq!(types(&told), ["denials.anomaly"]);
    let data = &told[0]["data"];
    assert_eq!((&data["denials"], &data["denials_of_the_day_before"]), (&json!(20), &json!(0)));
    assert_eq!(data["codes"], json!({"PERMISSION_DENIED": 20}));
    denied(&mut desk, &kid, 1000);
    assert!(taken(&mut desk).is_empty(), "once an hour");
    // A mean of 1020 / 24: 127.5 are thrice that.
    desk.millis = 23 * HOUR;
    denied(&mut desk, &kid, 127);
    assert!(taken(&mut desk).is_empty());
    denied(&mut desk, &kid, 1);
    assert_eq!(types(&taken(&mut desk)), ["denials.anomaly"]);
    // The first hour is no more in the day; 128 / 24 thrice is 16, and 20 are too few.
    desk.millis = 25 * HOUR;
    denied(&mut desk, &kid, 19);
    assert!(taken(&mut desk).is_empty());
    denied(&mut desk, &kid, 1);
    assert_eq!(taken(&mut desk).len(), 1);
}

#[test]
fn refusals_of_limits_are_among_the_denials() {
    let mut desk = open(&json!({"denials_at_least": 3, "denials_times": 0}));
    let kid = key(&mut desk, 1, &Value::Null);
    for id in 1..=4 {
        one(&mut desk, id, &kid);
    }
    assert_eq!(types(&taken(&mut desk)), ["denials.anomaly"]);
}

#[test]
fn budgets_are_told_of_once_a_period_with_those_of_products() {
    let mut desk = Desk::open();
    let mut policy = desk::policy();
    policy["budget"] = json!({"coins": 100, "period": "week"});
    policy["products"] = json!([{"name": "maps", "budget": {"coins": 50, "period": "day"}}]);
    desk.gate = desk::gate(&policy);
    put(&mut desk, &json!({"url": "https://hooks.example.com/"}));
    let (kid, _) = desk.key(&json!({"scopes": ["read"]}));
    let kid = Kid::parse(&kid).unwrap();
    let spend = |desk: &mut Desk, id: u64, cost: u32| {
        let pool = Some(Pool { product: Some("maps".to_owned()), cost });
        let call = Call::Admit(Admit { coins: cost, pool, ..admit(id, &kid, 1) });
        assert!(matches!(desk.call(&call), Answer::Granted(_)));
        taken(desk)
    };
    assert!(spend(&mut desk, 1, 39).is_empty());
    let told = spend(&mut desk, 2, 1);
    assert_eq!(types(&told), ["budget.threshold"]);
    let end = |hours: u64| portcullis::management::time::print_millis(at(hours * HOUR).millis());
    let midnight = told[0]["data"]["period_end"].as_str().unwrap().to_owned();
    assert_eq!(
        told[0]["data"],
        json!({
            "workspace": WORKSPACE, "product": "maps", "threshold": 80, "used": 40, "limit": 50,
            "refused_cost": null, "period": "day", "period_end": midnight,
        })
    );
    assert!(midnight.ends_with("T00:00:00Z") && midnight > end(0) && midnight <= end(24));
    assert_eq!(spend(&mut desk, 3, 10)[0]["data"]["threshold"], 100);
    desk.millis = DAY;
    let told = spend(&mut desk, 4, 40);
    let told: Vec<_> =
        told.iter().map(|own| (&own["data"]["product"], &own["data"]["threshold"])).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.contains(&(&json!("maps"), &json!(80))) && told.contains(&(&Value::Null, &json!(80)))
    );
}

/// A workspace with a webhook and this budget for a week, and a key.
fn budgeted(coins: u64) -> (Desk, Kid) {
    let mut desk = open(&json!({}));
    redeploy(&mut desk, coins);
    let (kid, _) = desk.key(&json!({"scopes": ["read"]}));
    (desk, Kid::parse(&kid).unwrap())
}

fn redeploy(desk: &mut Desk, coins: u64) {
    let mut policy = desk::policy();
    policy["budget"] = json!({"coins": coins, "period": "week"});
    desk.gate = desk::gate(&policy);
}

/// One request of this price; what is told then: per cent, used, limit, cost of what was refused.
fn spend(desk: &mut Desk, id: u64, kid: &Kid, cost: u32) -> Vec<[Value; 4]> {
    let pool = Some(Pool { product: None, cost });
    desk.call(&Call::Admit(Admit { coins: cost, pool, ..admit(id, kid, 1) }));
    let data = |own: Value| {
        ["threshold", "used", "limit", "refused_cost"].map(|name| own["data"][name].clone())
    };
    taken(desk).into_iter().map(data).collect()
}

#[test]
fn of_a_budget_that_was_raised_each_part_is_told_of_again() {
    let (mut desk, kid) = budgeted(50);
    let told = [80, 100].map(|percent| [json!(percent), json!(50), json!(50), Value::Null]);
    let mut own = spend(&mut desk, 1, &kid, 50);
    own.sort_by_key(|own| own[0].as_u64());
    assert_eq!(own, told);
    redeploy(&mut desk, 100);
    assert!(spend(&mut desk, 2, &kid, 29).is_empty());
    let told = [json!(80), json!(80), json!(100), Value::Null];
    assert_eq!(spend(&mut desk, 3, &kid, 1), [told]);
    let told = [json!(100), json!(100), json!(100), Value::Null];
    assert_eq!(spend(&mut desk, 4, &kid, 20), [told]);
    redeploy(&mut desk, 90);
    assert_eq!(spend(&mut desk, 5, &kid, 1).len(), 2, "a lower one, of which all is used");
    assert!(spend(&mut desk, 6, &kid, 1).is_empty());
}

#[test]
fn a_budget_that_no_price_divides_is_told_of_when_it_refuses() {
    let (mut desk, kid) = budgeted(50);
    let told: Vec<_> = (1..=16).flat_map(|id| spend(&mut desk, id, &kid, 3)).collect();
    assert_eq!(told.len(), 1, "80 per cent");
    let ahead = Admit { ahead: true, ..admit(17, &kid, 4) };
    desk.call(&Call::Admit(Admit { pool: Some(Pool { product: None, cost: 3 }), ..ahead }));
    assert!(taken(&mut desk).is_empty(), "nobody waits for what is asked ahead");
    let told = [json!(100), json!(48), json!(50), json!(3)];
    assert_eq!(spend(&mut desk, 18, &kid, 3), [told]);
    assert!(spend(&mut desk, 19, &kid, 3).is_empty());
    assert!(spend(&mut desk, 20, &kid, 2).is_empty(), "told, though all is used only now");
}

/// What costs nothing knows nothing of the period at hand.
#[test]
fn requests_for_nothing_tell_nothing_of_a_period_that_is_over() {
    let (mut desk, kid) = budgeted(50);
    assert_eq!(spend(&mut desk, 1, &kid, 50).len(), 2);
    desk.millis = 7 * DAY;
    assert!(spend(&mut desk, 2, &kid, 0).is_empty());
    assert_eq!(spend(&mut desk, 3, &kid, 40).len(), 1);
}

#[test]
fn of_a_key_whose_limit_was_raised_each_part_is_told_of_again() {
    let mut desk = open(&json!({}));
    let kid = key(&mut desk, 2, &json!([100]));
    one(&mut desk, 1, &kid);
    one(&mut desk, 2, &kid);
    assert_eq!(taken(&mut desk).len(), 1);
    let limits = json!({"limits": {"requests": 4, "burst": 4}});
    let raised = desk.ask("dev:admin", "PATCH", &format!("{KEYS}/{kid}"), &limits);
    assert_eq!(raised.status, 200, "{raised:?}");
    for id in 3..=4 {
        assert!(taken(&mut desk).is_empty());
        desk.call(&Call::Admit(Admit { version: 2, ..admit(id, &kid, 1) }));
    }
    let told = taken(&mut desk);
    assert_eq!(types(&told), ["key.threshold"]);
    assert_eq!((&told[0]["data"]["used"], &told[0]["data"]["limit"]), (&json!(4), &json!(4)));
}

#[test]
fn expiries_and_leaks_are_told_of() {
    let mut desk = open(&json!({}));
    let end = portcullis::management::time::print(at(0).seconds() + 20 * DAY / SECOND);
    let (kid, _) = desk.key(&json!({"scopes": ["read"], "expires": end}));
    desk.millis = 6 * DAY;
    for _ in 0..2 {
        assert!(matches!(desk.call(&Call::Due), Answer::Due { .. }));
    }
    let told = taken(&mut desk);
    assert_eq!(types(&told), ["key.expiring"]);
    assert_eq!(told[0]["data"], json!({"workspace": WORKSPACE, "kid": kid, "expires": end}));
    let leak = json!({"type": "ak", "source": "content", "url": "https://example.com/"});
    for _ in 0..2 {
        let found = json!({"kid": kid, "leak": leak});
        desk.ask_with("secret-scanner", "POST", "/api/v1/leaks", &found, |_| ());
    }
    let told = taken(&mut desk);
    assert_eq!(types(&told), ["key.leaked"]);
    let data = json!({"workspace": WORKSPACE, "kid": kid, "status": "quarantined", "leak": leak});
    assert_eq!(told[0]["data"], data);
}

#[test]
fn an_alert_is_signed_by_every_secret_that_is_in_force() {
    let mut desk = open(&json!({}));
    let kid = key(&mut desk, 2, &json!([50, 100]));
    desk.ask("dev:admin", "POST", &format!("{}/rotate", hooks()), &json!({"grace_seconds": 60}));
    one(&mut desk, 1, &kid);
    let posts = due(&mut desk);
    let [post] = posts.as_slice() else { panic!("{posts:?}") };
    let ring = Keyring::parse(ROOT).unwrap();
    let sign = |generation: u32, post: &Post| {
        let secret = HookSecret::derive(ring.newest(), WORKSPACE, generation);
        secret.sign(&post.id, post.timestamp, &post.payload)
    };
    assert_eq!(post.signatures, format!("{} {}", sign(1, post), sign(0, post)));
    assert_eq!(post.timestamp, at(0).seconds());
    answer(&mut desk, post, 500);
    desk.millis = 60 * SECOND;
    let again = due(&mut desk);
    let [again] = again.as_slice() else { panic!() };
    assert_eq!((&again.id, &again.payload), (&post.id, &post.payload));
    assert_eq!(again.signatures, sign(1, again), "the grace is over");
    assert!(again.timestamp > post.timestamp && again.signatures != post.signatures);
}

#[test]
fn a_failed_delivery_is_tried_again_by_the_schedule_and_then_once_a_day() {
    let mut desk = open(&json!({}));
    let kid = key(&mut desk, 2, &json!([50]));
    one(&mut desk, 1, &kid);
    let mut pauses = Vec::new();
    while desk.millis < 400 * DAY {
        let posts = due(&mut desk);
        let [post] = posts.as_slice() else { panic!("{posts:?} on day {}", desk.millis / DAY) };
        // It takes as long as it may.
        desk.millis += 10 * SECOND;
        answer(&mut desk, post, 0);
        let own = shown(&mut desk);
        let last = &own["deliveries"][0];
        assert_eq!((&last["status"], &last["type"]), (&Value::Null, &json!("key.threshold")));
        let next = portcullis::management::time::parse(last["next"].as_str().unwrap()).unwrap();
        pauses.push(next - at(desk.millis).seconds());
        assert_eq!(desk.object.alarm.take().map(|_| ()), Some(()));
        desk.millis = next * 1000 - at(0).millis() - 1;
        assert!(due(&mut desk).is_empty(), "not a millisecond earlier");
        desk.millis += 1;
    }
    let days = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 86_400];
    assert_eq!(&pauses[..8], &days);
    assert!(pauses[8..].iter().all(|own| *own == 86_400), "{pauses:?}");
    assert_eq!(taken(&mut desk).len(), 1);
    assert_eq!(shown(&mut desk)["waiting"], 0);
}

#[test]
fn no_schedule_is_followed_for_more_than_a_day() {
    let mut desk = open(&json!({"retry_seconds": [60]}));
    let kid = key(&mut desk, 2, &json!([50]));
    one(&mut desk, 1, &kid);
    for (millis, pause) in [(0, 60), (DAY - SECOND, 60), (2 * DAY, 86_400)] {
        desk.millis = millis;
        let posts = due(&mut desk);
        answer(&mut desk, &posts[0], 500);
        let next = shown(&mut desk)["deliveries"][0]["next"].as_str().map(str::to_owned);
        let next = portcullis::management::time::parse(&next.unwrap()).unwrap();
        assert_eq!(next - at(millis).seconds(), pause, "{millis}");
    }
}

/// For eight days nobody answers, and each day two keys have something to tell.
#[test]
fn a_receiver_that_was_gone_for_days_gets_everything() {
    let mut desk = open(&json!({}));
    let kids = [100, 100].map(|requests| key(&mut desk, requests, &json!([1, 2])));
    let mut id = 0;
    for hour in 0..8 * 24 {
        desk.millis = hour * HOUR;
        for kid in kids.iter().filter(|_| hour % 24 == 0) {
            for _ in 0..2 {
                id += 1;
                one(&mut desk, id, kid);
            }
        }
        for post in due(&mut desk) {
            answer(&mut desk, &post, 0);
        }
    }
    assert_eq!(shown(&mut desk)["waiting"], 8 * 2 * 2);
    desk.millis = 9 * DAY;
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for own in taken(&mut desk) {
        *told.entry(own["data"]["kid"].to_string()).or_default() += 1;
    }
    assert_eq!(told.into_values().collect::<Vec<_>>(), [16, 16], "within a day of its return");
    assert_eq!(shown(&mut desk)["waiting"], 0);
    assert!(actions(&mut desk).iter().all(|(action, _)| action != "alert.drop"));
}

#[test]
fn of_more_than_a_thousand_the_oldest_is_given_up_and_that_is_told() {
    let mut desk = open(&json!({}));
    let kid = key(&mut desk, 3, &json!([30, 60]));
    desk.millis = DAY;
    // The oldest is the last that would be tried again.
    for number in 0..999 {
        let name = format!("alert/{:015}/msg_{number:03}", at(3 * DAY).millis() - number);
        let raised = at(number).millis();
        let alert = format!(r#"3 {raised} {{"type":"key.leaked"}}"#);
        desk.object.rows.insert(name, alert);
    }
    one(&mut desk, 1, &kid);
    assert_eq!(shown(&mut desk)["waiting"], 1000);
    assert!(actions(&mut desk).iter().all(|(action, _)| action != "alert.drop"));
    one(&mut desk, 2, &kid);
    assert_eq!(shown(&mut desk)["waiting"], 1000);
    assert!(desk.object.rows.keys().all(|name| !name.ends_with("/msg_000")));
    let audit = desk.ask("dev:admin", "GET", &format!("{SPACE}/audit"), &Value::Null).body;
    let dropped = &audit["entries"][0];
    assert_eq!((&dropped["action"], &dropped["target"]), (&json!("alert.drop"), &json!("msg_000")));
    let raised = portcullis::management::time::print_millis(at(0).millis());
    let changes =
        json!({"type": ["key.leaked", null], "raised": [raised, null], "attempts": [3, null]});
    assert_eq!(dropped["changes"], changes);
    assert_eq!(due(&mut desk).len(), 2, "both that are due");
}

#[test]
fn what_was_under_way_when_the_object_died_is_sent_again() {
    let mut desk = open(&json!({}));
    let kid = key(&mut desk, 2, &json!([50]));
    desk.object.alarm = None;
    one(&mut desk, 1, &kid);
    assert_eq!(desk.object.alarm.take(), Some(at(0).millis()), "at once");
    let first = due(&mut desk);
    assert_eq!(
        desk.object.alarm,
        Some(at(15 * SECOND).millis()),
        "10 s for the attempt, 5 s to wait"
    );
    desk.millis = 15 * SECOND - 1;
    assert!(due(&mut desk).is_empty(), "it may still be under way");
    desk.millis += 1;
    let second = due(&mut desk);
    assert_eq!((first.len(), &first[0].id), (1, &second[0].id));
    // A late word on the first attempt is of no use, one on the second is.
    answer(&mut desk, &first[0], 200);
    assert_eq!(shown(&mut desk)["waiting"], 1);
    answer(&mut desk, &second[0], 200);
    assert_eq!(shown(&mut desk)["waiting"], 0);
    assert_eq!(shown(&mut desk)["deliveries"].as_array().unwrap().len(), 1);
}

#[test]
fn at_most_eight_are_sent_at_a_time() {
    let mut desk = open(&json!({}));
    let kids: Vec<Kid> = (0..20).map(|_| key(&mut desk, 1, &json!([100]))).collect();
    for (id, kid) in (1..).zip(&kids) {
        desk.millis += 1;
        one(&mut desk, id, kid);
    }
    desk.object.alarm = None;
    let posts = due(&mut desk);
    assert_eq!(posts.len(), 8);
    let now = desk.millis;
    assert_eq!(desk.object.alarm.take(), Some(at(now + 10 * SECOND).millis()));
    for (sending, more) in [(8, 0), (6, 2)] {
        let call = Call::Alerts { sending };
        let Answer::Alerts { posts, url } = desk.call(&call) else { panic!() };
        assert_eq!((posts.len(), url.as_str()), (more, "https://hooks.example.com/in"));
    }
    desk.object.alarm = None;
    answer(&mut desk, &posts[0], 200);
    assert_eq!(desk.object.alarm, Some(at(now).millis()), "there is room again");
    let mut ids: Vec<String> = posts.into_iter().map(|post| post.id).collect();
    desk.millis = 2 * HOUR;
    ids.extend(taken(&mut desk).iter().map(|told| told["data"]["kid"].to_string()));
    assert_eq!(ids.len(), 8 + 19);
}

#[test]
fn who_answers_410_gets_nothing_more_until_an_admin_says_so() {
    let mut desk = open(&json!({}));
    let kid = key(&mut desk, 3, &json!([30, 60, 90]));
    one(&mut desk, 1, &kid);
    let posts = due(&mut desk);
    answer(&mut desk, &posts[0], 410);
    assert_eq!(shown(&mut desk)["disabled"], "gone");
    assert_eq!(actions(&mut desk)[0], ("webhook.disable".to_owned(), "portcullis".to_owned()));
    desk.millis = HOUR / 2;
    assert!(due(&mut desk).is_empty());
    one(&mut desk, 2, &kid);
    assert_eq!(shown(&mut desk)["waiting"], 1, "what happens meanwhile is not kept");
    let body = json!({"url": "https://hooks.example.com/in", "disabled": false});
    assert_eq!(put(&mut desk, &body), Value::Null);
    desk.millis = 2 * HOUR;
    let told = taken(&mut desk);
    assert_eq!((told.len(), &told[0]["data"]["threshold"]), (1, &json!(30)));
    // Disabled for long: it waits, and keeps nobody awake.
    one(&mut desk, 3, &kid);
    put(&mut desk, &json!({"url": "https://hooks.example.com/in", "disabled": true}));
    desk.object.alarm = None;
    for _ in 0..30 {
        assert!(due(&mut desk).is_empty());
        desk.millis += DAY;
    }
    assert_eq!((&shown(&mut desk)["waiting"], desk.object.alarm), (&json!(1), None));
    put(&mut desk, &json!({"url": "https://hooks.example.com/in"}));
    assert_eq!(desk.object.alarm, Some(at(desk.millis).millis()), "at once");
    assert_eq!(taken(&mut desk)[0]["data"]["threshold"], 30);
}

#[test]
fn what_waits_goes_with_its_webhook() {
    let mut desk = open(&json!({}));
    let kid = key(&mut desk, 1, &json!([100]));
    one(&mut desk, 1, &kid);
    for number in 0..250 {
        let name = format!("alert/{:015}/msg_{number}", at(DAY).millis());
        desk.object.rows.insert(name, "3 1 {}".to_owned());
    }
    desk.ask("dev:admin", "DELETE", &hooks(), &Value::Null);
    let mut turns = 0;
    while desk.object.rows.keys().any(|name| name.starts_with("alert/")) {
        desk.object.alarm = None;
        assert!(due(&mut desk).is_empty());
        turns += 1;
    }
    assert_eq!((turns, desk.object.alarm), (3, None));
}

#[test]
fn rows_that_cannot_be_read_keep_no_other_from_being_sent() {
    let mut desk = open(&json!({}));
    let kid = key(&mut desk, 1, &json!([100]));
    for name in ["alert/000000000000001/msg_x", "alert/?"] {
        desk.object.rows.insert(name.to_owned(), "?".to_owned());
    }
    desk.object.rows.insert("webhook/outcomes".to_owned(), "?".to_owned());
    one(&mut desk, 1, &kid);
    assert_eq!(taken(&mut desk).len(), 1);
    assert_eq!(shown(&mut desk)["deliveries"].as_array().unwrap().len(), 1);
}

const ROOT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
