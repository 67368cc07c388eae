//! What a token says, and whether it says it to us and now.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Untrusted;
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
    /// The second from which the token is no more believed.
    pub until: u64,
}

/// The claims that bear on the decision; others are passed over.
#[derive(Deserialize)]
pub(super) struct Claims<'a> {
    pub(super) iss: String,
    #[serde(default)]
    sub: String,
    #[serde(borrow)]
    aud: OneOrMany<'a>,
    #[serde(borrow)]
    exp: Seconds<'a>,
    #[serde(borrow)]
    nbf: Option<Seconds<'a>>,
    #[serde(borrow)]
    iat: Option<Seconds<'a>>,
    scope: Option<String>,
    #[serde(borrow)]
    scp: Option<OneOrMany<'a>>,
    email: Option<String>,
}

/// A text, or a list of texts. Read as it stands: what serde has for alternatives takes 10 KB.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
struct OneOrMany<'a>(#[serde(borrow)] &'a RawValue);

/// A NumericDate (RFC 7519 §2), which may have a fraction, but no exponent.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
struct Seconds<'a>(#[serde(borrow)] &'a RawValue);

impl<'a> Claims<'a> {
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, Untrusted> {
        serde_json::from_slice(json).map_err(|_| Untrusted::Claims)
    }
}

impl OneOrMany<'_> {
    fn texts(self) -> Result<Vec<String>, Untrusted> {
        let text = self.0.get();
        let texts = if text.starts_with('"') {
            serde_json::from_str(text).map(|one| vec![one])
        } else {
            serde_json::from_str(text)
        };
        texts.map_err(|_| Untrusted::Claims)
    }
}

impl Seconds<'_> {
    /// `None` for what is no time after 1970.
    fn whole(self) -> Option<u64> {
        let text = self.0.get();
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number(whole) && is_number(fraction) { whole.parse().ok() } else { None }
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

    pub(super) fn check(&self, claims: Claims<'_>, now: u64) -> Result<Subject, Untrusted> {
        if claims.iss != self.name {
            return Err(Untrusted::Issuer);
        }
        if !claims.aud.texts()?.iter().any(|aud| self.audiences.contains(aud)) {
            return Err(Untrusted::Audience);
        }
        let second = |time: Seconds<'_>| time.whole().ok_or(Untrusted::Claims);
        let until = second(claims.exp)?.saturating_add(self.leeway_seconds);
        if now >= until {
            return Err(Untrusted::Expired);
        }
        let latest = now.saturating_add(self.leeway_seconds);
        for begin in [claims.nbf, claims.iat].into_iter().flatten() {
            if second(begin)? > latest {
                return Err(Untrusted::NotYetValid);
            }
        }
        let fits = (1..=MAX_SUBJECT).contains(&claims.sub.len());
        if !fits || !claims.sub.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Untrusted::Subject);
        }
        let scopes: Vec<String> = match (&claims.scope, &claims.scp) {
            (Some(words), _) => vec![words.clone()],
            // Some issuers write it as a list, some as one text of several words.
            (None, Some(list)) => list.texts()?,
            (None, None) => Vec::new(),
        };
        let words = scopes.iter().flat_map(|scope| scope.split(' '));
        let scopes = words.filter(|word| !word.is_empty()).map(str::to_owned).collect();
        Ok(Subject { id: claims.sub, scopes, email: claims.email, until })
    }
}

/// Bytes (OpenID Connect Core §2).
const MAX_SUBJECT: usize = 255;
