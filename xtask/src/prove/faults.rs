//! The matrix of faults of KV and the Workspace, cell by cell, and what holds between them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use portcullis::record::Status;
use serde_json::{Value, json};

use super::cell::{Due, Fault, Kv, Object, STATES, State, faults};
use super::progress::Progress;
use super::site::Site;
use super::stage::{Calls, EDGE, FALLBACK, Key, Shot, Stage};
use super::{Bar, Verdict};
use super::{atomic, fresh, stampede, tally};

pub(super) const BAR: Bar = Bar {
    name: "faults",
    goal: "whatever KV and Workspace do, each request gets the answer of the failure matrix within \
           the deadlines + 50 ms (+ 150 ms for a busy machine), with the calls it should take; 2 s \
           after a fault ends all is as before; a throw inside a mutation leaves nothing behind; \
           what was used is counted",
    unit: "requests for each fault and state of a key",
    ci: 1,
    full: 10,
    sources: &["tests/prove/faults.toml", "xtask/src/keys.rs"],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut stage = Stage::start(site, "faults", 2)?;
    let mut matrix = Matrix::default();
    for fault in faults() {
        for state in STATES.iter().filter(|state| fault.fits(state)) {
            for _ in 0..size {
                matrix.cell(&mut stage, &fault, state, &mut verdict)?;
            }
        }
    }
    verdict.figure("matrix", json!(matrix.table));
    verdict.figure("cells", matrix.cells);
    verdict.figure("longest_over_deadline_ms", matrix.over.as_millis() as u64);
    verdict.figure("longest_recovery_ms", matrix.recovery.as_millis() as u64);
    atomic::run(&mut stage, &mut verdict)?;
    fresh::run(&mut stage, size, &mut verdict)?;
    tally::run(&mut stage, size, &mut verdict)?;
    drop(stage);
    stampede::run(site, size, &mut verdict)?;
    Ok(verdict)
}

#[derive(Default)]
struct Matrix {
    /// By fault and state: status, calls, longest time.
    table: BTreeMap<String, BTreeMap<&'static str, Value>>,
    cells: u64,
    over: Duration,
    recovery: Duration,
}

impl Matrix {
    fn cell(
        &mut self,
        stage: &mut Stage,
        fault: &Fault,
        state: &State,
        verdict: &mut Verdict,
    ) -> Result<()> {
        let name = format!("{}, {}", fault.name, state.name);
        let due = fault.due(state);
        let key = stage.key(state.workspace, state.imported, None)?;
        match fault.kv {
            Kv::Stale => stage.age(&key, Some(Status::Active))?,
            Kv::StaleRevoked => stage.age(&key, Some(Status::Revoked))?,
            Kv::Outdated if state.warm == 0 => stage.age(&key, None)?,
            Kv::Well | Kv::Fails(_) | Kv::Slow(_) | Kv::Misses | Kv::Outdated => {}
        }
        let hits = stage.origin.requests();
        for _ in 0..state.warm {
            stage.get(&key)?;
        }
        let warm = stage.origin.requests() - hits;
        verdict.require(warm == u64::from(state.warm), || format!("{name}: not warm, {warm}"));
        stage.reset_calls(key.workspace)?;
        stage.set_faults(&fault.kv_fault, key.workspace, &fault.object_fault)?;
        let shot = stage.get(&key)?;
        let calls = stage.calls(key.workspace)?;
        stage.set_faults(&json!([]), key.workspace, &json!([]))?;
        let hits = stage.origin.requests() - hits;
        self.judge(&name, &due, &shot, &calls, hits - warm, verdict);
        let entry = json!([shot.status, calls.admits, calls.records, shot.time.as_millis() as u64]);
        self.table.entry(fault.name.clone()).or_default().insert(state.name, entry);
        self.cells += 1;
        if state.workspace != EDGE && state.workspace != FALLBACK {
            count(stage, &name, fault, &key, hits, verdict)?;
        }
        self.recover(stage, &name, &due, &key, verdict)
    }

    fn judge(
        &mut self,
        name: &str,
        due: &Due,
        shot: &Shot,
        calls: &Calls,
        hits: u64,
        verdict: &mut Verdict,
    ) {
        let expected = (due.status, due.admits, due.records, due.degraded);
        let came = (shot.status, calls.admits, calls.records, shot.degraded);
        verdict.require(came == expected, || {
            format!(
                "{name}: (status, admits, records, degraded) {came:?}, due {expected:?}; {shot:?}"
            )
        });
        let forwarded = u64::from(shot.status == 200);
        verdict.require(hits == forwarded, || format!("{name}: {hits} at the origin; {shot:?}"));
        if shot.status == 503 {
            let said = shot.code == "AUTH_UNAVAILABLE"
                && shot.retry_after.is_some_and(|seconds| (1..=3).contains(&seconds));
            verdict.require(said, || format!("{name}: {shot:?}"));
        }
        if due.again {
            let same =
                calls.ids.first().is_some_and(|first| calls.ids.iter().all(|id| id == first));
            verdict.require(same, || format!("{name}: a retry with another id: {:?}", calls.ids));
        }
        let over = shot.time.saturating_sub(Duration::from_millis(due.millis));
        self.over = self.over.max(over);
        verdict.require(over <= TOLERANCE + NOISE, || format!("{name}: late: {:?}", shot.time));
    }

    /// With the fault over all is well within 2 s, and no more is asked than by any request.
    fn recover(
        &mut self,
        stage: &Stage,
        name: &str,
        due: &Due,
        key: &Key,
        verdict: &mut Verdict,
    ) -> Result<()> {
        if due.status == 401 {
            return Ok(());
        }
        stage.reset_calls(key.workspace)?;
        let begun = Instant::now();
        let mut shot = stage.get(key)?;
        // An edge key whose copy is bad for good stays unusable.
        while shot.status != 200 && begun.elapsed() < RECOVERY && !is_lasting(name) {
            std::thread::sleep(POLL);
            shot = stage.get(key)?;
        }
        let time = begun.elapsed();
        let calls = stage.calls(key.workspace)?;
        if is_lasting(name) && key.workspace == EDGE {
            return Ok(());
        }
        self.recovery = self.recovery.max(time);
        verdict.require(shot.status == 200, || format!("{name}: no recovery: {shot:?}"));
        let all = calls.admits + calls.records;
        verdict.require(all <= 1, || format!("{name}: {calls:?} to recover"));
        Ok(())
    }
}

/// What the Workspace has counted, against what the origin saw.
fn count(
    stage: &Stage,
    name: &str,
    fault: &Fault,
    key: &Key,
    hits: u64,
    verdict: &mut Verdict,
) -> Result<()> {
    let used = stage.usage(key)?;
    // A debit whose answer is lost for good stays one: nothing was admitted, nothing is given back.
    let lost = u64::from(fault.name == "object answers lost" && fault.object != Object::Well);
    verdict.require(used.exact <= hits + lost && hits <= used.at_most, || {
        format!("{name}: {hits} at the origin, counted {} to {}", used.exact, used.at_most)
    });
    Ok(())
}

fn is_lasting(name: &str) -> bool {
    name.starts_with("KV outdated")
}

const TOLERANCE: Duration = Duration::from_millis(50);
/// Two cores and other work on them.
const NOISE: Duration = Duration::from_millis(150);
const RECOVERY: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);
