//! The core with every mutant in it, and its tests, which are run once for each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schemata::{self, Mutant};
use crate::checkout::{Checkout, say};

/// What became of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Fate {
    /// A test failed.
    Caught,
    /// A test did not end.
    Late,
    /// It is no Rust.
    Unviable,
    /// No test noticed.
    Missed,
}

/// What `.cargo/mutants.toml` says of the tests.
#[derive(Debug, Deserialize)]
pub(super) struct Settings {
    features: Vec<String>,
    additional_cargo_args: Vec<String>,
    additional_cargo_test_args: Vec<String>,
}

/// The tests, built.
#[derive(Debug)]
pub(super) struct Trial {
    folder: PathBuf,
    suites: Vec<Suite>,
    /// By file and suite, the tests that caught mutants of it last.
    catchers: BTreeMap<String, Vec<Vec<String>>>,
    /// Mutants whose switches are in it.
    pub(super) written: BTreeSet<u32>,
}

#[derive(Debug)]
struct Suite {
    program: PathBuf,
    skipped: Vec<String>,
    /// Of processor time, until a test counts as endless.
    seconds: u64,
}

impl Trial {
    /// Builds all mutants but those that have to stand `alone`, of which those become more that the compiler
    /// refuses behind a switch.
    pub(super) fn build(
        checkout: &Checkout,
        settings: &Settings,
        mutants: &[Mutant],
        alone: &mut BTreeSet<String>,
    ) -> Result<Self> {
        let folder = checkout.path("target/mutants/tree");
        copy(checkout, &folder)?;
        let root = folder.join("src/lib.rs");
        fs::write(&root, fs::read_to_string(&root)? + schemata::MODULE)?;
        let written = loop {
            let texts = write(checkout, &folder, mutants, alone)?;
            let found = refused(
                &cargo(checkout, &folder, settings, &["check", "--lib"])?,
                &texts,
                mutants,
            )?;
            let Some(found) = found else {
                break texts.into_values().flat_map(|(_, written)| written).collect();
            };
            say(format!("  {} mutants are no Rust behind a switch", found.len()));
            let named = (0..).zip(mutants).filter(|(number, _)| found.contains(number));
            alone.extend(named.map(|(_, mutant)| mutant.name.clone()));
        };
        let mut suites = Vec::new();
        let arguments = ["test", "--no-run", "--lib"];
        for message in messages(&cargo(checkout, &folder, settings, &arguments)?) {
            if let Some(program) = message["executable"].as_str() {
                let skipped = settings.additional_cargo_test_args.iter().skip(1).cloned().collect();
                suites.push(Suite { program: program.into(), skipped, seconds: u64::MAX });
            }
        }
        let named = settings.additional_cargo_args.iter().filter(|own| *own == "--test").count();
        ensure!(suites.len() == named + 1, "the tests do not compile with all mutants in them");
        let mut trial = Self { folder, suites, catchers: BTreeMap::new(), written };
        for suite in 0..trial.suites.len() {
            let start = Instant::now();
            let (fate, test) = trial.run(suite, None, &[])?;
            ensure!(fate == Fate::Missed, "without a mutant the tests fail: {test:?}");
            if let Some(suite) = trial.suites.get_mut(suite) {
                suite.seconds = start.elapsed().as_secs() * LONGER + LONGER;
            }
        }
        Ok(trial)
    }

    /// Runs the tests that caught its neighbours, and then all, until one fails.
    pub(super) fn fate(&mut self, number: u32, file: &str) -> Result<Fate> {
        let known = self.catchers.get(file).cloned().unwrap_or_default();
        let first = known.iter().enumerate().filter(|(_, tests)| !tests.is_empty());
        let whole = (0..self.suites.len()).map(|suite| (suite, Vec::new()));
        for (suite, tests) in first.map(|(suite, tests)| (suite, tests.clone())).chain(whole) {
            let (fate, test) = self.run(suite, Some(number), &tests)?;
            if let Some(test) = test {
                let catchers = self.catchers.entry(file.to_owned()).or_default();
                catchers.resize(self.suites.len(), Vec::new());
                if let Some(own) = catchers.get_mut(suite) {
                    own.retain(|other| *other != test);
                    own.insert(0, test);
                    own.truncate(CATCHERS);
                }
            }
            if fate != Fate::Missed {
                return Ok(fate);
            }
        }
        Ok(Fate::Missed)
    }

