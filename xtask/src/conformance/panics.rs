//! A Wasm that fails takes its own request down and those it was still to decide, and nothing else.
//!
//! The failure comes from `xtask/workerd/provoke.mjs`, in front of the Worker as it is deployed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::origin::LATE;
use super::programs::{VIA, get, refused};
use super::{Bench, DOCS, TIMEOUT, raw};
use crate::http::{Connection, Reply, exchange};

/// A trap, as a panic ends in, before the decision.
pub fn trap_at_once(bench: &mut Bench) -> Result<()> {
    provoked(bench, |bench| while_others_run(bench, "trap 1", "open"))
}

/// A trap behind an answer of KV, with the isolate's memory in use.
pub fn trap_in_look_up(bench: &mut Bench) -> Result<()> {
    provoked(bench, |bench| while_others_run(bench, "trap 2", "full"))
}

/// A trap behind one of many answers of KV that come at once: those behind it find no Wasm, or a new
/// one that knows nothing of them.
pub fn trap_in_a_burst(bench: &mut Bench) -> Result<()> {
    provoked(bench, |bench| {
        ensure!(get(bench, "/near/x", "open")?.status == 200, "before");
        bench.forget();
        let row = bench.world.rows.get("record second").context("no such row")?;
        let delay = json!({ "kv": { "kind": "delay", "delay_ms": 300, "prefix": row } });
        bench.control()?.set_faults(&delay)?;
        let mut burst = open(bench, "x", "second", BURST)?;
        // Those that wait for the one that asks read the clock again and again.
        let how = format!("trap {}", BURST / 2);
        ensure!(provoke(bench, "GET", "*/*", &how, "open")?.status == 200, "the provoking one");
        let mut decided = 1;
        for (connection, _) in &mut burst {
            let reply = connection.receive(false)?;
            ensure!(matches!(reply.status, 200 | 503), "{} {}", reply.status, reply.text());
            decided += usize::from(reply.status == 200);
        }
        ensure!((1..BURST).contains(&decided), "{decided} of {BURST} decided: no trap among them");
        let arrived = bench.origin()?.arrived();
        ensure!(arrived == decided, "the origin got {arrived}, {decided} were decided");
        bench.control()?.clear_faults()?;
        for number in 0..300 {
            let key = ["open", "second", "full", "live", "imported"][number % 5];
            let reply = get(bench, "/near/x", key)?;
            ensure!(reply.status == 200, "the {number}th after: {}", reply.text());
        }
        bench.forget();
        Ok(())
    })
}

/// A trap behind an answer of KV while origins fail: what answers for them is of the new Wasm.
pub fn trap_among_failures(bench: &mut Bench) -> Result<()> {
    provoked(bench, |bench| {
        ensure!(get(bench, "/near/x", "open")?.status == 200, "before");
        let row = bench.world.rows.get("record full").context("no such row")?;
        let delay = json!({ "kv": { "kind": "delay", "delay_ms": 300, "prefix": row } });
        bench.control()?.set_faults(&delay)?;
        let start = Instant::now();
        let mut failing = Vec::new();
        for number in 0..FAILING {
            sleep_until(start + SPREAD * number);
            failing.extend(open(bench, "late-close", "open", 1)?);
        }
        // Its trap comes when half of them have failed.
        sleep_until(start + LATE + SPREAD * FAILING / 2 - Duration::from_millis(300));
        let reply = provoke(bench, "GET", "*/*", "trap 2", "full")?;
        ensure!(reply.status == 503, "{} {}", reply.status, reply.text());
        for (connection, target) in &mut failing {
            let reply = connection.receive(false)?;
            origin_failed(bench, &reply).with_context(|| target.clone())?;
        }
        bench.control()?.clear_faults()?;
        ensure!(get(bench, "/near/x", "full")?.status == 200, "after");
        bench.forget();
        Ok(())
    })
}

/// An exception of JavaScript that leaves the Wasm without its clean-up.
pub fn exception(bench: &mut Bench) -> Result<()> {
    provoked(bench, |bench| while_others_run(bench, "throw 1", "open"))
}

/// The same behind an answer of KV.
pub fn exception_in_look_up(bench: &mut Bench) -> Result<()> {
    provoked(bench, |bench| while_others_run(bench, "throw 2", "full"))
}

