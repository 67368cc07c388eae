//! `doctor`: what can be seen of a deployment from outside, and of its configuration here.

mod keys;
mod probes;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::online::Online;
use crate::output::{Failure, Output};
use crate::redact;
use crate::site::Site;
use crate::table::Table;

#[derive(Args)]
pub(crate) struct Doctor {
    /// Where gated requests go [default: the profile's gate].
    #[arg(long, value_parser = Site::parse, value_name = "URL")]
    gate: Option<Site>,
    /// A gated path, which has to be refused without a credential.
    #[arg(long, default_value = "/", value_name = "PATH")]
    path: String,
    /// An origin's own address, which has to refuse what did not pass the gate; may be repeated.
    #[arg(long, value_name = "URL")]
    origin: Vec<String>,
    /// A name below workers.dev at which nothing may answer; may be repeated.
    #[arg(long, value_name = "URL")]
    workers_dev: Vec<String>,
    /// A configuration of wrangler; may be repeated [default: wrangler.toml and workspace.toml, if they are here].
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// The policy, whose fingerprints have to be those of PORTCULLIS_ROOT [default: policy.toml, if it is here].
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// What was looked at, and what came of it.
pub(super) struct Finding {
    what: String,
    verdict: Verdict,
    detail: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Well,
    /// It is not as it has to be.
    Wrong,
    /// It could not be looked at.
    Unknown,
}

impl Finding {
    fn new(what: impl Into<String>, verdict: Verdict, detail: impl Into<String>) -> Self {
        let [what, detail] = [what.into(), detail.into()].map(|text| redact::secrets(&text));
        Self { what, verdict, detail }
    }
}

/// Looks at all of it, whatever comes of the first.
pub(crate) fn doctor(Online { verb, connection }: &Online<Doctor>) -> Result<Output, Failure> {
    let (admin, gate) = connection.sites()?;
    let gate = verb.gate.clone().or(gate);
    let mut findings = probes::health_and_clock(&admin)?;
    findings.push(probes::gate(gate.as_ref(), &verb.path));
    findings.extend(verb.origin.iter().map(|url| probes::origin(url)));
    findings.extend(verb.workers_dev.iter().map(|url| probes::workers_dev(url)));
    findings.extend(probes::configurations(&verb.config)?);
    findings.push(probes::fingerprints(verb.policy.as_deref())?);
    findings.push(keys::by_root(connection));
    findings.push(Finding::new("route fails closed", Verdict::Unknown, FAILS_CLOSED));
    let wrong = findings.iter().any(|finding| finding.verdict == Verdict::Wrong);
    let json = findings.iter().map(|finding| {
        json!({ "check": finding.what, "verdict": finding.verdict.word(), "detail": finding.detail })
    });
    let json = json!({ "well": !wrong, "checks": json.collect::<Vec<_>>() });
    let rows = findings
        .into_iter()
        .map(|Finding { what, verdict, detail }| vec![what, verdict.word().to_owned(), detail]);
    let table = Table::new(&["CHECK", "VERDICT", "DETAIL"], rows.collect()).wrapped(2);
    Ok(Output::table(table, json).refused_if(wrong))
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Wrong => "WRONG",
            Self::Unknown => "not seen",
        }
    }
}

const FAILS_CLOSED: &str =
    "is not to be seen from outside: dashboard, Workers Routes, Request limit failure mode";
