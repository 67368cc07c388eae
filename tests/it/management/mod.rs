//! The management API, as a workspace answers it.

mod alerts;
mod audit;
mod budgets;
mod denials;
mod desk;
mod directory;
mod expiry;
mod import;
mod leaks;
mod limits;
#[cfg(feature = "policy-source")]
mod policy;
mod roles;
mod served;
mod sign_in;
mod signing;
mod usage;
mod waiting;
mod world;

use portcullis::record::{Document, Status};
use portcullis::workspace::call::{Answer, Call};
use serde_json::{Value, json};

use desk::{Desk, KEYS, SPACE};

fn service() -> Value {
    json!({"name": "ci", "scopes": ["agents:read"]})
}

/// The document that gates get.
fn document(desk: &mut Desk, kid: &str) -> Document {
    let answer = desk.call(&Call::Record { kid: kid.to_owned() });
    let Answer::Record { value } = answer else { panic!("{answer:?}") };
    let kid = portcullis::key::Kid::parse(kid).unwrap();
    Document::open(desk.gate.keyring(), &kid, value.as_bytes()).unwrap().0
}

#[test]
fn a_key_is_created_shown_listed_and_its_secret_is_told_once() {
    let mut desk = Desk::open();
    let fields = json!({
        "name": "ci", "description": "builds", "type": "project", "project_id": "p-1",
        "environment": "live", "scopes": ["agents:read", "write"], "bindings": {"agent_id": ["a"]},
        "ips": ["203.0.113.0/24"], "tier": "free", "expires": "2100-01-01T00:00:00Z",
        "not_before": "2024-01-01T00:00:00Z", "signature": "optional",
    });
    let (kid, secret) = desk.key(&fields);
    assert!(secret.starts_with(&format!("ak_live_{kid}_")));
    let shown = desk.ask("dev:member", "GET", &format!("{KEYS}/{kid}"), &Value::Null);
    assert_eq!(shown.managed.version, Some(1));
    for (name, value) in fields.as_object().unwrap() {
        let own = match name.as_str() {
            "environment" | "project_id" => continue,
            "bindings" => json!({"agent_id": ["a"], "project_id": ["p-1"]}),
            "scopes" => json!(["agents:read", "write"]),
            _ => value.clone(),
        };
        assert_eq!(shown.body[name], own, "{name}");
    }
    assert_eq!(
        (&shown.body["created_by"], &shown.body["status"]),
        (&json!("dev:admin"), &json!("active"))
    );
    let listed = desk.ask("dev:member", "GET", KEYS, &Value::Null);
    assert_eq!(listed.body["keys"][0], shown.body);
    let rows = format!("{:?}", desk.object.rows);
    let tail = secret.rsplit('_').next().unwrap();
    for piece in tail.as_bytes().windows(10) {
        assert!(
            !rows.contains(core::str::from_utf8(piece).unwrap()),
            "a piece of a secret is stored"
        );
    }
    assert!(!listed.managed.body.contains(tail) && !format!("{listed:?}").contains(tail));
}

