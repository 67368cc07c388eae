//! Eight gates before one origin, and Workspaces behind them, in one process or in three.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use portcullis::key::Kid;
use portcullis::policy::Limits;
use portcullis::record::{Document, kv_name};
use portcullis::signature::Version;
use portcullis::workspace::call::{Answer, Call};
use serde_json::{Value, json};

use super::crowd::{Crowd, Shot};
use super::signer::Signer;
use super::site::{Gate, Site, free_ports, now};
use super::upstream::Upstream;
use crate::control::Control;
use crate::issuer::Issuer;
use crate::workerd::{Options, Part};

/// Gates that share everything but their memory.
pub(super) struct Fleet<'a> {
    site: &'a Site,
    /// The first has the Workspaces.
    processes: Vec<Process>,
    arrivals: Arc<Mutex<Vec<Instant>>>,
    seen: Arc<Mutex<Targets>>,
    number: u64,
    origin: Upstream,
    issuer: Option<Issuer>,
}

/// How often the origin saw each target.
pub(super) type Targets = BTreeMap<Vec<u8>, usize>;

/// A process, and how it is started again.
struct Process {
    name: String,
    options: Options,
    gate: Option<Gate>,
}

/// What came of a run.
pub(super) struct Run {
    pub(super) shots: Vec<Shot>,
    /// When the origin saw a request, ascending.
    pub(super) arrivals: Vec<Instant>,
    pub(super) calls: u64,
    /// Rows that the Workspaces wrote.
    pub(super) rows: u64,
    /// Calls by their word.
    pub(super) words: Value,
    /// Processor time of all processes.
    pub(super) processor: Duration,
    pub(super) time: Duration,
}

impl<'a> Fleet<'a> {
    /// Starts it in one process, with nothing stored.
    pub(super) fn start(site: &'a Site, name: &str) -> Result<Self> {
        let mut fleet = Self::without_processes(site)?;
        fleet.add(name, Part::Whole, free_ports(ISOLATES)?, ISOLATES)?;
        fleet.open()?;
        Ok(fleet)
    }

    /// The same with an issuer, whose tokens are sessions.
    pub(super) fn with_issuer(site: &'a Site, name: &str) -> Result<Self> {
        let mut fleet = Self::without_processes(site)?;
        fleet.issuer = Some(Issuer::start(0, &site.folder(name)?)?);
        fleet.add(name, Part::Whole, free_ports(ISOLATES)?, ISOLATES)?;
        fleet.open()?;
        Ok(fleet)
    }

    /// Starts it with the gates in two processes, and Workspaces and KV in a third.
    pub(super) fn split(site: &'a Site, name: &str) -> Result<Self> {
        let mut fleet = Self::without_processes(site)?;
        fleet.add(&format!("{name}-home"), Part::Home, 0, 0)?;
        let home = fleet.processes[0].gate()?.server.home.context("no home")?;
        let (port, each) = (free_ports(ISOLATES)?, ISOLATES / 2);
        for half in 0..2 {
            let name = format!("{name}-gates-{half}");
            fleet.add(&name, Part::Gates(home), port + half * each, each)?;
        }
        fleet.open()?;
        Ok(fleet)
    }

    fn without_processes(site: &'a Site) -> Result<Self> {
        let arrivals: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let seen: Arc<Mutex<Targets>> = Arc::default();
        let (log, targets) = (Arc::clone(&arrivals), Arc::clone(&seen));
        let origin = Upstream::start(move |request, wire| {
            log.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
            let mut targets = targets.lock().unwrap_or_else(PoisonError::into_inner);
            *targets.entry(request.target.clone()).or_default() += 1;
            drop(targets);
            wire.body(request, |_| ())?;
            wire.ok_with(&format!("X-Cost: {TOLD_COST}\r\n"), "")
        })?;
        let processes = Vec::new();
        Ok(Self { site, processes, arrivals, seen, number: 0, origin, issuer: None })
    }

