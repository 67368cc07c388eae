//! Changes of the core, one at a time, by `cargo-mutants`: a test of the core fails for each.
//!
//! `.cargo/mutants.toml` says in which files, by which tests, and which changes change nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::progress::Progress;
use super::site::Site;
use super::{Bar, Verdict};
use crate::checkout::{Checkout, lock, private_dir, say, sha256};
use crate::tools::{self, Tool};
use crate::worker::collect;

pub(super) const BAR: Bar = Bar {
    name: "mutants",
    goal: "0 missed mutants of the decision, signatures, target, limits and authorisation",
    unit: "run over the files of .cargo/mutants.toml, each mutant once",
    ci: 0,
    full: 1,
    sources: &[CONFIG],
    run: prove,
};

/// What an earlier run of these sources left besides what `cargo-mutants` keeps itself.
#[derive(Default, Serialize, Deserialize)]
struct Seen {
    sources: String,
    unviable: BTreeSet<String>,
}

/// The small size reads the configuration alone: to build the tool takes longer than a test run has.
fn prove(site: &Site, size: u64, progress: &mut Progress) -> Result<Verdict> {
    let checkout = &site.checkout;
    let mut verdict = Verdict::default();
    let equivalent = equivalent(&fs::read_to_string(checkout.path(CONFIG)).context(CONFIG)?)?;
    verdict.figure("equivalent", json!(equivalent));
    if size == 0 {
        return Ok(verdict);
    }
    tools::ensure_present(checkout, &[Tool::CargoMutants])?;
    let all = list(checkout, &["--no-config", "--package", "portcullis"])?;
    for pattern in equivalent.keys() {
        let pattern = Regex::new(pattern)?;
        verdict.require(all.iter().any(|name| pattern.is_match(name)), || {
            format!("{CONFIG}: no mutant has the name {pattern}")
        });
    }
    let folder = checkout.private("proof/mutants")?;
    let mut seen: Seen = progress.state();
    let sources = sources(checkout)?;
    if seen.sources != sources {
        seen = Seen { sources, ..Seen::default() };
        // Names of mutants are lines and columns, which are others' now.
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
    }
    // Of a run that was ended.
    seen.unviable.extend(found(&folder, "unviable")?);
    progress.save(&seen)?;
    run(checkout, &folder, &["--iterate"])?;
    seen.unviable.extend(found(&folder, "unviable")?);
    progress.save(&seen)?;
    if !found(&folder, "missed")?.is_empty() {
        run(checkout, &folder, &["--iterate", UNIT_TESTS])?;
    }

    let examined = list(checkout, &[])?;
    let mut files = BTreeMap::<&str, u64>::new();
    for name in &examined {
        *files.entry(name.split(':').next().unwrap_or_default()).or_default() += 1;
    }
    let (missed, late) = (found(&folder, "missed")?, found(&folder, "timeout")?);
    verdict.figure("files", json!(files));
    verdict.figure("mutants", examined.len());
    verdict.figure("do_not_compile", seen.unviable.len());
    verdict.figure("timed_out", late.len());
    verdict.figure("missed", missed.len());
    for name in missed {
        verdict.require(false, || format!("missed: {name}"));
    }
    Ok(verdict)
}

/// Tries one part of the mutants, `k/n`, in as many minutes as it takes, and records nothing.
pub(super) fn shard(checkout: &Checkout, shard: &str) -> Result<()> {
    tools::ensure_present(checkout, &[Tool::CargoMutants])?;
    let folder = checkout.private("proof")?.join(format!("mutants-{}", shard.replace('/', "-of-")));
    run(checkout, &folder, &["--shard", shard, UNIT_TESTS])?;
    let missed = found(&folder, "missed")?;
    ensure!(missed.is_empty(), "missed:\n{}", missed.join("\n"));
    say(format!("shard {shard}: no mutant is missed"));
    Ok(())
}

