//! The public keys of an issuer (RFC 7517), and which of them a token has to be verified with.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Token, Untrusted, rsa};
use crate::{encoding, pem};

/// How a signature is made. Each key has one: what a token's header says is only compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
    Rs256,
    /// ECDSA with P-256 and SHA-256 (RFC 7518 §3.4).
    Es256,
    /// Ed25519 (RFC 8037).
    EdDsa,
}

/// A public key.
#[derive(Clone, Debug)]
pub struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    /// The length of a signature in bytes.
    signature: usize,
    jwk: String,
}

/// The keys of one issuer that can be used here.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<Key>);

/// Each as it stands, so that one that cannot be read spoils no other.
#[derive(Deserialize)]
struct Set<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// The members that decide (RFC 7517 §4, RFC 7518 §6).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

impl Algorithm {
    /// The name in a header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    pub(super) fn is_any(name: &str) -> bool {
        [Self::Rs256, Self::Es256, Self::EdDsa].iter().any(|algorithm| algorithm.takes(name))
    }

    fn takes(self, name: &str) -> bool {
        // RFC 9864 gives Ed25519 a name of its own.
        name == self.as_str() || (self == Self::EdDsa && name == "Ed25519")
    }
}

impl KeySet {
    /// Reads a JWK set. Keys of other kinds and for other uses are passed over, so that an issuer
    /// may have them; so are keys that nobody should use: short and guessable ones, and private ones.
    ///
    /// # Errors
    /// [`Untrusted::Key`] if it is no JWK set.
    pub fn parse(text: &[u8]) -> Result<Self, Untrusted> {
        let set: Set<'_> = serde_json::from_slice(text).map_err(|_| Untrusted::Key)?;
        Ok(Self(set.keys.into_iter().take(MAX_KEYS).filter_map(Key::read).collect()))
    }

    /// Reads the list of keys in PEM that a secret scanner publishes, as GitHub does. Those that are not
    /// of P-256 are passed over.
    ///
    /// # Errors
    /// [`Untrusted::Key`] if it is no such list.
    pub fn parse_published(text: &[u8]) -> Result<Self, Untrusted> {
        let list: Value = serde_json::from_slice(text).map_err(|_| Untrusted::Key)?;
        let list = list.get("public_keys").and_then(Value::as_array).ok_or(Untrusted::Key)?;
        let text = |key: &Value, name: &str| Some(key.get(name)?.as_str()?.to_owned());
        let key = |key: &Value| Key::of_pem(&text(key, "key_identifier")?, &text(key, "key")?);
        Ok(Self(list.iter().take(MAX_KEYS).filter_map(key).collect()))
    }

    /// The keys of this id; at most a few, however many there are.
    ///
    /// # Errors
    /// [`Untrusted::Key`] if there is none.
    pub fn named(&self, id: &str) -> Result<Vec<&Key>, Untrusted> {
        let named = self.0.iter().filter(|key| key.id.as_deref() == Some(id));
        let keys: Vec<&Key> = named.take(MAX_TRIED).collect();
        if keys.is_empty() { Err(Untrusted::Key) } else { Ok(keys) }
    }

    /// The keys by which `token` may be signed; several only if it names none. A name that different keys of one
    /// algorithm share is no name (RFC 7517 §4.5).
    ///
    /// # Errors
    /// [`Untrusted::Algorithm`], [`Untrusted::Key`], or [`Untrusted::Signature`] for one of a
    /// length that the key cannot have made.
    pub fn find(&self, token: &Token<'_>) -> Result<Vec<&Key>, Untrusted> {
        token.check_algorithm()?;
        let name = token.header.alg.as_str();
        let named = |key: &&Key| match &token.header.kid {
            Some(kid) => key.id.as_ref() == Some(kid),
            None => true,
        };
        let keys: Vec<&Key> =
            self.0.iter().filter(named).filter(|key| key.algorithm.takes(name)).collect();
        let is_shared = keys.windows(2).any(|pair| matches!(pair, [a, b] if a.jwk != b.jwk));
        if keys.is_empty() || (token.header.kid.is_some() && is_shared) {
            return Err(Untrusted::Key);
        }
        let fits = |key: &&Key| key.signature == token.signature.len();
        let keys: Vec<&Key> = keys.into_iter().filter(fits).take(MAX_TRIED).collect();
        if keys.is_empty() { Err(Untrusted::Signature) } else { Ok(keys) }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Key {
    /// How it verifies.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public members as JSON, for the platform to import.
    #[must_use]
    pub fn jwk(&self) -> &str {
        &self.jwk
    }

    /// A P-256 key in PEM (RFC 7468); `None` for any other.
    #[must_use]
    pub fn of_pem(id: &str, text: &str) -> Option<Self> {
        let (x, y) = pem::p256_point(text)?;
        let (x, y) = (encoding::base64url(&x), encoding::base64url(&y));
        Some(Self { id: Some(id.to_owned()), ..Self::p256(&x, &y) })
    }

    fn p256(x: &str, y: &str) -> Self {
        let jwk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
        Self { id: None, algorithm: Algorithm::Es256, signature: 64, jwk }
    }

    fn read(text: &RawValue) -> Option<Self> {
        let jwk: Jwk = serde_json::from_str(text.get()).ok()?;
        let is_for_verifying = jwk.r#use.as_deref().is_none_or(|usage| usage == "sig")
            && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !is_for_verifying || jwk.d.is_some() {
            return None;
        }
        // What is base64url needs no escaping.
        let read = |part: &Option<String>, lengths: core::ops::RangeInclusive<usize>| {
            let part = part.as_deref()?;
            let bytes = encoding::from_base64url(part.as_bytes())?;
            lengths.contains(&bytes.len()).then(|| (part.to_owned(), bytes))
        };
        let (algorithm, signature, jwk_text) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", None) => {
                let ((n, modulus), (e, exponent)) =
                    (read(&jwk.n, rsa::BYTES)?, read(&jwk.e, 1..=8)?);
                if !rsa::is_sound(&modulus, &exponent) {
                    return None;
                }
                let members = format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#);
                (Algorithm::Rs256, modulus.len(), members)
            }
            ("EC", Some("P-256")) => {
                let ((x, _), (y, _)) = (read(&jwk.x, 32..=32)?, read(&jwk.y, 32..=32)?);
                let Self { algorithm, signature, jwk, .. } = Self::p256(&x, &y);
                (algorithm, signature, jwk)
            }
            ("OKP", Some("Ed25519")) => {
                let (x, _) = read(&jwk.x, 32..=32)?;
                let members = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
                (Algorithm::EdDsa, 64, members)
            }
            _ => return None,
        };
        if jwk.alg.is_some_and(|name| !algorithm.takes(&name)) {
            return None;
        }
        Some(Self { id: jwk.kid, algorithm, signature, jwk: jwk_text })
    }
}

const MAX_KEYS: usize = 64;
/// A token without a key id costs no more verifications than this.
const MAX_TRIED: usize = 4;
