//! A purse: the leases of one key in one isolate that are for the same requests, and the demand for
//! them.

use super::{CallId, Granted, Refused, Report};
use crate::clock::Now;

/// Leases of one pool, or of none, and what was learnt with them.
#[derive(Clone, Debug, Default)]
pub struct Purse {
    leases: Vec<Lease>,
    demand: Demand,
    refused: Option<Remembered>,
}

/// A refusal, believed for less time than it may last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered {
    refused: Refused,
    since: u64,
    until: u64,
}

#[derive(Clone, Debug)]
struct Lease {
    id: CallId,
    tokens: u32,
    spent: u32,
    coins: u64,
    /// Spent as the Workspace last acknowledged it.
    reported: u32,
    /// Milliseconds of this isolate's clock: renewed ahead of need not before `settled` and
    /// certainly from `renew` on, over from `until` on.
    settled: u64,
    renew: u64,
    until: u64,
}

impl Purse {
    /// Counts requests that want to be admitted, or will in a moment; once for each.
    pub(super) fn note_demand(&mut self, requests: u32, lease_millis: u64, now: Now) {
        self.demand.note(requests, lease_millis, now);
    }

    /// Admits one request that costs `coins`, if a lease has a token left.
    pub(super) fn spend(&mut self, coins: u32, now: Now) -> bool {
        let Some(lease) = self.leases.iter_mut().find(|lease| lease.left(now) > 0) else {
            return false;
        };
        lease.spent = lease.spent.saturating_add(1);
        lease.coins = lease.coins.saturating_add(coins.into());
        true
    }

    pub(super) fn want(&self, lease_millis: u64, now: Now) -> u32 {
        let demand = self.demand.expected(lease_millis, now);
        demand.saturating_sub(self.left(now)).max(1)
    }

    pub(super) fn renewal_due(&self, lease_millis: u64, now: Now) -> bool {
        let open = || self.leases.iter().filter(|lease| now.millis() < lease.until);
        let tokens = open().map(|lease| lease.tokens).max().unwrap_or(0);
        tokens >= LEAST_RENEWED
            && open().all(|lease| lease.settled <= now.millis())
            && self.demand.within(lease_millis, now) >= LEAST_RENEWED
            && (self.left(now) < tokens.div_ceil(3)
                || open().all(|lease| lease.renew <= now.millis()))
    }

    pub(super) fn granted(
        &mut self,
        id: CallId,
        granted: &Granted,
        spent: u32,
        coins: u32,
        sent: Now,
    ) {
        self.refused = None;
        if granted.tokens > spent {
            let millis = granted.millis.saturating_sub(MARGIN_MILLIS);
            let share = millis.saturating_mul(RENEW_PERCENT).checked_div(100).unwrap_or(0);
            self.leases.push(Lease {
                id,
                tokens: granted.tokens,
                spent,
                coins: u64::from(coins).saturating_mul(spent.into()),
                reported: spent,
                settled: sent.millis().saturating_add(SETTLE_MILLIS),
                renew: sent.millis().saturating_add(share),
                until: sent.millis().saturating_add(millis),
            });
        }
    }

    pub(super) const fn refuse(&mut self, refused: Remembered) {
        self.refused = Some(refused);
    }

    pub(super) fn refused(&self, now: Now) -> Option<Refused> {
        self.refused.as_ref()?.at(now)
    }

    pub(super) fn reports(&self, now: Now) -> impl Iterator<Item = Report> {
        let unknown = move |lease: &&Lease| lease.reported < lease.spent || lease.is_over(now);
        let report = move |lease: &Lease| Report {
            lease: lease.id.clone(),
            spent: lease.spent,
            coins: lease.coins,
            closed: lease.is_over(now),
        };
        self.leases.iter().filter(unknown).map(report)
    }

    pub(super) const fn is_lent_to(&self) -> bool {
        !self.leases.is_empty()
    }

    pub(super) fn acknowledge(&mut self, report: &Report) {
        if report.closed {
            self.leases.retain(|lease| lease.id != report.lease);
        } else if let Some(lease) = self.leases.iter_mut().find(|own| own.id == report.lease) {
            lease.reported = lease.reported.max(report.spent);
        }
    }

