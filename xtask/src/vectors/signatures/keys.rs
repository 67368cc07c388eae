//! The keys whose requests are signed in the vectors.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use portcullis::key::Kid;
use portcullis::record::{Document, SignatureMode, Status};
use portcullis::root::Keyring;
use portcullis::signature::SigningSecret;
use serde::Serialize;
use serde_json::{Value, json};

use super::Version;
use crate::keys::sealed;
use crate::vectors::specs::ALL;
use crate::vectors::{PAST, WORKSPACE, mint, spec};

/// The keys of a version's cases.
#[derive(Debug)]
pub struct Keys {
    pub(super) all: BTreeMap<&'static str, Key>,
    keyring: Keyring,
}

/// A key.
#[derive(Debug, Serialize)]
pub(super) struct Key {
    pub(super) kid: String,
    /// Its text.
    pub(super) key: String,
    mode: SignatureMode,
    /// How requests are signed.
    signing: Value,
    /// The texts of the signing secrets by their generation; of one more than there are, too.
    pub(super) secrets: Vec<String>,
    #[serde(skip)]
    document: Document,
}

impl Keys {
    /// The keys of the cases of a version at a second.
    ///
    /// # Errors
    /// If one cannot be made.
    pub fn new(version: Version, now: u64) -> Result<Self> {
        let mut keys =
            Self { all: BTreeMap::new(), keyring: Keyring::parse(&super::super::root())? };
        let newest = [generation(0, 2, None)];
        let rotated = [
            generation(0, 2, Some(now - 1000)),
            generation(1, 2, Some(now + 1000)),
            generation(2, 2, None),
        ];
        let edges =
            [generation(0, 2, Some(now)), generation(1, 2, Some(now + 1)), generation(2, 2, None)];
        use SignatureMode::{Only, Optional, Required};
        let own = [HOST];
        for (name, mode, hosts, nonce, secrets) in [
            ("only", Only, &own[..], false, &newest[..]),
            ("second", Only, &own, false, &newest),
            ("required", Required, &own, false, &newest),
            ("optional", Optional, &own, false, &newest),
            ("none", SignatureMode::None, &own, false, &newest),
            ("nonce", Only, &own, true, &newest),
            ("rotated", Only, &own, false, &rotated),
            ("edges", Only, &own, false, &edges),
            ("old_root", Only, &own, false, &[generation(0, 1, None)]),
            ("elsewhere", Only, &["other.test"], false, &newest),
            ("hosts", Only, &[HOST, "localhost"], false, &newest),
            ("nowhere", Only, &[], false, &newest),
            ("unsecret", Only, &own, false, &[]),
            ("revoked", Only, &own, false, &newest),
            ("disabled", Only, &own, false, &newest),
            ("expired", Only, &own, false, &newest),
            ("unscoped", Only, &own, false, &newest),
        ] {
            // Version 2 covers the host and always has a nonce.
            let (hosts, nonce) = match version {
                Version::V1 => (hosts, nonce),
                Version::V2 => (&[][..], false),
            };
            let signing = signing(version, hosts, nonce, secrets);
            keys.add(version, name, mode, signing)?;
        }
        let (other, hosts) = match version {
            Version::V1 => (Version::V2, &[][..]),
            Version::V2 => (Version::V1, &own[..]),
        };
        keys.add(version, "other_version", Only, signing(other, hosts, false, &newest))?;
        keys.add(version, "unsigned", Only, Value::Null)?;
        for name in ["revoked", "disabled", "expired", "unscoped"] {
            let document = &mut keys.all.get_mut(name).context("key")?.document;
            match name {
                "revoked" => document.status = Status::Revoked,
                "disabled" => document.status = Status::Disabled,
                "expired" => document.expires = Some(PAST),
                _ => document.scopes = serde_json::from_value(json!(["agents:read"]))?,
            }
        }
        Ok(keys)
    }

    fn add(
        &mut self,
        version: Version,
        name: &'static str,
        mode: SignatureMode,
        signing: Value,
    ) -> Result<()> {
        let root = self.keyring.newest();
        let of = match version {
            Version::V1 => "v1",
            Version::V2 => "v2",
        };
        let (key, mut document) = mint(root, "ak", &spec(&format!("signed_{of}_{name}"), ALL))?;
        document.signature = mode;
        document.signing = serde_json::from_value(signing.clone())?;
        let kid = Kid::parse(&document.kid).context("kid")?;
        let listed = signing["secrets"].as_array();
        let secret = |generation: u8| {
            let own = listed.and_then(|all| all.iter().find(|own| own["generation"] == generation));
            let version = own.map_or(&Value::Null, |own| &own["root"]).as_u64().unwrap_or(2);
            let root = self.keyring.version(version.try_into()?).context("root")?;
            Ok(SigningSecret::derive(root, "ak", kid, generation).expose().to_owned())
        };
        let count = listed.map_or(0, Vec::len);
        let secrets = (0..=u8::try_from(count)?).map(secret).collect::<Result<_>>()?;
        let kid = document.kid.clone();
        self.all.insert(name, Key { kid, key, mode, signing, secrets, document });
        Ok(())
    }

    /// A key's name in requests.
    pub(super) fn kid(&self, name: &str) -> String {
        self.all.get(name).map(|key| key.kid.clone()).unwrap_or_default()
    }

    /// Its text.
    pub(super) fn text(&self, name: &str) -> String {
        self.all.get(name).map(|key| key.key.clone()).unwrap_or_default()
    }

    /// Its signing secret of a generation.
    pub(super) fn secret(&self, name: &str, generation: usize) -> String {
        let secret = self.all.get(name).and_then(|key| key.secrets.get(generation));
        secret.cloned().unwrap_or_default()
    }

    /// Their rows in KV.
    ///
    /// # Errors
    /// If one cannot be sealed.
    pub fn rows(&self) -> Result<BTreeMap<String, String>> {
        let row = |key: &Key| {
            let (name, value) = sealed(self.keyring.newest(), &key.document)?;
            Ok((name, String::from_utf8(value)?))
        };
        self.all.values().map(row).collect()
    }

    /// Their documents, for the Workspace.
    pub fn documents(&self) -> Vec<Document> {
        self.all.values().map(|key| key.document.clone()).collect()
    }

    /// The number of that Workspace.
    #[must_use]
    pub const fn workspace(&self) -> &'static str {
        WORKSPACE
    }
}

fn signing(version: Version, hosts: &[&str], nonce: bool, secrets: &[Value]) -> Value {
    let mut signing = json!({ "version": version, "secrets": secrets });
    if !hosts.is_empty() {
        signing["hosts"] = json!(hosts);
    }
    if nonce {
        signing["nonce"] = json!(true);
    }
    signing
}

fn generation(generation: u8, root: u16, expires: Option<u64>) -> Value {
    let mut own = json!({ "generation": generation, "root": root });
    if let Some(end) = expires {
        own["expires"] = json!(end);
    }
    own
}

/// Of requests, unless they say otherwise.
pub(super) const HOST: &str = "api.test";
