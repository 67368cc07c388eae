//! The core as the npm package calls it: conversions. A gate and a ledger are a Wasm each, so that who has a
//! use for one does not load both.

#[cfg(feature = "js")]
mod gate;
#[cfg(feature = "ledger")]
mod ledger;

use crate::clock::Now;
use crate::gate::{Gate, Unfit};
use crate::json;
use crate::policy::{Document, Policy};

/// A deployment; or why there is none.
fn deployment(policy: &str, root: &str, static_keys: &str) -> Result<Gate, String> {
    let document = json::read::<Document>(policy.as_bytes());
    let policy: Option<Policy> = document.and_then(|document| document.try_into().ok());
    let gate = policy.ok_or(Unfit::Policy);
    let gate = gate.and_then(|policy| Gate::new(policy, root, static_keys, 0));
    gate.map_err(|unfit| unfit.to_string())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds since 1970 are a whole number below 2^53"
)]
fn now() -> Now {
    Now::from_millis(js_sys::Date::now() as u64)
}
