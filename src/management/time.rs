//! Times as the API writes them (RFC 3339), in UTC.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Seconds since 1970 as text.
#[must_use]
pub fn print(seconds: u64) -> String {
    print_millis(seconds.saturating_mul(1000))
}

/// Milliseconds since 1970 as text; after the year 9999 its last second.
#[must_use]
pub fn print_millis(millis: u64) -> String {
    let nanos = i128::from(millis.min(LAST_MILLIS)).saturating_mul(1_000_000);
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// Reads a time; a fraction of a second is dropped. `None` for what is none after 1970.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp()).ok()
}

const LAST_MILLIS: u64 = 253_402_300_799_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        assert_eq!(print(0), "1970-01-01T00:00:00Z");
        assert_eq!(print_millis(1_700_000_000_250), "2023-11-14T22:13:20.25Z");
        assert_eq!(print(u64::MAX), "9999-12-31T23:59:59Z");
        assert_eq!(parse("2023-11-14T23:13:20.9+01:00"), Some(1_700_000_000));
        for text in [
            "",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "1969-12-31T23:59:59Z",
            "2023-02-30T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
