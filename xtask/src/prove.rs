//! `cargo xtask prove`: the full-size runs that do not fit a test run.

use anyhow::{Result, bail};

use crate::checkout::Checkout;

/// Runs the full size of a bar, or of all.
pub fn prove(_checkout: &Checkout, bar: Option<&str>) -> Result<()> {
    bail!("no bar {}", bar.unwrap_or("yet"))
}
