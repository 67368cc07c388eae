//! The product starts in seconds once it is built, and does what it prints.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::progress::Progress;
use super::site::{Site, free_port};
use super::{Bar, Verdict};
use crate::checkout::{self, output};

pub(super) const BAR: Bar = Bar {
    name: "start",
    goal: "the second `cargo xtask dev --json` is ready within 10 s; every command that it prints answers as printed",
    unit: "starts after the first",
    ci: 1,
    full: 5,
    sources: &[
        "policy.toml",
        "xtask/src/keys.rs",
        "xtask/src/seed.rs",
        "xtask/src/serve.rs",
        "xtask/src/workerd.rs",
        "xtask/workerd/origin.mjs",
    ],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let port = free_port()?;
    // Builds, if that is still to be done.
    drop(Dev::start(site, port)?);
    let (mut longest, mut commands) = (Duration::ZERO, 0);
    for _ in 0..size {
        let start = Instant::now();
        let dev = Dev::start(site, port)?;
        longest = longest.max(start.elapsed());
        for command in dev.ready["curl"].as_array().context("no commands")? {
            check(command, &mut verdict)?;
            commands += 1;
        }
    }
    verdict.require(longest <= GOAL, || format!("ready after {longest:?}"));
    verdict.require(commands > 0, || "no commands are printed".to_owned());
    verdict.figure("longest_start_s", json!((longest.as_secs_f64() * 100.0).round() / 100.0));
    verdict.figure("commands_as_printed", commands);
    Ok(verdict)
}

/// Runs a printed command and compares what it is answered.
fn check(command: &Value, verdict: &mut Verdict) -> Result<()> {
    let line = command["command"].as_str().context("no command")?;
    let name = command["name"].as_str().unwrap_or_default();
    let printed = output(Command::new("sh").args(["-c", line]).stderr(Stdio::null()))
        .with_context(|| format!("cannot run curl for {name}"))?;
    let (head, body) = printed.split_once("\r\n\r\n").unwrap_or((&printed, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse::<u64>().ok());
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let as_printed =
        status == command["status"].as_u64() && body["error"]["code"] == command["code"];
    verdict.require(as_printed, || {
        format!(
            "{name}: {status:?} {}, not {} {}",
            body["error"]["code"], command["status"], command["code"]
        )
    });
    Ok(())
}

/// A running `cargo xtask dev --json`. Ends when dropped, and its workerd with it.
struct Dev {
    child: Child,
    ready: Value,
}

impl Dev {
    fn start(site: &Site, port: u16) -> Result<Self> {
        let mut child = Command::new(checkout::this_program()?)
            .args(["dev", "--json", "--port", &port.to_string()])
            .current_dir(site.checkout.path(""))
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start xtask dev")?;
        let stdout = child.stdout.take().context("no output")?;
        let mut dev = Self { child, ready: Value::Null };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        if line.is_empty() {
            bail!("xtask dev ended: {}", dev.child.wait()?);
        }
        dev.ready = serde_json::from_str(&line).context("no ready line")?;
        ensure!(dev.ready["ready"] == true, "not ready: {line}");
        Ok(dev)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

const GOAL: Duration = Duration::from_secs(10);
