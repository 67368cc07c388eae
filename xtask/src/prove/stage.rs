//! One or more gates before one origin, with short deadlines, and keys of every mode whose KV and
//! Workspace can be broken.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use portcullis::imported::PointerId;
use portcullis::key::Kid;
use portcullis::mint::{self, Row};
use portcullis::policy::Limits;
use portcullis::record::{Document, SecretDocument, Status};
use portcullis::workspace::call::{Answer, Call, Hour};
use serde_json::{Value, json};

use super::site::{Gate, Site, TIMEOUT, code, free_ports, now, request};
use super::upstream::Upstream;
use crate::http::{self, Reply};
use crate::keys::{openssl_like, sealed};
use crate::workerd::Options;

/// The gates, what is behind them, and how many keys there are.
pub(super) struct Stage {
    site: Site,
    pub(super) gate: Gate,
    pub(super) origin: Upstream,
    isolates: u16,
    number: u64,
}

/// A key that is known to its Workspace and to KV.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) workspace: &'static str,
    pub(super) document: Document,
}

/// An answer and how long it took.
#[derive(Debug)]
pub(super) struct Shot {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) retry_after: Option<u64>,
    pub(super) degraded: bool,
    pub(super) remaining: Option<u64>,
    pub(super) time: Duration,
}

/// Calls to a Workspace that requests wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    pub(super) admits: u64,
    pub(super) records: u64,
    /// The names of the `admit` calls.
    pub(super) ids: Vec<String>,
}

impl Stage {
    /// Builds the Worker with the policy of faults and starts it with nothing stored.
    pub(super) fn start(site: &Site, name: &str, isolates: u16) -> Result<Self> {
        Self::with(site, name, isolates, |_| Ok(()))
    }

    /// The same with options of its own.
    pub(super) fn with(
        site: &Site,
        name: &str,
        isolates: u16,
        change: impl FnOnce(&mut Options) -> Result<()>,
    ) -> Result<Self> {
        let site = Site::with_policy(&site.checkout, "faults")?;
        let origin = Upstream::start(|_, wire| wire.ok(""))?;
        let mut options = site.options(origin.address)?;
        options.isolates = isolates;
        options.port = free_ports(isolates)?;
        change(&mut options)?;
        let gate = site.start(name, true, &options)?;
        let stage = Self { site, gate, origin, isolates, number: 0 };
        for workspace in WORKSPACES {
            stage.call(workspace, &Call::Open { workspace: workspace.to_owned() })?;
        }
        // The first request builds the gate in each isolate.
        for at in 0..isolates {
            stage.get_at(at, "/near/x", "none")?;
        }
        Ok(stage)
    }

    /// A new key: of its Workspace, unless that has no say, and in KV.
    pub(super) fn key(
        &mut self,
        workspace: &'static str,
        imported: bool,
        limits: Option<Limits>,
    ) -> Result<Key> {
        let (key, rows) = self.draft(workspace, imported, limits)?;
        if workspace != EDGE {
            self.put(&key)?;
        }
        let rows = rows.into_iter().map(|row| (row.name, row.value.into_bytes()));
        self.gate.server.control.put_rows(rows)?;
        Ok(key)
    }

    /// A key that was revoked, as everybody knows.
    pub(super) fn revoked(&mut self, workspace: &'static str) -> Result<Key> {
        let key = self.key(workspace, false, None)?;
        if workspace == EDGE {
            let mut document = key.document.clone();
            (document.status, document.version) = (Status::Revoked, document.version + 1);
            let row = sealed(self.site.keyring.newest(), &document)?;
            self.gate.server.control.put_rows([row])?;
        } else {
            let kid = key.document.kid.clone();
            self.call(workspace, &Call::SetStatus { kid, status: Status::Revoked })?;
            self.settle(workspace)?;
        }
        Ok(key)
    }

    /// A key that nobody knows yet, and its rows.
    pub(super) fn draft(
        &mut self,
        workspace: &'static str,
        imported: bool,
        limits: Option<Limits>,
    ) -> Result<(Key, Vec<Row>)> {
        self.number += 1;
        let (mut text, mut document) = self.site.key_of(workspace, self.number, now()?)?;
        document.limits = limits;
        document.scopes = portcullis::scope::Grants::parse(["proof:read"])?;
        let root = self.site.keyring.newest();
        let mut rows = Vec::new();
        if imported {
            text = openssl_like(SEED, &self.number.to_string());
            let digest = mint::imported_digest_of(root, &text);
            document.secrets = vec![SecretDocument::new(0, root.version(), &digest)];
            let kid = Kid::parse(&document.kid).context("kid")?;
            rows.push(Row::of_pointer(root, &PointerId::of(root, &text), kid));
        }
        rows.push(document.row(root).context("row")?);
        Ok((Key { text, workspace, document }, rows))
    }

