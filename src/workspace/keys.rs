//! The keys of a workspace: their documents, and how they change.

use super::accounts::{KeyAccount, SHARED, SharedAccount, account_row};
use super::call::{Answer, Conflict};
use super::manage::Change;
use super::rows::{Range, Stop, Value, readable};
use super::{META, Meta, Object, outbox};
use crate::fields::{BadField, number};
use crate::gate::Gate;
use crate::key::Kid;
use crate::mint::FRESH_SECONDS;
use crate::policy::Limits;
use crate::record::{Document, Record, Status};

/// A key as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// The workspace's epoch in which it was created or last enabled.
    epoch: u64,
    pub(super) document: Document,
}

/// Name and value of the row of a key that is taken in as it stands.
#[cfg(feature = "ledger")]
pub(crate) fn held(document: Document) -> (String, String) {
    (row(&document.kid), Held { epoch: 0, document }.print())
}

/// A change that was made.
pub(super) struct Written {
    pub(super) version: u64,
    /// The millisecond from which no isolate acts on what was before.
    pub(super) effective_by: u64,
}

impl Written {
    fn answer(self) -> Answer {
        let Self { version, effective_by } = self;
        Answer::Written { version, effective_by }
    }
}

/// The epoch, a space, the document's JSON.
impl Value for Held {
    fn parse(text: &str) -> Result<Self, BadField> {
        let (epoch, json) = text.split_once(' ').ok_or(BadField)?;
        let document = Document::read(json.as_bytes()).ok_or(BadField)?;
        Ok(Self { epoch: number(epoch)?, document })
    }

    fn print(&self) -> String {
        // A document holds text and numbers alone.
        let json = serde_json::to_string(&self.document).unwrap_or_default();
        format!("{} {json}", self.epoch)
    }
}

impl Held {
    /// Whether requests verified by `version` of its record may be admitted.
    pub(super) fn is_current(&self, meta: &Meta, version: u64) -> bool {
        self.document.version == version
            && self.document.status == Status::Active
            && self.epoch == meta.epoch
    }

    /// Its limits, if it has any.
    ///
    /// # Errors
    /// [`Stop::Damaged`] if it names a tier that the policy lacks.
    pub(super) fn limits(&self, gate: &Gate) -> Result<Option<Limits>, Stop> {
        let Some(name) = &self.document.tier else { return Ok(self.document.limits) };
        let tier = gate.policy.tier(name).ok_or_else(|| Stop::Damaged(row(&self.document.kid)))?;
        Ok(Some(tier.limits))
    }

    /// The limits on trial of its tier.
    pub(super) fn trial(&self, gate: &Gate) -> Option<Limits> {
        gate.policy.tier(self.document.tier.as_ref()?)?.shadow
    }

    /// The document as it stands after a revocation of all keys that has not come to it yet.
    pub(super) fn effective(mut self, meta: &Meta) -> Document {
        if self.epoch != meta.epoch && self.document.status != Status::Revoked {
            self.document.status = Status::Revoked;
            self.document.version = self.document.version.saturating_add(1);
        }
        self.document
    }
}

