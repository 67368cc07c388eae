//! A signed request is forwarded at most once, however often it is sent.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use portcullis::signature::Version;
use serde_json::json;

use super::fleet::{Fleet, ISOLATES, LEASE};
use super::progress::Progress;
use super::random::Random;
use super::signer::{Message, Signer};
use super::site::{Site, code, now};
use super::{Bar, Verdict};
use crate::http::Connection;

pub(super) const BAR: Bar = Bar {
    name: "replay",
    goal: "signed changes, each sent 64 times at once through 8 isolates, are each forwarded exactly \
           once; while processes are killed (SIGKILL) and the Workspace loses its memory and its \
           answers, none twice, and every answer is one 200, a refusal or 503",
    unit: "requests, half of each version; and as many, at most 500, in each way of failing",
    ci: 100,
    full: 1000,
    sources: &[],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let fleet = Fleet::start(site, "replay")?;
    calm(fleet, size as usize, &mut verdict)?;
    for (name, split) in [("killed", false), ("killed, two gate processes", true)] {
        let start = if split { Fleet::split } else { Fleet::start };
        storm(start(site, "replay")?, name, (size as usize).min(500), &mut verdict)?;
    }
    Ok(verdict)
}

fn calm(mut fleet: Fleet<'_>, size: usize, verdict: &mut Verdict) -> Result<()> {
    let signers = signers(&mut fleet)?;
    let salvo = Salvo::new("calm", &signers, size);
    let answers = salvo.fire(&fleet.gates()?)?;
    let tally = Tally::of(&salvo, &answers, &fleet);
    let exact = tally.forwarded == size && tally.twice == 0 && tally.accepted == size;
    let refused = BTreeMap::from([
        ("200".to_owned(), size),
        ("401 REPLAYED_REQUEST".to_owned(), size * (COPIES - 1)),
    ]);
    verdict.require(exact && tally.told == refused, || format!("of {size}: {tally:?}"));
    verdict.figure("calm", tally.figures());
    Ok(())
}

/// The same while processes end and the Workspace fails.
fn storm(mut fleet: Fleet<'_>, name: &str, size: usize, verdict: &mut Verdict) -> Result<()> {
    let signers = signers(&mut fleet)?;
    let salvo = Salvo::new("storm", &signers, size);
    let gates = fleet.gates()?;
    let over = AtomicBool::new(false);
    let (answers, kills, failures) = std::thread::scope(|scope| -> Result<_> {
        let firing = scope.spawn(|| {
            let answers = salvo.fire(&gates);
            over.store(true, Ordering::SeqCst);
            answers
        });
        let mut random = Random::new(SEED);
        let (mut kills, mut failures) = (0_u64, 0_u64);
        let mut processes = fleet.with_gates().cycle();
        while !over.load(Ordering::SeqCst) {
            for _ in 0..FAILURES {
                std::thread::sleep(Duration::from_millis(20 + random.below(100) as u64));
                let kind = random.pick(&["trap", "throw", "lost", "error", "retryable"]);
                let fault = json!({ "kind": kind, "ops": ["admit"], "count": 1 + random.below(8) });
                fleet.break_workspace(LEASE, &fault)?;
                failures += 1;
            }
            let process = processes.next().context("no gates")?;
            let pid = fleet.pid(process)?.to_string();
            let killed = Command::new("kill").args(["-KILL", &pid]).status();
            ensure!(killed.context("cannot kill")?.success(), "workerd could not be killed");
            fleet.restart(process)?;
            kills += 1;
        }
        let answers = firing.join().map_err(|_| anyhow!("a client panicked"))??;
        Ok((answers, kills, failures))
    })?;
    let tally = Tally::of(&salvo, &answers, &fleet);
    let honest = tally.told.keys().all(|told| ANSWERS.contains(&told.as_str()));
    verdict.require(tally.twice == 0 && tally.accepted_twice == 0 && honest, || {
        format!("{name}: {tally:?}")
    });
    // Whoever is told 200 was forwarded.
    verdict.require(tally.accepted <= tally.forwarded, || format!("{name}: {tally:?}"));
    verdict.require(kills > 1 && tally.forwarded * 2 > size, || {
        format!("{name}: {kills} kills, {} forwarded of {size}", tally.forwarded)
    });
    let mut figures = tally.figures();
    figures["kills"] = kills.into();
    figures["failures_of_the_workspace"] = failures.into();
    figures["never_forwarded"] = (size - tally.forwarded).into();
    verdict.figure(name, figures);
    Ok(())
}

/// One of each version.
fn signers(fleet: &mut Fleet<'_>) -> Result<[Signer; 2]> {
    Ok([fleet.signer(LEASE, Version::V1, false)?, fleet.signer(LEASE, Version::V2, false)?])
}

/// Requests, each of which everybody sends at once.
struct Salvo<'s> {
    name: &'static str,
    signers: &'s [Signer; 2],
    /// Signed when it is their turn.
    requests: Vec<OnceLock<Vec<u8>>>,
}

