//! `key mint`.

use clap::Args;
use portcullis::mint::{self, Row};
use portcullis::record::{Document, SecretDocument};
use serde_json::{Value, json};

use super::attributes::{Attributes, sealed};
use crate::output::{Failure, Output};
use crate::{kv, machine, when};

#[derive(Args)]
pub(crate) struct Mint {
    #[command(flatten)]
    attributes: Attributes,
}

/// Reads the root from the environment or standard input.
pub(super) fn mint(Mint { attributes }: Mint) -> Result<Output, Failure> {
    let prefix = attributes.checked_prefix()?;
    let keyring = machine::root()?;
    let (root, now) = (keyring.newest(), machine::now()?);
    let minted = mint::native(root, prefix, attributes.workspace, &machine::entropy()?)
        .ok_or_else(|| Failure::usage("--prefix: not a prefix"))?;
    let secret = SecretDocument::new(0, root.version(), &minted.digest);
    let record = attributes.document(&minted.kid, secret, now)?;
    let rows = [sealed(&keyring, &record)?];
    attributes.store(&rows)?;
    let key = minted.secret.expose();
    let mut json = describe(&record, &rows)?;
    if let Some(fields) = json.as_object_mut() {
        fields.insert("key".to_owned(), key.into());
    }
    let text = match &attributes.kv {
        Some(_) => key.to_owned(),
        None => format!("{key}\n{}", pairs(&rows)),
    };
    let kid = &record.kid;
    let lost = match &attributes.kv {
        Some(path) => {
            format!("key {kid} is in {}, and nobody has its secret: mint another", path.display())
        }
        None => format!("nobody has the secret of key {kid}: mint another"),
    };
    told(Output::new(text, json).or_lost(lost), &record, &attributes)
}

/// A new key for programs.
pub(super) fn describe(record: &Document, rows: &[Row]) -> Result<Value, Failure> {
    let expires = record.expires.map(when::rfc3339).transpose()?;
    Ok(json!({
        "kid": record.kid,
        "scopes": record.scopes,
        "expires": expires,
        "fresh_until": when::rfc3339(record.fresh_until)?,
        "rows": rows.iter().map(kv::to_json).collect::<Vec<_>>(),
    }))
}

/// Rows as a file for `wrangler kv bulk put` holds them.
pub(super) fn pairs(rows: &[Row]) -> String {
    Value::from(rows.iter().map(kv::to_json).collect::<Vec<_>>()).to_string()
}

/// The words about a new key.
pub(super) fn told(
    output: Output,
    record: &Document,
    attributes: &Attributes,
) -> Result<Output, Failure> {
    let mut output = output.note(format!("kid {}", record.kid));
    if record.scopes.is_empty() {
        output = output.note("it has no scope: only routes with scope = \"none\" take it");
    }
    if let Some(path) = &attributes.kv {
        let path = path.display();
        output = output.note(format!(
            "added to {path}; it works once KV has it: wrangler kv bulk put {path} --binding KEYS --remote"
        ));
    }
    let until = when::rfc3339(record.fresh_until)?;
    Ok(output.note(format!("KV's copy is believed until {until}; `portcullis key renew` before")))
}
