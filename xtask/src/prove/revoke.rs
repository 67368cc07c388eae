//! A revocation is in effect when its answer says so.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Error, Result, anyhow, bail};
use portcullis::record::Status;
use portcullis::workspace::call::{Answer, Call};
use serde_json::json;

use super::crowd::{Crowd, Shot};
use super::fleet::{Fleet, ISOLATES, LEASE, STRICT};
use super::progress::Progress;
use super::random::Random;
use super::site::Site;
use super::{Bar, Verdict};

pub(super) const BAR: Bar = Bar {
    name: "revoke",
    goal: "revoked at random instants under load, one by one and at last all at once: strict, nothing \
           sent after the answer is admitted; lease, nothing sent after effective_by, which is at \
           most 2.0 s after the answer, nor after an answer that was waited for; KV's copies follow in seconds",
    unit: "times 20 keys in each mode, over 8 isolates; then all of them and 90 more at once",
    ci: 1,
    full: 10,
    sources: &[],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut fleet = Fleet::start(site, "revoke")?;
    let mut random = Random::new(SEED);
    for workspace in [STRICT, LEASE] {
        let (mut revoked, mut used, mut refused, mut late) = (0, 0, 0, Duration::ZERO);
        let (mut bound, mut early, mut call) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        for _ in 0..size {
            let batch = batch(&mut fleet, workspace, &mut random)?;
            for (key, revocation) in batch.revocations.iter().enumerate() {
                let shots = || batch.shots.iter().filter(|shot| shot.key == key);
                let admitted = |shot: &&Shot| shot.status == 200;
                revoked += 1;
                used += usize::from(shots().any(|shot| shot.status == 200));
                refused += usize::from(shots().next_back().is_some_and(|shot| shot.status == 401));
                let last = shots().filter(admitted).map(|shot| shot.sent).max();
                let last = last.context("a key was never admitted")?;
                late = late.max(last.saturating_duration_since(revocation.effective));
                early = early.max(revocation.early);
                bound = bound.max(revocation.rest);
                call = call.max(revocation.call);
            }
        }
        verdict.require(late == Duration::ZERO, || {
            format!("{workspace}: admitted {late:?} after the revocation was in effect")
        });
        verdict.require(early == Duration::ZERO, || {
            format!("{workspace}: an answer that was waited for came {early:?} too early")
        });
        verdict.require(used == revoked && refused == revoked, || {
            format!(
                "{workspace}: of {revoked} keys {used} were used and {refused} refused in the end"
            )
        });
        let most = if workspace == STRICT { Duration::ZERO } else { LEASE_TIME };
        verdict.require(bound <= most, || {
            format!("{workspace}: in effect only {bound:?} after the answer")
        });
        verdict.require(call <= ANSWER, || format!("{workspace}: answered only after {call:?}"));
        verdict.figure(
            workspace,
            json!({ "revoked": revoked, "longest_call_s": call.as_secs_f64(),
                "longest_from_answer_until_effective_s": bound.as_secs_f64() }),
        );
        all_at_once(&mut fleet, workspace, &mut random, &mut verdict)?;
    }
    Ok(verdict)
}

/// Revokes every key of the workspace, those that are in use and those that no isolate has seen.
fn all_at_once(
    fleet: &mut Fleet<'_>,
    workspace: &str,
    random: &mut Random,
    verdict: &mut Verdict,
) -> Result<()> {
    let (used, mut kids) = keys(fleet, workspace, KEYS)?;
    let (idle, more) = keys(fleet, workspace, IDLE)?;
    kids.extend(more);
    let at = Duration::from_millis(1000 + random.below(3000) as u64);
    let fleet = &*fleet;
    let (shots, (asked, effective)) = std::thread::scope(|scope| -> Result<_> {
        let revoking = scope.spawn(move || {
            std::thread::sleep(at);
            let asked = Instant::now();
            let answer = fleet.call(workspace, &Call::RevokeAll)?;
            Ok::<_, Error>((asked, effective(&answer)?.0))
        });
        let shots = fleet.run(&CROWD, &used)?.shots;
        Ok((shots, revoking.join().map_err(|_| anyhow!("a thread panicked"))??))
    })?;
    let copied = until_copied(fleet, &kids, asked)?;
    let each = Crowd { clients: IDLE * usize::from(ISOLATES), each: 1, ..CROWD };
    let unseen = fleet.run(&each, &idle)?.shots;
    let late = shots.iter().filter(|shot| shot.status == 200 && shot.sent > effective).count();
    verdict.require(late == 0, || format!("{workspace}: {late} admitted after all were revoked"));
    for key in 0..KEYS {
        let mut own = shots.iter().filter(|shot| shot.key == key);
        let ends = [own.next(), own.next_back()].map(|shot| shot.map_or(0, |shot| shot.status));
        verdict.require(ends == [200, 401], || format!("{workspace}: a key is answered {ends:?}"));
    }
    let others = unseen.iter().filter(|shot| shot.status != 401).count();
    verdict.require(others == 0, || format!("{workspace}: of idle keys {others} are not refused"));
    verdict.require(copied.is_some(), || format!("{workspace}: copies in KV are not revoked"));
    verdict.figure(
        &format!("{workspace}, all at once"),
        json!({ "until_effective_s": effective.saturating_duration_since(asked).as_secs_f64(),
            "copied_within_s": copied.map(|time| time.as_secs_f64().round()) }),
    );
    Ok(())
}

