//! Denials that are asked for by their request ids, from the gate's decision on.

use std::rc::Rc;

use portcullis::decide::{Decision, decide};
use portcullis::enquiry::Enquiry;
use portcullis::key::Kid;
use portcullis::memory::Memory;
use portcullis::need::Need;
use portcullis::request::Request;
use portcullis::ticket::Ticket;
use portcullis::workspace::call::{Answer, Call, Told};
use serde_json::{Value, json};

use super::desk::{self, Desk, KEYS, SPACE};
use crate::workspace::{at, call_id};

const DAY: u64 = 24 * 3_600_000;

/// A gate in front of the desk's workspace.
struct Isolate {
    memory: Memory,
    calls: u64,
}

impl Isolate {
    /// The code with which a request is refused, empty if it is admitted; the Workspace is asked for what it
    /// needs. `id`: of the request.
    fn send(&mut self, desk: &mut Desk, facts: &str, id: &str) -> String {
        let gate = Rc::clone(&desk.gate);
        let request = Request::parse(facts).unwrap();
        let mut ticket = Ticket::default();
        for _ in 0..10 {
            let now = at(desk.millis);
            match decide(&request, &gate, &mut self.memory, &mut ticket, now) {
                Decision::Allow(_) => return String::new(),
                Decision::Deny(denial) => {
                    self.memory.note_incident(&mut ticket, id);
                    return denial.code().to_owned();
                }
                Decision::Need(Need::Workspace(ask)) => {
                    self.calls += 1;
                    let name = call_id(self.calls);
                    let (enquiry, text) = Enquiry::new(ask, name, &gate, &mut self.memory, now);
                    let answer = self.call(desk, &text);
                    enquiry.learn(&answer, &gate, &mut self.memory, &mut ticket, now).unwrap();
                }
                Decision::Need(Need::Kv(row)) => {
                    row.learn(None, &gate, &mut self.memory, now).unwrap();
                }
                other @ (Decision::Need(_)
                | Decision::Fault(_)
                | Decision::Admin
                | Decision::Usage(_)
                | Decision::Preflight(_)) => panic!("{other:?}"),
            }
        }
        panic!("no end of it");
    }

    fn call(&self, desk: &mut Desk, text: &str) -> String {
        let effect = desk.object.call(text, &desk.gate, at(desk.millis));
        desk.object.commit(&effect);
        effect.answer.print()
    }

    /// Tells what is to be told.
    fn report(&mut self, desk: &mut Desk, kid: &str) {
        let kid = Kid::parse(kid).unwrap();
        if let Some((_, text)) = Enquiry::report(kid, &mut self.memory, at(desk.millis)) {
            assert_eq!(self.call(desk, &text), "done");
        }
    }
}

fn id(number: u32) -> String {
    format!("{number:032x}")
}

fn facts(key: &str, address: &str) -> String {
    format!(
        "GET\nhttp://api.test/plain?secret=1\nauthorization\nBearer {key}\ncf-connecting-ip\n{address}"
    )
}

fn ask(desk: &mut Desk, id: &str) -> (u16, Value) {
    let reply = desk.ask("dev:admin", "GET", &format!("{SPACE}/denials/{id}"), &Value::Null);
    (reply.status, reply.body)
}

/// The check that refused, and what it was about.
fn refused(told: &Value) -> (Value, Value) {
    let checks = told["checks"].as_array().unwrap();
    let mut of = checks.iter().filter(|check| check["verdict"] == "refused");
    let only = of.next().unwrap();
    assert!(of.next().is_none() && only["check"] == told["check"], "{told}");
    (only["check"].clone(), only["detail"].clone())
}

fn isolate() -> Isolate {
    Isolate { memory: Memory::default(), calls: 0 }
}

