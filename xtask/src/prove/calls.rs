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
use crate::interval::Interval;

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
    let mut at_most = |name: &str, samples: &[f64], goal: f64| -> Result<()> {
        let Interval { median, low, high } = Interval::of(samples).context("no rounds")?;
        verdict.require(low <= goal, || format!("{name}: {median:.2}, at most {goal}"));
        verdict.figure(name, json!([median, low, high]));
        Ok(())
    };
    at_most("calls on a cold key", &cold, 20.0)?;
    at_most("calls a 1000 requests", &full, 10.0)?;
    at_most("rows a strict admission", &rows, 4.0)?;
    let Interval { median, low, high } = Interval::of(&rates).context("no rounds")?;
    verdict.require(high >= 1000.0, || format!("{median:.0} strict admissions a second"));
    verdict.figure("strict admissions a second", json!([median, low, high]));
    Ok(verdict)
}

const UNPACED: Crowd =
    Crowd { clients: 0, each: 0, time: Duration::from_secs(6), every: Duration::ZERO };
