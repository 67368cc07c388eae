//! The step `npm`: the package as it is packed, installed in an empty project, on every runtime.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use flate2::{Compression, write::GzEncoder};

use crate::checkout::{Checkout, run, say};
use crate::tools::{self, Tool};
use crate::vectors::World;
use crate::worker::{self, Flavour};
use crate::{docs, seed};

/// Packs, installs, and runs all that is in `xtask/npm`.
pub fn test(checkout: &Checkout) -> Result<()> {
    tools::ensure_present(checkout, &[Tool::Chromium])?;
    let tarball = super::build(checkout)?;
    lint(checkout, &tarball)?;
    let project = project(checkout, &tarball)?;
    check_sizes(checkout, &project)?;
    check_types(checkout, &project)?;
    for (what, mut command, least) in programs(checkout, &project)? {
        let count = count(what, command.current_dir(&project))?;
        ensure!(count >= least, "{what}: {count}, not {least}");
        say(format!("npm: {what}: {count}"));
    }
    five_minutes(checkout, &tarball)
}

/// What the linters of packages say.
fn lint(checkout: &Checkout, tarball: &Path) -> Result<()> {
    let mut publint = checkout.command(tools::npm_bin(checkout, "publint"));
    run("publint", publint.args(["run", "--strict"]).arg(tarball))?;
    // Every resolver but those that know no `exports`.
    let mut attw = checkout.command(tools::npm_bin(checkout, "attw"));
    run("attw", attw.args(["--profile", "esm-only", "--quiet"]).arg(tarball))
}

/// An empty project with the package, the vectors and our programs in it.
fn project(checkout: &Checkout, tarball: &Path) -> Result<PathBuf> {
    let project = checkout.private("npm-project")?;
    let _ = fs::remove_dir_all(&project);
    fs::create_dir_all(project.join("out"))?;
    fs::write(project.join("package.json"), r#"{"private":true,"type":"module"}"#)?;
    for entry in fs::read_dir(checkout.path("xtask/npm"))?.flatten() {
        if entry.path().is_file() {
            fs::copy(entry.path(), project.join(entry.file_name()))?;
        }
    }
    let mut vectors = serde_json::Map::new();
    for (name, file) in VECTORS {
        let text = fs::read_to_string(checkout.path(format!("tests/vectors/{file}.json")))?;
        vectors.insert(name.to_owned(), serde_json::from_str(&text)?);
    }
    fs::write(project.join("vectors.json"), serde_json::to_string(&vectors)?)?;
    fs::write(project.join("rows.json"), vectors["world"]["kv"].to_string())?;
    let mut npm = checkout.command("npm");
    npm.current_dir(&project).args(["install", "--silent", "--offline", "--no-audit", "--no-fund"]);
    run("npm install", npm.args(["--omit=peer", "--legacy-peer-deps"]).arg(tarball))?;
    let packages = fs::read_dir(project.join("node_modules"))?.flatten();
    let packages = packages.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    ensure!(packages.count() == 1, "the package brings others with it");
    Ok(project)
}

/// Bytes of gzip of entries without the Wasm, bundled as for a browser.
fn check_sizes(checkout: &Checkout, project: &Path) -> Result<()> {
    for (entry, limit) in SIZES {
        let file = project.join(format!("out/{entry}.js"));
        let mut esbuild = checkout.command(tools::npm_bin(checkout, "esbuild"));
        esbuild
            .current_dir(project)
            .arg(project.join(format!("node_modules/portcullis/dist/{entry}.js")))
            .args(["--bundle", "--minify", "--format=esm", "--log-level=warning"])
            .args(["--conditions=browser", "--external:node:*"])
            .arg(format!("--outfile={}", file.display()));
        run("esbuild", &mut esbuild)?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&fs::read(file)?)?;
        let size = encoder.finish()?.len();
        say(format!("npm: {entry}: {size} bytes of gzip"));
        ensure!(size <= limit, "{entry} is {size} bytes of gzip, over {limit}");
    }
    Ok(())
}

fn check_types(checkout: &Checkout, project: &Path) -> Result<()> {
    let mut tsc = checkout.command(tools::npm_bin(checkout, "tsc"));
    tsc.current_dir(project).args(["--strict", "--noEmit", "--target", "ES2022", "--module"]);
    tsc.args(["NodeNext", "--lib", "ES2022,DOM,DOM.Iterable", "--types", "node"]);
    run("tsc over the types", tsc.args(["--skipLibCheck", "types.ts"]))
}

