//! Authorised bytes are forwarded bytes.
//!
//! Random request targets go over raw kept-alive connections to a gate in front of an origin that
//! records them raw. After each answer the origin has either the target that was sent, byte for
//! byte, or nothing. Targets that the grammar accepts by construction must arrive and be answered
//! 200; those that it refuses by construction must not arrive. Every case runs twice, before a
//! service binding and before a URL.
//!
//! Left out are the characters that HTTP has no place for in a target: white space, controls and
//! `#` (workerd drops a fragment, and the scheme and host of an absolute form, before the Worker
//! sees the request). Raw `"`, `<` and `>` workerd refuses itself, so that nothing is expected of a
//! query that holds them but that it arrives as it is or not at all.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::progress::Progress;
use super::random::Random;
use super::site::{Site, TIMEOUT, now};
use super::upstream::Upstream;
use super::{Bar, Verdict};
use crate::http::{Connection, Reply};

pub(super) const BAR: Bar = Bar {
    name: "targets",
    goal: "the origin sees the target that was sent, byte for byte, or nothing; at least half are accepted",
    unit: "random targets, each before a service binding and a URL",
    ci: 10_000,
    full: 100_000,
    sources: &[],
    run,
};

/// What is known of a target by how it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Accepted,
    Refused,
    Either,
}

#[derive(Debug)]
struct Case {
    target: Vec<u8>,
    expected: Expected,
}

/// Counts over all cases.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
struct Counts {
    /// Targets made so far; each is a case before each upstream.
    targets: u64,
    cases: u64,
    acceptable: u64,
    forwarded: u64,
    refused: u64,
}

/// What the origin saw, by the number of the case.
type Arrived = Arc<Mutex<BTreeMap<u64, Vec<Vec<u8>>>>>;

fn run(site: &Site, size: u64, progress: &mut Progress) -> Result<Verdict> {
    let arrived = Arrived::default();
    let recorder = Arc::clone(&arrived);
    let origin = Upstream::start(move |seen, wire| {
        let case = seen.header("x-case").and_then(|case| case.parse().ok()).unwrap_or(u64::MAX);
        let mut arrived = recorder.lock().unwrap_or_else(PoisonError::into_inner);
        arrived.entry(case).or_default().push(seen.target.clone());
        drop(arrived);
        wire.ok("")
    })?;
    let gate = site.start("targets", true, &site.options(origin.address)?)?;
    let (key, row) = site.key(0, now()?)?;
    gate.server.control.put_rows([row])?;

    let mut counts: Counts = progress.state();
    let mut verdict = Verdict::default();
    while counts.targets < size && verdict.broken.is_empty() {
        let batch = BATCH.min(size - counts.targets);
        let first = counts.targets;
        let parts = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..CONNECTIONS)
                .map(|part| {
                    let (key, arrived) = (&key, &arrived);
                    let numbers = (first + part..first + batch).step_by(CONNECTIONS as usize);
                    scope.spawn(move || check(gate.address, key, arrived, numbers))
                })
                .collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Part>>| {
                thread.join().map_err(|_| anyhow!("a thread panicked"))?
            };
            threads.into_iter().map(join).collect::<Result<Vec<_>>>()
        })?;
        for part in parts {
            counts.cases += part.counts.cases;
            counts.acceptable += part.counts.acceptable;
            counts.forwarded += part.counts.forwarded;
            counts.refused += part.counts.refused;
            for broken in part.broken {
                verdict.require(false, || broken);
            }
        }
        counts.targets += batch;
        // What arrives late arrives all the same.
        let left = arrived.lock().unwrap_or_else(PoisonError::into_inner).len();
        verdict
            .require(left == 0, || format!("{left} requests reached the origin unaccounted for"));
        progress.save(&counts)?;
    }
    verdict.require(counts.forwarded * 2 >= counts.cases, || {
        format!("{} of {} forwarded: less than half", counts.forwarded, counts.cases)
    });
    verdict.figure("targets", counts.targets);
    verdict.figure("cases", counts.cases);
    verdict.figure("acceptable_by_construction", counts.acceptable);
    verdict.figure("forwarded_byte_for_byte", counts.forwarded);
    verdict.figure("refused_and_never_arrived", counts.refused);
    verdict.figure("seed", json!(SEED));
    Ok(verdict)
}

#[derive(Default)]
struct Part {
    counts: Counts,
    broken: Vec<String>,
}

