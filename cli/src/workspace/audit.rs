//! `workspace audit`: the log, all of it for an export, and whether it is whole.

use std::io::Write;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::api::wrong_shape;
use crate::online::{Connection, Cursors, Online, Workspace};
use crate::output::{Failure, Output};
use crate::progress::Bar;
use crate::table::Table;
use crate::view;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Audit {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// How many entries at most.
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..), default_value_t = 50, value_name = "COUNT")]
    limit: usize,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand)]
enum Verb {
    /// Compute the whole log again: no entry was changed, moved or left out.
    Verify(Online<Verify>),
    /// Print every entry as a line of JSON, the oldest first.
    Export(Online<super::Nothing>),
}

#[derive(Args)]
struct Verify {
    /// From this entry on.
    #[arg(long, default_value_t = 1, value_name = "SEQUENCE")]
    from: u64,
}

pub(super) fn run(audit: Audit) -> Result<Output, Failure> {
    match audit.verb {
        None => list(&audit.connection.workspace()?, audit.limit),
        Some(Verb::Verify(online)) => verify(&online.connection.workspace()?, online.verb.from),
        Some(Verb::Export(online)) => export(&online.connection.workspace()?),
    }
}

fn list(workspace: &Workspace, most: usize) -> Result<Output, Failure> {
    let body = workspace.all("/audit", "entries", most)?;
    let entries = body.get("entries").and_then(Value::as_array);
    let rows = entries.into_iter().flatten().map(|entry| {
        ["sequence", "time", "actor", "action", "target", "changes"]
            .map(|name| view::field(entry, name))
            .to_vec()
    });
    let head = &["NUMBER", "TIME", "ACTOR", "ACTION", "TARGET", "CHANGES"];
    Ok(Output::table(Table::new(head, rows.collect()).cut(&[5]), body))
}

fn verify(workspace: &Workspace, mut from: u64) -> Result<Output, Failure> {
    let (mut entries, mut bar) = (0_u64, Bar::open("entries"));
    loop {
        let part = workspace.get(&format!("/audit/verify?from={from}"))?;
        let number = |name: &str| part.get(name).and_then(Value::as_u64);
        let more = number("entries").unwrap_or(0);
        entries = entries.saturating_add(more);
        let intact = part.get("intact").and_then(Value::as_bool).unwrap_or(false);
        match number("next") {
            Some(next) if intact && next > from => {
                from = next;
                bar.advance(usize::try_from(more).unwrap_or(0));
            }
            next => {
                bar.end();
                let broken = number("broken_at");
                let body = json!({
                    "intact": intact, "entries": entries, "broken_at": broken, "next": next,
                });
                let place = broken.map(|at| format!(", broken at {at}")).unwrap_or_default();
                let word = if intact { "intact" } else { "NOT INTACT" };
                let text = format!("{word}: {entries} entries{place}");
                return Ok(Output::new(text.clone(), body).refused_if(!intact, text));
            }
        }
    }
}

/// Page by page, as it comes: a log may be larger than memory.
fn export(workspace: &Workspace) -> Result<Output, Failure> {
    let (mut bar, mut cursor) = (Bar::open("entries"), String::new());
    let mut cursors = Cursors::default();
    let mut out = std::io::stdout().lock();
    loop {
        let page = workspace.get(&format!("/audit?order=oldest&limit=100{cursor}"))?;
        let entries = page.get("entries").and_then(Value::as_array);
        let entries = entries.ok_or_else(|| wrong_shape(workspace.site()))?;
        for entry in entries {
            writeln!(out, "{entry}").map_err(|error| Failure::stdout(&error))?;
        }
        bar.advance(entries.len());
        match page.get("next").and_then(Value::as_str) {
            Some(next) => cursor = cursors.query(next, workspace.site())?,
            None => break,
        }
    }
    bar.end();
    Ok(Output::nothing().note(format!("{} entries", bar.done())))
}
