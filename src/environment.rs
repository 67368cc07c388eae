//! Keys that come with the deployment: `PORTCULLIS_STATIC_KEYS=name:base64,…`.
//!
//! The policy gives each name its workspace and scopes. A name may stand twice,
//! with two keys: that is a rotation. KV is not asked.

use core::fmt;
use std::rc::Rc;

use crate::crypto::{self, Digest};
use crate::encoding;
use crate::key::Workspace;
use crate::policy::Policy;
use crate::record::Record;
use crate::root::Keyring;

/// Whether a text has the form of such a key.
#[must_use]
pub fn is_key(text: &str) -> bool {
    encoding::from_base64(text).is_some_and(|bytes| bytes.len() >= MIN_BYTES)
}

/// The environment's keys, by digest.
#[derive(Debug, Default)]
pub struct EnvironmentKeys {
    digests: Vec<Digest>,
    records: Vec<Rc<Record>>,
}

impl EnvironmentKeys {
    /// Reads the text of `PORTCULLIS_STATIC_KEYS`; empty means none.
    ///
    /// # Errors
    /// Which entry is wrong and how, never what stood there.
    pub fn parse(text: &str, policy: &Policy, keyring: &Keyring) -> Result<Self, BadEntry> {
        let mut keys = Self::default();
        if text.is_empty() {
            return Ok(keys);
        }
        for (at, entry) in text.split(',').enumerate() {
            let bad = |problem| BadEntry { at, problem };
            let (name, key) = entry.trim().split_once(':').ok_or(bad(Problem::Form))?;
            let static_key = policy
                .static_keys
                .iter()
                .find(|key| key.name.as_str() == name)
                .ok_or(bad(Problem::Name))?;
            let bytes = encoding::from_base64(key).ok_or(bad(Problem::Base64))?;
            if bytes.len() < MIN_BYTES {
                return Err(bad(Problem::Short));
            }
            if key.len() > MAX_TEXT {
                return Err(bad(Problem::Long));
            }
            let workspace =
                Workspace::parse(static_key.workspace.as_str()).ok_or(bad(Problem::Name))?;
            keys.digests.push(keyring.newest().digest(&crypto::sha256(key.as_bytes())));
            keys.records.push(Rc::new(Record::of_environment(static_key, workspace)));
        }
        Ok(keys)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// The key whose digest this is. Compares with every one, whatever it finds.
    #[must_use]
    pub fn find(&self, digest: &Digest) -> Option<&Rc<Record>> {
        self.records.get(digest.position(self.digests.iter())?)
    }
}

/// What is wrong with `PORTCULLIS_STATIC_KEYS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadEntry {
    /// Which entry, from 0.
    pub at: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Not `name:key`.
    Form,
    /// The policy has no static key of this name.
    Name,
    /// The key is not standard, padded base64.
    Base64,
    /// The key has fewer than 32 bytes.
    Short,
    /// The key's text is longer than any that is read from a request.
    Long,
}

impl fmt::Display for BadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.problem {
            Problem::Form => "is not name:base64",
            Problem::Name => "has a name that the policy does not list",
            Problem::Base64 => "is not base64",
            Problem::Short => "is shorter than 32 bytes",
            Problem::Long => "is longer than 256 characters",
        };
        write!(f, "PORTCULLIS_STATIC_KEYS: entry {} {problem}", self.at.saturating_add(1))
    }
}

impl core::error::Error for BadEntry {}

const MIN_BYTES: usize = 32;
const MAX_TEXT: usize = 256;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROOT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    /// The key of so many bytes.
    fn key(bytes: usize) -> String {
        encoding::base64(&vec![7; bytes])
    }

    fn read(text: &str) -> Result<EnvironmentKeys, String> {
        let policy = json!({
            "version": 1, "hosts": ["api.test"], "admin_host": "admin.test", "mode": "edge",
            "kv_timeout_ms": 500, "root_fingerprints": [], "origins": [], "tiers": [], "imports": [],
            "routes": [],
            "static_keys": [{"name": "worker", "workspace": "TEST00", "scopes": ["read"]}],
        });
        let policy = Policy::from_json(&policy.to_string()).unwrap();
        let keyring = Keyring::parse(ROOT).unwrap();
        EnvironmentKeys::parse(text, &policy, &keyring).map_err(|bad| bad.to_string())
    }

    #[test]
    fn a_key_has_32_bytes_at_least_and_256_characters_at_most() {
        assert_eq!([31, 32].map(|bytes| is_key(&key(bytes))), [false, true]);
        for bytes in [32, 192] {
            assert!(!read(&format!("worker:{}", key(bytes))).unwrap().is_empty(), "{bytes}");
        }
        let entry = "PORTCULLIS_STATIC_KEYS: entry";
        for (text, wrong) in [
            (format!("worker:{}", key(31)), format!("{entry} 1 is shorter than 32 bytes")),
            (format!("worker:{}", key(193)), format!("{entry} 1 is longer than 256 characters")),
            ("worker:?".to_owned(), format!("{entry} 1 is not base64")),
            (format!("worker:{},w", key(32)), format!("{entry} 2 is not name:base64")),
            (
                format!("w:{}", key(32)),
                format!("{entry} 1 has a name that the policy does not list"),
            ),
        ] {
            assert_eq!(read(&text).unwrap_err(), wrong);
        }
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn a_name_may_have_two_keys() {
        let (one, two) = (key(32), key(33));
        let keys = read(&format!("worker:{one}, worker:{two}")).unwrap();
        let root = Keyring::parse(ROOT).unwrap();
        let known = |text: &str| {
            keys.find(&root.newest().digest(&crypto::sha256(text.as_bytes()))).is_some()
        };
        assert_eq!([one, two, key(34)].map(|text| known(&text)), [true, true, false]);
    }
}
