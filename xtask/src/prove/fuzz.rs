//! Texts that nobody thought of, by libFuzzer, against the properties of `fuzz/`.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::progress::Progress;
use super::site::Site;
use super::{Bar, Verdict, sources};
use crate::checkout::say;
use crate::fuzz::{Length, build, fuzz_target, targets};

pub(super) const BAR: Bar = Bar {
    name: "fuzz",
    goal: "no text given to a fuzz target panics, takes 5 seconds or breaks the target's property",
    unit: "texts for each target",
    ci: 200_000,
    full: 10_000_000,
    sources: &[
        "fuzz/Cargo.lock",
        "fuzz/src/lib.rs",
        "fuzz/src/management.rs",
        "fuzz/src/names.rs",
        "fuzz/src/people.rs",
        "fuzz/src/requests.rs",
        "fuzz/src/stored.rs",
        "fuzz/src/workspace.rs",
        "fuzz/src/world.rs",
        "xtask/src/fuzz.rs",
        "xtask/src/fuzz/seeds.rs",
    ],
    run,
};

/// How many texts each target was given.
#[derive(Default, Serialize, Deserialize)]
struct Tried {
    sources: String,
    targets: BTreeMap<String, u64>,
}

fn run(site: &Site, size: u64, progress: &mut Progress) -> Result<Verdict> {
    let checkout = &site.checkout;
    build(checkout)?;
    let (names, sources) = (targets(checkout)?, sources::digest(checkout, &BAR)?);
    let mut tried: Tried = progress.state();
    if tried.sources != sources {
        tried = Tried { sources, ..Tried::default() };
    }
    let mut verdict = Verdict::default();
    for name in names {
        loop {
            let texts = tried.targets.entry(name.clone()).or_default();
            let length = if size <= CHUNK {
                Length { runs: size, seconds: SMALL_SECONDS }
            } else {
                Length { runs: CHUNK.min(size.saturating_sub(*texts)), seconds: DAY }
            };
            if length.runs == 0 {
                break;
            }
            match fuzz_target(checkout, &name, length) {
                Ok(more) => *texts += more,
                Err(error) => {
                    say(format!("{error:#}"));
                    verdict.require(false, || format!("target {name} failed, as is told above"));
                    break;
                }
            }
            if size <= CHUNK {
                break;
            }
            say(format!("  {name}: {texts} of {size}"));
            progress.save(&tried)?;
        }
    }
    verdict.figure("texts", json!(tried.targets));
    Ok(verdict)
}

/// As many as are lost if the run is ended.
const CHUNK: u64 = 1_000_000;
/// A test run has a minute for all.
const SMALL_SECONDS: u64 = 4;
const DAY: u64 = 86_400;
