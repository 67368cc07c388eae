//! The record of changes.

use portcullis::crypto;
use portcullis::key::{Kid, Workspace};
use portcullis::mint;
use portcullis::record::{Document, SecretDocument, Status};
use portcullis::workspace::call::{Answer, Call};
use serde_json::{Value, json};

use super::desk::{Desk, KEYS, SPACE, WORKSPACE};

/// Every entry, the oldest first.
fn entries(desk: &mut Desk) -> Vec<Value> {
    let path = format!("{SPACE}/audit?order=oldest&limit=100");
    let listed = desk.ask("dev:admin", "GET", &path, &Value::Null);
    listed.body["entries"].as_array().unwrap().clone()
}

/// Whether the chain holds, and where it breaks.
fn verified(desk: &mut Desk) -> (bool, Option<u64>) {
    let body = desk.ask("dev:admin", "GET", &format!("{SPACE}/audit/verify"), &Value::Null).body;
    (body["intact"].as_bool().unwrap(), body["broken_at"].as_u64())
}

#[test]
fn the_record_of_changes_tells_all_and_is_chained() {
    let mut desk = Desk::open();
    let (kid, secret) = desk.key(&json!({"name": "ci", "scopes": ["agents:read"]}));
    desk.ask("dev:admin", "PATCH", &format!("{KEYS}/{kid}"), &json!({"name": "new"}));
    desk.ask("dev:admin", "POST", &format!("{KEYS}/{kid}/rotate"), &json!({"grace_seconds": 60}));
    desk.ask("dev:admin", "DELETE", &format!("{KEYS}/{kid}"), &Value::Null);
    let audit = |desk: &mut Desk, query: &str| {
        desk.ask("dev:admin", "GET", &format!("{SPACE}/audit{query}"), &Value::Null)
    };
    let listed = audit(&mut desk, "");
    let entries = listed.body["entries"].as_array().unwrap();
    let actions: Vec<_> =
        entries.iter().rev().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        [
            "workspace.create",
            "member.add",
            "member.add",
            "key.create",
            "key.update",
            "key.rotate",
            "key.revoke"
        ]
    );
    let update = &entries[2];
    assert_eq!(
        (&update["changes"], &update["actor"]),
        (&json!({"name": ["ci", "new"]}), &json!("dev:admin"))
    );
    assert_eq!((&update["target"], &update["address"]), (&json!(kid), &json!("203.0.113.5")));
    assert!(!listed.managed.body.contains(secret.rsplit('_').next().unwrap()));
    let oldest = audit(&mut desk, "?order=oldest&limit=3");
    assert_eq!(
        (&oldest.body["entries"][0]["sequence"], &oldest.body["next"]),
        (&json!(1), &json!("4"))
    );
    assert_eq!(verified(&mut desk), (true, None));
    let whole = desk.object.clone();
    let row = |number: u32| format!("audit/{number:012}");
    for (change, broken) in [
        ((|text: &str| text.replace("\"new\"", "\"old\"")) as fn(&str) -> String, 5),
        (|text| text.replace("key.update", "key.upset"), 5),
        (|_| "broken".to_owned(), 5),
    ] {
        let text = change(&desk.object.rows[&row(5)]);
        desk.object.rows.insert(row(5), text);
        assert_eq!(verified(&mut desk), (false, Some(broken)));
        desk.object = whole.clone();
    }
    desk.object.rows.remove(&row(3));
    assert_eq!(verified(&mut desk), (false, Some(3)));
    desk.object = whole.clone();
    let (four, five) = (desk.object.rows[&row(4)].clone(), desk.object.rows[&row(5)].clone());
    desk.object.rows.insert(row(4), five);
    desk.object.rows.insert(row(5), four);
    assert_eq!(verified(&mut desk), (false, Some(4)));
    desk.object = whole;
    desk.object.rows.remove(&row(7));
    assert_eq!(verified(&mut desk), (false, Some(7)), "the end cut off");
}

/// Calls that no person makes are recorded like those that somebody does.
#[test]
fn calls_of_our_own_have_entries_too() {
    let mut desk = Desk::open();
    let before = entries(&mut desk).len();
    let root = desk.gate.keyring().newest();
    let kid: Kid = mint::kid(root, Workspace::parse(WORKSPACE).unwrap(), [1; 5]);
    let secret = SecretDocument::new(0, root.version(), &mint::imported_digest_of(root, "x"));
    let document = Document::new(&kid, "ak", secret, 1_700_000_000);
    let put = |desk: &mut Desk, name: &str, replaces| {
        let document = Box::new(Document { name: name.to_owned(), ..document.clone() });
        desk.call(&Call::Put { document, replaces })
    };
    assert!(matches!(put(&mut desk, "one", 0), Answer::Written { .. }));
    assert!(matches!(put(&mut desk, "two", 1), Answer::Written { .. }));
    assert!(matches!(put(&mut desk, "stale", 1), Answer::Conflict { .. }));
    let statuses = [Status::Disabled, Status::Active, Status::Quarantined, Status::Revoked];
    for status in statuses {
        let answer = desk.call(&Call::SetStatus { kid: kid.to_string(), status });
        assert!(matches!(answer, Answer::Written { .. }), "{answer:?}");
    }
    desk.key(&json!({"scopes": ["read"]}));
    assert!(matches!(desk.call(&Call::RevokeAll), Answer::Written { .. }));
    let all = entries(&mut desk);
    let told = |entry: &Value| {
        let text = |name: &str| entry[name].as_str().unwrap().to_owned();
        (text("action"), text("actor"), text("target"))
    };
    let by_us = |action: &str| (action.to_owned(), "portcullis".to_owned(), kid.to_string());
    let (last, all) = all[before..].split_last().unwrap();
    let mut expected = vec![by_us("key.create"), by_us("key.update")];
    expected.extend(
        ["disable", "enable", "quarantine", "revoke"].map(|act| by_us(&format!("key.{act}"))),
    );
    let (created, own) = all.split_last().unwrap();
    assert_eq!(own.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(created["actor"], "dev:admin");
    assert_eq!(told(last), ("key.revoke_all".into(), "portcullis".into(), WORKSPACE.into()));
    assert_eq!(last["changes"], json!({"keys": [1, 0]}));
    assert_eq!(own[1]["changes"], json!({"name": ["one", "two"]}));
    assert_eq!(own[2]["changes"], json!({"status": ["active", "disabled"]}));
    assert_eq!(verified(&mut desk), (true, None));
}

#[test]
fn each_imported_key_has_an_entry_of_its_own() {
    let mut desk = Desk::open();
    let before = entries(&mut desk).len();
    let row = |text: &str, tier: &str| {
        let sha256 = data_encoding::HEXLOWER.encode(&crypto::sha256(text.as_bytes()));
        json!({"sha256": sha256, "scopes": ["read"], "name": text, "tier": tier})
    };
    let rows = json!({"keys": [row("one", "free"), row("two", "gold"), row("one", "free"), row("three", "free")]});
    let imported = desk.ask("dev:admin", "POST", &format!("{KEYS}/import"), &rows);
    let kid = |row: usize| imported.body["rows"][row]["id"].as_str().unwrap();
    let told: Vec<_> = entries(&mut desk)[before..]
        .iter()
        .map(|entry| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&entry["action"]), text(&entry["target"]), text(&entry["changes"]["name"][1]))
        })
        .collect();
    let entry = |row: usize, name: &str| ("key.import".into(), kid(row).into(), name.into());
    assert_eq!(told, [entry(0, "one"), entry(3, "three")]);
    assert_eq!(verified(&mut desk), (true, None));
}
