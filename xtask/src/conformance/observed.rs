//! What gates tell of decisions: points of Analytics Engine, which workerd posts to a service that records them
//! (`points.mjs`), and lines of the log.
//!
//! The Workers of this step tell of every decision, so that whatever any case sends can be looked for in what
//! was told.

mod case;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use case::case;

use super::tokens::{access, bearer};
use super::{Bench, TIMEOUT, cases};
use crate::checkout::{Checkout, say};
use crate::http::{Reply, exchange};
use crate::vectors::POLICY;
use crate::worker::{self, Flavour};
use crate::workerd::{Observed, Server};

/// The policy of this step, with what is told of decisions.
pub fn policy(checkout: &Checkout, observe: &str) -> Result<PathBuf> {
    let path = checkout.private("conformance.toml")?;
    let text = fs::read_to_string(checkout.path(POLICY))?;
    fs::write(&path, format!("{text}\n[observe]\n{observe}\n"))?;
    Ok(path)
}

/// What was told, by the id of the request: the point and the line.
#[derive(Debug, Default)]
pub struct Record(BTreeMap<String, (Vec<Value>, Vec<Value>)>);

impl Record {
    /// Takes what a server has told since it was asked last.
    pub fn take(&mut self, server: &Server) -> Result<()> {
        for point in server.control.points()?.as_array().into_iter().flatten() {
            let id = point["blobs"][REQUEST_ID].as_str().context("a point without a request id")?;
            self.0.entry(id.to_owned()).or_default().0.push(point.clone());
        }
        for line in server.take_told() {
            let line: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
            let id = line["request_id"].as_str().context("a line without a request id")?;
            self.0.entry(id.to_owned()).or_default().1.push(line.clone());
        }
        Ok(())
    }

