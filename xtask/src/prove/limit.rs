//! Limits hold over every window and span, whatever the isolates do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use portcullis::policy::Limits;
use portcullis::workspace::call::{Answer, Call};
use serde_json::json;

use super::crowd::{Crowd, Shot};
use super::progress::Progress;
use super::site::{Gate, Site, free_ports, now};
use super::upstream::Upstream;
use super::{Bar, Verdict};

pub(super) const BAR: Bar = Bar {
    name: "limit",
    goal: "limits are never exceeded in a window or over a span, and at least 98 % (strict) or 95 % (lease) is usable",
    unit: "limits (10, 100, 1 000, 10 000), each at four loads in both modes over 8 isolates",
    ci: 1,
    full: 4,
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let arrivals: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let log = Arc::clone(&arrivals);
    let origin = Upstream::start(move |_, wire| {
        log.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        wire.ok("")
    })?;
    let mut options = site.options(origin.address)?;
    options.isolates = ISOLATES;
    options.port = free_ports(ISOLATES)?;
    let gate = site.start("limit", true, &options)?;
    let mut bench = Bench { site, gate, arrivals, number: 0 };
    for (workspace, least) in [(STRICT, 500), (LEASE, 475)] {
        let limits = Limits { requests: 500, window_seconds: 3600, burst: 500 };
        let key = bench.key(workspace, limits)?;
        let crowd = Crowd { clients: 400, each: 10, ..AT_ONCE };
        let run = bench.run(&crowd, &[key])?;
        let admitted = run.admitted();
        verdict.require((least..=500).contains(&admitted), || {
            format!("{workspace}: {admitted} of 500 admitted; {:?}", run.statuses())
        });
        verdict.figure(&format!("{workspace}, 4000 at once, limit 500"), run.figures());
    }
    let grid = [10, 100, 1000, 10_000];
    for requests in grid.into_iter().skip(1).take(size as usize) {
        for (workspace, usable) in [(STRICT, 0.98), (LEASE, 0.95)] {
            for load in [0.9, 1.0, 2.0, 5.0] {
                let limits = Limits { requests, window_seconds: WINDOW, burst: requests };
                let name = format!("{workspace}, {requests} in {WINDOW} s, load {load}");
                let key = bench.key(workspace, limits)?;
                let crowd = paced(f64::from(requests) / f64::from(WINDOW) * load);
                let run = bench.run(&crowd, &[key])?;
                run.judge(&name, &limits, workspace == LEASE, usable * load.min(1.0), &mut verdict);
            }
        }
    }
    Ok(verdict)
}

struct Bench<'a> {
    site: &'a Site,
    gate: Gate,
    arrivals: Arc<Mutex<Vec<Instant>>>,
    number: u64,
}

/// What came of a run.
struct Run {
    shots: Vec<Shot>,
    /// When the origin saw a request, ascending.
    arrivals: Vec<Instant>,
    calls: u64,
    time: Duration,
}

impl Bench<'_> {
    /// A new key with these limits.
    fn key(&mut self, workspace: &str, limits: Limits) -> Result<String> {
        self.number += 1;
        let (text, mut document) = self.site.key_of(workspace, self.number, now()?)?;
        document.limits = Some(limits);
        let control = self.gate.server.control;
        control.workspace(workspace, &Call::Open { workspace: workspace.to_owned() }, false)?;
        let put = Call::Put { document: Box::new(document), replaces: 0 };
        let answer = control.workspace(workspace, &put, false)?;
        ensure!(matches!(answer, Answer::Written { .. }), "{answer:?}");
        Ok(text)
    }

    fn run(&self, crowd: &Crowd, keys: &[String]) -> Result<Run> {
        let control = self.gate.server.control;
        for workspace in [STRICT, LEASE] {
            control.reset_workspace_counts(workspace)?;
        }
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let begun = Instant::now();
        let shots = crowd.run(&self.gate.gates(ISOLATES), keys)?;
        let time = begun.elapsed();
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        arrivals.sort();
        let mut calls = 0;
        for workspace in [STRICT, LEASE] {
            let counts = control.workspace_counts(workspace)?;
            calls += counts["calls"].as_u64().context("no count of calls")?;
        }
        Ok(Run { shots, arrivals, calls, time })
    }
}