/// Tries mutants; what is found stands in the folder.
fn run(checkout: &Checkout, folder: &Path, arguments: &[&str]) -> Result<()> {
    private_dir(folder)?;
    // Two runs would build their mutants over each other's.
    let _lock = lock(&checkout.path("target/mutants.lock"), "mutants")?;
    let mut mutants = checkout.command("sh");
    // A loop that no longer ends may want all memory before its time is over.
    mutants.args(["-c", "ulimit -v 16000000; exec \"$0\" \"$@\""]);
    mutants.arg(tools::cargo_bin(checkout, TOOL)).args(["mutants", "--output"]).arg(folder);
    mutants.args(arguments).env("CARGO_TARGET_DIR", checkout.path("target/mutants"));
    for (name, value) in SMALL {
        mutants.env(name, value);
    }
    let status = mutants.status().context("cannot run cargo-mutants")?;
    match status.code() {
        Some(ALL_CAUGHT | MISSED | TIMED_OUT) => Ok(()),
        _ => bail!("cargo-mutants failed ({status}): {}", folder.display()),
    }
}

/// The names of mutants.
fn list(checkout: &Checkout, arguments: &[&str]) -> Result<Vec<String>> {
    let mut mutants = checkout.command(tools::cargo_bin(checkout, TOOL));
    mutants.args(["mutants", "--list"]).args(arguments);
    let output = mutants.stdout(Stdio::piped()).output().context("cannot run cargo-mutants")?;
    ensure!(output.status.success(), "cargo mutants --list failed");
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

/// The mutants of which this was found.
fn found(folder: &Path, what: &str) -> Result<Vec<String>> {
    let path = folder.join(format!("mutants.out/{what}.txt"));
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// The mutants that the configuration leaves out, each with the comment above it.
fn equivalent(config: &str) -> Result<BTreeMap<String, String>> {
    let (_, list) = config.split_once("\nexclude_re = [\n").context("no exclude_re")?;
    let (list, _) = list.split_once("\n]").context("exclude_re has no end")?;
    let (mut equivalent, mut reason) = (BTreeMap::new(), String::new());
    for line in list.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("# ") {
            if !reason.is_empty() {
                reason.push(' ');
            }
            reason.push_str(comment);
            continue;
        }
        let pattern = line.strip_prefix('\'').and_then(|line| line.strip_suffix("',"));
        let pattern = pattern.with_context(|| format!("{CONFIG}: '…', and not {line}"))?;
        ensure!(!reason.is_empty(), "{CONFIG}: {pattern} has no reason");
        equivalent.insert(pattern.to_owned(), std::mem::take(&mut reason));
    }
    Ok(equivalent)
}

/// A digest of what is mutated.
fn sources(checkout: &Checkout) -> Result<String> {
    let mut files: Vec<PathBuf> = Vec::new();
    collect(&checkout.path("src"), &mut files)?;
    let mut all = Vec::new();
    for file in files {
        all.extend(fs::read(file)?);
    }
    Ok(sha256(&all))
}

const CONFIG: &str = ".cargo/mutants.toml";
const TOOL: &str = "cargo-mutants";
/// They are the core compiled once more, and so only for what the others miss.
const UNIT_TESTS: &str = "--cargo-arg=--lib";
const ALL_CAUGHT: i32 = 0;
const MISSED: i32 = 2;
const TIMED_OUT: i32 = 3;
/// A mutant costs seconds, and there are a thousand: random tests are as short as still tells.
const SMALL: [(&str, &str); 5] = [
    ("CARGO_PROFILE_DEV_DEBUG", "0"),
    ("HTTPSIG_SAMPLES", "50"),
    ("PROPTEST_CASES", "32"),
    ("REFERENCE_WORLDS", "20"),
    ("SIM_SCHEDULES", "30"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_is_left_out_for_a_reason() {
        let list = |list: &str| equivalent(&format!("a = 1\nexclude_re = [\n{list}\n]\n"));
        let named = list("    # It is\n    # so.\n    'a|b',").unwrap();
        assert_eq!(named.into_iter().collect::<Vec<_>>(), [("a|b".into(), "It is so.".into())]);
        assert!(list("    'a',").is_err());
        assert!(list("    # So.\n    'a',\n    'b',").is_err());
    }

    #[test]
    fn the_files_that_are_examined_exist() {
        let checkout = Checkout::find().unwrap();
        let config = fs::read_to_string(checkout.path(CONFIG)).unwrap();
        let globs = Regex::new(r#""(src/[^"]*)""#).unwrap();
        for glob in globs.captures_iter(&config).map(|found| found[1].to_owned()) {
            assert!(checkout.path(glob.trim_end_matches("/*.rs")).exists(), "{glob}");
        }
        equivalent(&config).unwrap();
    }
}
