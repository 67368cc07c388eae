//! The products step: the policies of `tests/products/*.toml` on plain workerd, asked what
//! `tests/products/*.json` says.

mod case;
mod expected;
mod people;
mod play;
mod stage;
mod words;

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::checkout::{Checkout, say};
use portcullis::management::time;

use case::Product;
use people::People;
use stage::Stage;
use words::Words;

/// Runs the cases of all products; an error names those that failed. With `PRODUCT` in the environment of that
/// one alone.
pub fn run(checkout: &Checkout) -> Result<()> {
    let mut files: Vec<_> = fs::read_dir(checkout.path(CASES))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    ensure!(files.len() == PRODUCTS, "{} products, not {PRODUCTS}", files.len());
    let only = std::env::var("PRODUCT").ok();
    let mut failures = Vec::new();
    for policy in files {
        let name = policy.file_stem().unwrap_or_default().display().to_string();
        if only.as_ref().is_none_or(|only| *only == name) {
            let failed = product(checkout, &policy).with_context(|| name.clone())?;
            failures.extend(failed.into_iter().map(|failure| format!("{name}: {failure}")));
        }
    }
    if !failures.is_empty() {
        bail!("{} cases failed:\n{}", failures.len(), failures.join("\n"));
    }
    Ok(())
}

/// The cases of a product that failed.
fn product(checkout: &Checkout, policy: &Path) -> Result<Vec<String>> {
    let begun = Instant::now();
    let cases = policy.with_extension("json");
    let product: Product = serde_json::from_slice(&fs::read(&cases)?).context("its cases")?;
    product.check()?;
    let Product { clauses, people, texts, environment, setup, cases, .. } = product;
    let mut words = Words::make(&texts)?;
    let environment = words.plain(&environment)?;
    let mut stage =
        Stage::open(checkout, policy, &environment, |document| People::start(people, document))?;
    words.keep("monday", time::print_millis(stage.monday));
    words.keep("monday after", time::print_millis(stage.monday + WEEK_MILLIS));
    for step in &setup {
        play::step(&mut stage, &mut words, step).context("setup")?;
    }
    let mut failures = Vec::new();
    for case in &cases {
        for (number, step) in case.steps.iter().enumerate() {
            let done = play::step(&mut stage, &mut words, step);
            if let Err(error) = done.with_context(|| format!("step {}", number + 1)) {
                let failure = format!("{}: {error:#}", case.name);
                say(format!("FAILED {failure}"));
                failures.push(failure);
                break;
            }
        }
    }
    let name = policy.file_stem().unwrap_or_default().display();
    let (clauses, cases, failed) = (clauses.len(), cases.len(), failures.len());
    let seconds = begun.elapsed().as_secs_f64();
    say(format!("{name}: {clauses} clauses, {cases} cases, {failed} failed, {seconds:.1} s"));
    Ok(failures)
}

const WEEK_MILLIS: u64 = 7 * 24 * 3600 * 1000;
const CASES: &str = "tests/products";
/// Those whose keys this project has to do the work of.
const PRODUCTS: usize = 5;
