//! The world of the vectors.

use std::rc::Rc;

use portcullis::gate::Gate;
use portcullis::policy::Policy;
use serde_json::Value;

thread_local! {
    static WORLD: Rc<(Value, Gate, Vec<String>)> = Rc::new(make());
}

/// A reference that lives as long as the process: a fuzzer has one thread.
pub fn gate() -> &'static Gate {
    thread_local! { static GATE: &'static Gate = Box::leak(Box::new(make().1)); }
    GATE.with(|gate| *gate)
}

/// The texts of its keys.
pub fn keys() -> Vec<String> {
    WORLD.with(|world| world.2.clone())
}

/// What KV has under a name.
pub fn row(name: &str) -> Option<String> {
    WORLD.with(|world| world.0["kv"][name].as_str().map(str::to_owned))
}

/// The second of its cases.
pub const NOW: u64 = 1_800_000_000;

fn make() -> (Value, Gate, Vec<String>) {
    let world: Value =
        serde_json::from_str(include_str!("../../tests/vectors/world.json")).unwrap();
    let policy = Policy::from_json(&world["policy"].to_string()).unwrap();
    let text = |name: &str| world[name].as_str().unwrap();
    let gate = Gate::new(policy, text("root"), text("static_keys"), 0).unwrap();
    let keys = world["keys"].as_object().unwrap();
    let keys = keys.values().filter_map(|key| key.as_str().map(str::to_owned)).collect();
    (world, gate, keys)
}
