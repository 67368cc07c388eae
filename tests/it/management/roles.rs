//! Who may do what.

use portcullis::management::endpoint::Access;
use portcullis::management::table::ENDPOINTS;
use serde_json::{Value, json};

use portcullis::workspace::call::{Answer, Call, Told};

use super::desk::{Desk, KEYS, SPACE};

/// Every endpoint of a workspace for every role: what the table declares is what happens.
#[test]
fn every_endpoint_is_open_to_the_roles_it_declares() {
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.path.contains("{workspace}")) {
        for actor in ["dev:stranger", "dev:member", "dev:admin", "dev:owner", "dev:root"] {
            let mut desk = Desk::open();
            let (kid, _) = desk.key(&json!({"scopes": ["read"]}));
            let told = Told { incidents: vec![DENIED.to_owned()], ..Told::default() };
            assert_eq!(desk.call(&Call::Report { kid: kid.clone(), told }), Answer::Done);
            let hook = json!({"url": "https://hooks.example.com/"});
            desk.ask("dev:owner", "PUT", &format!("{SPACE}/webhooks"), &hook);
            let target = if endpoint.method == "PUT" { "dev:new" } else { "dev:member" };
            let path = endpoint
                .path
                .replace("{workspace}", "DEM0WS")
                .replace("{kid}", &kid)
                .replace("{request_id}", &"0".repeat(32))
                .replace("{member}", target);
            let body = match endpoint.id {
                "createKey" => json!({"scopes": ["read"]}),
                "importKeys" => json!({"keys": [{"sha256": "0".repeat(64), "scopes": ["read"]}]}),
                "putWebhook" => hook,
                "putKeyAlerts" => json!({"thresholds": [80]}),
                "rotateKey" | "rotateWebhook" => json!({"grace_seconds": 0}),
                "putMember" => json!({"role": "member"}),
                "updateKey" | "updateWorkspace" => json!({"name": "x"}),
                _ => Value::Null,
            };
            let reply = desk.ask(actor, endpoint.method, &path, &body);
            let reaches = match actor {
                "dev:member" => endpoint.access <= Access::Member,
                "dev:admin" => endpoint.access <= Access::Admin,
                "dev:owner" => true,
                // Named in the policy, but there is an owner.
                _ => false,
            };
            let expected = match (actor, reaches) {
                ("dev:stranger" | "dev:root", _) => 404,
                (_, true) => endpoint.success.0,
                (_, false) => 403,
            };
            assert_eq!(reply.status, expected, "{actor} {} {reply:?}", endpoint.id);
            if expected < 300 {
                // What the document says of ETag and `wait` is so.
                let waits = endpoint.query.iter().any(|field| field.name == "wait");
                let told = (reply.managed.version.is_some(), reply.managed.effective_by.is_some());
                assert_eq!(told, (endpoint.is_tagged(), waits), "{}", endpoint.id);
            }
        }
    }
}

#[test]
fn unknown_and_foreign_are_answered_alike() {
    let mut desk = Desk::open();
    let (kid, _) = desk.key(&json!({"scopes": ["read"]}));
    let stranger = desk.ask("dev:stranger", "GET", &format!("{KEYS}/{kid}"), &Value::Null);
    let unknown = Desk::empty().ask("dev:stranger", "GET", &format!("{KEYS}/{kid}"), &Value::Null);
    let no_key =
        desk.ask("dev:owner", "GET", &format!("{KEYS}/00000000000000000000"), &Value::Null);
    let no_kid = desk.ask("dev:owner", "GET", &format!("{KEYS}/x"), &Value::Null);
    assert_eq!(stranger.status, 404);
    for other in [unknown, no_key, no_kid] {
        assert_eq!(other.managed, stranger.managed);
    }
}

#[test]
fn owners_are_made_and_unmade_by_owners_and_one_stays() {
    let mut desk = Desk::open();
    let put = |desk: &mut Desk, actor: &str, member: &str, role: &str| {
        let reply =
            desk.ask(actor, "PUT", &format!("{SPACE}/members/{member}"), &json!({ "role": role }));
        (reply.status, reply.code().to_owned())
    };
    let remove = |desk: &mut Desk, actor: &str, member: &str| {
        desk.ask(actor, "DELETE", &format!("{SPACE}/members/{member}"), &Value::Null).status
    };
    let ok = (200, String::new());
    assert_eq!(put(&mut desk, "dev:admin", "dev:admin", "owner").0, 403);
    assert_eq!(put(&mut desk, "dev:admin", "dev:owner", "member").0, 403);
    assert_eq!(put(&mut desk, "dev:admin", "dev:second", "admin"), ok);
    assert_eq!(put(&mut desk, "dev:owner", "dev:owner", "admin"), (409, "LAST_OWNER".to_owned()));
    assert_eq!(remove(&mut desk, "dev:admin", "dev:owner"), 403);
    assert_eq!(remove(&mut desk, "dev:owner", "dev:owner"), 409);
    assert_eq!(put(&mut desk, "dev:owner", "dev:second", "owner"), ok);
    assert_eq!(put(&mut desk, "dev:second", "dev:owner", "member"), ok);
    assert_eq!(remove(&mut desk, "dev:member", "dev:owner"), 403);
    assert_eq!(remove(&mut desk, "dev:member", "dev:member"), 200, "anybody may leave");
    assert_eq!(desk.ask("dev:member", "GET", SPACE, &Value::Null).status, 404);
    for id in ["dev", "other:x", "dev:%C3%A9", ":x"] {
        assert_eq!(put(&mut desk, "dev:second", id, "member").0, 422, "{id}");
    }
    assert_eq!(put(&mut desk, "dev:second", "dev:auth0%7Cx%2Fy", "member"), ok);
    // Rows are named by members: what is none is nobody.
    for id in ["dev:a%0Akey", "dev:a%09b%095", "dev:a%20b", "x"] {
        let path = format!("{SPACE}/members/{id}");
        for method in ["GET", "DELETE"] {
            assert_eq!(desk.ask("dev:second", method, &path, &Value::Null).status, 404, "{id}");
        }
        assert_eq!(put(&mut desk, "dev:second", id, "member").0, 422, "{id}");
    }
}