/// What is run in the project, each with the least number that it is to print.
fn programs(checkout: &Checkout, project: &Path) -> Result<Vec<(&'static str, Command, usize)>> {
    let bin = |name: &str| tools::npm_bin(checkout, name);
    let program = |program: PathBuf, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments);
        command
    };
    let with_checkout = |node: PathBuf, name: &str| {
        let mut command = program(node, &[name]);
        command.arg(checkout.path(""));
        command
    };
    let bundle = [
        "workerd.mjs",
        "rpc.mjs",
        "--bundle",
        "--format=esm",
        "--log-level=warning",
        "--outdir=out",
    ];
    let mut esbuild = program(bin("esbuild"), &bundle);
    esbuild.args([
        "--conditions=workerd",
        "--external:node:*",
        "--loader:.wasm=copy",
        "--asset-names=[name]",
    ]);
    run("esbuild", esbuild.current_dir(project))?;
    let mut chromium = with_checkout("node".into(), "chromium.mjs");
    chromium.arg(tools::chromium(checkout)?);
    let workerd = tools::workerd(checkout)?;
    Ok(vec![
        ("vectors, the machine's Node.js", program("node".into(), &["node.mjs"]), FACTS),
        ("vectors, Node.js 24", program(bin("node"), &["node.mjs"]), FACTS),
        ("vectors, workerd", program(workerd.clone(), &["test", "workerd.capnp"]), FACTS),
        ("vectors, Deno", program(bin("deno"), &DENO), FACTS),
        ("vectors, Bun", program(bin("bun"), &["node.mjs"]), FACTS),
        ("vectors, Chromium", chromium, FACTS),
        ("parts", program("node".into(), &["parts.mjs"]), 200),
        ("servers, the machine's Node.js", with_checkout("node".into(), "servers.mjs"), 50),
        ("servers, Node.js 24", with_checkout(bin("node"), "servers.mjs"), 50),
        ("Workers", rpc(checkout, project, workerd)?, 15),
        ("bench, the machine's Node.js", with_checkout("node".into(), "bench.mjs"), SLOWEST),
        ("bench, Node.js 24", with_checkout(bin("node"), "bench.mjs"), SLOWEST),
    ])
}

/// The built gate of the vectors' policy, asked by another Worker.
fn rpc(checkout: &Checkout, project: &Path, workerd: PathBuf) -> Result<Command> {
    let world = World::read(checkout)?;
    let (policy, fingerprint) = (checkout.path(POLICY), seed::fingerprint(&world.root)?);
    let built = worker::build(checkout, &Flavour::Conformance { policy, fingerprint })?;
    fs::create_dir_all(project.join("out/objects"))?;
    for worker in ["gate", "workspace"] {
        fs::create_dir_all(project.join(worker))?;
        for module in ["index.js", "index_bg.wasm"] {
            let module = Path::new(worker).join(module);
            fs::copy(built.folder.join(&module), project.join(module))?;
        }
    }
    let mut command = Command::new(workerd);
    command.args(["test", "rpc.capnp"]);
    command.env("PORTCULLIS_ROOT", world.root).env("PORTCULLIS_STATIC_KEYS", world.static_keys);
    Ok(command)
}

/// The first section of the README, pasted into an empty folder.
fn five_minutes(checkout: &Checkout, tarball: &Path) -> Result<()> {
    let text = fs::read_to_string(checkout.path("npm/README.md"))?;
    let (section, _) = text.split_once("\n## A gate\n").context("README: its first section")?;
    run(
        "cargo build",
        checkout.command("cargo").args(["build", "--quiet", "--package", "portcullis-cli"]),
    )?;
    let folder = checkout.private("npm-minutes")?;
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    for (name, text) in docs::files(section)? {
        fs::write(folder.join(name), text)?;
    }
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let script = docs::commands(&section.replace("8787", &port.to_string()), port)?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own =
        ["xtask/npm/bin", "node_modules/node/bin", "target/debug"].map(|path| checkout.path(path));
    let path = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path)))?;
    let mut bash = checkout.command("bash");
    bash.current_dir(&folder).arg("-c").arg(script).env("PATH", path);
    bash.env("TARBALL", tarball).env("CHECKOUT", checkout.path(""));
    bash.env("WRANGLER_SEND_METRICS", "false").env("CLOUDFLARE_CF_FETCH_ENABLED", "false");
    let said = folder.join("said");
    let log = fs::File::create(&said)?;
    let mut running = bash.stdout(log.try_clone()?).stderr(log).process_group(0).spawn()?;
    let status = running.wait()?;
    // What it left running is in its group.
    let group = format!("-{}", running.id());
    let _ = Command::new("kill").args(["-TERM", "--", &group]).stderr(Stdio::null()).status();
    if !status.success() {
        bail!("the five minutes of the README: {status}\n{}", fs::read_to_string(said)?);
    }
    say("npm: the five minutes of the README: as they are printed");
    Ok(())
}

/// The last number that a program prints.
fn count(what: &str, command: &mut Command) -> Result<usize> {
    let output = command.output().with_context(|| format!("cannot run {what}"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{what} ({}):\n{printed}{said}", output.status);
    }
    said.lines().filter(|line| line.contains("/s")).for_each(say);
    let number = printed.split_whitespace().filter_map(|word| word.parse().ok()).next_back();
    number.with_context(|| format!("{what}: {printed}{said}"))
}

/// Per cent of the other gate's rate in a noisy run; `bench.mjs` fails where the other is faster for certain.
const SLOWEST: usize = 80;
/// What of the vectors is compared, at the least.
const FACTS: usize = 1400;
const DENO: [&str; 6] =
    ["run", "--quiet", "--no-lock", "--node-modules-dir=manual", "--allow-read", "node.mjs"];
/// Entries without Wasm, and what each may have, in bytes after gzip.
const SIZES: [(&str, usize); 6] = [
    ("client", 6_144),
    ("management", 6_144),
    ("assertion", 2_048),
    ("keys", 2_048),
    ("fetch", 1_024),
    ("hono", 1_024),
];
const VECTORS: [(&str, &str); 4] = [
    ("world", "world"),
    ("decisions", "decisions"),
    ("v1", "signatures-v1"),
    ("v2", "signatures-v2"),
];
const POLICY: &str = "tests/conformance/policy.toml";
