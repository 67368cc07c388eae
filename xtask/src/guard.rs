//! `xtask guard -- PROGRAM ARGS`: runs a program for as long as its own standard input is open.
//!
//! The parent holds the other end of that pipe, so that however the parent ends, SIGKILL included,
//! the program ends too.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;

/// Runs `program`; the first line on standard output is
/// `{"event":"start","pid":N}`. Its exit code is returned.
pub fn run(program: &[String]) -> Result<i32> {
    let [path, arguments @ ..] = program else { bail!("no program to guard") };
    let mut child = Command::new(path)
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {path}"))?;
    println!("{}", json!({ "event": "start", "pid": child.id() }));
    let (closed, wait) = channel::<()>();
    std::thread::spawn(move || {
        let mut bytes = [0; 64];
        let mut stdin = std::io::stdin();
        while matches!(stdin.read(&mut bytes), Ok(n) if n > 0) {}
        drop(closed);
    });
    loop {
        match wait.recv_timeout(POLL) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {
                if let Some(status) = child.try_wait()? {
                    return Ok(status.code().unwrap_or(1));
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                child.kill()?;
                child.wait()?;
                return Ok(0);
            }
        }
    }
}

const POLL: Duration = Duration::from_millis(50);
