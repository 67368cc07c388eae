//! Accounts: what has been taken of one set of limits.
//!
//! Two bounds hold together. A fixed window, which opens with the first use and closes
//! `window_seconds` later, allows `requests` in all; a bucket of `burst` tokens, which refills at
//! `requests` a window (the generic cell rate algorithm, ITU-T I.371), allows `burst` at once. So
//! over any span `w` no more than `burst + rate × w` are taken, and no more than `requests` in a
//! window. Integers throughout; every operation saturates.

use crate::clock::Now;
use crate::fields::{BadField, Fields, Line, number, pair};
use crate::policy::Limits;

/// What has been taken. The clock is that of whoever keeps the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The millisecond in which the window closes; none is open from then on.
    window_end: u64,
    /// Taken in that window.
    used: u32,
    /// When the bucket is full again, in nanoseconds since 1970.
    full: u64,
    /// Nanoseconds in which one token comes back until then; 0 in a row that knows none.
    interval: u64,
    /// How often other limits have changed when it is full.
    changes: u32,
}

/// What was taken together, so that the rest of it can be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The end of the window it was taken in.
    window_end: u64,
    /// The millisecond in which it was taken.
    at: u64,
    /// Nanoseconds in which the bucket refills one token.
    interval: u64,
    /// The account's count of changes.
    changes: u32,
}

/// What an account says to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The limits it is held to.
    pub limits: Limits,
    /// Left in the window.
    pub remaining: u32,
    /// The millisecond in which the window closes.
    pub window_end: u64,
    /// Left in the bucket.
    pub burst_remaining: u32,
}

impl Account {
    /// Holds the account to other limits than those by which it was taken from, or to a clock that
    /// was set back. What was taken stays taken, and comes back at the rate of these; but nobody waits
    /// for longer than by an empty bucket or a whole window of them.
    pub fn hold_to(&mut self, limits: &Limits, now: Now) {
        let window_end = now.millis().saturating_add(window_millis(limits));
        self.window_end = self.window_end.min(window_end);
        let (owed, interval) = (self.owed(now), interval(limits));
        if owed == 0 {
            return;
        }
        let before = if self.interval == 0 { interval } else { self.interval };
        let converted = u128::from(owed).saturating_mul(interval.into()).div_ceil(before.into());
        let converted = u64::try_from(converted).unwrap_or(u64::MAX).min(capacity(limits));
        if converted != owed {
            self.full = nanos(now).saturating_add(converted);
            self.changes = self.changes.wrapping_add(1);
        }
        self.interval = interval;
    }

    /// How many may be taken now.
    #[must_use]
    pub fn left(&self, limits: &Limits, now: Now) -> u32 {
        self.window_left(limits, now).min(self.bucket_left(limits, now))
    }

    /// Takes `count`, of which the caller has seen that they are left.
    pub fn take(&mut self, limits: &Limits, count: u32, now: Now) -> Taken {
        if !self.is_open(now) {
            self.window_end = now.millis().saturating_add(window_millis(limits));
            self.used = 0;
        }
        self.used = self.used.saturating_add(count);
        let interval = interval(limits);
        let taken = interval.saturating_mul(count.into());
        self.full = self.full.max(nanos(now)).saturating_add(taken);
        self.interval = interval;
        Taken { window_end: self.window_end, at: now.millis(), interval, changes: self.changes }
    }

    /// Puts back `count` of what was taken, into the same window only. The bucket gets less: had
    /// nothing been taken, it might have been full and have lost what came in since. It gets nothing
    /// after a change of limits, which may have forgiven that already.
    pub fn put_back(&mut self, taken: &Taken, count: u32, now: Now) {
        if self.is_open(now) && self.window_end == taken.window_end {
            self.used = self.used.saturating_sub(count);
        }
        if self.changes != taken.changes {
            return;
        }
        let age = nanos(now).saturating_sub(taken.at.saturating_mul(1_000_000));
        let refund = taken.interval.saturating_mul(count.into()).saturating_sub(age);
        self.full = self.full.saturating_sub(refund);
    }

    /// The first millisecond in which one may be taken.
    #[must_use]
    pub fn next(&self, limits: &Limits, now: Now) -> u64 {
        let window = match self.window_left(limits, now) {
            0 => self.window_end,
            _ => now.millis(),
        };
        let spare = capacity(limits).saturating_sub(interval(limits));
        let bucket = self.full.saturating_sub(spare).div_ceil(1_000_000);
        window.max(bucket).max(now.millis())
    }

    /// Milliseconds until the window closes; a whole window if none is open.
    #[must_use]
    pub fn window_rest(&self, limits: &Limits, now: Now) -> u64 {
        if self.is_open(now) {
            self.window_end.saturating_sub(now.millis())
        } else {
            window_millis(limits)
        }
    }