impl Run {
    fn admitted(&self) -> usize {
        self.arrivals.len()
    }

    fn statuses(&self) -> BTreeMap<u16, usize> {
        let mut statuses = BTreeMap::new();
        for shot in &self.shots {
            *statuses.entry(shot.status).or_default() += 1;
        }
        statuses
    }

    fn figures(&self) -> serde_json::Value {
        json!({
            "sent": self.shots.len(), "admitted": self.admitted(), "statuses": self.statuses(),
            "calls": self.calls, "seconds": self.time.as_secs_f64(),
        })
    }

    /// Both bounds over the origin's log, and how much of the limit was of use.
    fn judge(&self, name: &str, limits: &Limits, lease: bool, usable: f64, verdict: &mut Verdict) {
        let mut windows: BTreeMap<u64, usize> = BTreeMap::new();
        for shot in self.shots.iter().filter(|shot| shot.status == 200) {
            *windows.entry(shot.reset.unwrap_or(0)).or_default() += 1;
        }
        for (reset, admitted) in &windows {
            verdict.require(*admitted <= limits.requests as usize, || {
                format!("{name}: {admitted} admitted in the window that ends at {reset}")
            });
        }
        let span = f64::from(limits.window_seconds);
        let rate = f64::from(limits.requests) / span;
        let slack = if lease { LEASE_SECONDS } else { 0.0 } + TRANSIT_SECONDS;
        let excess = worst_excess(&self.arrivals, rate) - (f64::from(limits.burst) + rate * slack);
        verdict.require(excess <= 0.0, || format!("{name}: {excess:.1} above the bound of a span"));
        let others = self.shots.iter().filter(|shot| !matches!(shot.status, 200 | 429)).count();
        verdict.require(others == 0, || format!("{name}: {:?}", self.statuses()));
        // The last window is cut off by the end of the run.
        let whole: Vec<usize> = windows.values().rev().skip(1).copied().collect();
        let mean = whole.iter().sum::<usize>() as f64 / whole.len().max(1) as f64;
        let share = mean / f64::from(limits.requests);
        verdict.require(share >= usable, || format!("{name}: only {share:.3} of the limit usable"));
        let mut figures = self.figures();
        figures["windows"] = json!(windows.values().collect::<Vec<_>>());
        figures["usable"] = json!((share * 1000.0).round() / 1000.0);
        verdict.figure(name, figures);
    }
}

/// The most by which arrivals within a span exceed `rate` × span.
fn worst_excess(arrivals: &[Instant], rate: f64) -> f64 {
    let Some(first) = arrivals.first() else { return 0.0 };
    let (mut lowest, mut worst) = (f64::INFINITY, 0.0_f64);
    for (before, arrival) in arrivals.iter().enumerate() {
        let due = (*arrival - *first).as_secs_f64() * rate;
        lowest = lowest.min(before as f64 - due);
        worst = worst.max(before as f64 + 1.0 - due - lowest);
    }
    worst
}

/// Clients that together send so many requests a second, for some windows.
fn paced(per_second: f64) -> Crowd {
    let clients = (per_second / 20.0).ceil().clamp(f64::from(ISOLATES), 64.0) as usize;
    let every = Duration::from_secs_f64(clients as f64 / per_second);
    let time = Duration::from_secs(u64::from(WINDOW) * WINDOWS + 1);
    Crowd { clients, each: usize::MAX, time, every }
}

const AT_ONCE: Crowd =
    Crowd { clients: 0, each: 0, time: Duration::from_secs(60), every: Duration::ZERO };
const ISOLATES: u16 = 8;
const STRICT: &str = "STR1CT";
const LEASE: &str = "1EASE0";
const WINDOW: u32 = 3;
const WINDOWS: u64 = 4;
const LEASE_SECONDS: f64 = 2.0;
/// From the Workspace's decision to the origin, on a machine that has other work.
const TRANSIT_SECONDS: f64 = 0.25;
