//! Requests without a credential, and files.

use std::path::{Path, PathBuf};

use portcullis::root::Keyring;
use serde_json::Value;
use ureq::http::Response;

use super::{Finding, Verdict};
use crate::api::{agent, body_of, unreachable};
use crate::machine;
use crate::output::{Exit, Failure};
use crate::policy;
use crate::site::Site;
use crate::when;

pub(super) fn health_and_clock(admin: &Site) -> Result<Vec<Finding>, Failure> {
    let what = "deployment is fit to decide";
    let response = match get(admin, "/healthz") {
        Ok(response) => response,
        Err(failure) => return Ok(vec![Finding::new(what, Verdict::Wrong, failure.to_string())]),
    };
    let status = response.status();
    let verdict = if status.is_success() { Verdict::Well } else { Verdict::Wrong };
    let health = Finding::new(what, verdict, format!("{admin}/healthz: {status}"));
    Ok(vec![health, clock(&response, machine::now()?)])
}

/// Signatures and tokens need clocks that agree.
fn clock(response: &Response<ureq::Body>, now: u64) -> Finding {
    let date = response.headers().get("date").and_then(|date| date.to_str().ok());
    let told = date.and_then(when::http_date);
    let what = "clock of this machine";
    match told.map(|told| now.abs_diff(told)) {
        None => Finding::new(what, Verdict::Unknown, "the answer has no Date"),
        Some(apart) => {
            let verdict = if apart <= APART { Verdict::Well } else { Verdict::Wrong };
            Finding::new(what, verdict, format!("{apart} s from the deployment's"))
        }
    }
}

pub(super) fn gate(gate: Option<&Site>, path: &str) -> Finding {
    let what = "gate refuses without a credential";
    let Some(gate) = gate else {
        return Finding::new(what, Verdict::Unknown, "the profile has no gate; give --gate");
    };
    let answer = get(gate, path).and_then(|response| {
        let status = response.status();
        Ok((status, body_of(response, gate)?))
    });
    match answer {
        Err(failure) => Finding::new(what, Verdict::Wrong, failure.to_string()),
        Ok((status, body)) => {
            let code = code(&body).unwrap_or_else(|| "not Portcullis's answer".to_owned());
            let detail = format!("{gate}{path}: {} {code}", status.as_u16());
            match code.as_str() {
                "MISSING_API_KEY" | "IP_NOT_ALLOWED" => Finding::new(what, Verdict::Well, detail),
                // Whoever has a key is refused that, too.
                "UNKNOWN_ROUTE" | "METHOD_NOT_ALLOWED" => {
                    Finding::new(what, Verdict::Unknown, format!("{detail}; {NO_ROUTE}"))
                }
                _ => Finding::new(what, Verdict::Wrong, detail),
            }
        }
    }
}

/// Whoever finds an origin must not come by the gate.
pub(super) fn origin(url: &str) -> Finding {
    let what = "origin refuses what did not pass the gate";
    match open(url) {
        // A name that is mistyped is silent, too.
        Err(reason) => Finding::new(what, Verdict::Unknown, reason),
        Ok(response) => {
            let status = response.status().as_u16();
            let verdict = if matches!(status, 401 | 403) { Verdict::Well } else { Verdict::Wrong };
            Finding::new(what, verdict, format!("{url}: {status}"))
        }
    }
}

/// A second way to the gate would be one that nobody watches.
pub(super) fn workers_dev(url: &str) -> Finding {
    let what = "workers_dev is off";
    match open(url) {
        // A name that is mistyped is silent, too.
        Err(reason) => Finding::new(what, Verdict::Unknown, reason),
        Ok(response) => {
            let ours = response.headers().contains_key("x-request-id");
            let status = response.status();
            let off = !ours && status == ureq::http::StatusCode::NOT_FOUND;
            let verdict = if off { Verdict::Well } else { Verdict::Wrong };
            Finding::new(what, verdict, format!("{url}: {}", status.as_u16()))
        }
    }
}

pub(super) fn configurations(named: &[PathBuf]) -> Result<Vec<Finding>, Failure> {
    let here = ["wrangler.toml", "workspace.toml"].map(PathBuf::from);
    let here = here.into_iter().filter(|file| named.is_empty() && file.exists());
    here.chain(named.iter().cloned()).map(|file| configuration(&file)).collect()
}

fn configuration(file: &Path) -> Result<Finding, Failure> {
    let text =
        std::fs::read_to_string(file).map_err(|error| Failure::io(file.display(), &error))?;
    let what = format!("{}: one way in", file.display());
    let parsed: Result<toml::Table, _> = toml::from_str(&text);
    let Ok(table) = parsed else {
        return Ok(Finding::new(what, Verdict::Wrong, "it is no TOML"));
    };
    let on = ["workers_dev", "preview_urls"]
        .into_iter()
        .filter(|name| table.get(*name).and_then(toml::Value::as_bool) != Some(false));
    let on: Vec<_> = on.collect();
    Ok(if on.is_empty() {
        Finding::new(what, Verdict::Well, "workers_dev and preview_urls are false")
    } else {
        Finding::new(what, Verdict::Wrong, format!("not false: {}", on.join(", ")))
    })
}

pub(super) fn fingerprints(file: Option<&Path>) -> Result<Finding, Failure> {
    let what = "policy has the root's fingerprints";
    let here = Path::new("policy.toml");
    let Some(file) = file.or_else(|| here.exists().then_some(here)) else {
        return Ok(Finding::new(what, Verdict::Unknown, "there is no policy here; give --policy"));
    };
    let known = machine::optional_root().and_then(|root| Ok((root, policy::read(file)?)));
    let (keyring, policy) = match known {
        Ok((Some(keyring), policy)) => (keyring, policy),
        Ok((None, _)) => {
            return Ok(Finding::new(what, Verdict::Unknown, "PORTCULLIS_ROOT is not set"));
        }
        Err(failure) if failure.is(Exit::Refused) => {
            return Ok(Finding::new(what, Verdict::Wrong, failure.to_string()));
        }
        Err(failure) => return Err(failure),
    };
    let missing = missing(&keyring, &policy);
    Ok(if missing.is_empty() {
        Finding::new(what, Verdict::Well, format!("{} versions", keyring.versions().count()))
    } else {
        Finding::new(what, Verdict::Wrong, format!("not those of {}", missing.join(", ")))
    })
}

fn missing(keyring: &Keyring, policy: &portcullis::policy::Document) -> Vec<String> {
    let known: Vec<String> = policy.root_fingerprints.iter().map(ToString::to_string).collect();
    let versions =
        keyring.versions().filter(|root| !known.iter().any(|own| own == root.fingerprint()));
    versions.map(|root| format!("v{}", root.version())).collect()
}

/// The answer, or why there is none.
fn open(url: &str) -> Result<Response<ureq::Body>, String> {
    let site = Site::parse(url)?;
    get(&site, "").map_err(|failure| failure.to_string())
}

fn get(site: &Site, path: &str) -> Result<Response<ureq::Body>, Failure> {
    let response = agent(site).get(format!("{site}{path}")).call();
    response.map_err(|error| unreachable(site, &error))
}

fn code(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get("error")?.get("code")?.as_str().map(str::to_owned)
}

const NO_ROUTE: &str = "give --path, of a route that takes GET";
/// Seconds: half of how far ahead a signature may be.
const APART: u64 = 30;
