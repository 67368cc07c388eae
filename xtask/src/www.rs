//! The built dashboard: static files, the same for every policy.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::checkout::{Checkout, private_dir, run, say, sha256};
use crate::tools;
use crate::wasm::{Module, gzip_size};
use crate::worker::{self, collect};

/// The folder of the dashboard's files beside those of the Workers.
pub const FOLDER: &str = "www";

/// Builds it, unless what it is made of is as before; into this folder.
pub fn build(checkout: &Checkout) -> Result<PathBuf> {
    let folder = checkout.private(FOLDER)?;
    let explain = explain(checkout)?;
    let wasm = fs::read(explain.join("explain.wasm"))?;
    let digest = sha256(&wasm);
    let (stamp, path) = (stamp(checkout, &digest)?, checkout.private("www.stamp")?);
    if fs::read_to_string(&path).is_ok_and(|last| last == stamp) {
        return Ok(folder);
    }
    say("building the dashboard …");
    let _ = fs::remove_file(&path);
    let _ = fs::remove_dir_all(&folder);
    let assets = folder.join("assets");
    fs::create_dir_all(&assets)?;
    let mut esbuild = checkout.command(tools::npm_bin(checkout, "esbuild"));
    esbuild.args(SOURCES.map(|(source, _)| format!("www{source}"))).args(ESBUILD);
    esbuild.arg(format!("--outdir={}", assets.display()));
    // Fetched where it is asked for.
    let name = format!("explain-{}.wasm", digest.get(..8).unwrap_or(&digest));
    esbuild.arg(format!("--alias:explain={}", explain.join("explain.js").display()));
    esbuild.arg(format!("--define:EXPLAIN_WASM=\"/assets/{name}\""));
    run("esbuild", &mut esbuild)?;
    fs::write(assets.join(name), wasm)?;
    fs::write(folder.join("index.html"), page(checkout, &assets)?)?;
    fs::write(&path, stamp)?;
    say(sizes(first_load(&folder)?, later_load(&folder)?));
    Ok(folder)
}

/// What is loaded, in words.
pub fn sizes(first: u64, later: u64) -> String {
    let [first, later] = [first, later].map(|bytes| bytes as f64 / 1000.0);
    format!("dashboard: {first:.1} KB gzip at the first load, {later:.1} KB to explain a request")
}

/// Copies a folder; what was at the other place is gone.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let _ = fs::remove_dir_all(to);
    private_dir(to)?;
    let mut files = Vec::new();
    if from.is_dir() {
        collect(from, &mut files)?;
    }
    for file in files {
        let copy = to.join(file.strip_prefix(from)?);
        copy.parent().map_or(Ok(()), private_dir)?;
        fs::copy(&file, copy).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// Bytes of all scripts and styles, each compressed by gzip.
pub fn first_load(folder: &Path) -> Result<u64> {
    size_of(folder, &["js", "css"])
}

/// Bytes of what is fetched later: the Wasm that explains requests.
pub fn later_load(folder: &Path) -> Result<u64> {
    size_of(folder, &["wasm"])
}

fn size_of(folder: &Path, extensions: &[&str]) -> Result<u64> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.retain(|file| {
        let own = file.extension().and_then(|own| own.to_str());
        own.is_some_and(|own| extensions.contains(&own))
    });
    files.iter().map(|file| gzip_size(file)).sum()
}

/// Compiles the Wasm that explains requests, unless it is there; into this folder.
fn explain(checkout: &Checkout) -> Result<PathBuf> {
    let folder = checkout.private("wasm")?.join(EXPLAIN.name);
    let stamp = sha256(format!("{EXPLAIN:?} {}", worker::sources(checkout)?).as_bytes());
    let path = checkout.private("wasm-explain.stamp")?;
    if !fs::read_to_string(&path).is_ok_and(|last| last == stamp) {
        let _ = fs::remove_file(&path);
        fs::create_dir_all(&folder)?;
        EXPLAIN.build(checkout, &folder)?;
        fs::write(path, stamp)?;
    }
    Ok(folder)
}

/// The page, with the names that the files have got.
fn page(checkout: &Checkout, assets: &Path) -> Result<String> {
    let mut page = fs::read_to_string(checkout.path(PAGE))?;
    let mut files = Vec::new();
    collect(assets, &mut files)?;
    for (source, extension) in SOURCES {
        let stem = source.rsplit('/').next().and_then(|name| name.split('.').next());
        let start = format!("{}-", stem.unwrap_or_default());
        let names = files.iter().filter_map(|file| file.file_name()?.to_str());
        let mut own = names.filter(|name| name.starts_with(&start) && name.ends_with(extension));
        let name = own.next().with_context(|| format!("esbuild made nothing of {source}"))?;
        ensure!(page.contains(source), "{PAGE} does not name {source}");
        page = page.replace(source, &format!("/assets/{name}"));
    }
    Ok(page)
}

fn stamp(checkout: &Checkout, explain: &str) -> Result<String> {
    let mut files = ["package-lock.json", PAGE].map(|file| checkout.path(file)).to_vec();
    collect(&checkout.path("www/src"), &mut files)?;
    let mut all = format!("{} {explain}\n", ESBUILD.join(" "));
    for file in files {
        let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
        all.push_str(&format!("{}\0{}\n", file.display(), sha256(&bytes)));
    }
    Ok(sha256(all.as_bytes()))
}

/// What the dashboard explains requests by.
pub const EXPLAIN: Module =
    Module { feature: "explain", name: "explain", opt_level: "z", limit: 210_000 };
const PAGE: &str = "www/index.html";
/// What the page names, and how what is made of it ends.
const SOURCES: [(&str, &str); 3] =
    [("/src/main.tsx", ".js"), ("/src/style.css", ".css"), ("/src/icon.svg", ".svg")];
const ESBUILD: [&str; 9] = [
    "--bundle",
    "--minify",
    "--format=esm",
    "--target=es2022",
    "--jsx=automatic",
    "--jsx-import-source=preact",
    "--loader:.svg=copy",
    "--entry-names=[name]-[hash]",
    "--log-level=warning",
];
