//! An origin that breaks HTTP breaks its own answers and nobody else's.
//!
//! 64 connections mix requests to an origin that answers well with requests to one that redirects,
//! closes early, sends a bad chunk or drips; then the origin goes down altogether and comes back.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use super::progress::Progress;
use super::random::Random;
use super::site::{Gate, Site, TIMEOUT, code, now, request};
use super::stream::download;
use super::upstream::{Next, Seen, Upstream, Wire};
use super::{Bar, Verdict};
use crate::http::Connection;

pub(super) const BAR: Bar = Bar {
    name: "origin",
    goal: "an origin that redirects, closes early, sends a bad chunk, drips or is down spoils its own answers alone; 1 s later the gate is healthy",
    unit: "requests on each of 64 connections",
    ci: 12,
    full: 200,
    sources: &[],
    run,
};

/// How the origin answers; the first segment behind the upstream's.
const KINDS: [&str; 7] =
    [GOOD, "redirect", "close-head", "close-body", "bad-chunk", "drip-head", "drip-body"];
const GOOD: &str = "good";

/// When each byte of each dripped body was sent, by target.
type Sent = Arc<Mutex<BTreeMap<String, Vec<Instant>>>>;
/// How often each target arrived.
type Arrived = Arc<Mutex<BTreeMap<String, u64>>>;

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let (sent, arrived) = (Sent::default(), Arrived::default());
    let answer = {
        let (sent, arrived) = (Arc::clone(&sent), Arc::clone(&arrived));
        move |seen: &Seen, wire: &mut Wire| {
            let target = String::from_utf8_lossy(&seen.target).into_owned();
            *lock(&arrived).entry(target.clone()).or_default() += 1;
            respond(&target, wire, &sent)
        }
    };
    let origin = Upstream::start(answer.clone())?;
    let gate = site.start("origin", true, &site.options(origin.address)?)?;
    let (key, row) = site.key(0, now()?)?;
    gate.server.control.put_rows([row])?;
    let mut verdict = Verdict::default();

    let parts = on_all_connections(|connection| {
        let mut part = Part::default();
        let mut random = Random::new(SEED ^ connection);
        let mut wire = None;
        for number in 0..size {
            let upstream = *random.pick(&["near", "far"]);
            let kind = if random.once_in(2) { GOOD } else { *random.pick(&KINDS) };
            let target = format!("/{upstream}/{kind}/{connection}-{number}");
            let what = match kind {
                "drip-body" => part.drip_body(gate.address, &target, &key, &sent),
                _ => part.ask(gate.address, &mut wire, kind, &target, &key),
            };
            part.judge(kind, &target, what, &arrived);
        }
        Ok(part)
    })?;
    let mut answers = BTreeMap::<&str, u64>::new();
    let mut lag = Duration::ZERO;
    for part in parts {
        for (kind, count) in part.answers {
            *answers.entry(kind).or_default() += count;
        }
        lag = lag.max(part.lag);
        for broken in part.broken {
            verdict.require(false, || broken);
        }
    }
    verdict.require(lag < DRIP, || format!("a dripped byte came {lag:?} after it was sent"));
    verdict.figure("as_expected", json!(answers));
    verdict.figure("longest_delay_of_a_dripped_byte_ms", lag.as_millis() as u64);
    let after = healthy(&gate, &key, &mut verdict)?;
    verdict.figure("healthy_after_ms", after);

    let address = origin.address;
    drop(origin);
    let refused = on_all_connections(|_| {
        let mut refused = 0;
        for _ in 0..DOWN_REQUESTS {
            let reply = gate.get("/near/good/down", Some(&key))?;
            refused += u64::from(reply.status == 502 && code(&reply) == "ORIGIN_UNREACHABLE");
        }
        Ok(refused)
    })?;
    let refused: u64 = refused.into_iter().sum();
    let asked = CONNECTIONS * DOWN_REQUESTS;
    verdict.require(refused == asked, || {
        format!("down: {refused} of {asked} answered 502 ORIGIN_UNREACHABLE")
    });
    verdict.figure("down_502", refused);
    let _origin = Upstream::start_at(address, answer)?;
    let after = healthy(&gate, &key, &mut verdict)?;
    verdict.figure("healthy_after_outage_ms", after);
    Ok(verdict)
}

/// Milliseconds until a good request is answered 200.
fn healthy(gate: &Gate, key: &str, verdict: &mut Verdict) -> Result<u64> {
    let start = Instant::now();
    while gate.get("/near/good/after", Some(key))?.status != 200 {
        if start.elapsed() > RECOVERY {
            verdict.require(false, || format!("not healthy after {RECOVERY:?}"));
            break;
        }
    }
    Ok(start.elapsed().as_millis() as u64)
}

fn on_all_connections<T: Send>(act: impl Fn(u64) -> Result<T> + Sync) -> Result<Vec<T>> {
    let act = &act;
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..CONNECTIONS).map(|number| scope.spawn(move || act(number))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<T>>| {
            thread.join().map_err(|_| anyhow!("a thread panicked"))?
        };
        threads.into_iter().map(join).collect()
    })
}

