//! Tokens of people, as the management API takes them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use data_encoding::BASE64;
use portcullis::crypto::MacKey;
use portcullis::management::time;
use serde_json::{Value, json};

use super::issuers::{Behaviour, Issuers};
use super::{Bench, TIMEOUT};
use crate::http::{Connection, Reply, exchange};
use crate::issuer::key::{SigningKey, encode};
use crate::issuer::scanner;

/// Every algorithm; a header of the issuer's own; what the answer says.
pub fn accepted(bench: &mut Bench) -> Result<()> {
    bench.restart()?;
    for (host, key) in bench.issuers.each() {
        let reply = me(bench, &bearer(&token(key, host, &json!({}), &json!({}))?))?;
        ensure!(reply.status == 200, "{host}: {} {}", reply.status, reply.text());
        let name = host.split('.').next().unwrap_or_default();
        let expected = json!({
            "subject": format!("{name}:user-1"), "credential": "oauth",
            "scopes": ["keys:read", "keys:write"], "expires": reply.json()?["expires"],
        });
        ensure!(reply.json()? == expected, "{host}: {}", reply.text());
        let told = reply.json()?;
        let until = told["expires"].as_str().and_then(time::parse).context("expires")?;
        ensure!(until.abs_diff(now()? + 330) < 10, "until {until}");
        ensure!(reply.header("cache-control") == Some("no-store"), "{:?}", reply.headers);
    }
    let access = access(&bench.issuers)?;
    for headers in [format!("Cf-Access-Jwt-Assertion: {access}\r\n"), bearer(&access)] {
        let reply = me(bench, &headers)?;
        ensure!(reply.status == 200, "{headers}: {}", reply.text());
        let told = reply.json()?;
        ensure!(told["subject"] == "access:user-1" && told["credential"] == "session", "{told}");
    }
    // A proxy puts its own into each request; the client's counts.
    let key = &bench.issuers.es;
    let both = format!(
        "Cf-Access-Jwt-Assertion: {access}\r\n{}",
        bearer(&token(key, "es.test", &json!({}), &json!({}))?)
    );
    ensure!(me(bench, &both)?.json()?["subject"] == "es:user-1", "both");
    Ok(())
}

