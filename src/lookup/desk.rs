//! What waits for an errand to be done, under a number that the adapter brings back.
//!
//! Who is sent may never come back: a request that is cancelled tells nobody. So everything here has an
//! end, and there is not too much of it.

use lru::LruCache;

use super::{Chore, Errand, LookUp};
use crate::clock::Now;
use crate::memory::Memory;
use crate::reservation::Reservation;
use crate::ticket::Ticket;

/// All that waits in one isolate.
#[derive(Debug)]
pub struct Desk {
    pending: LruCache<u32, Pending>,
    last: u32,
}

#[derive(Debug)]
struct Pending {
    matter: Matter,
    /// Milliseconds; nobody comes back from then on.
    until: u64,
}

/// What waits.
#[derive(Debug)]
pub enum Matter {
    /// A request, for what it needs.
    Request {
        /// The request's own.
        ticket: Ticket,
        /// What is being found out.
        look_up: Box<LookUp>,
        /// How often it has been looked at.
        looks: u32,
    },
    /// Work behind an answer.
    Chore(Chore),
}

impl Default for Desk {
    fn default() -> Self {
        Self { pending: LruCache::unbounded(), last: 0 }
    }
}

impl Desk {
    /// Keeps `matter` while `errand` is done; its number.
    pub fn file(&mut self, matter: Matter, errand: &Errand, memory: &mut Memory, now: Now) -> u32 {
        self.file_for(matter, errand.patience(), memory, now)
    }

    /// Keeps what was reserved while the origin has the request; its number.
    pub fn file_reserved(
        &mut self,
        reserved: Box<Reservation>,
        memory: &mut Memory,
        now: Now,
    ) -> u32 {
        let millis = reserved.millis;
        self.file_for(Matter::Chore(Chore::settling(reserved)), millis, memory, now)
    }

    /// Keeps a chore that is to be begun at once; its number.
    pub fn file_due(&mut self, chore: Chore, memory: &mut Memory, now: Now) -> u32 {
        self.file_for(Matter::Chore(chore), 0, memory, now)
    }

    fn file_for(&mut self, matter: Matter, millis: u32, memory: &mut Memory, now: Now) -> u32 {
        self.tidy(memory, now);
        self.last = self.last.wrapping_add(1);
        let until = now.millis().saturating_add(u64::from(millis)).saturating_add(GRACE_MILLIS);
        self.pending.put(self.last, Pending { matter, until });
        self.last
    }

    /// What waits under this number; `None` if nobody was expected any more.
    pub fn take(&mut self, number: u32) -> Option<Matter> {
        self.pending.pop(&number).map(|pending| pending.matter)
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Gives up what nobody comes back for, the oldest first, and then what there is no room for.
    fn tidy(&mut self, memory: &mut Memory, now: Now) {
        loop {
            let over = self.pending.len() >= MAX_PENDING;
            let late = |(_, oldest): (&u32, &Pending)| oldest.until <= now.millis();
            if !over && !self.pending.peek_lru().is_some_and(late) {
                return;
            }
            match self.pending.pop_lru() {
                Some((_, Pending { matter: Matter::Request { look_up, .. }, .. })) => {
                    look_up.give_up(memory);
                }
                Some((_, Pending { matter: Matter::Chore(chore), .. })) => chore.give_up(memory),
                None => return,
            }
        }
    }
}

/// Beyond the time that an errand may take: the timers of a busy isolate are late.
const GRACE_MILLIS: u64 = 5_000;
/// Some hundred bytes each.
const MAX_PENDING: usize = 16_384;
