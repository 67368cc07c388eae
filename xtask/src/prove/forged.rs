//! Keys that were never minted cost no look-up.

use anyhow::{Context, Result};
use flate2::Crc;
use portcullis::key::Workspace;
use portcullis::mint;
use portcullis::root::Keyring;

use super::progress::Progress;
use super::random::Random;
use super::site::{Gate, Site, now, request};
use super::upstream::Upstream;
use super::{Bar, Verdict};
use crate::interval::Interval;
use crate::keys::WORKSPACE;
use crate::load::{Load, Until, repeat};

pub(super) const BAR: Bar = Bar {
    name: "forged",
    goal: "forged keys: all 401, 0 KV reads, 0 requests at the origin, at most 20 µs of processor time added",
    unit: "keys of wrong tag, and as many invented secrets of one real kid, cold and warm",
    ci: 10_000,
    full: 10_000,
    sources: &["xtask/src/interval.rs"],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let origin = Upstream::start(|_, wire| wire.ok(""))?;
    let gate = site.start("forged", true, &site.options(origin.address)?)?;
    let (real, row) = site.key(0, now()?)?;
    gate.server.control.put_rows([row])?;
    let mut random = Random::new(SEED);
    let other = Keyring::parse(OTHER_ROOT)?;
    let invented = (0..size).map(|_| wrong_tag(&other, &mut random)).collect::<Result<Vec<_>>>()?;
    let secrets: Vec<_> = (0..size).map(|_| invented_secret(&real, &mut random)).collect();

    let mut verdict = Verdict::default();
    refused(&gate, &origin, "wrong tag", &invented, &mut verdict)?;
    refused(&gate, &origin, "invented secret, kid unknown here", &secrets, &mut verdict)?;
    let used = gate.get("/near/x", Some(&real))?;
    verdict.require(used.status == 200 && gate.kv_reads()? == 1, || {
        format!("the real key: {} after {:?} KV reads", used.status, gate.kv_reads())
    });
    refused(&gate, &origin, "invented secret, kid in memory", &secrets, &mut verdict)?;
    measure(&gate, &invented, &mut verdict)?;
    Ok(verdict)
}

/// Sends each key once and requires that nothing came of it.
fn refused(
    gate: &Gate,
    origin: &Upstream,
    what: &str,
    keys: &[String],
    verdict: &mut Verdict,
) -> Result<()> {
    gate.server.control.reset_counts()?;
    let before = origin.requests();
    let requests: Vec<_> = requests(keys);
    let report = repeat(&load(gate, requests.len() as u64), &requests)?;
    let (reads, arrived) = (gate.kv_reads()?, origin.requests() - before);
    if let Err(error) = report.all(401) {
        verdict.require(false, || format!("{what}: {error}"));
    }
    verdict.require(reads == 0, || format!("{what}: {reads} KV reads"));
    verdict.require(arrived == 0, || format!("{what}: {arrived} requests at the origin"));
    verdict.figure(
        what,
        serde_json::json!({ "answered_401": report.statuses.get(&401), "kv_reads": reads, "origin": arrived }),
    );
    gate.server.control.reset_counts()
}

/// Compares processor time of workerd a request, in rounds that take turns.
fn measure(gate: &Gate, forged: &[String], verdict: &mut Verdict) -> Result<()> {
    let kinds = [
        requests(forged),
        vec![request("GET", "/v1/public", None).into_bytes()],
        vec![request("GET", "/near/x", None).into_bytes()],
    ];
    let (mut public, mut missing) = (Vec::new(), Vec::new());
    let mut own = Vec::new();
    for round in 0..ROUNDS {
        let mut spent = [0.0; 3];
        for turn in 0..kinds.len() {
            // Each is first, and last, as often as the others.
            let kind = (round + turn) % kinds.len();
            let before = gate.processor()?;
            repeat(&load(gate, ROUND), &kinds[kind])?;
            spent[kind] = (gate.processor()? - before).as_secs_f64() * 1e6 / ROUND as f64;
        }
        own.push(spent[0]);
        public.push(spent[0] - spent[1]);
        missing.push(spent[0] - spent[2]);
    }
    for (name, samples) in [("over_public_us", &public), ("over_no_credential_us", &missing)] {
        verdict.at_most(name, samples, GOAL_MICROSECONDS, 1)?;
    }
    let reads = gate.kv_reads()?;
    verdict.require(reads == 0, || format!("while measuring: {reads} KV reads"));
    let own = Interval::of(&own).context("no rounds")?;
    verdict.figure("forged_us", serde_json::json!(rounded(&[own.median, own.low, own.high])));
    Ok(())
}

fn rounded(figures: &[f64]) -> Vec<f64> {
    figures.iter().map(|figure| (figure * 10.0).round() / 10.0).collect()
}

fn load(gate: &Gate, requests: u64) -> Load {
    Load { address: gate.address, connections: 8, until: Until::Requests(requests) }
}

fn requests(keys: &[String]) -> Vec<Vec<u8>> {
    keys.iter().map(|key| request("GET", "/near/x", Some(key)).into_bytes()).collect()
}

/// A key of the right form under a root that this gate does not have: its tags are wrong, its CRC
/// is right.
fn wrong_tag(other: &Keyring, random: &mut Random) -> Result<String> {
    let workspace = Workspace::parse(WORKSPACE).context("workspace")?;
    let minted = mint::native(other.newest(), "ak", workspace, &random.bytes());
    Ok(minted.context("prefix")?.secret.expose().to_owned())
}

/// A secret that nobody minted on the kid of a real key, its CRC right.
fn invented_secret(real: &str, random: &mut Random) -> String {
    let (head, _) = real.rsplit_once('_').unwrap_or((real, ""));
    let mut text = format!("{head}_0");
    text.extend((0..SECRET_AND_TAG).map(|_| char::from(*random.pick(ALPHABET))));
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    let symbol = |shift: u32| char::from(ALPHABET[(crc.sum() >> shift & 31) as usize]);
    text.extend([30, 25, 20, 15, 10, 5, 0].map(symbol));
    text
}

const SEED: u64 = 0x666F_7267_6564;
const OTHER_ROOT: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SECRET_AND_TAG: usize = 32;
const ROUNDS: usize = 15;
const ROUND: u64 = 1000;
const GOAL_MICROSECONDS: f64 = 20.0;

#[cfg(test)]
mod tests {
    use portcullis::key::KeyText;

    use super::*;

    #[test]
    fn forgeries_have_the_form_of_keys_and_are_not_ours() {
        let ours = Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        let mut random = Random::new(1);
        let real = wrong_tag(&ours, &mut random).unwrap();
        assert!(KeyText::recognise(&real).unwrap().unwrap().is_ours(&ours));
        let other = Keyring::parse(OTHER_ROOT).unwrap();
        let forged = [wrong_tag(&other, &mut random).unwrap(), invented_secret(&real, &mut random)];
        for text in forged {
            assert!(!KeyText::recognise(&text).unwrap().unwrap().is_ours(&ours), "{text}");
        }
    }
}