/// One thing wrong with each.
pub fn unbelievable(issuers: &Issuers) -> Result<Vec<(String, String)>> {
    let Issuers { es, rs, ed, .. } = issuers;
    let now = now()?;
    let good = token(es, "es.test", &json!({}), &json!({}))?;
    let (signed, signature) = good.rsplit_once('.').context("a token")?;
    let mut cases: Vec<(String, String)> = vec![
        ("padding".into(), format!("{good}=")),
        ("another's signature".into(), format!("{signed}.{}", encode([7; 64]))),
        ("a signature in DER".into(), format!("{signed}.{}", encode([0x30; 70]))),
        ("a longer token".into(), format!("{signed}{}.{signature}", "A".repeat(8192))),
    ];
    for none in ["none", "None", "NONE", ""] {
        let header = json!({ "alg": none, "typ": "at+jwt", "kid": es.kid });
        let claims = claims("es.test", &json!({}))?;
        let text = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        cases.push((format!("alg {none:?} without a signature"), format!("{text}.")));
        for (what, kid) in [("no kid", json!(null)), ("kid none", json!("none"))] {
            let header = encode(changed(header.clone(), &json!({ "kid": kid })).to_string());
            let token = format!("{header}.{}.", encode(claims.to_string()));
            cases.push((format!("alg {none:?} without a signature, {what}"), token));
        }
        cases.push((format!("alg {none:?} with one"), format!("{text}.{signature}")));
    }
    // A public key as if it were a secret.
    for (host, key) in issuers.each() {
        let pem = scanner::pem(key);
        let jwk = key.jwk();
        let set = json!({ "keys": [jwk] }).to_string();
        let member = |name: &str| jwk[name].as_str().unwrap_or_default().as_bytes().to_vec();
        for (what, secret) in [
            ("PEM", pem.clone().into_bytes()),
            ("PEM without its end", pem.trim_end().as_bytes().to_vec()),
            ("DER", key.spki()),
            ("JWK", jwk.to_string().into_bytes()),
            ("set", set.into_bytes()),
            ("n", member("n")),
            ("x", member("x")),
            ("nothing", Vec::new()),
        ] {
            for alg in ["HS256", host_algorithm(host)] {
                let header = json!({ "alg": alg, "typ": "at+jwt", "kid": key.kid });
                let claims = claims(host, &json!({}))?;
                let text = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
                let mac = MacKey::new(&secret).mac(&[text.as_bytes()]);
                let token = format!("{text}.{}", encode(mac.as_bytes()));
                cases.push((format!("{alg} with the {what} of {host}"), token));
            }
        }
    }
    let headers = [
        ("alg of another key", json!({ "alg": "RS256" })),
        ("alg of another hash", json!({ "alg": "ES384" })),
        ("alg in another case", json!({ "alg": "es256" })),
        ("unknown kid", json!({ "kid": "nobody" })),
        ("kid of another issuer", json!({ "kid": ed.kid })),
        ("kid as a path", json!({ "kid": "../../../../dev/null" })),
        ("kid that is a list", json!({ "kid": [es.kid] })),
        ("typ of an ID token", json!({ "typ": "JWT" })),
        ("no typ", json!({ "typ": null })),
        ("crit", json!({ "crit": ["exp"] })),
        ("b64", json!({ "crit": ["b64"], "b64": false })),
    ];
    for (what, change) in headers {
        cases.push((what.into(), token(es, "es.test", &change, &json!({}))?));
    }
    let changes = [
        ("aud of somebody else", json!({ "aud": "somebody" })),
        ("aud that only begins so", json!({ "aud": "portcullis.example" })),
        ("aud of nobody", json!({ "aud": [] })),
        ("no aud", json!({ "aud": null })),
        ("iss of nobody", json!({ "iss": "https://nobody.test" })),
        ("iss with a slash", json!({ "iss": "https://es.test/" })),
        ("iss of another issuer", json!({ "iss": "https://rs.test" })),
        ("no iss", json!({ "iss": null })),
        ("expired", json!({ "exp": now - 31 })),
        ("no exp", json!({ "exp": null })),
        ("exp in words", json!({ "exp": (now + 300).to_string() })),
        ("exp without end", json!({ "exp": 1e300 })),
        ("not yet", json!({ "nbf": now + 90 })),
        ("issued tomorrow", json!({ "iat": now + 86_400 })),
        ("no sub", json!({ "sub": null })),
        ("sub with a line", json!({ "sub": "a\nb" })),
    ];
    for (what, change) in changes {
        cases.push((what.into(), token(es, "es.test", &json!({}), &change)?));
    }
    // A key of the attacker's, in every place from which one might be taken.
    let own = SigningKey::es256()?;
    for (what, header) in [
        ("jwk", json!({ "jwk": own.jwk() })),
        ("jwk and the issuer's kid", json!({ "jwk": own.jwk(), "kid": es.kid })),
        ("jku", json!({ "jku": "https://rs.test/jwks", "kid": rs.kid })),
        ("x5u", json!({ "x5u": "https://evil.test/", "kid": es.kid })),
        ("x5c", json!({ "x5c": [BASE64.encode(&own.spki())], "kid": es.kid })),
        ("nothing but itself", json!({ "kid": es.kid })),
        ("no kid", json!({ "kid": null })),
    ] {
        cases.push((format!("own key by {what}"), token(&own, "es.test", &header, &json!({}))?));
    }
    cases.push(("another issuer's key".into(), token(ed, "es.test", &json!({}), &json!({}))?));
    let es_kid = json!({ "kid": es.kid });
    cases.push(("… by its kid".into(), token(ed, "es.test", &es_kid, &json!({}))?));
    Ok(cases)
}

