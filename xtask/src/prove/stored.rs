//! How many keys are stored does not show in how long a request takes.
//!
//! Two gates, one with many keys in KV and one with few, take turns with the same requests, block by
//! block. A round makes each forget its keys (by more others than it remembers), reads the same keys
//! cold and then uses them warm.

use std::fs;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};

use super::progress::Progress;
use super::site::{Gate, Site, now};
use super::upstream::Upstream;
use super::{Bar, Verdict};
use crate::checkout::{say, write_private};
use crate::interval::Interval;
use crate::load::{Load, Report, Until, run as load};

pub(super) const BAR: Bar = Bar {
    name: "stored",
    goal: "p50 with many keys stored is at most 1.05 times p50 with 1000, cold and warm",
    unit: "keys stored, against 1000",
    ci: 20_000,
    full: 1_000_000,
    sources: &["xtask/src/interval.rs"],
    run,
};

/// A KV with keys in it, kept between runs.
pub(super) struct Rows {
    /// The name of its state folder.
    pub(super) name: String,
    /// The keys' texts, each of the same length.
    texts: Vec<u8>,
}

/// What a folder of rows was made for.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Label {
    keys: u64,
    /// How the keys are made.
    version: u32,
    fingerprint: String,
    /// Epoch seconds at which the records were made.
    made: u64,
}

impl Rows {
    /// The KV of so many keys and some more that are not stored, filled unless it is there.
    pub(super) fn stored(site: &Site, keys: u64) -> Result<Self> {
        let name = format!("stored-{keys}");
        let (label, texts) =
            (site.folder(&name)?.join("label.json"), site.folder(&name)?.join("keys"));
        let fingerprint = site.keyring.newest().fingerprint();
        let there: Option<Label> =
            fs::read(&label).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let now = now()?;
        let fits = there.is_some_and(|there| {
            (there.keys, there.version, there.fingerprint.as_str()) == (keys, VERSION, fingerprint)
                && now < there.made + FRESH_SECONDS
        });
        if !fits {
            let _ = fs::remove_file(&label);
            fill(site, &name, keys, now, &texts)?;
            let made =
                Label { keys, version: VERSION, fingerprint: fingerprint.to_owned(), made: now };
            write_private(&label, &serde_json::to_vec(&made)?)?;
        }
        let texts = fs::read(&texts)?;
        ensure!(texts.len() as u64 == (keys + OTHERS) * TEXT as u64, "{name} is damaged");
        Ok(Self { name, texts })
    }

    /// How many keys are stored.
    fn stored_keys(&self) -> u64 {
        (self.texts.len() / TEXT) as u64 - OTHERS
    }

    /// Writes a request with the `number`th key; behind those stored come some that are not.
    pub(super) fn request(&self, number: u64, bytes: &mut Vec<u8>) {
        let from = number as usize * TEXT;
        let text = self.texts.get(from..from + TEXT).unwrap_or_default();
        bytes.extend_from_slice(
            b"GET /near/x HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ",
        );
        bytes.extend_from_slice(text);
        bytes.extend_from_slice(b"\r\n\r\n");
    }
}

/// Makes the keys on two threads and stores their rows as they come.
fn fill(site: &Site, name: &str, keys: u64, now: u64, texts: &Path) -> Result<()> {
    say(format!("  storing {keys} keys …"));
    // Nobody asks this gate; the origin is never called.
    let options = site.options(std::net::SocketAddr::from(([127, 0, 0, 1], 1)))?;
    let gate = site.start(name, true, &options)?;
    let half = (keys + OTHERS) / 2;
    let (first, second) = std::thread::scope(|scope| {
        let (sender, rows) = sync_channel(1000);
        let other = sender.clone();
        let make = move |numbers: std::ops::Range<u64>, sender: std::sync::mpsc::SyncSender<_>| {
            let mut texts = Vec::new();
            for number in numbers {
                let (text, row) = site.key(number, now)?;
                texts.extend_from_slice(text.as_bytes());
                if number < keys {
                    sender.send(row).map_err(|_| anyhow!("nobody stores rows"))?;
                }
            }
            anyhow::Ok(texts)
        };
        let first = scope.spawn(move || make(0..half, sender));
        let second = scope.spawn(move || make(half..keys + OTHERS, other));
        gate.server.control.put_rows(rows)?;
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Vec<u8>>>| {
            thread.join().map_err(|_| anyhow!("a thread panicked"))?
        };
        anyhow::Ok((join(first)?, join(second)?))
    })?;
    write_private(texts, &[first, second].concat())
}

/// Ratios of p50, many keys by few, a round each.
#[derive(Default, Serialize, Deserialize)]
struct Ratios {
    cold: Vec<f64>,
    warm: Vec<f64>,
    /// Microseconds with many keys.
    cold_us: Vec<f64>,
    warm_us: Vec<f64>,
}