#[test]
fn fields_are_checked_against_each_other_and_the_policy() {
    let mut desk = Desk::open();
    for (fields, wrong) in [
        (json!({}), vec!["scopes"]),
        (json!({"scopes": []}), vec!["scopes"]),
        (json!({"scopes": ["agents"]}), vec!["scopes[0]"]),
        (json!({"scopes": ["read"], "kid": "x", "role": "owner"}), vec!["kid", "role"]),
        (json!({"scopes": ["read"], "type": "temporary"}), vec!["expires"]),
        (
            json!({"scopes": ["read"], "type": "temporary", "expires": "2100-01-01T00:00:00Z"}),
            vec!["expires"],
        ),
        (json!({"scopes": ["read"], "expires": "2001-01-01T00:00:00Z"}), vec!["expires"]),
        (
            json!({"scopes": ["read"], "expires": "2099-01-01T00:00:00Z", "not_before": "2099-01-01T00:00:00Z"}),
            vec!["not_before"],
        ),
        (json!({"scopes": ["read"], "type": "project"}), vec!["project_id"]),
        (json!({"scopes": ["read"], "project_id": "p"}), vec!["project_id"]),
        (json!({"scopes": ["read"], "type": "personal", "subject": "dev:nobody"}), vec!["subject"]),
        (json!({"scopes": ["read"], "subject": "dev:member"}), vec!["subject"]),
        (json!({"scopes": ["read"], "tier": "gold"}), vec!["tier"]),
        (
            json!({"scopes": ["read"], "tier": "free", "limits": {"requests": 1, "burst": 1}}),
            vec!["limits"],
        ),
        (json!({"scopes": ["read"], "limits": {"requests": 1, "burst": 2}}), vec!["limits"]),
        (json!({"scopes": ["read"], "limits": {"requests": 1}}), vec!["limits.burst"]),
        (json!({"scopes": ["read"], "ips": ["10.0.0.1/8"]}), vec!["ips[0]"]),
        (json!({"scopes": ["read"], "ips": ["300.1.1.1", "1.2.3.4/33"]}), vec!["ips[0]", "ips[1]"]),
        (json!({"scopes": ["read"], "ips": ["0.0.0.0/0"]}), vec!["ips"]),
        (json!({"scopes": ["read"], "bindings": {"Agent": ["a"]}}), vec!["bindings"]),
        (json!([]), vec![""]),
    ] {
        let refused = desk.ask("dev:admin", "POST", KEYS, &fields);
        assert_eq!((refused.status, refused.code()), (422, "VALIDATION_FAILED"), "{fields}");
        assert_eq!(refused.fields(), wrong, "{fields}");
    }
    desk.key(&json!({"scopes": ["read"], "ips": ["0.0.0.0/0"], "allow_any_network": true}));
    for text in ["", "{", "{\"scopes\":[\"read\"],\"scopes\":[\"write\"]}"] {
        let refused = desk
            .ask_with("dev:admin", "POST", KEYS, &Value::Null, |call| call.body = text.to_owned());
        assert_eq!((refused.status, refused.code()), (400, "BAD_REQUEST"), "{text}");
    }
}

#[test]
fn a_key_of_which_nobody_says_what_it_may_has_the_policys_scopes() {
    let mut desk = Desk::open();
    let mut policy = desk::policy();
    policy["management"]["default_scopes"] = json!(["read", "write"]);
    desk.gate = desk::gate(&policy);
    let made = |desk: &mut Desk, fields: Value| {
        desk.ask_with("dev:admin", "POST", KEYS, &fields, |call| {
            call.scopes = Some(vec!["*:read".into(), "*:write".into()]);
        })
    };
    assert_eq!(made(&mut desk, json!({})).body["scopes"], json!(["read", "write"]));
    assert_eq!(made(&mut desk, json!({"scopes": ["read"]})).body["scopes"], json!(["read"]));
    assert_eq!(made(&mut desk, json!({"scopes": []})).fields(), ["scopes"]);
    let short = desk.ask_with("dev:admin", "POST", KEYS, &json!({}), |call| {
        call.scopes = Some(vec!["*:read".into()]);
    });
    assert_eq!(short.fields(), ["scopes"]);
}

#[test]
fn nobody_gives_more_than_the_token_has() {
    let mut desk = Desk::open();
    let ask = |desk: &mut Desk, scopes: &[&str], fields: &Value| {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        desk.ask_with("dev:admin", "POST", KEYS, fields, |call| call.scopes = Some(scopes)).status
    };
    let fields = json!({"scopes": ["agents:read"]});
    assert_eq!(ask(&mut desk, &["agents:*", "openid"], &fields), 201);
    assert_eq!(ask(&mut desk, &["agents:write", "openid"], &fields), 422);
    assert_eq!(ask(&mut desk, &[], &fields), 422);
    let (kid, _) = desk.key(&json!({"scopes": ["*:*"]}));
    let path = format!("{KEYS}/{kid}/rotate");
    for (scopes, status) in [("agents:read", 403), ("*:*", 200)] {
        let rotated =
            desk.ask_with("dev:admin", "POST", &path, &json!({"grace_seconds": 0}), |call| {
                call.scopes = Some(vec![scopes.to_owned()]);
            });
        assert_eq!(rotated.status, status, "{rotated:?}");
    }
}

