//! The command line against a served deployment.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use crate::checkout::{Checkout, private_dir, say};
use crate::serve::{self, Serve};

/// Every test that needs a deployment.
pub fn test(checkout: &Checkout) -> Result<()> {
    figures(checkout, "", SMALL, &[])?.iter().for_each(|figure| say(format!("cli: {figure}")));
    Ok(())
}

/// Runs the tests whose names contain `filter`, the import with so many keys, built with these flags: the
/// figures they print.
pub(crate) fn figures(
    checkout: &Checkout,
    filter: &str,
    keys: u64,
    flags: &[&str],
) -> Result<Vec<String>> {
    let folder = checkout.private("cli")?;
    private_dir(&folder)?;
    // The product's policy, for as many keys as the tests make.
    let policy = fs::read_to_string(checkout.path("policy.toml"))?;
    let raised = policy.replace("\nmax_active_keys = 20\n", "\nmax_active_keys = 1000000\n");
    ensure!(raised != policy, "policy.toml does not say max_active_keys = 20");
    fs::write(folder.join("policy.toml"), raised)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let serve = Serve {
        fresh: true,
        issuer: 0,
        policy: Some(folder.join("policy.toml")),
        ..Serve::dev(port, folder.join("state"))
    };
    let running = serve::start(checkout, &serve)?;
    let mut tests = checkout.command("cargo");
    tests.args(["test", "--quiet", "--package", "portcullis-cli", "--test", "online"]);
    tests.args(flags);
    tests.args(["--", "--nocapture", filter]);
    tests.env("PORTCULLIS_READY", running.ready().to_string());
    tests.env("PORTCULLIS_IMPORT", keys.to_string());
    tests.env("PORTCULLIS_SERVER", running.server.pid.to_string());
    let output = tests.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    let output = output.context("cannot run cargo")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("cargo test --test online:\n{said}{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(said.lines().filter_map(|line| Some(line.split_once("FIGURE ")?.1.to_owned())).collect())
}

/// Keys that are imported in a test run.
const SMALL: u64 = 3000;