/// Each is refused in the same words.
pub fn refused(bench: &mut Bench) -> Result<()> {
    bench.restart()?;
    for (what, token) in &unbelievable(&bench.issuers)? {
        let reply = me(bench, &bearer(token))?;
        refusal(bench, &reply, 401, "INVALID_TOKEN").with_context(|| what.clone())?;
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        ensure!(challenge.contains("error=\"invalid_token\""), "{what}: {challenge}");
    }
    ensure!(bench.issuers.asked("evil.test") == 0, "a URL in a header was fetched");
    let (es, now) = (&bench.issuers.es, now()?);
    let good = token(es, "es.test", &json!({}), &json!({}))?;
    let reply = me(bench, &format!("Cf-Access-Jwt-Assertion: {good}\r\n"))?;
    refusal(bench, &reply, 401, "INVALID_TOKEN").context("in another issuer's header")?;
    for leeway in [json!({ "exp": now - 20 }), json!({ "nbf": now + 20, "iat": now + 20 })] {
        let reply = me(bench, &bearer(&token(es, "es.test", &json!({}), &leeway)?))?;
        ensure!(reply.status == 200, "{leeway}: {}", reply.text());
    }
    Ok(())
}

/// What is there in a token's place.
pub fn not_presented(bench: &mut Bench) -> Result<()> {
    let world = &bench.world;
    let key = |name: &str| world.keys[name].clone();
    let token = token(&bench.issuers.es, "es.test", &json!({}), &json!({}))?;
    for (headers, status, code) in [
        (String::new(), 401, "INVALID_TOKEN"),
        ("Authorization: Basic dTpw\r\n".into(), 401, "INVALID_TOKEN"),
        ("Cookie: session=1\r\n".into(), 401, "INVALID_TOKEN"),
        (bearer("gho_something"), 401, "INVALID_TOKEN"),
        (bearer(&key("full")), 403, "API_KEY_NOT_ALLOWED"),
        (format!("X-API-Key: {}\r\n", key("full")), 403, "API_KEY_NOT_ALLOWED"),
        (format!("X-API-Key: {}\r\n", key("environment")), 403, "API_KEY_NOT_ALLOWED"),
        (bearer(&key("environment")), 403, "API_KEY_NOT_ALLOWED"),
        (bearer(&key("imported")), 403, "API_KEY_NOT_ALLOWED"),
        (format!("X-API-Key: {token}\r\n"), 403, "API_KEY_NOT_ALLOWED"),
        (
            format!("X-Key-Id: {}\r\nX-Signature: 00\r\n", "A".repeat(20)),
            403,
            "API_KEY_NOT_ALLOWED",
        ),
        (format!("{}X-API-Key: k\r\n", bearer(&token)), 400, "AMBIGUOUS_CREDENTIALS"),
        (bearer(&token).repeat(2), 400, "AMBIGUOUS_CREDENTIALS"),
    ] {
        let reply = me(bench, &headers)?;
        refusal(bench, &reply, status, code).with_context(|| headers.clone())?;
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        let is_bad = code == "INVALID_TOKEN" && headers.contains("Bearer");
        ensure!(challenge.contains("error=") == is_bad, "{headers}: {challenge}");
    }
    let get = |target: &str, host: &str| {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n");
        exchange(bench.address, format!("{head}{}\r\n", bearer(&token)).as_bytes(), TIMEOUT)
    };
    refusal(bench, &get("/api/v1/me", "api.test")?, 404, "UNKNOWN_ROUTE")?;
    refusal(bench, &get("/api/v1/nothing", ADMIN)?, 404, "NOT_FOUND")?;
    refusal(bench, &get("/nothing", ADMIN)?, 404, "NOT_FOUND")?;
    ensure!(get("/healthz", ADMIN)?.status == 200, "health");
    ensure!(get("/api/v1/me", ADMIN)?.status == 200, "the host in lower case, without a port");
    ensure!(get("/api/v1/me", &format!("{ADMIN}:8787"))?.status == 200, "with a port");
    Ok(())
}

