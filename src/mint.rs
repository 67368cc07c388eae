//! Making keys: the one place where a secret's plain text exists, and only to be
//! handed over once. Entropy comes in; nothing here asks the machine for it.

use core::fmt;
use std::collections::BTreeMap;

use crate::crypto::{self, Digest};
use crate::imported::{Pointer, PointerId};
use crate::key::{self, Kid, Place, Workspace};
use crate::record::{self, Document, KeyType, SecretDocument, SignatureMode, Status};
use crate::root::RootKeys;
use crate::scope::Grants;
use crate::seal;

/// A key's plain text. Shown once by whoever minted it; it has no `Display`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The text itself. Call it where the key is handed to its owner, nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A new native key: what its owner gets and what is stored.
#[derive(Debug)]
pub struct Minted {
    /// Its public name.
    pub kid: Kid,
    /// For its owner, once.
    pub secret: Secret,
    /// For the record.
    pub digest: Digest,
}

/// Mints a key of generation 0 under `root`.
///
/// `entropy` must be fresh random bytes. The prefix must satisfy
/// [`key::is_prefix`], else `None`.
#[must_use]
pub fn native(
    root: &RootKeys,
    prefix: &str,
    workspace: Workspace,
    entropy: &[u8; 22],
) -> Option<Minted> {
    if !key::is_prefix(prefix) {
        return None;
    }
    let [a, b, c, d, e, random @ ..] = *entropy;
    let kid = Kid::new(root, Place::ANYWHERE, workspace, [a, b, c, d, e]);
    another(root, prefix, kid, 0, &random)
}

/// Mints one more secret of the key `kid`: a rotation. `generation` is 0–31.
///
/// `entropy` must be fresh random bytes. The prefix must satisfy
/// [`key::is_prefix`], else `None`.
#[must_use]
pub fn another(
    root: &RootKeys,
    prefix: &str,
    kid: Kid,
    generation: u8,
    entropy: &[u8; 17],
) -> Option<Minted> {
    if !key::is_prefix(prefix) {
        return None;
    }
    let secret = key::spell(root, prefix, kid, generation, entropy);
    let digest = root.digest(secret.as_bytes());
    Some(Minted { kid, secret: Secret(secret), digest })
}

/// The kid of a key that was not minted here. `entropy` must be fresh random bytes.
#[must_use]
pub fn kid(root: &RootKeys, workspace: Workspace, entropy: [u8; 5]) -> Kid {
    Kid::new(root, Place::ANYWHERE, workspace, entropy)
}

/// The digest under which an imported or environment key is stored, from the
/// SHA-256 of its text.
#[must_use]
pub fn imported_digest(root: &RootKeys, sha256: &[u8; 32]) -> Digest {
    root.digest(sha256)
}

/// The same from the text.
#[must_use]
pub fn imported_digest_of(root: &RootKeys, text: &str) -> Digest {
    imported_digest(root, &crypto::sha256(text.as_bytes()))
}

/// A name in KV and what is stored under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name.
    pub name: String,
    /// The sealed value.
    pub value: String,
}

impl Row {
    /// The row by which an imported key is found.
    #[must_use]
    pub fn of_pointer(root: &RootKeys, id: &PointerId, kid: Kid) -> Self {
        Self { name: id.kv_name(), value: Pointer { kid }.seal(root, id) }
    }
}

impl Document {
    /// The first record of a key: of type service, active, without a scope, to be
    /// believed for [`FRESH_SECONDS`] from `now` on.
    #[must_use]
    pub fn new(kid: &Kid, prefix: &str, secret: SecretDocument, now: u64) -> Self {
        Self {
            v: 1,
            kid: kid.to_string(),
            name: String::new(),
            kind: KeyType::Service,
            subject: None,
            prefix: prefix.to_owned(),
            created: now,
            not_before: None,
            expires: None,
            status: Status::Active,
            scopes: Grants::default(),
            bindings: BTreeMap::new(),
            ips: None,
            tier: None,
            limits: None,
            signature: SignatureMode::None,
            signing: None,
            secrets: vec![secret],
            version: 1,
            fresh_until: now.saturating_add(FRESH_SECONDS),
        }
    }

    /// The row under which it is stored; `None` if its kid is not one.
    #[must_use]
    pub fn row(&self, root: &RootKeys) -> Option<Row> {
        let name = record::kv_name(&Kid::parse(&self.kid)?);
        let value = seal::seal(root, &name, &serde_json::to_string(self).ok()?);
        Some(Row { name, value })
    }
}

/// How long a copy of a record is believed unless its writer says otherwise: 7 days.
pub const FRESH_SECONDS: u64 = 7 * 24 * 3600;
