//! `keys import`: keys that were made elsewhere, by the hundred.
//!
//! A hash is imported once within a workspace, so an import that was broken off is simply run again: what is
//! there is told as such. A note of how far it came spares asking for all of it.

use std::path::PathBuf;

use clap::Args;
use data_encoding::HEXLOWER;
use portcullis::crypto;
use serde_json::{Map, Value, json};

use super::fields::Fields;
use crate::api::Call;
use crate::batches;
use crate::machine;
use crate::online::{Online, Workspace};
use crate::output::{Exit, Failure, Output, note};
use crate::progress::{Bar, Mark};

#[derive(Args)]
pub(crate) struct Import {
    /// One key a line: the SHA-256 of its text in hex, or a JSON object with `sha256` and
    /// fields of its own; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The lines are the keys' texts: hash them here, and send the hashes.
    #[arg(long)]
    texts: bool,
    /// Requests under way at once, of 100 keys each.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=16), value_name = "COUNT")]
    parallel: u8,
    /// Begin with the first line, whatever an earlier run has done.
    #[arg(long)]
    restart: bool,
    /// What the lines do not say of their keys.
    #[command(flatten)]
    fields: Fields,
}

/// What became of rows.
#[derive(Default)]
struct Tally {
    created: usize,
    exists: usize,
    refused: Vec<(usize, String)>,
}

pub(super) fn import(online: &Online<Import>) -> Result<Output, Failure> {
    let Online { verb, connection } = online;
    let bytes = machine::file_bytes(&verb.file)?;
    let text = str::from_utf8(&bytes).map_err(|_| Failure::refused("the file is not UTF-8"))?;
    let defaults = verb.fields.body(machine::now()?)?;
    let lines: Vec<(usize, &str)> =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
    let workspace = connection.workspace()?;
    let mark = Mark::of(&[
        workspace.site().as_str().as_bytes(),
        workspace.member()?.as_bytes(),
        workspace.at("").as_bytes(),
        &bytes,
    ])?;
    let (before, refused) = if verb.restart { Default::default() } else { mark.read() };
    let before = before.min(lines.len());
    if before > 0 {
        note(&format!("an earlier run has done {before} of {}", lines.len()));
    }
    let mut tally = Tally { refused, ..Tally::default() };
    let rest = lines.get(before..).unwrap_or_default();
    // What is wrong in the file is told before anything is sent.
    rest.iter().try_for_each(|line| row(line, verb, &defaults).map(drop))?;
    let batches: Vec<_> = rest.chunks(BATCH).collect();
    let mut bar = Bar::new("keys", before, lines.len());
    let send = |lines: &&[(usize, &str)]| {
        let rows = lines.iter().map(|line| row(line, verb, &defaults));
        let body = json!({ "keys": rows.collect::<Result<Vec<_>, _>>()? });
        sent(&workspace, &body)
    };
    batches::in_order(&batches, verb.parallel, send, |lines, answer| {
        tally.count(&answer.map_err(|failure| stopped(failure, lines))?, lines)?;
        bar.advance(lines.len());
        mark.write(bar.done(), &tally.refused)
    })?;
    bar.end();
    mark.forget();
    Ok(tally.told(before))
}

fn sent(workspace: &Workspace, body: &Value) -> Result<Value, Failure> {
    workspace.send(&Call::again("POST", workspace.at("/api-keys/import"), body)).map(|r| r.body)
}

/// Why the import goes no further, by line.
fn stopped(failure: Failure, lines: &[(usize, &str)]) -> Failure {
    if !failure.is(Exit::Refused) {
        note(AGAIN);
        return failure;
    }
    note(CHANGE);
    failure.reworded(|message| {
        // The API counts within its request.
        let named = |message: String, (at, (number, _)): (usize, &(usize, &str))| {
            let line = format!("line {}", number.saturating_add(1));
            message.replace(&format!("keys[{at}]"), &line)
        };
        lines.iter().enumerate().fold(message, named)
    })
}

/// A row of a request. What a line holds is not repeated in an error: it may be a key.
fn row(
    (number, line): &(usize, &str),
    import: &Import,
    defaults: &Map<String, Value>,
) -> Result<Value, Failure> {
    let line = line.trim();
    let mut row = defaults.clone();
    if import.texts {
        row.insert("sha256".to_owned(), HEXLOWER.encode(&crypto::sha256(line.as_bytes())).into());
    } else if line.starts_with('{') {
        let own: Map<String, Value> = serde_json::from_str(line).map_err(|_| {
            Failure::refused(format!("line {}: no JSON object", number.saturating_add(1)))
        })?;
        let hash = own.get("sha256").and_then(Value::as_str).unwrap_or_default();
        check_hash(hash, *number)?;
        row.extend(own);
    } else {
        check_hash(line, *number)?;
        row.insert("sha256".to_owned(), line.into());
    }
    row.entry("scopes").or_insert_with(|| json!(["read"]));
    Ok(Value::Object(row))
}

/// In base64 a hash could be a key's own text, which must not be sent.
fn check_hash(text: &str, number: usize) -> Result<(), Failure> {
    let hash = portcullis::management::body::sha256(text).filter(|_| text.len() == HEX);
    hash.map(drop).ok_or_else(|| {
        let number = number.saturating_add(1);
        Failure::refused(format!("line {number}: no SHA-256 in hex; see --texts"))
    })
}

impl Tally {
    fn count(&mut self, answer: &Value, lines: &[(usize, &str)]) -> Result<(), Failure> {
        let rows = answer.get("rows").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if rows.len() != lines.len() {
            return Err(Failure::refused(format!(
                "of {} keys that were sent the answer tells of {}",
                lines.len(),
                rows.len()
            )));
        }
        for (row, (number, _)) in rows.iter().zip(lines) {
            let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
            match text("result") {
                "created" => self.created = self.created.saturating_add(1),
                "exists" => self.exists = self.exists.saturating_add(1),
                _ => {
                    let reason = text("message").chars().take(REASON).collect();
                    self.refused.push((number.saturating_add(1), reason));
                }
            }
        }
        Ok(())
    }

    fn told(self, before: usize) -> Output {
        let Self { created, exists, refused } = self;
        let text = format!("{created} created, {exists} there already, {} refused", refused.len());
        let lines: Vec<_> = refused
            .iter()
            .map(|(line, message)| json!({ "line": line, "message": message }))
            .collect();
        let json = json!({
            "created": created, "exists": exists, "refused": lines, "done_before": before,
        });
        let output = Output::new(text, json).refused_if(!refused.is_empty());
        let shown = refused.iter().take(SHOWN);
        shown.fold(output, |output, (line, message)| output.note(format!("line {line}: {message}")))
    }
}

/// Characters of a reason that are kept and told.
const REASON: usize = 500;
/// Digits of a SHA-256.
const HEX: usize = 64;
/// Keys a request, as many as the API takes.
const BATCH: usize = 100;
/// Refused lines that are told by words; `--json` has all.
const SHOWN: usize = 20;
const CHANGE: &str = "what was imported so far stays; the line has to be changed first";
const AGAIN: &str = "what was imported so far stays; the same command goes on from there";
