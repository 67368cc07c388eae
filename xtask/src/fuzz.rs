//! `cargo xtask fuzz`: texts that nobody thought of, by libFuzzer, against the properties of `fuzz/`.
//!
//! A target goes on from the corpus that its earlier runs left in `.portcullis/fuzz`; it begins with seeds
//! that are made of the vectors.

mod seeds;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::checkout::{Checkout, private_dir, run, say};
use crate::tools::{self, Tool};

/// How long each target runs, at most.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Texts.
    pub runs: u64,
    /// Seconds.
    pub seconds: u64,
}

/// That of a test run.
const SMALL: Length = Length { runs: 200_000, seconds: 4 };

/// Runs every target for a moment.
pub fn test(checkout: &Checkout) -> Result<()> {
    fuzz(checkout, None, SMALL)
}

/// Runs a target, or all.
pub fn fuzz(checkout: &Checkout, only: Option<&str>, length: Length) -> Result<()> {
    let names = targets(checkout)?;
    if let Some(name) = only.filter(|name| !names.iter().any(|own| own == name)) {
        bail!("no target {name}; there are {}", names.join(", "));
    }
    tools::ensure_present(checkout, &[Tool::CargoFuzz])?;
    let mut build = cargo_fuzz(checkout, "build");
    run("cargo fuzz build", &mut build)?;
    for name in names.iter().filter(|name| only.is_none_or(|only| only == *name)) {
        say(format!("{name}: at most {} texts, {} s", length.runs, length.seconds));
        let (corpus, seeds) = (folder(checkout, name, "corpus")?, folder(checkout, name, "seeds")?);
        seeds::write(checkout, name, &seeds)?;
        let artefacts = folder(checkout, name, "artefacts")?;
        let mut fuzz = cargo_fuzz(checkout, "run");
        fuzz.arg(name).args([&corpus, &seeds]).arg("--");
        fuzz.args([
            format!("-runs={}", length.runs),
            format!("-max_total_time={}", length.seconds),
            format!("-artifact_prefix={}/", artefacts.display()),
            "-timeout=5".to_owned(),
            "-rss_limit_mb=2048".to_owned(),
            "-max_len=8192".to_owned(),
            "-print_final_stats=1".to_owned(),
            "-verbosity=0".to_owned(),
        ]);
        run(&format!("fuzz target {name}"), &mut fuzz)?;
    }
    Ok(())
}

/// The names of all targets, in order.
fn targets(checkout: &Checkout) -> Result<Vec<String>> {
    let entries = fs::read_dir(checkout.path("fuzz/targets")).context("no fuzz/targets")?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    ensure!(!names.is_empty(), "fuzz/targets is empty");
    Ok(names)
}

/// Without a sanitizer, since the core has no unsafe code: so it needs no nightly toolchain.
fn cargo_fuzz(checkout: &Checkout, verb: &str) -> std::process::Command {
    let mut command = checkout.command(tools::cargo_bin(checkout, "cargo-fuzz"));
    command.args(["fuzz", verb, "--sanitizer", "none", "--fuzz-dir", "fuzz"]);
    command.args(["--target-dir", "target/fuzz"]);
    command
}

fn folder(checkout: &Checkout, target: &str, name: &str) -> Result<PathBuf> {
    let path = checkout.private(format!("fuzz/{target}/{name}"))?;
    private_dir(&path)?;
    Ok(path)
}