#[test]
fn twenty_keys_are_active_and_room_comes_by_expiry_and_revocation() {
    let mut desk = Desk::open();
    let soon = json!({"scopes": ["read"], "expires": "2099-01-01T00:00:00Z"});
    let kids: Vec<String> = (0..20).map(|_| desk.key(&soon).0).collect();
    let full = |desk: &mut Desk| {
        let refused = desk.ask("dev:admin", "POST", KEYS, &service());
        assert_eq!((refused.status, refused.code()), (409, "KEY_LIMIT"));
    };
    full(&mut desk);
    let turn = |desk: &mut Desk, kid: &str, what: &str| {
        desk.ask("dev:admin", "POST", &format!("{KEYS}/{kid}/{what}"), &Value::Null).status
    };
    assert_eq!(turn(&mut desk, &kids[0], "disable"), 200);
    full(&mut desk);
    let revoke = desk.ask("dev:admin", "DELETE", &format!("{KEYS}/{}", kids[1]), &Value::Null);
    assert_eq!((revoke.status, &revoke.body["revoked"]), (200, &json!(true)));
    let (last, _) = desk.key(&service());
    full(&mut desk);
    // In 2099 only the last one is left.
    desk.millis = 100 * 366 * 86_400 * 1000;
    let space = desk.ask("dev:member", "GET", SPACE, &Value::Null);
    assert_eq!(space.body["keys"], json!(1), "{space:?}");
    let later = json!({"expires": "2300-01-01T00:00:00Z"});
    for kid in &kids[2..] {
        let path = format!("{KEYS}/{kid}");
        assert_eq!(desk.ask("dev:admin", "PATCH", &path, &later).status, 200);
    }
    desk.key(&service());
    full(&mut desk);
    let path = format!("{KEYS}/{}", kids[0]);
    assert_eq!(desk.ask("dev:admin", "PATCH", &path, &later).status, 409);
    assert_eq!(turn(&mut desk, &last, "disable"), 200);
}

#[test]
fn a_change_names_its_version_and_leaves_the_rest() {
    let mut desk = Desk::open();
    let (kid, _) = desk.key(&json!({"name": "a", "scopes": ["read"], "ips": ["203.0.113.0/24"]}));
    let path = format!("{KEYS}/{kid}");
    let patch = |desk: &mut Desk, version: u64, fields: &Value| {
        desk.ask_with("dev:admin", "PATCH", &path, fields, |call| call.version = Some(version))
    };
    let changed = patch(&mut desk, 1, &json!({"description": "d", "ips": null}));
    assert_eq!((changed.status, changed.managed.version), (200, Some(2)));
    assert_eq!(changed.body["ips"], Value::Null);
    assert_eq!((&changed.body["name"], &changed.body["description"]), (&json!("a"), &json!("d")));
    let stale = patch(&mut desk, 1, &json!({"name": "b"}));
    assert_eq!((stale.status, stale.code()), (412, "VERSION_CONFLICT"));
    let same = patch(&mut desk, 2, &json!({"name": "a"}));
    assert_eq!((same.status, same.managed.version), (200, Some(2)), "nothing was changed");
    assert_eq!(document(&mut desk, &kid).version, 2);
}