fn run(site: &Site, size: u64, progress: &mut Progress) -> Result<Verdict> {
    let origin = Upstream::start(|_, wire| wire.ok(""))?;
    let (many, few) = (Rows::stored(site, size)?, Rows::stored(site, FEW)?);
    let many = side(site, &origin, &many)?;
    let few = side(site, &origin, &few)?;

    let mut ratios: Ratios = progress.state();
    let rounds = if size == BAR.full { ROUNDS } else { CI_ROUNDS };
    // Neither the first round's compilation nor its empty page cache counts.
    round(&many, &few)?;
    while ratios.cold.len() < rounds {
        let [cold, warm] = round(&many, &few)?;
        ratios.cold.push(cold.many / cold.few);
        ratios.warm.push(warm.many / warm.few);
        ratios.cold_us.push(cold.many);
        ratios.warm_us.push(warm.many);
        progress.save(&ratios)?;
    }

    let mut verdict = Verdict::default();
    for (name, samples) in [("cold", &ratios.cold), ("warm", &ratios.warm)] {
        verdict.at_most(&format!("p50_ratio_{name}"), samples, GOAL, 3)?;
    }
    for (name, samples) in [("cold", &ratios.cold_us), ("warm", &ratios.warm_us)] {
        let median = Interval::of(samples).context("no rounds")?.median;
        verdict.figure(&format!("p50_us_{name}"), median.round());
    }
    verdict.figure("rounds", rounds);
    Ok(verdict)
}

/// A gate before its rows.
struct Side<'a> {
    gate: Gate,
    rows: &'a Rows,
}

/// Microseconds before many keys and before few.
struct Medians {
    many: f64,
    few: f64,
}

fn side<'a>(site: &Site, origin: &Upstream, rows: &'a Rows) -> Result<Side<'a>> {
    Ok(Side { gate: site.start(&rows.name, false, &site.options(origin.address)?)?, rows })
}

/// p50 of cold and of warm requests.
fn round(many: &Side<'_>, few: &Side<'_>) -> Result<[Medians; 2]> {
    for side in [many, few] {
        side.load(side.rows.stored_keys(), OTHERS, OTHERS)?.all(401)?;
        side.gate.server.control.reset_counts()?;
    }
    let cold = in_turns(many, few, FEW)?;
    for side in [many, few] {
        let reads = side.gate.kv_reads()?;
        ensure!(reads == FEW, "{reads} KV reads of {FEW}: not all were cold");
    }
    Ok([cold, in_turns(many, few, WARM)?])
}

/// So many requests to each side, in blocks that take turns: what else the machine does hits both.
fn in_turns(many: &Side<'_>, few: &Side<'_>, requests: u64) -> Result<Medians> {
    let (mut of_many, mut of_few) = (Vec::new(), Vec::new());
    for block in 0..requests / BLOCK {
        let turn = |side: &Side<'_>, latencies: &mut Vec<f64>| {
            let report = side.load(block * BLOCK % FEW, BLOCK, BLOCK)?;
            report.all(200)?;
            latencies.extend(report.latencies.iter().map(|&nanoseconds| nanoseconds as f64 / 1e3));
            anyhow::Ok(())
        };
        if block.is_multiple_of(2) {
            turn(many, &mut of_many)?;
            turn(few, &mut of_few)?;
        } else {
            turn(few, &mut of_few)?;
            turn(many, &mut of_many)?;
        }
    }
    let median = |samples: &[f64]| Interval::of(samples).map(|interval| interval.median);
    let (many, few) = median(&of_many).zip(median(&of_few)).context("no requests")?;
    Ok(Medians { many, few })
}

impl Side<'_> {
    /// Requests with the keys from `first` on, `modulus` of them in turn.
    fn load(&self, first: u64, count: u64, modulus: u64) -> Result<Report> {
        let until = Until::Requests(count);
        let plan = Load { address: self.gate.address, connections: CONNECTIONS, until };
        load(&plan, &|number, bytes| self.rows.request(first + number % modulus, bytes))
    }
}

/// Rises when [`Site::key`] makes other keys.
const VERSION: u32 = 2;
/// Bytes of a key's text: prefix, kid, secret.
const TEXT: usize = 64;
const FEW: u64 = 1000;
/// Keys that are minted and not stored: more than an isolate remembers.
const OTHERS: u64 = 4500;
const WARM: u64 = 2000;
/// Requests to one side before it is the other's turn.
const BLOCK: u64 = 100;
const CONNECTIONS: usize = 4;
const GOAL: f64 = 1.05;
const ROUNDS: usize = 30;
const CI_ROUNDS: usize = 5;
/// A day less than a record is believed.
const FRESH_SECONDS: u64 = 6 * 24 * 3600;
