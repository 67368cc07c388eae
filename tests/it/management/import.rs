//! Keys that were made elsewhere.

use portcullis::crypto;
use portcullis::workspace::call::{Answer, Call};
use serde_json::{Value, json};

use super::desk::{Desk, KEYS, Reply};

fn hash(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&crypto::sha256(text.as_bytes()))
}

#[test]
fn imported_keys_are_created_once_each_row_for_itself() {
    let mut desk = Desk::open();
    let base64 = data_encoding::BASE64.encode(&crypto::sha256(b"two"));
    let rows = json!({"keys": [
        {"sha256": hash("one"), "scopes": ["read"]},
        {"sha256": base64, "scopes": ["read"]},
        {"sha256": hash("two"), "scopes": ["read"]},
        {"sha256": hash("three"), "scopes": ["read"], "tier": "gold"},
    ]});
    let path = format!("{KEYS}/import");
    let imported = desk.ask("dev:admin", "POST", &path, &rows);
    let results = |reply: &Reply| {
        let rows = reply.body["rows"].as_array().unwrap().clone();
        rows.iter().map(|row| row["result"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(results(&imported), ["created", "created", "exists", "refused"]);
    let refused = json!({
        "result": "refused", "code": "VALIDATION_FAILED", "message": "tier is not in the policy",
    });
    assert_eq!(imported.body["rows"][3], refused);
    let again = desk.ask("dev:admin", "POST", &path, &rows);
    assert_eq!(results(&again), ["exists", "exists", "exists", "refused"]);
    assert_eq!(again.body["rows"][0]["id"], imported.body["rows"][0]["id"]);
    // What KV gets: records, and what points to them.
    let Answer::Due { copies } = desk.call(&Call::Due) else { panic!("nothing due") };
    let notes = copies.iter().filter(|copy| copy.name.starts_with("d1:")).count();
    let pointers: Vec<_> = copies.iter().filter(|copy| copy.name.starts_with("h1:")).collect();
    assert_eq!((copies.len() - notes, pointers.len()), (4, 2));
    let done = copies.iter().map(|copy| (copy.kid.clone(), copy.version)).collect();
    desk.call(&Call::Copied { copies: done, failed: false });
    let Answer::Due { copies } = desk.call(&Call::Due) else { panic!("no answer") };
    assert!(copies.is_empty());
    let bad = desk.ask(
        "dev:admin",
        "POST",
        &path,
        &json!({"keys": [{"sha256": "xyz", "scopes": ["read"]}]}),
    );
    assert_eq!(bad.fields(), ["keys[0].sha256"]);
}

/// However many rows there are, all that is to be known of them is fetched together: the workspace, the
/// member, and the rest. Each fetch more begins the whole anew.
#[test]
fn many_rows_are_imported_in_one_go() {
    let fetches = |count: u32| {
        let mut desk = Desk::open();
        desk.key(&json!({"scopes": ["read"]}));
        let row = |number| json!({"sha256": hash(&format!("{number}")), "scopes": ["read"]});
        let rows: Vec<Value> = (0..count).map(row).collect();
        let imported =
            desk.ask("dev:admin", "POST", &format!("{KEYS}/import"), &json!({ "keys": rows }));
        let made = imported.body["rows"].as_array().unwrap();
        assert_eq!(made.iter().filter(|row| row["result"] == "created").count(), count as usize);
        imported.fetches
    };
    assert_eq!((fetches(19), fetches(1)), (3, 3));
}

/// Each row that finds no room says so by the code that a single creation has.
#[test]
fn rows_without_room_have_the_code_of_it() {
    let mut desk = Desk::open();
    let row = |number: u32| json!({"sha256": hash(&format!("{number}")), "scopes": ["read"]});
    let rows: Vec<Value> = (0..22).map(row).collect();
    let imported =
        desk.ask("dev:admin", "POST", &format!("{KEYS}/import"), &json!({ "keys": rows }));
    let codes = imported.body["rows"].as_array().unwrap().iter().map(|row| row["code"].as_str());
    let expected = (0..22).map(|number| (number >= 20).then_some("KEY_LIMIT"));
    assert_eq!(codes.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}
