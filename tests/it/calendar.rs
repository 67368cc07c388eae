//! Periods of budgets, held against the calendar of the `time` crate.

use portcullis::policy::Period;
use proptest::prelude::*;
use time::{Date, Duration, OffsetDateTime, Time};

/// The period's first day and the next one's.
fn bounds(period: Period, date: Date) -> (Date, Date) {
    match period {
        Period::Day => (date, date.saturating_add(Duration::DAY)),
        Period::Week => {
            let since = i64::from(date.weekday().number_days_from_monday());
            let first = date.saturating_sub(Duration::days(since));
            (first, first.saturating_add(Duration::WEEK))
        }
        Period::Month => {
            let first = date.replace_day(1).unwrap();
            let days = i64::from(date.month().length(date.year()));
            (first, first.saturating_add(Duration::days(days)))
        }
    }
}

/// Of a day before 1970, 0.
fn seconds(date: Date) -> u64 {
    let midnight = OffsetDateTime::new_utc(date, Time::MIDNIGHT).unix_timestamp();
    u64::try_from(midnight).unwrap_or(0)
}

/// Up to the year 9000, as often as not next to a midnight.
fn second() -> impl Strategy<Value = u64> {
    let midnight = (0..2_567_655u64, 0..3u64)
        .prop_map(|(day, off)| (day * DAY_SECONDS + off).saturating_sub(1));
    prop_oneof![0..221_845_392_000u64, midnight]
}

const DAY_SECONDS: u64 = 86_400;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn periods_are_those_of_another_calendar(second in second()) {
        let time = OffsetDateTime::from_unix_timestamp(i64::try_from(second).unwrap()).unwrap();
        for period in [Period::Day, Period::Week, Period::Month] {
            let (first, next) = bounds(period, time.date());
            prop_assert_eq!(period.start(second), seconds(first), "{:?}", period);
            prop_assert_eq!(period.end(second), seconds(next), "{:?}", period);
        }
    }
}
