//! The record of changes: each entry's hash covers the entry and the hash before it, under a key
//! that no reader has (HMAC-SHA-256, `k_audit`).

use serde_json::{Value as Json, json};

use super::super::call::Manage;
use super::super::rows::{Stop, Value};
use super::super::{Meta, Object};
use super::about::{About, Known, difference};
use super::{Change, Done, Outcome, Request};
use crate::encoding;
use crate::fields::{BadField, Fields, Line, number};
use crate::management::problem::Problem;
use crate::management::time;
use crate::record::Document;

/// The newest entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Head {
    sequence: u64,
    hash: String,
}

impl Value for Head {
    fn parse(text: &str) -> Result<Self, BadField> {
        let fields = Fields::of(text);
        Ok(Self { sequence: fields.number("sequence")?, hash: fields.text("hash")?.to_owned() })
    }

    fn print(&self) -> String {
        Line::new("head").number("sequence", self.sequence).with("hash", &self.hash).finish()
    }
}

/// An entry: the version of the root that made its hash, the hash, its JSON.
struct Entry {
    root: u16,
    hash: String,
    json: String,
}

impl Value for Entry {
    fn parse(text: &str) -> Result<Self, BadField> {
        let mut parts = text.splitn(3, ' ');
        let mut part = || parts.next().ok_or(BadField);
        Ok(Self { root: number(part()?)?, hash: part()?.to_owned(), json: part()?.to_owned() })
    }

    fn print(&self) -> String {
        format!("{} {} {}", self.root, self.hash, self.json)
    }
}

