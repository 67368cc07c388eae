//! A key's record: what KV holds of it and what the gate reads.
//!
//! Stored as JSON that an operator can read, inside a [`crate::seal`] envelope.
//! A record with a field this version does not know is refused: the field might
//! be a restriction.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::address::Allowlist;
use crate::assertion::Preambles;
use crate::crypto::{Digest, MacKey};
use crate::encoding;
use crate::json;
use crate::key::{self, Kid, Workspace};
use crate::policy::{Limits, StaticKey, Tier};
use crate::root::Keyring;
use crate::scope::Grants;
use crate::seal;
use crate::signature::{Generation, Signing, SigningSecret};

/// The KV name of a key's record.
#[must_use]
pub fn kv_name(kid: &Kid) -> String {
    format!("k1:{kid}")
}

/// A record as it is stored. Times are Unix seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Schema version: 1.
    pub v: u8,
    /// The key's public name.
    pub kid: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Personal, service, project or temporary.
    #[serde(rename = "type")]
    pub kind: KeyType,
    /// Whose key it is; visible ASCII. Personal keys only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The prefix its text must begin with.
    pub prefix: String,
    /// When it was created.
    pub created: u64,
    /// The first second in which it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u64>,
    /// The first second in which it works no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// Whether it may be used.
    pub status: Status,
    /// What it may do.
    pub scopes: Grants,
    /// Route parameter to the values this key may name there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bindings: BTreeMap<String, Vec<String>>,
    /// Networks it may be used from; absent means from anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ips: Option<Allowlist>,
    /// The policy's tier that limits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Its own limits, instead of a tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// How requests with it are signed.
    #[serde(default, skip_serializing_if = "SignatureMode::is_none")]
    pub signature: SignatureMode,
    /// By what its requests are signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<Signing>,
    /// Its secrets, several while one replaces another.
    pub secrets: Vec<SecretDocument>,
    /// Rises with every change.
    pub version: u64,
    /// After this second the copy is too old to be believed.
    pub fresh_until: u64,
}

impl Document {
    /// Opens the KV value of `kid`: the document and the length of its JSON. What the
    /// document says is not checked; that is [`Record::open`].
    ///
    /// # Errors
    /// [`Unusable::TooLarge`], [`Unusable::Mac`] or [`Unusable::Schema`].
    pub fn open(keyring: &Keyring, kid: &Kid, value: &[u8]) -> Result<(Self, usize), Unusable> {
        if value.len() > MAX_BYTES {
            return Err(Unusable::TooLarge);
        }
        let json = seal::open(keyring, &kv_name(kid), value).map_err(|_| Unusable::Mac)?;
        let document = Self::read(json).ok_or(Unusable::Schema)?;
        Ok((document, json.len()))
    }

    /// Reads the JSON of a document; `None` if it is not one.
    #[must_use]
    pub fn read(json: &[u8]) -> Option<Self> {
        json::read(json)
    }
}

/// One secret of a key, as stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretDocument {
    /// 0–31; rises with each rotation.
    pub generation: u8,
    /// The root version that made the digest.
    pub root: u16,
    /// HMAC-SHA-256 under `k_tag`, 64 lower-case hex digits.
    pub digest: String,
    /// The first second in which this secret works no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

impl SecretDocument {
    /// A secret without an end.
    #[must_use]
    pub fn new(generation: u8, root: u16, digest: &Digest) -> Self {
        Self { generation, root, digest: encoding::hex(digest.as_bytes()), expires: None }
    }
}

/// What kind of bearer a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyType {
    /// A person's; carries a subject.
    Personal,
    /// A program's.
    Service,
    /// Bound to one project by the binding `project_id`.
    Project,
    /// Must expire.
    Temporary,
}

impl KeyType {
    /// The word in `X-Portcullis-Type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Service => "service",
            Self::Project => "project",
            Self::Temporary => "temporary",
        }
    }
}

/// Whether a key may be used at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It may.
    Active,
    /// Not at present.
    Disabled,
    /// Held back on suspicion of a leak.
    Quarantined,
    /// Never again.
    Revoked,
}

