//! The demo workspace: the clone's root secret, keys to try, and the KV rows that make them known.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use data_encoding::HEXLOWER;
use portcullis::host::HostName;
use portcullis::record::{Document, KeyType, SignatureMode};
use portcullis::root::Keyring;
use portcullis::signature::{Generation, Signing, Version};
use portcullis::workspace::call::{Answer, Call, Conflict};

use crate::checkout::{Checkout, lock, write_private};
use crate::control::Control;
use crate::keys::{self, Row, Spec};

/// What is known of the demo workspace outside the Worker. Holds secrets: never printed whole.
#[derive(Clone, Serialize, Deserialize)]
pub struct Seeds {
    /// What every key is derived from, in hex.
    pub seed: String,
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

/// The public fingerprint of a root, as the policy carries it.
pub fn fingerprint(root: &str) -> Result<String> {
    Ok(Keyring::parse(root)?.newest().fingerprint().to_owned())
}

/// The keys of a seed under this root: `read_only`, `full`, `expired`, `agent_bound`, `ip_bound`, those whose
/// requests are signed (`signed_v1` beside the key, `signed_v2` and `signed_only` without it), `imported` and
/// `environment`. `now` in epoch seconds.
fn of(root: &str, seed: &[u8; 32], now: u64) -> Result<Seeds> {
    let (keys, signing, _) = demo(root, seed, now)?;
    let environment = keys::openssl_like(seed, "environment");
    Ok(Seeds {
        seed: HEXLOWER.encode(seed),
        workspace: keys::WORKSPACE.to_owned(),
        static_keys: format!("worker:{environment}"),
        keys: keys.into_iter().chain([("environment".to_owned(), environment)]).collect(),
        signing,
        tokens: BTreeMap::new(),
    })
}

/// What makes these keys known.
#[derive(Debug)]
pub struct Known {
    /// KV rows, fresh from now on.
    pub rows: Vec<Row>,
    /// Documents, for the Workspace.
    pub documents: Vec<Document>,
}

/// What makes these keys known, at `now` in epoch seconds.
pub fn known(root: &str, seeds: &Seeds, now: u64) -> Result<Known> {
    Ok(demo(root, &seed_bytes(seeds)?, now)?.2)
}

fn seed_bytes(seeds: &Seeds) -> Result<[u8; 32]> {
    let seed = HEXLOWER.decode(seeds.seed.as_bytes())?;
    seed.try_into().ok().context("the seed has another length")
}

/// Puts documents into a Workspace; one that is there already stays as it is.
pub fn put(control: &Control, workspace: &str, documents: &[Document]) -> Result<()> {
    control.workspace(workspace, &Call::Open { workspace: workspace.to_owned() }, false)?;
    for document in documents {
        let call = Call::Put { document: Box::new(document.clone()), replaces: 0 };
        let answer = control.workspace(workspace, &call, false)?;
        let is_there = matches!(
            answer,
            Answer::Written { .. }
                | Answer::Conflict { why: Conflict::Version | Conflict::Revoked }
        );
        ensure!(is_there, "the Workspace does not take a key: {answer:?}");
    }
    Ok(())
}

/// Names and texts.
type Keys = Vec<(String, String)>;

/// Signing secrets by the name of their key.
type Secrets = BTreeMap<String, String>;

fn demo(root: &str, seed: &[u8; 32], now: u64) -> Result<(Keys, Secrets, Known)> {
    let keyring = Keyring::parse(root)?;
    let root = keyring.newest();
    let (mut keys, mut signing) = (Vec::new(), Secrets::new());
    let mut known = Known { rows: Vec::new(), documents: Vec::new() };
    for spec in NATIVE {
        let (text, document) = keys::native(root, seed, spec, now)?;
        keys.push((spec.name.to_owned(), text));
        if let Some(secret) = keys::signing(root, &document) {
            signing.insert(spec.name.to_owned(), secret.expose().to_owned());
        }
        known.rows.push(keys::sealed(root, &document)?);
        known.documents.push(document);
    }
    let (text, document, rows) = keys::imported(root, seed, &IMPORTED, now)?;
    keys.push((IMPORTED.name.to_owned(), text));
    known.rows.extend(rows);
    known.documents.push(document);
    Ok((keys, signing, known))
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
        let seeds: Seeds = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is damaged: start with --fresh", path.display()))?;
        // An older clone may have made fewer of them.
        return of(root, &seed_bytes(&seeds)?, now);
    }
    let seeds = of(root, &entropy()?, now)?;
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

const NATIVE: &[Spec<'_>] = &[
    Spec { name: "read_only", scopes: &["agents:read", "simulations:read"], change: |_, _| () },
    Spec { name: "full", scopes: &["*:*"], change: |_, _| () },
    Spec {
        name: "expired",
        scopes: &["*:*"],
        change: |key, now| {
            key.kind = KeyType::Temporary;
            key.created = now - 7200;
            key.expires = Some(now - 3600);
        },
    },
    Spec {
        name: "agent_bound",
        scopes: &["agents:read", "agents:write"],
        change: |key, _| {
            key.bindings.insert("agent_id".to_owned(), vec!["agent-123".to_owned()]);
        },
    },
    Spec {
        name: "ip_bound",
        scopes: &["agents:read"],
        change: |key, _| {
            key.ips = serde_json::from_str(r#"["203.0.113.0/24","2001:db8::/32"]"#).ok();
        },
    },
    Spec {
        name: "signed_v1",
        scopes: &["*:*"],
        change: |key, _| sign(key, SignatureMode::Required, Version::V1),
    },
    Spec {
        name: "signed_v2",
        scopes: &["*:*"],
        change: |key, _| sign(key, SignatureMode::Only, Version::V2),
    },
    Spec {
        name: "signed_only",
        scopes: &["*:*"],
        change: |key, _| sign(key, SignatureMode::Only, Version::V1),
    },
];

/// Lets the requests of a key be signed, on the hosts of the development policy.
fn sign(key: &mut Document, mode: SignatureMode, version: Version) {
    key.signature = mode;
    let root = key.secrets.first().map_or(0, |secret| secret.root);
    let hosts = match version {
        Version::V1 => HOSTS.iter().filter_map(|host| HostName::parse(host).ok()).collect(),
        Version::V2 => Vec::new(),
    };
    let secrets = vec![Generation { generation: 0, root, expires: None }];
    key.signing = Some(Signing { version, hosts, nonce: false, debug_until: None, secrets });
}

const HOSTS: &[&str] = &["127.0.0.1", "localhost", "api.test", "[::1]"];

const IMPORTED: Spec<'_> =
    Spec { name: "imported", scopes: &["agents:read", "simulations:read"], change: |_, _| () };
