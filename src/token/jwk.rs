//! The public keys of an issuer (RFC 7517), and which of them a token has to be verified with.

use super::{Token, Untrusted, rsa};
use crate::json::foreign::{Object, elements};
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
        Self::of(text, "keys", Key::read)
    }

    /// Reads the list of keys in PEM that a secret scanner publishes, as GitHub does. Those that are not
    /// of P-256 are passed over.
    ///
    /// # Errors
    /// [`Untrusted::Key`] if it is no such list.
    pub fn parse_published(text: &[u8]) -> Result<Self, Untrusted> {
        Self::of(text, "public_keys", |key| {
            let text = |name: &str| key.text(name).ok()?;
            Key::of_pem(&text("key_identifier")?, &text("key")?)
        })
    }

    /// One that cannot be read spoils no other.
    fn of(
        text: &[u8],
        list: &str,
        read: impl Fn(&Object<'_>) -> Option<Key>,
    ) -> Result<Self, Untrusted> {
        let set = Object::read(text).ok_or(Untrusted::Key)?;
        let list = set.value(list).ok().flatten().and_then(elements).ok_or(Untrusted::Key)?;
        let keys = list.into_iter().take(MAX_KEYS);
        Ok(Self(keys.filter_map(|key| read(&Object::read(key)?)).collect()))
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

    /// By the members that decide (RFC 7517 §4, RFC 7518 §6).
    fn read(jwk: &Object<'_>) -> Option<Self> {
        let text = |name: &str| jwk.text(name).ok();
        let is_for_verifying = text("use")?.is_none_or(|usage| usage == "sig")
            && jwk.texts("key_ops").ok()?.is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !is_for_verifying || jwk.value("d").ok()?.is_some() {
            return None;
        }
        // What is base64url needs no escaping.
        let read = |name: &str, lengths: core::ops::RangeInclusive<usize>| {
            let part = text(name)??;
            let bytes = encoding::from_base64url(part.as_bytes())?;
            lengths.contains(&bytes.len()).then_some((part, bytes))
        };
        let own = match (&*text("kty")??, text("crv")?.as_deref()) {
            ("RSA", None) => {
                let ((n, modulus), (e, exponent)) = (read("n", rsa::BYTES)?, read("e", 1..=8)?);
                if !rsa::is_sound(&modulus, &exponent) {
                    return None;
                }
                let jwk = format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#);
                Self { id: None, algorithm: Algorithm::Rs256, signature: modulus.len(), jwk }
            }
            ("EC", Some("P-256")) => {
                let ((x, _), (y, _)) = (read("x", 32..=32)?, read("y", 32..=32)?);
                Self::p256(&x, &y)
            }
            ("OKP", Some("Ed25519")) => {
                let (x, _) = read("x", 32..=32)?;
                let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
                Self { id: None, algorithm: Algorithm::EdDsa, signature: 64, jwk }
            }
            _ => return None,
        };
        if text("alg")?.is_some_and(|name| !own.algorithm.takes(&name)) {
            return None;
        }
        Some(Self { id: text("kid")?.map(Into::into), ..own })
    }
}

const MAX_KEYS: usize = 64;
/// A token without a key id costs no more verifications than this.
const MAX_TRIED: usize = 4;