#[test]
fn a_denial_is_told_by_its_request_id_with_what_it_was_judged_by() {
    let mut desk = Desk::open();
    let mut isolate = isolate();
    let (kid, key) = desk.key(&json!({"scopes": ["agents:write"], "ips": ["203.0.113.0/24"]}));
    assert_eq!(isolate.send(&mut desk, &facts(&key, "198.51.100.7"), &id(1)), "IP_NOT_ALLOWED");
    assert_eq!(isolate.send(&mut desk, &facts(&key, "203.0.113.7"), &id(2)), "PERMISSION_DENIED");
    assert_eq!(ask(&mut desk, &id(1)).0, 404, "nobody has told it yet");
    isolate.report(&mut desk, &kid);
    let (status, told) = ask(&mut desk, &id(1));
    assert_eq!(status, 200, "{told}");
    assert_eq!(
        told,
        json!({
            "request_id": id(1), "time": portcullis::management::time::print_millis(at(0).millis()),
            "kid": kid, "method": "GET", "path": "/plain", "code": "IP_NOT_ALLOWED",
            "check": "key's networks", "address": "198.51.100.7", "scope": null, "parameter": null,
            "body_limit": null, "limited_by": null, "retry_after": null, "cost": 1, "budget": null,
            "checks": [
                {"check": "route", "verdict": "passed", "detail": "GET /plain"},
                {"check": "form", "verdict": "passed", "detail": null},
                {"check": "route's networks", "verdict": "passed",
                    "detail": "from 198.51.100.7"},
                {"check": "credential", "verdict": "passed", "detail": null},
                {"check": "key", "verdict": "passed", "detail": null},
                {"check": "secret", "verdict": "passed", "detail": null},
                {"check": "status and dates", "verdict": "passed", "detail": "active"},
                {"check": "key's networks", "verdict": "refused",
                    "detail": "from 198.51.100.7, of 203.0.113.0/24"},
                {"check": "scope", "verdict": "not reached", "detail": null},
                {"check": "resource", "verdict": "not reached", "detail": null},
                {"check": "body length", "verdict": "not reached", "detail": null},
                {"check": "signature", "verdict": "not reached", "detail": null},
                {"check": "limits", "verdict": "not reached", "detail": null},
            ],
            "key_version": 1,
            "key": {"version": 1, "status": "active", "scopes": ["agents:write"],
                "ips": ["203.0.113.0/24"], "bindings": {}, "expires": null},
        })
    );
    let (_, told) = ask(&mut desk, &id(2));
    assert_eq!((&told["check"], &told["scope"]), (&json!("scope"), &json!("agents:read")));
    let detail = "needs agents:read; the key has agents:write";
    assert_eq!(refused(&told), (json!("scope"), json!(detail)));
    desk.ask("dev:admin", "PATCH", &format!("{KEYS}/{kid}"), &json!({"scopes": ["read"]}));
    let (_, told) = ask(&mut desk, &id(2));
    assert_eq!((&told["key_version"], &told["key"]["version"]), (&json!(1), &json!(2)));
    assert_eq!(refused(&told), (json!("scope"), Value::Null), "what it has now is another matter");
    let rows = format!("{:?}", desk.object.rows);
    assert!(!rows.contains("secret=1") && !rows.contains(&key[key.len() - 40..]));
}