/// A new key is fetched once; invented ones bring no more fetches than one a cool-down.
pub fn rotated(bench: &mut Bench) -> Result<()> {
    bench.restart()?;
    let Issuers { es, .. } = &bench.issuers;
    let fresh = SigningKey::es256()?;
    let host = "es.test";
    bench.issuers.publish(host, &[es]);
    let old = bearer(&token(es, host, &json!({}), &json!({}))?);
    let new = bearer(&token(&fresh, host, &json!({}), &json!({}))?);
    ensure!(me(bench, &old)?.status == 200, "the first key");
    bench.issuers.publish(host, &[es, &fresh]);
    for number in 0..20 {
        let flood = token(es, host, &json!({ "kid": format!("k{number}") }), &json!({}))?;
        ensure!(me(bench, &bearer(&flood))?.status == 401, "{number}");
        ensure!(me(bench, &old)?.status == 200, "known keys, {number}");
    }
    ensure!(bench.issuers.asked(host) == 0, "within the cool-down");
    clock(bench, 31_000)?;
    ensure!(me(bench, &new)?.status == 200, "the new key");
    for number in 0..20 {
        let flood = token(es, host, &json!({ "kid": format!("l{number}") }), &json!({}))?;
        ensure!(me(bench, &bearer(&flood))?.status == 401, "{number}");
    }
    ensure!(bench.issuers.asked(host) == 1, "{} fetches", bench.issuers.asked(host));
    // The old key is withdrawn: believed for ten minutes more, and no longer.
    bench.issuers.publish(host, &[&fresh]);
    ensure!(me(bench, &old)?.status == 200, "until it is asked for again");
    clock(bench, 31_000 + 601_000)?;
    let lasting = json!({ "exp": now()? + 100_000 });
    let old = bearer(&token(es, host, &json!({}), &lasting)?);
    ensure!(me(bench, &old)?.status == 401, "withdrawn");
    ensure!(bench.issuers.asked(host) == 1, "{} fetches", bench.issuers.asked(host));
    bench.issuers.publish(host, &[es]);
    bench.restart()
}

/// What is known is kept for a day, whatever the issuer does.
pub fn down(bench: &mut Bench) -> Result<()> {
    bench.restart()?;
    let host = "es.test";
    let es = &bench.issuers.es;
    let lasting = json!({ "exp": now()? + 200_000 });
    let good = bearer(&token(es, host, &json!({}), &lasting)?);
    let unknown = bearer(&token(es, host, &json!({ "kid": "new" }), &lasting)?);
    ensure!(me(bench, &good)?.status == 200, "before");
    bench.issuers.set(host, Behaviour::Text(500, String::new()));
    ensure!(me(bench, &good)?.status == 200, "not asked yet");
    ensure!(bench.issuers.asked(host) == 0, "asked");
    for (ahead, behaviour) in [
        (605_000, Behaviour::Text(500, String::new())),
        (700_000, Behaviour::Text(200, "<html>sorry</html>".into())),
        (800_000, Behaviour::Redirect("https://rs.test/jwks".into())),
        (900_000, Behaviour::Hang(Duration::from_secs(4))),
        (86_000_000, Behaviour::Text(503, String::new())),
    ] {
        bench.issuers.set(host, behaviour.clone());
        clock(bench, ahead)?;
        let start = Instant::now();
        ensure!(me(bench, &good)?.status == 200, "{behaviour:?}");
        ensure!(start.elapsed() < FETCH + SLACK, "{:?}", start.elapsed());
        let reply = me(bench, &unknown)?;
        refusal(bench, &reply, 503, "AUTH_UNAVAILABLE")
            .with_context(|| format!("{behaviour:?}"))?;
        ensure!(bench.issuers.asked(host) == 1, "{behaviour:?}: {}", bench.issuers.asked(host));
    }
    clock(bench, 86_500_000)?;
    refusal(bench, &me(bench, &good)?, 503, "AUTH_UNAVAILABLE").context("after a day")?;
    bench.issuers.publish(host, &[es]);
    clock(bench, 86_502_000)?;
    ensure!(me(bench, &good)?.status == 200, "up again");
    bench.restart()
}

