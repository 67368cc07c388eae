//! The decision against a slow, obvious reference of it: `tests/reference`.

use std::collections::BTreeMap;
use std::process::Stdio;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::progress::Progress;
use super::site::Site;
use super::{Bar, Verdict};
use crate::checkout::say;

pub(super) const BAR: Bar = Bar {
    name: "reference",
    goal: "0 disagreements between the decision and a reference that was written from the documents; at least half of the requests are good by construction, and every code is reached",
    unit: "requests to random deployments",
    ci: 5_000,
    full: 10_000_000,
    sources: &[
        "tests/it/simulation/object.rs",
        "tests/it/simulation/random.rs",
        "tests/reference/core.rs",
        "tests/reference/credential.rs",
        "tests/reference/deploy.rs",
        "tests/reference/generate.rs",
        "tests/reference/keyed.rs",
        "tests/reference/main.rs",
        "tests/reference/meter.rs",
        "tests/reference/mutate.rs",
        "tests/reference/play.rs",
        "tests/reference/reference.rs",
        "tests/reference/request.rs",
        "tests/reference/rules.rs",
        "tests/reference/signature.rs",
        "tests/reference/spell.rs",
        "tests/reference/target.rs",
        "tests/reference/token.rs",
        "tests/reference/world.rs",
    ],
    run,
};

/// What has been tried; the next seed follows from it.
#[derive(Default, Serialize, Deserialize)]
struct Tried {
    cases: u64,
    good: u64,
    verdicts: BTreeMap<String, u64>,
}

fn run(site: &Site, size: u64, progress: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut tried: Tried = progress.state();
    // What is still to be built for a few worlds would take longer than they do.
    let build = if size > CHUNK { OPTIMISED } else { AS_TESTED };
    while tried.cases < size && verdict.broken.is_empty() {
        let worlds = CHUNK.min(size - tried.cases) / REQUESTS;
        let told = play(site, build, tried.cases / REQUESTS, worlds)?;
        let found = told.lines().find_map(|line| line.strip_prefix("REFERENCE "));
        let part = found.and_then(|json| serde_json::from_str::<Tried>(json).ok());
        let Some(part) = part.filter(|part| part.cases == worlds * REQUESTS) else {
            let seed = told.lines().find(|line| line.contains("seed ")).unwrap_or("no result");
            verdict.require(false, || seed.trim().to_owned());
            break;
        };
        tried.cases += part.cases;
        tried.good += part.good;
        for (code, count) in part.verdicts {
            *tried.verdicts.entry(code).or_default() += count;
        }
        progress.save(&tried)?;
        say(format!("  {} of {size}", tried.cases));
    }
    verdict.require(tried.good * 2 >= tried.cases, || {
        format!("{} of {} are good by construction: less than half", tried.good, tried.cases)
    });
    verdict.figure("requests", tried.cases);
    verdict.figure("good_by_construction", tried.good);
    verdict.figure("verdicts", json!(tried.verdicts));
    Ok(verdict)
}

/// What the test prints.
fn play(site: &Site, build: &[&str], from: u64, worlds: u64) -> Result<String> {
    let mut cargo = site.checkout.command("cargo");
    cargo
        .args(["test", "--quiet"])
        .args(build)
        .args(["--", "--exact", "differential", "--nocapture"])
        .env("REFERENCE_FROM", from.to_string())
        .env("REFERENCE_WORLDS", worlds.to_string());
    let output = cargo.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    let output = output.context("cargo does not run")?;
    Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

const OPTIMISED: &[&str] = &["--release", "--test", "reference"];
/// What the step `native` has built.
const AS_TESTED: &[&str] = &["--workspace", "--tests"];
const CHUNK: u64 = 250_000;
/// Of each world: `tests/reference/main.rs` has the same number.
const REQUESTS: u64 = 250;
