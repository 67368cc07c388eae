//! The dashboard in Chromium, against the running gate.

use std::fs;
use std::net::TcpListener;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::checkout::{Checkout, run, say};
use crate::serve::{self, Serve};
use crate::tools::{self, Tool};
use crate::www;

/// Checks its types and size, serves it, and runs `www/tests`.
pub fn test(checkout: &Checkout) -> Result<()> {
    tools::ensure_present(checkout, &[Tool::Chromium])?;
    let mut types = checkout.command(tools::npm_bin(checkout, "tsc"));
    run("tsc", types.args(["--project", "www"]))?;
    let built = www::build(checkout)?;
    let (size, later) = (www::first_load(&built)?, www::later_load(&built)?);
    say(www::sizes(size, later));
    ensure!(size <= FIRST_LOAD, "the dashboard is {size} bytes of gzip, over {FIRST_LOAD}");
    let limit = www::EXPLAIN.limit;
    ensure!(later <= limit, "what explains requests is {later} bytes of gzip, over {limit}");
    let state = checkout.private("dashboard-state")?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let serve = Serve { fresh: true, issuer: 0, ..Serve::dev(port, state) };
    let running = serve::start(checkout, &serve)?;
    let mut ready = running.ready();
    ready["control_url"] = json!(format!("http://{}", running.server.control_address));
    ready["chromium"] = json!(tools::chromium(checkout)?);
    let screens = checkout.private("screens")?;
    fs::create_dir_all(&screens)?;
    ready["screens"] = json!(screens);
    let mut files: Vec<_> = fs::read_dir(checkout.path(TESTS))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    let mut node = checkout.command("node");
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec", "--test-timeout=120000"])
        .args(files);
    node.env("PORTCULLIS_READY", ready.to_string());
    run("the dashboard's tests", &mut node).context("www/tests")
}

const TESTS: &str = "www/tests";
/// Bytes of script and style, each compressed by gzip.
const FIRST_LOAD: u64 = 60_000;
