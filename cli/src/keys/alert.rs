//! `keys alert`.

use clap::Args;
use portcullis::key::Kid;
use serde_json::json;

use crate::online::Workspace;
use crate::output::{Failure, Output};
use crate::view;

#[derive(Args)]
pub(crate) struct Alert {
    /// The key's id: the middle part of its text.
    #[arg(value_parser = super::kid, value_name = "KEY-ID")]
    kid: Kid,
    /// A part of its limit, in per cent; may be repeated. They replace those there are.
    #[arg(long, required_unless_present = "off", value_parser = clap::value_parser!(u8).range(1..=100), value_name = "PER-CENT")]
    threshold: Vec<u8>,
    /// Tell of none.
    #[arg(long, conflicts_with = "threshold")]
    off: bool,
}

pub(super) fn alert(workspace: &Workspace, alert: &Alert) -> Result<Output, Failure> {
    let body = json!({ "thresholds": (!alert.off).then_some(&alert.threshold) });
    let target = format!("/api-keys/{}/alerts", alert.kid);
    let body = workspace.change("PUT", &target, Some(&body))?.body;
    Ok(Output::table(view::fields(&body), body))
}