/// How long it takes until KV's copies of all these keys are revoked.
fn until_copied(fleet: &Fleet<'_>, kids: &[String], asked: Instant) -> Result<Option<Duration>> {
    let mut left: Vec<&String> = kids.iter().collect();
    while asked.elapsed() < COPIED {
        let mut others = Vec::new();
        for kid in left {
            let copy = fleet.copy(kid)?;
            if copy.is_none_or(|copy| copy.status != Status::Revoked) {
                others.push(kid);
            }
        }
        if others.is_empty() {
            return Ok(Some(asked.elapsed()));
        }
        left = others;
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(None)
}

struct Batch {
    revocations: Vec<Revocation>,
    shots: Vec<Shot>,
}

struct Revocation {
    /// How long its answer took.
    call: Duration,
    /// Nothing sent after this may be admitted.
    effective: Instant,
    /// How long before that the answer came.
    rest: Duration,
    /// The same if the answer was to wait for it.
    early: Duration,
}

fn batch(fleet: &mut Fleet<'_>, workspace: &str, random: &mut Random) -> Result<Batch> {
    let (keys, kids) = keys(fleet, workspace, KEYS)?;
    let instants: Vec<Duration> =
        (0..KEYS).map(|_| Duration::from_millis(1000 + random.below(3000) as u64)).collect();
    let fleet = &*fleet;
    std::thread::scope(|scope| {
        let begun = Instant::now();
        let revoking: Vec<_> = kids
            .into_iter()
            .zip(instants)
            .enumerate()
            .map(|(number, (kid, at))| {
                scope.spawn(move || {
                    std::thread::sleep((begun + at).saturating_duration_since(Instant::now()));
                    revoke(fleet, workspace, kid, number % 4 == 0)
                })
            })
            .collect();
        let shots = fleet.run(&CROWD, &keys)?.shots;
        let revocations = revoking
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
            .collect::<Result<_>>()?;
        Ok(Batch { revocations, shots })
    })
}

/// Texts and kids of so many new keys.
fn keys(
    fleet: &mut Fleet<'_>,
    workspace: &str,
    count: usize,
) -> Result<(Vec<String>, Vec<String>)> {
    let keys = (0..count).map(|_| fleet.key(workspace, None));
    keys.map(|key| key.map(|(text, document)| (text, document.kid))).collect()
}

fn revoke(fleet: &Fleet<'_>, workspace: &str, kid: String, wait: bool) -> Result<Revocation> {
    let asked = Instant::now();
    let call = Call::SetStatus { kid, status: Status::Revoked };
    let answer = if wait {
        fleet.call_until_effective(workspace, &call)?
    } else {
        fleet.call(workspace, &call)?
    };
    let call = if wait { Duration::ZERO } else { asked.elapsed() };
    let (effective, rest) = effective(&answer)?;
    Ok(Revocation { call, effective, rest, early: if wait { rest } else { Duration::ZERO } })
}

/// When the change that was just answered so is in effect, not before its answer; how long that is
/// from now.
fn effective(answer: &Answer) -> Result<(Instant, Duration)> {
    let Answer::Written { effective_by, .. } = answer else { bail!("{answer:?}") };
    let (answered, epoch) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH)?);
    let rest = Duration::from_millis(*effective_by).saturating_sub(epoch);
    Ok((answered + rest, rest))
}

const KEYS: usize = 20;
/// With those in use more than the Workspace's alarm takes at a time.
const IDLE: usize = 90;
const CROWD: Crowd = Crowd {
    clients: KEYS * ISOLATES as usize,
    each: usize::MAX,
    time: Duration::from_secs(7),
    every: Duration::from_millis(300),
};
/// For all copies of a workspace, 100 at a time.
const COPIED: Duration = Duration::from_secs(30);
const SEED: u64 = 0x7265_766F_6B65;
/// Of the default policy.
const LEASE_TIME: Duration = Duration::from_secs(2);
/// For a call among the crowd's, which may be more than the machine can do at a time.
const ANSWER: Duration = Duration::from_secs(5);
