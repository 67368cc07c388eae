//! When a signature was made, and whether that is near enough.

/// Seconds that a signature may be old.
pub const OLDEST_SECONDS: u64 = 300;
/// Seconds by which the signer's clock may be ahead of ours.
pub const AHEAD_SECONDS: u64 = 60;
/// How much longer than it could be accepted a signature is remembered, in seconds: clocks of
/// isolates differ.
pub const MARGIN_SECONDS: u64 = 60;

/// Whether a signature of that second is accepted now.
#[must_use]
pub const fn is_open(made: u64, now: u64) -> bool {
    made <= now.saturating_add(AHEAD_SECONDS) && now <= made.saturating_add(OLDEST_SECONDS)
}

/// Until which second a signature of that second has to be remembered.
#[must_use]
pub const fn remembered_until(made: u64) -> u64 {
    made.saturating_add(OLDEST_SECONDS).saturating_add(MARGIN_SECONDS)
}

/// Reads `^[1-9][0-9]{9}$`: a second of the years 2001 to 2286.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let is_one = text.len() == 10
        && !text.starts_with('0')
        && text.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_included() {
        let now = 1_700_000_000;
        for (made, open) in [
            (now - 301, false),
            (now - 300, true),
            (now, true),
            (now + 60, true),
            (now + 61, false),
            (0, false),
            (u64::MAX, false),
        ] {
            assert_eq!(is_open(made, now), open, "{made}");
        }
        assert_eq!(remembered_until(now), now + 360);
    }

    #[test]
    fn one_spelling() {
        assert_eq!(parse("1700000000"), Some(1_700_000_000));
        for text in [
            "",
            "0700000000",
            "170000000",
            "17000000000",
            "+700000000",
            "1700000000 ",
            "17000000.0",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
