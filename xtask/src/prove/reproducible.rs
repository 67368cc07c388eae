//! The Workers that are deployed are made of the sources and of nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::progress::Progress;
use super::site::Site;
use super::{Bar, Verdict};
use crate::checkout::{Checkout, output, run, sha256};
use crate::worker::{self, Flavour};

pub(super) const BAR: Bar = Bar {
    name: "reproducible",
    goal: "no path of this machine is in a Worker; a clone elsewhere, built from nothing, makes the same bytes",
    unit: "clones",
    ci: 0,
    full: 2,
    sources: &["policy.toml"],
    run: prove,
};

fn prove(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let built = worker::build(&site.checkout, &Flavour::Production)?.folder;
    for module in worker::MODULES {
        let bytes = fs::read(built.join(module))?;
        verdict.figure(module, sha256(&bytes));
        for path in paths_of_this_machine(&site.checkout) {
            let found = bytes.windows(path.len()).any(|window| window == path.as_bytes());
            verdict.require(!found, || format!("{module} names a path of this machine"));
        }
    }
    for number in 0..size {
        let clone = site.checkout.private("reproducible")?.join(format!("clone-{number}"));
        let rebuilt = build_clone(&site.checkout, &clone)?;
        for module in worker::MODULES {
            let same = fs::read(rebuilt.join(module))? == fs::read(built.join(module))?;
            verdict.require(same, || format!("{module} is another in clone {number}"));
        }
        fs::remove_dir_all(&clone)?;
    }
    verdict.figure("clones", size);
    Ok(verdict)
}

/// Where the sources of this project and of its crates lie.
fn paths_of_this_machine(checkout: &Checkout) -> Vec<String> {
    let crates = worker::registries().into_iter();
    let mut paths: Vec<_> = crates.map(|path| path.display().to_string()).collect();
    paths.push(checkout.path("").display().to_string());
    paths
}

/// Clones what is committed and builds it with the same tools; its folder of Workers.
fn build_clone(checkout: &Checkout, clone: &Path) -> Result<PathBuf> {
    let mut status = Command::new("git");
    status.current_dir(checkout.path("")).args(["status", "--porcelain"]);
    let changed = output(&mut status).context("git does not run")?;
    ensure!(changed.is_empty(), "what is not committed is in no clone:\n{changed}");
    if clone.exists() {
        fs::remove_dir_all(clone)?;
    }
    let mut git = Command::new("git");
    run("git clone", git.args(["clone", "--quiet"]).arg(checkout.path("")).arg(clone))?;
    for tools in [".tools", "node_modules"] {
        std::os::unix::fs::symlink(checkout.path(tools), clone.join(tools))?;
    }
    let mut cargo = Command::new("cargo");
    cargo.current_dir(clone).args(["xtask", "build"]).env_remove("CARGO_TARGET_DIR");
    run("cargo xtask build", &mut cargo)?;
    Ok(clone.join("build"))
}
