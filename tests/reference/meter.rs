//! Limits, budgets and what is admitted once (DESIGN §4, docs/limits.md), by remembering everything.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::{Budget, Limits};

/// What was admitted by one set of limits.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// When the window opened, and how many are in it.
    window: Option<(u64, u64)>,
    /// Nanoseconds until the bucket is full, as of when.
    taken: u64,
    at: u64,
}

impl Account {
    /// A bucket of `burst` refills at `requests` in each window, which is one in so many whole nanoseconds.
    pub fn has_room(&mut self, limits: Limits, now: u64) -> bool {
        self.next(limits, now) == now
    }

    /// When there will be room for one more.
    fn next(&mut self, limits: Limits, now: u64) -> u64 {
        let (whole, one) = (limits.window * 1000, nanoseconds(limits));
        self.taken = self.taken.saturating_sub((now - self.at) * 1_000_000);
        self.at = now;
        if self.window.is_some_and(|(opened, _)| now >= opened + whole) {
            self.window = None;
        }
        let is_full = |(_, used): &(u64, u64)| *used >= limits.requests;
        let opens = self.window.filter(is_full).map_or(now, |(opened, _)| opened + whole);
        let over = (self.taken + one).saturating_sub(limits.burst * one);
        opens.max(now + over.div_ceil(1_000_000))
    }

    pub fn take(&mut self, limits: Limits, now: u64) {
        self.taken += nanoseconds(limits);
        self.window.get_or_insert((now, 0)).1 += 1;
    }

    /// The bucket alone, as one isolate of mode `edge` has it.
    pub fn bursts(&mut self, limits: Limits, now: u64) -> bool {
        self.window = None;
        let room = self.has_room(limits, now);
        if room {
            self.take(limits, now);
        }
        room
    }
}

/// In which one request comes back, rounded up.
fn nanoseconds(limits: Limits) -> u64 {
    (limits.window * 1_000_000_000).div_ceil(limits.requests)
}

/// Everything that outlives a request.
#[derive(Debug, Default)]
pub struct Meter {
    accounts: BTreeMap<String, Account>,
    /// Coins spent, by budget and beginning of its period.
    spent: BTreeMap<(String, i64), u64>,
    admitted: BTreeSet<(String, String)>,
    /// Of the isolate.
    pub bursts: BTreeMap<String, Account>,
}

/// What one request needs leave of.
#[derive(Debug, Default)]
pub struct Claim {
    pub limits: Vec<(String, Limits)>,
    pub budgets: Vec<(String, Budget)>,
    pub cost: u64,
    /// The key, and what tells the request from any other.
    pub once: Option<(String, String)>,
}

impl Meter {
    /// All or nothing. A repetition is told as one whatever is left; of several refusals that which lasts
    /// longest is told.
    pub fn admit(&mut self, claim: &Claim, now: u64) -> Result<(), &'static str> {
        if claim.once.as_ref().is_some_and(|once| self.admitted.contains(once)) {
            return Err("REPLAYED_REQUEST");
        }
        let (mut until, mut refusal) = (now, None);
        for (name, limits) in &claim.limits {
            let next = self.accounts.entry(name.clone()).or_default().next(*limits, now);
            if next > until {
                (until, refusal) = (next, Some("RATE_LIMITED"));
            }
        }
        let period = |budget: &Budget| beginning(budget.period, now / 1000);
        for (name, budget) in &claim.budgets {
            let spent = self.spent.get(&(name.clone(), period(budget))).copied().unwrap_or(0);
            let reset = end(budget.period, now / 1000) * 1000;
            if claim.cost > budget.coins.saturating_sub(spent) && reset >= until {
                (until, refusal) = (reset, Some("BUDGET_EXHAUSTED"));
            }
        }
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        self.admitted.extend(claim.once.clone());
        for (name, limits) in &claim.limits {
            self.accounts.get_mut(name).unwrap().take(*limits, now);
        }
        for (name, budget) in &claim.budgets {
            *self.spent.entry((name.clone(), period(budget))).or_default() += claim.cost;
        }
        Ok(())
    }
}

/// The day since 1970 on which a period of the calendar began; 1970 began on a Thursday.
fn beginning(period: &str, second: u64) -> i64 {
    let day = i64::try_from(second / 86_400).unwrap();
    match period {
        "day" => day,
        "week" => day - (day + 3) % 7,
        _ => (0..31).map(|back| day - back).find(|day| is_first(*day)).unwrap(),
    }
}

/// The second in which it ends.
fn end(period: &str, second: u64) -> u64 {
    let own = beginning(period, second);
    let day = i64::try_from(second / 86_400).unwrap();
    let is_next = |day: &i64| beginning(period, u64::try_from(*day).unwrap() * 86_400) != own;
    u64::try_from((day + 1..=day + 31).find(is_next).unwrap()).unwrap() * 86_400
}

/// Whether a day is the first of a month, by counting from 1970.
fn is_first(day: i64) -> bool {
    let (mut first, mut year, mut month) = (0, 1970, 0);
    while first < day {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let february = if leap { 29 } else { 28 };
        first += [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month];
        (year, month) = if month == 11 { (year + 1, 0) } else { (year, month + 1) };
    }
    first == day
}
