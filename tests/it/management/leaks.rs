//! Reports of secret scanners.

use portcullis::workspace::call::{Answer, Call};
use serde_json::{Value, json};

use super::desk::{self, Desk};
use super::world::{Reply, Sent, World, get, with};

/// Two numbers of one byte: whether it holds is the world's to say.
const DER: &str = "MAYCAQUCAQU=";
const SIGNED: &[(&str, &str)] =
    &[("github-public-key-identifier", "scanner"), ("github-public-key-signature", DER)];

fn report(world: &mut World, found: Value) -> Reply {
    world.send(&Sent { headers: SIGNED, ..with("POST", "", "/api/v1/leaks", found) })
}

fn labels(reply: &Reply) -> Vec<&str> {
    let judged = reply.body.as_array().unwrap();
    judged.iter().map(|found| found["label"].as_str().unwrap()).collect()
}

/// A key of the workspace: its path and its text.
fn key(world: &mut World, space: &str, fields: Value) -> (String, String) {
    let made = world.send(&with("POST", "root", &format!("{space}/api-keys"), fields));
    assert_eq!(made.status, 201, "{made:?}");
    let text = |name: &str| made.body[name].as_str().unwrap().to_owned();
    (format!("{space}/api-keys/{}", text("id")), text("secret"))
}

