//! What is counted is what the origin saw, and what is denied costs nothing.

use std::time::{Duration, Instant};

use anyhow::Result;
use portcullis::policy::Limits;
use serde_json::json;

use super::Verdict;
use super::stage::{LEASE, STRICT, Shot, Stage};

/// Uses keys through two isolates, within the limit and beyond it, and with a scope they lack.
pub(super) fn run(stage: &mut Stage, size: u64, verdict: &mut Verdict) -> Result<()> {
    for workspace in [STRICT, LEASE] {
        for _ in 0..size {
            round(stage, workspace, verdict)?;
        }
        lost(stage, workspace, verdict)?;
    }
    Ok(())
}

fn round(stage: &mut Stage, workspace: &'static str, verdict: &mut Verdict) -> Result<()> {
    let limits = Limits { requests: LIMIT, window_seconds: 3600, burst: LIMIT };
    let key = stage.key(workspace, false, Some(limits))?;
    let before = stage.origin.requests();
    let (mut forbidden, mut limited) = (0, 0);
    let mut least = u64::from(LIMIT);
    for turn in 0..u64::from(LIMIT) {
        let shot = stage.get_at((turn % 2) as u16, "/near/x", &key.text)?;
        verdict.require(shot.status == 200 || shot.status == 429, || format!("{shot:?}"));
        limited += u64::from(shot.status == 429);
        if turn % 5 == 0 {
            let shot = stage.get_at(1, "/other/x", &key.text)?;
            verdict.require(shot.code == "PERMISSION_DENIED", || format!("{shot:?}"));
            forbidden += 1;
        }
        if let Shot { status: 200, remaining: Some(remaining), .. } = shot {
            least = least.min(remaining);
        }
        if turn == u64::from(LIMIT) / 2 {
            let (hits, used) = (stage.origin.requests() - before, stage.usage(&key)?);
            let holds = if workspace == STRICT {
                (used.exact, used.at_most) == (hits, hits)
            } else {
                used.exact <= hits && hits <= used.at_most
            };
            verdict.require(holds, || {
                format!("{workspace}: {hits} at the origin, {} to {}", used.exact, used.at_most)
            });
        }
    }
    if workspace == STRICT {
        // Every one was admitted, though others were denied between them: those cost nothing.
        let hits = stage.origin.requests() - before;
        verdict.require(hits == u64::from(LIMIT) && least == 0, || {
            format!("{hits} of {LIMIT} admitted, {least} remaining")
        });
    }
    for _ in 0..BEYOND {
        let shot = stage.get_at(0, "/near/x", &key.text)?;
        limited += u64::from(shot.status == 429);
    }
    let begun = Instant::now();
    loop {
        let (hits, used) = (stage.origin.requests() - before, stage.usage(&key)?);
        let count = |code| used.denied(code);
        let denied = (count("PERMISSION_DENIED"), count("RATE_LIMITED"));
        let holds = (used.exact, used.at_most) == (hits, hits) && denied == (forbidden, limited);
        if holds || begun.elapsed() > REPORTED {
            verdict.require(holds, || {
                format!(
                    "{workspace}: {hits} at the origin, {forbidden} forbidden and {limited} limited; \
                     counted {used:?}"
                )
            });
            let told = json!({
                "origin": hits, "exact": used.exact, "at_most": used.at_most,
                "denied": used.denied, "reported_after_ms": begun.elapsed().as_millis() as u64,
            });
            verdict.figure(&format!("{workspace}, usage"), told);
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// An answer that is lost and asked for again is counted once, a refusal too.
fn lost(stage: &mut Stage, workspace: &'static str, verdict: &mut Verdict) -> Result<()> {
    let limits = Limits { requests: 1, window_seconds: 3600, burst: 1 };
    let key = stage.key(workspace, false, Some(limits))?;
    let lost = json!({ "kind": "lost", "count": 1 });
    let mut statuses = Vec::new();
    for _ in 0..2 {
        stage.set_faults(&json!([]), workspace, &lost)?;
        statuses.push(stage.get(&key)?.status);
    }
    stage.set_faults(&json!([]), workspace, &json!([]))?;
    let used = stage.usage(&key)?;
    let denied = used.denied("RATE_LIMITED");
    let came = (statuses.as_slice(), used.exact, used.at_most, denied);
    verdict.require(came == (&[200, 429], 1, 1, 1), || {
        format!("{workspace}: lost answers: (statuses, exact, at most, limited) {came:?}")
    });
    Ok(())
}

const LIMIT: u32 = 60;
const BEYOND: u32 = 10;
/// A lease of 2 s, the report, and some time.
const REPORTED: Duration = Duration::from_secs(5);
