//! Spendings: what has been taken of one budget in its period.
//!
//! A period is one of the calendar. Its coins are there again when the next one begins; those that
//! were not spent go back into the period they were taken from, and into no other.

use crate::clock::Now;
use crate::fields::{BadField, Fields, Line, number, pair};
use crate::policy::Budget;

/// What has been taken. The clock is that of whoever keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    span: Span,
    /// Coins taken in it.
    used: u64,
}

/// A period by its first second and the first one after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first second.
    pub start: u64,
    /// The first that is none of it.
    pub end: u64,
}

impl Spending {
    /// Begins a new period, if it is one.
    ///
    /// If the policy has another period than it had, what was taken in the old one counts in the new
    /// one. A clock that was set back does not open a period that was over: the one that has begun goes
    /// on, unless it lies so far ahead that the clock must have been wrong.
    pub fn hold_to(&mut self, budget: &Budget, now: Now) {
        let second = now.seconds();
        let current = Span { start: budget.period.start(second), end: budget.period.end(second) };
        if self.span.end <= current.start {
            *self = Self { span: current, used: 0 };
        } else if self.span.start <= second || self.span.start > current.end {
            self.span = current;
        }
    }

    /// Coins that may be taken. [`Spending::hold_to`] goes before.
    #[must_use]
    pub const fn left(&self, budget: &Budget) -> u64 {
        budget.coins.get().saturating_sub(self.used)
    }

    /// Takes `coins`, of which the caller has seen that they are left.
    pub const fn take(&mut self, coins: u64) -> Span {
        self.used = self.used.saturating_add(coins);
        self.span
    }

    /// Puts back what was taken in `span`, unless that is over.
    pub fn put_back(&mut self, span: Span, coins: u64) {
        if self.span == span {
            self.used = self.used.saturating_sub(coins);
        }
    }

    /// Coins taken, those that are lent among them.
    #[must_use]
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// The period.
    #[must_use]
    pub const fn span(&self) -> Span {
        self.span
    }

    /// The millisecond in which all coins are there again.
    #[must_use]
    pub const fn reset(&self) -> u64 {
        self.span.end.saturating_mul(1000)
    }

    /// What will have been taken in the whole period if it goes on as since its beginning: used ÷
    /// elapsed × length, rounded up. `None` in the first hundredth of it, which says nothing yet.
    #[must_use]
    pub fn forecast(&self, now: Now) -> Option<u64> {
        let Span { start, end } = self.span;
        let length = u128::from(end.saturating_sub(start)).saturating_mul(1000);
        let elapsed =
            u128::from(now.millis()).saturating_sub(u128::from(start).saturating_mul(1000));
        if elapsed.saturating_mul(100) < length {
            return None;
        }
        let coins = u128::from(self.used).saturating_mul(length);
        Some(u64::try_from(coins.div_ceil(elapsed.clamp(1, length.max(1)))).unwrap_or(u64::MAX))
    }

    /// Reads what [`Spending::write`] wrote.
    ///
    /// # Errors
    /// [`BadField`].
    pub fn read(fields: Fields<'_>) -> Result<Self, BadField> {
        let span = fields.get("period").map_or(Ok(Span::default()), Span::parse)?;
        Ok(Self { span, used: fields.number("coins_used")? })
    }

    /// Adds it to a row, if anything was ever taken.
    #[must_use]
    pub fn write(&self, line: Line) -> Line {
        let span = Some(self.span).filter(|span| *span != Span::default());
        line.all("period", span.iter().map(Span::print)).number("coins_used", self.used)
    }
}

impl Span {
    /// Reads what [`Span::print`] wrote.
    ///
    /// # Errors
    /// [`BadField`].
    pub fn parse(text: &str) -> Result<Self, BadField> {
        let (start, end) = pair(text)?;
        Ok(Self { start: number(start)?, end: number(end)? })
    }

    /// One value of a field.
    #[must_use]
    pub fn print(&self) -> String {
        format!("{}:{}", self.start, self.end)
    }
}
