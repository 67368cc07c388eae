//! Rows that exist: showing them, changing a status, sealing them anew.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use portcullis::key::Kid;
use portcullis::record::{self, Document, Status};
use portcullis::root::Keyring;
use portcullis::seal;
use serde_json::{Value, json};

use super::attributes::sealed;
use crate::kv::{self, Rows};
use crate::output::{Failure, Output};
use crate::{machine, when};

/// Opens a value: the root must be in the environment.
pub(super) fn show(file: &Path, name: &str) -> Result<Output, Failure> {
    let keyring = machine::root_of_environment()?;
    let name = match Kid::parse(name) {
        Some(kid) => record::kv_name(&kid),
        None if name.starts_with("k1:") || name.starts_with("h1:") => name.to_owned(),
        None => return Err(Failure::usage("--name: a KV name (k1:… or h1:…), or a kid")),
    };
    let value = kv::value_of(file, &name)?;
    let json = seal::open(&keyring, &name, &value).map_err(Failure::refused)?;
    let json: Value = serde_json::from_slice(json)
        .map_err(|error| Failure::refused(format!("sealed, but not JSON: {error}")))?;
    Ok(Output::new(serde_json::to_string_pretty(&json).unwrap_or_default(), json))
}

#[derive(Args)]
pub(crate) struct SetStatus {
    /// The key's public name.
    kid: String,
    /// What it is to be.
    status: NewStatus,
    /// Its present value as `wrangler kv key get` prints it, or a file of rows; `-` is standard
    /// input.
    #[arg(long, default_value = "-", value_name = "FILE")]
    from: PathBuf,
    /// The file of rows to put the new one into.
    #[arg(long, value_name = "FILE")]
    kv: PathBuf,
    /// How long KV's copy of the record is believed.
    #[arg(long, value_parser = when::span, default_value = "365d", value_name = "SPAN")]
    fresh: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum NewStatus {
    /// It may be used.
    Active,
    /// Not at present.
    Disabled,
    /// Held back on suspicion of a leak.
    Quarantined,
    /// Never again.
    Revoked,
}

pub(super) fn set_status(arguments: SetStatus) -> Result<Output, Failure> {
    let SetStatus { kid, status, from, kv, fresh } = arguments;
    let kid = super::kid(&kid)?;
    let keyring = machine::root_of_environment()?;
    let mut record = opened(&keyring, &kid, &kv::value_of(&from, &record::kv_name(&kid))?)?;
    let status = match status {
        NewStatus::Active => Status::Active,
        NewStatus::Disabled => Status::Disabled,
        NewStatus::Quarantined => Status::Quarantined,
        NewStatus::Revoked => Status::Revoked,
    };
    if record.status == Status::Revoked && status != Status::Revoked {
        return Err(Failure::refused("a revoked key stays revoked; mint another"));
    }
    record.status = status;
    raise(&mut record, machine::now()?, fresh);
    let row = sealed(&keyring, &record)?;
    let mut file = Rows::read_or_empty(&kv)?;
    file.put(&row);
    file.write(&kv)?;
    let json = json!({
        "kid": record.kid, "status": record.status, "version": record.version,
        "rows": [kv::to_json(&row)],
    });
    let path = kv.display();
    Ok(Output::new(format!("{} version {}", record.kid, record.version), json)
        .note(format!("put into {path}; to be stored: wrangler kv bulk put {path} --binding KEYS --remote"))
        .note("in mode edge it takes effect typically 60–120 s after KV has stored it, without a guarantee"))
}

#[derive(Args)]
pub(crate) struct Renew {
    /// The file of rows; it is written anew.
    file: PathBuf,
    /// How long KV's copies are believed from now on.
    #[arg(long, value_parser = when::span, default_value = "365d", value_name = "SPAN")]
    fresh: u64,
}

pub(super) fn renew(Renew { file, fresh }: &Renew) -> Result<Output, Failure> {
    let keyring = machine::root_of_environment()?;
    let now = machine::now()?;
    let mut rows = Rows::read(file)?;
    let mut renewed = Vec::new();
    for (name, value) in rows.iter() {
        let in_row =
            |failure: &dyn std::fmt::Display| Failure::refused(format!("{name}: {failure}"));
        // A pointer never changes, and its name belongs to the root version that made it.
        if name.starts_with("h1:") {
            seal::open(&keyring, name, value.as_bytes()).map_err(|broken| in_row(&broken))?;
            continue;
        }
        let kid = name.strip_prefix("k1:").and_then(Kid::parse);
        let kid = kid.ok_or_else(|| in_row(&"no name of a key"))?;
        let (mut record, _) = Document::open(&keyring, &kid, value.as_bytes())
            .map_err(|unusable| in_row(&unusable.as_str()))?;
        raise(&mut record, now, *fresh);
        renewed.push(sealed(&keyring, &record)?);
    }
    renewed.iter().for_each(|row| rows.put(row));
    rows.write(file)?;
    let until = when::rfc3339(now.saturating_add(*fresh))?;
    let count = renewed.len();
    Ok(Output::new(
        format!("{count} records until {until}"),
        json!({ "records": count, "fresh_until": until }),
    ))
}

pub(super) fn opened(keyring: &Keyring, kid: &Kid, value: &[u8]) -> Result<Document, Failure> {
    let opened = Document::open(keyring, kid, value);
    opened.map(|(record, _)| record).map_err(|unusable| Failure::refused(unusable.as_str()))
}

/// A newer version of a record: a gate that has seen it takes no older one.
pub(super) fn raise(record: &mut Document, now: u64, fresh: u64) {
    record.version = record.version.saturating_add(1);
    record.fresh_until = now.saturating_add(fresh);
}
