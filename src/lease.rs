//! Leases: requests that the Workspace has debited already and an isolate may admit by itself, for
//! a short time on its own clock.
//!
//! A lease counts from the moment its call was *sent*, less a margin, so that no agreement of
//! clocks is needed: it ends here before it ends there. What is spent is reported as a running
//! total, never as a difference: a report may be lost, repeated or overtaken.

use core::fmt;

use crate::account::View;
use crate::clock::Now;
use crate::encoding;
use crate::fields::BadField;

/// The name of a call and of the lease it was answered with: 128 random bits in hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(String);

impl CallId {
    /// From fresh random bytes.
    #[must_use]
    pub fn new(entropy: [u8; 16]) -> Self {
        Self(encoding::hex(&entropy))
    }

    /// Reads 32 digits.
    ///
    /// # Errors
    /// [`BadField`].
    pub fn parse(text: &str) -> Result<Self, BadField> {
        let digits =
            text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digits { Ok(Self(text.to_owned())) } else { Err(BadField) }
    }

    /// The 32 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an isolate has done with a lease so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The lease.
    pub lease: CallId,
    /// Requests admitted by it, in all.
    pub spent: u32,
    /// Coins of those requests, in all.
    pub coins: u64,
    /// Whether it is over: the rest is given back.
    pub closed: bool,
}

/// The Workspace's permission for one request and, perhaps, some more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Requests, the one that asked among them.
    pub tokens: u32,
    /// How long the others may be admitted, from when the call was sent.
    pub millis: u64,
    /// For the client.
    pub view: Option<View>,
}

/// The Workspace's refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Milliseconds after which it is worth asking again.
    pub retry_millis: u64,
    /// What is exhausted.
    pub by: Scope,
    /// For the client.
    pub view: View,
}

/// Whose limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The key's own.
    Key,
    /// The one shared by all keys of the workspace.
    Workspace,
}

/// What the Workspace is to be told of a key besides its leases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Untold {
    /// Denials by code.
    pub denied: Vec<(&'static str, u32)>,
    /// Secrets that are being replaced: generation, and the second in which it was last used.
    pub replaced: Vec<(u8, u64)>,
}

/// The leases of one key in one isolate, and what was learnt with them.
#[derive(Clone, Debug, Default)]
pub struct Wallet {
    leases: Vec<Lease>,
    demand: Demand,
    refused: Option<Remembered>,
    untold: Untold,
    view: Option<View>,
}

/// A refusal, believed for less time than it may last.
#[derive(Clone, Copy, Debug)]
struct Remembered {
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

impl Wallet {
    /// Counts a request that wants to be admitted; once for each.
    pub fn note_demand(&mut self, lease_millis: u64, now: Now) {
        self.demand.note(1, lease_millis, now);
    }

    /// Counts requests that will want to be admitted in a moment, in place of each of them.
    pub fn expect(&mut self, requests: u32, lease_millis: u64, now: Now) {
        self.demand.note(requests, lease_millis, now);
    }

    /// Admits one request that costs `coins`, if a lease has a token left.
    pub fn spend(&mut self, coins: u32, now: Now) -> Option<Option<View>> {
        let lease = self.leases.iter_mut().find(|lease| lease.left(now) > 0)?;
        lease.spent = lease.spent.saturating_add(1);
        lease.coins = lease.coins.saturating_add(coins.into());
        Some(self.view)
    }

    /// The refusal that is still remembered, with what is left of its wait.
    #[must_use]
    pub fn refused(&self, now: Now) -> Option<Refused> {
        let Remembered { refused, since, until } = self.refused?;
        if now.millis() < since || now.millis() >= until {
            return None;
        }
        let age = now.millis().saturating_sub(since);
        Some(Refused { retry_millis: refused.retry_millis.saturating_sub(age).max(1), ..refused })
    }

    /// How many tokens to ask for: the demand to be expected in one lease's time, less what is at
    /// hand.
    #[must_use]
    pub fn want(&self, lease_millis: u64, now: Now) -> u32 {
        let demand = self.demand.expected(lease_millis, now);
        demand.saturating_sub(self.left(now)).max(1)
    }

