//! Keys to try things with, derived from a seed, so that the same seed gives the
//! same keys and their records can be written afresh.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use portcullis::crypto::MacKey;
use portcullis::imported::{Pointer, PointerId};
use portcullis::key::{Kid, Workspace};
use portcullis::mint;
use portcullis::record::{self, Document, KeyType, SecretDocument, SignatureMode, Status};
use portcullis::root::RootKeys;
use portcullis::seal;

/// A KV name and its value.
pub type Row = (String, Vec<u8>);

/// Everything in which a key of the demo differs from the next.
#[derive(Clone, Copy, Debug)]
pub struct Spec<'a> {
    /// Its name in the ready line.
    pub name: &'a str,
    /// Scopes.
    pub scopes: &'a [&'a str],
    /// Changes to the ordinary record.
    pub change: fn(&mut Document, u64),
}

/// A native key and its record.
///
/// # Errors
/// If a scope is not one.
pub fn native(
    root: &RootKeys,
    seed: &[u8; 32],
    spec: &Spec<'_>,
    now: u64,
) -> Result<(String, Document)> {
    let workspace = Workspace::parse(WORKSPACE).context("workspace")?;
    let random = MacKey::new(seed).mac(&[spec.name.as_bytes()]);
    let entropy = random.as_bytes().first_chunk().context("22 bytes")?;
    let minted = mint::native(root, "ak", workspace, entropy).context("prefix")?;
    let mut document = Document {
        v: 1,
        kid: minted.kid.to_string(),
        name: spec.name.replace('_', " "),
        kind: KeyType::Service,
        subject: None,
        prefix: "ak".to_owned(),
        created: now,
        not_before: None,
        expires: None,
        status: Status::Active,
        scopes: serde_json::from_value(serde_json::json!(spec.scopes))?,
        bindings: BTreeMap::new(),
        ips: None,
        tier: None,
        limits: None,
        signature: SignatureMode::None,
        secrets: vec![SecretDocument::new(0, root.version(), &minted.digest)],
        version: 1,
        fresh_until: now + FRESH_SECONDS,
    };
    (spec.change)(&mut document, now);
    Ok((minted.secret.expose().to_owned(), document))
}

/// A key as `openssl rand -base64 32` makes one, its record and pointer.
///
/// # Errors
/// As [`native`].
pub fn imported(
    root: &RootKeys,
    seed: &[u8; 32],
    spec: &Spec<'_>,
    now: u64,
) -> Result<(String, [Row; 2])> {
    let (_, mut document) = native(root, seed, spec, now)?;
    let text = openssl_like(seed, spec.name);
    let digest = mint::imported_digest_of(root, &text);
    document.secrets = vec![SecretDocument::new(0, root.version(), &digest)];
    let id = PointerId::of(root, &text);
    let kid = Kid::parse(&document.kid).context("kid")?;
    let pointer = (id.kv_name(), Pointer { kid }.seal(root, &id).into_bytes());
    Ok((text, [sealed(root, &document)?, pointer]))
}

/// A record's KV name and value.
///
/// # Errors
/// If it cannot be serialised.
pub fn sealed(root: &RootKeys, document: &Document) -> Result<Row> {
    let kid = Kid::parse(&document.kid).context("kid")?;
    let name = record::kv_name(&kid);
    let value = seal::seal(root, &name, &serde_json::to_string(document)?);
    Ok((name, value.into_bytes()))
}

/// A text as `openssl rand -base64 32` prints one.
#[must_use]
pub fn openssl_like(seed: &[u8; 32], name: &str) -> String {
    let random = MacKey::new(seed).mac(&[b"text of ", name.as_bytes()]);
    data_encoding::BASE64.encode(random.as_bytes())
}

/// The workspace of every such key.
pub const WORKSPACE: &str = "DEM0WS";
const FRESH_SECONDS: u64 = 7 * 24 * 3600;
