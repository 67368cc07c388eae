//! Simulated deployments: what no schedule of a million breaks.

use std::process::Stdio;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::progress::Progress;
use super::site::Site;
use super::{Bar, Verdict};
use crate::checkout::say;

pub(super) const BAR: Bar = Bar {
    name: "schedules",
    goal: "no simulated schedule of isolates, a Workspace, KV, message loss, crashes and wrong clocks exceeds a limit, forgets a change or outlives a revocation",
    unit: "schedules",
    ci: 1_000,
    full: 1_000_000,
    sources: &[
        "tests/it/simulation/calls.rs",
        "tests/it/simulation/check.rs",
        "tests/it/simulation/clock.rs",
        "tests/it/simulation/deployment.rs",
        "tests/it/simulation/isolate.rs",
        "tests/it/simulation/kv.rs",
        "tests/it/simulation/ledger.rs",
        "tests/it/simulation/lookup.rs",
        "tests/it/simulation/management.rs",
        "tests/it/simulation/mod.rs",
        "tests/it/simulation/object.rs",
        "tests/it/simulation/plan.rs",
        "tests/it/simulation/random.rs",
        "tests/it/simulation/world.rs",
    ],
    run,
};

/// How many were played; the next seed.
#[derive(Default, Serialize, Deserialize)]
struct Played(u64);

fn run(site: &Site, size: u64, progress: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let Played(mut from) = progress.state();
    // What is still to be built for a few schedules would take longer than they do.
    let build = if size > CHUNK { OPTIMISED } else { AS_TESTED };
    while from < size && verdict.broken.is_empty() {
        let count = CHUNK.min(size - from);
        let told = play(site, build, from, count)?;
        let failed = told.lines().find(|line| line.starts_with("SIM_SEED="));
        let fine = told.lines().any(|line| line.starts_with(&format!("{count} schedules: ")));
        verdict.require(fine && failed.is_none(), || match failed {
            Some(seed) => seed.to_owned(),
            None => format!("from {from}: {}", told.lines().last().unwrap_or_default()),
        });
        if fine {
            from += count;
            progress.save(&Played(from))?;
            say(format!("  {from} of {size}"));
        }
    }
    verdict.figure("schedules", from);
    Ok(verdict)
}

/// What the simulation prints.
fn play(site: &Site, build: &[&str], from: u64, count: u64) -> Result<String> {
    let mut cargo = site.checkout.command("cargo");
    cargo
        .args(["test", "--quiet"])
        .args(build)
        .args(["--", "--exact", "simulation::schedules", "--nocapture"])
        .env("SIM_FROM", from.to_string())
        .env("SIM_SCHEDULES", count.to_string());
    let output = cargo
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .output()
        .context("cargo does not run")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

const OPTIMISED: &[&str] = &["--release", "--test", "it"];
/// What the step `native` has built.
const AS_TESTED: &[&str] = &["--workspace", "--tests"];
const CHUNK: u64 = 50_000;
