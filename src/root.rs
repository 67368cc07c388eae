//! The root secret and what is derived from it.
//!
//! `PORTCULLIS_ROOT` holds one base64 secret of at least 32 bytes, or while a
//! rotation lasts several, newest first: `v2:<base64>,v1:<base64>`. Every other
//! key comes from one of them by HKDF-SHA-256 under a label of its own.

use core::fmt;

use crate::crypto::{self, Digest, MacKey};
use crate::encoding;
use crate::key::Kid;

/// The keys of every root version, newest first. Never empty.
#[derive(Debug)]
pub struct Keyring {
    newest: RootKeys,
    older: Vec<RootKeys>,
}

impl Keyring {
    /// Reads the text of `PORTCULLIS_ROOT`.
    ///
    /// # Errors
    /// Says which rule is broken and in which entry, never what stood there.
    pub fn parse(text: &str) -> Result<Self, RootError> {
        if text.trim().is_empty() {
            return Err(RootError::Missing);
        }
        let mut entries = text.split(',').enumerate().map(|(at, entry)| {
            let entry = entry.trim();
            match entry.split_once(':') {
                None => RootKeys::derive(1, entry).map_err(|problem| problem.at(at)),
                Some((version, secret)) => {
                    let version = parse_version(version).ok_or(Problem::Version.at(at))?;
                    RootKeys::derive(version, secret).map_err(|problem| problem.at(at))
                }
            }
        });
        let newest = entries.next().ok_or(RootError::Missing)??;
        let older = entries.collect::<Result<Vec<_>, _>>()?;
        let versions = core::iter::once(&newest).chain(&older).map(|root| root.version);
        if !versions.is_sorted_by(|newer, older| newer > older) {
            return Err(RootError::Order);
        }
        Ok(Self { newest, older })
    }

    /// The version under which new secrets, tags and records are made.
    #[must_use]
    pub fn newest(&self) -> &RootKeys {
        &self.newest
    }

    /// Every version, newest first.
    pub fn versions(&self) -> impl Iterator<Item = &RootKeys> {
        core::iter::once(&self.newest).chain(&self.older)
    }

    /// The keys of one version.
    #[must_use]
    pub fn version(&self, version: u16) -> Option<&RootKeys> {
        self.versions().find(|root| root.version == version)
    }
}

/// The keys derived from one version of the root secret.
#[derive(Debug)]
pub struct RootKeys {
    version: u16,
    fingerprint: String,
    /// Tags inside a key's text, which tell our keys from invented ones.
    pub(crate) id: MacKey,
    /// Digests of secrets.
    pub(crate) tag: MacKey,
    /// MACs of records in KV.
    pub(crate) record: MacKey,
    pub(crate) audit: MacKey,
    /// What the dashboard's cookies say.
    pub(crate) session: MacKey,
    assert: AssertSecret,
    sign: SignSecret,
    hook: HookRoot,
}

impl RootKeys {
    fn derive(version: u16, secret: &str) -> Result<Self, Problem> {
        let secret = encoding::from_base64(secret).ok_or(Problem::Base64)?;
        if secret.len() < MIN_BYTES {
            return Err(Problem::Short);
        }
        let key = |label: Label| crypto::hkdf(SALT, &secret, &[label.info()]);
        let fingerprint = key(Label::Fingerprint);
        Ok(Self {
            version,
            fingerprint: encoding::hex(fingerprint.first_chunk::<8>().unwrap_or(&[0; 8])),
            id: MacKey::new(&key(Label::Id)),
            tag: MacKey::new(&key(Label::Tag)),
            record: MacKey::new(&key(Label::Record)),
            audit: MacKey::new(&key(Label::Audit)),
            session: MacKey::new(&key(Label::Session)),
            assert: AssertSecret(key(Label::Assert)),
            sign: SignSecret(key(Label::Sign)),
            hook: HookRoot(key(Label::Hook)),
        })
    }

    /// The number that stands before the secret in `PORTCULLIS_ROOT`; 1 if none does.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// 16 lower-case hex digits by which a policy names the root it was made for.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The HS256 key of the assertions to one origin. Whoever holds it can check
    /// assertions to this origin and cannot make one for another.
    #[must_use]
    pub fn assertion_key(&self, origin: &str) -> [u8; 32] {
        crypto::hkdf(SALT, &self.assert.0, &[b"assertion:", origin.as_bytes()])
    }

    /// What the signing secret of one generation of a key is made of.
    pub(crate) fn signing(&self, kid: Kid, generation: u8) -> [u8; 32] {
        let workspace = kid.workspace();
        let (workspace, kid) = (workspace.as_str().as_bytes(), kid.as_str().as_bytes());
        crypto::hkdf(SALT, &self.sign.0, &[b"sign:", workspace, b":", kid, b":", &[generation]])
    }

    /// One generation of the secret by which a workspace's webhooks are signed.
    pub(crate) fn hook(&self, workspace: &str, generation: u32) -> [u8; 32] {
        let generation = generation.to_be_bytes();
        crypto::hkdf(SALT, &self.hook.0, &[b"hook:", workspace.as_bytes(), b":", &generation])
    }

