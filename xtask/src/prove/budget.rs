//! Budgets are spent to the last coin and never beyond it, whatever the isolates do.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use portcullis::workspace::call::Call;
use serde_json::json;

use super::crowd::{Crowd, Shot};
use super::fleet::{Fleet, ISOLATES, arrivals_since};
use super::progress::Progress;
use super::random::Random;
use super::site::{Site, TIMEOUT, code, request};
use super::{Bar, Verdict};
use crate::http;

pub(super) const BAR: Bar = Bar {
    name: "budget",
    goal: "of 100 requests at once against a budget of 50 exactly 50 pass in mode strict, at most 50 in mode \
           lease, where the rest is usable one by one; sessions pass always, beside them and when nothing is left; \
           no budget is exceeded though workerd is killed (SIGKILL)",
    unit: "rounds in each mode over 8 isolates, of one product and of the whole workspace; half as many kills \
           in each mode under load",
    ci: 1,
    full: 40,
    sources: &["xtask/src/prove/crash.rs"],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut fleet = Fleet::with_issuer(site, "budget")?;
    for mode in [Mode::Strict, Mode::Lease] {
        let mut passed = Vec::new();
        for round in 0..size {
            passed.push(at_once(
                &mut fleet,
                mode,
                &mode.fresh('A', round),
                mode.of_product(),
                &mut verdict,
            )?);
        }
        // The policy knows this one by its number: there is one round of it.
        passed.push(at_once(&mut fleet, mode, mode.budgeted(), "/near/x", &mut verdict)?);
        let name =
            format!("{mode:?}, 100 at once of 50: passed at once, in all; sessions beside, after");
        verdict.figure(&name, json!(passed));
    }
    let mut random = Random::new(SEED);
    for mode in [Mode::Strict, Mode::Lease] {
        let mut spent = Vec::new();
        for round in 0..size.div_ceil(2 * KILLS) {
            spent.push(killed(
                &mut fleet,
                mode,
                &mode.fresh('B', round),
                &mut random,
                &mut verdict,
            )?);
        }
        verdict.figure(
            &format!("{mode:?}, coins spent of {LOAD_COINS} over {KILLS} kills"),
            json!(spent),
        );
    }
    Ok(verdict)
}

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Strict,
    Lease,
}

impl Mode {
    /// A workspace that nobody has used, with the policy's mode: routes say theirs.
    fn fresh(self, part: char, round: u64) -> String {
        let mode = if self == Self::Strict { '5' } else { 'E' };
        format!("B{part}{mode}{round:03}")
    }

    /// The workspace that has a budget of its own, and the mode.
    fn budgeted(self) -> &'static str {
        if self == Self::Strict { "BDGT5T" } else { "BDGT1E" }
    }

    fn of_product(self) -> &'static str {
        if self == Self::Strict { "/paid/strict/x" } else { "/paid/lease/x" }
    }

    fn of_load(self) -> &'static str {
        if self == Self::Strict { "/load/strict/x" } else { "/load/lease/x" }
    }
}

/// 100 requests with keys at once, with sessions beside them, then one by one; how many with keys have passed of
/// the crowd, and in all, and how many with sessions, before and after.
fn at_once(
    fleet: &mut Fleet<'_>,
    mode: Mode,
    workspace: &str,
    target: &'static str,
    verdict: &mut Verdict,
) -> Result<[usize; 4]> {
    let keys = keys(fleet, workspace)?;
    let gates = fleet.gates()?;
    let sessions =
        (0..4).map(|at| fleet.token(&format!("user-{at}"))).collect::<Result<Vec<_>>>()?;
    know_issuer(&gates, &sessions)?;
    let begun = Instant::now();
    let passing = || sessions_pass(&gates, &sessions, target);
    let crowd = Crowd { clients: 100, each: 1, time: TIMEOUT, every: Duration::ZERO };
    let (shots, beside) = std::thread::scope(|scope| -> Result<_> {
        let beside = scope.spawn(passing);
        let shots = crowd.run_at(&gates, &keys, target)?;
        Ok((shots, beside.join().map_err(|_| anyhow!("a client panicked"))??))
    })?;
    let lost = shots.iter().filter(|shot| !matches!(shot.status, 200 | 429)).count();
    let crowd = arrivals_since(fleet, begun).len().saturating_sub(beside);
    if mode == Mode::Lease {
        // What was lent comes back when the leases are over and told of.
        std::thread::sleep(SETTLED);
    }
    let refusal = one_by_one(fleet, &keys, target)?;
    let all = arrivals_since(fleet, begun).len().saturating_sub(beside);
    let after = passing()?;
    verdict.require(beside == SESSIONS && after == SESSIONS, || {
        format!(
            "{mode:?}, {workspace}: of {SESSIONS} sessions {beside} passed beside, {after} after"
        )
    });
    let told = || {
        format!("{mode:?}, {workspace}: {crowd} of 100 passed at once, {all} in all; {lost} lost")
    };
    verdict.require(all <= BUDGET && (mode == Mode::Lease || crowd <= BUDGET), told);
    let whole = all == BUDGET && (mode == Mode::Lease || crowd == BUDGET);
    if !whole && lost > 0 {
        verdict.undecided.push(told());
    } else {
        verdict.require(whole, told);
    }
    verdict.require(refusal.0 == "BUDGET_EXHAUSTED" && refusal.1 > 0, || {
        format!("{mode:?}, {workspace}: refused by {refusal:?}")
    });
    Ok([crowd, all, beside, after])
}

