//! The npm package: `cargo xtask npm` makes it, the step `npm` installs it and runs it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

mod installed;

pub use installed::test;

use crate::checkout::{Checkout, lock, run, say};
use crate::tools;
use crate::wasm::Module;

const MODULES: [Module; 2] = [
    Module { feature: "js", name: "portcullis", opt_level: "2", limit: 182_000 },
    Module { feature: "ledger", name: "ledger", opt_level: "s", limit: 305_000 },
];

/// Makes the package in `npm/dist` and packs it; the tarball.
pub fn build(checkout: &Checkout) -> Result<PathBuf> {
    let _lock = lock(&checkout.private("npm.lock")?, "npm")?;
    let dist = checkout.path("npm/dist");
    let _ = fs::remove_dir_all(&dist);
    fs::create_dir_all(dist.join("wasm"))?;
    for module in MODULES {
        let Module { name, limit, .. } = module;
        let gzip = module.build(checkout, &dist.join("wasm"))?;
        say(format!("npm: {name}.wasm: {gzip} bytes of gzip"));
        ensure!(gzip <= limit, "{name}.wasm is {gzip} bytes of gzip, over {limit}");
    }
    check_types(checkout, &["--noEmit", "false"])?;
    reference(checkout)?;
    fs::copy(checkout.path("src/edge/errands.mjs"), dist.join("errands.js"))?;
    for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(checkout.path(license), checkout.path("npm").join(license))?;
    }
    pack(checkout)
}

/// Makes the types of the management API and runs TypeScript over the sources.
pub fn check_types(checkout: &Checkout, arguments: &[&str]) -> Result<()> {
    let mut types = checkout.command(tools::npm_bin(checkout, "openapi-typescript"));
    run("openapi-typescript", types.args(["docs/openapi.json", "--output", "npm/src/openapi.ts"]))?;
    let mut tsc = checkout.command(tools::npm_bin(checkout, "tsc"));
    run("tsc", tsc.args(["--project", "npm"]).args(arguments))
}

/// Makes the reference of the package in `npm/api`; fails if something exported is not documented.
fn reference(checkout: &Checkout) -> Result<()> {
    let mut typedoc = checkout.command(tools::npm_bin(checkout, "typedoc"));
    typedoc.args(["--options", "npm/typedoc.json", "--tsconfig", "npm/tsconfig.json"]);
    run("typedoc", typedoc.args(["--logLevel", "Warn"]))
}

fn pack(checkout: &Checkout) -> Result<PathBuf> {
    let folder = checkout.private("npm")?;
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let mut npm = checkout.command("npm");
    npm.current_dir(checkout.path("npm")).args(["pack", "--silent", "--pack-destination"]);
    run("npm pack", npm.arg(&folder))?;
    let tarball = fs::read_dir(&folder)?.flatten().map(|entry| entry.path()).next();
    let tarball = tarball.context("npm pack made no file")?;
    say(format!("npm: {}", tarball.display()));
    Ok(tarball)
}
