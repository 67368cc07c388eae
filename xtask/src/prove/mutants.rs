//! Changes of the core, one at a time: a test of the core fails for each.
//!
//! `cargo-mutants` lists them. Nearly all are built at once, each behind a switch; the others one by one,
//! by `cargo-mutants` itself. `.cargo/mutants.toml` says in which files, by which tests, and which changes
//! change nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::progress::Progress;
use super::schemata::Mutant;
use super::site::Site;
use super::trial::{Fate, SMALL, Settings, Trial};
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
    // Without the tests nothing is caught.
    sources: &[CONFIG, "tests"],
    run: prove,
};

/// What is known of the mutants of some sources.
#[derive(Default, Serialize, Deserialize)]
struct Seen {
    sources: String,
    /// By name.
    fates: BTreeMap<String, Fate>,
    /// Those that cannot stand behind a switch.
    alone: BTreeSet<String>,
    at_once: usize,
}

/// The small size reads the configuration alone: to build the tool takes longer than a test run has.
fn prove(site: &Site, size: u64, progress: &mut Progress) -> Result<Verdict> {
    let checkout = &site.checkout;
    let mut verdict = Verdict::default();
    let config = fs::read_to_string(checkout.path(CONFIG)).context(CONFIG)?;
    let equivalent = equivalent(&config)?;
    verdict.figure("equivalent", json!(equivalent));
    if size == 0 {
        return Ok(verdict);
    }
    tools::ensure_present(checkout, &[Tool::CargoMutants])?;
    // Two runs would build their mutants over each other's.
    let _lock = lock(&checkout.path("target/mutants.lock"), "mutants")?;
    let all = list(checkout, &["--no-config", "--package", "portcullis"])?;
    for pattern in equivalent.keys() {
        let pattern = Regex::new(pattern)?;
        verdict.require(all.iter().any(|mutant| pattern.is_match(&mutant.name)), || {
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
    let mutants = list(checkout, &[])?;
    at_once(checkout, &toml::from_str(&config)?, &mutants, &mut seen, progress)?;
    for (name, arguments) in [("tests", &[][..]), ("all-tests", &[UNIT_TESTS])] {
        let folder = folder.join(name);
        let absorb = |seen: &mut Seen| -> Result<()> {
            for (name, fate) in fates(&folder)? {
                // Whom these tests miss, those of the units may catch.
                if fate != Fate::Missed || !arguments.is_empty() {
                    seen.fates.insert(name, fate);
                }
            }
            Ok(())
        };
        // Of a run that was ended.
        absorb(&mut seen)?;
        progress.save(&seen)?;
        let rest = mutants.iter().filter(|mutant| !seen.fates.contains_key(&mutant.name));
        let rest: Vec<_> = rest.map(|own| format!("^{}$", regex::escape(&own.name))).collect();
        if !rest.is_empty() {
            say(format!("  {} mutants one by one", rest.len()));
            run(checkout, &folder, arguments, &rest)?;
            absorb(&mut seen)?;
            progress.save(&seen)?;
        }
    }

    let mut files = BTreeMap::<&str, u64>::new();
    for mutant in &mutants {
        *files.entry(&mutant.file).or_default() += 1;
        let fate = seen.fates.get(&mutant.name);
        verdict.require(fate.is_some(), || format!("not tried: {}", mutant.name));
        verdict.require(fate != Some(&Fate::Missed), || format!("missed: {}", mutant.name));
    }
    let count = |fate| seen.fates.values().filter(|own| **own == fate).count();
    verdict.figure("files", json!(files));
    verdict.figure("mutants", mutants.len());
    verdict.figure("built_at_once", seen.at_once);
    verdict.figure("do_not_compile", count(Fate::Unviable));
    verdict.figure("timed_out", count(Fate::Late));
    verdict.figure("missed", count(Fate::Missed));
    Ok(verdict)
}

/// Builds all mutants into one core, and tries each.
fn at_once(
    checkout: &Checkout,
    settings: &Settings,
    mutants: &[Mutant],
    seen: &mut Seen,
    progress: &mut Progress,
) -> Result<()> {
    let is_done =
        |seen: &Seen, name: &str| seen.alone.contains(name) || seen.fates.contains_key(name);
    if seen.at_once > 0 && mutants.iter().all(|own| is_done(seen, &own.name)) {
        return Ok(());
    }
    let mut trial = Trial::build(checkout, settings, mutants, &mut seen.alone)?;
    seen.at_once = trial.written.len();
    let unwritten = (0..).zip(mutants).filter(|(number, _)| !trial.written.contains(number));
    seen.alone.extend(unwritten.map(|(_, mutant)| mutant.name.clone()));
    say(format!("  {} of {} mutants are built at once", seen.at_once, mutants.len()));
    for (number, mutant) in (0..).zip(mutants) {
        if is_done(seen, &mutant.name) {
            continue;
        }
        let fate = trial.fate(number, &mutant.file)?;
        if fate == Fate::Missed {
            say(format!("  missed: {}", mutant.name));
        }
        seen.fates.insert(mutant.name.clone(), fate);
        progress.save(seen)?;
        if seen.fates.len().is_multiple_of(TOLD) {
            say(format!("  {} of {}", seen.fates.len(), mutants.len()));
        }
    }
    Ok(())
}

/// Tries mutants one by one; what is found stands in the folder.
fn run(checkout: &Checkout, folder: &Path, arguments: &[&str], names: &[String]) -> Result<()> {
    private_dir(folder)?;
    let mut mutants = checkout.command("sh");
    // A loop that no longer ends may want all memory before its time is over.
    mutants.args(["-c", "ulimit -v 16000000; exec \"$0\" \"$@\""]);
    mutants.arg(tools::cargo_bin(checkout, TOOL)).args(["mutants", "--output"]).arg(folder);
    mutants.args(arguments).env("CARGO_TARGET_DIR", checkout.path("target/mutants"));
    mutants.args(names.iter().flat_map(|name| ["--re", name])).envs(SMALL);
    let status = mutants.status().context("cannot run cargo-mutants")?;
    match status.code() {
        Some(ALL_CAUGHT | MISSED | TIMED_OUT) => Ok(()),
        _ => bail!("cargo-mutants failed ({status}): {}", folder.display()),
    }
}

fn list(checkout: &Checkout, arguments: &[&str]) -> Result<Vec<Mutant>> {
    let mut mutants = checkout.command(tools::cargo_bin(checkout, TOOL));
    mutants.args(["mutants", "--list", "--json"]).args(arguments);
    let output = mutants.stdout(Stdio::piped()).output().context("cannot run cargo-mutants")?;
    ensure!(output.status.success(), "cargo mutants --list failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What `cargo-mutants` found, by the names of mutants.
fn fates(folder: &Path) -> Result<BTreeMap<String, Fate>> {
    let mut fates = BTreeMap::new();
    for (file, fate) in FATES {
        let path = folder.join(format!("mutants.out/{file}.txt"));
        if path.exists() {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            fates.extend(text.lines().map(|name| (name.to_owned(), fate)));
        }
    }
    Ok(fates)
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

/// A digest of what is mutated, and of what has to notice.
fn sources(checkout: &Checkout) -> Result<String> {
    let mut files: Vec<PathBuf> = vec![checkout.path(CONFIG)];
    for folder in ["src", "tests"] {
        collect(&checkout.path(folder), &mut files)?;
    }
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
const FATES: [(&str, Fate); 4] = [
    ("caught", Fate::Caught),
    ("timeout", Fate::Late),
    ("unviable", Fate::Unviable),
    ("missed", Fate::Missed),
];
const ALL_CAUGHT: i32 = 0;
const MISSED: i32 = 2;
const TIMED_OUT: i32 = 3;
/// After so many it is said how far it is.
const TOLD: usize = 100;

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
