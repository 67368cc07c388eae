//! Signing secrets: derived from the root, so that nothing recoverable is stored, and shown once.

use core::fmt;

use crate::crypto::MacKey;
use crate::key::{self, Kid};
use crate::root::RootKeys;

/// A signing secret's text, whose ASCII bytes are the HMAC key:
/// `<prefix>_sign_<kid>_<generation>_<52 symbols><7 symbols of checksum>`.
#[derive(Clone)]
pub struct SigningSecret(String);

impl SigningSecret {
    /// The secret of a generation (0–31) of a key, under one version of the root. `prefix` is the key's.
    #[must_use]
    pub fn derive(root: &RootKeys, prefix: &str, kid: Kid, generation: u8) -> Self {
        Self(key::spell_signing(prefix, kid, generation, &root.signing(kid, generation)))
    }

    /// The text itself. Call it where it is handed to its owner or signs, nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The key that signs.
    #[must_use]
    pub fn mac_key(&self) -> MacKey {
        MacKey::new(self.0.as_bytes())
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(..)")
    }
}
