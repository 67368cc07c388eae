//! `cargo xtask vectors`: writes `tests/vectors/world.json`, the keys and KV rows that the
//! decision vectors and the conformance cases speak of, and the vectors of [`signatures`].
//!
//! Always the same bytes: the root is fixed and published, and what is random elsewhere is derived
//! from the key's name here. Never use this root for anything else.

pub mod signatures;
mod specs;

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use portcullis::crypto::MacKey;
use portcullis::imported::{Pointer, PointerId};
use portcullis::key::{Kid, Workspace};
use portcullis::mint;
use portcullis::policy::source;
use portcullis::record::{Document, KeyType, SecretDocument, SignatureMode, Status};
use portcullis::root::{Keyring, RootKeys};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::checkout::{Checkout, say};
use crate::keys;
use signatures::Version;
use specs::{ALL, BROKEN, ORDINARY, Spec, spec};

/// What exists when a vector begins.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct World {
    /// `PORTCULLIS_ROOT`.
    pub root: String,
    /// `PORTCULLIS_STATIC_KEYS`.
    pub static_keys: String,
    /// Unix seconds, unless a case says otherwise. Every real clock of the years in which this is
    /// run decides alike.
    pub now: u64,
    /// The texts that cases name.
    pub keys: BTreeMap<String, String>,
    /// KV names and values.
    pub kv: BTreeMap<String, String>,
    /// The KV names that cases mean by `record NAME` and `pointer vN NAME`.
    pub rows: BTreeMap<String, String>,
    /// `tests/conformance/policy.toml`, compiled.
    pub policy: Value,
}

impl World {
    /// Reads the committed world, which must be the one made here.
    pub fn read(checkout: &Checkout) -> Result<Self> {
        let text = fs::read_to_string(checkout.path(WORLD)).context(WORLD)?;
        ensure!(text == make(checkout)?, "{WORLD} is not up to date: run cargo xtask vectors");
        Ok(serde_json::from_str(&text)?)
    }

    /// Puts keys in the place of `{key name}` and kids in that of `{kid name}`.
    pub fn fill(&self, text: &str) -> Result<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let field = after.split_once('}').and_then(|(inside, after)| {
                let (what, name) = inside.split_once(' ')?;
                matches!(what, "key" | "kid").then_some((what, name, after))
            });
            let Some((what, name, after)) = field else {
                filled.push('{');
                rest = after;
                continue;
            };
            let key = self.keys.get(name).with_context(|| format!("no key {name}"))?;
            filled.push_str(if what == "key" { key } else { kid_of(key)? });
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

/// Writes the world and the vectors of signatures.
pub fn write(checkout: &Checkout) -> Result<()> {
    fs::write(checkout.path(WORLD), make(checkout)?)?;
    say(format!("{WORLD} written"));
    for version in Version::ALL {
        fs::write(checkout.path(version.path()), signatures::make(version)?)?;
        say(format!("{} written", version.path()));
    }
    Ok(())
}

/// The root of the test world: two versions, so that keys under both are there.
#[must_use]
pub fn root() -> String {
    let [new, old] = [NEW, OLD].map(|bytes| data_encoding::BASE64.encode(bytes));
    format!("v2:{new},v1:{old}")
}

fn make(checkout: &Checkout) -> Result<String> {
    let root = root();
    let keyring = Keyring::parse(&root)?;
    let fingerprint = keyring.newest().fingerprint();
    let policy = fs::read_to_string(checkout.path(POLICY)).context(POLICY)?;
    ensure!(policy.contains(fingerprint), "{POLICY} lacks the test root: {fingerprint}");
    let policy = source::compile(&policy).map_err(|error| anyhow::anyhow!("{POLICY}:{error}"))?;
    let (keys, kv, rows) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut maker = Maker { keyring: &keyring, keys, kv, rows };
    maker.all()?;
    let Maker { mut keys, kv, mut rows, .. } = maker;
    for (name, key) in &keys {
        if let Ok(kid) = kid_of(key) {
            rows.insert(format!("record {name}"), format!("k1:{kid}"));
        }
        for root in keyring.versions().filter(|_| kid_of(key).is_err()) {
            let pointer = PointerId::of(root, key).kv_name();
            rows.insert(format!("pointer v{} {name}", root.version()), pointer);
        }
    }
    let mut static_keys = Vec::new();
    for (name, entry) in STATIC_KEYS {
        let text = keys::openssl_like(SEED, name);
        static_keys.push(format!("{entry}:{text}"));
        keys.insert((*name).to_owned(), text);
    }
    let static_keys = static_keys.join(",");
    let policy = serde_json::from_str(&policy.to_json()?)?;
    let world = World { root, static_keys, now: NOW, keys, kv, rows, policy };
    Ok(serde_json::to_string_pretty(&world)? + "\n")
}

struct Maker<'k> {
    keyring: &'k Keyring,
    keys: BTreeMap<String, String>,
    kv: BTreeMap<String, String>,
    rows: BTreeMap<String, String>,
}