    /// Waits until both are there of a request, or the time is over.
    fn of(&mut self, server: &Server, id: &str) -> Result<(Value, Value)> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            self.take(server)?;
            if let Some((points, lines)) = self.0.get(id)
                && let ([point, ..], [line, ..]) = (&points[..], &lines[..])
            {
                return Ok((point.clone(), line.clone()));
            }
            ensure!(Instant::now() < deadline, "of {id} was told {:?}", self.0.get(id));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Each kind of end, told as it should be; whoever calls has put a word of his own wherever one may stand.
pub fn told(bench: &mut Bench) -> Result<()> {
    bench.restart()?;
    let session = bearer(&access(&bench.issuers)?);
    let cases = [
        case("GET", "/v1/agents/{canary}?{canary}", "X-API-Key: {key full}\r\n", 200)
            .route("/v1/agents/{agent_id}")
            .key("full", "edge")
            .coins(1)
            .cold(),
        case("GET", "/v1/agents/{canary}?{canary}", "X-API-Key: {key full}\r\n", 200)
            .route("/v1/agents/{agent_id}")
            .key("full", "edge")
            .coins(1),
        case("POST", "/v1/public", "Content-Length: 8\r\n", 200).route("/v1/public"),
        case("POST", "/v1/public", "Content-Length: 99\r\n", 413)
            .route("/v1/public")
            .outcome("BODY_TOO_LARGE"),
        case("GET", "/v1/agents", "X-API-Key: {key environment}\r\n", 200)
            .route("/v1/agents")
            .key("environment", "edge")
            .coins(1),
        case("GET", "/v1/agents", &session, 200).route("/v1/agents").kind("session").cold(),
        case("GET", "/v1/agents", &session, 200).route("/v1/agents").kind("session"),
        case("GET", "/metered/free", "X-API-Key: {key signed_optional}\r\n", 200)
            .route("/metered/free")
            .product("metered")
            .key("signed_optional", "strict")
            .cold(),
        case("GET", "/v1/admin", "X-API-Key: {key read_only}\r\n", 403)
            .route("/v1/admin")
            .key("read_only", "edge")
            .cold()
            .outcome("PERMISSION_DENIED"),
        case(
            "GET",
            "/trial",
            "X-API-Key: {key read_only}\r\nCF-Connecting-IP: 198.51.100.1\r\n",
            200,
        )
        .route("/trial")
        .key("read_only", "edge")
        .coins(1)
        .tried("IP_NOT_ALLOWED PERMISSION_DENIED"),
        case("GET", "/v1/agents", "X-API-Key: {key bad_secret_tag}\r\n", 401)
            .route("/v1/agents")
            .outcome("INVALID_API_KEY"),
        // Its key exists, and is in memory: nothing of that is told.
        case("GET", "/v1/agents", "X-API-Key: {key invented_secret}\r\n", 401)
            .route("/v1/agents")
            .outcome("INVALID_API_KEY"),
        case("GET", "/v1/agents", "X-API-Key: {key unknown_kid}\r\n", 401)
            .route("/v1/agents")
            .cold()
            .outcome("INVALID_API_KEY"),
        case("GET", "/v1/agents", "X-API-Key: {canary}\r\n", 401)
            .route("/v1/agents")
            .outcome("INVALID_API_KEY"),
        case("GET", "/v1/agents", "Authorization: {canary}\r\n", 401)
            .route("/v1/agents")
            .outcome("MISSING_API_KEY"),
        case("GET", "/v1/agents?{key full}", "", 400).outcome("KEY_IN_URL"),
        case("GET", "/{canary}", "", 404).outcome("UNKNOWN_ROUTE"),
        case("GET", "/%2e/{canary}", "", 400).outcome("BAD_TARGET"),
        case("GET", "/v1/public", "Host: {canary}.test\r\n", 421).outcome("UNKNOWN_HOST"),
        case("PROPFIND", "/v1/agents", "", 405).method("").outcome("METHOD_NOT_ALLOWED"),
        case(
            "OPTIONS",
            "/pages",
            "Origin: https://app.test\r\nAccess-Control-Request-Method: GET\r\n",
            204,
        )
        .outcome("preflight"),
        case("GET", "/near/close-head", "X-API-Key: {key open}\r\n", 502)
            .route("/near/{*rest}")
            .key("open", "edge")
            .coins(1)
            .cold()
            .outcome("ORIGIN_UNREACHABLE"),
        case("GET", "/far/hang", "X-API-Key: {key open}\r\n", 504)
            .route("/far/{*rest}")
            .key("open", "edge")
            .coins(1)
            .outcome("ORIGIN_TIMEOUT"),
    ];
    for case in &cases {
        case.check(bench).with_context(|| case.name())?;
    }
    bench.control()?.set_faults(&json!({ "kv": { "kind": "error" } }))?;
    let unavailable = case("GET", "/v1/agents", "X-API-Key: {key second}\r\n", 503);
    let outcome = unavailable.route("/v1/agents").cold().outcome("AUTH_UNAVAILABLE").check(bench);
    bench.control()?.clear_faults()?;
    outcome.context("KV fails")
}

/// `Server-Timing` comes with the answers of origins, to whoever asks; nobody is refused otherwise for it.
pub fn timing(bench: &mut Bench) -> Result<()> {
    bench.restart()?;
    let own = "X-API-Key: {key open}\r\n";
    let asking = "X-API-Key: {key open}\r\nX-Portcullis-Timing: 1\r\n";
    for (headers, expected) in [(own, None), (asking, Some("auth;desc=warm;dur=0, origin;dur="))] {
        let reply = send(bench, "GET", "/near/x", headers)?;
        ensure!(reply.status == 200, "{}", reply.text());
        let timing = reply.header("server-timing");
        match (timing, expected) {
            (None, None) => {}
            (Some(timing), Some(begin)) if timing.starts_with(begin) => {
                let millis = timing.strip_prefix(begin).unwrap_or_default();
                ensure!(millis.parse::<u32>().is_ok_and(|millis| millis < 5000), "{timing}");
            }
            _ => bail!("Server-Timing: {timing:?}, not {expected:?}"),
        }
    }
    let seen = bench.origin()?.take();
    ensure!(seen.iter().all(|seen| seen.header("x-portcullis-timing").is_none()), "{seen:?}");
    let denied = |headers| send(bench, "GET", "/near/x", headers);
    let plain = |reply: Reply| {
        let names = reply.headers.into_iter().map(|(name, _)| name);
        names.collect::<Vec<_>>()
    };
    let without = plain(denied("X-API-Key: {key bad_crc}\r\n")?);
    let with = plain(denied("X-API-Key: {key bad_crc}\r\nX-Portcullis-Timing: 1\r\n")?);
    ensure!(without == with, "a denial has {with:?}, not {without:?}");
    ensure!(!with.iter().any(|name| name.eq_ignore_ascii_case("server-timing")), "{with:?}");
    Ok(())
}

/// Nothing secret, and nothing that somebody unknown chose, was told in all of this step; and of no request
/// twice.
pub fn scan(bench: &Bench) -> Result<()> {
    let mut secrets: Vec<&str> = bench.world.keys.values().map(String::as_str).collect();
    let parts = [&bench.world.root, &bench.world.static_keys];
    secrets.extend(
        parts.iter().flat_map(|list| list.split([',', ':'])).filter(|part| part.len() > 20),
    );
    ensure!(secrets.len() > 20, "{} secrets are too few", secrets.len());
    // Of signing secrets, tokens, queries, and of what the cases of this file have sent.
    secrets.extend(["_sign_", "eyJ", "?", CANARY]);
    let told = &bench.told.0;
    for (id, (points, lines)) in told {
        ensure!(points.len() < 2 && lines.len() < 2, "told twice: {id}");
        let text = format!("{points:?} {lines:?}");
        let secret = secrets.iter().find(|secret| !secret.is_empty() && text.contains(**secret));
        ensure!(secret.is_none(), "{secret:?} was told: {text}");
    }
    let both = told.values().filter(|(points, lines)| points.len() == lines.len()).count();
    ensure!(told.len() > 1000, "told of {} decisions alone", told.len());
    // Some requests ended with their isolate.
    ensure!(
        both * 100 > told.len() * 95,
        "a point and a line of {both} of {} decisions",
        told.len()
    );
    say(format!(
        "observed: {} decisions, {both} by point and line, none with a secret",
        told.len()
    ));
    Ok(())
}

/// Shares are exact by the request's id; without its binding a gate serves as it would, and says so once.
pub fn sampled(checkout: &Checkout, bench: &mut Bench) -> Result<()> {
    let shares = "analytics = true\nlogs = { allowed = 0.25, denied = 0.5 }";
    let fingerprint = bench.keyring.newest().fingerprint().to_owned();
    let policy = policy(checkout, shares)?;
    bench.options.workers =
        worker::build(checkout, &Flavour::Conformance { policy, fingerprint })?.folder;
    bench.options.observed = Observed::Lines;
    bench.restart()?;
    let server = bench.server.as_ref().context("no server")?;
    let (mut sent, mut expected, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for (target, status, below) in [("/v1/public", 200, 1 << 30), ("/nowhere", 404, 1 << 31)] {
        for _ in 0..REQUESTS {
            let reply = send(bench, "GET", target, "")?;
            ensure!(reply.status == status, "{} {}", reply.status, reply.text());
            let id = reply.header("x-request-id").context("no request id")?;
            sent.push(id.to_owned());
            if u32::from_str_radix(&id[..8], 16)? < below {
                expected.push(id.to_owned());
            }
        }
    }
    let deadline = Instant::now() + TIMEOUT;
    while lines.len() < expected.len() && Instant::now() < deadline {
        for line in server.take_told() {
            let line: Value = serde_json::from_str(&line)?;
            lines.extend(line["request_id"].as_str().map(str::to_owned));
        }
        // Others have asked before.
        lines.retain(|id| sent.contains(id));
        std::thread::sleep(Duration::from_millis(20));
    }
    ensure!(lines == expected, "{} lines, not {}", lines.len(), expected.len());
    let complaint = "no point could be written to PORTCULLIS_ANALYTICS";
    let complaints = server.log().matches(complaint).count();
    ensure!(complaints == 1, "{complaints} complaints: {}", server.log());
    Ok(())
}

fn send(bench: &Bench, method: &str, target: &str, headers: &str) -> Result<Reply> {
    let host = if headers.starts_with("Host:") { "" } else { "Host: api.test\r\n" };
    let body = if headers.contains("Content-Length") { CANARY } else { "" };
    let text = format!(
        "{method} {target} HTTP/1.1\r\n{host}{headers}Cookie: {CANARY}\r\nUser-Agent: {CANARY}\r\n\r\n{body}"
    );
    let text = text.replace("{canary}", CANARY);
    exchange(bench.address, &cases::bytes(&bench.world.fill(&text)?), TIMEOUT)
}

/// Every decision, everywhere.
pub const ALL: &str =
    "analytics = true\nlogs = { allowed = 1, denied = 1, faults = 1 }\nserver_timing = true";
/// Among the blobs.
const REQUEST_ID: usize = 8;
/// 8 characters.
const CANARY: &str = "canary42";
const REQUESTS: usize = 100;
