//! Eight gates before one origin, and Workspaces behind them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use portcullis::policy::Limits;
use portcullis::record::Document;
use portcullis::workspace::call::{Answer, Call};
use serde_json::{Value, json};

use super::crowd::{Crowd, Shot};
use super::site::{Gate, Site, free_ports, now};
use super::upstream::Upstream;
use crate::workerd::Options;

/// Gates that share everything but their memory.
pub(super) struct Fleet<'a> {
    site: &'a Site,
    gate: Option<Gate>,
    arrivals: Arc<Mutex<Vec<Instant>>>,
    number: u64,
    name: String,
    options: Options,
    _origin: Upstream,
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
    /// Processor time of workerd.
    pub(super) processor: Duration,
    pub(super) time: Duration,
}

impl<'a> Fleet<'a> {
    /// Starts it with nothing stored.
    pub(super) fn start(site: &'a Site, name: &str) -> Result<Self> {
        let arrivals: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let log = Arc::clone(&arrivals);
        let origin = Upstream::start(move |_, wire| {
            log.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
            wire.ok("")
        })?;
        let mut options = site.options(origin.address)?;
        options.isolates = ISOLATES;
        options.port = free_ports(ISOLATES)?;
        let gate = site.start(name, true, &options)?;
        let name = name.to_owned();
        let fleet =
            Self { site, gate: Some(gate), arrivals, number: 0, name, options, _origin: origin };
        for workspace in WORKSPACES {
            fleet.call(workspace, &Call::Open { workspace: workspace.to_owned() })?;
        }
        Ok(fleet)
    }

    /// The gates.
    pub(super) fn gate(&self) -> Result<&Gate> {
        self.gate.as_ref().context("the gate did not start again")
    }

    /// Starts workerd again, which has ended, on the state it left.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.gate = None;
        self.gate = Some(self.site.start(&self.name, false, &self.options)?);
        Ok(())
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
        let put = Call::Put { document: Box::new(document.clone()), replaces: 0 };
        let answer = self.call(workspace, &put)?;
        ensure!(matches!(answer, Answer::Written { .. }), "{answer:?}");
        Ok((text, document))
    }

    pub(super) fn call(&self, workspace: &str, call: &Call) -> Result<Answer> {
        self.gate()?.server.control.workspace(workspace, call, false)
    }

    /// Lets a crowd loose.
    pub(super) fn run(&self, crowd: &Crowd, keys: &[String]) -> Result<Run> {
        let control = self.gate()?.server.control;
        for workspace in WORKSPACES {
            control.reset_workspace_counts(workspace)?;
        }
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let (begun, processor) = (Instant::now(), self.gate()?.processor()?);
        let shots = crowd.run(&self.gate()?.gates(ISOLATES), keys)?;
        let time = begun.elapsed();
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        arrivals.sort();
        let processor = self.gate()?.processor()?.saturating_sub(processor);
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
pub(super) const STRICT: &str = "STR1CT";
pub(super) const LEASE: &str = "1EASE0";
/// With a limit that all their keys share.
pub(super) const SHARED_STRICT: &str = "SHARE5";
pub(super) const SHARED_LEASE: &str = "SHARE1";
const WORKSPACES: [&str; 4] = [STRICT, LEASE, SHARED_STRICT, SHARED_LEASE];
