//! Mixed traffic for a long time, with faults now and then.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use portcullis::policy::Limits;
use serde_json::{Value, json};

use super::inspector::{Held, Inspector};
use super::memory::{GATE, mebibytes};
use super::progress::Progress;
use super::random::Random;
use super::site::{Site, TIMEOUT, code, free_ports, request};
use super::stage::{EDGE, FALLBACK, LEASE, STRICT, Stage};
use super::{Bar, Verdict};
use crate::http::{self, Connection};

pub(super) const BAR: Bar = Bar {
    name: "soak",
    goal: "mixed traffic, with a fault of KV, Workspace, origin or Wasm every seven seconds: what must be refused never passes, \
           no good key is denied, all is as without faults 2 s after each, the isolate's memory does not grow",
    unit: "seconds",
    ci: 63,
    full: 1_800,
    sources: &["xtask/workerd/chaos.mjs", "xtask/workerd/object.mjs", "xtask/workerd/provoke.mjs"],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut inspector = None;
    let mut stage = Stage::with(site, "soak", ISOLATES, |options| {
        // With `chaos` the control service takes the port before the gates'.
        options.port = free_ports(ISOLATES + 2)? + 1;
        inspector = Some(SocketAddr::from(([127, 0, 0, 1], options.port + ISOLATES)));
        (options.inspector, options.chaos, options.provoke) = (inspector, true, true);
        Ok(())
    })?;
    let inspector = inspector.context("no inspector")?;
    let requests = requests(&mut stage)?;
    let gates = stage.gate.gates(ISOLATES);
    let done = AtomicBool::new(false);
    let begun = Instant::now();
    let (shots, storms, held) = std::thread::scope(|scope| -> Result<_> {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (requests, done) = (&requests, &done);
                let gate = gates[number % gates.len()];
                scope.spawn(move || client(number as u64, gate, requests, done))
            })
            .collect();
        let weather = weather(&stage, &gates, inspector, Duration::from_secs(size));
        done.store(true, Ordering::SeqCst);
        let mut shots = Vec::new();
        for client in clients {
            shots.extend(client.join().map_err(|_| anyhow!("a client panicked"))?);
        }
        let (storms, held) = weather?;
        Ok((shots, storms, held))
    })?;

    let mut verdict = Verdict::default();
    judge(&requests, &shots, &storms, &mut verdict);
    let [early, late] = held.map(|held| held.heap + held.wasm);
    let more = late.saturating_sub(early);
    verdict.require(more <= MOST_MORE, || format!("{} MiB more", mebibytes(more)));
    verdict.figure("held_mib", vec![mebibytes(early), mebibytes(late)]);
    verdict.figure("faults", storms.len());
    verdict.figure("seconds", begun.elapsed().as_secs());
    Ok(verdict)
}

