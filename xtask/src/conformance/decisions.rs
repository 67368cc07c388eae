//! `tests/vectors/decisions.json` over HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::raw::{self, Stage};
use super::{Bench, TIMEOUT, cases, forwarded};
use crate::checkout::{Checkout, say};
use crate::http::{Reply, exchange};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    request: Request,
    /// For cases that only a caller of the core can set up.
    #[serde(default = "yes")]
    http: bool,
    /// Why not over HTTP.
    because: Option<String>,
    #[serde(default)]
    before: Vec<Request>,
    #[serde(default)]
    repeat: u32,
    #[serde(rename = "now")]
    _now: Option<u64>,
    #[serde(rename = "facts")]
    _facts: Option<String>,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    method: String,
    host: String,
    target: String,
    headers: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    status: u16,
    code: Option<String>,
    #[serde(rename = "reason")]
    _reason: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    lookups: Vec<String>,
    /// Whether it is leave for a page to send its request.
    #[serde(default)]
    preflight: bool,
    forward: Option<Forward>,
    #[serde(default)]
    admin: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forward {
    origin: String,
    #[serde(rename = "millis")]
    _millis: Option<u32>,
    #[serde(default)]
    set: BTreeMap<String, String>,
    #[serde(default)]
    dropped: Vec<String>,
    #[serde(default)]
    kept: Vec<String>,
}

pub fn run(checkout: &Checkout, bench: &mut Bench) -> Result<()> {
    let text = fs::read_to_string(checkout.path("tests/vectors/decisions.json"))?;
    let cases: Vec<Case> = serde_json::from_str(&text).context("decisions.json")?;
    let mut skipped = 0;
    for case in &cases {
        if !case.http {
            ensure!(case.because.is_some(), "{}: why not over HTTP?", case.id);
            skipped += 1;
            continue;
        }
        let outcome = one(bench, case);
        bench.note(&case.id, outcome);
    }
    say(format!("decisions over HTTP: {}, {skipped} not", cases.len() - skipped));
    Ok(())
}

fn one(bench: &mut Bench, case: &Case) -> Result<()> {
    bench.nothing_left()?;
    for earlier in &case.before {
        ask(bench, earlier)?;
    }
    for time in 0..case.repeat {
        let reply = ask(bench, &case.request)?;
        ensure!(reply.status == 200, "time {time}: {} {}", reply.status, reply.text());
    }
    bench.forget();
    bench.control()?.reset_counts()?;
    let reply = ask(bench, &case.request)?;
    let (status, expect) = (reply.status, &case.expect);
    ensure!(status == expect.status, "{status}, not {}: {}", expect.status, reply.text());
    for (name, part) in &expect.headers {
        let value = reply.header(name).with_context(|| format!("no {name}"))?;
        ensure!(value.contains(part.as_str()), "{name}: {value}");
    }
    for name in &expect.absent {
        ensure!(reply.header(name).is_none(), "{name} is there");
    }
    let seen = bench.origin()?.take();
    match &expect.forward {
        None => {
            ensure!(seen.is_empty(), "the origin got {seen:?}");
            let head = case.request.method == "HEAD";
            if !(expect.admin || expect.preflight) || status >= 400 {
                let code = bench.check_own_answer(&reply, head)?;
                let expected = expect.code.as_deref().unwrap_or_default();
                ensure!(head || code == expected, "{code}, not {expected}");
            }
        }
        Some(forward) => {
            let [seen] = &seen[..] else { anyhow::bail!("the origin got {seen:?}") };
            let target = bench.world.fill(&case.request.target)?;
            ensure!(seen.target == target, "the origin got the target {}", seen.target);
            ensure!(seen.method == case.request.method, "the origin got a {}", seen.method);
            forwarded::check(seen, &forward.origin, &bench.keyring, raw::now()?)?;
            for (name, value) in &forward.set {
                let value = bench.world.fill(value)?;
                let actual = seen.header(name);
                ensure!(actual == Some(&value), "the origin got {name}: {actual:?}, not {value}");
            }
            for name in forward.dropped.iter().filter(|name| *name != "connection") {
                let own = forward.set.contains_key(name);
                ensure!(own || seen.header(name).is_none(), "the origin got {name}");
            }
            for name in &forward.kept {
                ensure!(seen.header(name).is_some(), "the origin got no {name}");
            }
            ensure!(reply.header("x-request-id") == seen.header("x-request-id"), "request ids");
        }
    }
    let expected: BTreeSet<String> = expect
        .lookups
        .iter()
        .map(|row| bench.world.rows.get(row).cloned().with_context(|| format!("no row {row}")))
        .collect::<Result<_>>()?;
    let read = rows_read(bench)?;
    let surplus: Vec<_> = read
        .iter()
        .filter(|row| !expected.contains(*row) && !bench.may_read.contains(*row))
        .collect();
    bench.may_read = expected.clone();
    ensure!(surplus.is_empty(), "KV was asked for {surplus:?}");
    Ok(())
}

/// The rows that KV was asked for since the counts were reset.
pub fn rows_read(bench: &Bench) -> Result<Vec<String>> {
    let counts = bench.control()?.counts()?;
    let keys = counts["kv"]["keys"].as_object();
    Ok(keys.into_iter().flatten().map(|(name, _): (&String, &Value)| name.clone()).collect())
}

fn ask(bench: &Bench, request: &Request) -> Result<Reply> {
    let Request { method, host, target, headers } = request;
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    text.push_str("\r\n");
    if headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding")) {
        text.push_str("0\r\n\r\n");
    }
    exchange(bench.address, &cases::bytes(&bench.world.fill(&text)?), TIMEOUT)
}

fn yes() -> bool {
    true
}