/// Sends the targets of these numbers on one connection, each to both upstreams.
fn check(
    gate: SocketAddr,
    key: &str,
    arrived: &Arrived,
    numbers: impl Iterator<Item = u64>,
) -> Result<Part> {
    let mut part = Part::default();
    let mut connection = Connection::open(gate, TIMEOUT)?;
    for number in numbers {
        for (side, upstream) in UPSTREAMS.into_iter().enumerate() {
            let case = Case::make(number, upstream);
            let name = number * 2 + side as u64;
            let mut bytes = b"GET ".to_vec();
            bytes.extend_from_slice(&case.target);
            bytes.extend_from_slice(
                format!(
                    " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\nX-Case: {name}\r\n\r\n"
                )
                .as_bytes(),
            );
            // A server may refuse and close before it has read all.
            let sent = connection.send(&bytes);
            let reply = connection.receive(false);
            if reply.is_err() {
                sent.context("cannot send")?;
            }
            let shown = || {
                let target: String =
                    String::from_utf8_lossy(&case.target).chars().take(SHOWN).collect();
                format!("case {name}: {target}")
            };
            let reply = reply.with_context(shown)?;
            if reply.close {
                connection = Connection::open(gate, TIMEOUT)?;
            }
            let seen = arrived.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
            part.judge(&case, &reply, &seen.unwrap_or_default(), &shown);
        }
    }
    Ok(part)
}

impl Part {
    fn judge(&mut self, case: &Case, reply: &Reply, seen: &[Vec<u8>], shown: &dyn Fn() -> String) {
        let status = reply.status;
        let forwarded = !seen.is_empty();
        let mut require = |holds: bool, what: &str| {
            if !holds {
                self.broken.push(format!("{what}: {} ({status} {})", shown(), reply.text()));
            }
        };
        require(seen.len() <= 1, "arrived more than once");
        require(seen.iter().all(|target| *target == case.target), "arrived changed");
        require(forwarded == (status == 200), "answered as if it had not gone as it went");
        require(case.expected != Expected::Accepted || forwarded, "acceptable and not forwarded");
        require(case.expected != Expected::Refused || !forwarded, "forwarded, not acceptable");
        require(forwarded || (400..500).contains(&status), "refused by another status");
        self.counts.cases += 1;
        self.counts.acceptable += u64::from(case.expected == Expected::Accepted);
        self.counts.forwarded += u64::from(forwarded);
        self.counts.refused += u64::from(!forwarded);
    }
}

impl Case {
    /// The target of this number before this upstream: the same bytes but for the first segment.
    fn make(number: u64, upstream: &str) -> Self {
        let mut random = Random::new(SEED ^ number.wrapping_mul(0x5851_F42D_4C95_7F2D));
        let mut target = format!("/{upstream}").into_bytes();
        let from = target.len();
        for _ in 0..1 + random.below(6) {
            target.push(b'/');
            segment(&mut random, &mut target);
        }
        if random.once_in(100) {
            let length = MAX_PATH - 2 - random.below(40);
            target.resize(length.max(target.len()), b'l');
        }
        let path = target.len();
        let mut expected = Expected::Accepted;
        if random.once_in(2) {
            let long = if random.once_in(50) { 8000 } else { 40 };
            target.push(b'?');
            let any = random.once_in(4);
            for _ in 0..=random.below(long) {
                target.push(if any { visible(&mut random) } else { plain_query(&mut random) });
            }
            let holds = |some: &[u8]| target[path..].iter().any(|byte| some.contains(byte));
            // Where `fetch` parses the URL anew these would be rewritten.
            if upstream == "far" && holds(b"\"'<>") {
                expected = Expected::Refused;
            } else if holds(b"\"<>") {
                expected = Expected::Either;
            }
        }
        if random.once_in(3) {
            expected = mutate(&mut random, &mut target, from, path).unwrap_or(expected);
        }
        Self { target, expected }
    }
}

/// A segment in the one accepted spelling.
fn segment(random: &mut Random, target: &mut Vec<u8>) {
    // What follows a dot makes it no dot segment.
    if random.once_in(8) {
        target.extend(std::iter::repeat_n(b'.', 1 + random.below(3)));
    }
    for _ in 0..=random.below(10) {
        if random.once_in(6) {
            target.extend_from_slice(random.pick(ESCAPES).as_bytes());
        } else {
            target.push(*random.pick(PLAIN));
        }
    }
}

/// Any byte that a target may hold on the wire.
fn visible(random: &mut Random) -> u8 {
    match b'!' + random.below(usize::from(b'~' - b'!') + 1) as u8 {
        b'#' => b'=',
        byte => byte,
    }
}

/// A byte that a query may hold before every upstream.
fn plain_query(random: &mut Random) -> u8 {
    match visible(random) {
        b'"' | b'\'' | b'<' | b'>' => b'%',
        byte => byte,
    }
}

