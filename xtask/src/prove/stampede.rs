//! After an outage under load no more is asked than in quiet times.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use super::Verdict;
use super::crowd::Crowd;
use super::site::Site;
use super::stage::{LEASE, STRICT, Stage};

/// A steady load through four isolates on keys of both modes, an outage of all there is, and the
/// same load after it.
pub(super) fn run(site: &Site, size: u64, verdict: &mut Verdict) -> Result<()> {
    let mut stage = Stage::start(site, "stampede", ISOLATES)?;
    let outage = if size > 1 { LONG_OUTAGE } else { OUTAGE };
    let mut keys = Vec::new();
    for number in 0..KEYS {
        keys.push(stage.key(MODES[number % MODES.len()], false, None)?.text);
    }
    let time = WARM_UP + SPAN + outage + SPAN;
    let crowd = Crowd { clients: 4 * KEYS, each: usize::MAX, time, every: PACE };
    let gates = stage.gate.gates(ISOLATES);
    let (shots, (quiet, ended), before, after) = std::thread::scope(|scope| -> Result<_> {
        let load = scope.spawn(|| crowd.run(&gates, &keys));
        std::thread::sleep(WARM_UP);
        let quiet = Instant::now();
        let before = span(&stage)?;
        let down = json!({ "kind": "error" });
        MODES.iter().try_for_each(|workspace| stage.set_faults(&down, workspace, &down))?;
        std::thread::sleep(outage);
        let well = json!([]);
        MODES.iter().try_for_each(|workspace| stage.set_faults(&well, workspace, &well))?;
        let ended = Instant::now();
        let after = span(&stage)?;
        let shots = load.join().map_err(|_| anyhow!("the load panicked"))??;
        Ok((shots, (quiet, ended), before, after))
    })?;
    let last_bad = shots.iter().filter(|shot| shot.status != 200).map(|shot| shot.sent).max();
    let well_after = last_bad.map_or(Duration::ZERO, |last| last.saturating_duration_since(ended));
    let refused = shots.iter().filter(|shot| shot.status == 503).count();
    let others = shots.iter().filter(|shot| !matches!(shot.status, 200 | 503)).count();
    verdict.require(others == 0 && refused > 0, || format!("{refused} of 503, {others} of others"));
    verdict.require(well_after <= RECOVERY, || format!("well only after {well_after:?}"));
    // Clients that a busy machine slows send fewer requests, each with its call.
    let sent = |from: Instant| {
        shots.iter().filter(|shot| (from..from + SPAN).contains(&shot.sent)).count() as f64
    };
    let (sent_before, sent_after) = (sent(quiet), sent(ended));
    let bound = 1.2 * (sent_after / sent_before).max(1.0);
    for (workspace, (before, after)) in MODES.iter().zip(before.0.iter().zip(&after.0)) {
        verdict.require(*after as f64 <= bound * *before as f64, || {
            format!("{workspace}: {after} calls after an outage, {before} before")
        });
    }
    // Copies that ran out meanwhile are read again, each once by each isolate.
    let copies = before.1 + KEYS as u64 * u64::from(ISOLATES);
    verdict.require(after.1 <= copies, || {
        format!("{} KV reads after an outage, {} before", after.1, before.1)
    });
    let told = json!({
        "workspaces": MODES, "calls_before": before.0, "calls_after": after.0,
        "sent": [sent_before, sent_after],
        "kv_reads": [before.1, after.1], "requests": shots.len(), "refused": refused,
        "well_after_ms": well_after.as_millis() as u64,
    });
    verdict.figure(&format!("an outage of {} s", outage.as_secs()), told);
    Ok(())
}

/// Calls of each workspace, and KV reads, within [`SPAN`].
fn span(stage: &Stage) -> Result<(Vec<u64>, u64)> {
    let control = stage.gate.server.control;
    control.reset_counts()?;
    MODES.iter().try_for_each(|workspace| control.reset_workspace_counts(workspace))?;
    std::thread::sleep(SPAN);
    let calls =
        |workspace: &&str| control.workspace_counts(workspace)?["calls"].as_u64().context("calls");
    Ok((MODES.iter().map(calls).collect::<Result<_>>()?, stage.gate.kv_reads()?))
}

const MODES: [&str; 2] = [LEASE, STRICT];
const ISOLATES: u16 = 4;
const KEYS: usize = 8;
const PACE: Duration = Duration::from_millis(50);
const WARM_UP: Duration = Duration::from_secs(3);
const SPAN: Duration = Duration::from_secs(4);
const OUTAGE: Duration = Duration::from_secs(3);
/// Longer than a record is believed.
const LONG_OUTAGE: Duration = Duration::from_secs(40);
const RECOVERY: Duration = Duration::from_secs(2);
