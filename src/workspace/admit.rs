//! Leave to admit requests: the key's limits, the workspace's, and the lease, in one step.

use super::call::{Admit, Answer};
use super::keys::{self, Held};
use super::once;
use super::rows::{Missing, Range, Stop, Value};
use super::text;
use super::usage::Use;
use super::{Meta, Object};
use crate::account::{Account, Taken};
use crate::clock::Now;
use crate::fields::{BadField, Fields, Line, number};
use crate::lease::{Granted, Refused, Report, Scope};
use crate::policy::Limits;

/// The account of a key.
#[derive(Debug, Default)]
pub(super) struct KeyAccount {
    pub(super) account: Account,
    /// The millisecond in which the last of its leases ends.
    pub(super) lease_until: u64,
    /// The use in the hour at hand.
    pub(super) usage: Use,
    /// Secrets that are being replaced: generation, and the second in which it was last used.
    pub(super) replaced: Vec<(u8, u64)>,
}

/// The account of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SharedAccount {
    account: Account,
    /// The millisecond in which the last lease of any key ends.
    pub(super) lease_until: u64,
}

/// A lease that is not over.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) tokens: u32,
    pub(super) spent: u32,
    coins: u64,
    /// The millisecond in which the isolate stops by itself.
    until: u64,
    pub(super) hour: u64,
    key: Option<Taken>,
    shared: Option<Taken>,
}

impl Value for KeyAccount {
    fn parse(text: &str) -> Result<Self, BadField> {
        let fields = Fields::of(text);
        Ok(Self {
            account: Account::read(fields)?,
            lease_until: fields.number("lease_until")?,
            usage: Use::read(fields)?,
            replaced: text::replaced(fields)?,
        })
    }

    fn print(&self) -> String {
        let line = Line::new("account").number("lease_until", self.lease_until);
        let line = self.usage.write(self.account.write(line));
        line.all("replaced", text::seconds(&self.replaced)).finish()
    }
}

impl KeyAccount {
    /// Takes note of what became of secrets that are being replaced; of the last few of them.
    fn note_replaced(&mut self, told: &[(u8, u64)]) {
        for (generation, second) in told {
            match self.replaced.iter_mut().find(|(known, _)| known == generation) {
                Some((_, last)) => *last = (*last).max(*second),
                None => self.replaced.push((*generation, *second)),
            }
        }
        let over = self.replaced.len().saturating_sub(MAX_REPLACED);
        self.replaced.drain(..over);
    }
}

impl Value for SharedAccount {
    fn parse(text: &str) -> Result<Self, BadField> {
        let fields = Fields::of(text);
        Ok(Self { account: Account::read(fields)?, lease_until: fields.number("lease_until")? })
    }

    fn print(&self) -> String {
        let line = Line::new("account").number("lease_until", self.lease_until);
        self.account.write(line).finish()
    }
}

impl Value for Lease {
    fn parse(text: &str) -> Result<Self, BadField> {
        let fields = Fields::of(text);
        let tokens = number(fields.text("tokens")?)?;
        let spent = Some(fields.number("spent")?).filter(|spent| *spent <= tokens);
        Ok(Self {
            tokens,
            spent: spent.ok_or(BadField)?,
            coins: fields.number("coins")?,
            until: fields.number("until")?,
            hour: fields.number("hour")?,
            key: fields.get("key").map(Taken::parse).transpose()?,
            shared: fields.get("shared").map(Taken::parse).transpose()?,
        })
    }

    fn print(&self) -> String {
        Line::new("lease")
            .with("tokens", self.tokens)
            .number("spent", self.spent)
            .number("coins", self.coins)
            .number("until", self.until)
            .number("hour", self.hour)
            .all("key", self.key.iter().map(Taken::print))
            .all("shared", self.shared.iter().map(Taken::print))
            .finish()
    }
}

/// The answer to a call, for when it is made again.
impl Value for Answer {
    fn parse(text: &str) -> Result<Self, BadField> {
        Self::parse(text)
    }

    fn print(&self) -> String {
        self.print()
    }
}

/// The rows that such a call reads.
pub(super) fn needs(call: &Admit, now: Now, missing: &mut Missing) {
    missing.names.extend([
        keys::row(&call.kid),
        account_row(&call.kid),
        SHARED.to_owned(),
        call_row(minute(now), call),
        call_row(minute(now).saturating_sub(1), call),
    ]);
    missing.names.extend(call.once.iter().flat_map(|own| once::rows(&call.kid, own, now)));
    if call.want > call.at_once() || !call.reports.is_empty() {
        missing.ranges.push(leases(&call.kid));
    }
    missing.ranges.extend(old_calls(now));
}

/// The rows that a report reads.
pub(super) fn report_needs(kid: &str, missing: &mut Missing) {
    missing.names.extend([account_row(kid), SHARED.to_owned()]);
    missing.ranges.push(leases(kid));
}