    /// Runs some tests of a suite, or all; the first that fails.
    fn run(
        &self,
        suite: usize,
        number: Option<u32>,
        tests: &[String],
    ) -> Result<(Fate, Option<String>)> {
        let suite = self.suites.get(suite).context("no such suite")?;
        let mut command = Command::new("sh");
        // A loop that no longer ends may want all memory before its time is over. Who waits takes none.
        command.args(["-c", "ulimit -c 0; ulimit -v 16000000; ulimit -St \"$0\"; exec \"$@\""]);
        command.arg(suite.seconds.min(DAY).to_string());
        command.args(["timeout", "--foreground", "1h"]).arg(&suite.program);
        command.args(["-Z", "unstable-options", "--fail-fast", "--test-threads", "1"]);
        if tests.is_empty() {
            command.args(&suite.skipped);
        } else {
            command.arg("--exact").args(tests);
        }
        command.envs(SMALL).env("RUSTC_BOOTSTRAP", "1").env("RUST_BACKTRACE", "0");
        command.env("MUTANT", number.map(|number| number.to_string()).unwrap_or_default());
        let output = command.current_dir(&self.folder).stderr(Stdio::null()).output()?;
        let told = String::from_utf8_lossy(&output.stdout);
        let test =
            told.lines().find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
        let killed = output.status.signal().map(|signal| signal.saturating_add(SIGNAL));
        let fate = match output.status.code().or(killed).context("no status")? {
            0 => Fate::Missed,
            FAILED | ABORTED | OVERFLOWN => Fate::Caught,
            OUT_OF_TIME | WAITED => Fate::Late,
            _ => bail!("{}: {}", suite.program.display(), output.status),
        };
        Ok((fate, test.map(str::to_owned)))
    }
}

/// Copies what is in the checkout and not ignored.
fn copy(checkout: &Checkout, folder: &Path) -> Result<()> {
    let mut list = checkout.command("git");
    list.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let list = list.stdout(Stdio::piped()).output().context("cannot run git")?.stdout;
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    for name in String::from_utf8(list)?.split('\0') {
        let (from, to) = (checkout.path(name), folder.join(name));
        if from.is_file() {
            fs::create_dir_all(to.parent().context("no folder")?)?;
            fs::copy(from, to)?;
        }
    }
    Ok(())
}

/// Writes the files that have mutants; what was written, and which of them.
fn write(
    checkout: &Checkout,
    folder: &Path,
    mutants: &[Mutant],
    alone: &BTreeSet<String>,
) -> Result<BTreeMap<String, (String, BTreeSet<u32>)>> {
    let mut files = BTreeMap::<&str, BTreeMap<u32, &Mutant>>::new();
    for (number, mutant) in (0..).zip(mutants) {
        let own = files.entry(&mutant.file).or_default();
        if !alone.contains(&mutant.name) {
            own.insert(number, mutant);
        }
    }
    let mut texts = BTreeMap::new();
    for (file, mutants) in files {
        let text = fs::read_to_string(checkout.path(file))?;
        let written = schemata::switch(&text, &mutants).with_context(|| file.to_owned())?;
        fs::write(folder.join(file), &written.0)?;
        texts.insert(file.to_owned(), written);
    }
    Ok(texts)
}

fn cargo(
    checkout: &Checkout,
    folder: &Path,
    settings: &Settings,
    arguments: &[&str],
) -> Result<String> {
    let mut cargo = checkout.command("cargo");
    cargo.args(arguments).args(["--quiet", "--package", "portcullis", "--message-format", "json"]);
    cargo.args(["--features", &settings.features.join(",")]);
    if arguments.contains(&"test") {
        cargo.args(&settings.additional_cargo_args);
    }
    cargo.current_dir(folder).env("CARGO_TARGET_DIR", checkout.path("target/mutants"));
    cargo.envs(SMALL).env("RUSTFLAGS", "-Awarnings").stdout(Stdio::piped()).stderr(Stdio::null());
    let output = cargo.output().context("cannot run cargo")?;
    Ok(String::from_utf8(output.stdout)?)
}

fn messages(text: &str) -> impl Iterator<Item = Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok())
}

