//! Keys that will expire are announced in the audit log, once each and as long ahead as the policy says.

use serde_json::{Map, json};

use super::super::alert::Alert;
use super::super::rows::{Range, Stop, readable};
use super::super::{Meta, Object};
use super::{Change, object};
use crate::management::time;
use crate::record::{Document, Status};
use crate::webhook::Event;

impl Object<'_> {
    /// Announces what is to be announced by now, and wakes for the next.
    pub(in super::super) fn announce_expiries(&mut self, meta: &Meta) -> Result<(), Stop> {
        let rows = self.rows.names(&Range::of(NOTICE, CHUNK))?;
        let rows = rows.iter().filter_map(|name| Some((name, split(name)?)));
        let rows: Vec<(&String, (u64, &str))> = rows.collect();
        let (due, later): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|(_, (at, _))| *at <= self.now.seconds());
        let kids: Vec<String> = due.iter().map(|(_, (_, kid))| (*kid).to_owned()).collect();
        self.require_known(&kids)?;
        for (name, (_, kid)) in &due {
            // One row that cannot be read keeps no other key from anything.
            readable(self.announce_expiry(meta, kid).map(Some))?;
            self.rows.delete((*name).clone());
        }
        match later.first() {
            Some((_, (at, _))) => self.wake(at.saturating_mul(1000)),
            // There may be more.
            None if !due.is_empty() => self.wake(self.now.millis()),
            None => {}
        }
        Ok(())
    }

    /// Takes note of when the expiry of a key is to be announced: at once if it is nearer than that.
    pub(super) fn note_expiry(&mut self, document: &Document) {
        if let Some((at, row)) = self.notice(document) {
            self.rows.put(row, &1);
            self.wake(at.saturating_mul(1000).max(self.now.millis()));
        }
    }

    /// Takes that back.
    pub(super) fn forget_expiry(&mut self, document: &Document) {
        if let Some((_, row)) = self.notice(document) {
            self.rows.delete(row);
        }
    }

    /// When, and in which row that is said.
    fn notice(&self, document: &Document) -> Option<(u64, String)> {
        let seconds = u64::from(self.gate.policy.expiry_notice_seconds);
        let at = document.expires.filter(|_| seconds > 0)?.saturating_sub(seconds);
        Some((at, format!("{NOTICE}{at:012}/{}", document.kid)))
    }

    fn announce_expiry(&mut self, meta: &Meta, kid: &str) -> Result<(), Stop> {
        let Some(known) = self.known(meta, kid)? else { return Ok(()) };
        let near = self.now.seconds().saturating_add(self.gate.policy.expiry_notice_seconds.into());
        // It may have been changed while the policy said something else.
        let is_near = |end: &u64| (self.now.seconds()..=near).contains(end);
        let Some(end) = known.document.expires.filter(is_near) else { return Ok(()) };
        if known.document.status == Status::Revoked {
            return Ok(());
        }
        let mut changes = Map::new();
        changes.insert("expires".to_owned(), json!([null, time::print(end)]));
        let change = Change { action: "key.expiring", target: kid.to_owned(), changes };
        self.audit_internal(meta, change)?;
        let data = object([("kid", json!(kid)), ("expires", json!(time::print(end)))]);
        let cause = format!("{kid} {end}");
        self.raise(meta, Alert { event: Event::KeyExpiring, cause, data })
    }
}

/// The second and the key that the name of a row tells.
fn split(name: &str) -> Option<(u64, &str)> {
    let (at, kid) = name.strip_prefix(NOTICE)?.split_once('/')?;
    Some((at.parse().ok()?, kid))
}

const NOTICE: &str = "notice/";
const CHUNK: u32 = 100;
