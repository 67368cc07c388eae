//! A key that is given a new secret.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use portcullis::management::time;
use serde_json::{Value, json};

use super::desk::{Desk, create, text, until};
use super::progress::Progress;
use super::site::{Site, TIMEOUT, request};
use super::{Bar, Verdict};
use crate::api::Api;
use crate::http;

pub(super) const BAR: Bar = Bar {
    name: "rotation",
    goal: "in each mode over 4 isolates: the new secret works at once, the old one until its grace ends \
           and not after; kid, limits and usage stay; both secrets share one quota",
    unit: "keys in each mode, at a time",
    ci: 4,
    full: 100,
    sources: super::roles::SOURCES,
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let desk = Desk::start(site, "rotation", ISOLATES)?;
    let (workspace, owner) = (desk.workspace()?, desk.subject("owner")?);
    let gates = desk.gate()?.gates(ISOLATES);
    for (mode, target) in MODES {
        let (mut shots, mut told) = (0_usize, Vec::new());
        let mut left = size;
        while left > 0 {
            let some = left.min(AT_ONCE);
            left -= some;
            let rotations = std::thread::scope(|scope| {
                let rotating: Vec<_> = (0..some)
                    .map(|_| scope.spawn(|| Rotation::run(&owner, &workspace, &gates, target)))
                    .collect();
                rotating
                    .into_iter()
                    .map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
                    .collect::<Result<Vec<_>>>()
            })?;
            for rotation in rotations {
                rotation.judge(mode, &mut verdict);
                shots += rotation.shots.len();
                told.push(rotation.admitted);
            }
        }
        let shared = shared(&owner, &workspace, &gates, target)?;
        let enough = if mode == "strict" { QUOTA } else { 1 };
        verdict.require((enough..=QUOTA).contains(&shared), || {
            format!("{mode}: of a quota of {QUOTA} both secrets had {shared}")
        });
        verdict.figure(
            mode,
            json!({ "rotations": size, "requests": shots, "admitted": told.iter().sum::<u64>(),
                "admitted_of_a_quota_of_20": shared }),
        );
    }
    Ok(verdict)
}

/// A request with one of the secrets.
struct Shot {
    old: bool,
    /// Milliseconds since 1970.
    sent: u64,
    answered: u64,
    status: u16,
}

/// One key, before and after.
struct Rotation {
    shots: Vec<Shot>,
    /// When the new secret was told, in milliseconds since 1970.
    told: u64,
    /// The first millisecond in which the old secret works no more.
    end: u64,
    before: Value,
    after: Value,
    /// Requests that were answered 200, and what the usage says in the end.
    admitted: u64,
    used: u64,
    used_at_rotation: (u64, u64),
}

impl Rotation {
    fn run(owner: &Api, workspace: &str, gates: &[SocketAddr], target: &str) -> Result<Self> {
        let limits = json!({ "requests": 100_000, "window_seconds": 3600, "burst": 100_000 });
        let fields = json!({ "scopes": ["proof:read"], "limits": limits });
        let (kid, old) = create(owner, workspace, &fields)?;
        let path = format!("{workspace}/api-keys/{kid}");
        // Every isolate has the key before.
        let mut shots = Vec::new();
        for gate in gates {
            shots.push(shot(*gate, target, &old, true)?);
        }
        let before = owner.done("GET", &path, None)?;
        let used_before = used(owner, &path)?;
        let rotated = owner.done(
            "POST",
            &format!("{path}/rotate"),
            Some(&json!({ "grace_seconds": GRACE.as_secs() })),
        )?;
        let (told, new) = (now()?, text(&rotated, "secret")?);
        let used_at_rotation = (used_before, used(owner, &path)?);
        let after = owner.done("GET", &path, None)?;
        let end = text(&after["secrets"][0], "expires")?;
        let end = time::parse(&end).context("the grace's end is no time")? * 1000;
        while now()? < end + AFTER {
            for gate in gates {
                shots.push(shot(*gate, target, &new, false)?);
                shots.push(shot(*gate, target, &old, true)?);
            }
            std::thread::sleep(Duration::from_millis(40));
        }
        let admitted = shots.iter().filter(|shot| shot.status == 200).count() as u64;
        let mut last = 0;
        until(|| {
            last = used(owner, &path)?;
            Ok(last >= admitted)
        })?;
        Ok(Self { shots, told, end, before, after, admitted, used: last, used_at_rotation })
    }