/// What one connection found.
#[derive(Default)]
struct Part {
    /// Answers that were as they should be, by kind.
    answers: BTreeMap<&'static str, u64>,
    /// Longest time between the sending and the arrival of a dripped byte.
    lag: Duration,
    broken: Vec<String>,
}

/// What came back: status, code, location, and whether the body was whole.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    status: u16,
    code: String,
    location: Option<String>,
    whole: bool,
}

impl Part {
    fn ask(
        &mut self,
        gate: SocketAddr,
        wire: &mut Option<Connection>,
        kind: &str,
        target: &str,
        key: &str,
    ) -> Result<Outcome> {
        let mut connection = match wire.take() {
            Some(connection) => connection,
            None => Connection::open(gate, TIMEOUT)?,
        };
        connection.send(request("GET", target, Some(key)).as_bytes())?;
        match connection.receive(false) {
            Ok(reply) => {
                *wire = (!reply.close).then_some(connection);
                Ok(Outcome {
                    status: reply.status,
                    code: code(&reply),
                    location: reply.header("location").map(str::to_owned),
                    whole: kind != GOOD || reply.text() == target,
                })
            }
            // The head is gone by then; a body that is cut is what is looked for.
            Err(error) if error.to_string().contains("closed") => {
                Ok(Outcome { status: 200, code: String::new(), location: None, whole: false })
            }
            Err(error) => Err(error),
        }
    }

    fn drip_body(
        &mut self,
        gate: SocketAddr,
        target: &str,
        key: &str,
        sent: &Sent,
    ) -> Result<Outcome> {
        let mut came = Vec::new();
        let head = request("GET", target, Some(key));
        let status = download(gate, head.as_bytes(), |piece| {
            came.extend(std::iter::repeat_n(Instant::now(), piece.len()));
        })?;
        let sent = lock(sent).remove(target).context("nothing was sent")?;
        let lag = came.iter().zip(&sent).map(|(came, sent)| came.duration_since(*sent)).max();
        self.lag = self.lag.max(lag.unwrap_or_default());
        let whole = came.len() == DRIPS;
        Ok(Outcome { status, code: String::new(), location: None, whole })
    }

    fn judge(
        &mut self,
        kind: &'static str,
        target: &str,
        outcome: Result<Outcome>,
        arrived: &Arrived,
    ) {
        let times = lock(arrived).remove(target).unwrap_or_default();
        let expected = |outcome: &Outcome| match (kind, outcome.status, outcome.code.as_str()) {
            (GOOD | "drip-body", 200, "") => outcome.whole,
            ("redirect", 302, "") => outcome.location.as_deref() == Some(ELSEWHERE),
            ("close-head", 502, "ORIGIN_UNREACHABLE") => true,
            ("close-body" | "bad-chunk", 200, "") => !outcome.whole,
            ("bad-chunk", 502, "ORIGIN_UNREACHABLE") => true,
            ("drip-head", 504, "ORIGIN_TIMEOUT") => true,
            _ => false,
        };
        if outcome.as_ref().is_ok_and(expected) && times == 1 {
            *self.answers.entry(kind).or_default() += 1;
        } else {
            self.broken.push(format!("{target}: {outcome:?}, arrived {times} times"));
        }
    }
}

/// The origin's answer to a target.
fn respond(target: &str, wire: &mut Wire, sent: &Sent) -> io::Result<Next> {
    match target.split('/').nth(2).unwrap_or_default() {
        "redirect" => {
            let head =
                format!("HTTP/1.1 302 Found\r\nLocation: {ELSEWHERE}\r\nContent-Length: 0\r\n\r\n");
            wire.send(head.as_bytes())?;
            Ok(Next::Keep)
        }
        "close-head" => Ok(Next::Close),
        "close-body" => {
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")?;
            Ok(Next::Close)
        }
        "bad-chunk" => {
            wire.send(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\nx\r\nbad",
            )?;
            Ok(Next::Close)
        }
        "drip-head" => {
            wire.send(b"HTTP/1.1 200 OK\r\nX-Drip: ")?;
            for _ in 0..HEAD_DRIPS {
                sleep(DRIP);
                wire.send(b".")?;
            }
            Ok(Next::Close)
        }
        "drip-body" => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {DRIPS}\r\n\r\n");
            wire.send(head.as_bytes())?;
            for _ in 0..DRIPS {
                sleep(DRIP);
                lock(sent).entry(target.to_owned()).or_default().push(Instant::now());
                wire.send(b".")?;
            }
            Ok(Next::Keep)
        }
        _ => wire.ok(target),
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

const SEED: u64 = 0x6272_6F6B_656E;
const CONNECTIONS: u64 = 64;
const ELSEWHERE: &str = "https://elsewhere.example/x?y";
/// A dripped body takes longer than the policy's time for a head, and a dripped head too.
const DRIP: Duration = Duration::from_millis(300);
const DRIPS: usize = 9;
const HEAD_DRIPS: usize = 20;
const DOWN_REQUESTS: u64 = 5;
const RECOVERY: Duration = Duration::from_secs(1);