#[test]
fn a_rotated_key_has_two_secrets_until_the_grace_ends() {
    let mut desk = Desk::open();
    let (kid, first) = desk.key(&json!({"scopes": ["read"], "tier": "free"}));
    let rotate = |desk: &mut Desk, grace: u64| {
        desk.ask(
            "dev:admin",
            "POST",
            &format!("{KEYS}/{kid}/rotate"),
            &json!({"grace_seconds": grace}),
        )
    };
    let rotated = rotate(&mut desk, 60);
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let second = rotated.body["secret"].as_str().unwrap();
    assert!(second.contains(&kid) && second != first);
    let secrets = document(&mut desk, &kid).secrets;
    let ends: Vec<_> =
        secrets.iter().map(|secret| (secret.generation, secret.expires.is_some())).collect();
    assert_eq!(ends, [(0, true), (1, false)]);
    desk.millis += 60_000;
    assert_eq!(
        rotate(&mut desk, 0).body["secrets"].as_array().unwrap().len(),
        1,
        "no grace, no others"
    );
    for _ in 0..4 {
        assert_eq!(rotate(&mut desk, 3600).status, 200);
    }
    assert_eq!(rotate(&mut desk, 3600).fields(), ["grace_seconds"], "five secrets work");
    assert_eq!(rotate(&mut desk, 0).status, 200);
    for _ in 0..40 {
        rotate(&mut desk, 0);
    }
    assert_eq!(rotate(&mut desk, 0).status, 422, "generations are used up");
}

#[test]
fn a_repeated_request_is_answered_again_without_its_secret() {
    let mut desk = Desk::open();
    let ask = |desk: &mut Desk, fields: &Value, actor: &str| {
        desk.ask_with(actor, "POST", KEYS, fields, |call| call.once = Some("ab".repeat(32)))
    };
    let first = ask(&mut desk, &service(), "dev:admin");
    let again = ask(&mut desk, &service(), "dev:admin");
    assert!(first.body["secret"].is_string() && again.body["secret"].is_null());
    assert_eq!((again.status, again.managed.repeated), (201, true));
    assert_eq!(first.body["id"], again.body["id"]);
    let other = ask(&mut desk, &json!({"scopes": ["write"]}), "dev:admin");
    assert_eq!((other.status, other.code()), (422, "IDEMPOTENCY_CONFLICT"));
    let of_another = ask(&mut desk, &service(), "dev:owner");
    assert_eq!((of_another.status, of_another.managed.repeated), (201, false));
    let keys = desk.ask("dev:admin", "GET", KEYS, &Value::Null).body["keys"].clone();
    assert_eq!(keys.as_array().unwrap().len(), 2);
    desk.millis += 2 * 86_400 * 1000;
    assert_ne!(
        ask(&mut desk, &service(), "dev:admin").body["id"],
        first.body["id"],
        "two days later"
    );
    assert_eq!(desk.object.rows.keys().filter(|name| name.starts_with("once/")).count(), 1);
}

#[test]
fn keys_are_listed_page_by_page_the_newest_first_and_by_project() {
    let mut desk = Desk::open();
    let mut kids = Vec::new();
    for number in 0..7 {
        desk.millis += 1000;
        let fields = match number % 2 {
            0 => json!({"scopes": ["read"], "type": "project", "project_id": "p"}),
            _ => service(),
        };
        kids.push(desk.key(&fields).0);
    }
    kids.reverse();
    let list = |desk: &mut Desk, query: &str| {
        let (mut found, mut next) = (Vec::new(), String::new());
        loop {
            let page = desk.ask(
                "dev:member",
                "GET",
                &format!("{KEYS}?limit=2{query}{next}"),
                &Value::Null,
            );
            assert_eq!(page.status, 200, "{page:?}");
            let keys = page.body["keys"].as_array().unwrap();
            assert!(keys.len() <= 2);
            found.extend(keys.iter().map(|key| key["id"].as_str().unwrap().to_owned()));
            match page.body["next"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => return found,
            }
        }
    };
    assert_eq!(list(&mut desk, ""), kids);
    let project: Vec<_> = kids.iter().step_by(2).cloned().collect();
    assert_eq!(list(&mut desk, "&project_id=p"), project);
    for query in [
        "limit=0",
        "limit=101",
        "limit=x",
        "cursor=x",
        "cursor=../x",
        "colour=red",
        "limit=1&limit=2",
    ] {
        assert_eq!(
            desk.ask("dev:member", "GET", &format!("{KEYS}?{query}"), &Value::Null).status,
            422,
            "{query}"
        );
    }
}