impl Object<'_> {
    pub(super) fn append_audit(&mut self, call: &Manage, change: Change) -> Result<(), Stop> {
        let head: Head = self.rows.get(HEAD)?.unwrap_or_default();
        let sequence = head.sequence.saturating_add(1);
        let json = json!({
            "sequence": sequence,
            "time": time::print_millis(self.now.millis()),
            "actor": call.actor,
            "address": call.address,
            "request_id": call.request_id,
            "action": change.action,
            "target": change.target,
            "changes": change.changes,
        })
        .to_string();
        let root = self.gate.keyring.newest();
        let hash =
            encoding::hex(root.audit.mac(&chained(&call.workspace, &head.hash, &json)).as_bytes());
        self.rows.put(row(sequence), &Entry { root: root.version(), hash: hash.clone(), json });
        self.rows.put(HEAD.to_owned(), &Head { sequence, hash });
        Ok(())
    }

    /// Takes note of a change of a key that no request asked for, but a call of our own.
    pub(in super::super) fn audit_key(
        &mut self,
        meta: &Meta,
        action: &'static str,
        before: Option<&Document>,
        after: &Document,
    ) -> Result<(), Stop> {
        let fields = |document: &Document| Known::new(document.clone(), About::default()).fields();
        let before = before.map(fields).unwrap_or_default();
        let (target, changes) = (after.kid.clone(), difference(&before, &fields(after)));
        self.audit_internal(meta, Change { action, target, changes })
    }

    /// The same of any change.
    pub(in super::super) fn audit_internal(
        &mut self,
        meta: &Meta,
        change: Change,
    ) -> Result<(), Stop> {
        let (actor, workspace) = (PORTCULLIS.to_owned(), meta.workspace.clone());
        self.append_audit(&Manage { actor, workspace, ..Manage::default() }, change)
    }

    /// The number of the last change.
    pub(super) fn last_change(&self) -> Result<u64, Stop> {
        Ok(self.rows.get::<Head>(HEAD)?.unwrap_or_default().sequence)
    }

    pub(super) fn list_audit(&self, request: &Request<'_>) -> Outcome<Done> {
        let head: Head = self.rows.get(HEAD)?.unwrap_or_default();
        let oldest = request.word("order") == Some("oldest");
        let from = match request.word("cursor").map(str::parse::<u64>) {
            None if oldest => 1,
            None => head.sequence,
            Some(Ok(from)) => from,
            Some(Err(_)) => return Err(Problem::field("cursor", "is none of ours").into()),
        };
        let page = u64::from(request.page());
        let numbers: Vec<u64> = if oldest {
            (from.max(1)..=head.sequence.min(from.saturating_add(page).saturating_sub(1))).collect()
        } else {
            let from = from.min(head.sequence);
            (from.saturating_sub(page).saturating_add(1).max(1)..=from).rev().collect()
        };
        self.rows.require(numbers.iter().map(|number| row(*number)))?;
        let mut entries = Vec::new();
        for number in &numbers {
            let Some(entry) = self.rows.get::<Entry>(&row(*number))? else { continue };
            let mut view: Json = serde_json::from_slice(entry.json.as_bytes()).unwrap_or_default();
            if let Some(fields) = view.as_object_mut() {
                fields.insert("hash".to_owned(), entry.hash.into());
                entries.push(view);
            }
        }
        let next = match numbers.last() {
            Some(last) if oldest && *last < head.sequence => Some(last.saturating_add(1)),
            Some(last) if !oldest && *last > 1 => Some(last.saturating_sub(1)),
            _ => None,
        };
        let next = next.map(|number| number.to_string());
        Ok(Done::read(json!({ "entries": entries, "next": next })))
    }

    /// Computes a stretch of the chain again; the hash before it is taken at its word.
    pub(super) fn verify_audit(&self, request: &Request<'_>) -> Outcome<Done> {
        let head: Head = self.rows.get(HEAD)?.unwrap_or_default();
        let from = request.number("from").unwrap_or(1).max(1);
        let to = head.sequence.min(from.saturating_add(STRETCH).saturating_sub(1));
        let numbers = from.saturating_sub(1).max(1)..=to;
        self.rows.require(numbers.map(row))?;
        let mut before = String::new();
        if from > 1 {
            let last = self.rows.get::<Entry>(&row(from.saturating_sub(1)))?;
            before = last.map(|entry| entry.hash).unwrap_or_default();
        }
        let mut broken_at = None;
        for number in from..=to {
            match self.rows.get::<Entry>(&row(number)) {
                Ok(Some(entry)) if self.fits(&entry, &request.call.workspace, &before, number) => {
                    before = entry.hash
                }
                Ok(_) | Err(Stop::Damaged(_)) => {
                    broken_at = Some(number);
                    break;
                }
                Err(stop) => return Err(stop.into()),
            }
        }
        // What was cut off at the end is missed by the head alone.
        if broken_at.is_none() && to == head.sequence && from <= to && before != head.hash {
            broken_at = Some(to);
        }
        let last = broken_at.map_or(to, |broken| broken.saturating_sub(1));
        let more = broken_at.is_none() && to < head.sequence;
        Ok(Done::read(json!({
            "intact": broken_at.is_none(),
            "entries": last.saturating_add(1).saturating_sub(from),
            "broken_at": broken_at,
            "next": more.then(|| to.saturating_add(1)),
        })))
    }

    fn fits(&self, entry: &Entry, workspace: &str, before: &str, number: u64) -> bool {
        let Some(root) = self.gate.keyring.version(entry.root) else { return false };
        let json: Json = serde_json::from_slice(entry.json.as_bytes()).unwrap_or_default();
        let hash =
            encoding::hex(root.audit.mac(&chained(workspace, before, &entry.json)).as_bytes());
        hash == entry.hash && json.get("sequence").and_then(Json::as_u64) == Some(number)
    }
}

/// What is hashed: nothing of it has a line feed.
fn chained<'a>(workspace: &'a str, before: &'a str, json: &'a str) -> [&'a [u8]; 5] {
    [workspace.as_bytes(), b"\n", before.as_bytes(), b"\n", json.as_bytes()]
}

fn row(number: u64) -> String {
    format!("audit/{number:012}")
}

pub(super) const HEAD: &str = "audit";
/// The actor of what happens by itself or by a call of our own. No member has this name.
const PORTCULLIS: &str = "portcullis";
const STRETCH: u64 = 200;
