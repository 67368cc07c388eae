//! A revocation is in effect when its answer says so.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use portcullis::record::Status;
use portcullis::workspace::call::{Answer, Call};

use super::crowd::{Crowd, Shot};
use super::fleet::{Fleet, ISOLATES, LEASE, STRICT};
use super::progress::Progress;
use super::random::Random;
use super::site::Site;
use super::{Bar, Verdict};

pub(super) const BAR: Bar = Bar {
    name: "revoke",
    goal: "revoked at random instants under load: strict, nothing sent after the answer is admitted; \
           lease, nothing sent after effective_by, which is at most 2.0 s away",
    unit: "times 20 keys in each mode, over 8 isolates",
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
        let mut bound = Duration::ZERO;
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
                bound = bound.max(revocation.effective.saturating_duration_since(revocation.asked));
            }
        }
        verdict.require(late == Duration::ZERO, || {
            format!("{workspace}: admitted {late:?} after the revocation was in effect")
        });
        verdict.require(used == revoked && refused == revoked, || {
            format!(
                "{workspace}: of {revoked} keys {used} were used and {refused} refused in the end"
            )
        });
        let most = if workspace == STRICT { ANSWER } else { Duration::from_secs(2) + ANSWER };
        verdict.require(bound <= most, || format!("{workspace}: in effect only after {bound:?}"));
        verdict.figure(
            workspace,
            serde_json::json!({ "revoked": revoked, "longest_until_effective_s": bound.as_secs_f64() }),
        );
    }
    Ok(verdict)
}

struct Batch {
    revocations: Vec<Revocation>,
    shots: Vec<Shot>,
}

struct Revocation {
    asked: Instant,
    /// Nothing sent after this may be admitted.
    effective: Instant,
}

fn batch(fleet: &mut Fleet<'_>, workspace: &str, random: &mut Random) -> Result<Batch> {
    let (mut keys, mut kids) = (Vec::new(), Vec::new());
    for _ in 0..KEYS {
        let (text, document) = fleet.key(workspace, None)?;
        keys.push(text);
        kids.push(document.kid);
    }
    let crowd = Crowd {
        clients: KEYS * usize::from(ISOLATES),
        each: usize::MAX,
        time: Duration::from_secs(7),
        every: Duration::from_millis(300),
    };
    let instants: Vec<Duration> =
        (0..KEYS).map(|_| Duration::from_millis(1000 + random.below(3000) as u64)).collect();
    let fleet = &*fleet;
    std::thread::scope(|scope| {
        let begun = Instant::now();
        let revoking: Vec<_> = kids
            .into_iter()
            .zip(instants)
            .map(|(kid, at)| {
                scope.spawn(move || {
                    std::thread::sleep((begun + at).saturating_duration_since(Instant::now()));
                    revoke(fleet, workspace, kid)
                })
            })
            .collect();
        let shots = fleet.run(&crowd, &keys)?.shots;
        let revocations = revoking
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
            .collect::<Result<_>>()?;
        Ok(Batch { revocations, shots })
    })
}

fn revoke(fleet: &Fleet<'_>, workspace: &str, kid: String) -> Result<Revocation> {
    let asked = Instant::now();
    let answer = fleet.call(workspace, &Call::SetStatus { kid, status: Status::Revoked })?;
    let Answer::Written { effective_by, .. } = answer else { bail!("{answer:?}") };
    let (answered, epoch) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH)?);
    let rest = Duration::from_millis(effective_by).saturating_sub(epoch);
    Ok(Revocation { asked, effective: answered + rest })
}

const KEYS: usize = 20;
const SEED: u64 = 0x7265_766F_6B65;
/// For the call itself, on a machine that has other work.
const ANSWER: Duration = Duration::from_millis(500);
