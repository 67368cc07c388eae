//! `cargo xtask fuzz`: texts that nobody thought of, by libFuzzer, against the properties of `fuzz/`.
//!
//! A target goes on from the corpus that its earlier runs left in `.portcullis/fuzz`; it begins with seeds
//! that are made of the vectors.

mod seeds;

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

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

/// Runs a target, or all.
pub fn fuzz(checkout: &Checkout, only: Option<&str>, length: Length) -> Result<()> {
    let names = targets(checkout)?;
    if let Some(name) = only.filter(|name| !names.iter().any(|own| own == name)) {
        bail!("no target {name}; there are {}", names.join(", "));
    }
    build(checkout)?;
    for name in names.iter().filter(|name| only.is_none_or(|only| only == *name)) {
        let tried = fuzz_target(checkout, name, length)?;
        say(format!("{name}: {tried} texts, no property broken"));
    }
    Ok(())
}

/// Builds every target.
pub(crate) fn build(checkout: &Checkout) -> Result<()> {
    tools::ensure_present(checkout, &[Tool::CargoFuzz])?;
    run("cargo fuzz build", &mut cargo_fuzz(checkout, "build"))
}

/// Runs a target that is built; how many texts it was given.
///
/// # Errors
/// What the target says of a text that breaks a property, or takes too long.
pub(crate) fn fuzz_target(checkout: &Checkout, name: &str, length: Length) -> Result<u64> {
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
    let output = fuzz.stderr(Stdio::piped()).output().context("cannot run cargo fuzz")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{told}\nfuzz target {name} failed ({})", output.status);
    let tried = told.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let tried = tried.and_then(|number| number.trim().parse().ok());
    tried.with_context(|| format!("{told}\nfuzz target {name} does not tell how much it tried"))
}

/// The names of all targets, in order.
pub(crate) fn targets(checkout: &Checkout) -> Result<Vec<String>> {
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
