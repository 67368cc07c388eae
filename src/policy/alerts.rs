//! When alerts are raised, and how often their delivery is tried.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::Bounded;

/// The rules of alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// How long after each failed attempt the next one is made.
    pub retry_seconds: RetrySeconds,
    /// At which per cents of a budget it is told of.
    pub budget_thresholds: Thresholds,
    /// How many denials of a key within an hour are an anomaly at least.
    pub denials_at_least: Bounded<1, 1_000_000>,
    /// How many times the key's mean of the 24 hours before they are at least; 0: whatever that is.
    pub denials_times: Bounded<0, 1000>,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            retry_seconds: RetrySeconds::default(),
            budget_thresholds: Thresholds(vec![80, 100]),
            denials_at_least: Bounded::clamped(100),
            denials_times: Bounded::clamped(5),
        }
    }
}

impl Alerts {
    /// Whether all is as it would be without a word in the policy.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Seconds after the first, second and further failed attempts; the last of them repeats. An alert that is older
/// than a day is tried once a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u32>", into = "Vec<u32>")]
pub struct RetrySeconds(Vec<u32>);

impl RetrySeconds {
    /// The pause after so many attempts, in milliseconds.
    #[must_use]
    pub fn after(&self, attempts: u32) -> u64 {
        let at = usize::try_from(attempts).unwrap_or(usize::MAX).saturating_sub(1);
        let seconds = self.0.get(at).or(self.0.last()).copied().unwrap_or(LONGEST);
        u64::from(seconds).saturating_mul(1000)
    }
}

impl Default for RetrySeconds {
    /// As Standard Webhooks recommends for the first day: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h.
    fn default() -> Self {
        Self(vec![5, 300, 1800, 7200, 18_000, 36_000, 50_400, LONGEST])
    }
}

impl TryFrom<Vec<u32>> for RetrySeconds {
    type Error = BadAlerts;

    fn try_from(seconds: Vec<u32>) -> Result<Self, BadAlerts> {
        let fits = (1..=MOST_RETRIES).contains(&seconds.len());
        if fits && seconds.iter().all(|own| (1..=LONGEST).contains(own)) {
            Ok(Self(seconds))
        } else {
            Err(BadAlerts::Retries)
        }
    }
}

impl From<RetrySeconds> for Vec<u32> {
    fn from(retries: RetrySeconds) -> Self {
        retries.0
    }
}

/// Per cents, in rising order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u32>", into = "Vec<u32>")]
pub struct Thresholds(Vec<u8>);

impl Thresholds {
    /// The per cents.
    pub fn iter(&self) -> impl Iterator<Item = u8> {
        self.0.iter().copied()
    }
}

impl TryFrom<Vec<u32>> for Thresholds {
    type Error = BadAlerts;

    fn try_from(list: Vec<u32>) -> Result<Self, BadAlerts> {
        let percent = |own: u32| u8::try_from(own).ok().filter(|own| (1..=100).contains(own));
        let list: Option<Vec<u8>> = list.into_iter().map(percent).collect();
        let rises =
            |list: &Vec<u8>| list.len() <= MOST_THRESHOLDS && list.is_sorted_by(|a, b| a < b);
        list.filter(rises).map(Self).ok_or(BadAlerts::Thresholds)
    }
}

impl From<Thresholds> for Vec<u32> {
    fn from(list: Thresholds) -> Self {
        list.0.into_iter().map(u32::from).collect()
    }
}

/// Why rules of alerts are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadAlerts {
    /// Pauses that are none.
    Retries,
    /// No per cents in rising order.
    Thresholds,
}

impl fmt::Display for BadAlerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Retries => "1 to 20 numbers of seconds from 1 to 86400 are expected",
            Self::Thresholds => "at most 10 per cents from 1 to 100 are expected, in rising order",
        })
    }
}

impl core::error::Error for BadAlerts {}

const LONGEST: u32 = 86_400;
const MOST_RETRIES: usize = 20;
/// Per cents that are told of, at most.
pub const MOST_THRESHOLDS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pause_repeats() {
        let retries = RetrySeconds::try_from(vec![1, 60]).unwrap();
        assert_eq!(
            [1, 2, 3, 9].map(|attempts| retries.after(attempts)),
            [1000, 60_000, 60_000, 60_000]
        );
        assert_eq!(
            [1, 8, 9].map(|n| RetrySeconds::default().after(n)),
            [5000, 86_400_000, 86_400_000]
        );
        for list in [vec![], vec![0], vec![86_401], vec![1; 21]] {
            assert_eq!(RetrySeconds::try_from(list), Err(BadAlerts::Retries));
        }
    }

    #[test]
    fn per_cents_rise() {
        for list in [vec![0], vec![101], vec![80, 80], vec![80, 50], (1..=11).collect()] {
            assert_eq!(Thresholds::try_from(list), Err(BadAlerts::Thresholds));
        }
        assert_eq!(Thresholds::try_from(vec![]), Ok(Thresholds::default()));
        assert_eq!(
            Thresholds::try_from(vec![50, 100]).unwrap().iter().collect::<Vec<_>>(),
            [50, 100]
        );
    }
}
