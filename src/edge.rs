//! The two Cloudflare Workers: the gate, which every request meets, and the one that holds the
//! Workspaces. They translate, drive, store; they decide nothing.

mod deployment;
mod entropy;
#[cfg(feature = "gate")]
mod gate;
mod shim;
#[cfg(feature = "workspace")]
mod workspace;

// Its start function brings the instance up again after a panic.
use worker as _;

use crate::clock::Now;

fn now() -> Now {
    at(js_sys::Date::now())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds since 1970 are a whole number below 2^53"
)]
fn at(millis: f64) -> Now {
    Now::from_millis(millis as u64)
}
