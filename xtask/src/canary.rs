//! Whether a secret is in anything that the other steps have left behind: what is built, what KV and the
//! Workspaces store, what they log.
//!
//! A secret is known by its form, whoever made it, so that none has to be listed.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use regex::bytes::Regex;

use crate::checkout::{Checkout, say};
use crate::worker::collect;

/// Looks into the state and the builds of this clone.
pub fn scan(checkout: &Checkout) -> Result<()> {
    let root = fs::read_to_string(checkout.private("root")?).unwrap_or_default();
    let mut forms = FORMS.map(str::to_owned).to_vec();
    if !root.trim().is_empty() {
        forms.push(regex::escape(root.trim()));
    }
    let forms = Regex::new(&forms.join("|"))?;
    let mut files = Vec::new();
    for folder in [checkout.private("")?, checkout.path("build")] {
        collect(&folder, &mut files)?;
    }
    let (mut seen, mut kept, mut bytes, mut hits) = (0, 0, 0, Vec::new());
    for file in files {
        let name = file.strip_prefix(checkout.path(""))?;
        if NOT_OURS.iter().any(|folder| name.starts_with(folder)) {
            continue;
        }
        let content = fs::read(&file).with_context(|| name.display().to_string())?;
        let found = forms.find_iter(&content).count();
        if keeps_secrets(name) {
            kept += found;
            continue;
        }
        (seen, bytes) = (seen + 1, bytes + content.len());
        if found > 0 {
            hits.push(format!("{} ({found})", name.display()));
        }
    }
    if !hits.is_empty() {
        let more = hits.len().saturating_sub(MOST);
        hits.truncate(MOST);
        bail!("secrets in {}; and {more} more", hits.join(", "));
    }
    // Else the forms are not those of secrets any more.
    ensure!(kept > 0, "no secret is found where there are some");
    say(format!("canary: no secret in {seen} files, {bytes} bytes; {kept} where they are kept"));
    Ok(())
}

/// Whether secrets are there for people and tests to use.
fn keeps_secrets(name: &Path) -> bool {
    name == Path::new(".portcullis/root")
        || name.file_name().is_some_and(|name| name == "seeds.json")
        // The load of the bar `stored`.
        || (name.starts_with(".portcullis/proof") && name.ends_with("keys"))
}

/// A native key, a signing secret, a webhook's secret, a token.
const FORMS: [&str; 4] = [
    "[a-z][a-z0-9]*_[0-9A-HJKMNP-TV-Z]{20}_[0-9A-HJKMNP-TV-Z]{40}",
    "_sign_[0-9A-HJKMNP-TV-Z]{20}_[0-9]+_[0-9A-HJKMNP-TV-Z]{40}",
    "whsec_[0-9A-Za-z+/_-]{24}",
    r"eyJ[0-9A-Za-z_-]{16,}\.eyJ[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16}",
];
/// Copies of the published vectors and peers, whose keys are known to all.
const NOT_OURS: [&str; 3] = [".portcullis/npm-project", ".portcullis/bench", ".portcullis/fuzz"];
/// As many files as anyone reads of.
const MOST: usize = 20;