/// The mutants of which the compiler says that they are no Rust; `None` if it says nothing.
fn refused(
    told: &str,
    texts: &BTreeMap<String, (String, BTreeSet<u32>)>,
    mutants: &[Mutant],
) -> Result<Option<BTreeSet<u32>>> {
    let arms: BTreeSet<u32> = (0..)
        .zip(mutants)
        .filter(|(_, own)| own.is_of_an_arm())
        .map(|(number, _)| number)
        .collect();
    let mut found = BTreeSet::new();
    let mut errors =
        messages(told).filter(|message| message["message"]["level"] == "error").peekable();
    if errors.peek().is_none() {
        return Ok(None);
    }
    for error in errors {
        let misses_an_arm = error["message"]["code"]["code"] == "E0004";
        for span in error["message"]["spans"].as_array().into_iter().flatten() {
            let own = span["file_name"].as_str().and_then(|file| texts.get(file));
            let Some((text, written)) = own else { continue };
            if misses_an_arm {
                found.extend(written.intersection(&arms));
                continue;
            }
            let line = |name: &str| span[name].as_u64().and_then(|line| usize::try_from(line).ok());
            let (first, last) = (line("line_start").unwrap_or(0), line("line_end").unwrap_or(0));
            found.extend(schemata::on_lines(text, first, last));
        }
    }
    let told =
        || messages(told).filter_map(|own| own["message"]["message"].as_str().map(str::to_owned));
    ensure!(!found.is_empty(), "the core does not compile: {:?}", told().collect::<Vec<_>>());
    Ok(Some(found))
}

/// As many as are asked before all others.
const CATCHERS: usize = 8;
/// Times, and seconds.
const LONGER: u64 = 4;
const DAY: u64 = 86_400;
/// How tests end: by a failure, SIGABRT, SIGSEGV, SIGXCPU, or not within the hour of `timeout`.
const FAILED: i32 = 101;
const SIGNAL: i32 = 128;
const ABORTED: i32 = SIGNAL + 6;
const OVERFLOWN: i32 = SIGNAL + 11;
const OUT_OF_TIME: i32 = SIGNAL + 24;
const WAITED: i32 = 124;
/// There are a thousand mutants: random tests are as short as still tells.
pub(super) const SMALL: [(&str, &str); 5] = [
    ("CARGO_PROFILE_DEV_DEBUG", "0"),
    ("HTTPSIG_SAMPLES", "50"),
    ("PROPTEST_CASES", "32"),
    ("REFERENCE_WORLDS", "20"),
    ("SIM_SCHEDULES", "30"),
];

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::checkout::sha256;

    fn trial(script: &str) -> Trial {
        let folder = Checkout::find().unwrap().path("target/mutants-test");
        fs::create_dir_all(&folder).unwrap();
        // By the script itself, as tests run beside each other.
        let program = folder.join(sha256(script.as_bytes()));
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let suite = Suite { program, skipped: Vec::new(), seconds: 1 };
        let (catchers, written) = (BTreeMap::new(), BTreeSet::new());
        Trial { folder, suites: vec![suite], catchers, written }
    }

    #[test]
    fn a_mutant_is_caught_by_a_test_that_fails_and_by_nothing_else() {
        let fate = |script: &str| trial(script).fate(7, "src/a.rs");
        assert_eq!(fate("exit 0").unwrap(), Fate::Missed);
        assert_eq!(fate("[ \"$MUTANT\" = 7 ] && exit 101").unwrap(), Fate::Caught);
        assert_eq!(fate("kill -ABRT $$").unwrap(), Fate::Caught);
        assert_eq!(fate("while :; do :; done").unwrap(), Fate::Late);
        for script in ["kill -KILL $$", "exit 127", "exit 1"] {
            assert!(fate(script).is_err(), "{script}");
        }
    }

    #[test]
    fn what_caught_a_neighbour_is_asked_first() {
        let failing = "echo \"test a::b ... FAILED\"; echo \"$*\" >> asked; exit 101";
        let mut trial = trial(failing);
        let asked = trial.folder.join("asked");
        let _ = fs::remove_file(&asked);
        for number in 1..3 {
            assert_eq!(trial.fate(number, "src/a.rs").unwrap(), Fate::Caught);
        }
        let asked = fs::read_to_string(asked).unwrap();
        let exact: Vec<_> = asked.lines().map(|line| line.ends_with("--exact a::b")).collect();
        assert_eq!(exact, [false, true], "{asked}");
    }

    #[test]
    fn the_compiler_names_the_mutants_that_are_no_rust() {
        let text = "a\nif crate :: mutant :: is_on (3u32) { b }".to_owned();
        let texts = BTreeMap::from([("src/a.rs".to_owned(), (text, BTreeSet::from([3])))]);
        let told = |level: &str, line: u32| {
            let span =
                format!(r#"{{"file_name": "src/a.rs", "line_start": {line}, "line_end": {line}}}"#);
            format!(r#"{{"message": {{"level": "{level}", "message": "m", "spans": [{span}]}}}}"#)
        };
        assert_eq!(refused(&told("warning", 2), &texts, &[]).unwrap(), None);
        assert_eq!(refused(&told("error", 2), &texts, &[]).unwrap(), Some(BTreeSet::from([3])));
        let elsewhere = told("error", 2).replace("src/a.rs", "src/b.rs");
        assert!(refused(&elsewhere, &texts, &[]).is_err());
    }
}
