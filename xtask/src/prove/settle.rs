//! What an origin says that a request has cost is what is spent, whatever becomes of the gates meanwhile.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use portcullis::record::Document;
use portcullis::workspace::call::{Answer, Call};
use serde_json::json;

use super::crowd::{Crowd, Shot};
use super::fleet::{Fleet, ISOLATES, TOLD_COST, arrivals_since};
use super::progress::Progress;
use super::random::Random;
use super::site::{Site, TIMEOUT, code, request};
use super::{Bar, Verdict};
use crate::http;

pub(super) const BAR: Bar = Bar {
    name: "settle",
    goal: "of coins that were reserved for requests exactly those come back that their origin says were not spent, \
           once each, though workerd is killed (SIGKILL); the budget is not exceeded, and usable to the last coin",
    unit: "kills under load over 8 isolates",
    ci: KILLS,
    full: 20 * KILLS,
    sources: &["xtask/src/prove/crowd.rs", "xtask/src/prove/fleet.rs"],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut fleet = Fleet::start(site, "settle")?;
    let mut random = Random::new(SEED);
    let mut books = Vec::new();
    for round in 0..size.div_ceil(KILLS) {
        let workspace = format!("BX5{round:03}");
        fleet.call(&workspace, &Call::Open { workspace: workspace.clone() })?;
        let keys: Vec<(String, Document)> =
            (0..4).map(|_| fleet.key(&workspace, None)).collect::<Result<_>>()?;
        let (texts, documents): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
        let begun = Instant::now();
        load(&mut fleet, &texts, &mut random)?;
        let refusal = exhaust(&fleet, &texts, &workspace, &documents)?;
        let book = Book::of(&fleet, &workspace, &documents)?;
        let arrived = arrivals_since(&fleet, begun).len() as u64;
        let told = || format!("{workspace}: {book:?}, {arrived} arrived, refused by {refusal}");
        let Book { used, counted, admitted, unsettled } = book;
        verdict.require(used <= COINS && COINS - used < COST, told);
        let settled = admitted.saturating_sub(unsettled);
        verdict.require(used == COST * unsettled + TOLD_COST * settled, told);
        verdict.require(counted == used, told);
        verdict.require((settled..=admitted).contains(&arrived) && settled > unsettled, told);
        verdict.require(refusal == "BUDGET_EXHAUSTED", told);
        books.push(json!([used, admitted, unsettled]));
    }
    let name = format!(
        "coins spent of {COINS}, requests admitted, those left at what was reserved, over {KILLS} kills"
    );
    verdict.figure(&name, books);
    Ok(verdict)
}

/// What a Workspace has written down.
#[derive(Clone, Copy, Debug)]
struct Book {
    /// Coins spent of the product's budget.
    used: u64,
    /// Coins in the use of its keys.
    counted: u64,
    /// Requests in the use of its keys.
    admitted: u64,
    /// Requests of which the origin's word has not come.
    unsettled: u64,
}

impl Book {
    fn of(fleet: &Fleet<'_>, workspace: &str, keys: &[Document]) -> Result<Self> {
        let (mut admitted, mut counted) = (0, 0);
        for key in keys {
            let call = Call::Usage { kid: key.kid.clone(), from: 0, to: u64::from(u32::MAX) };
            let answer = fleet.call(workspace, &call)?;
            let Answer::Usage { hours, .. } = answer else { anyhow::bail!("{answer:?}") };
            for hour in hours {
                admitted += hour.exact;
                counted += hour.coins;
            }
        }
        let rows = fleet.rows(workspace)?;
        let value = rows.get("account/product:settled").context("nothing spent")?;
        let used = value.split(' ').find_map(|field| field.strip_prefix("coins_used="));
        let unsettled = rows.keys().filter(|name| name.starts_with("reserved/")).count() as u64;
        Ok(Self { used: used.unwrap_or("0").parse()?, counted, admitted, unsettled })
    }
}

/// A crowd that spends most of the budget while workerd is killed.
fn load(fleet: &mut Fleet<'_>, keys: &[String], random: &mut Random) -> Result<()> {
    let gates = fleet.gates()?;
    let crowd = Crowd {
        clients: usize::from(ISOLATES) * 2,
        each: usize::MAX,
        time: Duration::from_secs(4 * KILLS),
        every: Duration::from_millis(150),
    };
    std::thread::scope(|scope| -> Result<Vec<Shot>> {
        let clients = scope.spawn(|| crowd.run_at(&gates, keys, TARGET));
        for _ in 0..KILLS {
            std::thread::sleep(Duration::from_millis(1000 + random.below(2000) as u64));
            let pid = fleet.pid(0)?.to_string();
            let killed = Command::new("kill").args(["-KILL", &pid]).status();
            ensure!(killed.context("cannot kill")?.success(), "workerd could not be killed");
            fleet.restart(0)?;
        }
        clients.join().map_err(|_| anyhow!("a client panicked"))?
    })?;
    std::thread::sleep(REMEMBERED);
    Ok(())
}

/// Spends what is left, one request after the other; the code of the last refusal. What comes back behind the
/// answers is spent again.
fn exhaust(
    fleet: &Fleet<'_>,
    keys: &[String],
    workspace: &str,
    documents: &[Document],
) -> Result<String> {
    let (gate, mut refusal) = (fleet.gates()?[0], String::new());
    let text = request("GET", TARGET, Some(&keys[0]));
    for _ in 0..ROUNDS {
        for _ in 0..COINS {
            let reply = http::exchange(gate, text.as_bytes(), TIMEOUT)?;
            if reply.status == 429 {
                refusal = code(&reply);
                break;
            }
        }
        std::thread::sleep(REMEMBERED);
        if COINS.saturating_sub(Book::of(fleet, workspace, documents)?.used) < COST {
            break;
        }
    }
    Ok(refusal)
}

/// As the policy of the proofs has it.
const TARGET: &str = "/settled/x";
const COINS: u64 = 6000;
const COST: u64 = 10;
const KILLS: u64 = 3;
/// For how long an isolate remembers a refusal, and some time.
const REMEMBERED: Duration = Duration::from_millis(2500);
const ROUNDS: usize = 5;
const SEED: u64 = 0x7365_7474_6c65;