impl Status {
    const ALL: [Self; 4] = [Self::Active, Self::Disabled, Self::Quarantined, Self::Revoked];

    /// The word in a record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Quarantined => "quarantined",
            Self::Revoked => "revoked",
        }
    }

    /// Reads that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// How requests with a key are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureMode {
    /// Signatures are ignored.
    #[default]
    None,
    /// A signature is checked if there is one.
    Optional,
    /// Secret and signature.
    Required,
    /// Signature alone; the secret is refused.
    Only,
}

impl SignatureMode {
    /// Reads the word of a record.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "optional" => Some(Self::Optional),
            "required" => Some(Self::Required),
            "only" => Some(Self::Only),
            _ => None,
        }
    }

    /// The word of a record.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Optional => "optional",
            Self::Required => "required",
            Self::Only => "only",
        }
    }

    const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// A record as the gate reads it: checked once, when it arrives.
#[derive(Debug)]
pub struct Record {
    pub(crate) id: String,
    pub(crate) workspace: Workspace,
    pub(crate) prefix: String,
    pub(crate) kind: KeyType,
    pub(crate) subject: Option<String>,
    pub(crate) status: Status,
    pub(crate) not_before: Option<u64>,
    pub(crate) expires: Option<u64>,
    pub(crate) grants: Grants,
    /// `grants` as the origin reads them: separated by spaces.
    pub(crate) scopes: String,
    pub(crate) bindings: BTreeMap<String, Vec<String>>,
    pub(crate) ips: Option<Allowlist>,
    pub(crate) limits: Option<Limits>,
    pub(crate) signature: SignatureMode,
    pub(crate) signing: Option<Signing>,
    pub(crate) secrets: Vec<StoredSecret>,
    pub(crate) version: u64,
    pub(crate) fresh_until: u64,
    pub(crate) bytes: usize,
    /// What its requests are signed by, and the first second in which that signs no more.
    signing_keys: OnceCell<Vec<(Option<u64>, MacKey)>>,
    /// The beginnings of assertions about this key.
    pub(crate) preambles: Preambles,
}

#[derive(Debug)]
pub(crate) struct StoredSecret {
    pub(crate) generation: u8,
    pub(crate) root: u16,
    pub(crate) digest: Digest,
    pub(crate) expires: Option<u64>,
}

impl Record {
    /// Reads the KV value of `kid`.
    ///
    /// # Errors
    /// Why it may not be used. The gate then cannot decide; it does not refuse the key.
    pub fn open(
        keyring: &Keyring,
        kid: &Kid,
        tiers: &[Tier],
        value: &[u8],
    ) -> Result<Self, Unusable> {
        let (document, bytes) = Document::open(keyring, kid, value)?;
        // Parsed and indexed, a text takes about four times its size.
        Self::check(document, kid, tiers, bytes.saturating_mul(4))
    }

    /// The record of an environment key: always active, limited by nothing.
    pub(crate) fn of_environment(key: &StaticKey, workspace: Workspace) -> Self {
        Self {
            id: format!("env:{}", key.name.as_str()),
            workspace,
            prefix: String::new(),
            kind: KeyType::Service,
            subject: None,
            status: Status::Active,
            not_before: None,
            expires: None,
            scopes: key.scopes.to_string(),
            grants: key.scopes.clone(),
            bindings: key.bindings.clone(),
            ips: key.ips.clone(),
            limits: None,
            signature: SignatureMode::None,
            signing: None,
            secrets: Vec::new(),
            version: 0,
            fresh_until: u64::MAX,
            bytes: 0,
            signing_keys: OnceCell::new(),
            preambles: Preambles::default(),
        }
    }

    /// The keys by which its requests are signed, also those that have ended, each with its end.
    pub(crate) fn signing_keys(&self, keyring: &Keyring, kid: Kid) -> &[(Option<u64>, MacKey)] {
        self.signing_keys.get_or_init(|| {
            let derive = |own: &Generation| {
                let root = keyring.version(own.root)?;
                let secret = SigningSecret::derive(root, &self.prefix, kid, own.generation);
                Some((own.expires, secret.mac_key()))
            };
            self.signing.iter().flat_map(|signing| &signing.secrets).filter_map(derive).collect()
        })
    }