impl Object<'_> {
    pub(super) fn admit(&mut self, meta: &Meta, call: &Admit) -> Result<Answer, Stop> {
        for minute in [minute(self.now), minute(self.now).saturating_sub(1)] {
            if let Some(answer) = self.rows.get(&call_row(minute, call))? {
                return Ok(answer);
            }
        }
        let Some(held) = self.rows.get::<Held>(&keys::row(&call.kid))? else {
            return Ok(Answer::Unknown);
        };
        let replayed = match &call.once {
            Some(once) => self.is_replayed(&call.kid, once)?,
            None => false,
        };
        let mut own: KeyAccount = self.rows.get(&account_row(&call.kid))?.unwrap_or_default();
        let before: SharedAccount = self.rows.get(SHARED)?.unwrap_or_default();
        let mut shared = before.clone();
        self.settle(&call.kid, &call.reports, &mut own, &mut shared)?;
        self.roll(&call.kid, &mut own)?;
        for (code, count) in &call.denied {
            own.usage.deny(code, *count);
        }
        own.note_replaced(&call.replaced);
        let answer = if !held.is_current(meta, call.version) {
            Answer::Changed { value: self.sealed(meta, held)? }
        } else if replayed {
            Answer::Replayed
        } else {
            let limits = held.limits(self.gate)?;
            self.take(limits, call, &mut own, &mut shared)
        };
        if let (Answer::Granted(_), Some(once)) = (&answer, &call.once) {
            self.remember_once(&call.kid, once);
        }
        if matches!(answer, Answer::Granted(_)) {
            own.usage.add(call.at_once(), call.spent_coins(), self.now);
        } else if matches!(answer, Answer::Refused(_)) && !call.ahead {
            own.usage.deny("RATE_LIMITED", 1);
        } else if answer == Answer::Replayed {
            own.usage.deny("REPLAYED_REQUEST", 1);
        }
        // A refusal has an effect too: what was denied is counted.
        if matches!(answer, Answer::Granted(_) | Answer::Refused(_) | Answer::Replayed) {
            self.rows.put(call_row(minute(self.now), call), &answer);
        }
        if shared != before {
            self.rows.put(SHARED.to_owned(), &shared);
        }
        self.rows.put(account_row(&call.kid), &own);
        self.forget_calls()?;
        Ok(answer)
    }

    pub(super) fn report(
        &mut self,
        kid: &str,
        reports: &[Report],
        denied: &[(String, u32)],
        replaced: &[(u8, u64)],
    ) -> Result<Answer, Stop> {
        let mut own: KeyAccount = self.rows.get(&account_row(kid))?.unwrap_or_default();
        let mut shared: SharedAccount = self.rows.get(SHARED)?.unwrap_or_default();
        self.settle(kid, reports, &mut own, &mut shared)?;
        self.roll(kid, &mut own)?;
        for (code, count) in denied {
            own.usage.deny(code, *count);
        }
        own.note_replaced(replaced);
        self.rows.put(account_row(kid), &own);
        if !reports.is_empty() {
            self.rows.put(SHARED.to_owned(), &shared);
        }
        Ok(Answer::Done)
    }

    /// Takes from both accounts or from none.
    fn take(
        &mut self,
        key_limits: Option<Limits>,
        call: &Admit,
        own: &mut KeyAccount,
        shared: &mut SharedAccount,
    ) -> Answer {
        let now = self.now;
        let shared_limits = self.shared_limits();
        for (limits, account) in
            [(key_limits, &mut own.account), (shared_limits, &mut shared.account)]
        {
            if let Some(limits) = limits {
                account.hold_to(&limits, now);
            }
        }
        let of_key = key_limits.map_or(u32::MAX, |limits| own.account.left(&limits, now));
        let of_all = shared_limits.map_or(u32::MAX, |limits| shared.account.left(&limits, now));
        let exhausted = [
            (of_key, key_limits, &own.account, Scope::Key),
            (of_all, shared_limits, &shared.account, Scope::Workspace),
        ]
        .into_iter()
        .filter(|(left, ..)| *left == 0)
        .filter_map(|(_, limits, account, by)| limits.map(|limits| (limits, account, by)))
        .max_by_key(|(limits, account, _)| account.next(limits, now));
        if let Some((limits, account, by)) = exhausted {
            let retry_millis = account.next(&limits, now).saturating_sub(now.millis()).max(1);
            return Answer::Refused(Refused { retry_millis, by, view: account.view(&limits, now) });
        }
        let mut millis = call.millis.min(LONGEST_LEASE_MILLIS);
        let mut rest = |limits: Option<Limits>, account: &Account| {
            if let Some(limits) = limits {
                millis = millis.min(account.window_rest(&limits, now));
            }
        };
        rest(key_limits, &own.account);
        rest(shared_limits, &shared.account);
        let tokens = lease_size(call.want, of_key.min(of_all));
        let taken = |limits: Option<Limits>, account: &mut Account| {
            limits.map(|limits| account.take(&limits, tokens, now))
        };
        let (key, all) =
            (taken(key_limits, &mut own.account), taken(shared_limits, &mut shared.account));
        if tokens > call.at_once() {
            let until = now.millis().saturating_add(millis);
            own.lease_until = own.lease_until.max(until);
            shared.lease_until = shared.lease_until.max(until);
            let (hour, coins, spent) = (hour(now), call.spent_coins(), call.at_once());
            let lease = Lease { tokens, spent, coins, until, hour, key, shared: all };
            self.rows.put(lease_row(&call.kid, call.id.as_str()), &lease);
        }
        let view = key_limits
            .map(|limits| own.account.view(&limits, now))
            .or_else(|| shared_limits.map(|limits| shared.account.view(&limits, now)));
        Answer::Granted(Granted { tokens, millis, view })
    }

    /// Takes in what became of leases: what was spent counts, what was not goes back.
    fn settle(
        &mut self,
        kid: &str,
        reports: &[Report],
        own: &mut KeyAccount,
        shared: &mut SharedAccount,
    ) -> Result<(), Stop> {
        for report in reports {
            let row = lease_row(kid, report.lease.as_str());
            let Some(mut lease) = self.rows.get::<Lease>(&row)? else { continue };
            let spent = report.spent.clamp(lease.spent, lease.tokens);
            let more = spent.saturating_sub(lease.spent);
            let dearest = u64::from(more).saturating_mul(u32::MAX.into());
            let dearer = report.coins.saturating_sub(lease.coins).min(dearest);
            let coins = lease.coins.saturating_add(dearer);
            let now = self.now;
            self.count(kid, lease.hour, own, |usage| usage.add(more, dearer, now))?;
            (lease.spent, lease.coins) = (spent, coins);
            if report.closed {
                let rest = lease.tokens.saturating_sub(spent);
                if let Some(taken) = &lease.key {
                    own.account.put_back(taken, rest, self.now);
                }
                if let Some(taken) = &lease.shared {
                    shared.account.put_back(taken, rest, self.now);
                }
                self.rows.delete(row);
            } else {
                self.rows.put(row, &lease);
            }
        }
        self.bury(kid, own)
    }

    /// Leases that nobody has closed a minute after their end: what was spent of them stays unknown.
    fn bury(&mut self, kid: &str, own: &mut KeyAccount) -> Result<(), Stop> {
        let range = leases(kid);
        let Ok(held) = self.rows.scan::<Lease>(&range) else { return Ok(()) };
        for (row, lease) in held {
            if lease.until.saturating_add(BURY_MILLIS) < self.now.millis() {
                let lost = lease.tokens.saturating_sub(lease.spent);
                self.count(kid, lease.hour, own, |usage| usage.lose(lost))?;
                self.rows.delete(row);
            }
        }
        Ok(())
    }

    /// Calls are repeated within seconds. What is older goes, a few with each call.
    fn forget_calls(&mut self) -> Result<(), Stop> {
        let Some(old) = old_calls(self.now) else { return Ok(()) };
        for name in self.rows.names(&old)? {
            self.rows.delete(name);
        }
        Ok(())
    }

    pub(super) fn shared_limits(&self) -> Option<Limits> {
        let meta = self.meta.as_ref()?;
        let ceiling = self.gate.policy.workspace(&meta.workspace).limits;
        // A policy that became stricter since holds at once.
        meta.limits.filter(|own| ceiling.is_none_or(|most| own.is_within(&most))).or(ceiling)
    }
}

