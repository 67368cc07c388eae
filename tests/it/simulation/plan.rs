//! A schedule: what is to happen, drawn from its seed before it begins.

use super::deployment::{Path, Rules};
use super::isolate::Clock;
use super::random::Random;

/// The true time at which schedules begin: a little before a minute, an hour, a day and a week begin.
pub const START: u64 = 1_800_230_400_000 - 4_000;

/// What goes wrong, and how often in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub delay: (u64, u64),
    pub lost: u64,
    pub doubled: u64,
    /// Delayed beyond every deadline.
    pub late: u64,
    pub kv_fails: u64,
    pub kv_age: u64,
    pub kv_ttl: u64,
    pub object_dies: u64,
}

/// What somebody does to keys.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    Create(usize),
    Revoke(usize),
    Disable(usize),
    Enable(usize),
    Change(usize),
    RevokeAll,
}

#[derive(Debug)]
pub struct Plan {
    pub rules: Rules,
    /// Of each key: requests, seconds, burst.
    pub limits: Vec<Option<(u32, u32, u32)>>,
    pub clocks: Vec<Clock>,
    pub faults: Faults,
    /// Time, isolate, key and route.
    pub arrivals: Vec<(u64, usize, usize, Path)>,
    pub operations: Vec<(u64, Operation)>,
    pub crashes: Vec<(u64, usize)>,
    /// Time, isolate, milliseconds back.
    pub steps: Vec<(u64, usize, u64)>,
    /// From when on nothing goes wrong any more.
    pub calm: u64,
}

impl Plan {
    /// Anything that may happen.
    pub fn of(random: &mut Random) -> Self {
        let rules = Rules {
            strict: random.chance(300),
            lease_seconds: random.pick(&[1, 2, 2]),
            shared: random.pick(&[None, None, Some((30, 4, 15)), Some((60, 2, 60))]),
            workspace_timeout: random.pick(&[250, 600]),
            budget: random.pick(&[None, None, None, Some(12), Some(60), Some(400)]),
            product: random.pick(&[
                None,
                None,
                None,
                Some(((10, 3, 6), 900)),
                Some(((90, 9, 60), 30)),
            ]),
        };
        let keys = random.pick(&[1, 1, 2, 3]);
        let isolates = random.pick(&[1, 2, 2, 3, 4]);
        let offers = [
            (4, 2, 4),
            (10, 5, 10),
            (24, 3, 12),
            (60, 3, 30),
            (100, 5, 100),
            (60, 5, 20),
            (90, 9, 60),
        ];
        let limits = (0..keys)
            .map(|_| (rules.shared.is_none() || random.chance(700)).then(|| random.pick(&offers)));
        let limits = limits.collect();
        let rough = random.pick(&[0, 0, 1, 1, 3]);
        let faults = Faults {
            delay: random.pick(&[(0, 2), (1, 15), (5, 60), (10, 200)]),
            lost: random.between(0, 60) * rough,
            doubled: random.between(0, 60) * rough,
            late: random.between(0, 30) * rough,
            kv_fails: random.between(0, 100) * rough,
            kv_age: random.pick(&[0, 500, 4_000, 60_000]),
            kv_ttl: random.pick(&[0, 1_000, 30_000]),
            object_dies: random.between(0, 20) * rough,
        };
        let wrong = |random: &mut Random| Clock {
            offset: i64::try_from(random.between(0, 4_000)).unwrap() - 2_000,
            drift: i64::try_from(random.between(0, 2 * MOST_DRIFT)).unwrap()
                - i64::try_from(MOST_DRIFT).unwrap(),
        };
        let skewed = random.chance(600);
        let clocks =
            (0..isolates).map(|_| if skewed { wrong(random) } else { Clock::default() }).collect();
        let mut plan = Self {
            rules,
            limits,
            clocks,
            faults,
            arrivals: Vec::new(),
            operations: Vec::new(),
            crashes: Vec::new(),
            steps: Vec::new(),
            calm: START,
        };
        plan.load(random);
        plan.disturb(random, rough > 0);
        plan
    }

    /// Requests: idle for a while, a trickle, a stream, a burst, in turn.
    fn load(&mut self, random: &mut Random) {
        let mut at = START;
        let mixed = random.chance(250);
        let paid = self.rules.product.is_some() || random.chance(250);
        for _ in 0..random.between(2, 6) {
            let long = random.pick(&[200, 600, 1_500, 3_000]);
            let gap = random.pick(&[2, 10, 30, 150, 700]);
            let end = at + long;
            let only = random.chance(400).then(|| random.below(self.clocks.len()));
            let mut budget = 60;
            while at < end && budget > 0 {
                let isolate = only.unwrap_or_else(|| random.below(self.clocks.len()));
                let key = random.below(self.limits.len());
                let path = match (mixed && random.chance(200), paid && random.chance(400)) {
                    (true, true) => Path::Told,
                    (true, false) => Path::Exact,
                    (false, true) => Path::Paid,
                    (false, false) => Path::Plain,
                };
                self.arrivals.push((at, isolate, key, path));
                at += random.between(0, 2 * gap);
                budget -= 1;
            }
            at = end;
            if random.chance(400) {
                at += random.pick(&[100, 1_000, 2_500, 5_000]);
            }
            if random.chance(30) {
                at += random.pick(&[23_000, 31_000, 64_000]);
            }
        }
        self.calm = at;
    }

    fn disturb(&mut self, random: &mut Random, rough: bool) {
        for key in 0..self.limits.len() {
            let at = if random.chance(150) { self.instant(random) } else { START };
            self.operations.push((at, Operation::Create(key)));
        }
        for _ in 0..random.pick(&[0, 1, 1, 2, 4]) {
            let key = random.below(self.limits.len());
            let operation = match random.below(10) {
                0 => Operation::Revoke(key),
                1..=3 => Operation::Disable(key),
                4..=7 => Operation::Enable(key),
                8 => Operation::Change(key),
                _ => Operation::RevokeAll,
            };
            // What is for good comes late.
            let at = match operation {
                Operation::Revoke(_) | Operation::RevokeAll => {
                    random.between(START.midpoint(self.calm), self.calm)
                }
                Operation::Create(_)
                | Operation::Disable(_)
                | Operation::Enable(_)
                | Operation::Change(_) => self.instant(random),
            };
            self.operations.push((at, operation));
        }
        for _ in 0..if rough { random.pick(&[0, 0, 1, 2]) } else { 0 } {
            let isolate = random.below(self.clocks.len());
            self.crashes.push((self.instant(random), isolate));
        }
        if random.chance(200) {
            let (at, isolate) = (self.instant(random), random.below(self.clocks.len()));
            self.steps.push((at, isolate, random.pick(&[20, 300, 1_500, 5_000])));
        }
    }

    fn instant(&self, random: &mut Random) -> u64 {
        random.between(START, self.calm)
    }
}

/// In millionths. What the margin of a lease covers: `50 / 2000` is 25 000.
const MOST_DRIFT: u64 = 20_000;