    fn check(
        document: Document,
        kid: &Kid,
        tiers: &[Tier],
        bytes: usize,
    ) -> Result<Self, Unusable> {
        let visible = |text: &String| text.bytes().all(|byte| byte.is_ascii_graphic());
        let expects_subject = document.kind == KeyType::Personal;
        let well_formed = document.v == 1
            && document.kid == kid.as_str()
            && key::is_prefix(&document.prefix)
            && document.subject.is_some() == expects_subject
            && document.subject.iter().all(visible)
            && (document.kind != KeyType::Temporary || document.expires.is_some())
            && (document.kind != KeyType::Project || document.bindings.contains_key("project_id"))
            && !(document.tier.is_some() && document.limits.is_some());
        if !well_formed {
            return Err(Unusable::Schema);
        }
        let limits = match &document.tier {
            Some(name) => {
                let tier = tiers.iter().find(|tier| tier.name.as_str() == name);
                Some(tier.ok_or(Unusable::UnknownTier)?.limits)
            }
            None => document.limits,
        };
        let secrets = document.secrets.iter().map(stored_secret).collect::<Option<_>>();
        Ok(Self {
            id: document.kid,
            workspace: kid.workspace(),
            prefix: document.prefix,
            kind: document.kind,
            subject: document.subject,
            status: document.status,
            not_before: document.not_before,
            expires: document.expires,
            scopes: document.scopes.to_string(),
            grants: document.scopes,
            bindings: document.bindings,
            ips: document.ips,
            limits,
            signature: document.signature,
            signing: document.signing,
            secrets: secrets.ok_or(Unusable::Schema)?,
            version: document.version,
            fresh_until: document.fresh_until,
            bytes,
            signing_keys: OnceCell::new(),
            preambles: Preambles::default(),
        })
    }
}

/// Why a stored record may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Larger than any record.
    TooLarge,
    /// Its MAC does not hold.
    Mac,
    /// Not the JSON of schema version 1, or for another key.
    Schema,
    /// It names a tier that the policy does not have.
    UnknownTier,
    /// Older than a copy seen before, or past its `fresh_until`.
    Stale,
}

impl Unusable {
    /// For the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "larger than any record",
            Self::Mac => "its MAC does not hold",
            Self::Schema => "not a record of schema version 1",
            Self::UnknownTier => "its tier is not in the policy",
            Self::Stale => "an old copy",
        }
    }
}

fn stored_secret(secret: &SecretDocument) -> Option<StoredSecret> {
    let digest = encoding::from_hex(&secret.digest)?;
    let digest = Digest::from_bytes(digest.try_into().ok()?);
    let SecretDocument { generation, root, expires, .. } = *secret;
    Some(StoredSecret { generation, root, digest, expires })
}

/// A record is about 600 bytes; with full lists a few KiB.
const MAX_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        let modes = ["none", "optional", "required", "only"].map(SignatureMode::parse);
        let words = ["none", "optional", "required", "only"].map(Some);
        assert_eq!(modes.map(|mode| mode.map(SignatureMode::as_str)), words);
        assert_eq!(Status::ALL.map(|own| Status::parse(own.as_str())), Status::ALL.map(Some));
        assert_eq!((SignatureMode::parse("all"), Status::parse("all")), (None, None));
    }

    #[test]
    fn a_value_has_16_kib_at_most() {
        let keyring = Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        let kid = Kid::parse("0DEM0WS7K2M9QXTAG120").unwrap();
        let secret = SecretDocument::new(0, 1, &Digest::from_bytes([7; 32]));
        let open = |name: usize| {
            let document = Document::new(&kid, "ak", secret.clone(), 0);
            let document = Document { name: "a".repeat(name), ..document };
            let value = document.row(keyring.newest()).unwrap().value;
            (value.len(), Document::open(&keyring, &kid, value.as_bytes()).err())
        };
        let most = 16_384 - open(1).0 + 1;
        assert_eq!(open(most), (16_384, None));
        assert_eq!(open(most + 1), (16_385, Some(Unusable::TooLarge)));
        assert_eq!(Unusable::TooLarge.as_str(), "larger than any record");
    }
}
