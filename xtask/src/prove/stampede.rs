//! After an outage under load no more is asked than in quiet times.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use super::Verdict;
use super::crowd::Crowd;
use super::site::Site;
use super::stage::{LEASE, STRICT, Stage};

/// A steady load through four isolates, an outage of both, and the same load after it.
pub(super) fn run(site: &Site, size: u64, verdict: &mut Verdict) -> Result<()> {
    let mut stage = Stage::start(site, "stampede", ISOLATES)?;
    let outage = if size > 1 { LONG_OUTAGE } else { OUTAGE };
    for workspace in [LEASE, STRICT] {
        let mut keys = Vec::new();
        for _ in 0..KEYS {
            keys.push(stage.key(workspace, false, None)?.text);
        }
        let crowd = Crowd { clients: 32, each: usize::MAX, time: MOST, every: PACE };
        let gates = stage.gate.gates(ISOLATES);
        let time = WARM_UP + SPAN + outage + RECOVERY + SPAN;
        let crowd = Crowd { time, ..crowd };
        let begun = Instant::now();
        let (shots, steady, after) = std::thread::scope(|scope| -> Result<_> {
            let load = scope.spawn(|| crowd.run(&gates, &keys));
            std::thread::sleep(WARM_UP);
            let steady = span(&stage, workspace)?;
            stage.set_faults(&json!({ "kind": "error" }), &json!({ "kind": "error" }))?;
            std::thread::sleep(outage);
            stage.set_faults(&json!([]), &json!([]))?;
            let ended = begun.elapsed();
            let after = span(&stage, workspace)?;
            let shots = load.join().map_err(|_| anyhow!("the load panicked"))??;
            Ok(((shots, ended), steady, after))
        })?;
        let (shots, ended) = shots;
        let last_bad = shots.iter().filter(|shot| shot.status != 200).map(|shot| shot.sent).max();
        let recovery = last_bad
            .map_or(Duration::ZERO, |last| (last - begun).saturating_sub(ended));
        let refused = shots.iter().filter(|shot| shot.status == 503).count();
        let others = shots.iter().filter(|shot| !matches!(shot.status, 200 | 503)).count();
        verdict.require(others == 0, || format!("{workspace}: {others} answers of another kind"));
        verdict.require(recovery <= RECOVERY, || format!("{workspace}: well after {recovery:?}"));
        verdict.require(after.0 as f64 <= 1.2 * steady.0 as f64, || {
            format!("{workspace}: {} calls after an outage, {} before", after.0, steady.0)
        });
        // Copies that ran out meanwhile are read again, each once by each isolate.
        let copies = KEYS * u64::from(ISOLATES);
        verdict.require(after.1 <= steady.1 + copies, || {
            format!("{workspace}: {} KV reads after an outage, {} before", after.1, steady.1)
        });
        let told = json!({
            "calls": [steady.0, after.0], "kv_reads": [steady.1, after.1], "requests": shots.len(),
            "refused": refused, "well_after_ms": recovery.as_millis() as u64,
        });
        verdict.figure(&format!("{workspace}, outage of {} s", outage.as_secs()), told);
    }
    Ok(())
}

/// Calls and KV reads within [`SPAN`].
fn span(stage: &Stage, workspace: &str) -> Result<(u64, u64)> {
    let control = stage.gate.server.control;
    control.reset_counts()?;
    control.reset_workspace_counts(workspace)?;
    std::thread::sleep(SPAN);
    let calls = control.workspace_counts(workspace)?["calls"].as_u64().context("calls")?;
    Ok((calls, stage.gate.kv_reads()?))
}

const ISOLATES: u16 = 4;
const KEYS: u64 = 8;
const PACE: Duration = Duration::from_millis(50);
const WARM_UP: Duration = Duration::from_secs(3);
const SPAN: Duration = Duration::from_secs(4);
const OUTAGE: Duration = Duration::from_secs(3);
/// Longer than a record is believed.
const LONG_OUTAGE: Duration = Duration::from_secs(40);
const RECOVERY: Duration = Duration::from_secs(2);
const MOST: Duration = Duration::from_secs(600);
