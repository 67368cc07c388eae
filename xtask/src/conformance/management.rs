//! The management API, asked at the gate's port for the admin host.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, ensure};
use data_encoding::HEXLOWER;
use portcullis::imported::{Pointer, PointerId};
use portcullis::management::time;
use serde_json::{Value, json};

use super::tokens::{refusal, token};
use super::{Bench, TIMEOUT};
use crate::api::Api;
use crate::http::Reply;
use crate::keys::openssl_like;

/// No scope of a key reaches the API.
pub fn api_key(bench: &mut Bench) -> Result<()> {
    let (owner, space) = open(bench)?;
    let key = Api::new(bench.address, Some(bench.world.keys["full"].clone()));
    let own = made(&owner, &space)?;
    let own = Api::new(bench.address, own["secret"].as_str().map(str::to_owned));
    for api in [&key, &own] {
        for (method, target, body) in [
            ("POST", format!("{space}/api-keys"), Some(new_key())),
            ("GET", format!("{space}/api-keys"), None),
            ("PUT", format!("{space}/members/es:evil"), Some(json!({ "role": "owner" }))),
        ] {
            let reply = api.ask(method, &target, body.as_ref())?;
            refusal(bench, &reply, 403, "API_KEY_NOT_ALLOWED").context(target)?;
        }
    }
    ensure!(count(&owner, &space)? == 1, "a key was made");
    Ok(())
}

/// A member sees and changes nothing; to another workspace's admin there is none.
pub fn roles(bench: &mut Bench) -> Result<()> {
    let (owner, space) = open(bench)?;
    let (_, other) = open(bench)?;
    let (member, admin) = (user(bench, "member")?, user(bench, "admin")?);
    join(&owner, &space, "es:member", "member")?;
    join(&owner, &other, "es:admin", "admin")?;
    let keys = format!("{space}/api-keys");
    let create = |api: &Api, keys: &str| api.ask("POST", keys, Some(&new_key()));
    refusal(bench, &create(&member, &keys)?, 403, "PERMISSION_DENIED")?;
    ensure!(member.ask("GET", &keys, None)?.status == 200, "a member may look");
    ensure!(create(&admin, &format!("{other}/api-keys"))?.status == 201, "an admin at home");
    for (method, target) in [("GET", &space), ("GET", &keys), ("POST", &keys)] {
        refusal(bench, &admin.ask(method, target, Some(&new_key()))?, 404, "NOT_FOUND")?;
    }
    // Whoever is removed is out with the next request.
    owner.done("DELETE", &format!("{space}/members/es:member"), None)?;
    refusal(bench, &member.ask("GET", &keys, None)?, 404, "NOT_FOUND")
}

/// A subject is whatever its issuer says; in a path it is percent-encoded.
pub fn subjects(bench: &mut Bench) -> Result<()> {
    let (owner, space) = open(bench)?;
    let cases = [
        ("auth0|a/b", "auth0%7Ca%2Fb"),
        ("a;b", "a%3Bb"),
        ("a;b", "a;b"),
        ("a?b", "a%3Fb"),
        ("a#b", "a%23b"),
        ("a\\b", "a%5Cb"),
        ("100%", "100%25"),
        ("a:b@c", "a:b@c"),
    ];
    for (subject, encoded) in cases {
        let target = format!("{space}/members/es:{encoded}");
        join(&owner, &space, &format!("es:{encoded}"), "member")?;
        let shown = owner.done("GET", &target, None).context(subject)?;
        ensure!(shown["member"] == format!("es:{subject}"), "{subject}: {shown}");
        let own = user(bench, subject)?;
        ensure!(own.done("GET", &space, None)?["role"] == "member", "{subject} may not look");
        own.done("DELETE", &target, None).context(subject)?;
        refusal(bench, &own.ask("GET", &space, None)?, 404, "NOT_FOUND").context(subject)?;
    }
    Ok(())
}

