//! A key is usable at once, also where KV still says that there is none.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use super::Verdict;
use super::stage::{LEASE, STRICT, Stage};

/// Creates keys while KV's copies are withheld, and uses them through an isolate that has, or has
/// not, been told before that they do not exist.
pub(super) fn run(stage: &mut Stage, size: u64, verdict: &mut Verdict) -> Result<()> {
    for workspace in [LEASE, STRICT] {
        for asked_before in [false, true] {
            let mut longest = Duration::ZERO;
            for _ in 0..size {
                let (key, _) = stage.draft(workspace, false, None)?;
                let row = format!("k1:{}", key.document.kid);
                stage.set_faults(
                    &json!({ "kind": "miss", "prefix": row }),
                    workspace,
                    &json!([]),
                )?;
                if asked_before {
                    let shot = stage.get_at(1, "/near/x", &key.text)?;
                    verdict.require(shot.status == 401, || format!("no such key: {shot:?}"));
                }
                stage.put(&key)?;
                let begun = Instant::now();
                while stage.get_at(1, "/near/x", &key.text)?.status != 200
                    && begun.elapsed() < PATIENCE
                {
                    std::thread::sleep(POLL);
                }
                longest = longest.max(begun.elapsed());
            }
            let asked = if asked_before { ", asked for before" } else { "" };
            let name = format!("{workspace}, created{asked}: usable after");
            verdict.require(longest <= BOUND, || format!("{name} {longest:?}"));
            verdict.figure(&format!("{name}, ms"), longest.as_millis() as u64);
        }
    }
    stage.gate.server.control.clear_faults()
}

const BOUND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(8);
const POLL: Duration = Duration::from_millis(20);
