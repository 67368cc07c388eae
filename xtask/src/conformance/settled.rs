//! Requests whose origin says what they have cost.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::programs::refused;
use super::{Bench, TIMEOUT, cases, panics};
use crate::http::{Connection, Reply, exchange};
use crate::vectors::WORKSPACE;

/// What it says counts if it is a whole number, and less than was reserved.
pub fn told(bench: &mut Bench) -> Result<()> {
    bench.control()?.reset_workspace_counts(WORKSPACE)?;
    let words = [
        ("3", 3),
        ("0", 0),
        ("007", 7),
        ("10", COST),
        ("11", COST),
        ("99999999999999999999", COST),
        ("-1", COST),
        ("2.5", COST),
        ("1, 1", COST),
        ("", COST),
    ];
    for (word, cost) in words {
        let before = spent(bench)?;
        let reply = get(bench, "x", word)?;
        ensure!(reply.status == 200, "{word}: {} {}", reply.status, reply.text());
        let told = reply.header("x-cost").unwrap_or_default();
        ensure!(told == word, "the client was told {told}, not {word}");
        comes_to(bench, before + cost).with_context(|| format!("the origin said '{word}'"))?;
    }
    // Nothing comes late.
    let before = spent(bench)?;
    std::thread::sleep(Duration::from_millis(300));
    ensure!(spent(bench)? == before, "more came back");
    let calls = bench.control()?.workspace_counts(WORKSPACE)?["words"].clone();
    ensure!(calls["settle"] == 3 && calls["admit"] == 10, "{calls}");
    let log = bench.server.as_ref().context("no server")?.log();
    for cause in ["more was spent than was reserved", "is no whole number"] {
        ensure!(log.contains(cause), "the log does not say: {cause}");
    }
    bench.forget();
    Ok(())
}

/// An origin that gives no answer to the client gives none to its cost, whatever it says afterwards.
pub fn without_an_answer(bench: &mut Bench) -> Result<()> {
    for (behaviour, status, code) in [
        ("close-head", 502, "ORIGIN_UNREACHABLE"),
        ("garbage", 502, "ORIGIN_UNREACHABLE"),
        ("late", 504, "ORIGIN_TIMEOUT"),
    ] {
        let before = spent(bench)?;
        refused(bench, &get(bench, behaviour, "1")?, status, code)
            .with_context(|| behaviour.to_owned())?;
        std::thread::sleep(Duration::from_millis(600));
        ensure!(spent(bench)? == before + COST, "{behaviour}: {} coins", spent(bench)? - before);
    }
    bench.forget();
    Ok(())
}

/// A settlement that is lost leaves what was reserved; one whose answer is lost is made once.
pub fn lost(bench: &mut Bench) -> Result<()> {
    for (kind, count, cost) in [("error", 2, COST), ("error", 1, 4), ("lost", 1, 4), ("lost", 2, 4)]
    {
        let before = spent(bench)?;
        let faults = json!({ "kind": kind, "ops": ["settle"], "count": count });
        bench.control()?.set_workspace_faults(WORKSPACE, &faults)?;
        let reply = get(bench, "x", "4")?;
        ensure!(reply.status == 200, "{kind}: {}", reply.text());
        comes_to(bench, before + cost).with_context(|| format!("{kind}, {count} times"))?;
        std::thread::sleep(Duration::from_millis(300));
        ensure!(spent(bench)? == before + cost, "{kind}, {count} times: once more");
    }
    bench.control()?.set_workspace_faults(WORKSPACE, &json!([]))?;
    bench.forget();
    Ok(())
}

/// The answer to a request whose reservation is gone with the Wasm settles nothing, and nobody else's request.
pub fn after_a_trap(bench: &mut Bench) -> Result<()> {
    panics::provoked(bench, |bench| {
        let before = spent(bench)?;
        let mut waiting = Vec::new();
        for word in ["1", "2"] {
            let mut connection = Connection::open(bench.address, TIMEOUT)?;
            connection.send(&request(bench, "slow/late", word)?)?;
            waiting.push(connection);
            let count = waiting.len();
            panics::until("it is at the origin", || Ok(bench.origin()?.arrived() == count))?;
            if word == "1" {
                let reply = panics::provoke(bench, "GET", "*/*", "trap 1", "second")?;
                ensure!(reply.status == 503, "the provoking one: {}", reply.status);
            }
        }
        for connection in &mut waiting {
            let reply = connection.receive(false)?;
            ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
        }
        comes_to(bench, before + COST + 2)?;
        std::thread::sleep(Duration::from_millis(300));
        ensure!(spent(bench)? == before + COST + 2, "more came back");
        bench.forget();
        Ok(())
    })
}

/// Waits until so much is spent.
fn comes_to(bench: &Bench, coins: u64) -> Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    while spent(bench)? != coins {
        let spent = spent(bench)?;
        ensure!(Instant::now() < deadline, "{spent} coins are spent, not {coins}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// What the product's budget has spent.
fn spent(bench: &Bench) -> Result<u64> {
    let rows = bench.control()?.workspace_rows(WORKSPACE)?;
    let rows = rows.as_array().context("no rows")?;
    let row = rows.iter().find(|row| row["name"] == "account/product:settled");
    let row = row.and_then(|row| row["value"].as_str()).unwrap_or_default();
    let used = row.split(' ').find_map(|field| field.strip_prefix("coins_used="));
    Ok(used.map(str::parse).transpose()?.unwrap_or(0))
}

/// Asks the origin to say this of the cost.
fn get(bench: &Bench, behaviour: &str, word: &str) -> Result<Reply> {
    exchange(bench.address, &request(bench, behaviour, word)?, TIMEOUT)
}

fn request(bench: &Bench, behaviour: &str, word: &str) -> Result<Vec<u8>> {
    let header =
        if word.is_empty() { String::new() } else { format!("X-Answer-X-Cost: {word}\r\n") };
    let text = format!(
        "GET /settled/{behaviour} HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {{key signed_optional}}\r\n{header}\r\n"
    );
    Ok(cases::bytes(&bench.world.fill(&text)?))
}

/// As in the policy.
const COST: u64 = 10;
