//! `cargo xtask deny`: licences, sources and advisories of all crates, by `cargo-deny` and `deny.toml`.

use anyhow::{Context, Result, bail};

use crate::checkout::{Checkout, run, say};
use crate::tools::{self, Tool};

/// Checks the tree of crates; advisories too, if their database can be had.
pub fn check(checkout: &Checkout) -> Result<()> {
    tools::ensure_present(checkout, &[Tool::CargoDeny])?;
    let deny = || {
        let mut deny = checkout.command(tools::cargo_bin(checkout, "cargo-deny"));
        deny.args(["--log-level", "error", "check"]);
        deny
    };
    run("cargo-deny", deny().args(["bans", "licenses", "sources"]))?;
    let output = deny().arg("advisories").output().context("cannot run cargo-deny")?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() {
        say("deny: licences, bans, sources, advisories: fine");
    } else if said.contains("failed to fetch advisory database") {
        say("deny: licences, bans, sources: fine; the database of advisories was not to be had");
    } else {
        bail!("cargo-deny check advisories:\n{said}");
    }
    Ok(())
}
