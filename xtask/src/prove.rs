//! `cargo xtask prove`: bars that need more cases than a test run has time for.
//!
//! Every bar has a size that `cargo xtask test` runs and a full one. What a full run found stands in
//! `docs/proof.json`; what it has done so far, in the clone's own state, so that it can go on.

mod atomic;
mod budget;
mod calls;
mod cancelled;
mod cell;
mod crash;
mod create;
mod createcrash;
mod crowd;
mod desk;
mod faults;
mod fleet;
mod flip;
mod forged;
mod fresh;
mod future;
mod fuzz;
mod import;
mod inspector;
mod limit;
mod memory;
mod mutants;
mod openapi;
mod origin;
mod progress;
mod random;
mod receiver;
mod record;
mod reference;
mod replay;
mod reproducible;
mod revoke;
mod roles;
mod rotation;
mod schedules;
mod schemata;
mod settle;
mod signer;
mod site;
mod soak;
mod sources;
mod stage;
mod stampede;
mod start;
mod stored;
mod stream;
mod tally;
mod targets;
mod trial;
mod unfit;
mod upstream;
mod webhooks;

use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use crate::checkout::{Checkout, say};
use crate::interval::{Interval, Judgement};
use progress::Progress;
use site::Site;

/// A claim that is shown by many cases.
struct Bar {
    name: &'static str,
    /// What must hold, in words.
    goal: &'static str,
    /// What `size` counts.
    unit: &'static str,
    /// The size in a test run.
    ci: u64,
    full: u64,
    /// Files it depends on besides the Worker and its own module.
    sources: &'static [&'static str],
    run: fn(&Site, u64, &mut Progress) -> Result<Verdict>,
}

/// What a run found.
#[derive(Default)]
struct Verdict {
    figures: Map<String, Value>,
    /// What of the goal does not hold, a sentence each.
    broken: Vec<String>,
    /// What of it could not be told.
    undecided: Vec<String>,
}

impl Verdict {
    /// Adds a figure.
    fn figure(&mut self, name: &str, value: impl Into<Value>) {
        self.figures.insert(name.to_owned(), value.into());
    }

    /// Says that the goal does not hold unless `holds`.
    fn require(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds && self.broken.len() < MAX_BROKEN {
            self.broken.push(otherwise());
        }
    }

    /// Adds the median of some samples with its interval, rounded to `digits` behind the point, and
    /// says what it tells of the goal that it is at most `bound`.
    fn at_most(&mut self, name: &str, samples: &[f64], bound: f64, digits: i32) -> Result<()> {
        let interval = Interval::of(samples).with_context(|| format!("{name}: no rounds"))?;
        let Interval { median, low, high } = interval;
        let scale = 10_f64.powi(digits);
        let figures = [median, low, high].map(|figure| (figure * scale).round() / scale);
        self.figure(name, figures.to_vec());
        let [median, low, high] = figures;
        let told = format!("{name}: {median} ({low} to {high}), the goal is at most {bound}");
        match interval.at_most(bound) {
            Judgement::Holds => {}
            Judgement::Undecided => self.undecided.push(told),
            Judgement::Broken => self.broken.push(told),
        }
        Ok(())
    }
}

const BARS: &[Bar] = &[
    targets::BAR,
    forged::BAR,
    unfit::BAR,
    memory::BAR,
    cancelled::BAR,
    stored::BAR,
    origin::BAR,
    stream::BAR,
    start::BAR,
    reproducible::BAR,
    limit::BAR,
    budget::BAR,
    settle::BAR,
    calls::BAR,
    revoke::BAR,
    crash::BAR,
    faults::BAR,
    soak::BAR,
    schedules::BAR,
    reference::BAR,
    fuzz::BAR,
    roles::BAR,
    create::BAR,
    createcrash::BAR,
    rotation::BAR,
    openapi::BAR,
    replay::BAR,
    flip::BAR,
    future::BAR,
    webhooks::BAR,
    import::BAR,
    mutants::BAR,
];

/// Runs a bar, or all: the full size and records it, or the `small` size of a test run.
pub fn prove(checkout: &Checkout, only: Option<&str>, small: bool) -> Result<()> {
    check_name(only)?;
    let names: Vec<_> = BARS.iter().map(|bar| bar.name).collect();
    let site = Site::build(checkout)?;
    run_bars(BARS.iter().filter(|bar| only.is_none_or(|name| name == bar.name)), |bar| {
        if small {
            return (bar.run)(&site, bar.ci, &mut Progress::none());
        }
        let mut progress = Progress::open(checkout, bar.name, bar.full, site.workers_digest())?;
        let verdict = (bar.run)(&site, bar.full, &mut progress)?;
        record::write(checkout, &names, bar, &verdict)?;
        progress.forget();
        Ok(verdict)
    })
}

/// Runs every bar at the size of a test run.
pub fn check(checkout: &Checkout) -> Result<()> {
    prove(checkout, None, true)
}

/// Why what [`prove`] has recorded does not stand, a sentence for each bar of which it does not.
pub fn unproved(checkout: &Checkout, only: Option<&str>) -> Result<Vec<String>> {
    let bars = BARS.iter().filter(|bar| only.is_none_or(|name| name == bar.name));
    let sentences = bars.map(|bar| record::unproved(checkout, bar)).collect::<Result<Vec<_>>>()?;
    Ok(sentences.into_iter().flatten().collect())
}

/// Fails unless what is recorded is of these sources, and holds.
pub fn check_recorded(checkout: &Checkout, only: Option<&str>) -> Result<()> {
    check_name(only)?;
    let unproved = unproved(checkout, only)?;
    if !unproved.is_empty() {
        bail!("not proved:\n{}", unproved.join("\n"));
    }
    say("every recorded proof is of these sources, and holds");
    Ok(())
}

/// Whether there is a bar of this name.
pub(crate) fn check_name(only: Option<&str>) -> Result<()> {
    let names: Vec<_> = BARS.iter().map(|bar| bar.name).collect();
    if let Some(name) = only.filter(|name| !names.contains(name)) {
        bail!("no bar {name}; there are {}", names.join(", "));
    }
    Ok(())
}

fn run_bars<'b>(
    bars: impl Iterator<Item = &'b Bar>,
    run: impl Fn(&Bar) -> Result<Verdict>,
) -> Result<()> {
    let mut failed = Vec::new();
    for bar in bars {
        let start = Instant::now();
        say(format!("{}: {}", bar.name, bar.goal));
        let verdict = run(bar)?;
        say(format!("  {}", Value::Object(verdict.figures)));
        for broken in &verdict.broken {
            say(format!("  DOES NOT HOLD: {broken}"));
        }
        for undecided in &verdict.undecided {
            say(format!("  UNDECIDED: {undecided}"));
        }
        say(format!("  {:.1} s", start.elapsed().as_secs_f64()));
        if !verdict.broken.is_empty() {
            failed.push(format!("{}: {}", bar.name, verdict.broken.join("; ")));
        }
    }
    if !failed.is_empty() {
        bail!("does not hold:\n{}", failed.join("\n"));
    }
    Ok(())
}

/// As many reasons as anyone reads.
const MAX_BROKEN: usize = 20;
