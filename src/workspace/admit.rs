//! Leave to admit requests: the limits of key, workspace and product, the budgets and the lease, in one
//! step.

use super::accounts::{Accounts, SHARED, account_row, product_row};
use super::alert;
use super::call::{Admit, Answer, POOL_VERSION, Told};
use super::incidents;
use super::keys::{self, Held};
use super::lending::leases;
use super::once;
use super::rows::{Missing, Range, Stop, Value};
use super::{Meta, Object};
use crate::clock::Now;
use crate::fields::BadField;

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
        alert::alerts_row(&call.kid),
        call_row(minute(now), call),
        call_row(minute(now).saturating_sub(1), call),
    ]);
    missing.names.extend(call.product().map(product_row));
    if !call.told.incidents.is_empty() {
        missing.names.push(incidents::NEXT.to_owned());
    }
    missing.names.extend(call.once.iter().flat_map(|own| once::rows(&call.kid, own, now)));
    if call.want > call.at_once() || !call.told.reports.is_empty() {
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
        if let Some(answer) = self.misunderstood(call) {
            return Ok(answer);
        }
        let Some(held) = self.rows.get::<Held>(&keys::row(&call.kid))? else {
            return Ok(Answer::Unknown);
        };
        let replayed = match &call.once {
            Some(once) => self.is_replayed(&call.kid, once)?,
            None => false,
        };
        let mut accounts = self.accounts(&call.kid)?;
        if let Some(product) = call.product() {
            self.product(&mut accounts, product)?;
        }
        self.hear(&call.kid, &call.told, &mut accounts)?;
        let answer = if !held.is_current(meta, call.version) {
            Answer::Changed { value: self.sealed(meta, held)? }
        } else if replayed {
            Answer::Replayed
        } else {
            let (limits, trial) = (held.limits(self.gate)?, held.trial(self.gate));
            let answer = self.take(limits, trial, call, &mut accounts);
            let is_granted = matches!(answer, Answer::Granted(_));
            let is_watched = is_granted || !call.ahead;
            if is_watched {
                self.watch_key(meta, &call.kid, limits, &mut accounts.own)?;
            }
            if is_watched && call.cost() > 0 {
                self.watch_budgets(meta, call, !is_granted, &mut accounts)?;
            }
            answer
        };
        if let (Answer::Granted(_), Some(once)) = (&answer, &call.once) {
            self.remember_once(&call.kid, once);
        }
        let usage = &mut accounts.own.usage;
        if let Answer::Granted(_) = &answer {
            usage.add(call.at_once(), call.spent_coins(), call.product(), self.now);
        } else if let Answer::Refused(refused) = &answer
            && !call.ahead
        {
            usage.deny(refused.by.code(), 1);
        } else if answer == Answer::Replayed {
            usage.deny("REPLAYED_REQUEST", 1);
        }
        self.watch_denials(meta, &call.kid, &mut accounts.own)?;
        // A refusal has an effect too: what was denied is counted.
        if matches!(answer, Answer::Granted(_) | Answer::Refused(_) | Answer::Replayed) {
            self.rows.put(call_row(minute(self.now), call), &answer);
        }
        self.keep(&call.kid, &accounts);
        self.forget_calls()?;
        Ok(answer)
    }

    pub(super) fn report(&mut self, meta: &Meta, kid: &str, told: &Told) -> Result<Answer, Stop> {
        let mut accounts = self.accounts(kid)?;
        self.hear(kid, told, &mut accounts)?;
        self.watch_denials(meta, kid, &mut accounts.own)?;
        self.keep(kid, &accounts);
        Ok(Answer::Done)
    }

    /// Takes in what an isolate tells.
    fn hear(&mut self, kid: &str, told: &Told, accounts: &mut Accounts) -> Result<(), Stop> {
        self.settle(kid, &told.reports, accounts)?;
        self.roll(kid, &mut accounts.own)?;
        let own = &mut accounts.own;
        for (code, count) in &told.denied {
            own.usage.deny(code, *count);
        }
        for (code, count) in &told.would_deny {
            own.usage.would_deny(code, *count);
        }
        own.note_replaced(&told.replaced);
        self.note_incidents(kid, &told.incidents)
    }

    /// Refuses, by a fault, to decide on a call by a policy that is not the gate's: one for a product
    /// that this policy does not have, and one for tokens of no price where coins count.
    fn misunderstood(&self, call: &Admit) -> Option<Answer> {
        if let Some(name) = call.product().filter(|name| self.product_rules(name).is_none()) {
            return Some(Answer::Broken { row: product_row(name) });
        }
        let is_blind = call.pool.is_none() && call.ahead && self.has_budget();
        is_blind.then_some(Answer::Version { newest: POOL_VERSION })
    }

    /// Calls are repeated within seconds. What is older goes, a few with each call.
    fn forget_calls(&mut self) -> Result<(), Stop> {
        let Some(old) = old_calls(self.now) else { return Ok(()) };
        for name in self.rows.names(&old)? {
            self.rows.delete(name);
        }
        Ok(())
    }
}

/// The answers that nobody will ask for again; looked for at the beginning of a minute.
fn old_calls(now: Now) -> Option<Range> {
    let last = format!("{:010}", minute(now).saturating_sub(1));
    let begins = now.millis().checked_rem(60_000)? < FORGET_WITHIN_MILLIS;
    begins.then(|| Range::between("call/", "", &last, FORGET))
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

const FORGET_WITHIN_MILLIS: u64 = 10_000;
const FORGET: u32 = 64;
