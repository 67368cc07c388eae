//! The npm package: `cargo xtask npm` makes it, the step `npm` installs it and runs it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use flate2::{Compression, write::GzEncoder};

use crate::checkout::{Checkout, lock, run, say};
use crate::{tools, worker};

/// A Wasm of the package: the feature it is made of, its name, and what it may have after gzip, in bytes.
const MODULES: [(&str, &str, u64); 2] =
    [("js", "portcullis", 155_000), ("ledger", "ledger", 230_000)];

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

fn cargo(checkout: &Checkout, feature: &str) -> Command {
    let mut cargo = checkout.command("cargo");
    cargo
        .args(["build", "--quiet", "--profile", "npm", "--package", "portcullis", "--lib"])
        .args(["--target", "wasm32-unknown-unknown", "--features", feature, "--locked"])
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", worker::RUSTFLAGS);
    cargo
}

/// Binds what cargo built and optimises it for size; its bytes after gzip.
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
    run("wasm-opt", worker::optimise(checkout, "-Oz").arg(&bound).arg("-o").arg(&path))?;
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

/// Packs the package, installs it into an empty project, and runs the shared vectors there on every runtime.
pub fn test(checkout: &Checkout) -> Result<()> {
    let tarball = build(checkout)?;
    let project = project(checkout, &tarball)?;
    let mut counts = Vec::new();
    for (runtime, mut command) in runtimes(checkout, &project)? {
        let count = count(&runtime, command.current_dir(&project))?;
        say(format!("npm: {runtime}: {count} facts of the vectors as they have to be"));
        counts.push(count);
    }
    ensure!(counts.iter().all(|count| *count == counts[0] && *count > 1000), "{counts:?}");
    Ok(())
}

/// An empty project with the package, the vectors and our programs in it.
fn project(checkout: &Checkout, tarball: &Path) -> Result<PathBuf> {
    let project = checkout.private("npm-project")?;
    let _ = fs::remove_dir_all(&project);
    fs::create_dir_all(project.join("out"))?;
    fs::write(project.join("package.json"), r#"{"private":true,"type":"module"}"#)?;
    for entry in fs::read_dir(checkout.path("xtask/npm"))?.flatten() {
        fs::copy(entry.path(), project.join(entry.file_name()))?;
    }
    let mut vectors = serde_json::Map::new();
    for (name, file) in [
        ("world", "world"),
        ("decisions", "decisions"),
        ("v1", "signatures-v1"),
        ("v2", "signatures-v2"),
    ] {
        let text = fs::read_to_string(checkout.path(format!("tests/vectors/{file}.json")))?;
        vectors.insert(name.to_owned(), serde_json::from_str(&text)?);
    }
    fs::write(project.join("vectors.json"), serde_json::to_string(&vectors)?)?;
    let mut npm = checkout.command("npm");
    npm.current_dir(&project).args(["install", "--silent", "--offline", "--no-audit", "--no-fund"]);
    run("npm install", npm.args(["--omit=peer", "--legacy-peer-deps"]).arg(tarball))?;
    let packages = fs::read_dir(project.join("node_modules"))?.flatten();
    let packages = packages.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    ensure!(packages.count() == 1, "the package brings others with it");
    Ok(project)
}

/// The runtimes at hand, each with the command that prints the number of cases.
fn runtimes(checkout: &Checkout, project: &Path) -> Result<Vec<(String, Command)>> {
    bundle(checkout, project)?;
    let program = |program: PathBuf, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments);
        command
    };
    let mut runtimes = vec![
        ("Node.js of the machine".to_owned(), program("node".into(), &["node.mjs"])),
        ("Node.js 24".to_owned(), program(tools::npm_bin(checkout, "node"), &["node.mjs"])),
        ("workerd".to_owned(), program(tools::workerd(checkout)?, &["test", "workerd.capnp"])),
    ];
    let deno = tools::npm_bin(checkout, "deno");
    let deno_arguments =
        ["run", "--quiet", "--no-lock", "--node-modules-dir=manual", "--allow-read", "node.mjs"];
    runtimes.push(("Deno".to_owned(), program(deno, &deno_arguments)));
    runtimes.push(("Bun".to_owned(), program(tools::npm_bin(checkout, "bun"), &["node.mjs"])));
    let chromium = tools::chromium(checkout)?;
    let mut browser = program("node".into(), &["chromium.mjs"]);
    browser.arg(checkout.path("")).arg(chromium);
    browser.env("NODE_PATH", checkout.path("node_modules"));
    runtimes.push(("Chromium".to_owned(), browser));
    Ok(runtimes)
}

fn bundle(checkout: &Checkout, project: &Path) -> Result<()> {
    let mut esbuild = checkout.command(tools::npm_bin(checkout, "esbuild"));
    esbuild
        .current_dir(project)
        .args(["workerd.mjs", "--bundle", "--format=esm", "--log-level=warning"])
        .args(["--conditions=workerd", "--loader:.wasm=copy", "--asset-names=[name]"])
        .args(["--outdir=out"]);
    run("esbuild", &mut esbuild)
}

fn count(runtime: &str, command: &mut Command) -> Result<usize> {
    let output = command.output().with_context(|| format!("cannot run {runtime}"))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!(
            "{runtime} ({}):\n{printed}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let all = printed + &String::from_utf8_lossy(&output.stderr);
    let number = all.split_whitespace().find_map(|word| word.parse().ok());
    number.with_context(|| format!("{runtime}: {all}"))
}