    fn judge(&self, mode: &str, verdict: &mut Verdict) {
        let Self { before, after, end, .. } = self;
        let refused = self.shots.iter().filter(|shot| !shot.old && shot.status != 200);
        let late = refused.clone().map(|shot| shot.sent.saturating_sub(self.told)).max();
        verdict.require(late.is_none(), || {
            let (count, late) = (refused.count(), late.unwrap_or_default());
            format!("{mode}: the new secret is refused {count} times, {late} ms after it was told")
        });
        for shot in self.shots.iter().filter(|shot| shot.old) {
            let expected = match shot {
                shot if shot.answered < *end => 200,
                shot if shot.sent >= *end => 401,
                // Under way when the grace ended.
                _ => continue,
            };
            verdict.require(shot.status == expected, || {
                let when = i128::from(shot.sent) - i128::from(*end);
                format!("{mode}: the old secret is {} {when} ms after the end", shot.status)
            });
        }
        let counts = |old, status| {
            self.shots.iter().filter(|shot| (shot.old, shot.status) == (old, status)).count()
        };
        let seen = counts(true, 200) > 8 && counts(true, 401) > 3 && counts(false, 200) > 8;
        verdict.require(seen, || format!("{mode}: too few requests on either side of the end"));
        for name in ["id", "limits", "tier", "scopes", "created", "prefix"] {
            verdict.require(before[name] == after[name], || {
                format!("{mode}: {name} was {} and is {}", before[name], after[name])
            });
        }
        let generations = |key: &Value| -> Vec<u64> {
            let secrets = key["secrets"].as_array().into_iter().flatten();
            secrets.filter_map(|secret| secret["generation"].as_u64()).collect()
        };
        verdict.require((generations(before), generations(after)) == (vec![0], vec![0, 1]), || {
            format!("{mode}: secrets {}", after["secrets"])
        });
        let (was, is) = self.used_at_rotation;
        verdict.require(was <= is, || format!("{mode}: usage fell from {was} to {is}"));
        // A request that was counted when the grace ended is refused all the same.
        let overtaken = self.shots.iter().filter(|shot| {
            shot.old && shot.status == 401 && shot.sent < *end && shot.answered >= *end
        });
        let most = self.admitted.saturating_add(overtaken.count() as u64);
        verdict.require((self.admitted..=most).contains(&self.used), || {
            format!("{mode}: {} admitted, at most {most}; usage says {}", self.admitted, self.used)
        });
    }
}

/// How many requests both secrets of a key with a quota are granted together.
fn shared(owner: &Api, workspace: &str, gates: &[SocketAddr], target: &str) -> Result<u64> {
    let limits = json!({ "requests": QUOTA, "window_seconds": 86_400, "burst": QUOTA });
    let fields = json!({ "scopes": ["proof:read"], "limits": limits });
    let (kid, old) = create(owner, workspace, &fields)?;
    let mut admitted = 0;
    for gate in gates {
        admitted += u64::from(shot(*gate, target, &old, true)?.status == 200);
    }
    let path = format!("{workspace}/api-keys/{kid}/rotate");
    let rotated = owner.done("POST", &path, Some(&json!({ "grace_seconds": 600 })))?;
    let new = text(&rotated, "secret")?;
    for _ in 0..QUOTA {
        for gate in gates {
            for (key, is_old) in [(&old, true), (&new, false)] {
                admitted += u64::from(shot(*gate, target, key, is_old)?.status == 200);
            }
        }
    }
    Ok(admitted)
}

fn shot(gate: SocketAddr, target: &str, key: &str, old: bool) -> Result<Shot> {
    let sent = now()?;
    let reply = http::exchange(gate, request("GET", target, Some(key)).as_bytes(), TIMEOUT)?;
    Ok(Shot { old, sent, answered: now()?, status: reply.status })
}

/// Requests for certain, by the hour.
fn used(owner: &Api, key: &str) -> Result<u64> {
    let usage = owner.done("GET", &format!("{key}/usage"), None)?;
    let hours = usage["hours"].as_array().context("hours")?;
    Ok(hours.iter().filter_map(|hour| hour["exact"].as_u64()).sum())
}

/// Milliseconds since 1970.
fn now() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

const MODES: [(&str, &str); 2] = [("lease", "/near/x"), ("strict", "/strict/x")];
const ISOLATES: u16 = 4;
const GRACE: Duration = Duration::from_secs(4);
/// Milliseconds.
const AFTER: u64 = 1500;
const AT_ONCE: u64 = 10;
const QUOTA: u64 = 20;
