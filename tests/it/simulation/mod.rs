//! Schedules of whole deployments: isolates that run the real decision, one real Workspace, KV and
//! a network that behave badly, clocks that are wrong. A seed decides everything.
//!
//! `SIM_SEED=…` replays one schedule and tells what happened; `SIM_SCHEDULES=…` says how many to
//! play, `SIM_FROM=…` from which seed on.

mod calls;
mod check;
mod clock;
pub mod deployment;
mod isolate;
mod kv;
mod ledger;
mod lookup;
mod management;
mod model;
pub mod object;
mod overload;
mod plan;
pub mod random;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use deployment::Path;
use plan::Plan;
use random::Random;
use world::World;

#[test]
fn schedules() {
    if let Some(seed) = number("SIM_SEED") {
        replay(seed);
        return;
    }
    let (first, count) = (number("SIM_FROM").unwrap_or(0), number("SIM_SCHEDULES"));
    let count = count.unwrap_or(CI_SCHEDULES);
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let parts: Vec<_> = (0..workers)
        .map(|part| std::thread::spawn(move || play(first, count, part, workers)))
        .collect();
    let mut told: BTreeMap<&str, u64> = BTreeMap::new();
    for part in parts {
        match part.join().unwrap() {
            Ok(part) => part.into_iter().for_each(|(what, n)| *told.entry(what).or_default() += n),
            Err(seed) => replay(seed),
        }
    }
    println!("{count} schedules: {told:?}");
    // What never happens is not tested.
    for what in [
        "leased", "pooled", "asked", "limited", "unpaid", "refused", "faults", "revoked", "grants",
        "settled",
    ] {
        assert!(told[what] > count / 100, "{what}: {told:?}");
    }
}

/// Plays every `step`th schedule; the seed of one that fails.
fn play(first: u64, count: u64, part: u64, step: u64) -> Result<BTreeMap<&'static str, u64>, u64> {
    let mut told = BTreeMap::new();
    for seed in (first + part..first + count).step_by(usize::try_from(step).unwrap()) {
        let mut world = stage(seed);
        let fine = catch_unwind(AssertUnwindSafe(|| {
            world.run();
            world.check();
        }));
        fine.map_err(|_| {
            println!("SIM_SEED={seed} failed");
            seed
        })?;
        for (what, count) in tell(&world) {
            *told.entry(what).or_default() += count;
        }
    }
    Ok(told)
}

fn replay(seed: u64) {
    let mut world = stage(seed);
    world.ledger.attentive = true;
    let fine = catch_unwind(AssertUnwindSafe(|| {
        world.run();
        world.check();
    }));
    println!("rules {:?}\nlimits {:?}", world.plan.rules, world.plan.limits);
    println!("faults {:?}\nclocks {:?}", world.plan.faults, world.plan.clocks);
    for line in &world.ledger.heard {
        println!("{line}");
    }
    assert!(fine.is_ok(), "the schedule of SIM_SEED={seed} went wrong as told above");
}

fn stage(seed: u64) -> World {
    let mut random = Random::new(seed);
    let plan = Plan::of(&mut random);
    World::new(plan, random)
}

fn tell(world: &World) -> [(&'static str, u64); 11] {
    let ledger = &world.ledger;
    let leased = ledger.admissions.iter().filter(|admission| admission.leased).count() as u64;
    let limited =
        ledger.refusals.iter().filter(|refusal| refusal.denial.code() == "RATE_LIMITED").count();
    let unpaid =
        ledger.refusals.iter().filter(|own| own.denial.code() == "BUDGET_EXHAUSTED").count();
    let settled = ledger.grants.values().filter(|grant| grant.told.flatten().is_some()).count();
    let pooled =
        ledger.admissions.iter().filter(|own| own.leased && own.path == Path::Paid).count();
    [
        ("requests", world.requests.len() as u64),
        ("leased", leased),
        ("asked", ledger.admissions.len() as u64 - leased),
        ("limited", limited as u64),
        ("unpaid", unpaid as u64),
        ("pooled", pooled as u64),
        ("refused", (ledger.refusals.len() - limited - unpaid) as u64),
        ("faults", ledger.faults.into()),
        ("revoked", ledger.dead.iter().filter(|dead| dead.until == u64::MAX).count() as u64),
        ("grants", ledger.grants.len() as u64),
        ("settled", settled as u64),
    ]
}

pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

const CI_SCHEDULES: u64 = 1_200;
