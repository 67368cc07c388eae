//! Whose reports of leaked keys are believed.

use serde::{Deserialize, Serialize};

use super::{ClaimText, JwksUrl};
use crate::pem;

/// The keys of a secret scanner: those that it publishes, and those written down here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeakReports {
    /// Where it publishes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_url: Option<JwksUrl>,
    /// Those that are known whatever it publishes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<ScannerKey>,
}

/// One of them, by the name it has in reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScannerKey {
    /// `Github-Public-Key-Identifier`.
    pub id: ClaimText,
    /// The key.
    pub pem: PublicKeyPem,
}

/// A P-256 public key in PEM (RFC 7468).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKeyPem(Box<str>);

impl PublicKeyPem {
    /// Reads the text.
    ///
    /// # Errors
    /// [`BadKey`].
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        if pem::p256_point(text).is_some() { Ok(Self(text.into())) } else { Err(BadKey) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PublicKeyPem {
    type Error = BadKey;

    fn try_from(text: String) -> Result<Self, BadKey> {
        Self::parse(&text)
    }
}

impl From<PublicKeyPem> for String {
    fn from(key: PublicKeyPem) -> Self {
        key.0.into()
    }
}

/// A text is no such key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadKey;

impl core::fmt::Display for BadKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a scanner's key is a P-256 public key in PEM: -----BEGIN PUBLIC KEY-----")
    }
}

impl core::error::Error for BadKey {}
