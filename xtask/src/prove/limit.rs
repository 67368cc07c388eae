//! Limits hold over every window and span, whatever the isolates do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use portcullis::policy::Limits;
use serde_json::json;

use super::crowd::{Crowd, Shot};
use super::fleet::{Fleet, ISOLATES, LEASE, Run, SHARED_LEASE, SHARED_STRICT, STRICT};
use super::progress::Progress;
use super::site::Site;
use super::{Bar, Verdict};
use crate::interval::Judgement;

pub(super) const BAR: Bar = Bar {
    name: "limit",
    goal: "limits are never exceeded in a window or over a span, and at least 98 % (strict) or 95 % (lease) is usable",
    unit: "limits (10, 100, 1 000, 10 000), each at four loads in both modes over 8 isolates of one \
           process, and once more of two processes",
    ci: 1,
    full: 4,
    sources: &["xtask/src/interval.rs"],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let limits = &GRID[..size as usize];
    // In a test run three of the four loads, two of them here.
    let (loads, split): (&[f64], &[f64]) =
        if size == BAR.ci { (&[1.0, 5.0], &[2.0]) } else { (&LOADS, &LOADS) };
    let mut fleet = Fleet::start(site, "limit")?;
    burst(&mut fleet, "", &mut verdict)?;
    grid(&mut fleet, "", limits, loads, &mut verdict)?;
    shared(&mut fleet, "", &mut verdict)?;
    drop(fleet);
    let mut fleet = Fleet::split(site, "limit")?;
    burst(&mut fleet, SPLIT, &mut verdict)?;
    grid(&mut fleet, SPLIT, limits, split, &mut verdict)?;
    if size > BAR.ci {
        shared(&mut fleet, SPLIT, &mut verdict)?;
    }
    Ok(verdict)
}

/// 4000 requests at once against a limit of 500.
fn burst(fleet: &mut Fleet<'_>, kind: &str, verdict: &mut Verdict) -> Result<()> {
    for (workspace, least) in [(STRICT, 500), (LEASE, 475)] {
        let limits = Limits { requests: 500, window_seconds: 3600, burst: 500 };
        let name = format!("{kind}{workspace}, 4000 at once, limit 500");
        let (key, _) = fleet.key(workspace, Some(limits))?;
        let crowd = Crowd { clients: 400, each: 10, ..AT_ONCE };
        let run = fleet.run(&crowd, &[key])?;
        let admitted = run.admitted();
        let told = || format!("{name}: {admitted} admitted; {:?}", run.statuses());
        match judge_burst(admitted, lost(&run.statuses(), run.time), least) {
            Judgement::Holds => {}
            Judgement::Undecided => verdict.undecided.push(told()),
            Judgement::Broken => verdict.broken.push(told()),
        }
        verdict.figure(&name, run.figures());
    }
    Ok(())
}

/// Requests that may have been debited without arriving: on so slow a machine answers of the
/// Workspace are lost, and the origin is given up.
fn lost(statuses: &BTreeMap<u16, usize>, time: Duration) -> usize {
    let count = |status| statuses.get(&status).copied().unwrap_or(0);
    count(504) + if time > WORKSPACE_TIMEOUT { count(503) } else { 0 }
}

/// What a burst says of a limit of 500, of which at least `least` are to be of use.
fn judge_burst(admitted: usize, lost: usize, least: usize) -> Judgement {
    if (least..=500).contains(&admitted) {
        Judgement::Holds
    } else if admitted < least && admitted + lost >= least {
        Judgement::Undecided
    } else {
        Judgement::Broken
    }
}

/// Each limit with each load in both modes.
fn grid(
    fleet: &mut Fleet<'_>,
    kind: &str,
    limits: &[u32],
    loads: &[f64],
    verdict: &mut Verdict,
) -> Result<()> {
    for requests in limits.iter().copied() {
        let window_seconds = if requests > FEW { LONG_WINDOW } else { WINDOW };
        for (workspace, usable) in [(STRICT, 0.98), (LEASE, 0.95)] {
            for load in loads {
                let limits = Limits { requests, window_seconds, burst: requests };
                let name =
                    format!("{kind}{workspace}, {requests} in {window_seconds} s, load {load}");
                let (key, _) = fleet.key(workspace, Some(limits))?;
                let rate = f64::from(requests) / f64::from(window_seconds);
                let crowd = paced(rate * load, window_seconds);
                let run = fleet.run(&crowd, &[key])?;
                judge(&run, &name, &limits, workspace == LEASE, usable * load.min(1.0), verdict);
            }
        }
    }
    Ok(())
}

/// A limit that the keys of a workspace share.
fn shared(fleet: &mut Fleet<'_>, kind: &str, verdict: &mut Verdict) -> Result<()> {
    for (workspace, usable) in [(SHARED_STRICT, 0.98), (SHARED_LEASE, 0.95)] {
        let keys = (0..20).map(|_| fleet.key(workspace, None).map(|(key, _)| key));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let crowd = paced(f64::from(SHARED.requests) / f64::from(WINDOW) * 2.0, WINDOW);
        let crowd = Crowd { clients: keys.len() * usize::from(ISOLATES), ..crowd };
        let every = Duration::from_secs_f64(
            crowd.clients as f64 * f64::from(WINDOW) / f64::from(SHARED.requests) / 2.0,
        );
        let run = fleet.run(&Crowd { every, ..crowd }, &keys)?;
        let requests = SHARED.requests;
        let name = format!("{kind}{workspace}, 20 keys share {requests} in {WINDOW} s, load 2");
        judge(&run, &name, &SHARED, workspace == SHARED_LEASE, usable, verdict);
    }
    Ok(())
}