/// What is asked again and again, and what the answer has to be while nothing is broken.
struct Request {
    name: &'static str,
    bytes: Vec<u8>,
    /// Status and code; 200 where it may pass.
    answer: (u16, &'static str),
    /// Whether it may be 429 as well.
    limited: bool,
}

impl Request {
    /// Whether this may be its answer while all is well, or else.
    fn fits(&self, shot: &Shot, calm: bool) -> bool {
        let told = (shot.status, shot.code.as_str());
        let refused_for_now = matches!(told, (503, "AUTH_UNAVAILABLE"));
        let origin_failed = matches!(told, (502, "ORIGIN_UNREACHABLE") | (504, "ORIGIN_TIMEOUT"));
        told == self.answer
            || (self.limited && told == (429, "RATE_LIMITED"))
            || (!calm && refused_for_now && shot.retry_after)
            || (!calm && origin_failed && self.answer.0 == 200)
    }
}

/// What came of a request.
struct Shot {
    request: usize,
    sent: Instant,
    answered: Instant,
    /// 0 if there was no answer.
    status: u16,
    code: String,
    retry_after: bool,
    /// The window of the limit.
    reset: Option<String>,
}

fn requests(stage: &mut Stage) -> Result<Vec<Request>> {
    let mut requests = Vec::new();
    let mut add = |name, bytes: String, answer| {
        requests.push(Request { name, bytes: bytes.into_bytes(), answer, limited: false });
    };
    let mut some = String::new();
    for (name, workspace) in
        [("strict", STRICT), ("lease", LEASE), ("edge", EDGE), ("without its Workspace", FALLBACK)]
    {
        for imported in [false, true, false] {
            let key = stage.key(workspace, imported, None)?;
            add(name, request("GET", "/near/x?page=2", Some(&key.text)), (200, ""));
            some = key.text;
        }
        let key = stage.key(workspace, false, None)?;
        let answer = (403, "PERMISSION_DENIED");
        add("without the scope", request("GET", "/other/x", Some(&key.text)), answer);
        let key = stage.revoked(workspace)?;
        let answer = (401, "REVOKED_API_KEY");
        add("revoked", request("GET", "/near/x", Some(&key.text)), answer);
        let (unknown, _) = stage.draft(workspace, false, None)?;
        let answer = (401, "INVALID_API_KEY");
        add("unknown", request("GET", "/near/x", Some(&unknown.text)), answer);
    }
    let forged = some.replace('A', "B").replace('1', "2");
    add("forged", request("GET", "/near/x", Some(&forged)), (401, "INVALID_API_KEY"));
    add("nobody", request("GET", "/near/x", None), (401, "MISSING_API_KEY"));
    add("no such route", request("GET", "/far/x", Some(&some)), (404, "UNKNOWN_ROUTE"));
    add("another method", request("PUT", "/near/x", Some(&some)), (405, "METHOD_NOT_ALLOWED"));
    add("a bad target", request("GET", "/near/%2e%2e/x", Some(&some)), (400, "BAD_TARGET"));
    let twice = request("GET", "/near/x", Some(&some)).replacen(
        "\r\n\r\n",
        &format!("\r\nX-API-Key: {some}\r\n\r\n"),
        1,
    );
    add("two credentials", twice, (400, "AMBIGUOUS_CREDENTIALS"));
    for (name, workspace) in [("limited, strict", STRICT), ("limited, lease", LEASE)] {
        let key = stage.key(workspace, false, Some(LIMITS))?;
        let bytes = request("GET", "/near/x", Some(&key.text)).into_bytes();
        requests.push(Request { name, bytes, answer: (200, ""), limited: true });
    }
    Ok(requests)
}

/// Asks at random until all is done.
fn client(seed: u64, gate: SocketAddr, requests: &[Request], done: &AtomicBool) -> Vec<Shot> {
    let mut random = Random::new(seed);
    let mut connection = None;
    let mut shots = Vec::new();
    while !done.load(Ordering::SeqCst) {
        let request = random.below(requests.len());
        let sent = Instant::now();
        let open = connection.take().or_else(|| Connection::open(gate, TIMEOUT).ok());
        let reply = open.and_then(|mut open| {
            open.send(&requests[request].bytes).ok()?;
            let reply = open.receive(false).ok()?;
            if !reply.close {
                connection = Some(open);
            }
            Some(reply)
        });
        let header = |name| reply.as_ref().and_then(|reply| reply.header(name).map(str::to_owned));
        shots.push(Shot {
            request,
            sent,
            answered: Instant::now(),
            status: reply.as_ref().map_or(0, |reply| reply.status),
            code: reply.as_ref().filter(|reply| reply.status != 200).map(code).unwrap_or_default(),
            retry_after: header("retry-after").is_some(),
            reset: header("x-ratelimit-reset"),
        });
        std::thread::sleep(PACE);
    }
    shots
}

type Weather = (Vec<(Instant, Instant)>, [Held; 2]);

/// Breaks one thing after the other; when it did so, and what the isolate held after a quarter and in the end.
fn weather(
    stage: &Stage,
    gates: &[SocketAddr],
    inspector: SocketAddr,
    time: Duration,
) -> Result<Weather> {
    let begun = Instant::now();
    let mut storms = Vec::new();
    let mut early = None;
    while begun.elapsed() + STORM + RECOVERY + CALM <= time {
        std::thread::sleep(CALM);
        let from = Instant::now();
        begin(stage, gates, storms.len() % STORMS)?;
        std::thread::sleep(STORM);
        stage.gate.server.control.clear_faults()?;
        for workspace in [STRICT, LEASE, FALLBACK] {
            stage.gate.server.control.set_workspace_faults(workspace, &json!([]))?;
        }
        storms.push((from, Instant::now() + RECOVERY));
        std::thread::sleep(RECOVERY);
        if early.is_none() && begun.elapsed() * 4 >= time {
            early = Some(Inspector::open(inspector, GATE)?.held()?);
        }
    }
    let late = Inspector::open(inspector, GATE)?.held()?;
    Ok((storms, [early.context("too short a time")?, late]))
}

fn begin(stage: &Stage, gates: &[SocketAddr], which: usize) -> Result<()> {
    let control = stage.gate.server.control;
    let workspaces = |fault: Value| {
        [STRICT, LEASE, FALLBACK]
            .into_iter()
            .try_for_each(|workspace| control.set_workspace_faults(workspace, &json!([fault])))
    };
    match which {
        0 => control.set_faults(&json!({ "kv": { "kind": "error", "status": 500 } })),
        1 => workspaces(json!({ "kind": "hang" })),
        2 => control.set_faults(&json!({ "origin": { "kind": "refuse" } })),
        3 => control.set_faults(&json!({ "kv": { "kind": "hang" } })),
        4 => workspaces(json!({ "kind": "overloaded" })),
        5 => workspaces(json!({ "kind": "lost" })),
        6 => control.set_faults(&json!({ "kv": { "kind": "garbage" } })),
        _ => gates.iter().try_for_each(|gate| {
            let trap = request("GET", "/near/x", None).replacen(
                "\r\n\r\n",
                "\r\nX-Provoke: trap 1\r\n\r\n",
                1,
            );
            http::exchange(*gate, trap.as_bytes(), TIMEOUT).map(drop)
        }),
    }
}

fn judge(
    requests: &[Request],
    shots: &[Shot],
    storms: &[(Instant, Instant)],
    verdict: &mut Verdict,
) {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut windows: BTreeMap<(usize, &str), u64> = BTreeMap::new();
    let mut calm_shots: u64 = 0;
    for shot in shots {
        let request = &requests[shot.request];
        let calm = !storms.iter().any(|(from, to)| shot.sent <= *to && shot.answered >= *from);
        calm_shots += u64::from(calm);
        verdict.require(request.fits(shot, calm), || {
            let when = if calm { "nothing is broken" } else { "something is broken" };
            format!("{}, while {when}: {} {}", request.name, shot.status, shot.code)
        });
        *seen.entry(format!("{} {}", shot.status, shot.code)).or_default() += 1;
        if let (true, 200, Some(reset)) = (request.limited, shot.status, &shot.reset) {
            *windows.entry((shot.request, reset)).or_default() += 1;
        }
    }
    for ((request, reset), admitted) in windows {
        verdict.require(admitted <= u64::from(LIMITS.requests), || {
            let name = requests[request].name;
            format!("{name}: {admitted} admitted in the window that ends at {reset}")
        });
    }
    verdict.require(calm_shots > 0, || "nothing was asked while nothing was broken".to_owned());
    verdict.figure("requests", shots.len());
    verdict.figure("while_nothing_was_broken", calm_shots);
    verdict.figure("answers", json!(seen));
}

const ISOLATES: u16 = 2;
const CLIENTS: usize = 8;
const PACE: Duration = Duration::from_millis(10);
const CALM: Duration = Duration::from_secs(3);
const STORM: Duration = Duration::from_secs(2);
const RECOVERY: Duration = Duration::from_secs(2);
const STORMS: usize = 8;
/// As in `cancelled`.
const MOST_MORE: u64 = 4 << 20;
const LIMITS: Limits = Limits { requests: 20, window_seconds: 10, burst: 20 };