/// Without keys nobody is let in, and nobody refused.
pub fn never_there(bench: &mut Bench) -> Result<()> {
    bench.restart()?;
    let issuers = &bench.issuers;
    let large = json!({ "keys": [issuers.es.jwk()], "more": "x".repeat(65_536) }).to_string();
    for (host, behaviour) in [
        ("down.test", Behaviour::Text(500, String::new())),
        ("garbage.test", Behaviour::Text(200, "{\"keys\": 7}".into())),
        ("large.test", Behaviour::Text(200, large)),
        ("redirect.test", Behaviour::Redirect("https://es.test/jwks".into())),
        ("slow.test", Behaviour::Hang(Duration::from_secs(4))),
    ] {
        issuers.set(host, behaviour);
        let token = bearer(&token(&issuers.es, host, &json!({}), &json!({}))?);
        let start = Instant::now();
        let reply = me(bench, &token)?;
        refusal(bench, &reply, 503, "AUTH_UNAVAILABLE").with_context(|| host)?;
        let wait: u64 = reply.header("retry-after").context("no Retry-After")?.parse()?;
        ensure!((1..=3).contains(&wait), "Retry-After: {wait}");
        ensure!(start.elapsed() < FETCH + SLACK, "{host}: {:?}", start.elapsed());
        issuers.publish(host, &[&issuers.es]);
        std::thread::sleep(Duration::from_millis(1100));
        let reply = me(bench, &token)?;
        ensure!(reply.status == 200, "{host}, up again: {}", reply.text());
        // What fails whoever signed it is refused, keys or none.
        issuers.set(host, Behaviour::Text(500, String::new()));
    }
    bench.restart()?;
    let issuers = &bench.issuers;
    for change in [json!({ "exp": 1 }), json!({ "aud": "x" })] {
        let token = token(&issuers.es, "down.test", &json!({}), &change)?;
        refusal(bench, &me(bench, &bearer(&token))?, 401, "INVALID_TOKEN")?;
    }
    let none = token(&issuers.es, "down.test", &json!({ "alg": "none" }), &json!({}))?;
    refusal(bench, &me(bench, &bearer(&none))?, 401, "INVALID_TOKEN")?;
    ensure!(issuers.asked("down.test") == 0, "asked for nothing");
    Ok(())
}

/// One of them fetches.
pub fn crowd(bench: &mut Bench) -> Result<()> {
    bench.restart()?;
    let (host, issuers) = ("cold.test", &bench.issuers);
    issuers.publish(host, &[&issuers.es]);
    let token = token(&issuers.es, host, &json!({}), &json!({}))?;
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let mut connection = Connection::open(bench.address, TIMEOUT)?;
        connection.send(&request(&bearer(&token)))?;
        waiting.push(connection);
    }
    for mut connection in waiting {
        let reply = connection.receive(false)?;
        ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
    }
    ensure!(issuers.asked(host) == 1, "{} fetches", issuers.asked(host));
    Ok(())
}

/// The Wasm fails while a token waits for its issuer: that request ends too, the next is served.
pub fn trap(bench: &mut Bench) -> Result<()> {
    bench.restart()?;
    let (host, issuers) = ("cold.test", &bench.issuers);
    issuers.set(host, Behaviour::Hang(Duration::from_secs(4)));
    let token = token(&issuers.es, host, &json!({}), &json!({}))?;
    let mut connection = Connection::open(bench.address, TIMEOUT)?;
    connection.send(&request(&bearer(&token)))?;
    let deadline = Instant::now() + TIMEOUT;
    while issuers.asked(host) == 0 {
        ensure!(Instant::now() < deadline, "it asks for no keys");
        std::thread::sleep(Duration::from_millis(5));
    }
    let start = Instant::now();
    let trapped = me(bench, &format!("X-Trap: 1\r\n{}", bearer(&token)))?;
    for reply in [trapped, connection.receive(false)?] {
        ensure!(reply.status == 503, "{} {}", reply.status, reply.text());
        ensure!(bench.check_fault(&reply, false, None)? == "AUTH_UNAVAILABLE", "{}", reply.text());
    }
    ensure!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    issuers.publish(host, &[&issuers.es]);
    ensure!(me(bench, &bearer(&token))?.status == 200, "after");
    Ok(())
}

