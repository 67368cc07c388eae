//! The demo workspace: the clone's root secret, keys to try, and the KV rows that make them known.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::checkout::{Checkout, lock, write_private};

/// What is known of the demo workspace outside the Worker. Holds secrets: never printed whole.
#[derive(Clone, Serialize, Deserialize)]
pub struct Seeds {
    /// The workspace's number as it stands in a key.
    pub workspace: String,
    /// Keys by name, in full.
    pub keys: BTreeMap<String, String>,
    /// Signing secrets by the name of their key.
    pub signing: BTreeMap<String, String>,
    /// Tokens of users by their role.
    pub tokens: BTreeMap<String, String>,
    /// The value of `PORTCULLIS_STATIC_KEYS`.
    pub static_keys: String,
}

impl std::fmt::Debug for Seeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seeds").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}

// TODO: the three functions below are placeholders until the core mints keys.

/// The public fingerprint of a root, as the policy carries it.
pub fn fingerprint(_root: &str) -> Result<String> {
    Ok(String::new())
}

/// New keys under this root: `read_only`, `full`, `expired`, `agent_bound`, `ip_bound`, `imported`
/// and `environment`. `now` in epoch seconds.
pub fn seed(_root: &str, _now: u64) -> Result<Seeds> {
    Ok(Seeds {
        workspace: String::new(),
        keys: BTreeMap::new(),
        signing: BTreeMap::new(),
        tokens: BTreeMap::new(),
        static_keys: String::new(),
    })
}

/// The KV rows of these keys, fresh from `now` on.
pub fn rows(_root: &str, _seeds: &Seeds, _now: u64) -> Result<Vec<(String, Vec<u8>)>> {
    Ok(Vec::new())
}

/// The clone's root secret: 32 random bytes in base64, made once.
pub fn dev_root(checkout: &Checkout) -> Result<String> {
    let path = checkout.private("root")?;
    let _lock = lock(&checkout.private("root.lock")?, "root")?;
    if let Ok(root) = fs::read_to_string(&path) {
        return Ok(root.trim().to_owned());
    }
    let root = data_encoding::BASE64.encode(&entropy::<32>()?);
    write_private(&path, root.as_bytes())?;
    Ok(root)
}

/// The seeds of a state folder, made if they are not there.
pub fn stored(state: &Path, root: &str, now: u64) -> Result<Seeds> {
    let path = state.join("seeds.json");
    if let Ok(bytes) = fs::read(&path) {
        return serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is damaged: start with --fresh", path.display()));
    }
    let seeds = seed(root, now)?;
    write_private(&path, &serde_json::to_vec_pretty(&seeds)?)?;
    Ok(seeds)
}

/// Random bytes of the operating system.
pub fn entropy<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("no random bytes")?;
    Ok(bytes)
}
