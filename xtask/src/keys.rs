//! Keys to try things with, derived from a seed, so that the same seed gives the
//! same keys and their records can be written afresh.

use anyhow::{Context, Result};
use portcullis::crypto::MacKey;
use portcullis::imported::PointerId;
use portcullis::key::{Kid, Workspace};
use portcullis::mint;
use portcullis::record::{Document, SecretDocument};
use portcullis::root::RootKeys;
use portcullis::scope::Grants;
use portcullis::signature::SigningSecret;

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
    let secret = SecretDocument::new(0, root.version(), &minted.digest);
    let mut document = Document::new(&minted.kid, "ak", secret, now);
    document.name = spec.name.replace('_', " ");
    document.scopes = Grants::parse(spec.scopes.iter().copied())?;
    (spec.change)(&mut document, now);
    Ok((minted.secret.expose().to_owned(), document))
}

/// What signs the requests of a key: its newest secret, if they are signed.
#[must_use]
pub fn signing(root: &RootKeys, document: &Document) -> Option<SigningSecret> {
    let newest = document.signing.as_ref()?.secrets.last()?;
    let kid = Kid::parse(&document.kid)?;
    Some(SigningSecret::derive(root, &document.prefix, kid, newest.generation))
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
) -> Result<(String, Document, [Row; 2])> {
    let (_, mut document) = native(root, seed, spec, now)?;
    let text = openssl_like(seed, spec.name);
    let digest = mint::imported_digest_of(root, &text);
    document.secrets = vec![SecretDocument::new(0, root.version(), &digest)];
    let id = PointerId::of(root, &text);
    let kid = Kid::parse(&document.kid).context("kid")?;
    let rows = [sealed(root, &document)?, row(mint::Row::of_pointer(root, &id, kid))];
    Ok((text, document, rows))
}

/// A record's KV name and value.
///
/// # Errors
/// If it cannot be serialised.
pub fn sealed(root: &RootKeys, document: &Document) -> Result<Row> {
    document.row(root).map(row).context("kid")
}

fn row(row: mint::Row) -> Row {
    (row.name, row.value.into_bytes())
}

/// A text as `openssl rand -base64 32` prints one.
#[must_use]
pub fn openssl_like(seed: &[u8; 32], name: &str) -> String {
    let random = MacKey::new(seed).mac(&[b"text of ", name.as_bytes()]);
    data_encoding::BASE64.encode(random.as_bytes())
}

/// The workspace of every such key.
pub const WORKSPACE: &str = "DEM0WS";