    fn add(&mut self, name: &str, part: Part, port: u16, isolates: u16) -> Result<()> {
        let options = self.site.options(self.origin.address)?;
        let issuer = self.issuer.as_ref().map(|issuer| issuer.address);
        let options = Options { part, port, isolates, issuer, ..options };
        let gate = Some(self.site.start(name, true, &options)?);
        self.processes.push(Process { name: name.to_owned(), options, gate });
        Ok(())
    }

    fn open(&self) -> Result<()> {
        WORKSPACES.iter().try_for_each(|workspace| {
            self.call(workspace, &Call::Open { workspace: (*workspace).to_owned() }).map(drop)
        })
    }

    /// The processes that have gates.
    pub(super) fn with_gates(&self) -> Range<usize> {
        let first = self.processes.iter().position(|process| process.options.isolates > 0);
        first.unwrap_or_default()..self.processes.len()
    }

    /// Where the gates listen, each an isolate.
    pub(super) fn gates(&self) -> Result<Vec<SocketAddr>> {
        let mut gates = Vec::new();
        for process in &self.processes {
            gates.extend(process.gate()?.gates(process.options.isolates));
        }
        Ok(gates)
    }

    /// The process id of one of the processes.
    pub(super) fn pid(&self, process: usize) -> Result<u32> {
        Ok(self.processes[process].gate()?.server.pid)
    }

    /// Starts one of the processes again, which has ended, on the state it left.
    pub(super) fn restart(&mut self, process: usize) -> Result<()> {
        let process = &mut self.processes[process];
        process.gate = None;
        process.gate = Some(self.site.start(&process.name, false, &process.options)?);
        Ok(())
    }

    fn control(&self) -> Result<Control> {
        Ok(self.processes[0].gate()?.server.control)
    }

    fn processor(&self) -> Result<Duration> {
        self.processes.iter().map(|process| process.gate()?.processor()).sum()
    }

    /// A new key with these limits: its text and document.
    pub(super) fn key(
        &mut self,
        workspace: &str,
        limits: Option<Limits>,
    ) -> Result<(String, Document)> {
        self.number += 1;
        let (text, mut document) = self.site.key_of(workspace, self.number, now()?)?;
        document.limits = limits;
        self.put(workspace, &document)?;
        Ok((text, document))
    }

    /// A new key whose requests are signed; see [`Signer::of`].
    pub(super) fn signer(
        &mut self,
        workspace: &str,
        version: Version,
        nonce: bool,
    ) -> Result<Signer> {
        self.number += 1;
        let (_, mut document) = self.site.key_of(workspace, self.number, now()?)?;
        let signer = Signer::of(self.site.keyring.newest(), &mut document, version, nonce)?;
        self.put(workspace, &document)?;
        Ok(signer)
    }

    fn put(&self, workspace: &str, document: &Document) -> Result<()> {
        let put = Call::Put { document: Box::new(document.clone()), replaces: 0 };
        let answer = self.call(workspace, &put)?;
        ensure!(matches!(answer, Answer::Written { .. }), "{answer:?}");
        Ok(())
    }

    /// A token of somebody.
    pub(super) fn token(&self, subject: &str) -> Result<String> {
        self.issuer.as_ref().context("no issuer")?.token(subject)
    }

    /// The rows of a Workspace.
    pub(super) fn rows(&self, workspace: &str) -> Result<BTreeMap<String, String>> {
        let rows = self.control()?.workspace_rows(workspace)?;
        let text = |row: &Value, name| row[name].as_str().unwrap_or_default().to_owned();
        let rows = rows.as_array().context("no rows")?.iter();
        Ok(rows.map(|row| (text(row, "name"), text(row, "value"))).collect())
    }