/// Spoils a target somehow; what is to come of it, if that is certain.
fn mutate(random: &mut Random, target: &mut Vec<u8>, from: usize, path: usize) -> Option<Expected> {
    // Somewhere in the path behind the first segment, at a segment's start, and anywhere.
    let inside = from + 1 + random.below(path - from);
    let slashes: Vec<_> = (from..path).filter(|&at| target[at] == b'/').collect();
    let start = *random.pick(&slashes) + 1;
    let anywhere = from + random.below(target.len() - from);
    let mut insert = |at: usize, bytes: &[u8]| drop(target.splice(at..at, bytes.iter().copied()));
    match random.below(9) {
        0 => {
            insert(start, random.pick(SEGMENTS).as_bytes());
            Some(Expected::Refused)
        }
        1 => {
            insert(path, random.pick(ENDS).as_bytes());
            // Before a query some of these are part of it.
            Some(Expected::Either)
        }
        2 => {
            // Inside an escape this may make another one; it is no accepted text there either.
            insert(inside, random.pick(TEXTS).as_bytes());
            Some(Expected::Refused)
        }
        3 => {
            let odd = [*random.pick(ODD)];
            insert(inside, &odd);
            Some(Expected::Refused)
        }
        4 => {
            target[anywhere] = visible(random);
            Some(Expected::Either)
        }
        5 => {
            target.remove(anywhere);
            Some(Expected::Either)
        }
        6 => {
            let high = [0x80 | random.next() as u8];
            insert(anywhere, &high);
            Some(Expected::Either)
        }
        7 => {
            let more = vec![b'x'; MAX_PATH + 1 + random.below(2000)];
            insert(start, &more);
            Some(Expected::Refused)
        }
        _ => {
            for _ in 0..1 + random.below(4) {
                let byte = [visible(random)];
                insert(from + 1, &byte);
            }
            Some(Expected::Either)
        }
    }
}

const SEED: u64 = 0x706F_7274_6375_6C6C;
const UPSTREAMS: [&str; 2] = ["near", "far"];
const CONNECTIONS: u64 = 8;
/// Characters of a target in a message.
const SHOWN: usize = 200;
/// Targets between two notes of progress.
const BATCH: u64 = 5000;
/// The longest path the gate takes, in bytes.
const MAX_PATH: usize = 4096;

/// What a segment may hold as it is, dots apart.
const PLAIN: &[u8] =
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_~!$&'()*+,=:@[]";
/// What a segment may hold encoded.
const ESCAPES: &[&str] = &[
    "%20",
    "%21",
    "%22",
    "%24",
    "%26",
    "%27",
    "%28",
    "%2A",
    "%2B",
    "%2C",
    "%3A",
    "%3C",
    "%3D",
    "%3E",
    "%40",
    "%5B",
    "%5D",
    "%5E",
    "%60",
    "%7B",
    "%7C",
    "%7D",
    "%C3%A9",
    "%E2%82%AC",
    "%F0%9F%9A%AA",
    "%EF%BB%BF",
    "%C2%A0",
];
/// Refused at the start of a segment.
const SEGMENTS: &[&str] = &[
    "/",
    "./",
    "../",
    "../../",
    "%2e/",
    "%2e%2e/",
    ".%2e/",
    "%2E%2E/",
    "..%2f",
    "..%2F",
    "..%5C",
    "..\\",
    ".;/",
    "..;x/",
    ";/",
    "%2F",
    "%00/",
    "%252e%252e/",
    "%25%32%65/",
    "..%00/",
    "%c0%ae/",
];
/// Refused, most of them, at the end of a path.
const ENDS: &[&str] = &["/", "/.", "/..", "/%2e", "?", ";", "/;", "%", "%2", "/../", "\\", "%2F"];
/// Refused wherever they stand in the path.
const TEXTS: &[&str] = &[
    "%2f",
    "%5c",
    "%3b",
    "%3f",
    "%23",
    "%25",
    "%2561",
    "%c3%a9",
    "%61",
    "%41",
    "%30",
    "%7E",
    "%2D",
    "%5F",
    "%00",
    "%0A",
    "%0D%0A",
    "%09",
    "%1F",
    "%7F",
    "%80",
    "%C3",
    "%C3A",
    "%ED%A0%80",
    "%F5%80%80%80",
    "%C0%AF",
    "%FF",
    "%zz",
    "%G1",
    "%u002e",
    "%%",
    "%+1",
];
/// Refused wherever they stand in the path.
const ODD: &[u8] = b"\"<>^`{|}\\;";

#[cfg(test)]
mod tests {
    use portcullis::target::Classes;
    use portcullis::target::Target;

    use super::*;

    #[test]
    fn most_are_acceptable_and_what_is_said_of_them_is_so() {
        let mut acceptable = 0;
        for number in 0..20_000 {
            let Case { target, expected } = Case::make(number, "near");
            let text = std::str::from_utf8(&target).unwrap_or("\u{80}");
            let accepted = Target::parse(text, Classes::NONE).is_ok();
            match expected {
                Expected::Accepted => assert!(accepted, "{text}"),
                Expected::Refused => assert!(!accepted, "{text}"),
                Expected::Either => {}
            }
            acceptable += u64::from(expected == Expected::Accepted);
        }
        assert!(acceptable > 12_000, "{acceptable}");
    }
}
