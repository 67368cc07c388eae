//! A workspace: what it is, its limits, members and audit log.

mod audit;
mod members;

use clap::{Args, Subcommand};
use portcullis::policy::Limits as OwnLimits;
use serde_json::{Value, json};

use crate::online::Online;
use crate::output::{Failure, Output};
use crate::table::Table;
use crate::view;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// List the workspaces that one is a member of.
    List(Online<Nothing>),
    /// Open a workspace and become its owner.
    Create(Online<Create>),
    /// Show the workspace.
    Show(Online<Nothing>),
    /// Show the limits that its keys share, or set them.
    Limits(Online<Limits>),
    /// Show what all its keys were used for, and its budgets.
    Usage(Online<Usage>),
    /// Show its members.
    Members(members::Members),
    /// Show its audit log, the newest entries first.
    Audit(audit::Audit),
}

#[derive(Args)]
pub(crate) struct Nothing {}

#[derive(Args)]
pub(crate) struct Create {
    /// For people.
    #[arg(long)]
    name: String,
}

#[derive(Args)]
pub(crate) struct Limits {
    /// Requests in a window.
    #[arg(long, requires = "burst")]
    requests: Option<u32>,
    /// Requests at once.
    #[arg(long, requires = "requests")]
    burst: Option<u32>,
    /// The window.
    #[arg(long, requires = "requests", default_value_t = OwnLimits::HOUR)]
    window_seconds: u32,
    /// Leave it to the policy.
    #[arg(long, conflicts_with = "requests")]
    clear: bool,
    /// Come back when the change is in effect at every gate.
    #[arg(long)]
    wait: bool,
}

#[derive(Args)]
pub(crate) struct Usage {
    /// How far back.
    #[arg(long, value_parser = crate::when::span, default_value = "24h", value_name = "SPAN")]
    since: u64,
}

pub(crate) fn run(verb: Verb) -> Result<Output, Failure> {
    match verb {
        Verb::List(online) => list(&online),
        Verb::Create(online) => {
            let body = json!({ "name": online.verb.name });
            let client = online.connection.client()?;
            let call = crate::api::Call::change("POST", "/api/v1/workspaces", Some(&body))?;
            let body = client.send(&call)?.body;
            Ok(Output::table(view::fields(&body), body))
        }
        Verb::Show(online) => {
            let body = online.connection.workspace()?.get("")?;
            Ok(Output::table(view::fields(&body), body))
        }
        Verb::Limits(online) => limits(&online),
        Verb::Usage(online) => usage(&online),
        Verb::Members(members) => members::run(members),
        Verb::Audit(audit) => audit::run(audit),
    }
}

fn list(online: &Online<Nothing>) -> Result<Output, Failure> {
    let body = online.connection.client()?.get("/api/v1/workspaces")?;
    let all = body.get("workspaces").and_then(Value::as_array);
    let rows = all.into_iter().flatten().map(|workspace| {
        ["id", "name", "role", "keys", "created"].map(|name| view::field(workspace, name)).to_vec()
    });
    let table = Table::new(&["ID", "NAME", "ROLE", "KEYS", "CREATED"], rows.collect()).cut(&[1]);
    Ok(Output::table(table, body))
}

fn limits(Online { verb, connection }: &Online<Limits>) -> Result<Output, Failure> {
    let workspace = connection.workspace()?;
    let limits = match (verb.requests, verb.burst) {
        (Some(requests), Some(burst)) => {
            let window = verb.window_seconds;
            json!({ "requests": requests, "burst": burst, "window_seconds": window })
        }
        _ if verb.clear => Value::Null,
        _ => return Ok(limits_of(workspace.get("")?)),
    };
    let wait = if verb.wait { "?wait=1" } else { "" };
    workspace
        .change("PATCH", wait, Some(&json!({ "limits": limits })))
        .map(|reply| limits_of(reply.body))
}

fn limits_of(workspace: Value) -> Output {
    let table = match workspace.get("limits").filter(|limits| limits.is_object()) {
        Some(limits) => view::fields(limits),
        None => Table::of_fields([("limits", "as the policy says".to_owned())]),
    };
    Output::table(table, workspace)
}

fn usage(Online { verb, connection }: &Online<Usage>) -> Result<Output, Failure> {
    let from = crate::when::rfc3339(crate::machine::now()?.saturating_sub(verb.since))?;
    let body = connection.workspace()?.get(&format!("/usage?from={from}"))?;
    let budgets = body.get("budgets").and_then(Value::as_array).cloned().unwrap_or_default();
    let words = budgets.iter().map(|budget| format!("budget: {}", view::cell(budget)));
    Ok(words.fold(crate::keys::usage_shown(body), Output::note))
}
