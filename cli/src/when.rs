//! Times as operators write them: `90d`, or RFC 3339.

use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use crate::output::Failure;

/// An instant, absolute or counted from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    At(u64),
    After(u64),
}

impl When {
    /// Reads `2027-01-31T12:00:00Z` or `90d`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
            let seconds = u64::try_from(time.unix_timestamp());
            return seconds.map(Self::At).map_err(|_| "the time is before 1970".to_owned());
        }
        span(text)
            .map(Self::After)
            .map_err(|reason| format!("{reason}, or a time as 2027-01-31T12:00:00Z"))
    }

    /// Seconds since 1970.
    pub(crate) fn seconds(self, now: u64) -> u64 {
        match self {
            Self::At(seconds) => seconds,
            Self::After(span) => now.saturating_add(span),
        }
    }
}

/// Reads a number and one of `s`, `m`, `h`, `d`, `w`; the answer is in seconds.
pub(crate) fn span(text: &str) -> Result<u64, String> {
    let expected = || "expected a span as 90d, 12h, 30m or 45s".to_owned();
    let (digits, unit) =
        text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(expected)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(expected()),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = if plain { digits.parse::<u32>().ok() } else { None };
    match number.map(|number| u64::from(number).saturating_mul(seconds)) {
        Some(1..=MAX_SPAN) => Ok(number.map_or(0, u64::from).saturating_mul(seconds)),
        Some(_) => Err("a span is at least 1 second and at most 100 years".to_owned()),
        None => Err(expected()),
    }
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`: a date of RFC 2822, but for the name of its zone.
pub(crate) fn http_date(text: &str) -> Option<u64> {
    let date = OffsetDateTime::parse(&text.replace("GMT", "+0000"), &Rfc2822).ok()?;
    u64::try_from(date.unix_timestamp()).ok()
}

/// RFC 3339 in UTC.
pub(crate) fn rfc3339(seconds: u64) -> Result<String, Failure> {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(&Rfc3339).ok())
        .ok_or_else(|| Failure::refused("a time after the year 9999"))
}

const MAX_SPAN: u64 = 100 * 366 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_instants() {
        for (text, expected) in [
            ("90d", When::After(7_776_000)),
            ("12h", When::After(43_200)),
            ("2w", When::After(1_209_600)),
            ("1970-01-01T00:01:00Z", When::At(60)),
            ("1970-01-01T01:00:00+01:00", When::At(0)),
        ] {
            assert_eq!(When::parse(text), Ok(expected), "{text}");
        }
        for text in ["", "d", "90", "0d", "+5d", "-5d", "9y", "4000000d", "2027-01-31", "é"] {
            assert!(When::parse(text).is_err(), "{text}");
        }
        assert!(When::parse("1969-12-31T23:59:59Z").unwrap_err().contains("1970"));
    }

    #[test]
    fn printed_times_are_read_back() {
        let text = rfc3339(1_800_000_000).unwrap();
        assert_eq!(When::parse(&text), Ok(When::At(1_800_000_000)));
        assert!(rfc3339(u64::MAX).is_err());
    }
}
