//! What the Workspace is asked for: a fraction of a call a request.

use std::time::Duration;

use anyhow::{Context, Result};
use portcullis::policy::Limits;
use serde_json::json;

use super::crowd::Crowd;
use super::fleet::{Fleet, LEASE, STRICT};
use super::progress::Progress;
use super::site::Site;
use super::{Bar, Verdict};
use crate::interval::{Interval, Judgement};

pub(super) const BAR: Bar = Bar {
    name: "calls",
    goal: "1000 requests at once on a cold key: at most 20 calls; at full load at most 10 a 1000 \
           requests; strict: at least 1000 admissions a second, at most 4 rows written each",
    unit: "rounds of some seconds over 8 isolates",
    ci: 1,
    full: 9,
    sources: &["xtask/src/interval.rs"],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut fleet = Fleet::start(site, "calls")?;
    let ample = Some(Limits { requests: u32::MAX, window_seconds: 3600, burst: u32::MAX });
    let (mut cold, mut full, mut rates, mut rows) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..size {
        let (key, _) = fleet.key(LEASE, ample)?;
        // Its copy in KV comes by the alarm.
        std::thread::sleep(Duration::from_millis(500));
        let run =
            fleet.run(&Crowd { clients: 1000, each: 1, ..UNPACED }, std::slice::from_ref(&key))?;
        verdict.require(run.admitted() == 1000, || format!("cold: {:?}", run.statuses()));
        cold.push(run.calls as f64);
        let run = fleet.run(&Crowd { clients: 64, each: usize::MAX, ..UNPACED }, &[key])?;
        verdict
            .require(run.admitted() == run.shots.len(), || format!("full: {:?}", run.statuses()));
        full.push(run.calls as f64 * 1000.0 / run.admitted() as f64);
        let (key, _) = fleet.key(STRICT, ample)?;
        let run = fleet.run(&Crowd { clients: 64, each: usize::MAX, ..UNPACED }, &[key])?;
        verdict
            .require(run.admitted() == run.shots.len(), || format!("strict: {:?}", run.statuses()));
        rates.push(run.admitted() as f64 / run.time.as_secs_f64());
        rows.push(run.rows as f64 / run.admitted() as f64);
    }
    for (name, samples, goal) in [
        ("calls on a cold key", &cold, 20.0),
        ("calls a 1000 requests", &full, 10.0),
        ("rows a strict admission", &rows, 4.0),
    ] {
        let interval = Interval::of(samples).context("no rounds")?;
        let Interval { median, low, high } = interval;
        verdict.figure(name, json!([median, low, high]));
        let told = format!("{name}: {median:.2} ({low:.2} to {high:.2}), at most {goal}");
        judge(&mut verdict, size, interval.at_most(goal), low > FAR * goal, told);
    }
    let interval = Interval::of(&rates).context("no rounds")?;
    let Interval { median, low, high } = interval;
    verdict.figure("strict admissions a second", json!([median, low, high]));
    let told = format!("{median:.0} ({low:.0} to {high:.0}) strict admissions a second");
    judge(&mut verdict, size, interval.at_least(1000.0), false, told);
    Ok(verdict)
}

/// What a few rounds miss, they decide only if it is missed by far: they depend on what else the
/// machine does.
fn judge(verdict: &mut Verdict, rounds: u64, judgement: Judgement, by_far: bool, told: String) {
    match judgement {
        Judgement::Holds => {}
        Judgement::Broken if rounds >= DECISIVE || by_far => verdict.broken.push(told),
        Judgement::Broken | Judgement::Undecided => verdict.undecided.push(told),
    }
}

const DECISIVE: u64 = 5;
/// No other work of a machine makes so many times the calls or rows.
const FAR: f64 = 3.0;
const UNPACED: Crowd =
    Crowd { clients: 0, each: 0, time: Duration::from_secs(6), every: Duration::ZERO };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_round_can_fail_but_not_by_a_little() {
        let (holds, undecided, broken) =
            (Judgement::Holds, Judgement::Undecided, Judgement::Broken);
        for (judgement, rounds, by_far, told) in [
            (broken, 1, false, (0, 1)),
            (broken, 1, true, (1, 0)),
            (broken, DECISIVE, false, (1, 0)),
            (broken, DECISIVE, true, (1, 0)),
            (undecided, DECISIVE, false, (0, 1)),
            (holds, DECISIVE, false, (0, 0)),
        ] {
            let mut verdict = Verdict::default();
            judge(&mut verdict, rounds, judgement, by_far, String::new());
            let found = (verdict.broken.len(), verdict.undecided.len());
            assert_eq!(found, told, "{judgement:?} by {rounds} rounds, {by_far}");
        }
    }
}