/// Whoever the policy names owns a workspace that has no owner of its own, whatever others make of them.
#[test]
fn the_policys_owner_stands_in_where_there_is_none() {
    let mut desk = Desk::empty();
    let open = Call::Open { workspace: super::desk::WORKSPACE.to_owned() };
    desk.call(&open);
    assert_eq!(desk.ask("dev:root", "GET", SPACE, &Value::Null).body["role"], json!("owner"));
    assert_eq!(desk.ask("dev:other", "GET", SPACE, &Value::Null).status, 404);
    for role in ["admin", "owner"] {
        desk.ask("dev:root", "PUT", &format!("{SPACE}/members/dev:other"), &json!({"role": role}));
        if role == "admin" {
            let root = format!("{SPACE}/members/dev:root");
            assert_eq!(desk.ask("dev:other", "PUT", &root, &json!({"role": "member"})).status, 200);
            let again = desk.ask("dev:root", "GET", SPACE, &Value::Null);
            assert_eq!(again.body["role"], json!("owner"));
            desk.ask("dev:root", "DELETE", &root, &Value::Null);
        }
    }
    assert_eq!(desk.ask("dev:root", "GET", SPACE, &Value::Null).status, 404);
}

#[test]
fn a_personal_key_ends_with_the_membership() {
    let mut desk = Desk::open();
    for (member, path) in [("dev:a", "dev:a"), ("dev:a/b", "dev:a%2Fb")] {
        desk.ask("dev:owner", "PUT", &format!("{SPACE}/members/{path}"), &json!({"role": "admin"}));
        let own = json!({"scopes": ["read"], "type": "personal", "subject": member});
        assert_eq!(desk.ask(member, "POST", KEYS, &own).status, 201);
    }
    let removed = desk.ask("dev:admin", "DELETE", &format!("{SPACE}/members/dev:a"), &Value::Null);
    assert_eq!(removed.body["revoked_keys"], json!(1), "and not the key of dev:a/b");
    let keys = desk.ask("dev:admin", "GET", KEYS, &Value::Null).body["keys"].clone();
    let states: Vec<_> =
        keys.as_array().unwrap().iter().map(|key| (&key["subject"], &key["status"])).collect();
    assert!(states.contains(&(&json!("dev:a"), &json!("revoked"))));
    assert!(states.contains(&(&json!("dev:a/b"), &json!("active"))));
    // Nobody acts by a key for somebody else, whatever the roles.
    let own = json!({"scopes": ["read"], "type": "personal", "subject": "dev:admin"});
    assert_eq!(desk.ask("dev:owner", "POST", KEYS, &own).fields(), ["subject"]);
    let kid = desk.ask("dev:admin", "POST", KEYS, &own).body["id"].as_str().unwrap().to_owned();
    let path = |what: &str| format!("{KEYS}/{kid}{what}");
    let ask = |desk: &mut Desk, actor: &str, method: &str, what: &str, body: Value| {
        desk.ask(actor, method, &path(what), &body).status
    };
    for (actor, status) in [("dev:owner", 403), ("dev:admin", 200)] {
        let grace = json!({"grace_seconds": 0});
        assert_eq!(ask(&mut desk, actor, "POST", "/rotate", grace), status, "{actor}");
        assert_eq!(ask(&mut desk, actor, "PATCH", "", json!({"name": actor})), status, "{actor}");
        assert_eq!(ask(&mut desk, actor, "POST", "/disable", Value::Null), 200, "{actor}");
        assert_eq!(ask(&mut desk, actor, "POST", "/enable", Value::Null), status, "{actor}");
    }
    // Back again, the key stays what it is.
    desk.ask("dev:owner", "PUT", &format!("{SPACE}/members/dev:a"), &json!({"role": "member"}));
    let own = json!({"scopes": ["read"], "type": "personal"});
    assert_eq!(desk.ask("dev:admin", "POST", KEYS, &own).body["subject"], json!("dev:admin"));
}

const DENIED: &str =
    "00000000000000000000000000000000|1700000000000|GET|/x|IP_NOT_ALLOWED|192.0.2.1|1|";
