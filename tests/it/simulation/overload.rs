//! Steady overload and nothing wrong: how much of a limit can be used.

use super::deployment::{LEASE, Path, Rules};
use super::plan::{Faults, Operation, Plan, START};
use super::random::Random;
use super::world::World;

#[test]
fn of_a_limit_nearly_all_is_used() {
    for (strict, least) in [(false, 0.95), (true, 0.98)] {
        let used: Vec<f64> = (0..SEEDS).map(|seed| used(strict, seed)).collect();
        let mean = used.iter().sum::<f64>() / (used.len() as f64);
        println!("strict: {strict}, of the limit used: {mean:.4}, {used:.3?}");
        assert!(
            used.iter().all(|used| *used >= least && *used <= 1.0),
            "strict: {strict}: {used:?}"
        );
    }
}

/// Calls lend ever less of what is left, so the last of a crowd see more of them than one timeout holds.
#[test]
fn a_crowd_gets_a_whole_limit_from_a_slow_workspace() {
    for delay in [20, 100, 180] {
        let random = Random::new(delay);
        let rules = Rules { workspace_timeout: 1500, ..LEASE };
        let plan = Plan {
            rules,
            limits: vec![Some((CROWD, 3600, CROWD))],
            clocks: vec![Default::default()],
            faults: Faults { delay: (delay, delay), ..Faults::default() },
            arrivals: (0..2 * CROWD).map(|_| (START + 5000, 0, 0, Path::Plain)).collect(),
            operations: vec![(START, Operation::Create(0))],
            crashes: Vec::new(),
            steps: Vec::new(),
            calm: START + 7_200_000,
        };
        let mut world = World::new(plan, random);
        world.run();
        world.check();
        let of_the_crowd = world.ledger.admissions.iter().filter(|one| one.arrived == START + 5000);
        assert_eq!(of_the_crowd.count(), CROWD as usize, "calls of {delay} ms");
        assert_eq!(world.ledger.faults, 0, "calls of {delay} ms");
    }
}

/// The share of what whole windows allow.
fn used(strict: bool, seed: u64) -> f64 {
    let mut random = Random::new(seed);
    let rules = Rules { strict, workspace_timeout: 600, ..LEASE };
    let mut plan = Plan {
        rules,
        limits: vec![Some((REQUESTS, SECONDS, REQUESTS / 4))],
        clocks: vec![Default::default(); 2 + random.below(7)],
        faults: Faults { delay: (1, 20), ..Faults::default() },
        arrivals: Vec::new(),
        operations: vec![(START, Operation::Create(0))],
        crashes: Vec::new(),
        steps: Vec::new(),
        calm: START + SPAN,
    };
    let mut at = START + 100;
    while at < START + SPAN {
        plan.arrivals.push((at, random.below(plan.clocks.len()), 0, Path::Plain));
        at += random.between(0, 16);
    }
    let mut world = World::new(plan, random);
    world.run();
    world.check();
    let first = world.ledger.admissions[0].at;
    let windows = (START + SPAN - first) / (u64::from(SECONDS) * 1000);
    let end = first + windows * u64::from(SECONDS) * 1000;
    let admitted = world.ledger.admissions.iter().filter(|admission| admission.at < end).count();
    admitted as f64 / (windows * u64::from(REQUESTS)) as f64
}

const CROWD: u32 = 100;
const REQUESTS: u32 = 200;
const SECONDS: u32 = 5;
const SPAN: u64 = 21_000;
const SEEDS: u64 = 4;
