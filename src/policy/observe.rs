//! What is told of decisions to whoever runs the gate.

use serde::{Deserialize, Serialize};

/// What is told of decisions. Nothing, unless the policy says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Observe {
    /// Whether each is written to Analytics Engine.
    pub analytics: bool,
    /// Which share of the requests that are let through is written to the log.
    pub log_allowed: Share,
    /// The same of those that are refused.
    pub log_denied: Share,
    /// The same of those that we, or their origins, failed.
    pub log_faults: Share,
    /// Whether clients may ask how long a request took.
    pub server_timing: bool,
}

impl Observe {
    /// Whether nothing is told, as without a word in the policy.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether any decision is written anywhere.
    #[must_use]
    pub fn writes(&self) -> bool {
        let logs = [self.log_allowed, self.log_denied, self.log_faults];
        self.analytics || logs.iter().any(|share| share.0 > 0)
    }
}

/// A share of all requests, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u32", into = "u32")]
pub struct Share(u32);

impl Share {
    /// Whether a request is of this share, by 32 random bits of its own.
    #[must_use]
    pub fn takes(self, bits: u32) -> bool {
        u64::from(bits).saturating_mul(WHOLE.into()) >> 32 < u64::from(self.0)
    }
}

impl From<u32> for Share {
    /// So many millionths; more than there are is all.
    fn from(millionths: u32) -> Self {
        Self(millionths.min(WHOLE))
    }
}

impl From<Share> for u32 {
    fn from(share: Share) -> Self {
        share.0
    }
}

const WHOLE: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_takes_as_many_as_it_says() {
        let share = Share::from;
        for bits in [0, 1, 1 << 31, u32::MAX] {
            assert!(share(WHOLE).takes(bits) && !share(0).takes(bits), "{bits}");
        }
        // The first that half of all does not take.
        assert!(share(WHOLE / 2).takes((1 << 31) - 1) && !share(WHOLE / 2).takes(1 << 31));
        // 4294.97 of 2^32 are a millionth.
        assert!(share(1).takes(4294) && !share(1).takes(4295));
        assert_eq!(share(WHOLE + 1), share(WHOLE));
    }
}
