//! What is told of decisions: shares are written as fractions.

use serde::Deserialize;
use toml::Spanned;

use super::error::Fault;
use super::table::tables;
use crate::policy::{Observe, Share};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawObserve {
    #[serde(default)]
    analytics: bool,
    #[serde(default)]
    logs: RawLogs,
    #[serde(default)]
    server_timing: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
struct RawLogs {
    allowed: Option<Spanned<f64>>,
    denied: Option<Spanned<f64>>,
    faults: Option<Spanned<f64>>,
}

tables!(RawObserve, RawLogs);

pub(super) fn observe(raw: RawObserve) -> Result<Observe, Fault> {
    let RawObserve { analytics, logs, server_timing } = raw;
    let RawLogs { allowed, denied, faults } = logs;
    Ok(Observe {
        analytics,
        log_allowed: share(allowed)?,
        log_denied: share(denied)?,
        log_faults: share(faults)?,
        server_timing,
    })
}

fn share(raw: Option<Spanned<f64>>) -> Result<Share, Fault> {
    let Some(raw) = raw else { return Ok(Share::default()) };
    let millionths = millionths(*raw.get_ref());
    let millionths = millionths.ok_or("a share is 0, or from 0.000001 to 1");
    millionths.map(Share::from).map_err(|reason| Fault::at(&raw, reason))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a fraction from 0 to 1 has 0 to 1000000 millionths"
)]
fn millionths(fraction: f64) -> Option<u32> {
    let rounded = (fraction * 1_000_000.0).round();
    // What would be rounded to nothing is no share that somebody asked for.
    let is_share = (0.0..=1.0).contains(&fraction) && (rounded >= 1.0 || fraction <= 0.0);
    is_share.then_some(rounded as u32)
}
