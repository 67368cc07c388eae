//! `key import`: an existing secret becomes a key.

use clap::Args;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use portcullis::crypto;
use portcullis::imported::PointerId;
use portcullis::key;
use portcullis::mint::{self, Row};
use portcullis::record::SecretDocument;

use super::attributes::{Attributes, sealed};
use super::mint::{describe, pairs, told};
use crate::machine;
use crate::output::{Failure, Output};

#[derive(Args)]
pub(crate) struct Import {
    /// The SHA-256 of its text, in hex, base64 or base64url, in place of the text.
    #[arg(long, value_name = "DIGEST")]
    sha256: Option<String>,
    #[command(flatten)]
    attributes: Attributes,
}

/// Reads the text from standard input, so the root must be in the environment.
pub(super) fn import(Import { sha256, attributes }: Import) -> Result<Output, Failure> {
    let keyring = machine::root_of_environment()?;
    let sha256 = match sha256 {
        Some(digest) => parse_digest(&digest)?,
        None => crypto::sha256(checked(&attributes)?.as_bytes()),
    };
    let (root, now) = (keyring.newest(), machine::now()?);
    let kid = mint::kid(root, attributes.workspace, machine::entropy()?);
    let digest = mint::imported_digest(root, &sha256);
    let record = attributes.document(&kid, SecretDocument::new(0, root.version(), &digest), now)?;
    let pointer = Row::of_pointer(root, &PointerId::of_sha256(root, &sha256), kid);
    let rows = [sealed(&keyring, &record)?, pointer];
    attributes.store(&rows)?;
    let text = match &attributes.kv {
        Some(_) => kid.to_string(),
        None => pairs(&rows),
    };
    told(Output::new(text, describe(&record, &rows)?), &record, &attributes)
}

/// The text, if the gate could ever recognise it.
fn checked(attributes: &Attributes) -> Result<String, Failure> {
    let text = machine::stdin_text("the key's text")?;
    if key::KeyText::recognise(&text).is_some() {
        return Err(Failure::refused(
            "the text has the form of a native key, which is never looked up as an imported one",
        ));
    }
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    if !visible || !(16..=256).contains(&text.len()) {
        return Err(Failure::refused(
            "an importable text has 16 to 256 visible ASCII characters and no comma",
        ));
    }
    let policy = attributes.policy(false)?;
    let fits = |policy: &portcullis::policy::Document| {
        policy.imports.iter().any(|shape| shape.matches(&text))
    };
    if policy.is_some_and(|policy| !fits(&policy)) {
        return Err(Failure::refused("the text has no shape of the policy's [[imports]]"));
    }
    Ok(text)
}

/// 64 hex digits, or 32 bytes in base64 or base64url. What stood there is not repeated.
fn parse_digest(text: &str) -> Result<[u8; 32], Failure> {
    let bytes = match text.len() {
        64 => HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok(),
        44 => BASE64.decode(text.as_bytes()).ok(),
        43 => BASE64URL_NOPAD.decode(text.as_bytes()).ok(),
        _ => None,
    };
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
        Failure::usage("--sha256: 64 hex digits, 44 characters of base64, or 43 of base64url")
    })
}
