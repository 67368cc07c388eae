//! Making keys: the one place where a secret's plain text exists, and only to be
//! handed over once. Entropy comes in; nothing here asks the machine for it.

use core::fmt;

use crate::crypto::{self, Digest};
use crate::key::{self, Kid, Place, Workspace};
use crate::root::RootKeys;

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