/// What is made of bodies.
pub fn bodies(bench: &mut Bench) -> Result<()> {
    let text = |text: &str| json!(["", text]);
    let cases: &[(&[u8], Value)] = &[
        (b"", text("")),
        (b"0123456789", text("0123456789")),
        (b"01234567890", json!(["long", null])),
        ("€€€".as_bytes(), text("€€€")),
        (b"\xef\xbb\xbf{}", text("\u{feff}{}")),
        (b"\xff", json!(["binary", null])),
        (b"\xe2\x82", json!(["binary", null])),
        (b"\xc0\x80", json!(["binary", null])),
    ];
    for (body, expected) in cases {
        for chunked in [false, true] {
            let mut bytes = format!("POST /api/v1/me HTTP/1.1\r\nHost: {ADMIN}\r\nX-Body: 10\r\n");
            if chunked && !body.is_empty() {
                bytes.push_str("Transfer-Encoding: chunked\r\n\r\n");
            } else {
                bytes.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
            }
            let mut bytes = bytes.into_bytes();
            if chunked && !body.is_empty() {
                for byte in *body {
                    bytes.extend_from_slice(&[b'1', b'\r', b'\n', *byte, b'\r', b'\n']);
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            } else {
                bytes.extend_from_slice(body);
            }
            let reply = exchange(bench.address, &bytes, TIMEOUT)?;
            ensure!(reply.json()? == *expected, "{body:?}: {}", reply.text());
        }
    }
    Ok(())
}

impl Issuers {
    /// One of each algorithm.
    pub fn each(&self) -> [(&'static str, &SigningKey); 3] {
        [("es.test", &self.es), ("rs.test", &self.rs), ("ed.test", &self.ed)]
    }
}

fn host_algorithm(host: &str) -> &'static str {
    match host {
        "es.test" => "ES256",
        "rs.test" => "RS256",
        _ => "EdDSA",
    }
}

/// A token as Cloudflare Access makes them.
pub fn access(issuers: &Issuers) -> Result<String> {
    let header = json!({ "alg": "RS256", "kid": issuers.rs.kid, "typ": "JWT" });
    let claims = json!({
        "aud": ["4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2"],
        "email": "user@example.test", "exp": now()? + 300, "iat": now()?, "nbf": now()?,
        "iss": "https://team.cloudflareaccess.test", "type": "app", "identity_nonce": "x",
        "sub": "user-1", "country": "NZ",
    });
    issuers.rs.token(&header, &claims)
}

/// A good token of `host`, but for the changes; null takes a member away.
pub fn token(key: &SigningKey, host: &str, header: &Value, changes: &Value) -> Result<String> {
    let own = json!({ "alg": key.algorithm(), "typ": "at+jwt", "kid": key.kid });
    key.token(&changed(own, header), &claims(host, changes)?)
}

fn claims(host: &str, changes: &Value) -> Result<Value> {
    let now = now()?;
    let own = json!({
        "iss": format!("https://{host}"), "sub": "user-1", "aud": ["other", "portcullis"],
        "iat": now, "exp": now + 300, "scope": "keys:read keys:write",
    });
    Ok(changed(own, changes))
}

/// An object with other members; null takes one away.
pub fn changed(mut object: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().into_iter().flatten() {
        object[name] = value.clone();
    }
    if let Some(members) = object.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    object
}

/// Sets the clock of the Worker of the Workspaces so many milliseconds ahead.
fn clock(bench: &Bench, ahead: u64) -> Result<()> {
    me(bench, &format!("X-Clock: {ahead}\r\n")).map(drop)
}

pub fn me(bench: &Bench, headers: &str) -> Result<Reply> {
    exchange(bench.address, &request(headers), TIMEOUT)
}

fn request(headers: &str) -> Vec<u8> {
    format!("GET /api/v1/me HTTP/1.1\r\nHost: {ADMIN}\r\n{headers}\r\n").into_bytes()
}

pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Checks that a request was refused so.
pub fn refusal(bench: &Bench, reply: &Reply, status: u16, code: &str) -> Result<()> {
    ensure!(reply.status == status, "{}, not {status}: {}", reply.status, reply.text());
    let actual = bench.check_own_answer(reply, false)?;
    ensure!(actual == code, "{actual}, not {code}");
    Ok(())
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

const ADMIN: &str = "portcullis.localhost";
/// How long a fetch may take.
const FETCH: Duration = Duration::from_secs(2);
/// For two busy cores.
const SLACK: Duration = Duration::from_millis(1500);
