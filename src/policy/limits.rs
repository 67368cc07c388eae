//! Numbers with bounds: timeouts and rate limits.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Bounded<const MIN: u32, const MAX: u32>(u32);

/// A time in milliseconds, from `MIN` to `MAX`.
pub type Millis<const MIN: u32, const MAX: u32> = Bounded<MIN, MAX>;

impl<const MIN: u32, const MAX: u32> Bounded<MIN, MAX> {
    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The nearest such number.
    pub const fn clamped(value: u32) -> Self {
        Self(if value < MIN {
            MIN
        } else if value > MAX {
            MAX
        } else {
            value
        })
    }
}

/// How long an isolate may admit requests by a lease: 1 to 60 seconds, 2 unless the policy says
/// otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct LeaseSeconds(u32);

impl LeaseSeconds {
    /// The same in milliseconds.
    pub const fn millis(self) -> u64 {
        // At most 60 000.
        (self.0 as u64).saturating_mul(1000)
    }
}

impl Default for LeaseSeconds {
    fn default() -> Self {
        Self(2)
    }
}

impl TryFrom<u32> for LeaseSeconds {
    type Error = BadLimits;

    fn try_from(value: u32) -> Result<Self, BadLimits> {
        if (1..=60).contains(&value) { Ok(Self(value)) } else { Err(BadLimits::Lease) }
    }
}

impl From<LeaseSeconds> for u32 {
    fn from(value: LeaseSeconds) -> Self {
        value.0
    }
}

/// How many requests a key may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Limits {
    /// Requests in a window.
    pub requests: u32,
    /// The length of a window in seconds.
    pub window_seconds: u32,
    /// Requests at once.
    pub burst: u32,
}

impl Limits {
    /// The window where none is given, in seconds.
    pub const HOUR: u32 = 3600;

    /// Limits that a caller can reach.
    pub fn new(requests: u32, window_seconds: u32, burst: u32) -> Result<Self, BadLimits> {
        if requests == 0 || burst == 0 {
            return Err(BadLimits::Zero);
        }
        if !(1..=31 * 24 * 3600).contains(&window_seconds) {
            return Err(BadLimits::Window);
        }
        if burst > requests {
            return Err(BadLimits::Burst);
        }
        Ok(Self { requests, window_seconds, burst })
    }

    /// Whether these allow no more than `most`: neither at once nor in all the windows that begin
    /// within one of its windows.
    #[must_use]
    pub fn is_within(&self, most: &Self) -> bool {
        let windows = most.window_seconds.div_ceil(self.window_seconds.max(1));
        let requests = u64::from(windows).saturating_mul(self.requests.into());
        requests <= u64::from(most.requests) && self.burst <= most.burst
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    requests: u32,
    window_seconds: u32,
    burst: u32,
}

/// Why a number is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLimits {
    /// A number outside its bounds, which are these.
    Bounds(u32, u32),
    /// A lease outside 1 to 60 seconds.
    Lease,
    /// No requests, or no burst.
    Zero,
    /// A window outside 1 second to 31 days.
    Window,
    /// A burst that the window never allows.
    Burst,
}

impl fmt::Display for BadLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bounds(min, max) => write!(f, "a number from {min} to {max} is expected"),
            Self::Lease => f.write_str("lease_seconds is 1 to 60"),
            Self::Zero => f.write_str("requests and burst are at least 1"),
            Self::Window => f.write_str("window_seconds is 1 to 2678400 (31 days)"),
            Self::Burst => f.write_str("burst may not be above requests"),
        }
    }
}

impl core::error::Error for BadLimits {}

impl<const MIN: u32, const MAX: u32> TryFrom<u32> for Bounded<MIN, MAX> {
    type Error = BadLimits;

    fn try_from(value: u32) -> Result<Self, BadLimits> {
        if (MIN..=MAX).contains(&value) {
            Ok(Self(value))
        } else {
            Err(BadLimits::Bounds(MIN, MAX))
        }
    }
}

impl<const MIN: u32, const MAX: u32> From<Bounded<MIN, MAX>> for u32 {
    fn from(value: Bounded<MIN, MAX>) -> Self {
        value.0
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, window_seconds, burst } = self;
        write!(f, "{requests} in {window_seconds} s, {burst} at once")
    }
}

impl TryFrom<Fields> for Limits {
    type Error = BadLimits;

    fn try_from(fields: Fields) -> Result<Self, BadLimits> {
        Self::new(fields.requests, fields.window_seconds, fields.burst)
    }
}

impl From<Limits> for Fields {
    fn from(limits: Limits) -> Self {
        let Limits { requests, window_seconds, burst } = limits;
        Self { requests, window_seconds, burst }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_held_to_their_bounds() {
        for (requests, window, burst, reason) in [
            (0, 1, 1, BadLimits::Zero),
            (1, 1, 0, BadLimits::Zero),
            (1, 1, 2, BadLimits::Burst),
            (1, 0, 1, BadLimits::Window),
            (1, 2_678_401, 1, BadLimits::Window),
        ] {
            assert_eq!(Limits::new(requests, window, burst), Err(reason));
        }
        assert!(Limits::new(1, 2_678_400, 1).is_ok());
    }

    #[test]
    fn the_text_form_is_checked_too() {
        let read = |text: &str| serde_json::from_str::<Limits>(text);
        assert!(read(r#"{"requests":2,"window_seconds":1,"burst":2}"#).is_ok());
        assert!(read(r#"{"requests":2,"window_seconds":1,"burst":3}"#).is_err());
    }

    #[test]
    fn millis_are_held_to_their_bounds() {
        let read = |value| Millis::<10, 20>::try_from(value).map(Millis::get);
        assert_eq!(read(9), Err(BadLimits::Bounds(10, 20)));
        assert_eq!(read(10), Ok(10));
        assert_eq!(read(20), Ok(20));
        assert_eq!(read(21), Err(BadLimits::Bounds(10, 20)));
    }
}
