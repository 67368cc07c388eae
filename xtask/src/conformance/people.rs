//! Tokens of people on gated routes, by the gate.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::issuers::Behaviour;
use super::tokens::{access, bearer, refusal, token, unbelievable};
use super::{Bench, TIMEOUT, decisions, forwarded, raw};
use crate::http::{Connection, Reply, exchange};
use crate::vectors::WORKSPACE;

/// Every algorithm; a session, in either header; what the origin is told of them.
pub fn accepted(bench: &mut Bench) -> Result<()> {
    bench.restart()?;
    bench.control()?.reset_counts()?;
    bench.control()?.reset_workspace_counts(WORKSPACE)?;
    for (host, key) in bench.issuers.each() {
        bench.issuers.publish(host, &[key]);
        let token = token(key, host, &json!({}), &READS)?;
        let name = host.split('.').next().unwrap_or_default();
        for _ in 0..3 {
            let told = [
                ("type", "oauth"),
                ("scopes", "agents:read"),
                ("subject", &*format!("{name}:user-1")),
            ];
            passes(bench, "/v1/agents", &bearer(&token), &told)?;
        }
        ensure!(bench.issuers.asked(host) == 1, "{host}: {}", bench.issuers.asked(host));
    }
    let session = access(&bench.issuers)?;
    let told = [("type", "session"), ("subject", "access:user-1")];
    let own = format!("Cf-Access-Jwt-Assertion: {session}\r\n");
    for headers in [&own, &bearer(&session)] {
        passes(bench, "/v1/agents", headers, &told)?;
        passes(bench, "/v1/admin", headers, &told)?;
    }
    // A proxy puts its own into each request; the client's counts.
    let es = token(&bench.issuers.es, "es.test", &json!({}), &READS)?;
    passes(bench, "/v1/agents", &format!("{own}{}", bearer(&es)), &[("subject", "es:user-1")])?;
    passes(bench, "/v1/public", &format!("{own}{}", bearer("a.b.c")), &[])?;
    ensure!(decisions::rows_read(bench)?.is_empty(), "KV was read for a token");
    let counts = bench.control()?.workspace_counts(WORKSPACE)?;
    ensure!(counts["calls"].as_u64().unwrap_or_default() == 0, "a Workspace was called: {counts}");
    Ok(())
}

/// One thing wrong with each; what is no token; what the route does not take.
pub fn refused(bench: &mut Bench) -> Result<()> {
    bench.restart()?;
    let mut wrong = unbelievable(&bench.issuers)?;
    let es = &bench.issuers.es;
    let good = token(es, "es.test", &json!({}), &READS)?;
    let session = access(&bench.issuers)?;
    wrong.push(("a dot behind".to_owned(), format!("{good}.")));
    wrong.push(("a part too many".to_owned(), format!("{good}.AA")));
    for (what, token) in &wrong {
        let reply = get(bench, "/v1/agents", &bearer(token))?;
        denied(bench, &reply, 401, "INVALID_TOKEN", "invalid_token").context(what.clone())?;
    }
    let key = |name: &str| bearer(&bench.world.keys[name]);
    let writes = token(es, "es.test", &json!({}), &json!({ "scope": "openid agents:write" }))?;
    for (target, headers, status, code, error) in [
        ("/v1/agents", bearer(&writes), 403, "PERMISSION_DENIED", "insufficient_scope"),
        ("/oauth", bearer(&good), 403, "PERMISSION_DENIED", "insufficient_scope"),
        ("/oauth", key("full"), 403, "API_KEY_NOT_ALLOWED", ""),
        ("/oauth", key("imported"), 403, "API_KEY_NOT_ALLOWED", ""),
        ("/oauth", key("environment"), 403, "API_KEY_NOT_ALLOWED", ""),
        ("/oauth", format!("X-API-Key: {good}\r\n"), 403, "API_KEY_NOT_ALLOWED", ""),
        ("/oauth", String::new(), 401, "MISSING_API_KEY", ""),
        ("/oauth", bearer(&session), 401, "INVALID_TOKEN", "invalid_token"),
        ("/any", bearer(&good), 401, "INVALID_TOKEN", "invalid_token"),
        ("/any", format!("Cf-Access-Jwt-Assertion: {session}\r\n"), 401, "MISSING_API_KEY", ""),
        (
            "/v1/agents",
            format!("Cf-Access-Jwt-Assertion: {good}\r\n"),
            401,
            "INVALID_TOKEN",
            "invalid_token",
        ),
        ("/v1/agents", bearer(&good).repeat(2), 400, "AMBIGUOUS_CREDENTIALS", ""),
        (
            "/v1/agents",
            format!("{}{}", bearer(&good), key("full")),
            400,
            "AMBIGUOUS_CREDENTIALS",
            "",
        ),
    ] {
        let reply = get(bench, target, &headers)?;
        denied(bench, &reply, status, code, error)
            .with_context(|| format!("{target} {headers}"))?;
    }
    ensure!(bench.origin()?.take().is_empty(), "the origin got a request");
    ensure!(bench.issuers.asked("evil.test") == 0, "a URL in a header was fetched");
    Ok(())
}

