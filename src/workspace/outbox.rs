//! Copies in KV, and what Directories are to know: what is to be written there, again until it is.

use super::call::{Answer, Copy};
use super::keys::{self, Held};
use super::manage::member_row;
use super::rows::{Range, Stop, Value, readable};
use super::{Meta, Object};
use crate::directory;
use crate::fields::{BadField, Fields, Line, number};
use crate::imported::{Pointer, PointerId};
use crate::key::{Kid, Workspace};
use crate::management::body::MEMBER;
use crate::mint::FRESH_SECONDS;
use crate::record::kv_name;

/// How far the revocation of all keys has come.
#[derive(Debug, Default)]
struct Sweep {
    epoch: u64,
    /// The next kid; `None` when it is over.
    from: Option<String>,
}

impl Value for Sweep {
    fn parse(text: &str) -> Result<Self, BadField> {
        let fields = Fields::of(text);
        Ok(Self { epoch: fields.number("epoch")?, from: fields.get("from").map(str::to_owned) })
    }

    fn print(&self) -> String {
        Line::new("sweep").number("epoch", self.epoch).all("from", &self.from).finish()
    }
}

/// A version, or a second.
impl Value for u64 {
    fn parse(text: &str) -> Result<Self, BadField> {
        number(text)
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

/// A key that is pointed to.
pub(super) struct Pointed(pub(super) Kid);

impl Value for Pointed {
    fn parse(text: &str) -> Result<Self, BadField> {
        Kid::parse(text).map(Self).ok_or(BadField)
    }

    fn print(&self) -> String {
        self.0.to_string()
    }
}

impl Object<'_> {
    /// The copies to be made now, and the next time to look.
    pub(super) fn due(&mut self, meta: &Meta) -> Result<Answer, Stop> {
        self.announce_expiries(meta)?;
        self.forget_spans()?;
        self.forget_incidents()?;
        self.sweep(meta)?;
        self.refresh()?;
        let waiting = self.rows.names(&Range::of("outbox/", CHUNK))?;
        let kid_of = |name: &str| name.strip_prefix("outbox/").unwrap_or_default().to_owned();
        self.rows.require(waiting.iter().map(|name| source_row(&kid_of(name))))?;
        let mut copies = Vec::new();
        for name in &waiting {
            // One row that cannot be read does not keep the others from KV.
            match readable(self.copy(meta, &kid_of(name)))? {
                Some(copy) => copies.push(copy),
                None => self.rows.delete(name.clone()),
            }
        }
        if !waiting.is_empty() {
            // Should this attempt end in nothing, there is another.
            self.wake(self.now.millis().saturating_add(RETRY_MILLIS));
        }
        Ok(Answer::Due { copies })
    }

    /// What KV is to hold of a key, or of what points to one; `None` if there is no such thing.
    fn copy(&self, meta: &Meta, kid: &str) -> Result<Option<Copy>, Stop> {
        if let Some(id) = PointerId::from_kv_name(kid) {
            let Some(Pointed(to)) = self.rows.get(&pointer_row(kid))? else { return Ok(None) };
            let value = Pointer { kid: to }.seal(self.gate.keyring.newest(), &id);
            let name = kid.to_owned();
            return Ok(Some(Copy { kid: name.clone(), version: 1, name, value }));
        }
        if let Some(member) = noted(kid) {
            return self.note(meta, kid, member);
        }
        let Some(held) = self.rows.get::<Held>(&keys::row(kid))? else { return Ok(None) };
        let Some(name) = Kid::parse(kid).map(|kid| kv_name(&kid)) else { return Ok(None) };
        let version = held.clone().effective(meta).version;
        let value = self.sealed(meta, held)?;
        Ok(Some(Copy { kid: kid.to_owned(), version, name, value }))
    }

    /// What a Directory is to be told of a membership.
    fn note(&self, meta: &Meta, name: &str, member: &str) -> Result<Option<Copy>, Stop> {
        let at = self.rows.get::<u64>(&row(name))?.unwrap_or(0);
        let Some(workspace) = Workspace::parse(&meta.workspace) else { return Ok(None) };
        let call = match self.rows.text(&member_row(member))? {
            Some(_) => directory::Call::Join(workspace, at),
            None => directory::Call::Leave(workspace, at),
        };
        let name = name.to_owned();
        Ok(Some(Copy { kid: name.clone(), version: at, name, value: call.print() }))
    }

    /// Has the Directory of a member told how the membership stands since the change of this number.
    /// Whoever asked for it tells it first; the alarm does in case that comes to nothing.
    pub(super) fn note_later(&mut self, member: &str, at: u64) {
        self.rows.put(row(&format!("{NOTE}{member}")), &at);
        self.wake(self.now.millis().saturating_add(RETRY_MILLIS));
    }

    /// Takes note of what KV holds now.
    pub(super) fn copied(
        &mut self,
        copies: &[(String, u64)],
        failed: bool,
    ) -> Result<Answer, Stop> {
        let rows = copies.iter().flat_map(|(kid, _)| [row(kid), dated_row(kid)]);
        self.rows.require(rows)?;
        let mut pause = PAUSE_MILLIS;
        for (kid, version) in copies {
            let waiting = readable(self.rows.get::<u64>(&row(kid)))?;
            if waiting.is_none_or(|waiting| waiting <= *version) {
                self.rows.delete(row(kid));
            } else {
                // It changed while it was copied.
                pause = SAME_MILLIS;
            }
            // What points to a key never changes.
            if Kid::parse(kid).is_some() {
                self.refresh_later(kid)?;
            }
        }
        // Those that have just gone are among the rows that are fetched.
        let limit = u32::try_from(copies.len()).unwrap_or(u32::MAX).saturating_add(1);
        let more = self.rows.names(&Range::of("outbox/", limit))?;
        let next = self.rows.names(&Range::of("due/", limit))?;
        if let Some(at) = next.first().and_then(|name| name.split('/').nth(1)) {
            self.wake(number::<u64>(at).unwrap_or(0).saturating_mul(1000));
        }
        if !more.is_empty() {
            let pause = if failed { RETRY_MILLIS } else { pause };
            self.wake(self.now.millis().saturating_add(pause));
        }
        Ok(Answer::Done)
    }

    /// Copies grow stale by themselves: half their time before that they are made again.
    fn refresh(&mut self) -> Result<(), Stop> {
        let end = format!("{:012}", self.now.seconds().saturating_add(1));
        let due = self.rows.names(&Range::between("due/", "", &end, CHUNK))?;
        let kid_of = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        self.rows.require(due.iter().map(|name| keys::row(&kid_of(name))))?;
        for name in due {
            let kid = kid_of(&name);
            if let Some(held) = readable(self.rows.get::<Held>(&keys::row(&kid)))? {
                self.rows.put(row(&kid), &held.document.version);
            }
            self.rows.delete(name);
        }
        Ok(())
    }

    /// Puts the one date of this key at which its copy is to be made again.
    fn refresh_later(&mut self, kid: &str) -> Result<(), Stop> {
        let dated = dated_row(kid);
        if let Some(before) = readable(self.rows.get::<u64>(&dated))? {
            self.rows.delete(due_row(before, kid));
        }
        let at = self.now.seconds().saturating_add(FRESH_SECONDS / 2);
        self.rows.put(dated, &at);
        self.rows.put(due_row(at, kid), &at);
        Ok(())
    }

    fn sweep(&mut self, meta: &Meta) -> Result<(), Stop> {
        let sweep: Sweep = self.rows.get(SWEEP)?.unwrap_or_default();
        let from = match sweep {
            Sweep { epoch, from: None } if epoch == meta.epoch => return Ok(()),
            Sweep { epoch, from: Some(from) } if epoch == meta.epoch => from,
            Sweep { .. } => String::new(),
        };
        self.forget_ends(meta)?;
        let from = self.overtaken(meta, &from)?;
        if from.is_some() {
            self.wake(self.now.millis());
        }
        self.rows.put(SWEEP.to_owned(), &Sweep { epoch: meta.epoch, from });
        Ok(())
    }
}

pub(super) fn row(kid: &str) -> String {
    format!("outbox/{kid}")
}

/// The row that says which key an imported secret stands for, by its name in KV.
pub(super) fn pointer_row(name: &str) -> String {
    format!("pointer/{name}")
}

fn source_row(name: &str) -> String {
    match noted(name) {
        Some(member) => member_row(member),
        None if PointerId::from_kv_name(name).is_some() => pointer_row(name),
        None => keys::row(name),
    }
}

/// The member whose Directory is to be told something, by the name under which it waits.
pub(super) fn noted(name: &str) -> Option<&str> {
    name.strip_prefix(NOTE).filter(|member| (MEMBER.check)(member).is_ok())
}

fn dated_row(kid: &str) -> String {
    format!("dated/{kid}")
}

fn due_row(at: u64, kid: &str) -> String {
    format!("due/{at:012}/{kid}")
}

/// No name of a row in KV, nor of a key.
const NOTE: &str = "d1:";
const SWEEP: &str = "sweep";
/// A pointer takes two of the 1000 operations on KV that one alarm may make.
const CHUNK: u32 = 100;
/// Between two chunks of other rows: the object has its turns for requests meanwhile.
const PAUSE_MILLIS: u64 = 250;
/// KV takes one write a second of a key.
const SAME_MILLIS: u64 = 1_000;
const RETRY_MILLIS: u64 = 5_000;
