//! Budgets: coins in a period of the calendar, in UTC.

use core::fmt;

use serde::{Deserialize, Serialize};

/// How many coins may be spent in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Coins of a whole period.
    pub coins: Coins,
    /// The period, after which all of them are there again.
    pub period: Period,
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} coins a {}", self.coins.get(), self.period.as_str())
    }
}

/// The coins of a budget: 1 to [`Coins::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Coins(u64);

impl Coins {
    /// A million million: sums of such budgets fit a JSON number.
    pub const MAX: u64 = 1_000_000_000_000;

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Coins {
    type Error = BadCoins;

    fn try_from(value: u64) -> Result<Self, BadCoins> {
        if (1..=Self::MAX).contains(&value) { Ok(Self(value)) } else { Err(BadCoins) }
    }
}

impl From<Coins> for u64 {
    fn from(coins: Coins) -> Self {
        coins.0
    }
}

/// A number is not the coins of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCoins;

impl fmt::Display for BadCoins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a budget has 1 to 1000000000000 coins")
    }
}

impl core::error::Error for BadCoins {}

/// A period of the Gregorian calendar in UTC. Its first second belongs to it, that of the next does
/// not; seconds are counted since 1970, without leap seconds (POSIX).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From Monday, midnight, to Monday.
    Week,
    /// From midnight of the first of a month to that of the next.
    Month,
}

impl Period {
    /// The word in a policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first second of the period that holds `second`; of one that began before 1970, 0.
    #[must_use]
    pub const fn start(self, second: u64) -> u64 {
        self.first_day(day_of(second)).saturating_mul(DAY)
    }

    /// The first second after the period that holds `second`: when the coins are there again.
    #[must_use]
    pub const fn end(self, second: u64) -> u64 {
        self.last_day(day_of(second)).saturating_add(1).saturating_mul(DAY)
    }

    const fn first_day(self, day: u64) -> u64 {
        match self {
            Self::Day => day,
            Self::Week => day.saturating_sub(weekday(day)),
            Self::Month => {
                let Date { day_of_month, .. } = Date::of(day);
                day.saturating_sub(day_of_month)
            }
        }
    }

    const fn last_day(self, day: u64) -> u64 {
        match self {
            Self::Day => day,
            Self::Week => day.saturating_add(SUNDAY.saturating_sub(weekday(day))),
            Self::Month => {
                let date = Date::of(day);
                let rest = date.days_in_month().saturating_sub(date.day_of_month);
                day.saturating_add(rest).saturating_sub(1)
            }
        }
    }
}

const fn day_of(second: u64) -> u64 {
    second.wrapping_div(DAY)
}

/// Days since Monday.
const fn weekday(day: u64) -> u64 {
    // The first day of 1970 was a Thursday.
    day.saturating_add(THURSDAY).wrapping_rem(7)
}

/// A day of the calendar. Years are counted in eras of 400, all of which are of one length, and begin
/// with March, so that a leap day is the last of its year.
struct Date {
    /// 0 to 399.
    year_of_era: u64,
    /// Since March, 0 to 11.
    month: u64,
    /// 0 for the first.
    day_of_month: u64,
}

impl Date {
    /// The date of a day since 1970.
    const fn of(day: u64) -> Self {
        let day_of_era = day.saturating_add(MARCH_0000_TO_1970).wrapping_rem(DAYS_OF_ERA);
        // A year's length less its leap days: every fourth year has one, but no hundredth, but the last.
        let leap_days =
            day_of_era.wrapping_div(1460).saturating_add(day_of_era.wrapping_div(146_096));
        let century_days = day_of_era.wrapping_div(36_524);
        let even = day_of_era.saturating_add(century_days).saturating_sub(leap_days);
        let year_of_era = even.wrapping_div(365);
        let day_of_year = day_of_era.saturating_sub(days_before_year(year_of_era));
        // Five months from March on have 153 days, in this order of lengths: 31, 30, 31, 30, 31.
        let month = day_of_year.saturating_mul(5).saturating_add(2).wrapping_div(153);
        Self {
            year_of_era,
            month,
            day_of_month: day_of_year.saturating_sub(days_before_month(month)),
        }
    }

    const fn days_in_month(&self) -> u64 {
        if self.month < FEBRUARY {
            return days_before_month(self.month.saturating_add(1))
                .saturating_sub(days_before_month(self.month));
        }
        let next = self.year_of_era.saturating_add(1);
        let year = days_before_year(next).saturating_sub(days_before_year(self.year_of_era));
        year.saturating_sub(days_before_month(FEBRUARY))
    }
}

/// Days of an era before its year, which may be the next era's first.
const fn days_before_year(year: u64) -> u64 {
    let days = year.saturating_mul(365).saturating_add(year.wrapping_div(4));
    days.saturating_sub(year.wrapping_div(100)).saturating_add(year.wrapping_div(400))
}

/// Days of a year before its month since March.
const fn days_before_month(month: u64) -> u64 {
    month.saturating_mul(153).saturating_add(2).wrapping_div(5)
}

const DAY: u64 = 86_400;
const THURSDAY: u64 = 3;
const SUNDAY: u64 = 6;
const FEBRUARY: u64 = 11;
const DAYS_OF_ERA: u64 = 146_097;
const MARCH_0000_TO_1970: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-30T00:00:00Z, a Monday.
    const MONDAY: u64 = 1_795_996_800;

    #[test]
    fn periods_begin_at_midnight_monday_and_the_first() {
        for (period, second, start, end) in [
            (Period::Day, MONDAY, MONDAY, MONDAY + DAY),
            (Period::Day, MONDAY - 1, MONDAY - DAY, MONDAY),
            (Period::Week, MONDAY, MONDAY, MONDAY + 7 * DAY),
            (Period::Week, MONDAY - 1, MONDAY - 7 * DAY, MONDAY),
            (Period::Month, MONDAY, MONDAY - 29 * DAY, MONDAY + DAY),
            (Period::Month, MONDAY + DAY, MONDAY + DAY, MONDAY + 32 * DAY),
            // 29 February of 2024 and of 2000; none in 2100.
            (Period::Month, 1_709_210_096, 1_706_745_600, 1_709_251_200),
            (Period::Month, 951_782_400, 949_363_200, 951_868_800),
            (Period::Month, 4_107_456_000, 4_105_123_200, 4_107_542_400),
            (Period::Week, 0, 0, 4 * DAY),
            (Period::Month, 0, 0, 31 * DAY),
        ] {
            assert_eq!(
                (period.start(second), period.end(second)),
                (start, end),
                "{period:?} {second}"
            );
        }
    }

    #[test]
    fn the_end_of_time_is_no_error() {
        for period in [Period::Day, Period::Week, Period::Month] {
            assert!(u64::MAX - period.start(u64::MAX) < 32 * DAY, "{period:?}");
            assert_eq!(period.end(u64::MAX), u64::MAX, "{period:?}");
        }
    }

    #[test]
    fn coins_are_held_to_their_bounds() {
        let read =
            |text: &str| serde_json::from_str::<Budget>(text).map(|own| own.coins.get()).ok();
        assert_eq!(read(r#"{"coins":1,"period":"week"}"#), Some(1));
        assert_eq!(read(r#"{"coins":1000000000000,"period":"day"}"#), Some(Coins::MAX));
        for text in [
            r#"{"coins":0,"period":"week"}"#,
            r#"{"coins":1000000000001,"period":"week"}"#,
            r#"{"coins":1,"period":"year"}"#,
            r#"{"coins":1}"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
