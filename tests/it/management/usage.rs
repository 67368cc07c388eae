//! The use of a workspace with many keys.

use portcullis::key::Kid;
use portcullis::workspace::call::{Answer, Call};
use serde_json::{Value, json};

use super::desk::{Desk, KEYS, SPACE};
use crate::workspace::{admit, at};

const HOUR: u64 = 3_600_000;

fn usage(desk: &mut Desk, query: &str) -> Value {
    let path = format!("{SPACE}/usage{query}");
    let reply = desk.ask("dev:member", "GET", &path, &Value::Null);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body
}

fn exact(told: &Value) -> Vec<u64> {
    let hours = told["hours"].as_array().unwrap().iter();
    hours.map(|hour| hour["exact"].as_u64().unwrap()).collect()
}

fn make(desk: &mut Desk) -> Kid {
    let (kid, _) = desk.key(&json!({"scopes": ["read"]}));
    Kid::parse(&kid).unwrap()
}

fn revoke(desk: &mut Desk, kid: &Kid) {
    let path = format!("{KEYS}/{kid}");
    assert_eq!(desk.ask("dev:admin", "DELETE", &path, &Value::Null).status, 200);
}

#[test]
fn every_key_counts_revoked_ones_and_old_ones_too() {
    let mut desk = Desk::open();
    let mut asked = 0;
    let mut one = |desk: &mut Desk, kid: &Kid| {
        asked += 1;
        assert!(matches!(desk.call(&Call::Admit(admit(asked, kid, 1))), Answer::Granted(_)));
    };
    let oldest = make(&mut desk);
    one(&mut desk, &oldest);
    desk.millis = 30 * HOUR;
    for _ in 0..120 {
        let kid = make(&mut desk);
        one(&mut desk, &kid);
        revoke(&mut desk, &kid);
        desk.millis += 2000;
    }
    for _ in 0..30 {
        let kid = make(&mut desk);
        revoke(&mut desk, &kid);
    }
    one(&mut desk, &oldest);
    let told = usage(&mut desk, "");
    assert_eq!((exact(&told), &told["keys_left_out"]), (vec![121], &json!(0)));
    let now = portcullis::management::time::print(at(desk.millis).seconds());
    assert_eq!(told["last_used"], now);
    let begin = portcullis::management::time::print(at(0).seconds());
    let told = usage(&mut desk, &format!("?from={begin}"));
    assert_eq!(exact(&told), [1, 121]);
}

/// Not one of them silently.
#[test]
fn keys_for_which_there_is_no_room_are_told_in_number() {
    let mut desk = Desk::open();
    let first = at(0).seconds() / 3600;
    for key in 0..101 {
        let kid = format!("0DEM0WS040G208JZ5{key:03}");
        let account = format!("account hour={} admitted=1", first + 400);
        desk.object.rows.insert(format!("account/{kid}"), account);
        for hour in first..first + 400 {
            let row = format!("usage/{kid}/{hour:08}");
            desk.object.rows.insert(row, format!("use hour={hour} admitted=1"));
        }
    }
    desk.millis = 400 * HOUR;
    let from = |hours: u64| portcullis::management::time::print(at(hours * HOUR).seconds());
    let told = usage(&mut desk, &format!("?from={}", from(0)));
    assert_eq!((exact(&told), &told["keys_left_out"]), (vec![100; 401], &json!(1)));
    let told = usage(&mut desk, &format!("?from={}", from(10)));
    assert_eq!((exact(&told), &told["keys_left_out"]), (vec![101; 391], &json!(0)));
}
