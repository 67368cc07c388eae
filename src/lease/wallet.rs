//! The wallet: all that one isolate holds for one key, and what it still has to tell of it.

use super::purse::{Purse, Remembered};
use super::{CallId, Granted, Pool, Refused, Report, Untold};
use crate::account::View;
use crate::clock::Now;

/// The leases of one key in one isolate, and what was learnt with them.
#[derive(Clone, Debug, Default)]
pub struct Wallet {
    /// For requests that no product and no budget has a say in.
    plain: Purse,
    pools: Vec<(Pool, Purse)>,
    /// The refusal of any request, whatever its pool.
    refused: Option<Remembered>,
    untold: Untold,
    view: Option<View>,
}

impl Wallet {
    /// Counts a request that wants to be admitted; once for each.
    pub fn note_demand(&mut self, pool: Option<Pool>, lease_millis: u64, now: Now) {
        if let Some(purse) = self.purse_mut(pool) {
            purse.note_demand(1, lease_millis, now);
        }
    }

    /// Counts requests that will want to be admitted in a moment, in place of each of them. What they
    /// will be for is not known yet: those of a pool count there once more.
    pub fn expect(&mut self, requests: u32, lease_millis: u64, now: Now) {
        self.plain.note_demand(requests, lease_millis, now);
    }

    /// Admits one request that costs `coins`, if a lease has a token left.
    pub fn spend(&mut self, pool: Option<Pool>, coins: u32, now: Now) -> Option<Option<View>> {
        let purse = match pool {
            None => &mut self.plain,
            Some(pool) => {
                self.pools.iter_mut().find(|(own, _)| *own == pool).map(|(_, own)| own)?
            }
        };
        purse.spend(coins, now).then_some(self.view)
    }

    /// The refusal that is still remembered, with what is left of its wait.
    #[must_use]
    pub fn refused(&self, pool: Option<Pool>, now: Now) -> Option<Refused> {
        let of_all = || self.refused.as_ref()?.at(now);
        of_all().or_else(|| self.purse(pool)?.refused(now))
    }

    /// How many tokens to ask for: the demand to be expected in one lease's time, less what is at
    /// hand.
    #[must_use]
    pub fn want(&self, pool: Option<Pool>, lease_millis: u64, now: Now) -> u32 {
        self.purse(pool).map_or(1, |purse| purse.want(lease_millis, now))
    }

    /// Whether to ask ahead of need: under a third is left, or most of the time is over, and more
    /// requests are to be expected. A burst that is over in a moment needs no more.
    #[must_use]
    pub fn renewal_due(&self, pool: Option<Pool>, lease_millis: u64, now: Now) -> bool {
        self.purse(pool).is_some_and(|purse| purse.renewal_due(lease_millis, now))
    }

    /// Keeps what the Workspace granted to the call `id`, sent at `sent`. A request that waits for
    /// it has been counted as spent there and is admitted by the answer itself.
    pub fn granted(
        &mut self,
        pool: Option<Pool>,
        id: CallId,
        granted: &Granted,
        spent: u32,
        coins: u32,
        sent: Now,
    ) {
        self.refused = None;
        self.view = granted.view;
        if let Some(purse) = self.purse_mut(pool) {
            purse.granted(id, granted, spent, coins, sent);
        }
    }

    /// Remembers a refusal, for one lease's time at most.
    pub fn refuse(&mut self, pool: Option<Pool>, refused: Refused, lease_millis: u64, now: Now) {
        let remembered = Remembered::new(refused, lease_millis, now);
        if refused.by.is_of_all() {
            self.refused = Some(remembered);
        } else if let Some(purse) = self.purse_mut(pool) {
            purse.refuse(remembered);
        }
    }

    /// Counts a request that was denied with this code.
    pub fn deny(&mut self, code: &'static str) {
        add(&mut self.untold.denied, code, 1);
    }

    /// Counts a request that rules on trial would have denied with this code.
    pub fn would_deny(&mut self, code: &'static str) {
        add(&mut self.untold.would_deny, code, 1);
    }

