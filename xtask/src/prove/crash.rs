//! Limits and changes survive the kill of the whole runtime.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use portcullis::policy::Limits;
use portcullis::record::Status;
use portcullis::workspace::call::{Answer, Call};
use serde_json::json;

use super::crowd::{Crowd, Shot};
use super::fleet::{Fleet, ISOLATES, LEASE, STRICT, arrivals_since};
use super::limit::{excess, windows};
use super::progress::Progress;
use super::random::Random;
use super::site::Site;
use super::{Bar, Verdict};

pub(super) const BAR: Bar = Bar {
    name: "crash",
    goal: "with workerd, or one of two gate processes, killed (SIGKILL) every few seconds under load: \
           limits are never exceeded, nothing acknowledged is lost",
    unit: "kills in each mode over 8 isolates of one process, and of one of two gate processes",
    ci: 3,
    full: 100,
    sources: &[],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut random = Random::new(SEED);
    for (name, workspace, split) in [
        (STRICT, STRICT, false),
        (LEASE, LEASE, false),
        ("two gate processes, 1EASE0", LEASE, true),
    ] {
        let start = if split { Fleet::split } else { Fleet::start };
        let mut fleet = start(site, "crash")?;
        let (key, _) = fleet.key(workspace, Some(LIMITS))?;
        let crowd = Crowd {
            clients: usize::from(ISOLATES) * 2,
            each: usize::MAX,
            // Longer than the kills take; they end it.
            time: Duration::from_secs(size * 6),
            every: Duration::from_millis(100),
        };
        let gates = fleet.gates()?;
        let begun = Instant::now();
        let (shots, lost) = std::thread::scope(|scope| -> Result<(Vec<Shot>, usize)> {
            let clients = scope.spawn(|| crowd.run(&gates, &[key]));
            let mut lost = 0;
            for process in fleet.with_gates().cycle().take(size as usize) {
                std::thread::sleep(Duration::from_millis(2000 + random.below(2000) as u64));
                lost += kill(&mut fleet, process, workspace)?;
            }
            Ok((clients.join().map_err(|_| anyhow!("a client panicked"))??, lost))
        })?;
        let arrivals = arrivals_since(&fleet, begun);
        for (reset, admitted) in windows(&shots) {
            verdict.require(admitted <= LIMITS.requests as usize, || {
                format!("{name}: {admitted} admitted in the window that ends at {reset}")
            });
        }
        let excess = excess(&arrivals, &LIMITS, workspace == LEASE);
        verdict.require(excess <= 0.0, || format!("{name}: {excess:.1} above the bound of a span"));
        verdict.require(lost == 0, || format!("{name}: {lost} acknowledged changes lost"));
        let admitted = shots.iter().filter(|shot| shot.status == 200).count();
        verdict.require(admitted > 0, || format!("{name}: nothing was admitted"));
        verdict.figure(
            name,
            json!({ "kills": size, "sent": shots.len(), "admitted": admitted, "arrived": arrivals.len(), "lost": lost }),
        );
    }
    Ok(verdict)
}

/// Changes keys until the kill of a process, and counts the changes that were acknowledged and are
/// not there afterwards.
fn kill(fleet: &mut Fleet<'_>, process: usize, workspace: &str) -> Result<usize> {
    let pid = fleet.pid(process)?;
    let mut changed = Vec::new();
    for _ in 0..CHANGES {
        let (_, document) = fleet.key(workspace, None)?;
        let kid = document.kid;
        let revoked = Call::SetStatus { kid: kid.clone(), status: Status::Revoked };
        let answer = fleet.call(workspace, &revoked)?;
        ensure!(matches!(answer, Answer::Written { version: 2, .. }), "{answer:?}");
        changed.push(kid);
    }
    let killed = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    ensure!(killed.context("cannot kill")?.success(), "workerd could not be killed");
    fleet.restart(process)?;
    let mut lost = 0;
    for kid in changed {
        let answer = fleet.call(workspace, &Call::Record { kid })?;
        let held =
            matches!(&answer, Answer::Record { value } if value.contains(r#""status":"revoked""#));
        lost += usize::from(!held);
    }
    Ok(lost)
}

/// Of a window that is long beside a lease: what came back of a lease that died would be spent again.
const LIMITS: Limits = Limits { requests: 600, window_seconds: 10, burst: 600 };
const CHANGES: usize = 5;
const SEED: u64 = 0x63_7261_7368;