/// Waits until every isolate has the issuer's keys: what that takes is no matter of budgets.
fn know_issuer(gates: &[SocketAddr], sessions: &[String]) -> Result<()> {
    let deadline = Instant::now() + 3 * TIMEOUT;
    for gate in gates {
        let text = request("GET", "/near/x", sessions.first().map(String::as_str));
        while http::exchange(*gate, text.as_bytes(), TIMEOUT)?.status != 200 {
            ensure!(Instant::now() < deadline, "the issuer's keys do not come");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    Ok(())
}

/// How many requests with sessions pass, of [`SESSIONS`].
fn sessions_pass(gates: &[SocketAddr], sessions: &[String], target: &str) -> Result<usize> {
    let each = SESSIONS / gates.len();
    let crowd = Crowd { clients: gates.len(), each, time: TIMEOUT, every: Duration::ZERO };
    let shots = crowd.run_at(gates, sessions, target)?;
    Ok(shots.iter().filter(|shot| shot.status == 200).count())
}

/// A crowd that would spend more than the budget while workerd is killed; coins spent in all.
fn killed(
    fleet: &mut Fleet<'_>,
    mode: Mode,
    workspace: &str,
    random: &mut Random,
    verdict: &mut Verdict,
) -> Result<usize> {
    let keys = keys(fleet, workspace)?;
    let (begun, gates) = (Instant::now(), fleet.gates()?);
    let crowd = Crowd {
        clients: usize::from(ISOLATES) * 2,
        each: usize::MAX,
        time: Duration::from_secs(4 * KILLS),
        every: Duration::from_millis(100),
    };
    std::thread::scope(|scope| -> Result<Vec<Shot>> {
        let clients = scope.spawn(|| crowd.run_at(&gates, &keys, mode.of_load()));
        for _ in 0..KILLS {
            std::thread::sleep(Duration::from_millis(1000 + random.below(2000) as u64));
            kill(fleet)?;
        }
        clients.join().map_err(|_| anyhow!("a client panicked"))?
    })?;
    std::thread::sleep(SETTLED);
    let refusal = one_by_one(fleet, &keys, mode.of_load())?;
    let spent = arrivals_since(fleet, begun).len() * LOAD_COST;
    let told =
        || format!("{mode:?}, {workspace}: {spent} coins spent of {LOAD_COINS}; {refusal:?}");
    verdict.require(spent <= LOAD_COINS && refusal.0 == "BUDGET_EXHAUSTED", told);
    // Each kill loses what was lent then, and what was debited for requests that died with it.
    verdict.require(spent >= LOAD_COINS / 4, told);
    Ok(spent)
}

fn keys(fleet: &mut Fleet<'_>, workspace: &str) -> Result<Vec<String>> {
    fleet.call(workspace, &Call::Open { workspace: workspace.to_owned() })?;
    (0..4).map(|_| fleet.key(workspace, None).map(|(key, _)| key)).collect()
}

fn kill(fleet: &mut Fleet<'_>) -> Result<()> {
    let pid = fleet.pid(0)?.to_string();
    let killed = Command::new("kill").args(["-KILL", &pid]).status();
    ensure!(killed.context("cannot kill")?.success(), "workerd could not be killed");
    fleet.restart(0)
}

/// One request after the other until one is refused: its code, and the seconds to wait. Of one key in one
/// isolate, as what is lent to one is not there for others until its lease is over.
fn one_by_one(fleet: &Fleet<'_>, keys: &[String], target: &str) -> Result<(String, u64)> {
    let (gate, key) = (fleet.gates()?[0], &keys[0]);
    for _ in 0..MOST {
        let reply = http::exchange(gate, request("GET", target, Some(key)).as_bytes(), TIMEOUT)?;
        if reply.status == 429 {
            let wait = reply.header("retry-after").and_then(|wait| wait.parse().ok());
            return Ok((code(&reply), wait.unwrap_or(0)));
        }
    }
    Ok(("none".to_owned(), 0))
}

/// As the policy of the proofs has them.
const BUDGET: usize = 50;
/// Of each of two crowds.
const SESSIONS: usize = 80;
const LOAD_COINS: usize = 2000;
const LOAD_COST: usize = 3;
/// In each round under load.
const KILLS: u64 = 3;
/// A lease, the report at its end, and some time.
const SETTLED: Duration = Duration::from_secs(6);
const MOST: usize = 5000;
const SEED: u64 = 0x6275_6467_6574;