    /// What clients are told.
    #[must_use]
    pub fn view(&self, limits: &Limits, now: Now) -> View {
        View {
            limits: *limits,
            remaining: self.window_left(limits, now),
            window_end: now.millis().saturating_add(self.window_rest(limits, now)),
            burst_remaining: self.bucket_left(limits, now),
        }
    }

    /// Reads what [`Account::write`] wrote.
    ///
    /// # Errors
    /// [`BadField`].
    pub fn read(fields: Fields<'_>) -> Result<Self, BadField> {
        let (window_end, used) = (fields.number("window_end")?, fields.number("used")?);
        let account = Self { window_end, used, full: fields.number("full")?, ..Self::default() };
        account.paced(fields.get("pace"))
    }

    /// Adds the account to a row.
    #[must_use]
    pub fn write(&self, line: Line) -> Line {
        line.number("window_end", self.window_end)
            .number("used", self.used)
            .number("full", self.full)
            .all("pace", self.print_pace())
    }

    /// Reads what [`Account::print`] and [`Account::print_pace`] wrote.
    ///
    /// # Errors
    /// [`BadField`].
    pub fn parse(text: &str, pace: Option<&str>) -> Result<Self, BadField> {
        let (rest, full) = pair(text)?;
        let (window_end, used) = pair(rest)?;
        let (window_end, used, full) = (number(window_end)?, number(used)?, number(full)?);
        Self { window_end, used, full, ..Self::default() }.paced(pace)
    }

    /// One value of a field, for a row that has another account; `None` if nothing was ever taken.
    #[must_use]
    pub fn print(&self) -> Option<String> {
        let Self { window_end, used, full, .. } = self;
        (*self != Self::default()).then(|| format!("{window_end}:{used}:{full}"))
    }

    /// The same of how fast the bucket refills, which an older build neither reads nor keeps; `None` if
    /// that is not known.
    #[must_use]
    pub fn print_pace(&self) -> Option<String> {
        let Self { interval, changes, .. } = self;
        (*interval != 0).then(|| format!("{interval}:{changes}"))
    }

    fn paced(mut self, pace: Option<&str>) -> Result<Self, BadField> {
        if let Some(pace) = pace {
            let (interval, changes) = pair(pace)?;
            (self.interval, self.changes) = (number(interval)?, number(changes)?);
            if self.interval == 0 {
                return Err(BadField);
            }
        }
        Ok(self)
    }

    /// Nanoseconds until the bucket is full.
    const fn owed(&self, now: Now) -> u64 {
        self.full.saturating_sub(nanos(now))
    }

    const fn is_open(&self, now: Now) -> bool {
        now.millis() < self.window_end
    }

    fn window_left(&self, limits: &Limits, now: Now) -> u32 {
        let used = if self.is_open(now) { self.used } else { 0 };
        limits.requests.saturating_sub(used)
    }

    fn bucket_left(&self, limits: &Limits, now: Now) -> u32 {
        let tokens = capacity(limits).saturating_sub(self.owed(now)).checked_div(interval(limits));
        u32::try_from(tokens.unwrap_or(0)).unwrap_or(u32::MAX).min(limits.burst)
    }
}

impl Taken {
    /// Reads what [`Taken::print`] wrote.
    ///
    /// # Errors
    /// [`BadField`].
    pub fn parse(text: &str) -> Result<Self, BadField> {
        let mut parts = text.split(':');
        let mut part = || number(parts.next().ok_or(BadField)?);
        let (window_end, at, interval) = (part()?, part()?, part()?);
        Ok(Self { window_end, at, interval, changes: parts.next().map_or(Ok(0), number)? })
    }

    /// One value of a field.
    #[must_use]
    pub fn print(&self) -> String {
        let Self { window_end, at, interval, changes } = self;
        let changes = Some(changes).filter(|changes| **changes != 0);
        let changes = changes.map(|changes| format!(":{changes}")).unwrap_or_default();
        format!("{window_end}:{at}:{interval}{changes}")
    }
}

impl View {
    /// Reads what [`View::write`] wrote; `None` if nothing did.
    ///
    /// # Errors
    /// [`BadField`].
    pub fn read(fields: Fields<'_>) -> Result<Option<Self>, BadField> {
        if fields.get("requests").is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            limits: Limits {
                requests: fields.number("requests")?,
                window_seconds: fields.number("window")?,
                burst: fields.number("burst")?,
            },
            remaining: fields.number("remaining")?,
            window_end: fields.number("window_end")?,
            burst_remaining: fields.number("burst_remaining")?,
        }))
    }

    /// Adds the view to an answer.
    #[must_use]
    pub fn write(&self, line: Line) -> Line {
        line.with("requests", self.limits.requests)
            .number("window", self.limits.window_seconds)
            .number("burst", self.limits.burst)
            .number("remaining", self.remaining)
            .number("window_end", self.window_end)
            .number("burst_remaining", self.burst_remaining)
    }
}

