//! Rates: the generic cell rate algorithm (ITU-T I.371) in integers.
//!
//! In mode `edge` each isolate meters by itself, so this bounds bursts, not
//! totals.

use crate::clock::Now;
use crate::policy::Limits;

/// Proof that a request has been counted. Made by a meter, needed by a grant.
#[derive(Debug)]
pub struct Metered(());

impl Metered {
    /// For what no limit applies to.
    pub(crate) const fn unlimited() -> Self {
        Self(())
    }

    /// For what the Workspace has debited.
    pub(crate) const fn debited() -> Self {
        Self(())
    }

    /// Counts one request of a key with these limits, if it has any. Limits without a meter refuse.
    ///
    /// # Errors
    /// As [`Meter::spend`].
    pub(crate) fn count(
        limits: Option<&Limits>,
        meter: Option<&mut Meter>,
        now: Now,
    ) -> Result<Self, u64> {
        match (limits, meter) {
            (None, _) => Ok(Self::unlimited()),
            (Some(limits), Some(meter)) => meter.spend(limits, now),
            (Some(_), None) => Err(1),
        }
    }
}

/// When the next request of one key conforms, in microseconds since 1970: the
/// theoretical arrival time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter(u64);

impl Meter {
    /// Counts one request.
    ///
    /// # Errors
    /// The whole seconds to wait, at least 1, when it does not conform. Nothing
    /// is counted then.
    pub fn spend(&mut self, limits: &Limits, now: Now) -> Result<Metered, u64> {
        let now = now.millis().saturating_mul(1000);
        let window = u64::from(limits.window_seconds).saturating_mul(1_000_000);
        let interval = window.div_ceil(u64::from(limits.requests).max(1));
        let arrival = self.0.max(now).saturating_add(interval);
        let tolerance = interval.saturating_mul(u64::from(limits.burst));
        let early = arrival.saturating_sub(now).saturating_sub(tolerance);
        if early > 0 {
            return Err(early.div_ceil(1_000_000));
        }
        self.0 = arrival;
        Ok(Metered(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_then_refill_and_denials_cost_nothing() {
        let limits = Limits { requests: 3600, window_seconds: 3600, burst: 3 };
        let mut meter = Meter::default();
        let at = |millis: u64| Now::from_millis(1_000_000 + millis);
        for _ in 0..3 {
            assert!(meter.spend(&limits, at(0)).is_ok());
        }
        for _ in 0..5 {
            assert_eq!(meter.spend(&limits, at(1)).err(), Some(1));
        }
        assert!(meter.spend(&limits, at(1000)).is_ok());
        assert!(meter.spend(&limits, at(1000)).is_err());
    }

    #[test]
    fn limits_without_a_meter_refuse() {
        let limits = Limits { requests: 3600, window_seconds: 3600, burst: 3600 };
        let (mut meter, now) = (Meter::default(), Now::from_millis(0));
        assert_eq!(Metered::count(Some(&limits), None, now).err(), Some(1));
        assert!(Metered::count(Some(&limits), Some(&mut meter), now).is_ok());
        assert_ne!(meter, Meter::default());
        assert!(Metered::count(None, None, now).is_ok());
    }

    #[test]
    fn extremes_do_not_wrap() {
        let limits = Limits { requests: 0, window_seconds: u32::MAX, burst: u32::MAX };
        assert!(Meter(u64::MAX).spend(&limits, Now::from_millis(u64::MAX)).is_ok());
        let limits = Limits { requests: 1, window_seconds: 3600, burst: 1 };
        assert!(Meter(u64::MAX).spend(&limits, Now::from_millis(0)).is_err());
    }
}