    /// Whether to ask ahead of need: under a third is left, or most of the time is over, and more
    /// requests are to be expected. A burst that is over in a moment needs no more.
    #[must_use]
    pub fn renewal_due(&self, lease_millis: u64, now: Now) -> bool {
        let open = || self.leases.iter().filter(|lease| now.millis() < lease.until);
        let tokens = open().map(|lease| lease.tokens).max().unwrap_or(0);
        tokens >= LEAST_RENEWED
            && open().all(|lease| lease.settled <= now.millis())
            && self.demand.within(lease_millis, now) >= LEAST_RENEWED
            && (self.left(now) < tokens.div_ceil(3)
                || open().all(|lease| lease.renew <= now.millis()))
    }

    /// Keeps what the Workspace granted to the call `id`, sent at `sent`. A request that waits for
    /// it has been counted as spent there and is admitted by the answer itself.
    pub fn granted(&mut self, id: CallId, granted: &Granted, spent: u32, coins: u32, sent: Now) {
        self.refused = None;
        self.view = granted.view;
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

    /// Remembers a refusal, for one lease's time at most.
    pub fn refuse(&mut self, refused: Refused, lease_millis: u64, now: Now) {
        let until = now.millis().saturating_add(refused.retry_millis.min(lease_millis));
        self.refused = Some(Remembered { refused, since: now.millis(), until });
    }

    /// Counts a request that was denied with this code.
    pub fn deny(&mut self, code: &'static str) {
        self.deny_many(code, 1);
    }

    fn deny_many(&mut self, code: &'static str, more: u32) {
        match self.untold.denied.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count = count.saturating_add(more),
            None => self.untold.denied.push((code, more)),
        }
    }

    /// Takes note that a secret that is being replaced was used, in this second.
    pub fn note_replaced(&mut self, generation: u8, second: u64) {
        match self.untold.replaced.iter_mut().find(|(known, _)| *known == generation) {
            Some((_, last)) => *last = second.max(*last),
            None => self.untold.replaced.push((generation, second)),
        }
    }

    /// What the Workspace does not know yet.
    #[must_use]
    pub fn reports(&self, now: Now) -> Vec<Report> {
        let unknown = |lease: &&Lease| lease.reported < lease.spent || lease.is_over(now);
        let report = |lease: &Lease| Report {
            lease: lease.id.clone(),
            spent: lease.spent,
            coins: lease.coins,
            closed: lease.is_over(now),
        };
        self.leases.iter().filter(unknown).map(report).collect()
    }

    /// Whether there is, or will be, something that the Workspace does not know.
    #[must_use]
    pub fn is_owing_soon(&self) -> bool {
        self.untold != Untold::default() || !self.leases.is_empty()
    }

    /// What was not told yet, to be told now.
    pub fn take_untold(&mut self) -> Untold {
        core::mem::take(&mut self.untold)
    }

    /// Takes it back: the call that carried it failed.
    pub fn untell(&mut self, untold: Untold) {
        for (code, count) in untold.denied {
            self.deny_many(code, count);
        }
        for (generation, second) in untold.replaced {
            self.note_replaced(generation, second);
        }
    }

    /// Takes note that the Workspace has these reports.
    pub fn acknowledge(&mut self, reports: &[Report]) {
        for report in reports {
            if report.closed {
                self.leases.retain(|lease| lease.id != report.lease);
            } else if let Some(lease) = self.leases.iter_mut().find(|own| own.id == report.lease) {
                lease.reported = lease.reported.max(report.spent);
            }
        }
    }

    /// Gives up leases whose reports never got through; the Workspace counts them as a range.
    pub fn forget(&mut self, now: Now) {
        self.leases.retain(|lease| now.millis() < lease.until.saturating_add(FORGET_MILLIS));
    }

    /// Tokens at hand.
    #[must_use]
    pub fn left(&self, now: Now) -> u32 {
        self.leases.iter().fold(0, |sum, lease| sum.saturating_add(lease.left(now)))
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
