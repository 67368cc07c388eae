//! When a request is sent again: as the answer's `Retry-After` says, else after growing pauses.

use std::time::Duration;

use crate::machine;
use crate::output::{Failure, note};

/// How often.
#[derive(Clone, Copy)]
pub(crate) struct Retry {
    /// Attempts besides the first.
    pub(crate) attempts: u32,
}

impl Retry {
    /// Waits before another attempt; `false` if there is to be none.
    pub(crate) fn wait(self, attempt: u32, after: Option<u64>, why: &str) -> Result<bool, Failure> {
        let pause = pause(attempt, after, machine::entropy::<1>()?);
        if attempt >= self.attempts || pause > LONGEST {
            return Ok(false);
        }
        note(&format!("{why}; again in {:.1} s", pause.as_secs_f32()));
        std::thread::sleep(pause);
        Ok(true)
    }
}

/// As long as is asked for and at most a quarter of a second longer, so that clients who were told
/// the same do not come together; else ½ s, 1 s, 2 s …
fn pause(attempt: u32, after: Option<u64>, [chance]: [u8; 1]) -> Duration {
    let growing = || HALF.saturating_mul(2_u32.saturating_pow(attempt.min(16)));
    let asked = after.map_or_else(growing, Duration::from_secs);
    asked.saturating_add(Duration::from_millis(u64::from(chance)))
}

const HALF: Duration = Duration::from_millis(500);
/// Longer nobody waits at a command; the error says how long it would have been.
const LONGEST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_never_shorter_than_asked_for() {
        let pause = |attempt, after, chance| pause(attempt, after, [chance]).as_millis();
        assert_eq!((pause(0, Some(3), 0), pause(7, Some(3), 255)), (3000, 3255));
        assert_eq!((pause(0, None, 0), pause(1, None, 0), pause(2, None, 9)), (500, 1000, 2009));
        assert!(pause(u32::MAX, None, 0) > LONGEST.as_millis());
        assert!(pause(0, Some(u64::MAX), 255) > LONGEST.as_millis());
    }
}
