//! A signed request of which one bit was changed is no signed request.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, ensure};
use portcullis::signature::Version;
use serde_json::json;

use super::fleet::{Fleet, ISOLATES, LEASE};
use super::progress::Progress;
use super::random::Random;
use super::signer::{HOST, Message, Signer};
use super::site::{Site, code, now};
use super::{Bar, Verdict};
use crate::http::{self, Reply};

pub(super) const BAR: Bar = Bar {
    name: "flip",
    goal: "every single-bit flip of method, target, timestamp, nonce, host, body, digest and signature of \
           signed requests is refused, by the gate (at least 80 %) or by the server, and the origin sees \
           none; but a host whose letters are in the other case is the same host",
    unit: "requests, of version 1 without and with a nonce, and of version 2",
    ci: 5,
    full: 50,
    sources: &[],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut fleet = Fleet::start(site, "flip")?;
    let signers = [
        fleet.signer(LEASE, Version::V1, false)?,
        fleet.signer(LEASE, Version::V1, true)?,
        fleet.signer(LEASE, Version::V2, false)?,
    ];
    let (mut random, mut tally) = (Random::new(SEED), Tally::default());
    for number in 0..size {
        let signer = &signers[number as usize % signers.len()];
        let target = format!("/near/flip?number={number}");
        let message = Message::post(target, now()?, &mut random);
        flip(&fleet, signer, &message, &mut tally, &mut verdict)?;
    }
    let Tally { flips, by_gate, by_server, unanswered, same, fields, codes } = tally;
    let refused = by_gate + by_server + unanswered;
    let share = by_gate as f64 / refused.max(1) as f64;
    verdict.require(share >= REACHED, || format!("only {share:.3} of the flips reach the gate"));
    verdict.require(fields.len() == FIELDS.len(), || format!("fields: {fields:?}"));
    // What is accepted is of the same host, and no more than that.
    let letters = HOST.bytes().filter(u8::is_ascii_alphabetic).count() as u64;
    verdict.require(same == size * letters, || format!("{same} flips are the same request"));
    verdict.figure("flips", flips);
    verdict.figure("refused_by_gate", by_gate);
    verdict.figure("refused_by_server", by_server);
    verdict.figure("unanswered", unanswered);
    verdict.figure("same_host_in_other_case", same);
    verdict.figure("share_that_reached_the_gate", (share * 1000.0).round() / 1000.0);
    verdict.figure("bits", json!(fields));
    verdict.figure("codes", json!(codes));
    Ok(verdict)
}

/// What came of the flips.
#[derive(Default)]
struct Tally {
    flips: u64,
    by_gate: u64,
    by_server: u64,
    /// The server ended the connection, or waited for more.
    unanswered: u64,
    same: u64,
    /// Bits by field.
    fields: BTreeMap<&'static str, u64>,
    /// Refusals of the gate.
    codes: BTreeMap<String, u64>,
}

