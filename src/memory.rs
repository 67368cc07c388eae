//! What one isolate remembers: records, bounded in number and bytes, each with a
//! hard expiry after which it is not believed.
//!
//! Its state is lost whenever the isolate is, and nothing depends on its being
//! kept: it saves look-ups.

use std::rc::Rc;

use lru::LruCache;

use crate::clock::Now;
use crate::denial::Fault;
use crate::imported::{Pointer, PointerId};
use crate::key::Kid;
use crate::lease::Wallet;
use crate::limit::Meter;
use crate::need::{Ask, KvRow, Need};
use crate::person::People;
use crate::record::{Record, Unusable};
use crate::ticket::Ticket;
use crate::token::KeySets;

/// The isolate's memory.
#[derive(Debug)]
pub struct Memory {
    records: LruCache<Kid, Slot>,
    record_bytes: usize,
    pointers: Pointers,
    /// Apart, so that invented texts do not drive out real ones.
    absent: Pointers,
    /// Whose tokens were verified.
    pub(crate) people: People,
    /// By what tokens are verified.
    pub(crate) key_sets: KeySets,
    /// What is being asked for, and until when nobody else should.
    asking: LruCache<Need, Asking>,
    latest: Now,
    /// How often everything was forgotten.
    forgotten: u32,
    /// How many questions were put to Workspaces.
    questions: u64,
}

/// Somebody is finding out, or has just failed to.
#[derive(Clone, Copy, Debug)]
struct Asking {
    /// Milliseconds; of no account from then on.
    until: u64,
    state: Turn,
    /// How many requests wait for it.
    waiting: u32,
    /// The same until there is an answer, whoever asks.
    number: u64,
}

type Pointers = LruCache<PointerId, (Option<Kid>, u64)>;

/// What to do about a need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Find out.
    Go,
    /// Somebody is at it.
    Wait,
    /// Somebody has just failed.
    Failed(Fault),
}

/// Who says what a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A copy in KV, of some age.
    Kv,
    /// The Workspace, a moment ago.
    Workspace,
}

/// What memory says of a name.
#[derive(Clone, Debug)]
pub enum Known<T> {
    /// It is this.
    Is(T),
    /// There was none a moment ago.
    Absent,
    /// Ask.
    Unknown,
}

#[derive(Debug)]
struct Slot {
    record: Option<Rc<Record>>,
    /// Milliseconds; not believed from then on.
    until: u64,
    /// Milliseconds; asked for again, ahead of need, from then on.
    refresh: u64,
    /// The newest version ever seen here.
    floor: u64,
    /// The millisecond in which the Workspace last said that this is how it stands.
    confirmed: Option<u64>,
    /// The number of the latest question to which it did.
    answered: u64,
    meter: Meter,
    wallet: Wallet,
    /// Until when somebody waits to close the leases.
    closing: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            records: LruCache::unbounded(),
            record_bytes: 0,
            pointers: LruCache::unbounded(),
            absent: LruCache::unbounded(),
            people: People::default(),
            key_sets: KeySets::default(),
            asking: LruCache::unbounded(),
            latest: Now::from_millis(0),
            forgotten: 0,
            questions: 0,
        }
    }
}

impl Memory {
    /// Takes note of the time. Should the clock go back, everything is forgotten:
    /// no expiry could be trusted any more.
    pub fn observe(&mut self, now: Now) {
        if now < self.latest {
            let forgotten = self.forgotten.wrapping_add(1);
            let questions = self.questions;
            *self = Self { forgotten, questions, ..Self::default() };
        }
        self.latest = now;
    }

    /// A number that changes when the clock goes back.
    pub(crate) const fn era(&self) -> u32 {
        self.forgotten
    }

    /// The record of `kid`, unless it is too old.
    pub fn record(&mut self, kid: &Kid, now: Now) -> Known<Rc<Record>> {
        match self.records.get(kid) {
            Some(slot) if now.millis() < slot.until => match &slot.record {
                Some(record) if now.seconds() < record.fresh_until => Known::Is(Rc::clone(record)),
                Some(_) => Known::Unknown,
                None => Known::Absent,
            },
            _ => Known::Unknown,
        }
    }