    /// How often the origin has seen each target.
    pub(super) fn seen(&self) -> Targets {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets a Workspace's faults.
    pub(super) fn break_workspace(&self, workspace: &str, faults: &Value) -> Result<()> {
        self.control()?.set_workspace_faults(workspace, faults)
    }

    pub(super) fn call(&self, workspace: &str, call: &Call) -> Result<Answer> {
        self.control()?.workspace(workspace, call, false)
    }

    /// Makes a call that is answered when what it changes is in effect everywhere.
    pub(super) fn call_until_effective(&self, workspace: &str, call: &Call) -> Result<Answer> {
        self.control()?.workspace(workspace, call, true)
    }

    /// What KV holds of a key, if it does.
    pub(super) fn copy(&self, kid: &str) -> Result<Option<Document>> {
        let kid = Kid::parse(kid).context("kid")?;
        let Some(value) = self.control()?.row(&kv_name(&kid))? else { return Ok(None) };
        let opened = Document::open(&self.site.keyring, &kid, &value);
        opened.map(|(document, _)| Some(document)).map_err(|unusable| anyhow!("{unusable:?}"))
    }

    /// Lets a crowd loose.
    pub(super) fn run(&self, crowd: &Crowd, keys: &[String]) -> Result<Run> {
        let control = self.control()?;
        for workspace in WORKSPACES {
            control.reset_workspace_counts(workspace)?;
        }
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let (begun, processor) = (Instant::now(), self.processor()?);
        let shots = crowd.run(&self.gates()?, keys)?;
        let time = begun.elapsed();
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        arrivals.sort();
        let processor = self.processor()?.saturating_sub(processor);
        let (mut calls, mut rows, mut words) = (0, 0, Vec::new());
        for workspace in WORKSPACES {
            let counts = control.workspace_counts(workspace)?;
            calls += counts["calls"].as_u64().context("no count of calls")?;
            rows += counts["rowsWritten"].as_u64().context("no count of rows")?;
            words.push(counts["words"].clone());
        }
        let words = Value::from(words);
        Ok(Run { shots, arrivals, calls, rows, words, processor, time })
    }
}

impl Drop for Fleet<'_> {
    /// Ends the gates before their home, which they would miss.
    fn drop(&mut self) {
        while self.processes.pop().is_some() {}
    }
}

impl Process {
    fn gate(&self) -> Result<&Gate> {
        self.gate.as_ref().with_context(|| format!("{} did not start again", self.name))
    }
}

/// When the origin saw requests since then, ascending.
pub(super) fn arrivals_since(fleet: &Fleet<'_>, since: Instant) -> Vec<Instant> {
    let arrivals = fleet.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    let mut arrivals: Vec<_> = arrivals.iter().copied().filter(|at| *at >= since).collect();
    arrivals.sort();
    arrivals
}

impl Run {
    pub(super) fn admitted(&self) -> usize {
        self.arrivals.len()
    }

    pub(super) fn statuses(&self) -> BTreeMap<u16, usize> {
        let mut statuses = BTreeMap::new();
        for shot in &self.shots {
            *statuses.entry(shot.status).or_default() += 1;
        }
        statuses
    }

    pub(super) fn figures(&self) -> Value {
        json!({
            "sent": self.shots.len(), "admitted": self.admitted(), "statuses": self.statuses(),
            "calls": self.calls, "words": self.words, "rows": self.rows,
            "processor": self.processor.as_secs_f64(),
            "seconds": (self.time.as_secs_f64() * 1000.0).round() / 1000.0,
        })
    }
}

pub(super) const ISOLATES: u16 = 8;
/// What the origin says of each request that it has cost.
pub(super) const TOLD_COST: u64 = 4;
pub(super) const STRICT: &str = "STR1CT";
pub(super) const LEASE: &str = "1EASE0";
/// With a limit that all their keys share.
pub(super) const SHARED_STRICT: &str = "SHARE5";
pub(super) const SHARED_LEASE: &str = "SHARE1";
const WORKSPACES: [&str; 4] = [STRICT, LEASE, SHARED_STRICT, SHARED_LEASE];
