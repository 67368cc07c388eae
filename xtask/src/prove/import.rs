//! A large import by the command line, killed on the way.

use anyhow::{Context, Result};

use super::progress::Progress;
use super::site::Site;
use super::{Bar, Verdict};
use crate::cli;

pub(super) const BAR: Bar = Bar {
    name: "import",
    goal: "`portcullis keys import` of hashed keys, killed (SIGKILL) three times and run again: each key is there \
           once, the record of changes verifies",
    unit: "keys in one workspace",
    ci: 2000,
    full: 100_000,
    sources: &[
        "cli/src/api/mod.rs",
        "cli/src/keys/import.rs",
        "cli/src/progress.rs",
        "cli/tests/online/import.rs",
        "xtask/src/cli.rs",
        "policy.toml",
    ],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let figures = cli::figures(&site.checkout, "a_killed_import", size)?;
    let told = figures.first().context("the import tells no rate")?;
    let numbers = told.split_whitespace().filter_map(|word| word.parse::<f64>().ok());
    let mut numbers = numbers.map(f64::round);
    verdict.figure("keys_a_second", numbers.next().context("no rate")?);
    verdict.figure("kills", numbers.next().context("no kills")?);
    Ok(verdict)
}