/// Sends the request with each of its bits flipped, then as it is.
fn flip(
    fleet: &Fleet<'_>,
    signer: &Signer,
    message: &Message,
    tally: &mut Tally,
    verdict: &mut Verdict,
) -> Result<()> {
    let request = signer.sign(message);
    let before: usize = fleet.seen().values().sum();
    let bits = bits(&request)?;
    let gates = fleet.gates()?;
    let share = bits.len().div_ceil(CLIENTS);
    let answers = std::thread::scope(|scope| {
        let clients: Vec<_> = bits
            .chunks(share)
            .enumerate()
            .map(|(client, bits)| {
                let (gate, request) = (gates[client % usize::from(ISOLATES)], &request);
                scope.spawn(move || {
                    let flipped = bits.iter().map(|(_, at, bit)| flipped(request, *at, *bit));
                    flipped
                        .map(|bytes| http::exchange(gate, &bytes, TIMEOUT).ok())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let joined = clients.into_iter().map(|client| client.join());
        let joined = joined.map(|answers| answers.map_err(|_| anyhow!("a client panicked")));
        joined.collect::<Result<Vec<_>>>()
    })?;
    for ((field, at, bit), answer) in bits.iter().zip(answers.into_iter().flatten()) {
        *tally.fields.entry(field).or_default() += 1;
        tally.flips += 1;
        if *field == "host" && is_same_letter(request[*at], *bit) {
            tally.same += 1;
            continue;
        }
        let told =
            || format!("{field}, byte {at}, bit {bit}: {:?}", answer.as_ref().map(Reply::text));
        match &answer {
            None => tally.unanswered += 1,
            Some(reply) if reply.status < 400 => verdict.require(false, told),
            Some(reply) if reply.header("x-request-id").is_some() => {
                tally.by_gate += 1;
                *tally.codes.entry(code(reply)).or_default() += 1;
            }
            Some(_) => tally.by_server += 1,
        }
    }
    // One of those with the same host was the first; nothing but this one may have been admitted.
    let reply = http::exchange(gates[0], &request, TIMEOUT)?;
    let seen: usize = fleet.seen().values().sum();
    verdict.require(seen == before + 1, || format!("the origin saw {} requests", seen - before));
    verdict.require(code(&reply) == "REPLAYED_REQUEST", || format!("then: {}", reply.text()));
    Ok(())
}

/// The bits of the fields: their names, bytes and numbers.
fn bits(request: &[u8]) -> Result<Vec<(&'static str, usize, u8)>> {
    let text = String::from_utf8(request.to_vec())?;
    let (head, body) = text.split_once("\r\n\r\n").context("no end of the head")?;
    let mut bits = Vec::new();
    let mut add = |field, begin: usize, length: usize| {
        bits.extend((begin..begin + length).flat_map(|at| (0..8).map(move |bit| (field, at, bit))));
    };
    let mut words = head.split(' ');
    let method = words.next().context("method")?.len();
    add("method", 0, method);
    add("target", method + 1, words.next().context("target")?.len());
    add("body", head.len() + 4, body.len());
    let mut at = 0;
    for line in head.split_inclusive("\r\n") {
        let (name, value) = line.trim_end().split_once(": ").unwrap_or_default();
        let from = at + name.len() + 2;
        match name {
            "Host" => add("host", from, value.len()),
            "X-Timestamp" => add("timestamp", from, value.len()),
            "X-Nonce" => add("nonce", from, value.len()),
            "X-Signature" | "Signature" => add("signature", from, value.len()),
            "Content-Digest" => add("digest", from, value.len()),
            "Signature-Input" => {
                for (field, begin, end) in [
                    ("timestamp", "created=", ";"),
                    ("timestamp", "expires=", ";"),
                    ("nonce", "nonce=\"", "\""),
                ] {
                    let begin = value.find(begin).context(begin)? + begin.len();
                    let length = value[begin..].find(end).context(end)?;
                    add(field, from + begin, length);
                }
            }
            _ => {}
        }
        at += line.len();
    }
    ensure!(!bits.is_empty(), "nothing to flip");
    Ok(bits)
}

fn flipped(request: &[u8], at: usize, bit: u8) -> Vec<u8> {
    let mut bytes = request.to_vec();
    bytes[at] ^= 1 << bit;
    bytes
}

/// Whether the flip makes a small letter of a large one, or the other way round.
fn is_same_letter(byte: u8, bit: u8) -> bool {
    byte.is_ascii_alphabetic() && (byte ^ (1 << bit)).eq_ignore_ascii_case(&byte)
}

const FIELDS: [&str; 8] =
    ["method", "target", "timestamp", "nonce", "host", "body", "digest", "signature"];
const REACHED: f64 = 0.8;
const CLIENTS: usize = 16;
const SEED: u64 = 0x66_6C69_70;
/// For an answer: a server that waits for more of a request has none.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);
