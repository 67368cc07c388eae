//! `keys import`: keys that were made elsewhere, by the hundred.
//!
//! A hash is imported once within a workspace, so an import that was broken off is simply run again: what is
//! there is told as such. A note of how far it came spares asking for all of it.

use std::path::PathBuf;

use clap::Args;
use data_encoding::HEXLOWER;
use portcullis::crypto;
use portcullis::management::body;
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
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let defaults = verb.fields.body(machine::now()?)?;
    let lines: Vec<(usize, &str)> =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
    // What is wrong in the file is told before anything is sent.
    lines.iter().try_for_each(|line| checked(line, verb, &defaults))?;
    let workspace = connection.workspace()?;
    let mut mark = Mark::of(&[
        workspace.site().as_str().as_bytes(),
        workspace.member()?.as_bytes(),
        workspace.at("").as_bytes(),
        &bytes,
    ])?;
    if verb.restart {
        mark.clear()?;
    }
    let (before, refused) = mark.read(lines.len());
    if before > 0 {
        note(&format!("an earlier run has done {before} of {}", lines.len()));
    }
    let mut tally = Tally { refused, ..Tally::default() };
    let rest = lines.get(before..).unwrap_or_default();
    let batches: Vec<_> = rest.chunks(BATCH).collect();
    let mut bar = Bar::new("keys", before, lines.len());
    let send = |lines: &&[(usize, &str)]| {
        let rows = lines.iter().map(|line| row(line, verb, &defaults));
        let body = json!({ "keys": rows.collect::<Result<Vec<_>, _>>()? });
        sent(&workspace, &body)
    };
    batches::in_order(&batches, verb.parallel, send, |lines, answer| {
        let known = tally.refused.len();
        tally.count(&answer.map_err(|failure| stopped(failure, lines))?, lines)?;
        bar.advance(lines.len());
        mark.add(bar.done(), tally.refused.get(known..).unwrap_or_default())
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
    // The API counts within its request.
    let failure = failure.each_field(|own| {
        let field = own.get("field").and_then(Value::as_str).and_then(placed);
        let Some((at, rest)) = field.map(|(at, rest)| (at, rest.to_owned())) else { return };
        if let Some((number, _)) = lines.get(at) {
            own.insert("line".to_owned(), number.saturating_add(1).into());
            own.insert("field".to_owned(), rest.into());
        }
    });
    failure.reworded(|message| {
        let named = |message: String, (at, (number, _)): (usize, &(usize, &str))| {
            let line = format!("line {}", number.saturating_add(1));
            message.replace(&format!("keys[{at}]"), &line)
        };
        lines.iter().enumerate().fold(message, named)
    })
}

/// A field of a row, as `keys[49].name`: which of the rows, and the field of it.
fn placed(field: &str) -> Option<(usize, &str)> {
    let (at, rest) = field.strip_prefix("keys[")?.split_once(']')?;
    Some((at.parse().ok()?, rest.strip_prefix('.').unwrap_or(rest)))
}

/// Checks a line as the API does before it looks at the policy.
fn checked(
    line: &(usize, &str),
    import: &Import,
    defaults: &Map<String, Value>,
) -> Result<(), Failure> {
    let request = json!({ "keys": [row(line, import, defaults)?] });
    let Err(wrong) = body::IMPORT.check(&request) else { return Ok(()) };
    let number = line.0.saturating_add(1);
    let told = wrong.iter().map(|wrong| {
        let field = placed(&wrong.field).map_or(wrong.field.as_str(), |(_, field)| field);
        (field, wrong.message.as_str())
    });
    let words: Vec<_> = told.clone().map(|(field, why)| format!("{field}: {why}")).collect();
    let errors = told.map(|(field, why)| json!({ "line": number, "field": field, "message": why }));
    let errors = Value::from_iter(errors);
    Err(Failure::refused(format!("line {number}: {}", words.join("; ")))
        .telling(Map::from_iter([("errors".to_owned(), errors)])))
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
        let mut own: Map<String, Value> = serde_json::from_str(line).map_err(|_| {
            Failure::refused(format!("line {}: no JSON object", number.saturating_add(1)))
        })?;
        let hash = own.get("sha256").and_then(Value::as_str).unwrap_or_default();
        let hash = checked_hash(hash, *number)?;
        own.insert("sha256".to_owned(), hash.into());
        row.extend(own);
    } else {
        row.insert("sha256".to_owned(), checked_hash(line, *number)?.into());
    }
    row.entry("scopes").or_insert_with(|| json!(["read"]));
    Ok(Value::Object(row))
}

/// In base64 a hash could be a key's own text, which must not be sent.
fn checked_hash(text: &str, number: usize) -> Result<String, Failure> {
    let hash = text.to_ascii_lowercase();
    let is_hash = text.len() == HEX && body::sha256(&hash).is_some();
    is_hash.then_some(hash).ok_or_else(|| {
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
                _ if text("code") == KEY_LIMIT => {
                    let line = number.saturating_add(1);
                    let words = format!("line {line}: {KEY_LIMIT}: {} {FULL}", text("message"));
                    return Err(Failure::refused(words));
                }
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
        let words = format!("{} of the lines are refused", refused.len());
        let output = Output::new(text, json).refused_if(!refused.is_empty(), words);
        let shown = refused.iter().take(SHOWN);
        shown.fold(output, |output, (line, message)| output.note(format!("line {line}: {message}")))
    }
}

/// There may be no more keys, so that every row after this one is refused, too.
const KEY_LIMIT: &str = "KEY_LIMIT";
/// Characters of a reason that are kept and told.
const REASON: usize = 500;
/// Digits of a SHA-256.
const HEX: usize = 64;
/// Keys a request, as many as the API takes.
const BATCH: usize = 100;
/// Refused lines that are told by words; `--json` has all.
const SHOWN: usize = 20;
const BYTE_ORDER_MARK: char = '\u{feff}';
const FULL: &str = "Of the lines after it those may be done that were under way: make room, and the same command goes on from there";
const CHANGE: &str = "what was imported so far stays; the line has to be changed first";
const AGAIN: &str = "what was imported so far stays; the same command goes on from there";
