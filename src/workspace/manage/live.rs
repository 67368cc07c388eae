//! Which keys there are, the newest first, and how many of them count as active: those that are
//! neither revoked nor expired.

use super::super::keys::Held;
use super::super::rows::{Range, Stop, Value};
use super::super::{Meta, Object};
use super::create::owned_row;
use crate::clock::Now;
use crate::fields::{BadField, Fields, Line};
use crate::record::{Document, Status};

/// How many keys were active when this was written, of one epoch: the next begins with none.
#[derive(Debug)]
struct Live {
    epoch: u64,
    count: u32,
}

impl Value for Live {
    fn parse(text: &str) -> Result<Self, BadField> {
        let fields = Fields::of(text);
        Ok(Self { epoch: fields.number("epoch")?, count: fields.number("count")? })
    }

    fn print(&self) -> String {
        Line::new("live").number("epoch", self.epoch).number("count", self.count).finish()
    }
}

impl Object<'_> {
    /// How many keys are active now.
    pub(in super::super) fn active(&self, meta: &Meta) -> Result<u32, Stop> {
        match self.rows.get::<Live>(LIVE)? {
            Some(live) if live.epoch == meta.epoch => {
                let ended = u32::try_from(self.ended(meta)?.len()).unwrap_or(u32::MAX);
                Ok(live.count.saturating_sub(ended))
            }
            Some(_) => Ok(0),
            // Keys from before there was a count.
            None => {
                let keys = self.all::<Held>("key/")?;
                let alive = keys
                    .into_iter()
                    .filter(|(_, held)| is_active(&held.clone().effective(meta), self.now));
                Ok(u32::try_from(alive.count()).unwrap_or(u32::MAX))
            }
        }
    }

    /// Where keys are listed from `from` on, at most `limit`: names of rows, that end in the kid.
    pub(super) fn listed(&self, from: &str, limit: u32) -> Result<Vec<String>, Stop> {
        if self.rows.text(LIVE)?.is_some() {
            return self.rows.names(&Range::between(LIST, from, "~", limit));
        }
        // Keys from before there was a list.
        let keys = self.all::<Held>("key/")?;
        let names = keys.iter().map(|(_, held)| list_row(&held.document));
        let mut names: Vec<String> =
            names.filter(|name| name.strip_prefix(LIST).is_some_and(|rest| rest >= from)).collect();
        names.sort_unstable();
        names.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(names)
    }

    /// Takes note of a change before it is stored. Nobody else writes these rows.
    pub(in super::super) fn index(
        &mut self,
        meta: &Meta,
        before: Option<&Document>,
        after: &Document,
    ) -> Result<(), Stop> {
        if self.rows.text(LIVE)?.is_none() {
            self.adopt(meta)?;
        }
        let count = self.active(meta)?;
        for name in self.ended(meta)? {
            self.rows.delete(name);
        }
        let was = before.is_some_and(|document| is_active(document, self.now));
        let is = is_active(after, self.now);
        let count = match (was, is) {
            (false, true) => count.saturating_add(1),
            (true, false) => count.saturating_sub(1),
            _ => count,
        };
        // What was announced is not announced again while the end stays.
        let ended_alike = before.is_some_and(|before| before.expires == after.expires);
        if !(was && is && ended_alike) {
            if let Some(before) = before.filter(|_| was) {
                ends_row(meta, before).into_iter().for_each(|name| self.rows.delete(name));
                self.forget_expiry(before);
            }
            if is {
                self.note_end(meta, after);
            }
        }
        if before.is_none() {
            self.rows.put(list_row(after), &1);
        }
        self.own(after);
        self.rows.put(LIVE.to_owned(), &Live { epoch: meta.epoch, count });
        Ok(())
    }

    /// Keys that expired since somebody looked.
    fn ended(&self, meta: &Meta) -> Result<Vec<String>, Stop> {
        self.rows.all_names(self.ends(meta))
    }

    /// Where their ends are noted.
    pub(super) fn ends(&self, meta: &Meta) -> Range {
        let end = format!("{:012}", self.now.seconds().saturating_add(1));
        Range::between(&format!("{ENDS}{}/", epoch(meta)), "", &end, CHUNK)
    }

    /// Forgets the ends of keys that a revocation of all has ended, a few at a time: more than the
    /// keys to which it comes meanwhile.
    pub(in super::super) fn forget_ends(&mut self, meta: &Meta) -> Result<(), Stop> {
        for name in self.rows.names(&Range::between(ENDS, "", &epoch(meta), CHUNK))? {
            self.rows.delete(name);
        }
        Ok(())
    }

    /// Takes note of when an active key will end.
    fn note_end(&mut self, meta: &Meta, document: &Document) {
        if let Some(name) = ends_row(meta, document) {
            self.rows.put(name, &1);
            self.note_expiry(document);
        }
    }

    /// Lets a personal key be found by its subject, as long as it is not revoked.
    fn own(&mut self, document: &Document) {
        let Some(subject) = &document.subject else { return };
        let row = owned_row(subject, &document.kid);
        if document.status == Status::Revoked {
            self.rows.delete(row);
        } else {
            self.rows.put(row, &1);
        }
    }

    /// Indexes the keys from before there was an index.
    fn adopt(&mut self, meta: &Meta) -> Result<(), Stop> {
        let count = self.active(meta)?;
        for (_, held) in self.all::<Held>("key/")? {
            let document = held.effective(meta);
            self.rows.put(list_row(&document), &1);
            self.own(&document);
            if is_active(&document, self.now) {
                self.note_end(meta, &document);
            }
        }
        self.rows.put(LIVE.to_owned(), &Live { epoch: meta.epoch, count });
        Ok(())
    }
}

/// Whether a key counts.
pub(super) fn is_active(document: &Document, now: Now) -> bool {
    document.status != Status::Revoked && document.expires.is_none_or(|end| now.seconds() < end)
}

/// The newest first.
fn list_row(document: &Document) -> String {
    format!("{LIST}{:012}/{}", LAST.saturating_sub(document.created), document.kid)
}

fn ends_row(meta: &Meta, document: &Document) -> Option<String> {
    let end = document.expires?;
    Some(format!("{ENDS}{}/{end:012}/{}", epoch(meta), document.kid))
}

fn epoch(meta: &Meta) -> String {
    format!("{:010}", meta.epoch)
}

pub(super) const LIST: &str = "list/";
const ENDS: &str = "ends/";
pub(super) const LIVE: &str = "live";
const LAST: u64 = 999_999_999_999;
const CHUNK: u32 = 500;
