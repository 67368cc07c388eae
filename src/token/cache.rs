//! The key sets of issuers and secret scanners, as one isolate remembers them: when to fetch one, who fetches it, and how
//! long it is believed.

use super::{Key, KeySet, Untrusted};
use crate::clock::Now;

/// What is known of each issuer's keys, by the issuer's place in the policy; a secret scanner's place is
/// after them all.
#[derive(Debug, Default)]
pub struct KeySets {
    slots: Vec<Slot>,
    latest: u64,
}

/// Picks the keys of a set by which something may be signed.
pub type Find<'f> = &'f dyn for<'s> Fn(&'s KeySet) -> Result<Vec<&'s Key>, Untrusted>;

/// What to do about a token.
#[derive(Clone, Debug)]
pub enum Look {
    /// Verify it by one of these.
    Keys(Vec<Key>),
    /// Fetch the issuer's key set, say what came of it ([`KeySets::learn`]), and look again. One
    /// caller at a time is told so, and has [`FETCH_MILLIS`].
    Fetch,
    /// Somebody is at it: look again in a moment.
    Wait,
    /// No key of the issuer's can have signed it.
    Refuse(Untrusted),
    /// It cannot be decided: the issuer's keys are not to be had.
    Unavailable,
}

/// Milliseconds throughout.
#[derive(Debug, Default)]
struct Slot {
    set: Option<Held>,
    /// The beginning of the latest fetch.
    begun: u64,
    /// From when on to wait before the next: that beginning, or the end of one that failed.
    asked: Option<u64>,
    /// Whether that fetch brought nothing, or not yet.
    failed: bool,
    /// While somebody fetches: until when nobody else should.
    asking_until: u64,
}

#[derive(Debug)]
struct Held {
    keys: KeySet,
    /// When it was asked for: it is as old as that, however long it took.
    since: u64,
}

impl KeySets {
    /// What to do about a token of the issuer at `place`, whose keys `find` picks. A caller that has waited
    /// long enough is not `patient`, and not told to wait again.
    pub fn look(&mut self, place: usize, find: Find<'_>, patient: bool, now: Now) -> Look {
        self.observe(now);
        self.slot(place).map_or(Look::Unavailable, |slot| slot.look(find, patient, now.millis()))
    }

    /// Keeps what a fetch brought: a key set, or nothing.
    pub fn learn(&mut self, place: usize, keys: Option<KeySet>, now: Now) {
        self.observe(now);
        let Some(slot) = self.slot(place) else { return };
        slot.asking_until = 0;
        let Some(keys) = keys else {
            // Those who come next pause from now on.
            slot.asked = Some(now.millis());
            return;
        };
        slot.failed = false;
        slot.set = Some(Held { keys, since: slot.begun });
    }

    /// Should the clock go back, everything is forgotten: no age could be trusted any more.
    fn observe(&mut self, now: Now) {
        if now.millis() < self.latest {
            self.slots.clear();
        }
        self.latest = now.millis();
    }

    fn slot(&mut self, place: usize) -> Option<&mut Slot> {
        if self.slots.len() <= place {
            self.slots.resize_with(place.saturating_add(1), Slot::default);
        }
        self.slots.get_mut(place)
    }
}

impl Slot {
    fn look(&mut self, find: Find<'_>, patient: bool, now: u64) -> Look {
        if self.age(now).is_some_and(|age| age >= KEPT_MILLIS) {
            self.set = None;
        }
        let is_fresh = self.age(now).is_some_and(|age| age < FRESH_MILLIS);
        let found = self.set.as_ref().map(|set| find(&set.keys));
        let found = found.map(|found| found.map(|keys| keys.into_iter().cloned().collect()));
        match found {
            // Whatever the issuer's keys are, no key makes it good.
            Some(Err(why @ (Untrusted::Algorithm | Untrusted::Signature))) if is_fresh => {
                return Look::Refuse(why);
            }
            Some(Ok(keys)) if is_fresh => return Look::Keys(keys),
            _ => {}
        }
        let is_asking = now < self.asking_until;
        if !is_asking && self.may_ask(now) {
            self.begun = now;
            self.asked = Some(now);
            self.failed = true;
            self.asking_until = now.saturating_add(FETCH_MILLIS.into());
            return Look::Fetch;
        }
        match found {
            // Too old to be believed without asking; somebody asks, or nobody was answered.
            Some(Ok(keys)) => Look::Keys(keys),
            _ if is_asking && patient => Look::Wait,
            Some(Err(why)) if is_fresh && !self.failed => Look::Refuse(why),
            _ => Look::Unavailable,
        }
    }

    fn age(&self, now: u64) -> Option<u64> {
        self.set.as_ref().map(|set| now.saturating_sub(set.since))
    }

    fn may_ask(&self, now: u64) -> bool {
        let pause = if self.set.is_some() { COOL_DOWN_MILLIS } else { RETRY_MILLIS };
        self.asked.is_none_or(|asked| now.saturating_sub(asked) >= pause)
    }
}

/// How long a key set is believed without asking again.
pub const FRESH_MILLIS: u64 = 600_000;
/// How long one is kept while the issuer gives no newer.
pub const KEPT_MILLIS: u64 = 86_400_000;
/// The least time between two fetches from one issuer whose key set is at hand.
pub const COOL_DOWN_MILLIS: u64 = 30_000;
/// The same while there is none: until then nobody can be let in.
pub const RETRY_MILLIS: u64 = 1_000;
/// How long a fetch may take.
pub const FETCH_MILLIS: u32 = 2_000;