    /// Keeps what was said of `kid`.
    ///
    /// # Errors
    /// [`Unusable::Stale`] for a copy older than one seen before or past its
    /// freshness, and for KV's not having one that is believed: it keeps misses for
    /// a while. What was known stays as it was.
    pub fn learn(
        &mut self,
        kid: Kid,
        record: Option<Record>,
        source: Source,
        now: Now,
    ) -> Result<(), Unusable> {
        let floor = self.records.peek(&kid).map_or(0, |slot| slot.floor);
        if let Some(record) = &record
            && (record.version < floor || record.fresh_until <= now.seconds())
        {
            return Err(Unusable::Stale);
        }
        if record.is_none()
            && source == Source::Kv
            && matches!(self.record(&kid, now), Known::Is(_))
        {
            return Err(Unusable::Stale);
        }
        let answered = self.answered(&kid);
        let (meter, wallet, confirmed, closing) = match self.records.pop(&kid) {
            // What KV lacks, the Workspace may have: its word on another state says nothing of this.
            Some(old) if record.is_none() && source == Source::Kv => {
                self.record_bytes = self.record_bytes.saturating_sub(old.bytes());
                (old.meter, old.wallet, None, old.closing)
            }
            Some(old) => {
                self.record_bytes = self.record_bytes.saturating_sub(old.bytes());
                (old.meter, old.wallet, old.confirmed, old.closing)
            }
            None => Default::default(),
        };
        let lifetime = if record.is_some() { RECORD_MILLIS } else { ABSENT_MILLIS };
        let slot = Slot {
            until: now.millis().saturating_add(lifetime),
            refresh: now.millis().saturating_add(REFRESH_MILLIS),
            floor: record.as_ref().map_or(floor, |record| record.version),
            confirmed: match source {
                Source::Workspace => Some(now.millis()),
                Source::Kv => confirmed,
            },
            answered,
            meter,
            wallet,
            closing,
            record: record.map(Rc::new),
        };
        self.record_bytes = self.record_bytes.saturating_add(slot.bytes());
        self.records.put(kid, slot);
        while self.records.len() > MAX_RECORDS || self.record_bytes > MAX_RECORD_BYTES {
            let Some((_, old)) = self.records.pop_lru() else { break };
            self.record_bytes = self.record_bytes.saturating_sub(old.bytes());
        }
        Ok(())
    }

    /// Takes note that `version` of a record is how the Workspace has it; whether the one here is no older.
    pub(crate) fn confirm(&mut self, kid: &Kid, version: u64, now: Now) -> bool {
        let Some(slot) = self.records.peek_mut(kid) else { return false };
        let Some(own) = slot.record.as_ref().map(|record| record.version) else { return false };
        if own == version {
            slot.confirmed = Some(now.millis());
            slot.until = now.millis().saturating_add(RECORD_MILLIS);
            slot.refresh = now.millis().saturating_add(REFRESH_MILLIS);
        }
        own >= version
    }

    /// Whether the Workspace has said within the last `millis` how `kid` stands.
    pub(crate) fn is_confirmed(&self, kid: &Kid, millis: u64, now: Now) -> bool {
        let confirmed = self.records.peek(kid).and_then(|slot| slot.confirmed);
        confirmed.is_some_and(|at| now.millis().saturating_sub(at) < millis)
    }

    /// Puts one more question to a Workspace: its number.
    pub(crate) fn question(&mut self) -> u64 {
        self.questions = self.questions.saturating_add(1);
        self.questions
    }

    /// The number of the latest question.
    pub(crate) const fn asked(&self) -> u64 {
        self.questions
    }

    /// Takes note that the Workspace has answered this question about `kid`.
    pub(crate) fn note_answer(&mut self, kid: &Kid, question: u64) {
        if let Some(slot) = self.records.peek_mut(kid) {
            slot.answered = slot.answered.max(question);
        }
    }

    /// The number of the latest question about `kid` that was answered.
    pub(crate) fn answered(&self, kid: &Kid) -> u64 {
        self.records.peek(kid).map_or(0, |slot| slot.answered)
    }

    /// The version of the record at hand; 0 if there is none.
    pub(crate) fn version(&self, kid: &Kid) -> u64 {
        let record = self.records.peek(kid).and_then(|slot| slot.record.as_ref());
        record.map_or(0, |record| record.version)
    }

    /// Keeps by what a request was refused, now that it has an id, until its Workspace is told.
    pub fn note_incident(&mut self, ticket: &mut Ticket, request_id: &str) {
        let Some(incident) = ticket.incident.take() else { return };
        if let Some(wallet) = self.wallet(&incident.kid) {
            wallet.note_incident(incident.named(request_id));
        }
    }

    /// The leases of a key whose record is here.
    pub(crate) fn wallet(&mut self, kid: &Kid) -> Option<&mut Wallet> {
        self.records.peek_mut(kid).map(|slot| &mut slot.wallet)
    }

    /// Whether somebody has to close the leases of `kid` in `millis`; says so to one at a time.
    pub fn closing_due(&mut self, kid: &Kid, millis: u64, now: Now) -> bool {
        let Some(slot) = self.records.peek_mut(kid) else { return false };
        let due = slot.closing <= now.millis() && slot.wallet.is_owing_soon();
        if due {
            slot.closing = now.millis().saturating_add(millis);
        }
        due
    }