/// Those of a route that takes no keys, or none from there, among them.
#[test]
fn every_refusal_behind_a_secret_is_found_with_its_inputs() {
    let mut policy = desk::policy();
    let route = |path: &str, more: Value| {
        let mut route =
            json!({"credentials": ["key"], "methods": ["GET"], "origin": 0, "path": path});
        route.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        route
    };
    policy["routes"] = json!([
        route("/people", json!({"credentials": ["oauth"]})),
        route("/inside", json!({"ips": ["10.0.0.0/8"]})),
        route("/users/{user}", json!({"subject": "user"})),
        route("/anybodys", json!({})),
        route("/short", json!({"body_limit": 4, "scope": "agents:read", "subject": "origin"})),
        route("/dear", json!({"cost": 30, "product": 0, "subject": "origin"})),
        route("/of/{workspace_id}", json!({"subject": "origin"})),
        route("/alone", json!({"mode": "edge", "ips": ["10.0.0.0/8"]})),
    ]);
    policy["budget"] = json!({"coins": 1000, "period": "day"});
    policy["products"] = json!([{"name": "maps", "budget": {"coins": 40, "period": "week"}}]);
    let mut desk = Desk::open();
    desk.gate = desk::gate(&policy);
    let mut isolate = isolate();
    let (kid, key) = desk.key(&json!({"scopes": ["read"], "type": "personal"}));
    let mut send = |path: &str, number: u32| {
        let facts = facts(&key, "203.0.113.7").replace("/plain?secret=1", path);
        isolate.send(&mut desk, &format!("{facts}\ncontent-length\n5"), &id(number))
    };
    assert_eq!(send("/people", 1), "API_KEY_NOT_ALLOWED");
    assert_eq!(send("/inside", 2), "IP_NOT_ALLOWED");
    assert_eq!(send("/users/eve", 3), "WRONG_RESOURCE");
    assert_eq!(send("/anybodys", 4), "WRONG_RESOURCE");
    assert_eq!(send("/short", 5), "BODY_TOO_LARGE");
    assert_eq!(
        (send("/dear", 6), send("/dear", 7)),
        (String::new(), "BUDGET_EXHAUSTED".to_owned())
    );
    assert_eq!(send("/alone", 8), "IP_NOT_ALLOWED", "of mode edge nobody is told");
    assert_eq!(send("/of/0THERS", 10), "WRONG_RESOURCE");
    let forged = format!("{}{}", &key[..key.len() - 1], if key.ends_with('0') { '1' } else { '0' });
    let at_people = facts(&forged, "203.0.113.7").replace("/plain?secret=1", "/people");
    assert_eq!(isolate.send(&mut desk, &at_people, &id(9)), "API_KEY_NOT_ALLOWED");
    isolate.report(&mut desk, &kid);
    let mut told = |number: u32| {
        let (status, told) = ask(&mut desk, &id(number));
        assert_eq!(status, 200, "{number}: {told}");
        let (check, detail) = refused(&told);
        (told, [check, detail].map(|own| own.as_str().unwrap().to_owned()))
    };
    assert_eq!(told(1).1, ["credential", "the route takes no keys"]);
    assert_eq!(told(2).1, ["route's networks", "from 203.0.113.7"]);
    let (subject, refused) = told(3);
    assert_eq!(refused, ["resource", "user is dev:admin"]);
    assert_eq!(
        (&subject["parameter"], &subject["path"]),
        (&json!("user"), &json!("/users/{user}"))
    );
    assert_eq!(told(4).1, ["resource", "nobody holds it to what is dev:admin's"]);
    let (workspace, refused) = told(10);
    assert_eq!(refused, ["resource", "workspace_id is DEM0WS or current; the key is dev:admin's"]);
    assert_eq!(workspace["parameter"], "workspace_id");
    let (length, refused) = told(5);
    assert_eq!((refused[1].as_str(), &length["body_limit"]), ("at most 4 bytes", &json!(4)));
    assert_eq!(length["checks"][8]["detail"], "needs agents:read; the key has read");
    let (budget, refused) = told(7);
    assert_eq!(refused, ["limits", "costs 30; workspace: 1000 in 3600 s, 100 at once"]);
    assert_eq!((&budget["limited_by"], &budget["cost"]), (&json!("product-budget"), &json!(30)));
    let stands = &budget["budget"];
    assert_eq!((&stands["product"], &stands["left"]), (&json!("maps"), &json!(10)));
    for unknown in [8, 9] {
        assert_eq!(ask(&mut desk, &id(unknown)).0, 404);
    }
}

#[test]
fn the_last_denials_are_listed_for_admins_the_newest_first() {
    let mut desk = Desk::open();
    let mut isolate = isolate();
    let list = |desk: &mut Desk, who: &str| {
        desk.ask(who, "GET", &format!("{SPACE}/denials"), &Value::Null)
    };
    assert_eq!(list(&mut desk, "dev:admin").body, json!({"denials": []}));
    let (kid, key) = desk.key(&json!({"scopes": ["write"]}));
    for number in 1..4 {
        desk.millis += 1;
        isolate.send(&mut desk, &facts(&key, "203.0.113.7"), &id(number));
    }
    isolate.report(&mut desk, &kid);
    desk.object.rows.insert("denial/100".to_owned(), "?".to_owned());
    let listed = list(&mut desk, "dev:owner");
    let denials = listed.body["denials"].as_array().unwrap();
    let ids: Vec<&str> = denials.iter().map(|one| one["request_id"].as_str().unwrap()).collect();
    assert_eq!(ids, [id(3), id(2), id(1)]);
    assert_eq!(
        denials[2],
        json!({
            "request_id": id(1), "time": portcullis::management::time::print_millis(at(1).millis()),
            "kid": kid, "method": "GET", "path": "/plain", "code": "PERMISSION_DENIED",
            "address": "203.0.113.7", "detail": "agents:read",
        })
    );
    assert_eq!(list(&mut desk, "dev:member").code(), "PERMISSION_DENIED");
    for number in 10..150 {
        isolate.send(&mut desk, &facts(&key, "203.0.113.7"), &id(number));
        isolate.report(&mut desk, &kid);
    }
    let listed = list(&mut desk, "dev:admin").body["denials"].as_array().unwrap().clone();
    let expected: Vec<String> = (22..150).rev().map(id).collect();
    let ids = listed.iter().map(|one| one["request_id"].as_str().unwrap());
    assert!(ids.eq(expected.iter().map(String::as_str)), "the ring is read from its end");
    assert_eq!(list(&mut desk, "dev:stranger").status, 404);
    desk.millis = DAY + 3;
    assert_eq!(list(&mut desk, "dev:admin").body, json!({"denials": []}));
}