impl Object<'_> {
    pub(super) fn record(&mut self, meta: &Meta, kid: &str) -> Result<Answer, Stop> {
        match self.rows.get::<Held>(&row(kid))? {
            Some(held) => Ok(Answer::Record { value: self.sealed(meta, held)? }),
            None => Ok(Answer::Unknown),
        }
    }

    pub(super) fn sealed(&self, meta: &Meta, held: Held) -> Result<String, Stop> {
        let mut document = held.effective(meta);
        document.fresh_until = self.now.seconds().saturating_add(FRESH_SECONDS);
        let sealed = document.row(self.gate.keyring.newest());
        sealed.map(|row| row.value).ok_or_else(|| Stop::Damaged(row(&document.kid)))
    }

    pub(super) fn put(
        &mut self,
        meta: &Meta,
        document: &Document,
        replaces: u64,
    ) -> Result<Answer, Stop> {
        let conflict = |why| Ok(Answer::Conflict { why });
        let Some(kid) = Kid::parse(&document.kid) else { return conflict(Conflict::Invalid) };
        if kid.workspace().as_str() != meta.workspace {
            return conflict(Conflict::Workspace);
        }
        let before = self.rows.get::<Held>(&row(&document.kid))?.map(|held| held.effective(meta));
        if before.as_ref().map_or(0, |document| document.version) != replaces {
            return conflict(Conflict::Version);
        }
        if before.as_ref().is_some_and(|document| document.status == Status::Revoked) {
            return conflict(Conflict::Revoked);
        }
        let document = Document {
            version: replaces.saturating_add(1),
            fresh_until: self.now.seconds().saturating_add(FRESH_SECONDS),
            ..document.clone()
        };
        if !self.is_usable(&document) {
            return conflict(Conflict::Invalid);
        }
        let action = if before.is_some() { "key.update" } else { "key.create" };
        self.audit_key(meta, action, before.as_ref(), &document)?;
        self.write(meta, before.as_ref(), document).map(Written::answer)
    }

    /// Whether gates would take it. What they would not is not stored.
    pub(super) fn is_usable(&self, document: &Document) -> bool {
        let (Some(kid), keyring) = (Kid::parse(&document.kid), &self.gate.keyring) else {
            return false;
        };
        let sealed = document.row(keyring.newest());
        sealed.is_some_and(|row| {
            Record::open(keyring, &kid, &self.gate.policy.tiers, row.value.as_bytes()).is_ok()
        })
    }

    pub(super) fn set_status(
        &mut self,
        meta: &Meta,
        kid: &str,
        status: Status,
    ) -> Result<Answer, Stop> {
        let Some(held) = self.rows.get::<Held>(&row(kid))? else { return Ok(Answer::Unknown) };
        let before = held.effective(meta);
        if before.status == Status::Revoked && status != Status::Revoked {
            return Ok(Answer::Conflict { why: Conflict::Revoked });
        }
        let version = before.version.saturating_add(1);
        let document = Document { status, version, ..before.clone() };
        let action = match status {
            Status::Active => "key.enable",
            Status::Disabled => "key.disable",
            Status::Quarantined => "key.quarantine",
            Status::Revoked => "key.revoke",
        };
        self.audit_key(meta, action, Some(&before), &document)?;
        self.write(meta, Some(&before), document).map(Written::answer)
    }

    /// One number revokes all keys; their rows and copies follow.
    pub(super) fn revoke_all(&mut self, meta: &Meta) -> Result<Answer, Stop> {
        let (written, change) = self.next_epoch(meta)?;
        self.audit_internal(meta, change)?;
        Ok(written.answer())
    }

    /// The revocation of all keys, and what is to be noted of it.
    pub(super) fn next_epoch(&mut self, meta: &Meta) -> Result<(Written, Change), Stop> {
        let effective_by = self.last_lease_end()?;
        let change = Change::of_keys("key.revoke_all", meta, self.active(meta)?, 0);
        let epoch = meta.epoch.saturating_add(1);
        self.rows.put(META.to_owned(), &Meta { epoch, ..meta.clone() });
        self.wake(self.now.millis());
        Ok((Written { version: epoch, effective_by }, change))
    }

    /// Writes a new or changed key, and has it copied to KV.
    pub(super) fn write(
        &mut self,
        meta: &Meta,
        before: Option<&Document>,
        document: Document,
    ) -> Result<Written, Stop> {
        let (kid, version) = (document.kid.clone(), document.version);
        let effective_by = self.lease_end(&kid)?;
        self.index(meta, before, &document)?;
        self.store(&kid, &Held { epoch: meta.epoch, document });
        Ok(Written { version, effective_by })
    }

    /// The millisecond from which no isolate acts on what a key was before now.
    pub(super) fn lease_end(&self, kid: &str) -> Result<u64, Stop> {
        let own: KeyAccount = self.rows.get(&account_row(kid))?.unwrap_or_default();
        Ok(self.now.millis().max(own.lease_until))
    }

    /// The millisecond from which no isolate acts on what any key and the workspace were before now.
    pub(super) fn last_lease_end(&self) -> Result<u64, Stop> {
        let shared: SharedAccount = self.rows.get(SHARED)?.unwrap_or_default();
        Ok(self.now.millis().max(shared.lease_until))
    }

    pub(super) fn store(&mut self, kid: &str, held: &Held) {
        self.rows.put(row(kid), held);
        self.rows.put(outbox::row(kid), &held.document.version);
        self.wake(self.now.millis());
    }

    /// Keys that a revocation of all has not come to yet, a few at a time.
    pub(super) fn overtaken(&mut self, meta: &Meta, from: &str) -> Result<Option<String>, Stop> {
        let range = Range::between("key/", from, "~", CHUNK);
        let names = self.rows.names(&range)?;
        let full = u32::try_from(names.len()).unwrap_or(u32::MAX) >= CHUNK;
        let last = names.last().cloned();
        for name in names {
            let held = readable(self.rows.get::<Held>(&name))?;
            if let Some(held) = held.filter(|held| held.epoch != meta.epoch) {
                let document = held.effective(meta);
                let kid = document.kid.clone();
                self.store(&kid, &Held { epoch: meta.epoch, document });
            }
        }
        // The name after the last one read.
        let next = last.and_then(|name| name.strip_prefix("key/").map(|kid| format!("{kid}!")));
        Ok(next.filter(|_| full))
    }
}

pub(super) fn row(kid: &str) -> String {
    format!("key/{kid}")
}

const CHUNK: u32 = 100;