    /// The digest under which a secret is stored.
    pub(crate) fn digest(&self, secret: &[u8]) -> Digest {
        self.tag.mac(&[secret])
    }
}

/// What a derived key is for. A label is never used twice.
#[derive(Clone, Copy, Debug)]
enum Label {
    Id,
    Tag,
    Record,
    Audit,
    Session,
    Assert,
    Sign,
    Hook,
    Fingerprint,
}

impl Label {
    const fn info(self) -> &'static [u8] {
        match self {
            Self::Id => b"k_id",
            Self::Tag => b"k_tag",
            Self::Record => b"k_record",
            Self::Audit => b"k_audit",
            Self::Session => b"k_session",
            Self::Assert => b"k_assert",
            Self::Sign => b"k_sign",
            Self::Hook => b"k_hook",
            Self::Fingerprint => b"fingerprint",
        }
    }
}

struct AssertSecret([u8; 32]);

impl fmt::Debug for AssertSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AssertSecret(..)")
    }
}

struct SignSecret([u8; 32]);

impl fmt::Debug for SignSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignSecret(..)")
    }
}

struct HookRoot([u8; 32]);

impl fmt::Debug for HookRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookRoot(..)")
    }
}

/// Why a root secret was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootError {
    /// The variable is absent or empty.
    Missing,
    /// Versions are not in falling order.
    Order,
    /// One entry is wrong; entries are counted from 0.
    Entry {
        /// Which entry.
        at: usize,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// What is wrong with one entry of the root secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Not standard, padded base64.
    Base64,
    /// Fewer than 32 bytes.
    Short,
    /// The part before the colon is not `v1` to `v65535`.
    Version,
}

impl Problem {
    const fn at(self, at: usize) -> RootError {
        RootError::Entry { at, problem: self }
    }
}

impl fmt::Display for RootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("PORTCULLIS_ROOT is missing or empty"),
            Self::Order => f.write_str("PORTCULLIS_ROOT: versions must fall, newest first"),
            Self::Entry { at, problem } => {
                let problem = match problem {
                    Problem::Base64 => "is not base64",
                    Problem::Short => "is shorter than 32 bytes",
                    Problem::Version => "has a version that is not v1 to v65535",
                };
                write!(f, "PORTCULLIS_ROOT: entry {} {problem}", at.saturating_add(1))
            }
        }
    }
}

impl core::error::Error for RootError {}

fn parse_version(text: &str) -> Option<u16> {
    let digits = text.strip_prefix('v')?;
    let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if canonical { digits.parse().ok() } else { None }
}

/// Fewer bytes could be guessed.
const MIN_BYTES: usize = 32;

const SALT: &[u8] = b"portcullis/1";

#[cfg(test)]
#[expect(clippy::string_slice, reason = "a test stops where something is wrong")]
mod tests {
    use super::*;

    const A: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const B: &str = "/////////////////////////////////////////////w==";

    #[test]
    fn one_or_several() {
        assert_eq!(Keyring::parse(A).unwrap().newest().version(), 1);
        let ring = Keyring::parse(&format!("v12:{B}, v3:{A}")).unwrap();
        assert_eq!(ring.versions().map(RootKeys::version).collect::<Vec<_>>(), [12, 3]);
        let alone = Keyring::parse(A).unwrap();
        let third = ring.version(3).unwrap();
        assert_eq!(third.fingerprint(), alone.newest().fingerprint());
        assert_ne!(ring.newest().fingerprint(), third.fingerprint());
    }

    #[test]
    fn every_error_names_its_cause_and_no_value() {
        let cases = [
            ("", RootError::Missing),
            ("  ", RootError::Missing),
            ("c2hvcnQ=", Problem::Short.at(0)),
            ("not base64!", Problem::Base64.at(0)),
            (&A[..43], Problem::Base64.at(0)),
            (&format!("x2:{A}"), Problem::Version.at(0)),
            (&format!("v0:{A}"), Problem::Version.at(0)),
            (&format!("v+1:{A}"), Problem::Version.at(0)),
            (&format!("v2:{A},v1:{}", "c2hvcnQ="), Problem::Short.at(1)),
            (&format!("v1:{A},v2:{B}"), RootError::Order),
            (&format!("v2:{A},v2:{B}"), RootError::Order),
            (&format!("{A},"), Problem::Short.at(1)),
        ];
        for (text, expected) in cases {
            assert_eq!(Keyring::parse(text).err(), Some(expected), "{text:?}");
            assert!(!expected.to_string().contains("c2hv"));
        }
    }

    #[test]
    fn labels_and_origins_separate_keys() {
        let ring = Keyring::parse(A).unwrap();
        let root = ring.newest();
        assert_ne!(root.assertion_key("a"), root.assertion_key("b"));
        let [id, tag, record] = [&root.id, &root.tag, &root.record].map(|key| key.mac(&[b"x"]));
        assert!(!id.matches(&tag) && !tag.matches(&record) && !id.matches(&record));
    }

    #[test]
    fn debug_shows_nothing() {
        let text = format!("{:?}", Keyring::parse(A).unwrap());
        assert!(text.contains("MacKey(..)") && text.contains("AssertSecret(..)"));
    }
}
