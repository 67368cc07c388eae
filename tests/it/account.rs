//! Accounts against a log of what was taken, from which everything is computed anew each time.

use portcullis::account::{Account, Taken};
use portcullis::clock::Now;
use portcullis::policy::Limits;
use proptest::prelude::*;

const START: u64 = 1_800_000_000_000;

/// Milliseconds and how many, in order.
#[derive(Default)]
struct Log(Vec<(u64, u32)>);

impl Log {
    fn window(&self, limits: &Limits) -> Option<(u64, u32)> {
        let mut open: Option<(u64, u32)> = None;
        for (at, count) in &self.0 {
            match &mut open {
                Some((start, used)) if *at < *start + millis(limits) => *used += count,
                _ => open = Some((*at, *count)),
            }
        }
        open
    }

    fn left(&self, limits: &Limits, now: u64) -> u32 {
        let used = match self.window(limits) {
            Some((start, used)) if now < start + millis(limits) => used,
            _ => 0,
        };
        let interval = interval(limits);
        let full = interval * u128::from(limits.burst);
        let (mut level, mut last) = (full, 0);
        for (at, count) in self.0.iter().copied().chain([(now, 0)]) {
            level = full.min(level + u128::from(at - last) * 1_000_000);
            level -= interval * u128::from(count);
            last = at;
        }
        (limits.requests - used).min(u32::try_from(level / interval).unwrap())
    }
}

fn millis(limits: &Limits) -> u64 {
    u64::from(limits.window_seconds) * 1000
}

fn interval(limits: &Limits) -> u128 {
    (u128::from(limits.window_seconds) * 1_000_000_000).div_ceil(limits.requests.into())
}

/// Milliseconds in which one token comes back.
fn per_token(limits: &Limits) -> f64 {
    interval(limits) as f64 / 1e6
}

fn rarely<T: core::fmt::Debug>(some: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.3, some)
}

fn some_limits() -> impl Strategy<Value = Limits> {
    (1..60_u32, 1..8_u32, 1..60_u32)
        .prop_map(|(requests, window, burst)| Limits::new(requests, window, burst.min(requests)))
        .prop_map(Result::unwrap)
}

/// How many somebody gets who takes all that there is, as soon as it is there, until then.
fn most_taken(limits: &Limits, end: u64) -> u64 {
    let (mut account, mut now, mut taken) = (Account::default(), START, 0);
    while now < end {
        let left = account.left(limits, Now::from_millis(now));
        assert!(left > 0, "nothing after {} ms", now - START);
        account.take(limits, left, Now::from_millis(now));
        taken += u64::from(left);
        now = account.next(limits, Now::from_millis(now));
    }
    taken
}

proptest! {
    /// Limits within others are an order, and give nobody more than those do.
    #[test]
    fn limits_within_others_allow_no_more(own in some_limits(), most in some_limits()) {
        prop_assert!(own.is_within(&own));
        if own.is_within(&most) {
            prop_assert!(!most.is_within(&own) || own == most);
            let end = START + millis(&most);
            prop_assert!(most_taken(&own, end) <= most_taken(&most, end));
        }
    }

    #[test]
    fn what_is_left_is_what_the_log_says(
        limits in some_limits(),
        takes in prop::collection::vec((0..3_000_u64, 0..40_u32), 1..40),
    ) {
        let (mut account, mut log, mut now) = (Account::default(), Log::default(), START);
        for (pause, want) in takes {
            now += pause;
            let left = account.left(&limits, Now::from_millis(now));
            prop_assert_eq!(left, log.left(&limits, now));
            let next = account.next(&limits, Now::from_millis(now));
            prop_assert!(log.left(&limits, next) > 0 && (next == now || log.left(&limits, next - 1) == 0));
            let count = want.min(left);
            if count > 0 {
                account.take(&limits, count, Now::from_millis(now));
                log.0.push((now, count));
            }
        }
    }

    /// What lacks in the bucket when limits change lacks afterwards too, in tokens; but no more than
    /// the new bucket holds.
    #[test]
    fn limits_may_change_at_any_time(
        first in some_limits(),
        steps in prop::collection::vec(
            (0..3_000_u64, 0..40_u32, prop::option::of(some_limits())), 1..40),
    ) {
        let (mut account, mut limits, mut now) = (Account::default(), first, START);
        let (mut lacks, mut window) = (0.0_f64, (START, 0));
        for (pause, want, other) in steps {
            now += pause;
            lacks = (lacks - pause as f64 / per_token(&limits)).max(0.0);
            limits = other.unwrap_or(limits);
            lacks = lacks.min(limits.burst.into());
            window.0 = window.0.min(now + millis(&limits));
            if window.0 <= now {
                window.1 = 0;
            }
            account.hold_to(&limits, Now::from_millis(now));
            let left = account.left(&limits, Now::from_millis(now));
            let whole = |slack: f64| (f64::from(limits.burst) - lacks + slack).floor() as u32;
            let in_window = limits.requests.saturating_sub(window.1);
            prop_assert!(left <= whole(1e-6).min(in_window), "{left} left, {lacks} lack, {window:?}");
            prop_assert!(left >= whole(-1e-3).min(in_window), "{left} left, {lacks} lack, {window:?}");
            let next = account.next(&limits, Now::from_millis(now));
            prop_assert!(account.left(&limits, Now::from_millis(next)) > 0);
            let count = want.min(left);
            if count > 0 {
                account.take(&limits, count, Now::from_millis(now));
                if window.0 <= now {
                    window.0 = now + millis(&limits);
                }
                window.1 += count;
                lacks += f64::from(count);
            }
        }
    }

    /// Whatever is put back however late, and whatever limits come meanwhile: of what was kept, no more than `burst + rate × w` was
    /// taken in any span, and no more than `requests` in a window.
    #[test]
    fn what_is_put_back_never_makes_more(
        first in some_limits(),
        takes in prop::collection::vec(
            ((0..1_500_u64, 1..40_u32, 0..=20_u32, 0..9_000_u64), rarely(some_limits())), 1..40),
    ) {
        let (mut account, mut limits) = (Account::default(), first);
        let mut open: Vec<(u64, Taken, u32)> = Vec::new();
        let (mut level, mut now, mut window) = (0.0_f64, START, (0, 0));
        for ((pause, want, keep, hold), other) in takes {
            now += pause;
            open.sort_by_key(|(until, ..)| *until);
            while let Some((until, taken, rest)) = open.first().copied().filter(|(at, ..)| *at <= now) {
                account.put_back(&taken, rest, Now::from_millis(until));
                open.remove(0);
            }
            level = (level - pause as f64 / per_token(&limits)).max(0.0);
            limits = other.unwrap_or(limits);
            level = level.min(limits.burst.into());
            window.0 = window.0.min(now + millis(&limits));
            account.hold_to(&limits, Now::from_millis(now));
            let count = want.min(account.left(&limits, Now::from_millis(now)));
            if count > 0 {
                let taken = account.take(&limits, count, Now::from_millis(now));
                let keep = keep.min(count);
                open.push((now + hold, taken, count - keep));
                if window.0 <= now {
                    window = (now + millis(&limits), 0);
                }
                window.1 += keep;
                prop_assert!(window.1 <= limits.requests, "{} in a window", window.1);
                level += f64::from(keep);
                prop_assert!(level <= f64::from(limits.burst) + 1e-6, "a burst at {}", now - START);
            }
        }
    }
}