/// As many as the policy says, one by one and all at once.
pub fn limit(bench: &mut Bench) -> Result<()> {
    let (owner, space) = open(bench)?;
    for _ in 0..20 {
        made(&owner, &space)?;
    }
    let keys = format!("{space}/api-keys");
    refusal(bench, &owner.ask("POST", &keys, Some(&new_key()))?, 409, "KEY_LIMIT")?;
    let (_, space) = open(bench)?;
    let keys = format!("{space}/api-keys");
    let replies = std::thread::scope(|scope| {
        let asking: Vec<_> =
            (0..100).map(|_| scope.spawn(|| owner.ask("POST", &keys, Some(&new_key())))).collect();
        asking
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
            .collect::<Result<Vec<Reply>>>()
    })?;
    let (made, others): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 201);
    ensure!(made.len() == 20, "{} were made", made.len());
    for reply in others {
        refusal(bench, reply, 409, "KEY_LIMIT")?;
    }
    ensure!(count(&owner, &space)? == 20, "{} are there", count(&owner, &space)?);
    Ok(())
}

/// Who asks and where is told by the token and the path alone.
pub fn foreign_fields(bench: &mut Bench) -> Result<()> {
    let (owner, space) = open(bench)?;
    let keys = format!("{space}/api-keys");
    for name in [
        "userId",
        "user_id",
        "workspaceId",
        "workspace",
        "role",
        "kid",
        "id",
        "tag",
        "secret",
        "created_by",
        "version",
        "__proto__",
        "constructor",
    ] {
        let mut body = new_key();
        body[name] = json!("es:evil");
        let reply = owner.ask("POST", &keys, Some(&body))?;
        refusal(bench, &reply, 422, "VALIDATION_FAILED").with_context(|| name)?;
        let told = reply.json()?["error"]["errors"].clone();
        ensure!(told[0]["field"] == name && told[1].is_null(), "{name}: {told}");
    }
    ensure!(count(&owner, &space)? == 0, "a key was made");
    ensure!(made(&owner, &space)?["created_by"] == "es:owner", "the actor is the token's");
    let audit = owner.done("GET", &format!("{space}/audit"), None)?;
    let entry = &audit["entries"][0];
    ensure!(entry["action"] == "key.create" && entry["actor"] == "es:owner", "{entry}");
    Ok(())
}

