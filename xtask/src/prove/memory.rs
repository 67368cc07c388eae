//! Many keys through one isolate, each once: what it holds of them is bounded.
//!
//! Measured is what V8's inspector says that the gate's isolate holds once its garbage is collected:
//! the JavaScript heap, with the buffers and native parts that belong to it, and the length of the
//! WebAssembly memory, which never shrinks and so is the largest it ever was. Shown besides, and no
//! part of the bound, are the largest heap seen on the way with its garbage, which V8 collects when
//! it likes, and the resident memory of the whole process, in which the local KV runs too.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow};
use serde_json::json;

use super::inspector::Inspector;
use super::progress::Progress;
use super::site::{Site, free_port};
use super::stored::Rows;
use super::upstream::Upstream;
use super::{Bar, Verdict};
use crate::load::{Load, Until, run as load};

pub(super) const BAR: Bar = Bar {
    name: "memory",
    goal: "distinct keys through one isolate, all 200: it holds at most 32 MiB, JavaScript heap and WebAssembly memory together",
    unit: "distinct keys",
    ci: 20_000,
    full: 1_000_000,
    sources: &[],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let origin = Upstream::start(|_, wire| wire.ok(""))?;
    let rows = Rows::stored(site, size)?;
    let mut options = site.options(origin.address)?;
    let inspector = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port_but(options.port)?));
    options.inspector = Some(inspector);
    let gate = site.start(&rows.name, false, &options)?;
    gate.get("/v1/public", None)?;
    let before = (Inspector::open(inspector, GATE)?.held()?, gate.resident()?);
    gate.server.control.reset_counts()?;

    let all = Load { address: gate.address, connections: 8, until: Until::Requests(size) };
    let done = AtomicBool::new(false);
    let (report, most) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| watch(inspector, &done));
        let report = load(&all, &|number, bytes| rows.request(number, bytes));
        done.store(true, Ordering::SeqCst);
        let most = watch.join().map_err(|_| anyhow!("the watching thread panicked"))?;
        anyhow::Ok((report?, most?))
    })?;
    let (reads, resident) = (gate.kv_reads()?, gate.resident()?);
    let after = Inspector::open(inspector, GATE)?.held()?;

    let mut verdict = Verdict::default();
    if let Err(error) = report.all(200) {
        verdict.require(false, || error.to_string());
    }
    verdict.require(origin.requests() > size, || format!("{} forwarded", origin.requests()));
    verdict.require(reads == size, || format!("{reads} KV reads for {size} keys"));
    let held = after.heap + after.wasm;
    verdict.require(held <= GOAL, || format!("the isolate holds {} MiB", mebibytes(held)));
    verdict.figure("answered_200", json!(report.statuses.get(&200)));
    verdict.figure("kv_reads", reads);
    verdict.figure("per_second", report.per_second().round());
    verdict.figure("held_mib", mebibytes(held));
    verdict.figure("heap_mib_before", mebibytes(before.0.heap));
    verdict.figure("heap_mib_most_with_garbage", mebibytes(most));
    verdict.figure("heap_mib_after", mebibytes(after.heap));
    verdict.figure("wasm_mib_before", mebibytes(before.0.wasm));
    verdict.figure("wasm_mib_after", mebibytes(after.wasm));
    verdict.figure(
        "process_rss_mib_before_and_after",
        json!([mebibytes(before.1), mebibytes(resident)]),
    );
    Ok(verdict)
}

/// The largest heap at any of the moments it was looked at.
fn watch(inspector: SocketAddr, done: &AtomicBool) -> Result<u64> {
    let mut session = Inspector::open(inspector, GATE)?;
    let mut most = 0;
    while !done.load(Ordering::SeqCst) {
        most = most.max(session.heap()?);
        std::thread::sleep(LOOK);
    }
    Ok(most.max(session.heap()?))
}

pub(super) fn free_port_but(taken: u16) -> Result<u16> {
    let _held = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, taken))?;
    free_port()
}

pub(super) fn mebibytes(bytes: u64) -> f64 {
    (bytes as f64 / 1024.0 / 1024.0 * 10.0).round() / 10.0
}

pub(super) const GATE: &str = "gate-0";
const GOAL: u64 = 32 << 20;
const LOOK: Duration = Duration::from_millis(500);