#[test]
fn limits_say_whose_and_unproved_secrets_are_nobodys() {
    let mut desk = Desk::open();
    let mut isolate = isolate();
    let limits = json!({"requests": 1, "burst": 1});
    let (kid, key) = desk.key(&json!({"scopes": ["read"], "limits": limits}));
    assert_eq!(isolate.send(&mut desk, &facts(&key, "203.0.113.7"), &id(1)), "");
    for number in 2..4 {
        assert_eq!(isolate.send(&mut desk, &facts(&key, "a b|c"), &id(number)), "RATE_LIMITED");
    }
    let (other, _) = desk.key(&json!({"scopes": ["read"]}));
    let forged = key.replace(&kid, &other);
    assert_eq!(isolate.send(&mut desk, &facts(&forged, "203.0.113.7"), &id(9)), "INVALID_API_KEY");
    isolate.report(&mut desk, &kid);
    isolate.report(&mut desk, &other);
    for number in 2..4 {
        let (status, told) = ask(&mut desk, &id(number));
        assert_eq!((status, &told["limited_by"]), (200, &json!("key")), "{told}");
        assert_eq!((&told["check"], &told["address"]), (&json!("limits"), &json!("")));
        assert_eq!(told["retry_after"], json!(3600));
        let detail = "costs 1; key: 1 in 3600 s, 1 at once; workspace: 1000 in 3600 s, 100 at once";
        assert_eq!(refused(&told), (json!("limits"), json!(detail)));
    }
    assert_eq!(ask(&mut desk, &id(9)).0, 404);
}

#[test]
fn the_last_of_a_call_and_of_a_workspace_are_kept_for_a_day() {
    let mut desk = Desk::open();
    let mut isolate = isolate();
    let (kid, key) = desk.key(&json!({"scopes": ["write"]}));
    for number in 0..34 {
        isolate.send(&mut desk, &facts(&key, "203.0.113.7"), &id(number));
    }
    isolate.report(&mut desk, &kid);
    for number in 0..34 {
        assert_eq!(ask(&mut desk, &id(number)).0, if number < 10 { 404 } else { 200 });
    }
    let rows =
        |desk: &Desk| desk.object.rows.keys().filter(|name| name.starts_with("denial/")).count();
    assert_eq!(rows(&desk), 1, "a burst is one row");
    for number in 100..300 {
        isolate.send(&mut desk, &facts(&key, "203.0.113.7"), &id(number));
        isolate.report(&mut desk, &kid);
    }
    assert_eq!(rows(&desk), 128);
    assert_eq!((ask(&mut desk, &id(171)).0, ask(&mut desk, &id(172)).0), (404, 200));
    desk.object.rows.insert("denial/005".to_owned(), "?".to_owned());
    desk.millis = DAY - 1;
    assert_eq!(ask(&mut desk, &id(299)).0, 200);
    desk.millis = DAY;
    assert_eq!(ask(&mut desk, &id(299)).0, 404);
    desk.call(&Call::Due);
    assert_eq!(rows(&desk), 0);
}

#[test]
fn what_cannot_be_read_stands_in_nobodys_way() {
    let mut desk = Desk::open();
    let (kid, _) = desk.key(&json!({"scopes": ["write"]}));
    let long = format!("{}|1|GET|/{}|X|1.1.1.1|1|", id(3), "a".repeat(1000));
    let incidents = ["x", "a|b|c|d|e|f|g|h", &format!("{}|1|GET|/|X|1.1.1.1|1||", id(2)), &long];
    let told = Told {
        denied: vec![("X".to_owned(), 1)],
        incidents: incidents.map(str::to_owned).to_vec(),
        ..Told::default()
    };
    assert_eq!(desk.call(&Call::Report { kid, told }), Answer::Done);
    assert!(!desk.object.rows.keys().any(|name| name.starts_with("denial")));
    assert_eq!(ask(&mut desk, "x").0, 404);
    let _ = desk::policy();
}