/// A key at its limit waits; people do not.
pub fn unmetered(bench: &mut Bench) -> Result<()> {
    bench.restart()?;
    let key = bearer(&bench.world.keys["tier_of_three"]);
    let oauth = bearer(&token(&bench.issuers.es, "es.test", &json!({}), &READS)?);
    let session = bearer(&access(&bench.issuers)?);
    for time in 0..6 {
        let reply = get(bench, "/v1/agents", &key)?;
        ensure!(reply.status == if time < 3 { 200 } else { 429 }, "{time}: {}", reply.status);
        for headers in [&oauth, &session] {
            let reply = get(bench, "/v1/agents", headers)?;
            ensure!(reply.status == 200, "{time}: {} {}", reply.status, reply.text());
            ensure!(reply.header("x-ratelimit-limit").is_none(), "{:?}", reply.headers);
            ensure!(
                reply.header("cache-control") == Some("private, no-store"),
                "{:?}",
                reply.headers
            );
        }
    }
    Ok(())
}

/// Without an issuer's keys nobody is let in, and nobody refused; keys, and other issuers' people, are served.
pub fn down(bench: &mut Bench) -> Result<()> {
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
        let own = bearer(&token(&issuers.es, host, &json!({}), &READS)?);
        let reply = get(bench, "/v1/agents", &own)?;
        refusal(bench, &reply, 503, "AUTH_UNAVAILABLE").with_context(|| host)?;
        let ended = token(&issuers.es, host, &json!({}), &json!({ "exp": 1 }))?;
        let reply = get(bench, "/v1/agents", &bearer(&ended))?;
        refusal(bench, &reply, 401, "INVALID_TOKEN").with_context(|| host)?;
        let asked = issuers.asked(host);
        ensure!(asked == 1, "{host}: {asked} fetches");
        let others = bearer(&token(&issuers.es, "es.test", &json!({}), &READS)?);
        for headers in [&others, &bearer(&bench.world.keys["full"])] {
            ensure!(get(bench, "/v1/agents", headers)?.status == 200, "{host}: another's");
        }
        issuers.publish(host, &[&issuers.es]);
        std::thread::sleep(Duration::from_millis(1100));
        let reply = get(bench, "/v1/agents", &own)?;
        ensure!(reply.status == 200, "{host}, up again: {}", reply.text());
        // What is known stays known while it is down again.
        issuers.set(host, Behaviour::Text(500, String::new()));
        for claims in [&READS, &json!({ "scope": "read", "x": 1 })] {
            let own = bearer(&token(&issuers.es, host, &json!({}), claims)?);
            let reply = get(bench, "/v1/agents", &own)?;
            ensure!(reply.status == 200, "{host}, down again: {}", reply.text());
        }
    }
    bench.forget();
    Ok(())
}

/// One of them fetches.
pub fn crowd(bench: &mut Bench) -> Result<()> {
    bench.restart()?;
    let (host, issuers) = ("cold.test", &bench.issuers);
    issuers.publish(host, &[&issuers.es]);
    let mut waiting = Vec::new();
    for number in 0..50 {
        let claims = json!({ "scope": "agents:read", "sub": format!("user-{}", number % 5) });
        let token = token(&issuers.es, host, &json!({}), &claims)?;
        let mut connection = Connection::open(bench.address, TIMEOUT)?;
        connection.send(&request("/v1/agents", &bearer(&token)))?;
        waiting.push(connection);
    }
    for mut connection in waiting {
        let reply = connection.receive(false)?;
        ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
    }
    ensure!(issuers.asked(host) == 1, "{} fetches", issuers.asked(host));
    bench.forget();
    Ok(())
}

/// Checks that a request gets through, and what the origin is told of who calls.
fn passes(bench: &Bench, target: &str, headers: &str, told: &[(&str, &str)]) -> Result<()> {
    bench.forget();
    let reply = get(bench, target, headers)?;
    ensure!(reply.status == 200, "{target} {headers}: {} {}", reply.status, reply.text());
    let seen = bench.origin()?.take();
    let [seen] = &seen[..] else { anyhow::bail!("the origin got {seen:?}") };
    forwarded::check(seen, "near", &bench.keyring, raw::now()?)?;
    for name in ["key", "workspace"] {
        ensure!(seen.header(&format!("x-portcullis-{name}")).is_none(), "it is told a {name}");
    }
    for (name, value) in told {
        let actual = seen.header(&format!("x-portcullis-{name}"));
        ensure!(actual == Some(value), "{name}: {actual:?}, not {value}");
    }
    ensure!(seen.header("cf-access-jwt-assertion").is_none(), "the origin got the token");
    Ok(())
}

fn denied(bench: &Bench, reply: &Reply, status: u16, code: &str, error: &str) -> Result<()> {
    refusal(bench, reply, status, code)?;
    let challenge = reply.header("www-authenticate").unwrap_or_default();
    if error.is_empty() {
        ensure!(!challenge.contains("error="), "{challenge}");
    } else {
        ensure!(challenge.contains(&format!("error=\"{error}\"")), "{challenge}");
    }
    Ok(())
}

fn get(bench: &Bench, target: &str, headers: &str) -> Result<Reply> {
    exchange(bench.address, &request(target, headers), TIMEOUT)
}

fn request(target: &str, headers: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: api.test\r\n{headers}\r\n").into_bytes()
}

/// The claims of somebody who may read agents.
static READS: std::sync::LazyLock<Value> =
    std::sync::LazyLock::new(|| json!({ "scope": "openid agents:read" }));
