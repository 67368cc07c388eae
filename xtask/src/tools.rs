//! The tools a build needs: each is made present, in the clone where it can be.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::checkout::{Checkout, lock, output, run, say, sha256};

/// A tool of the build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// The standard library for `wasm32-unknown-unknown`.
    WasmTarget,
    /// The `wasm-bindgen` command and its test runner, of the version of the crate in `Cargo.lock`.
    WasmBindgen,
    /// `worker-build`.
    WorkerBuild,
    /// `wasm-pack`.
    WasmPack,
    /// `cargo fuzz`.
    CargoFuzz,
    /// The packages of `package-lock.json`: workerd, wasm-opt, esbuild and others.
    NpmPackages,
    /// Chromium or Chrome: the one that is there, else one that can be installed.
    Chromium,
    /// `schemathesis`, of the versions in `xtask/schemathesis.txt`, in a Python environment of its own.
    Schemathesis,
    /// `cargo-deny`.
    CargoDeny,
    /// `cargo-mutants`.
    CargoMutants,
}

/// What `build`, `dev` and `workerd` need.
pub const BUILD: &[Tool] =
    &[Tool::WasmTarget, Tool::WasmBindgen, Tool::WorkerBuild, Tool::NpmPackages];

/// What `test` needs besides.
pub const TEST: &[Tool] = &[Tool::WasmPack];

/// Versions that no lock file fixes. That of `wasm-bindgen` is the one in `Cargo.lock`.
const WORKER_BUILD: &str = "0.8.7";
const WASM_PACK: &str = "0.15.1";
const CARGO_DENY: &str = "0.20.2";
const CARGO_MUTANTS: &str = "27.1.0";
const CARGO_FUZZ: &str = "0.13.2";
/// The oldest Node.js that will do.
const NODE_MAJOR: u32 = 20;
/// Where its Python environment is, and what is in it.
const PYTHON: &str = ".tools/schemathesis";
const PINS: &str = "xtask/schemathesis.txt";
const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Makes each of these tools present, and says so.
pub fn ensure_present(checkout: &Checkout, tools: &[Tool]) -> Result<()> {
    let _lock = lock(&checkout.path(".tools/.lock"), "tools")?;
    for tool in tools {
        match tool {
            Tool::WasmTarget => wasm_target(checkout)?,
            Tool::WasmBindgen => {
                let version = checkout.locked_version("wasm-bindgen")?;
                cargo_tool(checkout, "wasm-bindgen-cli", "wasm-bindgen", &version)?;
            }
            Tool::WorkerBuild => {
                cargo_tool(checkout, "worker-build", "worker-build", WORKER_BUILD)?
            }
            Tool::WasmPack => cargo_tool(checkout, "wasm-pack", "wasm-pack", WASM_PACK)?,
            Tool::CargoFuzz => cargo_tool(checkout, "cargo-fuzz", "cargo-fuzz", CARGO_FUZZ)?,
            Tool::NpmPackages => npm_packages(checkout)?,
            Tool::Chromium => drop(chromium(checkout)?),
            Tool::Schemathesis => schemathesis(checkout)?,
            Tool::CargoDeny => cargo_tool(checkout, "cargo-deny", "cargo-deny", CARGO_DENY)?,
            Tool::CargoMutants => {
                cargo_tool(checkout, "cargo-mutants", "cargo-mutants", CARGO_MUTANTS)?
            }
        }
    }
    Ok(())
}

/// The path of a command installed by cargo.
pub fn cargo_bin(checkout: &Checkout, name: &str) -> PathBuf {
    checkout.path(".tools/bin").join(name)
}

/// The path of a command installed by npm.
pub fn npm_bin(checkout: &Checkout, name: &str) -> PathBuf {
    checkout.path("node_modules/.bin").join(name)
}

/// The native workerd of the npm package, not its wrapper in JavaScript.
pub fn workerd(checkout: &Checkout) -> Result<PathBuf> {
    let os = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "64" };
    let path = checkout.path(format!("node_modules/@cloudflare/workerd-{os}-{arch}/bin/workerd"));
    ensure!(path.is_file(), "npm installed no workerd for this machine ({os}-{arch})");
    Ok(path)
}

/// What decides the outcome of a build besides its sources: the versions of the tools.
pub fn versions(checkout: &Checkout) -> Result<String> {
    let rustc = output(Command::new("rustc").arg("-vV")).context("cannot run rustc")?;
    Ok(format!("{rustc}\nworker-build {WORKER_BUILD}\nnpm {}", npm_stamp(checkout)?))
}

fn wasm_target(checkout: &Checkout) -> Result<()> {
    let sysroot = output(checkout.command("rustc").args(["--print", "sysroot"]))
        .context("cannot run rustc: install Rust from https://rustup.rs")?;
    let library = PathBuf::from(sysroot).join("lib/rustlib").join(WASM_TARGET).join("lib");
    if library.is_dir() {
        say("wasm target: present");
        return Ok(());
    }
    ensure!(
        output(Command::new("rustup").arg("--version")).is_some(),
        "the wasm target is missing and so is rustup to add it: install Rust from https://rustup.rs"
    );
    say(format!("adding the target {WASM_TARGET} …"));
    run("rustup target add", checkout.command("rustup").args(["target", "add", WASM_TARGET]))
}