    /// Takes note that a secret that is being replaced was used, in this second.
    pub fn note_replaced(&mut self, generation: u8, second: u64) {
        match self.untold.replaced.iter_mut().find(|(known, _)| *known == generation) {
            Some((_, last)) => *last = second.max(*last),
            None => self.untold.replaced.push((generation, second)),
        }
    }

    /// Keeps by what a request was refused, of the last few.
    pub fn note_incident(&mut self, incident: String) {
        if self.untold.incidents.len() >= MAX_INCIDENTS {
            self.untold.incidents.remove(0);
        }
        self.untold.incidents.push(incident);
    }

    /// What the Workspace does not know yet.
    #[must_use]
    pub fn reports(&self, now: Now) -> Vec<Report> {
        self.purses().flat_map(|purse| purse.reports(now)).collect()
    }

    /// Whether there is, or will be, something that the Workspace does not know.
    #[must_use]
    pub fn is_owing_soon(&self) -> bool {
        self.untold != Untold::default() || self.purses().any(Purse::is_lent_to)
    }

    /// What was not told yet, to be told now.
    pub fn take_untold(&mut self) -> Untold {
        core::mem::take(&mut self.untold)
    }

    /// Takes it back: the call that carried it failed.
    pub fn untell(&mut self, untold: Untold) {
        for (code, count) in untold.denied {
            add(&mut self.untold.denied, code, count);
        }
        for (code, count) in untold.would_deny {
            add(&mut self.untold.would_deny, code, count);
        }
        for (generation, second) in untold.replaced {
            self.note_replaced(generation, second);
        }
        // What came meanwhile is newer.
        let newer = core::mem::replace(&mut self.untold.incidents, untold.incidents);
        newer.into_iter().for_each(|incident| self.note_incident(incident));
    }

    /// Takes note that the Workspace has these reports.
    pub fn acknowledge(&mut self, reports: &[Report]) {
        for report in reports {
            self.purses_mut().for_each(|purse| purse.acknowledge(report));
        }
    }

    /// Gives up leases whose reports never got through; the Workspace counts them as a range.
    pub fn forget(&mut self, now: Now) {
        self.purses_mut().for_each(|purse| purse.forget(now));
    }

    /// Tokens at hand.
    #[must_use]
    pub fn left(&self, pool: Option<Pool>, now: Now) -> u32 {
        self.purse(pool).map_or(0, |purse| purse.left(now))
    }

    fn purse(&self, pool: Option<Pool>) -> Option<&Purse> {
        let Some(pool) = pool else { return Some(&self.plain) };
        self.pools.iter().find(|(own, _)| *own == pool).map(|(_, purse)| purse)
    }

    /// None for one pool too many: its requests are asked for one by one.
    fn purse_mut(&mut self, pool: Option<Pool>) -> Option<&mut Purse> {
        let Some(pool) = pool else { return Some(&mut self.plain) };
        if self.pools.len() < MAX_POOLS && self.purse(Some(pool)).is_none() {
            self.pools.push((pool, Purse::default()));
        }
        self.pools.iter_mut().find(|(own, _)| *own == pool).map(|(_, purse)| purse)
    }

    fn purses(&self) -> impl Iterator<Item = &Purse> {
        core::iter::once(&self.plain).chain(self.pools.iter().map(|(_, purse)| purse))
    }

    fn purses_mut(&mut self) -> impl Iterator<Item = &mut Purse> {
        core::iter::once(&mut self.plain).chain(self.pools.iter_mut().map(|(_, purse)| purse))
    }
}

fn add(counts: &mut Vec<(&'static str, u32)>, code: &'static str, more: u32) {
    match counts.iter_mut().find(|(known, _)| *known == code) {
        Some((_, count)) => *count = count.saturating_add(more),
        None => counts.push((code, more)),
    }
}

/// As many products and prices as a policy is likely to have.
const MAX_POOLS: usize = 64;
/// Refusals that are told in detail, between two calls.
const MAX_INCIDENTS: usize = 24;