    pub(super) fn forget(&mut self, now: Now) {
        self.leases.retain(|lease| now.millis() < lease.until.saturating_add(FORGET_MILLIS));
    }

    pub(super) fn left(&self, now: Now) -> u32 {
        self.leases.iter().fold(0, |sum, lease| sum.saturating_add(lease.left(now)))
    }
}

impl Remembered {
    /// For one lease's time at most.
    pub(super) fn new(refused: Refused, lease_millis: u64, now: Now) -> Self {
        let until = now.millis().saturating_add(refused.retry_millis.min(lease_millis));
        Self { refused, since: now.millis(), until }
    }

    /// With what is left of its wait, if it is still believed.
    pub(super) fn at(&self, now: Now) -> Option<Refused> {
        let Self { refused, since, until } = *self;
        if now.millis() < since || now.millis() >= until {
            return None;
        }
        let age = now.millis().saturating_sub(since);
        Some(Refused { retry_millis: refused.retry_millis.saturating_sub(age).max(1), ..refused })
    }
}

impl Lease {
    fn left(&self, now: Now) -> u32 {
        if now.millis() < self.until { self.tokens.saturating_sub(self.spent) } else { 0 }
    }

    fn is_over(&self, now: Now) -> bool {
        self.left(now) == 0
    }
}

/// Requests in the last while, counted in two halves that take turns.
#[derive(Clone, Copy, Debug, Default)]
struct Demand {
    /// When the first came after a pause.
    begun: u64,
    since: u64,
    current: u32,
    previous: u32,
}

impl Demand {
    fn note(&mut self, requests: u32, span: u64, now: Now) {
        let age = now.millis().saturating_sub(self.since);
        if age >= span {
            let follows = age < span.saturating_mul(2);
            self.begun = if follows { self.begun } else { now.millis() };
            self.previous = if follows { self.current } else { 0 };
            self.current = 0;
            self.since = if follows { self.since.saturating_add(span) } else { now.millis() };
        }
        self.current = self.current.saturating_add(requests);
    }

    /// The count within the last `span`, the older half in proportion.
    fn within(&self, span: u64, now: Now) -> u32 {
        let age = now.millis().saturating_sub(self.since);
        if age >= span.saturating_mul(2) {
            return 0;
        }
        let (older, newer) =
            if age < span { (self.previous, self.current) } else { (self.current, 0) };
        let rest = span.saturating_sub(age.checked_rem(span).unwrap_or(0));
        let share = u64::from(older).saturating_mul(rest).checked_div(span).unwrap_or(0);
        newer.saturating_add(u32::try_from(share).unwrap_or(u32::MAX))
    }

    /// What the next `span` will bring if it goes on like this. A crowd that has only just begun to
    /// arrive would else be asked for again and again, each time for twice as much.
    fn expected(&self, span: u64, now: Now) -> u32 {
        let seen = self.within(span, now);
        let age = now.millis().saturating_sub(self.begun).max(1);
        if seen < LEAST_CROWD || age > u64::from(seen).saturating_mul(CROWD_MILLIS) {
            return seen;
        }
        let growth = span.div_ceil(age).clamp(1, MAX_GROWTH);
        u32::try_from(u64::from(seen).saturating_mul(growth)).unwrap_or(u32::MAX)
    }
}

/// Ends a lease earlier here than at the Workspace, whatever the timers do.
const MARGIN_MILLIS: u64 = 50;
const RENEW_PERCENT: u64 = 70;
const SETTLE_MILLIS: u64 = 100;
/// A key used less often asks when it needs to.
const LEAST_RENEWED: u32 = 4;
const FORGET_MILLIS: u64 = 60_000;
/// One alone says nothing of what is to come; nor do more that came further apart than this.
const LEAST_CROWD: u32 = 2;
const CROWD_MILLIS: u64 = 25;
/// How far a demand seen for less than a lease's time is believed to go on.
const MAX_GROWTH: u64 = 64;