    /// Whose turn it is to find out about `need`. Whoever is told to go has `millis` for it; the
    /// others wait a little and look in memory again. `joins` says that the caller asks for the
    /// first time; who has not `waited` is told of no failure, but tries for itself. The number is
    /// another one after each answer.
    pub(crate) fn turn(
        &mut self,
        need: Need,
        millis: u64,
        joins: bool,
        waited: bool,
        now: Now,
    ) -> (Turn, u64) {
        if let Some(turn) = need.turn() {
            return (turn, 0);
        }
        match self.asking.get_mut(&need) {
            Some(asking)
                if now.millis() < asking.until
                    && (waited || !matches!(asking.state, Turn::Failed(_))) =>
            {
                asking.waiting = asking.waiting.saturating_add(u32::from(joins));
                (asking.state, asking.number)
            }
            _ => {
                self.mark(need, millis, Turn::Wait, now);
                (Turn::Go, 0)
            }
        }
    }

    /// Ends a turn; a fault is remembered for a moment, so that those who waited need not each
    /// find it out.
    pub fn turn_over(&mut self, need: &Need, fault: Option<Fault>, lease_millis: u64, now: Now) {
        if need.turn().is_some() {
            return;
        }
        if let Some(fault) = fault {
            return self.mark(*need, FAULT_MILLIS, Turn::Failed(fault), now);
        }
        // Those who wait for a record will want leave next.
        let waiting = self.asking.pop(need).map_or(0, |asking| asking.waiting);
        if let Need::Kv(KvRow::Record(kid)) | Need::Workspace(Ask::Record(kid)) = need
            && let Some(wallet) = self.wallet(kid)
        {
            wallet.expect(waiting, lease_millis, now);
        }
    }

    fn mark(&mut self, need: Need, millis: u64, state: Turn, now: Now) {
        let until = now.millis().saturating_add(millis);
        let number = match self.asking.peek(&need) {
            Some(asking) => asking.number,
            None => self.question(),
        };
        self.asking.put(need, Asking { until, state, waiting: 0, number });
        if self.asking.len() > MAX_ASKING {
            self.asking.pop_lru();
        }
    }

    /// Whether the record of `kid` should be asked for again before it expires.
    /// Says so to one caller at a time, and again if nothing came of it.
    pub fn refresh_due(&mut self, kid: &Kid, now: Now) -> bool {
        let Some(slot) = self.records.peek_mut(kid) else { return false };
        let due = slot.refresh <= now.millis();
        if due {
            slot.refresh = now.millis().saturating_add(REFRESH_RETRY_MILLIS);
        }
        due
    }

    /// The burst meter of a key whose record is here.
    pub(crate) fn meter(&mut self, kid: &Kid) -> Option<&mut Meter> {
        self.records.peek_mut(kid).map(|slot| &mut slot.meter)
    }

    /// The kid to which an imported key points.
    pub fn pointer(&mut self, id: &PointerId, now: Now) -> Known<Kid> {
        match self.pointers.get(id).or_else(|| self.absent.get(id)) {
            Some((Some(kid), until)) if now.millis() < *until => Known::Is(*kid),
            Some((None, until)) if now.millis() < *until => Known::Absent,
            _ => Known::Unknown,
        }
    }

    /// Keeps what KV said of an imported key.
    pub fn learn_pointer(&mut self, id: PointerId, pointer: Option<Pointer>, now: Now) {
        let kid = pointer.map(|pointer| pointer.kid);
        let (known, other, lifetime) = match kid {
            Some(_) => (&mut self.pointers, &mut self.absent, POINTER_MILLIS),
            None => (&mut self.absent, &mut self.pointers, ABSENT_MILLIS),
        };
        other.pop(&id);
        known.put(id, (kid, now.millis().saturating_add(lifetime)));
        if known.len() > MAX_POINTERS {
            known.pop_lru();
        }
    }

    /// Records held, for measurement.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether no record is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

impl Slot {
    fn bytes(&self) -> usize {
        SLOT_BYTES.saturating_add(self.record.as_ref().map_or(0, |record| record.bytes))
    }
}

/// How long a record is believed.
pub const RECORD_MILLIS: u64 = 30_000;
const REFRESH_MILLIS: u64 = 21_000;
const REFRESH_RETRY_MILLIS: u64 = 1_000;
/// How long a name is believed to be absent.
pub const ABSENT_MILLIS: u64 = 5_000;
/// A pointer never changes; it is only forgotten for room.
const POINTER_MILLIS: u64 = 600_000;

const MAX_RECORDS: usize = 4096;
const MAX_RECORD_BYTES: usize = 16 * 1024 * 1024;
const MAX_POINTERS: usize = 4096;
const MAX_ASKING: usize = 4096;
const FAULT_MILLIS: u64 = 200;
/// What a record costs besides its text, roughly.
const SLOT_BYTES: usize = 1536;
