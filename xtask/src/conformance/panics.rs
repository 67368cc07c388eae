//! A Wasm that fails takes its own request down and those it was still to decide, and nothing else.
//!
//! The failure comes from `xtask/workerd/provoke.mjs`, in front of the Worker as it is deployed.

use std::iter::repeat_n;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::fault::DOCS;
use super::origin::LATE;
use super::programs::{VIA, get, refused};
use super::{Bench, TIMEOUT, cases};
use crate::http::{Connection, Reply, exchange};
use crate::keys::{self, Spec};

/// A trap, as a panic ends in, before the decision.
pub fn trap_at_once(bench: &mut Bench) -> Result<()> {
    provoked(bench, |bench| while_others_run(bench, "trap 1", "open", 0))
}

/// A trap behind an answer of KV, with the isolate's memory in use.
pub fn trap_in_look_up(bench: &mut Bench) -> Result<()> {
    provoked(bench, |bench| while_others_run(bench, &format!("trap {TOLD}"), "full", 1))
}

/// A trap behind one of many answers of KV that come at once: those behind it find no Wasm, or a new
/// one that knows nothing of them.
pub fn trap_in_a_burst(bench: &mut Bench) -> Result<()> {
    provoked(bench, |bench| {
        ensure!(get(bench, "/near/x", "open")?.status == 200, "before");
        bench.forget();
        let crowd = crowd(bench, BURST)?;
        kv_does(bench, &json!({ "kind": "delay", "delay_ms": 300 }), &crowd)?;
        bench.control()?.reset_counts()?;
        let mut burst = open(bench, "x", &crowd)?;
        until("the look-ups are at KV", || Ok(reads(bench)? == BURST))?;
        // Each reads the clock again, once or more, when KV has answered.
        let how = format!("trap {}", BURST / 2);
        ensure!(provoke(bench, "GET", "*/*", &how, "open")?.status == 200, "the provoking one");
        let mut decided = 1;
        for (connection, _) in &mut burst {
            let reply = connection.receive(false)?;
            ensure!(matches!(reply.status, 200 | 503), "{} {}", reply.status, reply.text());
            decided += usize::from(reply.status == 200);
        }
        let among = (2..BURST / 2).contains(&decided);
        ensure!(among, "{decided} of {BURST} decided: no trap among them");
        let arrived = bench.origin()?.arrived();
        ensure!(arrived == decided, "the origin got {arrived}, {decided} were decided");
        bench.control()?.clear_faults()?;
        for number in 0..300 {
            let key = ["open", &crowd[0], "full", "live", "imported"][number % 5];
            let reply = get(bench, "/near/x", key)?;
            ensure!(reply.status == 200, "the {number}th after: {}", reply.text());
        }
        bench.forget();
        Ok(())
    })
}

/// A trap while many wait for what one of them asks KV, and one where one of those who wait looks into
/// memory again.
pub fn trap_in_a_shared_look_up(bench: &mut Bench) -> Result<()> {
    provoked(bench, |bench| {
        for (how, status, key) in [("trap 1", 503, "second"), ("trap 30", 200, "full")] {
            ensure!(get(bench, "/near/x", "open")?.status == 200, "before");
            kv_does(bench, &json!({ "kind": "hang" }), &[key])?;
            bench.control()?.reset_counts()?;
            let before = entered(bench)?;
            let mut waiting = open(bench, "x", repeat_n(key, WAITING))?;
            until("they are in the Wasm", || Ok(entered(bench)? == before + WAITING))?;
            until("one of them is at KV", || Ok(reads(bench)? == 1))?;
            let start = Instant::now();
            let reply = provoke(bench, "GET", "*/*", how, "open")?;
            ensure!(reply.status == status, "{how}: {} {}", reply.status, reply.text());
            undecided(bench, &mut waiting, start).with_context(|| how)?;
            ensure!(reads(bench)? == 1, "{how}: {} asked KV", reads(bench)?);
            bench.control()?.clear_faults()?;
            ensure!(get(bench, "/near/x", key)?.status == 200, "{how}: after");
        }
        Ok(())
    })
}

