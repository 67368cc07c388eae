//! What a token says, and whether it says it to us and now.

use std::borrow::Cow;

use super::Untrusted;
use crate::json::foreign::{BadMember, Object};
use crate::key::Workspace;
use crate::policy::{ClaimText, IssuerRules};

/// Whose tokens are believed, and which of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// `iss`, compared byte for byte.
    pub name: String,
    /// One of these must be in `aud`.
    pub audiences: Vec<String>,
    /// The `typ` of its tokens (RFC 9068: `at+jwt`); empty: any, or none.
    pub types: Vec<String>,
    /// The most by which clocks may differ, in seconds.
    pub leeway_seconds: u64,
    /// The claim that names the workspace that a token is for, if one does.
    pub workspace_claim: Option<String>,
}

/// Whom a token speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// `sub`; only an issuer's own.
    pub id: String,
    /// The words of `scope` (RFC 8693 §4.2) or the list `scp`.
    pub scopes: Vec<String>,
    /// For people.
    pub email: Option<String>,
    /// The workspace that it is for, if it says.
    pub workspace: Option<Workspace>,
    /// The second from which the token is no more believed.
    pub until: u64,
}

/// The claims; those that do not bear on the decision are passed over.
pub(super) struct Claims<'a>(Object<'a>);

impl<'a> Claims<'a> {
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, Untrusted> {
        Object::read(json).map(Self).ok_or(Untrusted::Claims)
    }

    pub(super) fn issuer(&self) -> Result<Cow<'a, str>, Untrusted> {
        self.0.text("iss")?.ok_or(Untrusted::Claims)
    }

    /// A text, or a list of texts.
    fn texts(&self, name: &str) -> Result<Option<Vec<Cow<'a, str>>>, Untrusted> {
        if let Ok(text) = self.0.text(name) {
            return Ok(text.map(|text| vec![text]));
        }
        Ok(self.0.texts(name)?)
    }

    /// A NumericDate (RFC 7519 §2), which may have a fraction, but no exponent.
    fn second(&self, name: &str) -> Result<Option<u64>, Untrusted> {
        let Some(number) = self.0.value(name)? else { return Ok(None) };
        let text = core::str::from_utf8(number).map_err(|_| Untrusted::Claims)?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) {
            return Err(Untrusted::Claims);
        }
        whole.parse().map(Some).map_err(|_| Untrusted::Claims)
    }
}

impl From<BadMember> for Untrusted {
    fn from(_: BadMember) -> Self {
        Self::Claims
    }
}

impl Issuer {
    /// As the policy says.
    #[must_use]
    pub fn of(rules: &IssuerRules) -> Self {
        let texts = |list: &[ClaimText]| list.iter().map(ToString::to_string).collect();
        Self {
            name: rules.issuer.to_string(),
            audiences: texts(&rules.audiences),
            types: texts(&rules.types),
            leeway_seconds: rules.leeway_seconds.get().into(),
            workspace_claim: rules.workspace_claim.as_ref().map(ToString::to_string),
        }
    }

    pub(super) fn takes_type(&self, typ: Option<&str>) -> bool {
        let short = |typ: &str| {
            let name = typ.to_ascii_lowercase();
            name.strip_prefix("application/").map_or(name.clone(), str::to_owned)
        };
        self.types.is_empty()
            || typ.is_some_and(|typ| self.types.iter().any(|own| short(own) == short(typ)))
    }

    pub(super) fn check(&self, claims: &Claims<'_>, now: u64) -> Result<Subject, Untrusted> {
        if claims.issuer()? != self.name {
            return Err(Untrusted::Issuer);
        }
        let audiences = claims.texts("aud")?.ok_or(Untrusted::Claims)?;
        if !audiences.iter().any(|aud| self.audiences.iter().any(|own| own == aud)) {
            return Err(Untrusted::Audience);
        }
        let end = claims.second("exp")?.ok_or(Untrusted::Claims)?;
        let until = end.saturating_add(self.leeway_seconds);
        if now >= until {
            return Err(Untrusted::Expired);
        }
        let latest = now.saturating_add(self.leeway_seconds);
        for begin in ["nbf", "iat"] {
            if claims.second(begin)?.is_some_and(|begin| begin > latest) {
                return Err(Untrusted::NotYetValid);
            }
        }
        let id = claims.0.text("sub")?.unwrap_or_default();
        if !(1..=MAX_SUBJECT).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(Untrusted::Subject);
        }
        // Some issuers write it as a list, some as one text of several words.
        let scopes = match claims.0.text("scope")? {
            Some(words) => Some(vec![words]),
            None => claims.texts("scp")?,
        };
        let scopes = scopes.unwrap_or_default();
        let words = scopes.iter().flat_map(|scope| scope.split(' '));
        let scopes = words.filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let email = claims.0.text("email")?.map(Cow::into_owned);
        // One that is no number names none: it is held against the workspace's paths alone.
        let named = self.workspace_claim.as_ref().and_then(|name| claims.0.text(name).ok()?);
        let workspace = named.and_then(|number| Workspace::parse(&number));
        Ok(Subject { id: id.into_owned(), scopes, email, workspace, until })
    }
}

/// Bytes (OpenID Connect Core §2).
const MAX_SUBJECT: usize = 255;