/// Nanoseconds in which one token comes back, rounded up: never faster than the limit.
fn interval(limits: &Limits) -> u64 {
    let window = u64::from(limits.window_seconds).saturating_mul(1_000_000_000);
    window.div_ceil(u64::from(limits.requests).max(1)).max(1)
}

fn capacity(limits: &Limits) -> u64 {
    interval(limits).saturating_mul(limits.burst.into())
}

fn window_millis(limits: &Limits) -> u64 {
    u64::from(limits.window_seconds).saturating_mul(1000)
}

const fn nanos(now: Now) -> u64 {
    now.millis().saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { requests: 100, window_seconds: 100, burst: 10 };

    fn at(millis: u64) -> Now {
        Now::from_millis(millis.saturating_add(1_700_000_000_000))
    }

    #[test]
    fn a_burst_then_one_a_second_then_the_window() {
        let mut account = Account::default();
        assert_eq!(account.left(&LIMITS, at(0)), 10);
        account.take(&LIMITS, 10, at(0));
        assert_eq!(account.left(&LIMITS, at(999)), 0);
        assert_eq!(account.next(&LIMITS, at(999)), at(1000).millis());
        for second in 1..=90 {
            assert_eq!(account.left(&LIMITS, at(second * 1000)), 1, "second {second}");
            account.take(&LIMITS, 1, at(second * 1000));
        }
        assert_eq!(account.left(&LIMITS, at(99_999)), 0, "100 are used");
        assert_eq!(account.next(&LIMITS, at(99_999)), at(100_000).millis());
        assert_eq!(account.left(&LIMITS, at(100_000)), 10);
    }

    #[test]
    fn what_is_put_back_can_be_taken_again_and_no_more() {
        let mut account = Account::default();
        let taken = account.take(&LIMITS, 10, at(0));
        account.put_back(&taken, 7, at(500));
        assert_eq!(account.view(&LIMITS, at(500)).remaining, 97);
        assert_eq!(account.left(&LIMITS, at(500)), 7);
    }

    #[test]
    fn a_bucket_that_was_full_meanwhile_does_not_overflow() {
        let mut account = Account::default();
        let taken = account.take(&LIMITS, 2, at(0));
        account.take(&LIMITS, 10, at(3000));
        account.put_back(&taken, 2, at(3000));
        assert_eq!(account.left(&LIMITS, at(3000)), 0);
        assert_eq!(account.view(&LIMITS, at(3000)).remaining, 90, "the window has them back");
    }

    #[test]
    fn another_window_gets_nothing_back() {
        let short = Limits { window_seconds: 1, ..LIMITS };
        let mut account = Account::default();
        let taken = account.take(&short, 5, at(0));
        account.take(&short, 5, at(1000));
        account.put_back(&taken, 5, at(1000));
        assert_eq!(account.view(&short, at(1000)).remaining, 95);
    }

    #[test]
    fn a_pace_that_was_never_written_is_not_read() {
        assert!(Account::parse("0:0:0", Some("0:1")).is_err());
        assert!(Account::parse("0:0:0", Some("1:0")).is_ok());
    }

    #[test]
    fn what_is_read_again_is_what_was_written() {
        let mut account = Account::default();
        for window_seconds in [100, 200] {
            let limits = Limits { window_seconds, ..LIMITS };
            account.hold_to(&limits, at(0));
            let taken = account.take(&limits, 2, at(0));
            let line = account.write(Line::default()).finish();
            assert_eq!(Account::read(Fields::of(&line)), Ok(account), "{line}");
            let (text, pace) = (account.print().unwrap(), account.print_pace());
            assert_eq!(Account::parse(&text, pace.as_deref()), Ok(account), "{text} {pace:?}");
            assert_eq!(Taken::parse(&taken.print()), Ok(taken), "{}", taken.print());
        }
        assert_eq!(account.changes, 1);
    }

    #[test]
    fn extremes_do_not_wrap() {
        let most = Limits { requests: u32::MAX, window_seconds: 1, burst: u32::MAX };
        let mut account = Account { full: u64::MAX, used: u32::MAX, ..Account::default() };
        let late = Now::from_millis(u64::MAX);
        let taken = account.take(&most, u32::MAX, late);
        account.put_back(&taken, u32::MAX, late);
        let _ = (account.left(&most, late), account.next(&most, late), account.view(&most, late));
    }
}
