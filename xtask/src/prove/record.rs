//! `docs/proof.json`: what the last full run of each bar found.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Bar, Verdict};
use crate::checkout::{Checkout, output};

/// Puts the verdict in the place of the bar's last one.
pub(super) fn write(
    checkout: &Checkout,
    order: &[&str],
    bar: &Bar,
    verdict: &Verdict,
) -> Result<()> {
    let path = checkout.path(PROOF);
    let mut proofs: Vec<Value> = match fs::read(&path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).with_context(|| format!("{PROOF} is damaged"))?
        }
        Err(_) => Vec::new(),
    };
    proofs.retain(|proof| proof["bar"] != bar.name);
    let mut proof = json!({
        "bar": bar.name,
        "goal": bar.goal,
        "size": format!("{} {}", bar.full, bar.unit),
        "holds": verdict.broken.is_empty(),
        "result": verdict.figures,
        "command": format!("cargo xtask prove {}", bar.name),
        "commit": commit(checkout),
        "date": output(Command::new("date").args(["-u", "+%Y-%m-%d"])),
    });
    if !verdict.broken.is_empty() {
        proof["broken"] = json!(verdict.broken);
    }
    proofs.push(proof);
    proofs.sort_by_key(|proof| order.iter().position(|name| proof["bar"] == *name));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, serde_json::to_string_pretty(&proofs)? + "\n")
        .with_context(|| format!("cannot write {}", path.display()))
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
