//! Access tokens of people: signed JSON Web Tokens (RFC 7519, RFC 9068), read as RFC 8725 advises.
//!
//! Everything but the signature's arithmetic, which the platform does: [`Token::parse`] takes the
//! text apart, [`KeySet::find`] says by which key and algorithm it has to be verified, and
//! [`Token::check`] judges its claims once it is.

mod cache;
mod claims;
pub(crate) mod ecdsa;
mod jwk;
mod presented;
mod rsa;
mod trial;

use std::borrow::Cow;

use crate::encoding;
use crate::json::foreign::Object;

pub use cache::{
    COOL_DOWN_MILLIS, FETCH_MILLIS, FRESH_MILLIS, Find, KEPT_MILLIS, KeySets, Look, RETRY_MILLIS,
};
pub use claims::{Issuer, Subject};
pub use jwk::{Algorithm, Key, KeySet};
pub use presented::{Authenticated, Kept, NotPresented, Presented};
pub(crate) use trial::Outcome;
pub use trial::Trial;

/// A token's parts. Nothing of it is proved.
#[derive(Clone)]
pub struct Token<'a> {
    header: Header,
    /// What is signed: the first two parts as they stand (RFC 7515 §5.1).
    signed: &'a str,
    signature: Vec<u8>,
    claims: Vec<u8>,
}

/// Why a token is not believed. For logs and tests: the client is told nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untrusted {
    /// Not three parts of base64url, or longer than [`MAX_TEXT`].
    Form,
    /// The header is no JSON object of the expected form.
    Header,
    /// The header names extensions that would have to be understood (RFC 7515 §4.1.11).
    Critical,
    /// It is a token of another type (RFC 8725 §3.11).
    Type,
    /// The algorithm is none of ours.
    Algorithm,
    /// No key of the issuer's fits its key id and algorithm.
    Key,
    /// The signature cannot be one of this algorithm, or is not the key's.
    Signature,
    /// The claims are no JSON object of the expected form.
    Claims,
    /// Of no issuer in the policy.
    Issuer,
    /// For somebody else.
    Audience,
    /// Its time is over, or it lasts longer than the policy allows.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// Its subject could not stand in a header.
    Subject,
}

#[derive(Clone)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
}

impl core::fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl<'a> Token<'a> {
    /// Takes a compact serialisation apart. A key in the header (`jwk`, `jku`, `x5c`, `x5u`) is
    /// not looked at.
    ///
    /// # Errors
    /// [`Untrusted::Form`], [`Untrusted::Header`], [`Untrusted::Critical`].
    pub fn parse(text: &'a str) -> Result<Self, Untrusted> {
        if text.len() > MAX_TEXT {
            return Err(Untrusted::Form);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Untrusted::Form)?;
        let (header, claims) = signed.split_once('.').ok_or(Untrusted::Form)?;
        let decode = |part: &str| match encoding::from_base64url(part.as_bytes()) {
            Some(bytes) if !bytes.is_empty() => Ok(bytes),
            _ => Err(Untrusted::Form),
        };
        let (header, claims, signature) = (decode(header)?, decode(claims)?, decode(signature)?);
        Ok(Self { header: Header::parse(&header)?, signed, signature, claims })
    }

    /// Who claims to have issued it: whose keys to try.
    ///
    /// # Errors
    /// [`Untrusted::Claims`].
    pub fn claimed_issuer(&self) -> Result<String, Untrusted> {
        Ok(claims::Claims::parse(&self.claims)?.issuer()?.into_owned())
    }

    /// Whether it may be signed by an algorithm of ours, whatever the keys.
    ///
    /// # Errors
    /// [`Untrusted::Algorithm`].
    pub fn check_algorithm(&self) -> Result<(), Untrusted> {
        if Algorithm::is_any(&self.header.alg) { Ok(()) } else { Err(Untrusted::Algorithm) }
    }

    /// What it says, which must be asked only of a token whose signature is verified. `now` in
    /// seconds since 1970.
    ///
    /// # Errors
    /// [`Untrusted::Type`] and what concerns its claims.
    pub fn check(&self, issuer: &Issuer, now: u64) -> Result<Subject, Untrusted> {
        if !issuer.takes_type(self.header.typ.as_deref()) {
            return Err(Untrusted::Type);
        }
        issuer.check(&claims::Claims::parse(&self.claims)?, now)
    }
}

impl Header {
    fn parse(json: &[u8]) -> Result<Self, Untrusted> {
        let header = Object::read(json).ok_or(Untrusted::Header)?;
        let text = |name: &str| {
            let text = header.text(name).map_err(|_| Untrusted::Header)?;
            Ok::<_, Untrusted>(text.map(Cow::into_owned))
        };
        let own = Self {
            alg: text("alg")?.ok_or(Untrusted::Header)?,
            typ: text("typ")?,
            kid: text("kid")?,
        };
        match header.member("crit") {
            Ok(None) => Ok(own),
            _ => Err(Untrusted::Critical),
        }
    }
}

/// Longer than any token that is accepted, in bytes.
pub const MAX_TEXT: usize = 8192;
