//! An isolate: what it remembers, and a clock of its own.

use portcullis::clock::Now;
use portcullis::lookup::Desk;
use portcullis::memory::Memory;

use super::kv::Cache;

/// One isolate at a time lives here; `life` counts them.
#[derive(Debug, Default)]
pub struct Isolate {
    pub life: u32,
    pub memory: Memory,
    pub desk: Desk,
    pub cache: Cache,
    pub clock: Clock,
}

/// A clock that is wrong by an offset, by a rate, and by steps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    pub offset: i64,
    /// In millionths; positive runs fast.
    pub drift: i64,
}

impl Isolate {
    /// What its clock shows at the true time `now`.
    pub fn now(&self, now: u64) -> Now {
        let Clock { offset, drift } = self.clock;
        let since = i64::try_from(now - super::plan::START).unwrap();
        let wrong = offset + (since * drift).div_euclid(1_000_000);
        Now::from_millis(now.checked_add_signed(wrong).unwrap())
    }

    /// Begins anew: memory and everything under way are gone.
    pub fn crash(&mut self) {
        self.life += 1;
        self.memory = Memory::default();
        self.desk = Desk::default();
    }
}