    /// Tells a key to its Workspace.
    pub(super) fn put(&self, key: &Key) -> Result<()> {
        let put = Call::Put { document: Box::new(key.document.clone()), replaces: 0 };
        let answer = self.call(key.workspace, &put)?;
        ensure!(matches!(answer, Answer::Written { .. }), "{answer:?}");
        Ok(())
    }

    /// Changes a key and puts the copy of before back into KV once the new one is there; or, of a
    /// key that is not changed (`None`), a copy that is too old to be believed.
    pub(super) fn age(&self, key: &Key, status: Option<Status>) -> Result<()> {
        let mut old = key.document.clone();
        match status {
            Some(status) if key.workspace != EDGE => {
                let kid = key.document.kid.clone();
                self.call(key.workspace, &Call::SetStatus { kid, status })?;
                self.settle(key.workspace)?;
            }
            Some(_) => {}
            None => {
                if key.workspace != EDGE {
                    self.settle(key.workspace)?;
                }
                old.fresh_until = now()?.saturating_sub(1);
            }
        }
        let row = sealed(self.site.keyring.newest(), &old)?;
        self.gate.server.control.put_rows([row])
    }

    /// Waits until KV holds what the Workspace has for it.
    pub(super) fn settle(&self, workspace: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            let rows = self.gate.server.control.workspace_rows(workspace)?;
            let waits = |row: &Value| row["name"].as_str().unwrap_or("").starts_with("outbox/");
            if !rows.as_array().context("rows")?.iter().any(waits) {
                return Ok(());
            }
            ensure!(begun.elapsed() < TIMEOUT, "copies do not reach KV");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(super) fn call(&self, workspace: &str, call: &Call) -> Result<Answer> {
        self.gate.server.control.workspace(workspace, call, false)
    }

    /// A GET with a key, through the first gate.
    pub(super) fn get(&self, key: &Key) -> Result<Shot> {
        self.get_at(0, "/near/x", &key.text)
    }

    /// A GET through this gate.
    pub(super) fn get_at(&self, gate: u16, target: &str, key: &str) -> Result<Shot> {
        let address = self.gate.gates(self.isolates)[usize::from(gate)];
        let begun = Instant::now();
        let reply = http::exchange(address, request("GET", target, Some(key)).as_bytes(), TIMEOUT)?;
        Ok(Shot::of(&reply, begun.elapsed()))
    }

    /// Breaks KV and a Workspace; an empty list mends them.
    pub(super) fn set_faults(&self, kv: &Value, workspace: &str, object: &Value) -> Result<()> {
        let control = self.gate.server.control;
        control.set_faults(&json!({ "kv": kv }))?;
        control.set_workspace_faults(workspace, object)
    }

    pub(super) fn reset_calls(&self, workspace: &str) -> Result<()> {
        self.gate.server.control.reset_workspace_counts(workspace)
    }

    /// Calls since then.
    pub(super) fn calls(&self, workspace: &str) -> Result<Calls> {
        let counts = self.gate.server.control.workspace_counts(workspace)?;
        let word = |word| counts["words"][word].as_u64().unwrap_or(0);
        let ids = counts["ids"].as_array().context("ids")?;
        let ids = ids.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect();
        Ok(Calls { admits: word("admit"), records: word("record"), ids })
    }

    /// The use of a key in all its hours, added up.
    pub(super) fn usage(&self, key: &Key) -> Result<Hour> {
        let call = Call::Usage { kid: key.document.kid.clone(), from: 0, to: u64::from(u32::MAX) };
        let answer = self.call(key.workspace, &call)?;
        let Answer::Usage { hours, .. } = answer else { anyhow::bail!("{answer:?}") };
        Ok(hours.into_iter().fold(Hour::default(), |mut sum, hour| {
            sum.exact += hour.exact;
            sum.at_most += hour.at_most;
            sum.denied.extend(hour.denied);
            sum
        }))
    }
}

impl Shot {
    fn of(reply: &Reply, time: Duration) -> Self {
        let number = |name| reply.header(name).and_then(|value| value.parse().ok());
        Self {
            status: reply.status,
            code: if reply.status == 200 { String::new() } else { code(reply) },
            retry_after: number("retry-after"),
            degraded: reply.header("x-portcullis-degraded") == Some("workspace"),
            remaining: number("x-ratelimit-remaining"),
            time,
        }
    }
}

pub(super) const STRICT: &str = "STR1CT";
pub(super) const LEASE: &str = "1EASE0";
pub(super) const EDGE: &str = "ED6E00";
/// Goes on without its Workspace.
pub(super) const FALLBACK: &str = "FA11ED";
const WORKSPACES: [&str; 4] = [STRICT, LEASE, EDGE, FALLBACK];
const SEED: &[u8; 32] = b"imported keys of the proofs here";