impl<'k> Maker<'k> {
    fn all(&mut self) -> Result<()> {
        for spec in ORDINARY {
            self.key(self.keyring.newest(), "ak", spec)?;
        }
        self.key(self.root(1)?, "ak", &spec("old_root", &["*:*"]))?;
        self.key(self.keyring.newest(), "rk_live", &spec("live", &["*:*"]))?;
        // A record that names another prefix than the text it was minted with.
        let other_prefix =
            Spec { change: |record| record.prefix = "rk".to_owned(), ..spec("other_prefix", ALL) };
        self.key(self.keyring.newest(), "ak", &other_prefix)?;
        self.rotated()?;
        self.imports()?;
        self.forged()?;
        self.broken()
    }

    fn root(&self, version: u16) -> Result<&'k RootKeys> {
        self.keyring.version(version).context("no such root version")
    }

    /// A native key and its row.
    fn key(&mut self, root: &RootKeys, prefix: &str, spec: &Spec) -> Result<Document> {
        let (text, document) = mint(root, prefix, spec)?;
        self.keys.insert(spec.name.to_owned(), text);
        self.store(root, &document)?;
        Ok(document)
    }

    fn store(&mut self, root: &RootKeys, document: &Document) -> Result<()> {
        let (name, value) = keys::sealed(root, document)?;
        self.kv.insert(name, String::from_utf8(value)?);
        Ok(())
    }

    /// A key with three secrets: the newest, the one before in its grace, and one past it.
    fn rotated(&mut self) -> Result<()> {
        let root = self.keyring.newest();
        let (first, mut document) = mint(root, "ak", &spec("rotated", ALL))?;
        let kid = Kid::parse(&document.kid).context("kid")?;
        let another = |generation| {
            let random = random(&format!("rotated {generation}"));
            let entropy = random.first_chunk().context("17 bytes")?;
            mint::another(root, "ak", kid, generation, entropy).context("prefix")
        };
        let (second, third) = (another(1)?, another(2)?);
        for secret in &mut document.secrets {
            secret.expires = Some(PAST);
        }
        let mut grace = SecretDocument::new(1, root.version(), &second.digest);
        grace.expires = Some(FUTURE);
        document.secrets.push(grace);
        document.secrets.push(SecretDocument::new(2, root.version(), &third.digest));
        self.store(root, &document)?;
        for (name, text) in [
            ("rotated_out", first.as_str()),
            ("rotated_grace", second.secret.expose()),
            ("rotated_new", third.secret.expose()),
            // The record at hand does not know this generation.
            ("rotated_ahead", another(3)?.secret.expose()),
        ] {
            self.keys.insert(name.to_owned(), text.to_owned());
        }
        Ok(())
    }

    fn imports(&mut self) -> Result<()> {
        let (newest, old) = (self.keyring.newest(), self.root(1)?);
        self.import(newest, &spec("imported", &["agents:read", "open:any"]))?;
        self.import(old, &spec("imported_old_root", ALL))?;
        let expired =
            Spec { change: |record| record.expires = Some(PAST), ..spec("imported_expired", ALL) };
        self.import(newest, &expired)?;
        let name = self.import(newest, &spec("imported_broken", ALL))?;
        self.damage(&name, flip_mac)?;
        // A pointer to a key that has no record.
        let id = PointerId::of(newest, &keys::openssl_like(SEED, "imported_dangling"));
        let (_, document) = mint(newest, "ak", &spec("imported_dangling", ALL))?;
        let kid = Kid::parse(&document.kid).context("kid")?;
        self.kv.insert(id.kv_name(), Pointer { kid }.seal(newest, &id));
        self.rows.insert("record imported_dangling".to_owned(), format!("k1:{kid}"));
        for name in ["imported_dangling", "imported_unknown"] {
            self.keys.insert(name.to_owned(), keys::openssl_like(SEED, name));
        }
        Ok(())
    }

    /// An imported key; the KV name of its pointer.
    fn import(&mut self, root: &RootKeys, spec: &Spec) -> Result<String> {
        let (_, mut document) = mint(root, "ak", spec)?;
        let text = keys::openssl_like(SEED, spec.name);
        let digest = mint::imported_digest_of(root, &text);
        document.secrets = vec![SecretDocument::new(0, root.version(), &digest)];
        self.store(root, &document)?;
        let id = PointerId::of(root, &text);
        let kid = Kid::parse(&document.kid).context("kid")?;
        self.kv.insert(id.kv_name(), Pointer { kid }.seal(root, &id));
        self.rows.insert(format!("record {}", spec.name), format!("k1:{kid}"));
        self.keys.insert(spec.name.to_owned(), text);
        Ok(id.kv_name())
    }

    /// Texts that were never handed out, most of them near one that was.
    fn forged(&mut self) -> Result<()> {
        let full = self.keys.get("full").context("full")?.clone();
        let place = |from_end: usize| full.len() - from_end;
        let kid = Kid::parse(kid_of(&full)?).context("kid")?;
        let invented = random("forged_secret_of_known_kid");
        let invented = invented.first_chunk().context("17 bytes")?;
        let known_kid = mint::another(self.keyring.newest(), "ak", kid, 0, invented);
        // Right tags, and no such secret, of keys that could not be used anyway.
        for (of, name) in [("revoked", "invented_revoked"), ("expired", "invented_expired")] {
            let kid = Kid::parse(kid_of(self.keys.get(of).context("key")?)?).context("kid")?;
            let entropy = random(name);
            let entropy = entropy.first_chunk().context("17 bytes")?;
            let minted = mint::another(self.keyring.newest(), "ak", kid, 0, entropy);
            let text = minted.context("prefix")?.secret.expose().to_owned();
            self.keys.insert(name.to_owned(), text);
        }
        let unknown_kid = mint(self.keyring.newest(), "ak", &spec("unknown_kid", ALL))?.0;
        let foreign = Keyring::parse(&data_encoding::BASE64.encode(FOREIGN))?;
        let foreign = mint(foreign.newest(), "ak", &spec("foreign_root", ALL))?.0;
        for (name, text) in [
            ("bad_crc", change_symbol(&full, place(1))),
            ("bad_kid_tag", with_crc(&change_symbol(&full, place(42)))),
            ("bad_secret_tag", with_crc(&change_symbol(&full, place(8)))),
            ("bad_random", with_crc(&change_symbol(&full, place(20)))),
            ("bad_generation", with_crc(&change_symbol(&full, place(40)))),
            ("other_text_prefix", with_crc(&full.replacen("ak_", "rk_", 1))),
            ("invented_secret", known_kid.context("prefix")?.secret.expose().to_owned()),
            ("unknown_kid", unknown_kid),
            ("foreign_root", foreign),
            ("lower_case", full.to_lowercase()),
            ("truncated", full[..full.len() - 1].to_owned()),
        ] {
            ensure!(text != full, "{name} is no forgery");
            self.keys.insert(name.to_owned(), text);
        }
        Ok(())
    }

    /// Keys whose rows may not be used.
    fn broken(&mut self) -> Result<()> {
        let root = self.keyring.newest();
        for spec in BROKEN {
            self.key(root, "ak", spec)?;
        }
        self.damage_key("record_mac", flip_mac)?;
        self.damage_key("record_byte", |value| {
            Ok(value.replace(r#""status":"active""#, r#""status":"Active""#))
        })?;
        self.damage_key("record_cut", |value| Ok(value[..value.len() / 2].to_owned()))?;
        self.damage_key("record_empty", |_| Ok(String::new()))?;
        self.damage_key("record_garbage", |_| Ok("<html>502 Bad Gateway</html>".to_owned()))?;
        self.damage_key("record_unknown_root", |value| Ok(value.replacen("2.", "9.", 1)))?;
        self.damage_key("record_large", |value| Ok(value.to_owned() + &" ".repeat(16 * 1024)))?;
        // Another key's row, moved here.
        let full = self.keys.get("full").context("full")?;
        let row = self.kv.get(&format!("k1:{}", kid_of(full)?)).context("row")?.clone();
        self.damage_key("record_moved", |_| Ok(row.clone()))?;
        // Sealed by a holder of the root, yet not of this schema.
        self.reseal("record_unknown_field", |record| record["may_not"] = json!(["delete"]))?;
        self.reseal("record_no_scopes", |record| record["scopes"] = Value::Null)?;
        Ok(())
    }

    fn damage_key(&mut self, name: &str, change: impl Fn(&str) -> Result<String>) -> Result<()> {
        let key = self.keys.get(name).with_context(|| format!("no key {name}"))?;
        let row = format!("k1:{}", kid_of(key)?);
        self.damage(&row, change)
    }

    fn damage(&mut self, row: &str, change: impl Fn(&str) -> Result<String>) -> Result<()> {
        let value = self.kv.get_mut(row).with_context(|| format!("no row {row}"))?;
        let changed = change(value)?;
        ensure!(changed != *value, "{row} is not damaged");
        *value = changed;
        Ok(())
    }

    fn reseal(&mut self, name: &str, change: fn(&mut Value)) -> Result<()> {
        let root = self.keyring.newest();
        let row = format!("k1:{}", kid_of(self.keys.get(name).context("key")?)?);
        self.damage(&row, |value| {
            let json = value.splitn(3, '.').nth(2).context("three parts")?;
            let mut record = serde_json::from_str(json)?;
            change(&mut record);
            Ok(portcullis::seal::seal(root, &row, &record.to_string()))
        })
    }
}

/// A key without a row.
fn mint(root: &RootKeys, prefix: &str, spec: &Spec<'_>) -> Result<(String, Document)> {
    let workspace = Workspace::parse(WORKSPACE).context("workspace")?;
    let random = random(spec.name);
    let entropy = random.first_chunk().context("22 bytes")?;
    let minted = mint::native(root, prefix, workspace, entropy).context("prefix")?;
    let mut document = Document {
        v: 1,
        kid: minted.kid.to_string(),
        name: spec.name.replace('_', " "),
        kind: KeyType::Service,
        subject: None,
        prefix: prefix.to_owned(),
        created: PAST,
        not_before: None,
        expires: None,
        status: Status::Active,
        scopes: serde_json::from_value(json!(spec.scopes))?,
        bindings: BTreeMap::new(),
        ips: None,
        tier: None,
        limits: None,
        signature: SignatureMode::None,
        signing: None,
        secrets: vec![SecretDocument::new(0, root.version(), &minted.digest)],
        version: 1,
        fresh_until: FUTURE,
    };
    (spec.change)(&mut document);
    Ok((minted.secret.expose().to_owned(), document))
}

fn random(name: &str) -> [u8; 32] {
    *MacKey::new(SEED).mac(&[name.as_bytes()]).as_bytes()
}

/// The kid in a native key.
fn kid_of(key: &str) -> Result<&str> {
    key.rsplit('_').nth(1).context("not a native key")
}

/// One of the text's Crockford symbols changed into another.
fn change_symbol(text: &str, at: usize) -> String {
    let other = if text.as_bytes()[at] == b'7' { "5" } else { "7" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

/// The text with the CRC that it ought to end with, computed without the core.
fn with_crc(text: &str) -> String {
    let covered = &text[..text.len() - 7];
    let mut sum = !0_u32;
    for byte in covered.bytes() {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
        }
    }
    let sum = !sum;
    let symbol = |shift: u32| {
        char::from(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"[(sum.unbounded_shr(shift) & 31) as usize])
    };
    let crc: String = [30, 25, 20, 15, 10, 5, 0].into_iter().map(symbol).collect();
    format!("{covered}{crc}")
}

/// The sealed value with another first symbol of its MAC.
fn flip_mac(value: &str) -> Result<String> {
    let (version, rest) = value.split_once('.').context("three parts")?;
    let other = if rest.starts_with('A') { 'B' } else { 'A' };
    Ok(format!("{version}.{other}{}", &rest[1..]))
}

/// By the name of the text, the name in `PORTCULLIS_STATIC_KEYS`; one stands twice: a rotation.
const STATIC_KEYS: &[(&str, &str)] =
    &[("environment", "worker"), ("environment_new", "worker"), ("environment_fenced", "fenced")];

/// Published: roots of nothing but this world.
const NEW: &[u8; 32] = b"portcullis-test-root-number-two!";
const OLD: &[u8; 32] = b"portcullis-test-root-number-one!";
/// No root of this world.
const FOREIGN: &[u8; 32] = b"portcullis-test-root-of-others!!";
const SEED: &[u8; 32] = b"portcullis-test-world-seed-00001";

/// The workspace of every key of the world.
pub const WORKSPACE: &str = "TEST00";
/// 2027-01-15.
const NOW: u64 = 1_800_000_000;
/// 2020-09-13: over, for every clock.
const PAST: u64 = 1_600_000_000;
/// 2100-01-01: not yet, for every clock.
const FUTURE: u64 = 4_102_444_800;
/// Only by the vectors' own clock: cases about the very second.
const EDGE: u64 = NOW + 1000;

/// The committed file.
pub const WORLD: &str = "tests/vectors/world.json";
/// The policy of the conformance cases.
pub const POLICY: &str = "tests/conformance/policy.toml";