#[test]
fn what_is_held_back_goes_on_and_what_is_revoked_never() {
    let mut desk = Desk::open();
    let (kid, _) = desk.key(&service());
    let turn = |desk: &mut Desk, what: &str| {
        desk.ask("dev:admin", "POST", &format!("{KEYS}/{kid}/{what}"), &Value::Null)
    };
    assert_eq!(turn(&mut desk, "disable").body["status"], json!("disabled"));
    assert_eq!(document(&mut desk, &kid).status, Status::Disabled);
    assert_eq!(turn(&mut desk, "enable").body["status"], json!("active"));
    let all = desk.ask("dev:admin", "POST", &format!("{KEYS}/revoke-all"), &Value::Null);
    assert_eq!((all.status, &all.body["revoked"]), (200, &json!(true)));
    assert_eq!(document(&mut desk, &kid).status, Status::Revoked);
    for what in ["enable", "disable"] {
        let refused = turn(&mut desk, what);
        assert_eq!((refused.status, refused.code()), (409, "KEY_REVOKED"));
    }
    let again = desk.ask("dev:admin", "DELETE", &format!("{KEYS}/{kid}"), &Value::Null);
    assert_eq!(again.status, 200, "what is revoked is revoked");
    assert_eq!(desk.ask("dev:admin", "GET", SPACE, &Value::Null).body["keys"], json!(0));
}

#[test]
fn limits_of_the_workspace_stay_within_the_policys() {
    let mut desk = Desk::open();
    let patch = |desk: &mut Desk, requests: u32, burst: u32| {
        let limits = json!({"limits": {"requests": requests, "burst": burst}});
        desk.ask("dev:owner", "PATCH", SPACE, &limits)
    };
    assert_eq!(patch(&mut desk, 500, 50).body["limits"]["requests"], json!(500));
    assert_eq!(patch(&mut desk, 1001, 50).fields(), ["limits"]);
    assert_eq!(patch(&mut desk, 500, 101).fields(), ["limits"]);
    // The same rate over a day, of which an hour may have more than the policy's hour.
    let day = json!({"limits": {"requests": 24_000, "window_seconds": 86_400, "burst": 100}});
    assert_eq!(desk.ask("dev:owner", "PATCH", SPACE, &day).fields(), ["limits"]);
    let named = desk.ask("dev:owner", "PATCH", SPACE, &json!({"name": "Other", "limits": null}));
    assert_eq!(
        (&named.body["name"], &named.body["limits"]["requests"]),
        (&json!("Other"), &json!(1000))
    );
    assert_eq!(named.managed.version, Some(3));
}

/// A workspace from before the management API: keys are there and no index.
#[test]
fn keys_from_before_the_index_are_listed_counted_and_taken_into_it() {
    let mut desk = Desk::open();
    let soon = json!({"scopes": ["read"], "expires": "2099-01-01T00:00:00Z"});
    let kids: Vec<String> = (0..3).map(|_| desk.key(&soon).0).collect();
    let gone = desk.ask("dev:admin", "DELETE", &format!("{KEYS}/{}", kids[0]), &Value::Null);
    assert_eq!(gone.status, 200);
    let indexed = desk.object.clone();
    let index =
        |name: &str| ["list/", "ends/", "live"].iter().any(|prefix| name.starts_with(prefix));
    desk.object.rows.retain(|name, _| !index(name));
    let seen = |desk: &mut Desk| {
        let list = desk.ask("dev:member", "GET", KEYS, &Value::Null).body["keys"].clone();
        let count = desk.ask("dev:member", "GET", SPACE, &Value::Null).body["keys"].clone();
        (list, count)
    };
    let before = seen(&mut desk);
    assert_eq!((before.0.as_array().unwrap().len(), &before.1), (3, &json!(2)));
    let path = format!("{KEYS}/{}", kids[1]);
    assert_eq!(desk.ask("dev:admin", "PATCH", &path, &json!({"name": "x"})).status, 200);
    let rows = |object: &crate::simulation::object::Object| {
        object
            .rows
            .iter()
            .filter(|(name, _)| index(name))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&desk.object), rows(&indexed));
}
