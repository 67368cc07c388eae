//! `cargo xtask test`: every check of the repository, step by step.

use std::fs;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::checkout::{Checkout, run, say};
use crate::{
    bench, canary, cli, conformance, dashboard, docs, npm, panics, products, prove, signers, tools,
    worker,
};

/// A named step.
struct Step {
    name: &'static str,
    run: fn(&Checkout) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step { name: "format", run: format },
    Step { name: "lint", run: lint },
    Step { name: "native", run: native },
    Step { name: "wasm", run: wasm },
    Step { name: "build", run: build },
    Step { name: "panics", run: panics::check },
    Step { name: "upload", run: upload },
    Step { name: "docs", run: docs::test },
    Step { name: "cli", run: cli::test },
    Step { name: "signers", run: signers::test },
    Step { name: "npm", run: npm::test },
    Step { name: "conformance", run: conformance::run },
    Step { name: "products", run: products::run },
    Step { name: "dashboard", run: dashboard::test },
    Step { name: "proofs", run: prove::check },
    Step { name: "bench", run: bench_small },
    Step { name: "canary", run: canary::scan },
];

/// Runs the steps, or those named in `only`; ends at the first that fails unless told to go on.
pub fn test(checkout: &Checkout, only: &[String], keep_going: bool) -> Result<()> {
    let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
    if let Some(unknown) = only.iter().find(|name| !names.contains(&name.as_str())) {
        bail!("no step {unknown}; there are {}", names.join(", "));
    }
    tools::ensure_present(checkout, tools::BUILD)?;
    tools::ensure_present(checkout, tools::TEST)?;
    let (mut failed, mut lines) = (Vec::new(), Vec::new());
    for step in STEPS {
        if !only.is_empty() && !only.iter().any(|name| name == step.name) {
            continue;
        }
        say(format!("── {}", step.name));
        let start = Instant::now();
        let result = (step.run)(checkout);
        let seconds = start.elapsed().as_secs_f64();
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        lines.push(format!("{:<12} {word:<6} {seconds:>7.1} s", step.name));
        if let Err(error) = result {
            say(format!("{}: {error:#}", step.name));
            failed.push(format!("{}: {error:#}", step.name));
            if !keep_going {
                break;
            }
        }
    }
    say(format!("──\n{}", lines.join("\n")));
    for unproved in prove::unproved(checkout, None)? {
        say(format!("warning: docs/proof.json: {unproved}"));
    }
    if !failed.is_empty() {
        bail!("failed:\n{}", failed.join("\n"));
    }
    Ok(())
}

fn format(checkout: &Checkout) -> Result<()> {
    run("cargo fmt", checkout.command("cargo").args(["fmt", "--all", "--check"]))
}

fn lint(checkout: &Checkout) -> Result<()> {
    for arguments in [
        "--workspace --all-targets",
        "--package portcullis --lib --target wasm32-unknown-unknown --features gate",
        "--package portcullis --lib --target wasm32-unknown-unknown --features workspace",
        "--package portcullis --lib --target wasm32-unknown-unknown --features js",
        "--package portcullis --lib --target wasm32-unknown-unknown --features ledger",
        "--package portcullis --lib --target wasm32-unknown-unknown --features explain",
    ] {
        let mut clippy = checkout.command("cargo");
        clippy
            .args(["clippy", "--quiet"])
            .args(arguments.split(' '))
            .args(["--", "-D", "warnings"]);
        run(&format!("clippy {arguments}"), &mut clippy)?;
    }
    Ok(())
}

fn native(checkout: &Checkout) -> Result<()> {
    run("cargo test", checkout.command("cargo").args(["test", "--workspace"]))
}

/// The core's tests once more, in Wasm on Node.js, and whether its comparisons tell by their time.
fn wasm(checkout: &Checkout) -> Result<()> {
    for arguments in ["", " --release -- --test timing -- --nocapture"] {
        let mut pack = checkout.command(tools::cargo_bin(checkout, "wasm-pack"));
        // Finds wasm-bindgen and its test runner in PATH; never downloads them.
        pack.args(["test", "--mode", "no-install", "--node"])
            .args(arguments.split_whitespace())
            // As the gate is, whose comparisons they are.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", worker::Worker::Gate.opt_level())
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", worker::rustflags())
            .env("PATH", path_with_tools(checkout)?);
        run(&format!("wasm-pack test{arguments}"), &mut pack)?;
    }
    Ok(())
}

fn build(checkout: &Checkout) -> Result<()> {
    let built = worker::build(checkout, &worker::Flavour::Production)?;
    for (worker, gzip) in built.gzip {
        let limit = upload_limit(worker);
        ensure!(
            gzip <= limit,
            "the upload of {} is {gzip} bytes of gzip, over {limit}",
            worker.name()
        );
    }
    // What worker-build exports can be called: neither Worker has a function of the other.
    for (worker, is_there) in [("gate", false), ("workspace", true)] {
        let wasm = fs::read(built.folder.join(worker).join("index_bg.wasm"))?;
        let found = wasm.windows(ONLY_WORKSPACE.len()).any(|bytes| bytes == ONLY_WORKSPACE);
        ensure!(found == is_there, "{worker}: a function of the Workspace: {found}");
    }
    Ok(())
}

/// What `npm run deploy` would upload, without an account.
fn upload(checkout: &Checkout) -> Result<()> {
    let mut wrangler = checkout.command("npm");
    wrangler.args(["run", "--silent", "deploy:dry-run"]).env("WRANGLER_SEND_METRICS", "false");
    wrangler.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = wrangler.output().context("cannot run npm")?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let sizes: Vec<_> = said.lines().filter(|line| line.starts_with("Total Upload:")).collect();
    if !output.status.success() || sizes.len() != 2 {
        bail!("wrangler deploy --dry-run ({}):\n{said}", output.status);
    }
    sizes.iter().for_each(|size| say(format!("wrangler: {size}")));
    Ok(())
}

/// That every contender answers and the table can be made; the goals need a quiet
/// machine and the full size.
fn bench_small(checkout: &Checkout) -> Result<()> {
    let table = bench::measure(checkout, bench::SMALL)?;
    say(table.text);
    Ok(())
}

fn path_with_tools(checkout: &Checkout) -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = std::iter::once(checkout.path(".tools/bin"));
    std::env::join_paths(tools.chain(std::env::split_paths(&path))).context("bad PATH")
}

/// Bytes of a Worker's upload, each file compressed by gzip.
/// The gate is on the way of each request; the Workspaces bring the management API.
const fn upload_limit(worker: worker::Worker) -> u64 {
    match worker {
        worker::Worker::Gate => 200_000,
        worker::Worker::Workspace => 365_000,
    }
}
const ONLY_WORKSPACE: &[u8] = b"workspace_answer";
