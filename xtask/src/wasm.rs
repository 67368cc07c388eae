//! The core as Wasm for JavaScript that is no Worker.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Result;
use flate2::{Compression, write::GzEncoder};

use crate::checkout::{Checkout, lock, run, say};
use crate::{tools, worker};

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Module {
    /// The feature that it is made of.
    pub feature: &'static str,
    /// Its name.
    pub name: &'static str,
    /// For what it is optimised: `2` for speed, `s` for size, or `z` for size alone.
    pub opt_level: &'static str,
    /// What it may have after gzip, in bytes.
    pub limit: u64,
}

impl Module {
    /// Builds it and its bindings, optimised, into a folder; its bytes after gzip.
    pub fn build(&self, checkout: &Checkout, folder: &Path) -> Result<u64> {
        // All are built in one place.
        let _lock = lock(&checkout.private("wasm.lock")?, "wasm")?;
        say(format!("compiling the Wasm {} …", self.name));
        let mut cargo = checkout.command("cargo");
        cargo
            .args(["build", "--quiet", "--profile", "npm", "--package", "portcullis", "--lib"])
            .args(["--target", "wasm32-unknown-unknown", "--features", self.feature, "--locked"])
            .env("CARGO_PROFILE_NPM_OPT_LEVEL", self.opt_level)
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", worker::rustflags());
        run("cargo build", &mut cargo)?;
        let built = checkout.path("target/wasm32-unknown-unknown/npm/portcullis.wasm");
        let mut bindgen = checkout.command(tools::cargo_bin(checkout, "wasm-bindgen"));
        bindgen
            .args(["--target", "web", "--no-typescript", "--experimental-reset-state-function"])
            .args(["--out-name", self.name, "--out-dir"])
            .arg(folder)
            .arg(built);
        run("wasm-bindgen", &mut bindgen)?;
        let bound = folder.join(format!("{}_bg.wasm", self.name));
        let path = folder.join(format!("{}.wasm", self.name));
        run("wasm-opt", worker::optimise(checkout).arg(&bound).arg("-o").arg(&path))?;
        fs::remove_file(bound)?;
        gzip_size(&path)
    }
}

/// The bytes of a file after gzip.
pub fn gzip_size(path: &Path) -> Result<u64> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&fs::read(path)?)?;
    Ok(encoder.finish()?.len() as u64)
}
