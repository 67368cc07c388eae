//! The npm package: `cargo xtask npm` makes it, the step `npm` installs it and runs it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use flate2::{Compression, write::GzEncoder};

mod installed;

pub use installed::test;

use crate::checkout::{Checkout, lock, run, say};
use crate::{tools, worker};

/// A Wasm of the package: the feature it is made of, its name, and what it may have after gzip, in bytes.
const MODULES: [(&str, &str, u64); 2] =
    [("js", "portcullis", 168_000), ("ledger", "ledger", 305_000)];

/// Makes the package in `npm/dist` and packs it; the tarball.
pub fn build(checkout: &Checkout) -> Result<PathBuf> {
    let _lock = lock(&checkout.private("npm.lock")?, "npm")?;
    let dist = checkout.path("npm/dist");
    let _ = fs::remove_dir_all(&dist);
    fs::create_dir_all(dist.join("wasm"))?;
    for (feature, name, limit) in MODULES {
        say(format!("compiling the package's Wasm ({name}) …"));
        run("cargo build", &mut cargo(checkout, feature))?;
        let gzip = bind(checkout, &dist.join("wasm"), name)?;
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

fn cargo(checkout: &Checkout, feature: &str) -> Command {
    let mut cargo = checkout.command("cargo");
    cargo
        .args(["build", "--quiet", "--profile", "npm", "--package", "portcullis", "--lib"])
        .args(["--target", "wasm32-unknown-unknown", "--features", feature, "--locked"])
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", worker::rustflags());
    cargo
}

/// Binds what cargo built and optimises it; its bytes after gzip.
fn bind(checkout: &Checkout, folder: &Path, name: &str) -> Result<u64> {
    let built = checkout.path("target/wasm32-unknown-unknown/npm/portcullis.wasm");
    let mut bindgen = checkout.command(tools::cargo_bin(checkout, "wasm-bindgen"));
    bindgen
        .args(["--target", "web", "--no-typescript", "--experimental-reset-state-function"])
        .args(["--out-name", name, "--out-dir"])
        .arg(folder)
        .arg(built);
    run("wasm-bindgen", &mut bindgen)?;
    let bound = folder.join(format!("{name}_bg.wasm"));
    let path = folder.join(format!("{name}.wasm"));
    run("wasm-opt", worker::optimise(checkout).arg(&bound).arg("-o").arg(&path))?;
    fs::remove_file(bound)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&fs::read(path)?)?;
    Ok(encoder.finish()?.len() as u64)
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
