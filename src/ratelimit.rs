//! Telling clients what is left: the customary `X-RateLimit-*` and the fields of
//! draft-ietf-httpapi-ratelimit-headers-11.

use crate::account::View;
use crate::clock::Now;
use crate::encoding;
use crate::policy::Limits;

/// The values of the fields, a line each, in the order of [`NAMES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit(String);

/// The names of the fields.
pub const NAMES: [&str; 5] = [
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "ratelimit-policy",
    "ratelimit",
];

impl RateLimit {
    /// What `view` says at `now`.
    #[must_use]
    pub fn new(view: &View, now: Now) -> Self {
        let mut lines = String::with_capacity(LINES_BYTES);
        write(&mut lines, view, now);
        Self(lines)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        NAMES.into_iter().zip(self.0.split('\n'))
    }
}

/// Appends the values, with line feeds between.
pub(crate) fn write(out: &mut String, view: &View, now: Now) {
    let View { limits, remaining, window_end, burst_remaining } = *view;
    let Limits { requests, window_seconds, burst } = limits;
    let window = name(window_seconds);
    let rest = window_end.saturating_sub(now.millis()).div_ceil(1000);
    let full = refill_of(&limits, burst.saturating_sub(burst_remaining));
    put(out, "", requests.into());
    put(out, "\n", remaining.into());
    put(out, "\n", window_end.div_ceil(1000));
    for text in ["\n\"", window, "\""] {
        out.push_str(text);
    }
    put(out, ";q=", requests.into());
    put(out, ";w=", window_seconds.into());
    put(out, ", \"burst\";q=", burst.into());
    put(out, ";w=", refill(&limits, burst));
    for text in ["\n\"", window, "\""] {
        out.push_str(text);
    }
    put(out, ";r=", remaining.into());
    put(out, ";t=", rest);
    put(out, ", \"burst\";r=", burst_remaining.into());
    put(out, ";t=", full);
}

fn put(out: &mut String, text: &str, number: u64) {
    out.push_str(text);
    encoding::append_decimal(number, out);
}

/// Seconds in which a whole burst comes back; at least 1, as a window has a length.
fn refill(limits: &Limits, burst: u32) -> u64 {
    refill_of(limits, burst).max(1)
}

fn refill_of(limits: &Limits, tokens: u32) -> u64 {
    let tokens = u64::from(tokens).saturating_mul(limits.window_seconds.into());
    tokens.div_ceil(u64::from(limits.requests).max(1))
}

const fn name(window_seconds: u32) -> &'static str {
    match window_seconds {
        1 => "second",
        60 => "minute",
        3_600 => "hour",
        86_400 => "day",
        604_800 => "week",
        _ => "window",
    }
}

const LINES_BYTES: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_and_a_burst() {
        let limits = Limits { requests: 1000, window_seconds: 3600, burst: 100 };
        let view = View { limits, remaining: 999, window_end: 3_599_001, burst_remaining: 99 };
        let fields = RateLimit::new(&view, Now::from_millis(0));
        let lines: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            lines,
            [
                "x-ratelimit-limit: 1000",
                "x-ratelimit-remaining: 999",
                "x-ratelimit-reset: 3600",
                "ratelimit-policy: \"hour\";q=1000;w=3600, \"burst\";q=100;w=360",
                "ratelimit: \"hour\";r=999;t=3600, \"burst\";r=99;t=4",
            ]
        );
    }
}
