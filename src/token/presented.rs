//! The token that a request brings, and whom it speaks for.

use super::{Issuer, Subject, Token, Untrusted};
use crate::clock::Now;
use crate::credential::{self, Ambiguous, Credential, Opaque};
use crate::crypto;
use crate::denial::{Denial, Wire};
use crate::encoding;
use crate::policy::{Policy, TokenKind};
use crate::request::Request;

/// A token as it was sent. Nothing of it is proved.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    text: &'a str,
    /// Whose header it came in; only that issuer's tokens may.
    header_of: Option<usize>,
}

/// The same, apart from the request that brought it.
pub struct Kept {
    text: String,
    header_of: Option<usize>,
}

/// Why a request brings no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPresented {
    /// No credential.
    Missing,
    /// More than one.
    Ambiguous,
    /// An API key, or a signature with one.
    ApiKey,
    /// Something that is no token.
    Malformed,
}

/// Somebody whose token was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// Whose token, by place in the policy.
    pub issuer: usize,
    /// The name by which workspaces know its subject: `<issuer's name>:<sub>`.
    pub member: String,
    /// What the token says.
    pub subject: Subject,
    /// What it counts as.
    pub credential: TokenKind,
}

impl core::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Presented(..)")
    }
}

impl core::fmt::Debug for Kept {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Kept(..)")
    }
}

impl Kept {
    /// The token that an issuer has given.
    pub(crate) const fn given(text: String) -> Self {
        Self { text, header_of: None }
    }

    pub(crate) fn presented(&self) -> Presented<'_> {
        Presented { text: &self.text, header_of: self.header_of }
    }
}

impl<'a> Presented<'a> {
    /// The token of an `Authorization: Bearer`.
    pub(crate) const fn bearer(text: &'a str) -> Self {
        Self { text, header_of: None }
    }

    /// Finds the token of a request to the management API: `Authorization: Bearer`, else the header of an issuer that has one.
    /// A proxy puts the latter into each request, so it does not count beside a credential of the
    /// client's own.
    ///
    /// # Errors
    /// What is there in its place.
    pub fn find(request: &Request<'a>, policy: &Policy) -> Result<Self, NotPresented> {
        match credential::find(&request.fields) {
            Err(Ambiguous) => Err(NotPresented::Ambiguous),
            Ok(_) if !request.fields.api_key.is_empty() => Err(NotPresented::ApiKey),
            Ok(Credential::Token(Opaque(text))) => Ok(Self::bearer(text)),
            Ok(Credential::Native(_) | Credential::Signature) => Err(NotPresented::ApiKey),
            Ok(Credential::Other(Opaque(text))) if may_be_key(text, policy) => {
                Err(NotPresented::ApiKey)
            }
            Ok(Credential::Other(_) | Credential::Malformed) => Err(NotPresented::Malformed),
            Ok(Credential::Missing) => Self::in_header(request, policy),
        }
    }

    /// The token in the header of an issuer that has one.
    ///
    /// # Errors
    /// [`NotPresented::Missing`], or [`NotPresented::Ambiguous`] if there are several.
    pub(crate) fn in_header(request: &Request<'a>, policy: &Policy) -> Result<Self, NotPresented> {
        let mut found = None;
        for (name, text) in request.headers() {
            let is_own = |header: &str| header == name;
            let place = policy.issuers.iter().position(|issuer| {
                issuer.header.as_ref().is_some_and(|header| is_own(header.as_str()))
            });
            if place.is_none() || text.is_empty() {
                continue;
            }
            // What stood there twice arrives as a list.
            if text.contains(',') || found.replace(Self { text, header_of: place }).is_some() {
                return Err(NotPresented::Ambiguous);
            }
        }
        found.ok_or(NotPresented::Missing)
    }

    /// Keeps it for as long as its signature is looked at.
    pub(crate) fn keep(&self) -> Kept {
        Kept { text: self.text.to_owned(), header_of: self.header_of }
    }

    /// Takes the token apart, and says by the place of whose keys it is to be verified. What is wrong with it
    /// whoever signed it is told here, so that nothing is fetched for it.
    ///
    /// # Errors
    /// Why it would not be believed, were its signature right.
    pub fn parse(&self, policy: &Policy, now: Now) -> Result<(usize, Token<'a>), Untrusted> {
        let (token, authenticated) = self.read(policy, now)?;
        Ok((authenticated.issuer, token))
    }

    /// The same, and whom it speaks for should its signature be right.
    pub(crate) fn read(
        &self,
        policy: &Policy,
        now: Now,
    ) -> Result<(Token<'a>, Authenticated), Untrusted> {
        let token = Token::parse(self.text)?;
        token.check_algorithm()?;
        let name = token.claimed_issuer()?;
        let is_named = |place: &usize| {
            policy.issuers.get(*place).is_some_and(|rules| rules.issuer.as_str() == name)
        };
        let mut places = 0..policy.issuers.len();
        let place = places.find(is_named).ok_or(Untrusted::Issuer)?;
        if !self.may_be_of(place) {
            return Err(Untrusted::Issuer);
        }
        let rules = policy.issuers.get(place).ok_or(Untrusted::Issuer)?;
        let subject = token.check(&Issuer::of(rules), now.seconds())?;
        let member = format!("{}:{}", rules.name, subject.id);
        let credential = rules.credential;
        Ok((token, Authenticated { issuer: place, member, subject, credential }))
    }

    /// Whether the issuer at `place` may have issued it, by where it came.
    pub(crate) fn may_be_of(&self, place: usize) -> bool {
        self.header_of.is_none_or(|header_of| header_of == place)
    }

    /// By what a verified token is remembered.
    pub(crate) fn digest(&self) -> [u8; 32] {
        crypto::sha256(self.text.as_bytes())
    }

    /// Whom it speaks for; to be asked only once its signature is verified by a key of the issuer that
    /// [`Presented::parse`] named.
    ///
    /// # Errors
    /// As [`Presented::parse`].
    pub fn accept(&self, policy: &Policy, now: Now) -> Result<Authenticated, Untrusted> {
        Ok(self.read(policy, now)?.1)
    }
}

impl NotPresented {
    /// The answer.
    #[must_use]
    pub fn wire(self) -> Wire {
        match self {
            Self::Missing => Wire {
                code: "INVALID_TOKEN",
                message: "Send an access token as `Authorization: Bearer`.".to_owned(),
                ..Denial::Missing.wire()
            },
            Self::Ambiguous => Denial::Ambiguous.wire(),
            Self::ApiKey => Denial::KeyNotAllowed.wire(),
            Self::Malformed => Denial::Token.wire(),
        }
    }
}

/// Whether a text has the form of an imported key or of one of the environment.
fn may_be_key(text: &str, policy: &Policy) -> bool {
    policy.imports.iter().any(|shape| shape.matches(text))
        || encoding::from_base64(text).is_some_and(|bytes| bytes.len() >= ENVIRONMENT_KEY)
}

/// Bytes, at least.
const ENVIRONMENT_KEY: usize = 32;