/// An exception where a request is made for the origin is that request's alone.
pub fn exception_in_shim(bench: &mut Bench) -> Result<()> {
    provoked(bench, |bench| {
        ensure!(get(bench, "/near/x", "open")?.status == 200, "before");
        for key in ["open", "second"] {
            bench.forget();
            bench.control()?.reset_counts()?;
            let reply = provoke(bench, "GET", "*/*", "request 1", key)?;
            refused(bench, &reply, 500, "INTERNAL")?;
            ensure!(bench.origin()?.arrived() == 0, "{key}: forwarded");
            ensure!(get(bench, "/near/x", key)?.status == 200, "{key}: the next request");
        }
        let reads = bench.control()?.counts()?["kv"]["reads"].clone();
        ensure!(reads == 1, "{reads} reads of KV: the isolate forgot");
        bench.forget();
        Ok(())
    })
}

/// An exception where an origin's failure is answered: that request gets an error, and no other.
pub fn exception_in_fault(bench: &mut Bench) -> Result<()> {
    provoked(bench, |bench| {
        ensure!(get(bench, "/near/x", "open")?.status == 200, "before");
        let mut others = open(bench, "late-close", "open", FEW)?;
        let fields = "X-Provoke: response 1\r\n";
        let bytes = request(bench, "GET", "/near/close-head", "open", fields)?;
        let reply = exchange(bench.address, &bytes, TIMEOUT)?;
        ensure!(reply.status == 500, "{} {}", reply.status, reply.text());
        // By us, and not by the runtime's finding that nothing else would come.
        let log = bench.server.as_ref().context("no server")?.log();
        ensure!(!log.contains("never generate a response"), "{log}");
        for (connection, target) in &mut others {
            let reply = connection.receive(false)?;
            origin_failed(bench, &reply).with_context(|| target.clone())?;
        }
        ensure!(get(bench, "/near/x", "open")?.status == 200, "the next request");
        bench.forget();
        Ok(())
    })
}

/// What the failing request is answered has the form of every other fault.
pub fn form(bench: &mut Bench) -> Result<()> {
    provoked(bench, |bench| {
        for (method, accept) in
            [("GET", "*/*"), ("GET", "text/html, application/problem+json"), ("HEAD", "*/*")]
        {
            let reply = provoke(bench, method, accept, "trap 1", "open")?;
            let code = bench.check_fault(&reply, method == "HEAD", None)?;
            ensure!(reply.status == 503, "{method}: {}", reply.status);
            ensure!(method == "HEAD" || code == "AUTH_UNAVAILABLE", "{code}");
            let media = reply.header("content-type").unwrap_or_default();
            let problem = accept.contains("problem");
            ensure!(media.contains("problem") == problem, "{accept}: {media}");
            let wait: u64 = reply.header("retry-after").context("no Retry-After")?.parse()?;
            ensure!((1..=3).contains(&wait), "Retry-After: {wait}");
            ensure!(get(bench, "/v1/agents", "full")?.status == 200, "the next request");
        }
        Ok(())
    })
}

fn provoked(bench: &mut Bench, act: impl FnOnce(&Bench) -> Result<()>) -> Result<()> {
    bench.options.provoke = true;
    let outcome = bench.restart().and_then(|()| act(bench));
    bench.options.provoke = false;
    bench.restart()?;
    outcome
}