fn status(world: &mut World, path: &str) -> String {
    world.send(&get("root", path)).body["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_leaked_key_is_held_back_and_the_audit_log_says_why() {
    let mut world = World::new();
    let (one, two) = (world.open("one"), world.open("two"));
    let (first, secret) = key(&mut world, &one, json!({"scopes": ["read"]}));
    let (second, other) = key(&mut world, &two, json!({"scopes": ["read"]}));
    let (third, _) = key(&mut world, &two, json!({"scopes": ["read"]}));
    let stranger = secret.replacen("ak_", "sk_", 1);
    let found = json!([
        {"token": secret, "type": "ak", "url": "https://example.com/a.txt", "source": "content", "new": 1},
        {"token": "hunter2", "type": "password", "url": "", "source": "content"},
        {"token": stranger, "type": "ak"},
        {"token": other, "type": "ak", "url": format!("https://example.com/?key={other}")},
        {"token": secret, "type": "ak", "url": "https://example.com/b.txt"},
    ]);
    let reply = report(&mut world, found);
    assert_eq!(reply.status, 200, "{reply:?}");
    let (yes, no) = ("true_positive", "false_positive");
    assert_eq!(labels(&reply), [yes, no, no, yes, yes]);
    // SHA-256 of "hunter2".
    assert_eq!(reply.body[1]["token_hash"], "9S+9MrKzuG/4jvbEkGKChfSCrxXdyylUH5S89Saj9sc=");
    assert_eq!(
        (&reply.body[1]["token_type"], reply.body[1].as_object().unwrap().len()),
        (&json!("password"), 3)
    );
    for (path, expected) in [(&first, "quarantined"), (&second, "quarantined"), (&third, "active")]
    {
        assert_eq!(status(&mut world, path), expected);
    }
    let audit = world.send(&get("root", &format!("{one}/audit"))).body;
    let entry = &audit["entries"][0];
    assert_eq!(
        (&entry["action"], &entry["actor"]),
        (&json!("key.quarantine"), &json!("secret-scanner"))
    );
    let leak = json!({"type": "ak", "url": "https://example.com/a.txt", "source": "content"});
    assert_eq!(
        entry["changes"],
        json!({"status": ["active", "quarantined"], "leak": [null, leak]})
    );
    assert_eq!(audit["entries"][1]["action"], "key.create", "the second finding changes nothing");
    let audit = world.send(&get("root", &format!("{two}/audit"))).body;
    assert_eq!(audit["entries"][0]["changes"]["leak"][1]["url"], "https://example.com/");
    assert_eq!(world.send(&get("root", &format!("{one}/audit/verify"))).body["intact"], true);
    // It is taken back by a person.
    let enabled = world.send(&with("POST", "root", &format!("{first}/enable"), Value::Null));
    assert_eq!((enabled.status, status(&mut world, &first).as_str()), (200, "active"));
}

#[test]
fn no_piece_of_a_secret_comes_into_the_audit_log() {
    let mut world = World::new();
    let space = world.open("one");
    let (_, other) = key(&mut world, &space, json!({"scopes": ["read"]}));
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    for (kind, url, source) in [
        ("", "https://e.test/SECRET/a.txt", ""),
        ("SECRET", "", "SECRET"),
        ("", "https://e.test/a?k=SECRET#SECRET", "PIECE"),
        ("lower", "https://e.test/LOWER", "x PIECE x"),
        ("ENCODED", "https://e.test/ENCODED", "OTHER"),
        ("OTHER", "https://e.test/OTHER?OTHER", ""),
        ("\n", "https://e.test/\u{1f600}", &"x".repeat(501)),
    ] {
        let (path, secret) = key(&mut world, &space, json!({"scopes": ["read"]}));
        let piece = &secret[secret.len() - 17..secret.len() - 7];
        let fill = |text: &str| {
            text.replace("SECRET", &secret)
                .replace("PIECE", piece)
                .replace("LOWER", &piece.to_lowercase())
                .replace("ENCODED", &encode(&secret))
                .replace("OTHER", &other)
        };
        let found = json!([{"token": secret, "type": fill(kind), "url": fill(url), "source": fill(source)}]);
        assert_eq!(labels(&report(&mut world, found)), ["true_positive"]);
        let audit = world.send(&get("root", &format!("{space}/audit"))).body["entries"][0].clone();
        assert_eq!(audit["action"], "key.quarantine");
        let kept = audit["changes"]["leak"][1].to_string();
        let lower = kept.to_lowercase();
        assert!(kept.len() < 100, "{kept}");
        for hidden in [&secret, &other] {
            let tail = hidden.rsplit('_').next().unwrap().to_lowercase();
            let mut pieces = tail.as_bytes().windows(10);
            let tells = pieces.any(|piece| lower.contains(core::str::from_utf8(piece).unwrap()));
            assert!(!tells && !kept.contains('%'), "{kept}");
        }
        world.send(&with("DELETE", "root", &path, Value::Null));
    }
}

#[test]
fn what_is_no_longer_live_is_left_as_it_is() {
    let mut world = World::new();
    let space = world.open("one");
    let (path, first) = key(&mut world, &space, json!({"scopes": ["read"]}));
    let rotated =
        world.send(&with("POST", "root", &format!("{path}/rotate"), json!({"grace_seconds": 60})));
    let second = rotated.body["secret"].as_str().unwrap().to_owned();
    world.desk.millis += 60_000;
    let reply = report(&mut world, json!([{"token": first}]));
    assert_eq!(
        (labels(&reply), status(&mut world, &path).as_str()),
        (vec!["true_positive"], "active")
    );
    let disabled = world.send(&with("POST", "root", &format!("{path}/disable"), Value::Null));
    assert_eq!(disabled.status, 200);
    assert_eq!(labels(&report(&mut world, json!([{"token": second}]))), ["true_positive"]);
    assert_eq!(status(&mut world, &path), "quarantined");
    world.send(&with("DELETE", "root", &path, Value::Null));
    assert_eq!(labels(&report(&mut world, json!([{"token": second}]))), ["true_positive"]);
    assert_eq!(status(&mut world, &path), "revoked");
}

#[test]
fn an_imported_key_is_found_by_its_pointer() {
    let mut world = World::new();
    let space = world.open("one");
    let text = "dGhpcyBpcyBhIHRlc3Qgb2YgYW4gaW1wb3J0ZWQga2U=";
    let hash = portcullis::crypto::sha256(text.as_bytes());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let import = json!({"keys": [{"sha256": hash, "scopes": ["read"]}]});
    let imported = world.send(&with("POST", "root", &format!("{space}/api-keys/import"), import));
    let kid = imported.body["rows"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("{space}/api-keys/{kid}");
    // KV does not have the pointer yet.
    assert_eq!(labels(&report(&mut world, json!([{"token": text}]))), ["false_positive"]);
    copy(&mut world, &space);
    world.kv.as_mut().unwrap().retain(|name, _| name.starts_with("h1:"));
    let rows = world.kv.take();
    assert_eq!(report(&mut world, json!([{"token": text}])).code(), "AUTH_UNAVAILABLE");
    world.kv = rows;
    assert_eq!(labels(&report(&mut world, json!([{"token": text}]))), ["true_positive"]);
    assert_eq!(status(&mut world, &path), "quarantined");
}

/// What the alarm does.
fn copy(world: &mut World, space: &str) {
    let number = space.rsplit('/').next().unwrap();
    let object = world.workspaces.get_mut(number).unwrap();
    let now = crate::workspace::at(world.desk.millis);
    let effect = object.call(&Call::Due.print(), &world.desk.gate, now);
    object.commit(&effect);
    let Answer::Due { copies } = effect.answer else { panic!("{:?}", effect.answer) };
    world.kv.as_mut().unwrap().extend(copies.into_iter().map(|copy| (copy.name, copy.value)));
}

#[test]
fn nobody_else_reports() {
    let mut world = World::new();
    let space = world.open("one");
    let (path, secret) = key(&mut world, &space, json!({"scopes": ["*:*"]}));
    let found = || json!([{"token": secret}]);
    let (name, sign) = ("github-public-key-identifier", "github-public-key-signature");
    for (who, headers, status, code) in [
        ("", &[][..], 401, "INVALID_SIGNATURE"),
        ("root", &[], 401, "INVALID_SIGNATURE"),
        (secret.as_str(), &[], 401, "INVALID_SIGNATURE"),
        ("", &[(name, "scanner")], 401, "INVALID_SIGNATURE"),
        ("", &[(name, "scanner"), (sign, "MAYCAQUCAQ==")], 401, "INVALID_SIGNATURE"),
        ("", &[(name, "scanner"), (sign, "!")], 401, "INVALID_SIGNATURE"),
        ("", &[(name, "other"), (sign, DER)], 401, "INVALID_SIGNATURE"),
        ("", &[(name, "unknowable"), (sign, DER)], 503, "AUTH_UNAVAILABLE"),
    ] {
        let sent = Sent { headers, ..with("POST", who, "/api/v1/leaks", found()) };
        let refused = world.send(&sent);
        assert_eq!((refused.status, refused.code()), (status, code), "{who} {headers:?}");
    }
    // As nobody's member either.
    let mut desk = Desk::open();
    let (kid, _) = desk.key(&json!({"scopes": ["read"]}));
    let leaked = json!({"kid": kid, "leak": {}});
    assert_eq!(desk.ask("dev:owner", "POST", "/api/v1/leaks", &leaked).status, 404);
    assert_eq!(desk.ask("secret-scanner", "POST", "/api/v1/leaks", &leaked).status, 200);
    assert_eq!(status(&mut world, &path), "active");
}

#[test]
fn reports_are_read_as_far_as_they_can_be() {
    let mut world = World::new();
    world.open("one");
    let body = |body: &str| body.to_owned();
    for (text, status) in
        [(body("["), 400), (body(r#"[{"token":"x","token":"y"}]"#), 400), (body("[] x"), 400)]
    {
        let sent = Sent { headers: SIGNED, ..with("POST", "", "/api/v1/leaks", json!([])) };
        assert_eq!(world.send_text(&sent, &text).status, status, "{text}");
    }
    let plain: &[(&str, &str)] = &[SIGNED[0], SIGNED[1], ("content-type", "text/plain")];
    let sent = Sent { headers: plain, ..with("POST", "", "/api/v1/leaks", json!([])) };
    assert_eq!(world.send(&sent).status, 415);
    for found in [json!({}), json!([{}]), json!([{"token": 1}]), json!("x"), json!([["x"]])] {
        let refused = report(&mut world, found.clone());
        assert_eq!((refused.status, refused.code()), (422, "VALIDATION_FAILED"), "{found}");
    }
    assert_eq!(labels(&report(&mut world, json!([]))), [""; 0]);
    let many = |count| Value::Array(vec![json!({"token": "x"}); count]);
    assert_eq!(labels(&report(&mut world, many(1000))).len(), 1000);
    assert_eq!(report(&mut world, many(1001)).status, 422);
}

#[test]
fn without_a_scanner_in_the_policy_there_is_no_such_path() {
    let mut world = World::new();
    let mut policy = desk::policy();
    policy.as_object_mut().unwrap().remove("leak_reports");
    world.desk.gate = desk::gate(&policy);
    assert_eq!(report(&mut world, json!([])).code(), "NOT_FOUND");
}
