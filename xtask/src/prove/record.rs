//! `docs/proof.json`: what the last full run of each bar found.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Bar, Verdict, sources};
use crate::checkout::{Checkout, output};

/// Puts the verdict in the place of the bar's last one.
pub(super) fn write(
    checkout: &Checkout,
    order: &[&str],
    bar: &Bar,
    verdict: &Verdict,
) -> Result<()> {
    let path = checkout.path(PROOF);
    let mut proofs = read(checkout)?;
    proofs.retain(|proof| proof["bar"] != bar.name);
    let mut proof = json!({
        "bar": bar.name,
        "goal": bar.goal,
        "size": format!("{} {}", bar.full, bar.unit),
        "holds": holds(verdict),
        "result": verdict.figures,
        "command": format!("cargo xtask prove {}", bar.name),
        "commit": commit(checkout),
        "sources": sources::digest(checkout, bar)?,
        "date": output(Command::new("date").args(["-u", "+%Y-%m-%d"])),
    });
    for (name, sentences) in [("broken", &verdict.broken), ("undecided", &verdict.undecided)] {
        if !sentences.is_empty() {
            proof[name] = json!(sentences);
        }
    }
    proofs.push(proof);
    proofs.sort_by_key(|proof| order.iter().position(|name| proof["bar"] == *name));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, serde_json::to_string_pretty(&proofs)? + "\n")
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Why what is recorded of a bar does not stand, if it does not.
pub(super) fn unproved(checkout: &Checkout, bar: &Bar) -> Result<Option<String>> {
    let proofs = read(checkout)?;
    let proof = proofs.iter().find(|proof| proof["bar"] == bar.name);
    let digest = sources::digest(checkout, bar)?;
    let why = match proof {
        None => "has not been run",
        Some(proof) if proof["sources"] != digest => "is of other sources",
        Some(proof) if proof["holds"] == false => "does not hold",
        Some(proof) if proof["holds"] != true => "is undecided",
        Some(_) => return Ok(None),
    };
    Ok(Some(format!("{0} {why}: cargo xtask prove {0}", bar.name)))
}

fn read(checkout: &Checkout) -> Result<Vec<Value>> {
    match fs::read(checkout.path(PROOF)) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("{PROOF} is damaged")),
        Err(_) => Ok(Vec::new()),
    }
}

/// `None` if it could not be told.
fn holds(verdict: &Verdict) -> Option<bool> {
    match (verdict.broken.is_empty(), verdict.undecided.is_empty()) {
        (true, true) => Some(true),
        (true, false) => None,
        (false, _) => Some(false),
    }
}

/// The commit that was run, with a `+` if files differ from it.
fn commit(checkout: &Checkout) -> Option<String> {
    let git = |arguments: &[&str]| {
        output(Command::new("git").current_dir(checkout.path("")).args(arguments))
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--", ".", ":!docs"])?;
    Some(if changes.is_empty() { commit } else { commit + "+" })
}

const PROOF: &str = "docs/proof.json";
