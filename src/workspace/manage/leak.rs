//! Keys that have leaked.

use serde_json::{Value as Json, json};

use super::super::alert::Alert;
use super::super::call::{Manage, SCANNER};
use super::super::{Meta, Object};
use super::{Done, Outcome, object};
use crate::management::problem::Problem;
use crate::record::Status;
use crate::webhook::Event;

impl Object<'_> {
    /// Holds a key back that a secret scanner has found. The exchange has seen its secret.
    pub(super) fn quarantine_key(&mut self, meta: &Meta, call: &Manage) -> Outcome<Done> {
        let leaked = serde_json::from_slice::<Json>(call.body.as_bytes()).unwrap_or_default();
        let kid = leaked.get("kid").and_then(Json::as_str).filter(|_| call.actor == SCANNER);
        let before = self.known(meta, kid.unwrap_or_default())?.ok_or_else(Problem::not_found)?;
        if !matches!(before.document.status, Status::Active | Status::Disabled) {
            return Ok(Done::read(json!({})));
        }
        let kid = before.document.kid.clone();
        let (written, mut change) =
            self.turn(meta, before, Status::Quarantined, "key.quarantine")?;
        change.changes.insert("leak".to_owned(), json!([null, leaked.get("leak")]));
        let cause = format!("{kid} {}", written.version);
        let data = object([
            ("kid", json!(kid)),
            ("status", json!(Status::Quarantined)),
            ("leak", json!(leaked.get("leak"))),
        ]);
        self.raise(meta, Alert { event: Event::KeyLeaked, cause, data })?;
        Ok(Done::changed(json!({}), change))
    }
}
