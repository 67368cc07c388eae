//! `doctor`: what can be seen of a deployment from outside, and of its configuration here.

mod keys;
mod probes;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::online::Online;
use crate::output::{Exit, Failure, Output};
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
    /// Take your word that the gate's routes fail closed, which only Cloudflare's dashboard shows.
    #[arg(long)]
    fails_closed: bool,
}

/// What was looked at, and what came of it.
pub(super) struct Finding {
    what: String,
    verdict: Verdict,
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    let fails_closed = if verb.fails_closed {
        Finding::new("route fails closed", Verdict::Well, "by your word: --fails-closed")
    } else {
        Finding::new("route fails closed", Verdict::Unknown, FAILS_CLOSED)
    };
    findings.push(fails_closed);
    let (verdict, why) = whole(&findings);
    let json = findings.iter().map(|finding| {
        json!({ "check": finding.what, "verdict": finding.verdict.word(), "detail": finding.detail })
    });
    let json = json!({ "verdict": verdict.word(), "checks": json.collect::<Vec<_>>() });
    let rows = findings
        .into_iter()
        .map(|Finding { what, verdict, detail }| vec![what, verdict.word().to_owned(), detail]);
    let table = Table::new(&["CHECK", "VERDICT", "DETAIL"], rows.collect()).wrapped(2);
    let output = Output::table(table, json).note(why.clone());
    Ok(match verdict {
        Verdict::Well => output,
        Verdict::Wrong => output.failing(Failure::refused(why)),
        Verdict::Unknown => output.failing(Failure::new(Exit::Unseen, why)),
    })
}

/// Of all findings, and in words. What was not seen is not well.
fn whole(findings: &[Finding]) -> (Verdict, String) {
    let of = |verdict| {
        let own = findings.iter().filter(|own| own.verdict == verdict);
        own.map(|own| own.what.as_str()).collect::<Vec<_>>()
    };
    for (verdict, words) in [
        (Verdict::Wrong, "is not as it has to be"),
        (Verdict::Unknown, "could not be looked at; nothing that was seen is wrong"),
    ] {
        let own = of(verdict);
        if !own.is_empty() {
            let words = format!("{} of {} {words}: {}", own.len(), findings.len(), own.join(", "));
            return (verdict, words);
        }
    }
    (Verdict::Well, format!("all of {} are as they have to be", findings.len()))
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

const FAILS_CLOSED: &str = "Cloudflare's dashboard shows it: Workers Routes, Request limit failure mode; then --fails-closed";
