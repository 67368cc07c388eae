//! `cargo xtask bench`: the gate against its peers, on plain workerd.
//!
//! All contenders are services of one workerd process. They take turns under the
//! same load; each round gives a ratio to the baseline of that round, so that
//! what disturbs a round disturbs both sides of it.

mod contest;
mod leases;
mod routes;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::checkout::{Checkout, run, say};
use crate::load::{Load, Report, Until, repeat};
use crate::tools;
use contest::{CONNECTIONS, Contest, Kind, PEERS, Peer, Workerd};
pub use table::Table;
use table::{Turn, tabulate, turns_line};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Turns of every contender.
    pub rounds: usize,
    /// Seconds of load a turn.
    pub seconds: f64,
}

/// Enough to place a ratio within a few percent on a quiet machine. Many short turns, since the machine
/// changes its pace within seconds, and a turn has one of its own, as its connections fall into step or not.
pub const FULL: Size = Size { rounds: 210, seconds: 0.25 };
/// Enough to see that the bench works and that nothing has become twice as slow.
pub const SMALL: Size = Size { rounds: 14, seconds: 0.25 };

/// Prints the performance table; fails when a goal is missed beyond doubt, or if the gate was not
/// in mode `lease`.
pub fn bench(checkout: &Checkout, size: Size) -> Result<()> {
    let table = measure(checkout, size)?;
    println!("{}", table.text);
    println!("{}", core(checkout)?);
    table.judge()
}

/// The same of policies with few and with many routes alone.
pub fn bench_routes(checkout: &Checkout, size: Size) -> Result<()> {
    tools::ensure_present(checkout, tools::BUILD)?;
    let contest = Contest::prepare(checkout)?;
    let _workerd = contest.start(checkout)?;
    let table = routes::rounds(&contest, size)?;
    println!("{}", table.text);
    table.judge()
}

/// Runs the rounds: of requests with a secret, of such as are signed besides, and of policies with few and with
/// many routes.
pub fn measure(checkout: &Checkout, size: Size) -> Result<Table> {
    tools::ensure_present(checkout, tools::BUILD)?;
    let contest = Contest::prepare(checkout)?;
    let workerd = contest.start(checkout)?;
    let bearer = rounds(&contest, &workerd, Kind::Bearer, size)?;
    let leases = workerd.leases()?;
    let decisions = leases.decisions(bearer.requests, CONNECTIONS as u64)?;
    let signed = rounds(&contest, &workerd, Kind::Signed, size)?;
    let routes = routes::rounds(&contest, size)?;
    let mut table = bearer.table;
    table.text.push_str(&format!("\n\n{decisions}\n\n{}\n\n{}", signed.table.text, routes.text));
    table.missed.extend(signed.table.missed.into_iter().chain(routes.missed));
    Ok(table)
}

/// What the rounds of one kind of request have shown.
struct Rounds {
    table: Table,
    /// Answered by the gate.
    requests: u64,
}

fn rounds(contest: &Contest, workerd: &Workerd, kind: Kind, size: Size) -> Result<Rounds> {
    let peers: Vec<&Peer> =
        PEERS.iter().filter(|peer| kind == Kind::Bearer || peer.signs).collect();
    let mut requests = 0;
    let mut turn = |peer: &Peer, seconds| {
        let report = contest.turn(peer, kind, seconds)?;
        requests += if peer.ours { report.responses() } else { 0 };
        anyhow::Ok(report)
    };
    for peer in &peers {
        // Warm: code compiled, record in memory.
        turn(peer, 0.5)?;
    }
    let mut rounds = Vec::new();
    for round in 0..size.rounds {
        let mut turns = BTreeMap::new();
        for at in order(peers.len(), round) {
            let peer = peers[at];
            let before = workerd.cpu()?;
            let report = turn(peer, size.seconds)?;
            let cpu = (workerd.cpu()? - before).as_secs_f64() / report.responses() as f64;
            turns.insert(peer.name, Turn { rate: report.per_second(), cpu });
        }
        say(format!("round {} of {}: {}", round + 1, size.rounds, turns_line(&turns)));
        rounds.push(turns);
    }
    Ok(Rounds { table: tabulate(&rounds, kind), requests })
}

/// In which order so many take their turns in a round. In twice as many rounds as they are each follows each
/// other equally often within a round (a Latin square of Williams's), as one may leave garbage to the next.
fn order(count: usize, round: usize) -> impl Iterator<Item = usize> {
    let mirrored = round / count % 2 == 1;
    (0..count).map(move |at| {
        let zigzag = if at % 2 == 0 { at / 2 } else { count - at.div_ceil(2) };
        let place = if mirrored { count - 1 - zigzag } else { zigzag };
        (place + round) % count
    })
}

/// The core alone, natively, by criterion.
fn core(checkout: &Checkout) -> Result<String> {
    let mut cargo = checkout.command("cargo");
    let folder = checkout.private("criterion")?;
    cargo.args(["bench", "--quiet", "--bench", "decision", "--", "--noplot"]);
    cargo.env("CRITERION_HOME", &folder).stdout(Stdio::null());
    run("cargo bench", &mut cargo)?;
    let sha = fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("sha_ni"));
    let mut text =
        format!("core, natively, CPU {} SHA extensions", if sha { "with" } else { "without" });
    for name in [
        "bearer",
        "bearer with signature v1",
        "bearer with plan and assertion",
        "forged",
        "route/1 routes, 1 hosts",
        "route/1000 routes, 1 hosts",
        "route/1000 routes, 5 hosts",
        "route/1000 routes, 1 segments",
        "route/1000 routes, 2 segments",
        "route/1000 routes, 4 segments",
        "route/1000 routes, 8 segments",
        "route/1000 routes, 16 segments",
    ] {
        let estimates = fs::read(folder.join(name).join("new/estimates.json"))?;
        let estimates: serde_json::Value = serde_json::from_slice(&estimates)?;
        let nanoseconds = estimates["median"]["point_estimate"].as_f64().context("criterion")?;
        text.push_str(&format!("\n{name:<48} {:>8.3} µs", nanoseconds / 1000.0));
    }
    Ok(text)
}

/// Loads `http://ADDRESS:PORT/target` with GETs and prints what came of it, to compare the load
/// generator with others.
pub fn load(url: &str, connections: usize, seconds: f64, headers: &[String]) -> Result<()> {
    let rest = url.strip_prefix("http://").context("only http:// URLs")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let address: SocketAddr = authority.parse().context("the URL needs an address and a port")?;
    let target = if path.is_empty() { "/" } else { path };
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    let until = Until::Elapsed(Duration::from_secs_f64(seconds));
    let report = repeat(&Load { address, connections, until }, &[request.into_bytes()])?;
    println!("{}", line(&report));
    Ok(())
}

/// A report in one line.
pub fn line(report: &Report) -> String {
    format!(
        "{:.0}/s, p50 {:.2?}, p99 {:.2?}, {:?}, {} errors",
        report.per_second(),
        report.percentile(0.5),
        report.percentile(0.99),
        report.statuses,
        report.errors
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_follows_each_other_equally_often() {
        for count in [2, 5, 6, 7] {
            let mut follows = BTreeMap::<(usize, usize), usize>::new();
            for round in 0..2 * count {
                let turns: Vec<usize> = order(count, round).collect();
                for pair in turns.windows(2) {
                    *follows.entry((pair[0], pair[1])).or_default() += 1;
                }
            }
            assert_eq!(follows.len(), count * (count - 1), "{follows:?}");
            assert!(follows.values().all(|times| *times == 2), "{follows:?}");
        }
    }
}
