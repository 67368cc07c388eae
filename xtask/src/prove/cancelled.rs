//! Clients that reset their connections while their requests wait, at the gate or at the management API: nothing
//! of such a request stays behind.
//!
//! Measured as in `memory`: what the isolate holds, after as many as would leave a mark and again in the end.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::net::sockopt::set_socket_linger;
use serde_json::json;

use super::inspector::Inspector;
use super::memory::{GATE, free_port_but, mebibytes};
use super::progress::Progress;
use super::site::{self, Gate, Site, TIMEOUT};
use super::upstream::Upstream;
use super::{Bar, Verdict};
use crate::keys::WORKSPACE;

pub(super) const BAR: Bar = Bar {
    name: "cancelled",
    goal: "connections reset while their requests wait for KV or a Workspace, at the gate and as many at the management API: the isolate holds at most 4 MiB more than after the first tenth, the Wasm of the management API 3 MiB",
    unit: "cancelled requests",
    ci: 6_000,
    full: 60_000,
    sources: &[],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let origin = Upstream::start(|_, wire| wire.ok(""))?;
    let mut options = site.options(origin.address)?;
    let inspector = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port_but(options.port)?));
    options.inspector = Some(inspector);
    let gate = site.start("cancelled", true, &options)?;
    let held = || Inspector::open(inspector, GATE)?.held();
    let down = json!({ "kind": "hang" });
    gate.server.control.set_faults(&json!({ "kv": down }))?;
    for workspace in WORKSPACES {
        gate.server.control.set_workspace_faults(workspace, &json!([down]))?;
    }
    let mut waves = Waves { site, gate: &gate, number: 0 };
    waves.until(size / 10, Waves::wave)?;
    let before = held()?;
    waves.until(size, Waves::wave)?;
    let after = held()?;
    let managed = || anyhow::Ok(Inspector::open(inspector, MANAGEMENT)?.held()?.wasm);
    waves.until(size + size / 10, Waves::management_wave)?;
    let managed_before = managed()?;
    waves.until(size * 2, Waves::management_wave)?;
    let managed_after = managed()?;
    gate.server.control.clear_faults()?;

    let mut verdict = Verdict::default();
    let more = managed_after.saturating_sub(managed_before);
    verdict
        .require(more <= MOST_MANAGEMENT, || format!("management: {} MiB more", mebibytes(more)));
    verdict.figure("management_wasm_mib_after_a_tenth", mebibytes(managed_before));
    verdict.figure("management_wasm_mib_after", mebibytes(managed_after));
    let more = (after.heap + after.wasm).saturating_sub(before.heap + before.wasm);
    verdict.require(more <= MOST, || format!("{} MiB more", mebibytes(more)));
    verdict.require(origin.requests() == 0, || format!("{} forwarded", origin.requests()));
    let now = site::now()?;
    let (key, (name, value)) = site.key(u64::MAX, now)?;
    gate.server.control.put_rows([(name, value)])?;
    let reply = gate.get("/near/x", Some(&key))?;
    verdict.require(reply.status == 200, || format!("the next request: {}", reply.text()));
    verdict.figure("held_mib_after_a_tenth", mebibytes(before.heap + before.wasm));
    verdict.figure("held_mib_after", mebibytes(after.heap + after.wasm));
    verdict.figure("wasm_mib_after_a_tenth", mebibytes(before.wasm));
    verdict.figure("wasm_mib_after", mebibytes(after.wasm));
    Ok(verdict)
}

/// Requests by many connections at once, each for a key of its own.
struct Waves<'a> {
    site: &'a Site,
    gate: &'a Gate,
    number: u64,
}

impl Waves<'_> {
    /// Waves until so many requests were cancelled in all.
    fn until(&mut self, count: u64, wave: fn(&mut Self) -> Result<()>) -> Result<()> {
        while self.number < count {
            wave(self)?;
        }
        Ok(())
    }

    /// Keys that ask for their own use, until their Workspace is asked for all of them.
    fn management_wave(&mut self) -> Result<()> {
        let [_, workspace] = WORKSPACES;
        self.gate.server.control.reset_workspace_counts(workspace)?;
        let now = site::now()?;
        let mut connections = Vec::new();
        for _ in 0..WAVE {
            let (key, _) = self.site.key_of(workspace, self.number, now)?;
            self.number += 1;
            let mut connection = TcpStream::connect_timeout(&self.gate.address, TIMEOUT)?;
            let request = format!(
                "GET /api/v1/keys/usage HTTP/1.1\r\nHost: {ADMIN}\r\nAuthorization: Bearer {key}\r\n\r\n"
            );
            connection.write_all(request.as_bytes())?;
            set_socket_linger(&connection, Some(Duration::ZERO))?;
            connections.push(connection);
        }
        let deadline = Instant::now() + TIMEOUT;
        let asked = || {
            let counts = self.gate.server.control.workspace_counts(workspace)?;
            counts["calls"].as_u64().context("no count of calls")
        };
        while asked()? < WAVE {
            ensure!(Instant::now() < deadline, "they do not ask their Workspace");
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    fn wave(&mut self) -> Result<()> {
        self.gate.server.control.reset_counts()?;
        let now = site::now()?;
        let mut connections = Vec::new();
        for _ in 0..WAVE {
            let workspace = WORKSPACES[self.number as usize % WORKSPACES.len()];
            let (key, _) = self.site.key_of(workspace, self.number, now)?;
            self.number += 1;
            let mut connection = TcpStream::connect_timeout(&self.gate.address, TIMEOUT)?;
            connection.write_all(site::request("GET", "/near/x", Some(&key)).as_bytes())?;
            set_socket_linger(&connection, Some(Duration::ZERO))?;
            connections.push(connection);
        }
        let deadline = Instant::now() + TIMEOUT;
        while self.gate.kv_reads()? < WAVE {
            ensure!(Instant::now() < deadline, "they do not ask KV");
            std::thread::sleep(POLL);
        }
        // Every third wave gets as far as the Workspace, where there is one.
        if (self.number / WAVE).is_multiple_of(3) {
            std::thread::sleep(KV_GIVES_UP);
        }
        Ok(())
    }
}

/// Of mode `edge`, and of mode `strict`: asked when KV does not answer.
const WORKSPACES: [&str; 2] = [WORKSPACE, "STR1CT"];
/// As in the policy of the proofs.
const ADMIN: &str = "portcullis.localhost";
const MANAGEMENT: &str = "workspace";
const WAVE: u64 = 100;
/// As long as the policy of the proofs lets KV take, and a little.
const KV_GIVES_UP: Duration = Duration::from_millis(1_200);
const POLL: Duration = Duration::from_millis(20);
const MOST: u64 = 4 << 20;
/// The 4096 that may wait, and no more.
const MOST_MANAGEMENT: u64 = 3 << 20;