/// The answers that nobody will ask for again; looked for at the beginning of a minute.
fn old_calls(now: Now) -> Option<Range> {
    let last = format!("{:010}", minute(now).saturating_sub(1));
    let begins = now.millis().checked_rem(60_000)? < FORGET_WITHIN_MILLIS;
    begins.then(|| Range::between("call/", "", &last, FORGET))
}

/// How many tokens to lend: what is wanted, but no more than a quarter of what is left, so that
/// other isolates find some; at least one.
#[must_use]
pub fn lease_size(want: u32, left: u32) -> u32 {
    want.min(left.checked_div(4).unwrap_or(0)).max(1)
}

pub(super) fn account_row(kid: &str) -> String {
    format!("account/{kid}")
}

pub(super) fn leases(kid: &str) -> Range {
    Range::of(&format!("lease/{kid}/"), 256)
}

fn lease_row(kid: &str, id: &str) -> String {
    format!("lease/{kid}/{id}")
}

fn call_row(minute: u64, call: &Admit) -> String {
    format!("call/{minute:010}/{}", call.id.as_str())
}

const fn minute(now: Now) -> u64 {
    now.seconds() / 60
}

pub(super) const fn hour(now: Now) -> u64 {
    now.seconds() / 3600
}

pub(super) const SHARED: &str = "account/";
/// As many as may work at a time.
const MAX_REPLACED: usize = 5;
const BURY_MILLIS: u64 = 60_000;
const LONGEST_LEASE_MILLIS: u64 = 60_000;
const FORGET_WITHIN_MILLIS: u64 = 10_000;
const FORGET: u32 = 64;
