//! The core as JavaScript calls it that is no Worker: conversions. The npm package's gate and ledger and the
//! dashboard's explanations are a Wasm each, so that who has a use for one does not load the others.

#[cfg(feature = "explain")]
mod explain;
#[cfg(feature = "js")]
mod gate;
#[cfg(feature = "ledger")]
mod ledger;

use crate::clock::Now;
#[cfg(any(feature = "js", feature = "ledger"))]
use crate::gate::{Gate, Unfit};
#[cfg(any(feature = "js", feature = "ledger"))]
use crate::json;
#[cfg(any(feature = "js", feature = "ledger"))]
use crate::policy::{Document, Policy};

#[cfg(any(feature = "js", feature = "ledger"))]
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