/// By request, what each copy was answered: a status and a code; nothing if there was no answer.
type Answers = Vec<Vec<Option<(u16, String)>>>;

impl<'s> Salvo<'s> {
    fn new(name: &'static str, signers: &'s [Signer; 2], size: usize) -> Self {
        Self { name, signers, requests: (0..size).map(|_| OnceLock::new()).collect() }
    }

    fn target(&self, number: usize) -> String {
        format!("/near/{}?number={number}", self.name)
    }

    fn request(&self, number: usize) -> &[u8] {
        self.requests[number].get_or_init(|| {
            let mut random = Random::new(SEED ^ number as u64);
            let made = now().unwrap_or_default();
            let message = Message::post(self.target(number), made, &mut random);
            self.signers[number % 2].sign(&message)
        })
    }

    fn fire(&self, gates: &[SocketAddr]) -> Result<Answers> {
        let barrier = Barrier::new(COPIES);
        let columns: Vec<Vec<_>> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..COPIES)
                .map(|number| {
                    let (barrier, gate) = (&barrier, gates[number % gates.len()]);
                    scope.spawn(move || self.client(gate, barrier))
                })
                .collect();
            let joined = clients.into_iter().map(|client| client.join());
            joined
                .map(|answers| answers.map_err(|_| anyhow!("a client panicked")))
                .collect::<Result<_>>()
        })?;
        Ok((0..self.requests.len())
            .map(|number| columns.iter().map(|column| column[number].clone()).collect())
            .collect())
    }

    fn client(&self, gate: SocketAddr, barrier: &Barrier) -> Vec<Option<(u16, String)>> {
        let mut connection = None;
        (0..self.requests.len())
            .map(|number| {
                let mut open = connection.take().or_else(|| connect(gate));
                barrier.wait();
                // The first copy may have been lost with the connection: an honest client sends another.
                let mut sent = None;
                for _ in 0..ATTEMPTS {
                    let Some(mut own) = open.take().or_else(|| connect(gate)) else { continue };
                    if own.send(self.request(number)).is_err() {
                        continue;
                    }
                    if let Ok(reply) = own.receive(false) {
                        if !reply.close {
                            connection = Some(own);
                        }
                        sent = Some((reply.status, code(&reply)));
                        break;
                    }
                }
                sent
            })
            .collect()
    }
}

/// A connection, as soon as the gate takes one.
fn connect(gate: SocketAddr) -> Option<Connection> {
    let begun = Instant::now();
    while begun.elapsed() < TIMEOUT {
        if let Ok(open) = Connection::open(gate, TIMEOUT) {
            return Some(open);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}

/// What became of the requests.
#[derive(Debug)]
struct Tally {
    /// That the origin saw.
    forwarded: usize,
    /// That it saw more than once.
    twice: usize,
    /// That somebody was told 200 of.
    accepted: usize,
    accepted_twice: usize,
    /// Answers; "" for none.
    told: BTreeMap<String, usize>,
}

impl Tally {
    fn of(salvo: &Salvo<'_>, answers: &Answers, fleet: &Fleet<'_>) -> Self {
        let seen = fleet.seen();
        let mut tally =
            Self { forwarded: 0, twice: 0, accepted: 0, accepted_twice: 0, told: BTreeMap::new() };
        for (number, answers) in answers.iter().enumerate() {
            let count = seen.get(salvo.target(number).as_bytes()).copied().unwrap_or_default();
            tally.forwarded += usize::from(count > 0);
            tally.twice += usize::from(count > 1);
            let accepted = answers.iter().flatten().filter(|(status, _)| *status == 200).count();
            tally.accepted += usize::from(accepted > 0);
            tally.accepted_twice += usize::from(accepted > 1);
            for answer in answers {
                let told = answer.as_ref().map(|(status, code)| format!("{status} {code}"));
                *tally.told.entry(told.unwrap_or_default().trim_end().to_owned()).or_default() += 1;
            }
        }
        tally
    }

    fn figures(&self) -> serde_json::Value {
        json!({ "forwarded": self.forwarded, "forwarded_twice": self.twice,
            "accepted": self.accepted, "answers": self.told })
    }
}

/// What a copy may be answered while things fail.
const ANSWERS: &[&str] = &[
    "",
    "200",
    "401 REPLAYED_REQUEST",
    "502 ORIGIN_UNREACHABLE",
    "503 AUTH_UNAVAILABLE",
    "503 INTERNAL",
    "504 ORIGIN_TIMEOUT",
];
const COPIES: usize = 8 * ISOLATES as usize;
const ATTEMPTS: usize = 3;
/// Of the Workspace, between kills.
const FAILURES: usize = 6;
const TIMEOUT: Duration = Duration::from_secs(10);
const SEED: u64 = 0x7265_706C_6179;