/// Both bounds over the origin's log, and how much of the limit was of use.
fn judge(run: &Run, name: &str, limits: &Limits, lease: bool, usable: f64, verdict: &mut Verdict) {
    let windows = windows(&run.shots);
    for (reset, admitted) in &windows {
        verdict.require(*admitted <= limits.requests as usize, || {
            format!("{name}: {admitted} admitted in the window that ends at {reset}")
        });
    }
    let excess = excess(&run.arrivals, limits, lease);
    verdict.require(excess <= 0.0, || format!("{name}: {excess:.1} above the bound of a span"));
    let others = run.shots.iter().filter(|shot| !matches!(shot.status, 200 | 429)).count();
    verdict.require(others == 0, || format!("{name}: {:?}", run.statuses()));
    // The last window is cut off by the end of the run.
    let whole: Vec<usize> = windows.values().rev().skip(1).copied().collect();
    let mean = whole.iter().sum::<usize>() as f64 / whole.len().max(1) as f64;
    let share = mean / f64::from(limits.requests);
    let told = || format!("{name}: only {share:.3} of the limit usable");
    match judge_share(share, usable, run.statuses().contains_key(&429)) {
        Judgement::Holds => {}
        Judgement::Undecided => verdict.undecided.push(told() + ": it refused nothing"),
        Judgement::Broken => verdict.broken.push(told()),
    }
    let mut figures = run.figures();
    figures["windows"] = json!(windows.values().collect::<Vec<_>>());
    figures["usable"] = json!((share * 1000.0).round() / 1000.0);
    verdict.figure(name, figures);
}

/// A limit that refused nothing was not reached: the machine was too slow to ask for more of it.
fn judge_share(share: f64, usable: f64, refused: bool) -> Judgement {
    match (share >= usable, refused) {
        (true, _) => Judgement::Holds,
        (false, true) => Judgement::Broken,
        (false, false) => Judgement::Undecided,
    }
}

/// Requests admitted in each window, by the second in which it ends.
pub(super) fn windows(shots: &[Shot]) -> BTreeMap<u64, usize> {
    let mut windows = BTreeMap::new();
    for shot in shots.iter().filter(|shot| shot.status == 200) {
        *windows.entry(shot.reset.unwrap_or(0)).or_default() += 1;
    }
    windows
}

/// How far the worst span of the origin's log is above its bound; negative if it is below.
pub(super) fn excess(arrivals: &[Instant], limits: &Limits, lease: bool) -> f64 {
    let rate = f64::from(limits.requests) / f64::from(limits.window_seconds);
    let slack = if lease { LEASE_SECONDS } else { 0.0 } + TRANSIT_SECONDS;
    worst_excess(arrivals, rate) - (f64::from(limits.burst) + rate * slack)
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
fn paced(per_second: f64, window_seconds: u32) -> Crowd {
    let clients = (per_second / 20.0).ceil().clamp(f64::from(ISOLATES), 64.0) as usize;
    let every = Duration::from_secs_f64(clients as f64 / per_second);
    let time = Duration::from_secs(u64::from(window_seconds) * WINDOWS + 1);
    Crowd { clients, each: usize::MAX, time, every }
}

const AT_ONCE: Crowd =
    Crowd { clients: 0, each: 0, time: Duration::from_secs(60), every: Duration::ZERO };
/// What the figures of two gate processes are called by.
const SPLIT: &str = "two gate processes, ";
const LOADS: [f64; 4] = [0.9, 1.0, 2.0, 5.0];
/// In the order of a growing size.
const GRID: [u32; 4] = [100, 10, 1000, 10_000];
const WINDOW: u32 = 3;
/// For limits that one Workspace could not admit in so short a window.
const LONG_WINDOW: u32 = 20;
const FEW: u32 = 1000;
/// As the policy of the proofs has it.
const SHARED: Limits = Limits { requests: 400, window_seconds: WINDOW, burst: 400 };
const WINDOWS: u64 = 4;
const LEASE_SECONDS: f64 = 2.0;
/// As the policy of the proofs has it.
const WORKSPACE_TIMEOUT: Duration = Duration::from_secs(5);
/// From the Workspace's decision to the origin, on a machine that has other work.
const TRANSIT_SECONDS: f64 = 0.25;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_answers_excuse_as_many_admissions_and_no_excess() {
        let judged =
            [(500, 0), (475, 9), (474, 0), (470, 4), (470, 5), (500, 9), (501, 0), (501, 9)]
                .map(|(admitted, lost)| judge_burst(admitted, lost, 475));
        let (holds, undecided, broken) =
            (Judgement::Holds, Judgement::Undecided, Judgement::Broken);
        assert_eq!(judged, [holds, holds, broken, broken, undecided, holds, broken, broken]);
    }

    #[test]
    fn what_refused_nothing_is_no_less_usable() {
        let judged = [(0.98, true), (0.98, false), (0.97, true), (0.97, false)]
            .map(|(share, refused)| judge_share(share, 0.98, refused));
        let (holds, undecided, broken) =
            (Judgement::Holds, Judgement::Undecided, Judgement::Broken);
        assert_eq!(judged, [holds, holds, broken, undecided]);
    }

    #[test]
    fn an_answer_is_lost_at_a_timeout() {
        let statuses = BTreeMap::from([(200, 470), (429, 3000), (503, 7), (504, 3)]);
        let second = Duration::from_secs(1);
        assert_eq!(lost(&statuses, WORKSPACE_TIMEOUT), 3, "503 without a timeout");
        assert_eq!(lost(&statuses, WORKSPACE_TIMEOUT + second), 10);
    }
}