/// A trap behind an answer of KV while origins fail: what answers for them is of the new Wasm.
pub fn trap_among_failures(bench: &mut Bench) -> Result<()> {
    provoked(bench, |bench| {
        ensure!(get(bench, "/near/x", "open")?.status == 200, "before");
        kv_does(bench, &json!({ "kind": "delay", "delay_ms": 300 }), &["full"])?;
        let start = Instant::now();
        let mut failing = Vec::new();
        for number in 0..FAILING {
            sleep_until(start + SPREAD * number);
            failing.extend(open(bench, "late-close", ["open"])?);
        }
        // Its trap comes when half of them have failed.
        sleep_until(start + LATE + SPREAD * FAILING / 2 - Duration::from_millis(300));
        let reply = provoke(bench, "GET", "*/*", &format!("trap {TOLD}"), "full")?;
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
    provoked(bench, |bench| while_others_run(bench, "throw 1", "open", 0))
}

/// The same behind an answer of KV.
pub fn exception_in_look_up(bench: &mut Bench) -> Result<()> {
    provoked(bench, |bench| while_others_run(bench, &format!("throw {TOLD}"), "full", 1))
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
        let mut others = open(bench, "late-close", repeat_n("open", FEW))?;
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

pub fn provoked(bench: &mut Bench, act: impl FnOnce(&Bench) -> Result<()>) -> Result<()> {
    gather(bench)?;
    bench.options.provoke = true;
    let outcome = bench.restart().and_then(|()| act(bench));
    bench.options.provoke = false;
    bench.restart()?;
    outcome
}

/// With requests at the origin and others that wait for KV, each for a record of its own, one fails
/// in this way after so many readings of KV.
fn while_others_run(bench: &Bench, how: &str, key: &str, its_reads: usize) -> Result<()> {
    let origin = bench.origin()?;
    for via in VIA {
        ensure!(get(bench, &format!("/{via}/x"), "open")?.status == 200, "before");
    }
    bench.forget();
    let crowd = crowd(bench, WAITING)?;
    kv_does(bench, &json!({ "kind": "hang" }), &crowd)?;

    let mut late = open(bench, "late", repeat_n("open", AT_ORIGIN))?;
    for key in LOOKED_UP {
        late.extend(open(bench, "late", repeat_n(key, FEW))?);
    }
    let mut failing = open(bench, "late-close", repeat_n("open", FEW))?;
    let sent = late.len() + failing.len();
    until("the requests are at the origin", || Ok(origin.arrived() == sent))?;
    bench.control()?.reset_counts()?;
    let mut waiting = open(bench, "x", &crowd)?;
    until("the look-ups are at KV", || Ok(reads(bench)? == WAITING))?;

    let start = Instant::now();
    let reply = provoke(bench, "GET", "*/*", how, key)?;
    ensure!(reply.status == 503, "{how}: {} {}", reply.status, reply.text());
    ensure!(bench.check_fault(&reply, false, None)? == "AUTH_UNAVAILABLE", "{}", reply.text());
    let asked = reads(bench)? - WAITING;
    ensure!(asked == its_reads, "{how}: it had read KV {asked} times, not {its_reads}");
    let next = get(bench, "/near/x", "open")?;
    ensure!(next.status == 200, "{how}, the next: {} {}", next.status, next.text());
    undecided(bench, &mut waiting, start).with_context(|| how.to_owned())?;
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
    for key in [crowd[0].as_str(), key] {
        let reply = get(bench, "/near/x", key)?;
        ensure!(reply.status == 200, "{how}, in the end, {key}: {}", reply.text());
    }
    bench.forget();
    Ok(())
}

/// These requests are given up by what stands around the Wasm, soon after `start`.
fn undecided(bench: &Bench, waiting: &mut [(Connection, String)], start: Instant) -> Result<()> {
    for (connection, _) in waiting {
        let reply = connection.receive(false)?;
        let took = start.elapsed();
        ensure!(took < LIMIT, "one that waited was answered after {took:?}");
        ensure!(reply.status == 503, "waiting: {} {}", reply.status, reply.text());
        let code = bench.check_fault(&reply, false, None)?;
        ensure!(code == "AUTH_UNAVAILABLE", "waiting: {code}");
    }
    Ok(())
}

/// The names of the first so many keys that no other case uses.
fn crowd(bench: &Bench, count: usize) -> Result<Vec<String>> {
    let names: Vec<_> = (0..count).map(crowd_name).collect();
    ensure!(names.iter().all(|name| bench.world.keys.contains_key(name)), "not so many keys");
    Ok(names)
}

/// Puts the crowd's keys and records into the world.
fn gather(bench: &mut Bench) -> Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let root = bench.keyring.newest();
    for name in (0..BURST).map(crowd_name) {
        let spec = Spec { name: &name, scopes: &["*:*"], change: |_, _| () };
        let (key, document) = keys::native(root, &CROWD_SEED, &spec, now)?;
        let (row, value) = keys::sealed(root, &document)?;
        bench.world.kv.insert(row.clone(), String::from_utf8(value)?);
        bench.world.rows.insert(format!("record {name}"), row);
        bench.world.keys.insert(name, key);
    }
    Ok(())
}

fn crowd_name(number: usize) -> String {
    format!("crowd {number}")
}

/// Lets KV do this when the records of these keys are read.
fn kv_does(bench: &Bench, fault: &Value, keys: &[impl AsRef<str>]) -> Result<()> {
    let mut faults = Vec::new();
    for key in keys {
        let row = bench.world.rows.get(&format!("record {}", key.as_ref()));
        let mut fault = fault.clone();
        fault["prefix"] = row.context("no such row")?.as_str().into();
        faults.push(fault);
    }
    bench.control()?.set_faults(&json!({ "kv": faults }))
}

/// How often KV was read since the counts were reset.
fn reads(bench: &Bench) -> Result<usize> {
    let reads = bench.control()?.counts()?["kv"]["reads"].as_u64();
    Ok(reads.context("no count")?.try_into()?)
}

/// How many requests the Wasm was given.
fn entered(bench: &Bench) -> Result<usize> {
    Ok(provoke(bench, "GET", "*/*", "entered", "open")?.text().parse()?)
}

/// A request under way with each of these keys, on a connection of its own, and its target.
fn open(
    bench: &Bench,
    behaviour: &str,
    keys: impl IntoIterator<Item = impl AsRef<str>>,
) -> Result<Vec<(Connection, String)>> {
    let one = |(number, key): (usize, _)| {
        let target = format!("/{}/{number}/{behaviour}", VIA[number % VIA.len()]);
        let mut connection = Connection::open(bench.address, TIMEOUT)?;
        connection.send(&request(bench, "GET", &target, AsRef::as_ref(&key), "")?)?;
        Ok((connection, target))
    };
    keys.into_iter().enumerate().map(one).collect()
}

/// A new Wasm knows the policy's page only when it has decided.
fn origin_failed(bench: &Bench, reply: &Reply) -> Result<()> {
    ensure!(reply.status == 502, "{} {}", reply.status, reply.text());
    let docs = reply.text().contains("doc_url").then_some(DOCS);
    let code = bench.check_fault(reply, false, docs)?;
    ensure!(code == "ORIGIN_UNREACHABLE", "{code}");
    Ok(())
}

pub fn provoke(bench: &Bench, method: &str, accept: &str, how: &str, key: &str) -> Result<Reply> {
    let fields = format!("Accept: {accept}\r\nX-Provoke: {how}\r\n");
    exchange(bench.address, &request(bench, method, "/near/x", key, &fields)?, TIMEOUT)
}

fn request(bench: &Bench, method: &str, target: &str, key: &str, fields: &str) -> Result<Vec<u8>> {
    let key = format!("X-API-Key: {{key {key}}}\r\n");
    let head = format!("{method} {target} HTTP/1.1\r\nHost: api.test\r\n");
    Ok(cases::bytes(&bench.world.fill(&format!("{head}{key}{fields}\r\n"))?))
}

fn sleep_until(then: Instant) {
    std::thread::sleep(then.saturating_duration_since(Instant::now()));
}

pub fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    while !holds()? {
        ensure!(Instant::now() < deadline, "not within {TIMEOUT:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// The reading of the clock at which a request with an unknown key has KV's answer: the first is its
/// own, the second finds whose turn it is to ask.
const TOLD: u32 = 3;
const AT_ORIGIN: usize = 160;
/// Keys whose first requests wait for KV, and then are at the origin too.
const LOOKED_UP: [&str; 3] = ["live", "old_root", "imported"];
const FEW: usize = 10;
const WAITING: usize = 20;
const CROWD_SEED: [u8; 32] = [0x63; 32];
const BURST: usize = 40;
const FAILING: u32 = 40;
const SPREAD: Duration = Duration::from_millis(5);
/// For what the failure leaves undecided.
const LIMIT: Duration = Duration::from_millis(250);
