//! A large import by the command line, killed on the way.

use anyhow::{Context, Result};

use super::progress::Progress;
use super::site::Site;
use super::{Bar, Verdict};
use crate::cli;

pub(super) const BAR: Bar = Bar {
    name: "import",
    goal: "`portcullis keys import` of hashed keys, killed (SIGKILL) three times and run again: each key is there \
           once, the record of changes verifies; at least 2000 keys a second",
    unit: "keys in one workspace",
    ci: 5000,
    full: 100_000,
    sources: &[
        "cli/src/api/mod.rs",
        "cli/src/batches.rs",
        "cli/src/keys/import.rs",
        "cli/src/progress.rs",
        "cli/tests/online/import.rs",
        "xtask/src/cli.rs",
        "policy.toml",
    ],
    run,
};

/// The command is built with `--release` for the full size. Where others use the machine, the rate is what they
/// leave: then the CPU time that the server took decides whether the goal could have been met.
fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let is_full = size == BAR.full;
    let flags: &[&str] = if is_full { &["--release"] } else { &[] };
    let figures = cli::figures(&site.checkout, "a_killed_import", size, flags)?;
    let told = figures.first().context("the import tells no rate")?;
    let numbers = told.split_whitespace().filter_map(|word| word.parse::<f64>().ok());
    let mut numbers = numbers.map(f64::round);
    let rate = numbers.next().context("no rate")?;
    let cpu = numbers.next().context("no CPU time")?;
    verdict.figure("keys_a_second", rate);
    verdict.figure("server_cpu_us_a_key", cpu);
    verdict.figure("kills", numbers.next().context("no kills")?);
    let alone = (1e6 / cpu.max(1.0)).round();
    let told = format!("{rate} keys a second; with a core of its own the server could {alone}");
    if is_full && rate < GOAL && alone >= GOAL {
        verdict.undecided.push(told);
    } else {
        verdict.require(!is_full || rate >= GOAL, || told);
    }
    Ok(verdict)
}

/// Keys a second.
const GOAL: f64 = 2000.0;