/// What two readers of JSON may read in two ways is read in none.
pub fn bodies(bench: &mut Bench) -> Result<()> {
    let (owner, space) = open(bench)?;
    let keys = format!("{space}/api-keys");
    let deep = format!("{{\"name\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(7_000), "}".repeat(7_000));
    for (what, body) in [
        ("a name twice", &br#"{"name":"a","scopes":["read"],"name":"b"}"#[..]),
        ("a name twice, once escaped", br#"{"name":"a","scopes":["read"],"\u006eame":"b"}"#),
        (
            "a name twice inside",
            br#"{"scopes":["read"],"limits":{"requests":1,"burst":1,"burst":2}}"#,
        ),
        ("deep lists", deep.as_bytes()),
        ("deep objects", objects.as_bytes()),
        ("a number out of range", br#"{"scopes":["read"],"limits":{"requests":1e999,"burst":1}}"#),
        ("a byte-order mark", b"\xef\xbb\xbf{\"scopes\":[\"read\"]}"),
        ("bytes after the value", b"{\"scopes\":[\"read\"]}x"),
        ("another value", b"{\"scopes\":[\"read\"]}{}"),
        ("a NUL", b"{\"scopes\":[\"read\"]}\0"),
        ("no UTF-8", b"{\"name\":\"\xff\",\"scopes\":[\"read\"]}"),
        ("half a surrogate", br#"{"name":"\ud800","scopes":["read"]}"#),
        ("a comma too many", br#"{"scopes":["read"],}"#),
        ("a comment", br#"{"scopes":["read"]}//"#),
        ("NaN", br#"{"scopes":["read"],"expires":NaN}"#),
        ("half of it", br#"{"scopes":["read"]"#),
        ("nothing", b""),
    ] {
        let headers: &[_] =
            if body.is_empty() { &[("Content-Type", "application/json")] } else { &[] };
        let reply = owner.send("POST", &keys, headers, body)?;
        refusal(bench, &reply, 400, "BAD_REQUEST").with_context(|| what)?;
    }
    for body in ["[]", "null", "\"x\"", "1"] {
        let reply = owner.send("POST", &keys, &[], body.as_bytes())?;
        refusal(bench, &reply, 422, "VALIDATION_FAILED").with_context(|| body)?;
    }
    ensure!(count(&owner, &space)? == 0, "a key was made");
    Ok(())
}

/// In the answer to its creation or rotation, which nobody may store.
pub fn secret_once(bench: &mut Bench) -> Result<()> {
    let (owner, space) = open(bench)?;
    let keys = format!("{space}/api-keys");
    let created = owner.ask("POST", &keys, Some(&new_key()))?;
    let key = created.json()?;
    let kid = key["id"].as_str().context("id")?;
    let grace = json!({ "grace_seconds": 60 });
    let rotated = owner.ask("POST", &format!("{keys}/{kid}/rotate"), Some(&grace))?;
    let mut secrets = Vec::new();
    for (reply, status) in [(&created, 201), (&rotated, 200)] {
        ensure!(reply.status == status, "{}", reply.text());
        ensure!(reply.header("cache-control") == Some("no-store"), "{:?}", reply.headers);
        let secret = reply.json()?["secret"].as_str().context("no secret")?.to_owned();
        ensure!(reply.text().matches(&secret).count() == 1, "told twice");
        ensure!(!format!("{:?}", reply.headers).contains(&secret), "told in a header");
        secrets.push(secret.rsplit('_').next().unwrap_or_default().to_owned());
    }
    ensure!(secrets[0] != secrets[1], "the secret is the old one");
    let name = json!({ "name": "another" });
    for (method, target, body) in [
        ("GET", format!("{keys}/{kid}"), None),
        ("PATCH", format!("{keys}/{kid}"), Some(&name)),
        ("GET", keys.clone(), None),
        ("GET", format!("{space}/audit"), None),
        ("GET", format!("{keys}/{kid}/usage"), None),
        ("POST", format!("{keys}/{kid}/disable"), None),
        ("DELETE", format!("{keys}/{kid}"), None),
    ] {
        let reply = owner.ask(method, &target, body)?;
        ensure!(reply.status == 200, "{method} {target}: {}", reply.text());
        let told = secrets.iter().any(|secret| reply.text().contains(secret.as_str()));
        ensure!(!told && !reply.text().contains("\"secret\""), "{method} {target} tells it");
    }
    Ok(())
}

/// Done once; another request under the same name is refused.
pub fn repeated(bench: &mut Bench) -> Result<()> {
    let (owner, space) = open(bench)?;
    let keys = format!("{space}/api-keys");
    let body = new_key().to_string();
    let send = |once: &str, body: &str| {
        owner.send("POST", &keys, &[("Idempotency-Key", once)], body.as_bytes())
    };
    let first = send("L15", &body)?;
    ensure!(first.status == 201 && first.header("idempotent-replayed").is_none(), "the first");
    let again = send("L15", &body)?;
    ensure!(again.status == 201, "{}", again.text());
    ensure!(again.header("idempotent-replayed") == Some("true"), "{:?}", again.headers);
    let mut expected = first.json()?;
    expected.as_object_mut().and_then(|key| key.remove("secret")).context("no secret")?;
    ensure!(again.json()? == expected, "another answer: {}", again.text());
    let other = body.replace("conformance", "other");
    refusal(bench, &send("L15", &other)?, 422, "IDEMPOTENCY_CONFLICT")?;
    ensure!(count(&owner, &space)? == 1, "{} keys", count(&owner, &space)?);
    ensure!(send("L15 too", &other)?.status == 201, "under another name");
    let long = "x".repeat(256);
    refusal(bench, &send(&long, &body)?, 400, "BAD_REQUEST")?;
    ensure!(count(&owner, &space)? == 2, "{} keys", count(&owner, &space)?);
    Ok(())
}

/// A change of what is not there any more is no change.
pub fn stale(bench: &mut Bench) -> Result<()> {
    let (owner, space) = open(bench)?;
    let key = made(&owner, &space)?;
    let key = format!("{space}/api-keys/{}", key["id"].as_str().context("id")?);
    for (target, method) in [(&key, "DELETE"), (&key, "PATCH"), (&space, "PATCH")] {
        let send = |method: &str, tag: &str, name: &str| {
            let body = json!({ "name": name }).to_string();
            let body = if method == "PATCH" { body } else { String::new() };
            owner.send(method, target, &[("If-Match", tag)], body.as_bytes())
        };
        let seen = owner.ask("GET", target, None)?;
        let tag = seen.header("etag").context("no ETag")?.to_owned();
        let changed = send("PATCH", &tag, "changed")?;
        ensure!(changed.status == 200, "{}", changed.text());
        ensure!(changed.header("etag").is_some_and(|new| new != tag), "the same ETag");
        let reply = send(method, &tag, "stale")?;
        refusal(bench, &reply, 412, "VERSION_CONFLICT").with_context(|| method)?;
        for bad in ["3", "W/\"3\"", "\"x\"", "\"1\", \"2\""] {
            refusal(bench, &send(method, bad, "bad")?, 400, "BAD_REQUEST").with_context(|| bad)?;
        }
        let after = owner.ask("GET", target, None)?;
        ensure!(after.text() == changed.text(), "changed: {}", after.text());
        // So that the next finds another name to change.
        ensure!(send("PATCH", "*", "again")?.status == 200, "whatever is there");
    }
    Ok(())
}

/// A stranger reaches no Workspace, there or not; who reads one that nobody uses stores nothing.
pub fn strangers(bench: &mut Bench) -> Result<()> {
    let (owner, space) = open(bench)?;
    let opened = space.rsplit('/').next().context("number")?.to_owned();
    let (stranger, control) = (user(bench, "stranger")?, bench.control()?);
    for number in [opened.as_str(), "0N0B0D"] {
        control.reset_workspace_counts(number)?;
        for (method, target, body) in [
            ("GET", "", None),
            ("GET", "/api-keys", None),
            ("POST", "/api-keys", Some(new_key())),
            ("PUT", "/members/es:stranger", Some(json!({ "role": "owner" }))),
        ] {
            let target = format!("/api/v1/workspaces/{number}{target}");
            let reply = stranger.ask(method, &target, body.as_ref())?;
            refusal(bench, &reply, 404, "NOT_FOUND").context(target)?;
        }
        let calls = &control.workspace_counts(number)?["calls"];
        ensure!(*calls == 0, "{number} was called {calls} times");
    }
    // A bootstrap owner is asked for everywhere.
    for (method, body) in [("GET", None), ("PATCH", Some(json!({ "name": "x" })))] {
        let reply = owner.ask(method, "/api/v1/workspaces/0N0B0D", body.as_ref())?;
        refusal(bench, &reply, 404, "NOT_FOUND")?;
    }
    ensure!(control.workspace_tables("0N0B0D")? == 0, "it has a table");
    ensure!(control.workspace_tables(&opened)? == 1, "it has none");
    Ok(())
}

/// What a Directory was not told, because whoever was to tell it died, the alarm tells it.
pub fn late_notes(bench: &mut Bench) -> Result<()> {
    let (owner, space) = open(bench)?;
    let number = space.rsplit('/').next().context("number")?.to_owned();
    let member = user(bench, "late")?;
    let control = bench.control()?;
    // The call is made and its answer lost.
    let fault = json!({ "kind": "lost", "ops": ["manage"], "count": 1 });
    control.set_workspace_faults(&number, &fault)?;
    let target = format!("{space}/members/es:late");
    let reply = owner.ask("PUT", &target, Some(&json!({ "role": "member" })))?;
    refusal(bench, &reply, 503, "AUTH_UNAVAILABLE")?;
    ensure!(owner.done("GET", &target, None)?["role"] == "member", "no member");
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let reply = member.ask("GET", &space, None)?;
        if reply.status == 200 {
            break;
        }
        refusal(bench, &reply, 404, "NOT_FOUND")?;
        ensure!(Instant::now() < deadline, "locked out for good");
        std::thread::sleep(Duration::from_millis(100));
    }
    let rows = bench.control()?.workspace_rows(&number)?.to_string();
    ensure!(
        !rows.contains("outbox/d1:es:late") || {
            std::thread::sleep(Duration::from_secs(2));
            !bench.control()?.workspace_rows(&number)?.to_string().contains("outbox/d1:es:late")
        },
        "told again and again"
    );
    Ok(())
}

/// What points to an imported key stays what it was first; what is no pointer is written over.
pub fn pointers(bench: &mut Bench) -> Result<()> {
    let (owner, first) = open(bench)?;
    let (_, second) = open(bench)?;
    let text = openssl_like(&[0x70; 32], "pointers");
    let id = PointerId::of(bench.keyring.newest(), &text);
    let import = |space: &str| -> Result<String> {
        let sha256 = HEXLOWER.encode(&portcullis::crypto::sha256(text.as_bytes()));
        let body = json!({ "keys": [{ "sha256": sha256, "scopes": ["agents:read"] }] });
        let told = owner.done("POST", &format!("{space}/api-keys/import"), Some(&body))?;
        ensure!(told["rows"][0]["result"] == "created", "{told}");
        Ok(told["rows"][0]["id"].as_str().context("id")?.to_owned())
    };
    let control = bench.control()?;
    let held = |kid: &str| -> Result<bool> {
        let deadline = Instant::now() + TIMEOUT;
        // Records and pointers are put together.
        while control.row(&format!("k1:{kid}"))?.is_none() {
            ensure!(Instant::now() < deadline, "{kid} is not copied");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(300));
        let row = control.row(&id.kv_name())?.unwrap_or_default();
        let pointer = Pointer::open(&bench.keyring, &id, &row);
        Ok(pointer.is_ok_and(|pointer| pointer.kid.as_str() == kid))
    };
    control.put_rows([(id.kv_name(), b"garbage".to_vec())])?;
    let one = import(&first)?;
    ensure!(held(&one)?, "what is no pointer has stayed");
    let two = import(&second)?;
    ensure!(!held(&two)? && held(&one)?, "the pointer leads to another workspace's key now");
    Ok(())
}

/// Its holder is told of a key's end a fortnight ahead.
pub fn expiring(bench: &mut Bench) -> Result<()> {
    let (owner, space) = open(bench)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    for (days, is_near) in [(3, true), (20, false)] {
        let end = now + days * 24 * 3600;
        let fields = json!({ "scopes": ["agents:read"], "expires": time::print(end) });
        let key = owner.done("POST", &format!("{space}/api-keys"), Some(&fields))?;
        let text = key["secret"].as_str().context("no secret")?.to_owned();
        let gated = Api::new(bench.address, Some(text)).on_host("api.test");
        let reply = gated.ask("GET", "/v1/strict", None)?;
        let told = reply.header("x-portcullis-key-expires").map(str::to_owned);
        ensure!(reply.status == 200 && told == is_near.then(|| end.to_string()), "{told:?}");
    }
    Ok(())
}

/// A workspace of the owner's: the path of it.
pub fn open(bench: &Bench) -> Result<(Api, String)> {
    let owner = user(bench, "owner")?;
    let body = json!({ "name": "conformance" });
    let opened = owner.done("POST", "/api/v1/workspaces", Some(&body))?;
    let number = opened["id"].as_str().context("no id")?;
    Ok((owner, format!("/api/v1/workspaces/{number}")))
}

fn user(bench: &Bench, subject: &str) -> Result<Api> {
    let claims = json!({ "sub": subject, "scope": "*:*" });
    let token = token(&bench.issuers.es, "es.test", &json!({}), &claims)?;
    Ok(Api::new(bench.address, Some(token)))
}

fn join(owner: &Api, space: &str, member: &str, role: &str) -> Result<()> {
    let target = format!("{space}/members/{member}");
    owner.done("PUT", &target, Some(&json!({ "role": role }))).map(drop)
}

fn new_key() -> Value {
    json!({ "name": "conformance", "scopes": ["agents:read"] })
}

pub fn made(owner: &Api, space: &str) -> Result<Value> {
    owner.done("POST", &format!("{space}/api-keys"), Some(&new_key()))
}

fn count(owner: &Api, space: &str) -> Result<usize> {
    Ok(owner.all(&format!("{space}/api-keys"), "keys")?.len())
}
