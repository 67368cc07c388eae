//! What a token says, and whether it says it to us and now.

use serde::Deserialize;

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
pub(super) struct Claims {
    pub(super) iss: String,
    #[serde(default)]
    sub: String,
    aud: OneOrMany,
    exp: Seconds,
    nbf: Option<Seconds>,
    iat: Option<Seconds>,
    scope: Option<String>,
    scp: Option<OneOrMany>,
    email: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// A NumericDate (RFC 7519 §2), which may have a fraction.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Seconds {
    Whole(u64),
    Broken(f64),
}

impl Claims {
    pub(super) fn parse(json: &[u8]) -> Result<Self, Untrusted> {
        serde_json::from_slice(json).map_err(|_| Untrusted::Claims)
    }
}

impl OneOrMany {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => core::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl Seconds {
    /// `None` for what is no time after 1970.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in range, and a second is not divided"
    )]
    fn whole(self) -> Option<u64> {
        match self {
            Self::Whole(seconds) => Some(seconds),
            Self::Broken(seconds) if (0.0..1e15).contains(&seconds) => Some(seconds as u64),
            Self::Broken(_) => None,
        }
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

    pub(super) fn check(&self, claims: Claims, now: u64) -> Result<Subject, Untrusted> {
        if claims.iss != self.name {
            return Err(Untrusted::Issuer);
        }
        if !claims.aud.as_slice().iter().any(|aud| self.audiences.contains(aud)) {
            return Err(Untrusted::Audience);
        }
        let second = |time: Seconds| time.whole().ok_or(Untrusted::Claims);
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
        let scopes = match (&claims.scope, &claims.scp) {
            (Some(words), _) => words.split(' ').map(str::to_owned).collect(),
            (None, Some(list)) => list.as_slice().to_vec(),
            (None, None) => Vec::new(),
        };
        let scopes = scopes.into_iter().filter(|scope| !scope.is_empty()).collect();
        Ok(Subject { id: claims.sub, scopes, email: claims.email, until })
    }
}

/// Bytes (OpenID Connect Core §2).
const MAX_SUBJECT: usize = 255;