fn cargo_tool(checkout: &Checkout, package: &str, bin: &str, version: &str) -> Result<()> {
    let mut ask = Command::new(cargo_bin(checkout, bin));
    if bin == "cargo-mutants" {
        // It knows itself as a command of cargo alone.
        ask.arg("mutants");
    }
    let present = output(ask.arg("--version"));
    if present.is_some_and(|text| text.split_whitespace().last() == Some(version)) {
        say(format!("{package} {version}: present"));
        return Ok(());
    }
    say(format!("installing {package} {version} (some minutes, once) …"));
    // Without --locked: a lock file may name crates that are gone.
    let mut install = checkout.command("cargo");
    install.args(["install", "--quiet", "--debug", "--force", "--root"]);
    install.arg(checkout.path(".tools")).args(["--version", version, package]);
    run(&format!("installing {package}"), &mut install)
}

fn npm_packages(checkout: &Checkout) -> Result<()> {
    let version = output(Command::new("node").arg("--version"));
    let major = version
        .as_deref()
        .and_then(|text| text.strip_prefix('v')?.split('.').next()?.parse::<u32>().ok());
    match (major, &version) {
        (Some(major), _) if major >= NODE_MAJOR => {}
        (_, Some(version)) => bail!("Node.js {version} is too old: install {NODE_MAJOR} or newer"),
        (_, None) => bail!("Node.js is missing: install version {NODE_MAJOR} or newer"),
    }
    ensure!(
        output(Command::new("npm").arg("--version")).is_some(),
        "npm is missing: install it (it comes with Node.js)"
    );
    let (stamp, path) = (npm_stamp(checkout)?, checkout.path("node_modules/.package-lock.sha256"));
    if fs::read_to_string(&path).is_ok_and(|last| last.trim() == stamp) {
        say("npm packages: present");
        return Ok(());
    }
    say("installing npm packages …");
    let mut install = checkout.command("npm");
    install.args(["ci", "--no-audit", "--no-fund"]);
    run("npm ci", &mut install)?;
    fs::write(&path, stamp).with_context(|| format!("cannot write {}", path.display()))
}

/// The program of the browser that there is; else Debian's package, else Playwright's own download.
///
/// # Errors
/// Says what to install.
pub fn chromium(checkout: &Checkout) -> Result<PathBuf> {
    if let Some(path) = present_chromium() {
        say(format!("{}: present", path.display()));
        return Ok(path);
    }
    say("installing chromium …");
    for arguments in ["update", "install --yes --no-install-recommends chromium"] {
        let mut debian = Command::new("apt-get");
        debian.args(arguments.split(' ')).env("DEBIAN_FRONTEND", "noninteractive");
        // What it lacks the next ways may have.
        let _ = run(&format!("apt-get {arguments}"), &mut debian);
    }
    if let Some(path) = present_chromium() {
        return Ok(path);
    }
    let folder = checkout.path(".tools/browsers");
    let mut download = checkout.command(npm_bin(checkout, "playwright-core"));
    download.args(["install", "chromium"]).env("PLAYWRIGHT_BROWSERS_PATH", &folder);
    if run("playwright-core install chromium", &mut download).is_ok() {
        let mut files = Vec::new();
        crate::worker::collect(&folder, &mut files)?;
        if let Some(path) = files.into_iter().find(|file| file.ends_with("chrome-linux/chrome")) {
            return Ok(path);
        }
    }
    bail!(
        "there is no browser for the dashboard's tests: install chromium (Debian's package) or Google Chrome"
    )
}

fn present_chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|program| program.is_file())
}

/// The path of the `schemathesis` command.
pub fn schemathesis_bin(checkout: &Checkout) -> PathBuf {
    checkout.path(PYTHON).join("bin/schemathesis")
}

fn schemathesis(checkout: &Checkout) -> Result<()> {
    let pins = fs::read(checkout.path(PINS)).with_context(|| format!("no {PINS}"))?;
    let (stamp, path) = (sha256(&pins), checkout.path(PYTHON).join("pins.sha256"));
    if fs::read_to_string(&path).is_ok_and(|last| last == stamp) {
        say("schemathesis: present");
        return Ok(());
    }
    let version = output(Command::new("python3").arg("--version"));
    ensure!(version.is_some(), "python3 is missing, by which schemathesis runs: install it");
    say("installing schemathesis …");
    let mut make = checkout.command("python3");
    make.args(["-m", "venv", "--clear"]).arg(checkout.path(PYTHON));
    run("python3 -m venv (Debian has it in the package python3-venv)", &mut make)?;
    let mut install = checkout.command(checkout.path(PYTHON).join("bin/pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check", "--requirement", PINS]);
    install.current_dir(checkout.path(""));
    run("pip install", &mut install)?;
    fs::write(&path, stamp).with_context(|| format!("cannot write {}", path.display()))
}

fn npm_stamp(checkout: &Checkout) -> Result<String> {
    Ok(sha256(&fs::read(checkout.path("package-lock.json")).context("no package-lock.json")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_build_is_of_the_version_of_the_worker_crate() {
        let checkout = Checkout::find().unwrap();
        assert_eq!(checkout.locked_version("worker").unwrap(), WORKER_BUILD);
    }
}
