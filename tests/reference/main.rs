//! The decision against a slow, obvious reference of it, which was written from the documents.
//!
//! A world is a deployment by a seed: policy, roots, keys, Workspaces, KV. It is asked [`REQUESTS`] requests,
//! each of which both judge. `REFERENCE_FROM` and `REFERENCE_WORLDS` say which worlds are played, and a
//! disagreement prints its seed: `REFERENCE_FROM=seed REFERENCE_WORLDS=1` plays it again.

#![cfg(not(target_arch = "wasm32"))]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test stops where something is wrong"
)]

mod core;
mod credential;
mod deploy;
mod generate;
mod keyed;
mod meter;
mod mutate;
#[expect(dead_code, reason = "the simulation counts fetches too")]
#[path = "../it/simulation/object.rs"]
mod object;
mod play;
#[path = "../it/simulation/random.rs"]
mod random;
mod reference;
mod request;
mod rules;
mod signature;
mod spell;
mod target;
mod token;
mod world;

use play::Tally;

#[test]
fn differential() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let from = number("REFERENCE_FROM").unwrap_or(0);
    let worlds = number("REFERENCE_WORLDS").unwrap_or(WORLDS);
    let mut tally = Tally::default();
    for seed in from..from + worlds {
        play::world(seed, &mut tally);
    }
    // On a line of its own, whatever the test harness prints before it.
    println!("\n{tally}");
    assert!(tally.disagreements.is_empty(), "{:#?}", tally.disagreements);
    if worlds >= WORLDS {
        tally.check();
    }
}

/// In a test run.
const WORLDS: u64 = 120;
/// Of each world.
pub const REQUESTS: u64 = 250;
