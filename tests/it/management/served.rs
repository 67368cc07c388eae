//! Requests from head to answer.

use portcullis::key::{Kid, Workspace};
use portcullis::management::exchange::Object;
use portcullis::mint;
use portcullis::root::Keyring;
use portcullis::workspace::call::{Admit, Answer, Call};
use serde_json::{Value, json};

use super::world::{Sent, World, get, with};
use crate::workspace::{admit, at};

#[test]
fn a_workspace_is_opened_by_the_policys_owners_and_found_by_its_members() {
    let mut world = World::new();
    let refused = world.send(&with("POST", "other", "/api/v1/workspaces", json!({"name": "x"})));
    assert_eq!((refused.status, refused.code()), (403, "PERMISSION_DENIED"));
    let (one, two) = (world.open("one"), world.open("two"));
    let list = |world: &mut World, who: &str| {
        let listed = world.send(&get(who, "/api/v1/workspaces")).body;
        let spaces = listed["workspaces"].as_array().unwrap().clone();
        let mut names: Vec<_> =
            spaces.iter().map(|space| space["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(list(&mut world, "root"), ["one", "two"]);
    assert!(list(&mut world, "other").is_empty());
    let current =
        |world: &mut World, who: &str| world.send(&get(who, "/api/v1/workspaces/current"));
    assert_eq!(current(&mut world, "other").status, 404);
    let member = format!("{two}/members/dev:other");
    assert_eq!(world.send(&with("PUT", "root", &member, json!({"role": "member"}))).status, 200);
    assert_eq!(list(&mut world, "other"), ["two"]);
    assert_eq!(current(&mut world, "other").body["name"], json!("two"));
    assert_eq!(current(&mut world, "root").status, 404, "two of them");
    assert_eq!(world.send(&get("other", &one)).status, 404);
    assert_eq!(world.send(&with("DELETE", "other", &member, Value::Null)).status, 200);
    assert!(list(&mut world, "other").is_empty());
}

#[test]
fn the_same_idempotency_key_opens_one_workspace() {
    let mut world = World::new();
    let sent = |key| Sent {
        headers: key,
        ..with("POST", "root", "/api/v1/workspaces", json!({"name": "x"}))
    };
    let (first, again) = (
        world.send(&sent(&[("idempotency-key", "a")])),
        world.send(&sent(&[("idempotency-key", "a")])),
    );
    assert_eq!((first.status, &first.body), (201, &again.body));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_ne!(world.send(&sent(&[("idempotency-key", "b")])).body["id"], first.body["id"]);
    // A number that somebody else has is passed by.
    let number = first.body["id"].as_str().unwrap().to_owned();
    let taken = world.workspaces[&number].clone();
    world.workspaces.remove(&number);
    let space = world.workspaces.entry(number).or_default();
    *space = taken;
    space.rows.retain(|name, _| !name.starts_with("member/") && !name.starts_with("once/"));
    space.rows.insert(
        "member/dev:other".to_owned(),
        r#"{"role":"owner","added":1,"added_by":"x"}"#.to_owned(),
    );
    let moved = world.send(&sent(&[("idempotency-key", "a")]));
    assert_eq!(moved.status, 201);
    assert_ne!(moved.body["id"], first.body["id"]);
}

#[test]
fn a_key_manages_nothing_and_asks_for_its_own_use() {
    let mut world = World::new();
    let space = world.open("one");
    let keys = format!("{space}/api-keys");
    let created = world.send(&with(
        "POST",
        "root",
        &keys,
        json!({"scopes": ["*:*"], "ips": ["203.0.113.0/24"]}),
    ));
    assert_eq!((created.status, created.headers["etag"].as_str()), (201, "\"1\""));
    assert_eq!(created.headers["cache-control"], "no-store");
    let kid = created.body["id"].as_str().unwrap();
    assert_eq!(created.headers["location"], format!("{keys}/{kid}"));
    let key = created.body["secret"].as_str().unwrap().to_owned();
    for (method, path) in
        [("GET", keys.as_str()), ("POST", &keys), ("GET", "/api/v1/me"), ("GET", &space)]
    {
        let body = if method == "POST" { json!({"scopes": ["read"]}) } else { Value::Null };
        let refused = world.send(&with(method, &key, path, body));
        assert_eq!(
            (refused.status, refused.code()),
            (403, "API_KEY_NOT_ALLOWED"),
            "{method} {path}"
        );
    }
    let near: &[(&str, &str)] = &[("cf-connecting-ip", "203.0.113.9")];
    let usage = |world: &mut World, who: &str, headers| {
        world.send(&Sent { headers, ..get(who, "/api/v1/keys/usage") })
    };
    assert_eq!(usage(&mut world, &key, near).body, json!({"hours": [], "last_used": null}));
    assert_eq!(usage(&mut world, &key, &[]).code(), "IP_NOT_ALLOWED");
    assert_eq!(usage(&mut world, "root", near).code(), "PERMISSION_DENIED");
    assert_eq!(usage(&mut world, "", near).code(), "MISSING_API_KEY");
    let forged = key.replace(kid, "00000000000000000000");
    assert_eq!(usage(&mut world, &forged, near).code(), "INVALID_API_KEY");
    for mistyped in [format!("{key}x"), "ak_wrong".to_owned()] {
        assert_eq!(usage(&mut world, &mistyped, near).code(), "INVALID_API_KEY", "{mistyped}");
    }
    // Of a form that only the gate knows more of.
    let imported = "A".repeat(43) + "=";
    let sent = [("cf-connecting-ip", "203.0.113.9"), ("x-api-key", imported.as_str())];
    assert_eq!(usage(&mut world, "", &sent).code(), "API_KEY_NOT_ALLOWED");
    world.send(&with("DELETE", "root", &format!("{keys}/{kid}"), Value::Null));
    world.desk.millis += 1_000;
    assert_eq!(usage(&mut world, &key, near).code(), "REVOKED_API_KEY");
}

#[test]
fn a_flood_of_one_keys_questions_is_a_few_calls_a_second() {
    let mut world = World::new();
    let keys = format!("{}/api-keys", world.open("one"));
    let key = |world: &mut World| {
        let made = world.send(&with("POST", "root", &keys, json!({"scopes": ["read"]})));
        made.body["secret"].as_str().unwrap().to_owned()
    };
    let (one, two) = (key(&mut world), key(&mut world));
    let usage = |world: &mut World, who: &str, query: &str| {
        world.send(&get(who, &format!("/api/v1/keys/usage{query}")))
    };
    for second in 1..=3 {
        world.asked.clear();
        for _ in 0..100 {
            assert_eq!(usage(&mut world, &one, "").status, 200);
        }
        assert_eq!(world.asked.len(), 2, "in second {second}");
        world.desk.millis += 1_000;
    }
    world.asked.clear();
    let spans = (1..100).map(|day| {
        let query = format!("?from=2026-{:02}-{:02}T00:00:00Z", day / 28 + 1, day % 28 + 1);
        let query = format!("{query}&to=2026-{:02}-{:02}T01:00:00Z", day / 28 + 1, day % 28 + 1);
        usage(&mut world, &one, &query)
    });
    let replies: Vec<_> = spans.collect();
    let refused: Vec<_> = replies.iter().filter(|reply| reply.status != 200).collect();
    assert_eq!((refused.len(), world.asked.len()), (92, 8));
    for reply in refused {
        assert_eq!((reply.status, reply.code()), (429, "RATE_LIMITED"));
        assert_eq!(reply.headers["retry-after"], "1");
    }
    assert_eq!(usage(&mut world, &two, "").status, 200, "of another key");
    // A workspace that does not answer is asked again.
    let number = keys.split('/').nth(4).unwrap().to_owned();
    world.desk.millis += 1_000;
    world.silent.push(Object::Workspace(number));
    assert_eq!(usage(&mut world, &one, "").status, 503);
    world.silent.clear();
    assert_eq!(usage(&mut world, &one, "").status, 200);
}

/// What was never minted here costs no call, whichever part of it is wrong.
#[test]
fn a_key_that_cannot_be_ours_is_refused_without_a_call() {
    let mut world = World::new();
    let keys = format!("{}/api-keys", world.open("one"));
    let made = world.send(&with("POST", "root", &keys, json!({"scopes": ["read"]})));
    let key = made.body["secret"].as_str().unwrap().to_owned();
    world.asked.clear();
    // Whole, but of another root.
    let ring = Keyring::parse("HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let workspace = Workspace::parse(keys.split('/').nth(4).unwrap()).unwrap();
    let foreign = mint::native(ring.newest(), "ak", workspace, &[1; 22]).unwrap();
    let mut texts = vec![foreign.secret.expose().to_owned()];
    for at in (3..key.len()).filter(|at| key.as_bytes()[*at] != b'_') {
        let mut bytes = key.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        texts.push(String::from_utf8(bytes).unwrap());
    }
    for text in texts {
        let reply = world.send(&get(&text, "/api/v1/keys/usage"));
        assert_eq!((reply.status, reply.code()), (401, "INVALID_API_KEY"));
    }
    assert!(world.asked.is_empty());
}

#[test]
fn heads_that_are_wrong_are_refused_before_anybody_is_asked() {
    let mut world = World::new();
    let space = world.open("one");
    let keys = format!("{space}/api-keys");
    let new = || json!({"scopes": ["read"]});
    for (sent, status, code) in [
        (get("", "/api/v1/me"), 401, "INVALID_TOKEN"),
        (get("bad", "/api/v1/me"), 401, "INVALID_TOKEN"),
        (get("unknowable", "/api/v1/me"), 503, "AUTH_UNAVAILABLE"),
        (get("root", "/api/v1/nothing"), 404, "NOT_FOUND"),
        (get("root", "/api/v1/%2e%2e/me"), 400, "BAD_TARGET"),
        (with("DELETE", "root", "/api/v1/me", Value::Null), 405, "METHOD_NOT_ALLOWED"),
        (
            Sent {
                headers: &[("content-type", "text/plain")],
                ..with("POST", "root", &keys, new())
            },
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            Sent {
                headers: &[("origin", "https://evil.example")],
                ..with("POST", "root", &keys, new())
            },
            403,
            "CROSS_SITE",
        ),
        (
            Sent {
                headers: &[("sec-fetch-site", "cross-site")],
                ..with("POST", "root", &keys, new())
            },
            403,
            "CROSS_SITE",
        ),
        (
            Sent {
                headers: &[("sec-fetch-site", "same-site")],
                ..with("POST", "root", &keys, new())
            },
            403,
            "CROSS_SITE",
        ),
        (
            Sent {
                headers: &[("if-match", "1")],
                ..with("PATCH", "root", &space, json!({"name": "x"}))
            },
            400,
            "BAD_REQUEST",
        ),
        (
            Sent {
                headers: &[("if-match", "\"7\"")],
                ..with("PATCH", "root", &space, json!({"name": "x"}))
            },
            412,
            "VERSION_CONFLICT",
        ),
        (
            with("POST", "root", &keys, json!({"scopes": ["read"], "name": "x".repeat(70_000)})),
            413,
            "BODY_TOO_LARGE",
        ),
    ] {
        let reply = world.send(&sent);
        assert_eq!((reply.status, reply.code()), (status, code), "{} {}", sent.method, sent.path);
        assert!(status != 401 || reply.headers.contains_key("www-authenticate"));
        assert!(status != 405 || reply.headers["allow"] == "GET, HEAD");
    }
    let same =
        Sent { headers: &[("origin", "http://admin.test")], ..with("POST", "root", &keys, new()) };
    assert_eq!(world.send(&same).status, 201);
    let read =
        world.send(&Sent { headers: &[("origin", "https://evil.example")], ..get("root", &space) });
    assert!(read.status == 200 && !read.headers.contains_key("access-control-allow-origin"));
}

#[test]
fn a_pages_origin_that_the_policy_names_may_read_answers() {
    let mut world = World::new();
    let headers: &[(&str, &str)] = &[("origin", "https://dash.example")];
    let asked = world.send(&Sent { headers, ..with("OPTIONS", "", "/api/v1/me", Value::Null) });
    assert_eq!(
        (asked.status, asked.headers["access-control-allow-origin"].as_str()),
        (204, "https://dash.example")
    );
    assert!(asked.headers["access-control-allow-headers"].contains("if-match"));
    let read = world.send(&Sent { headers, ..get("bad", "/api/v1/me") });
    assert_eq!(
        (read.status, read.headers["access-control-allow-origin"].as_str()),
        (401, "https://dash.example")
    );
    let other = world.send(&Sent {
        headers: &[("origin", "https://evil.example")],
        ..with("OPTIONS", "", "/api/v1/me", Value::Null)
    });
    assert_eq!(other.status, 403);
}

#[test]
fn the_document_and_health_need_no_token() {
    let mut world = World::new();
    let document = world.send(&get("", "/api/v1/openapi.json"));
    assert_eq!((document.status, &document.body["openapi"]), (200, &json!("3.1.0")));
    assert_eq!(world.send(&get("", "/healthz")).body, json!({"status": "ok"}));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(committed == document.body, "docs/openapi.json is old: run `cargo xtask openapi`");
}

/// Whatever takes effect at the gates can be waited for.
#[test]
fn changes_wait_for_the_last_lease_if_they_are_asked_to() {
    let mut world = World::new();
    let space = world.open("one");
    let number = space.rsplit('/').next().unwrap().to_owned();
    let admin = format!("{space}/members/dev:admin");
    world.send(&with("PUT", "root", &admin, json!({"role": "admin"})));
    let personal = json!({"scopes": ["read"], "type": "personal"});
    let made = world.send(&with("POST", "admin", &format!("{space}/api-keys"), personal)).body;
    let kid = Kid::parse(made["id"].as_str().unwrap()).unwrap();
    let key = format!("{space}/api-keys/{kid}");
    let limits = json!({"limits": {"requests": 500, "burst": 50}});
    for (id, version, who, method, path, body) in [
        (1, 1, "admin", "PATCH", key.clone(), json!({"name": "x"})),
        (2, 2, "admin", "POST", format!("{key}/rotate"), json!({"grace_seconds": 0})),
        (3, 3, "admin", "POST", format!("{key}/disable"), Value::Null),
        (4, 4, "admin", "POST", format!("{key}/enable"), Value::Null),
        (5, 5, "root", "PATCH", space.clone(), limits),
        (6, 5, "root", "DELETE", admin, Value::Null),
        (7, 6, "root", "DELETE", key.clone(), Value::Null),
        (8, 6, "root", "POST", format!("{space}/api-keys/revoke-all"), Value::Null),
    ] {
        let call = Call::Admit(Admit { version, ..admit(id, &kid, 4) });
        let gate = std::rc::Rc::clone(&world.desk.gate);
        let object = world.workspaces.get_mut(&number).unwrap();
        let effect = object.call(&call.print(), &gate, at(world.desk.millis));
        let lent = matches!(&effect.answer, Answer::Granted(granted) if granted.tokens > 1);
        object.commit(&effect);
        world.waited = 0;
        let reply = world.send(&with(method, who, &format!("{path}?wait=1"), body));
        assert_eq!(reply.status, 200, "{method} {path}: {reply:?}");
        // Whoever lets a key go on waits for refusals, not for leases alone.
        assert_eq!(world.waited > 0, lent || id == 4, "{method} {path}");
        assert_eq!(lent, !matches!(id, 4 | 7 | 8), "{method} {path}: {:?}", effect.answer);
    }
}

#[test]
fn a_key_in_a_place_where_it_would_be_kept_is_refused_and_not_sent_back() {
    let mut world = World::new();
    let space = world.open("one");
    let keys = format!("{space}/api-keys");
    let made = world.send(&with("POST", "root", &keys, json!({"scopes": ["read"]})));
    let (kid, key) = (made.body["id"].as_str().unwrap(), made.body["secret"].as_str().unwrap());
    let encoded = key.replace('_', "%5F");
    for path in [
        format!("{keys}?{key}"),
        format!("/api/v1/me?key={key}"),
        format!("/api/v1/keys/usage?x={encoded}"),
        format!("{space}/members/dev:{key}"),
    ] {
        for who in ["root", key] {
            let refused = world.send(&get(who, &path));
            assert_eq!((refused.status, refused.code()), (400, "KEY_IN_URL"), "{path}");
        }
    }
    let own = format!("{keys}/{kid}");
    for (method, path, body) in [
        ("POST", &keys, json!({"scopes": ["read"], key: 1})),
        ("POST", &keys, json!({"scopes": ["read"], "limits": {"requests": 1, "burst": 1, key: 1}})),
        ("POST", &keys, json!({"scopes": ["read"], "name": format!("for {key}")})),
        ("PATCH", &own, json!({"description": format!("my key is {key}")})),
        ("PATCH", &space, json!({"name": key})),
    ] {
        let refused = world.send(&with(method, "root", path, body));
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(!refused.body.to_string().contains(&key[30..40]), "{refused:?}");
    }
}

#[test]
fn a_refused_query_is_answered_in_few_words() {
    let mut world = World::new();
    let space = world.open("one");
    let many = "a&".repeat(4_000);
    let refused = world.send(&get("root", &format!("{space}/api-keys?{many}")));
    assert_eq!(refused.status, 422);
    assert!(refused.body.to_string().len() < 10_000);
    for limit in ["+1", "", "1.0", "1e1", "-1", "0"] {
        let refused = world.send(&get("root", &format!("{space}/api-keys?limit={limit}")));
        assert_eq!(refused.status, 422, "{limit}");
    }
}

#[test]
fn what_lets_a_key_go_on_is_in_effect_a_lease_later() {
    let mut world = World::new();
    let space = world.open("one");
    let keys = format!("{space}/api-keys");
    let made = world.send(&with("POST", "root", &keys, json!({"scopes": ["read"]})));
    let own = format!("{keys}/{}", made.body["id"].as_str().unwrap());
    for (method, path, body, waited) in [
        ("POST", format!("{own}/disable?wait=1"), Value::Null, 0),
        ("POST", format!("{own}/enable?wait=1"), Value::Null, 2_000),
        ("PATCH", format!("{own}?wait=1"), json!({"scopes": ["read", "write"]}), 2_000),
    ] {
        let before = world.waited;
        assert_eq!(world.send(&with(method, "root", &path, body)).status, 200, "{path}");
        assert_eq!(world.waited - before, waited, "{path}");
    }
}