/// With requests at the origin and others that wait for KV, one fails in this way.
fn while_others_run(bench: &Bench, how: &str, key: &str) -> Result<()> {
    let origin = bench.origin()?;
    for via in VIA {
        ensure!(get(bench, &format!("/{via}/x"), "open")?.status == 200, "before");
    }
    bench.forget();
    let row = bench.world.rows.get("record second").context("no such row")?;
    let hang = json!({ "kv": { "kind": "hang", "prefix": row } });
    bench.control()?.set_faults(&hang)?;

    let mut late = open(bench, "late", "open", AT_ORIGIN)?;
    for key in LOOKED_UP {
        late.extend(open(bench, "late", key, FEW)?);
    }
    let mut failing = open(bench, "late-close", "open", FEW)?;
    let sent = late.len() + failing.len();
    until("the requests are at the origin", || Ok(origin.arrived() == sent))?;
    bench.control()?.reset_counts()?;
    let mut waiting = open(bench, "x", "second", WAITING)?;
    // One asks KV, the others wait for it; when, cannot be seen from here.
    until("a look-up is at KV", || Ok(bench.control()?.counts()?["kv"]["reads"] == 1))?;
    std::thread::sleep(SETTLED);

    let start = Instant::now();
    let reply = provoke(bench, "GET", "*/*", how, key)?;
    ensure!(reply.status == 503, "{how}: {} {}", reply.status, reply.text());
    ensure!(bench.check_fault(&reply, false, None)? == "AUTH_UNAVAILABLE", "{}", reply.text());
    let next = get(bench, "/near/x", "open")?;
    ensure!(next.status == 200, "{how}, the next: {} {}", next.status, next.text());
    for (connection, _) in &mut waiting {
        let reply = connection.receive(false)?;
        let took = start.elapsed();
        ensure!(took < LIMIT, "{how}: one that waited was answered after {took:?}");
        ensure!(reply.status == 503, "{how}, waiting: {} {}", reply.status, reply.text());
        bench.check_fault(&reply, false, None)?;
    }
    let arrived = origin.arrived();
    ensure!(arrived == sent + 1, "{how}: the origin got {} more", arrived - sent);

    for (connection, target) in &mut late {
        let reply = connection.receive(false)?;
        ensure!(reply.status == 200, "{how}, at the origin: {} {}", reply.status, reply.text());
        ensure!(reply.json()?["target"] == *target, "{target}: {}", reply.text());
        ensure!(reply.header("cache-control") == Some("private, no-store"), "{target}");
    }
    for (connection, target) in &mut failing {
        let reply = connection.receive(false)?;
        origin_failed(bench, &reply).with_context(|| target.clone())?;
    }
    bench.control()?.clear_faults()?;
    bench.forget();
    for key in ["second", key] {
        let reply = get(bench, "/near/x", key)?;
        ensure!(reply.status == 200, "{how}, in the end, {key}: {}", reply.text());
    }
    bench.forget();
    Ok(())
}

/// So many requests under way, each on a connection of its own, and their targets.
fn open(
    bench: &Bench,
    behaviour: &str,
    key: &str,
    count: usize,
) -> Result<Vec<(Connection, String)>> {
    let one = |number: usize| {
        let target = format!("/{}/{number}/{behaviour}", VIA[number % VIA.len()]);
        let mut connection = Connection::open(bench.address, TIMEOUT)?;
        connection.send(&request(bench, "GET", &target, key, "")?)?;
        Ok((connection, target))
    };
    (0..count).map(one).collect()
}

/// A new Wasm knows the policy's page only when it has decided.
fn origin_failed(bench: &Bench, reply: &Reply) -> Result<()> {
    ensure!(reply.status == 502, "{} {}", reply.status, reply.text());
    let docs = reply.text().contains("doc_url").then_some(DOCS);
    let code = bench.check_fault(reply, false, docs)?;
    ensure!(code == "ORIGIN_UNREACHABLE", "{code}");
    Ok(())
}

fn provoke(bench: &Bench, method: &str, accept: &str, how: &str, key: &str) -> Result<Reply> {
    let fields = format!("Accept: {accept}\r\nX-Provoke: {how}\r\n");
    exchange(bench.address, &request(bench, method, "/near/x", key, &fields)?, TIMEOUT)
}

fn request(bench: &Bench, method: &str, target: &str, key: &str, fields: &str) -> Result<Vec<u8>> {
    let key = format!("X-API-Key: {{key {key}}}\r\n");
    let head = format!("{method} {target} HTTP/1.1\r\nHost: api.test\r\n");
    Ok(raw::bytes(&bench.world.fill(&format!("{head}{key}{fields}\r\n"))?))
}

fn sleep_until(then: Instant) {
    std::thread::sleep(then.saturating_duration_since(Instant::now()));
}

fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    while !holds()? {
        ensure!(Instant::now() < deadline, "not within {TIMEOUT:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// In which all that was sent has arrived; less than KV is waited for.
const SETTLED: Duration = Duration::from_millis(150);
const AT_ORIGIN: usize = 160;
/// Keys whose first requests wait for KV, and then are at the origin too.
const LOOKED_UP: [&str; 3] = ["live", "old_root", "imported"];
const FEW: usize = 10;
const WAITING: usize = 20;
const BURST: usize = 40;
const FAILING: u32 = 40;
const SPREAD: Duration = Duration::from_millis(5);
/// For what the failure leaves undecided.
const LIMIT: Duration = Duration::from_millis(250);
