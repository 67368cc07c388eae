//! Expiries that are announced.

use portcullis::workspace::call::{Answer, Call};
use serde_json::{Value, json};

use super::desk::{Desk, KEYS, SPACE};
use crate::workspace::at;

const DAY: u64 = 24 * 3600;

/// A key that ends so many days after the clock's beginning.
fn key(desk: &mut Desk, days: u64) -> String {
    let end = portcullis::management::time::print(at(0).seconds() + days * DAY);
    desk.key(&json!({"scopes": ["read"], "expires": end})).0
}

/// What the alarm does; then what was announced so far, the last first.
fn wake(desk: &mut Desk) -> Vec<String> {
    assert!(matches!(desk.call(&Call::Due), Answer::Due { .. }));
    let path = format!("{SPACE}/audit?limit=100");
    let audit = desk.ask("dev:admin", "GET", &path, &Value::Null).body;
    let entries = audit["entries"].as_array().unwrap().clone();
    let announced = entries.iter().filter(|entry| entry["action"] == "key.expiring");
    announced.map(|entry| entry["target"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_key_is_announced_once_a_fortnight_ahead() {
    let mut desk = Desk::open();
    let (late, soon, now) = (key(&mut desk, 40), key(&mut desk, 20), key(&mut desk, 3));
    let moved = key(&mut desk, 20);
    let revoked = key(&mut desk, 20);
    desk.ask("dev:admin", "DELETE", &format!("{KEYS}/{revoked}"), &Value::Null);
    assert_eq!(wake(&mut desk), [&*now], "it was made to end in three days");
    let rename = json!({"name": "x"});
    desk.ask("dev:admin", "PATCH", &format!("{KEYS}/{now}"), &rename);
    desk.millis = 6 * DAY * 1000 - 1;
    assert_eq!(wake(&mut desk), [&*now]);
    let later = json!({"expires": portcullis::management::time::print(at(0).seconds() + 30 * DAY)});
    desk.ask("dev:admin", "PATCH", &format!("{KEYS}/{moved}"), &later);
    desk.millis = 6 * DAY * 1000;
    assert_eq!(wake(&mut desk), [&*soon, &*now]);
    assert_eq!(wake(&mut desk), [&*soon, &*now], "once");
    desk.millis = 16 * DAY * 1000;
    assert_eq!(wake(&mut desk), [&*moved, &*soon, &*now]);
    desk.millis = 30 * DAY * 1000;
    assert_eq!(wake(&mut desk), [late, moved, soon, now]);
    let chain = desk.ask("dev:admin", "GET", &format!("{SPACE}/audit/verify"), &Value::Null);
    assert_eq!(chain.body["intact"], true);
    let audit = desk.ask("dev:admin", "GET", &format!("{SPACE}/audit"), &Value::Null).body;
    let entry = &audit["entries"][0];
    assert_eq!((&entry["actor"], &entry["address"]), (&json!("portcullis"), &json!("")));
    let end = portcullis::management::time::print(at(0).seconds() + 40 * DAY);
    assert_eq!(entry["changes"], json!({"expires": [null, end]}));
}

#[test]
fn the_object_wakes_when_there_is_something_to_announce() {
    let mut desk = Desk::open();
    key(&mut desk, 20);
    let call = |desk: &mut Desk, call: &Call| {
        let effect = desk.object.call(&call.print(), &desk.gate, at(desk.millis));
        desk.object.commit(&effect);
        effect.alarm
    };
    let first = at(6 * DAY * 1000).millis();
    // While copies wait for KV it wakes for them; then for the announcement, if nothing else is earlier.
    call(&mut desk, &Call::Due);
    let waiting: Vec<_> =
        desk.object.rows.keys().filter(|name| name.starts_with("outbox/")).cloned().collect();
    for name in waiting {
        desk.object.rows.remove(&name);
    }
    assert_eq!(call(&mut desk, &Call::Due), Some(first));
    desk.millis = 6 * DAY * 1000;
    assert_eq!(call(&mut desk, &Call::Due), Some(at(desk.millis).millis()), "there may be more");
    assert_eq!(call(&mut desk, &Call::Due), None);
}

#[test]
fn many_at_once_are_announced_in_turns() {
    let mut desk = Desk::open();
    let kid = key(&mut desk, 20);
    for number in 0..250 {
        let name = format!("notice/{:012}/{kid}{number}", at(0).seconds());
        desk.object.rows.insert(name, "1".to_owned());
    }
    for (left, pause) in [(151, 0), (51, 0), (1, 5_000)] {
        let effect = desk.object.call(&Call::Due.print(), &desk.gate, at(desk.millis));
        desk.object.commit(&effect);
        let rows = desk.object.rows.keys();
        assert_eq!(rows.filter(|name| name.starts_with("notice/")).count(), left);
        // In the end there are copies to make.
        assert_eq!(effect.alarm, Some(at(desk.millis + pause).millis()));
    }
    assert!(wake(&mut desk).is_empty(), "rows that name no key announce nothing");
}
