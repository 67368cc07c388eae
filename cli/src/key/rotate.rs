//! `key rotate`: another secret for a key, the present ones ending after a grace.

use std::path::PathBuf;

use clap::Args;
use portcullis::mint;
use portcullis::record::{self, Document, SecretDocument};
use serde_json::json;

use super::attributes::sealed;
use super::stored::{opened, raise};
use crate::kv::{self, Rows};
use crate::output::{Failure, Output};
use crate::{machine, when};

#[derive(Args)]
pub(crate) struct Rotate {
    /// The key's public name.
    kid: String,
    /// Its present value as `wrangler kv key get` prints it, or a file of rows; `-` is standard
    /// input.
    #[arg(long, default_value = "-", value_name = "FILE")]
    from: PathBuf,
    /// The file of rows to put the new one into.
    #[arg(long, value_name = "FILE")]
    kv: PathBuf,
    /// How long the present secrets go on working.
    #[arg(long, value_parser = when::span, default_value = "7d", value_name = "SPAN")]
    grace: u64,
    /// How long KV's copy of the record is believed.
    #[arg(long, value_parser = when::span, default_value = "365d", value_name = "SPAN")]
    fresh: u64,
}

pub(super) fn rotate(arguments: Rotate) -> Result<Output, Failure> {
    let Rotate { kid, from, kv, grace, fresh } = arguments;
    let kid = super::kid(&kid)?;
    let keyring = machine::root_of_environment()?;
    let (root, now) = (keyring.newest(), machine::now()?);
    let mut record = opened(&keyring, &kid, &kv::value_of(&from, &record::kv_name(&kid))?)?;
    let generation = next_generation(&record)?;
    let minted = mint::another(root, &record.prefix, kid, generation, &machine::entropy()?)
        .ok_or_else(|| Failure::refused("the record has no valid prefix"))?;
    let end = now.saturating_add(grace);
    record.secrets.retain(|secret| secret.expires.is_none_or(|end| now < end));
    for secret in &mut record.secrets {
        secret.expires = Some(secret.expires.map_or(end, |own| own.min(end)));
    }
    record.secrets.push(SecretDocument::new(generation, root.version(), &minted.digest));
    raise(&mut record, now, fresh);
    let row = sealed(&keyring, &record)?;
    let mut file = Rows::read_or_empty(&kv)?;
    file.put(&row);
    file.write(&kv)?;
    let (key, until) = (minted.secret.expose(), when::rfc3339(end)?);
    let json = json!({
        "kid": record.kid, "key": key, "version": record.version,
        "old_secrets_expire": until, "rows": [kv::to_json(&row)],
    });
    let lost = format!("key {} has a secret now that nobody has: rotate it again", record.kid);
    Ok(Output::new(key.to_owned(), json)
        .or_lost(lost)
        .note(format!("kid {}; its earlier secrets end at {until}", record.kid))
        .note(format!("put into {0}; to be stored: wrangler kv bulk put {0} --binding KEYS --remote", kv.display()))
        .note("hand it out once KV has it: until then, and typically 60–120 s longer, it is answered 401"))
}

fn next_generation(record: &Document) -> Result<u8, Failure> {
    let newest = record.secrets.iter().map(|secret| secret.generation).max();
    let next = newest.map_or(0, |newest| newest.saturating_add(1));
    if next > MAX_GENERATION {
        return Err(Failure::refused("the key has had all of its 32 secrets; mint another key"));
    }
    Ok(next)
}

const MAX_GENERATION: u8 = 31;
