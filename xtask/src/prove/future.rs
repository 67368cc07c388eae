//! A signature of the future is not good for longer, nor more often, than one of now.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use portcullis::signature::{Version, window};
use serde_json::json;

use super::fleet::{Fleet, LEASE};
use super::progress::Progress;
use super::random::Random;
use super::signer::Message;
use super::site::{Site, TIMEOUT, code, now};
use super::{Bar, Verdict};
use crate::http;

pub(super) const BAR: Bar = Bar {
    name: "future",
    goal: "requests that are signed as far ahead as may be are accepted once, and never again until their \
           window is over and everything of them is forgotten, nor after workerd was killed",
    unit: "seconds until the window ends, in each of which every isolate is asked again",
    ci: 10,
    full: window::OLDEST_SECONDS + window::AHEAD_SECONDS - 1,
    sources: &[],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut fleet = Fleet::start(site, "future")?;
    let mut random = Random::new(SEED);
    let made = (now()? + size).saturating_sub(window::OLDEST_SECONDS);
    let mut requests = Vec::new();
    for (number, (version, nonce)) in
        [(Version::V1, false), (Version::V1, true), (Version::V2, false)].into_iter().enumerate()
    {
        let signer = fleet.signer(LEASE, version, nonce)?;
        let message = Message::post(format!("/near/future?number={number}"), made, &mut random);
        requests.push((message.target.clone(), signer.sign(&message)));
    }
    let after = if size == BAR.full { AFTER } else { CI_AFTER };
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    let begun = Instant::now();
    for second in 0..size + after {
        std::thread::sleep(
            (begun + Duration::from_secs(second)).saturating_duration_since(Instant::now()),
        );
        if second == size / 2 {
            let pid = fleet.pid(0)?.to_string();
            let killed = Command::new("kill").args(["-KILL", &pid]).status();
            ensure!(killed.context("cannot kill")?.success(), "workerd could not be killed");
            fleet.restart(0)?;
        }
        for gate in fleet.gates()? {
            for (_, request) in &requests {
                let reply = http::exchange(gate, request, TIMEOUT)?;
                *told.entry(format!("{} {}", reply.status, code(&reply))).or_default() += 1;
            }
        }
    }
    let seen = fleet.seen();
    for (target, _) in &requests {
        let count = seen.get(target.as_bytes()).copied().unwrap_or_default();
        verdict.require(count == 1, || format!("{target}: forwarded {count} times"));
    }
    let all = ["200 ", "401 REPLAYED_REQUEST", "401 STALE_TIMESTAMP"];
    verdict
        .require(told.len() == all.len() && all.iter().all(|own| told.contains_key(*own)), || {
            format!("answers: {told:?}")
        });
    verdict.require(told.get(all[0]) == Some(&(requests.len() as u64)), || format!("{told:?}"));
    verdict.figure("answers", json!(told));
    Ok(verdict)
}

/// Seconds, until nothing of it is left.
const AFTER: u64 = window::MARGIN_SECONDS + 10;
const CI_AFTER: u64 = 4;
const SEED: u64 = 0x6675_7475_7265;
