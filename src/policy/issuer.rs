//! Who vouches for people.

use serde::{Deserialize, Serialize};

use super::{Bounded, ClaimText, Credential, HeaderName, JwksUrl, Name};

/// An issuer of tokens, and which of its tokens are believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerRules {
    /// Its name in the policy, by which members are known: `<name>:<sub>`.
    pub name: Name,
    /// `iss`, compared byte for byte.
    pub issuer: ClaimText,
    /// Where its public keys are.
    pub jwks: JwksUrl,
    /// One of these must be in `aud`; never empty.
    pub audiences: Vec<ClaimText>,
    /// What its tokens count as.
    pub credential: TokenKind,
    /// The `typ` of its tokens (RFC 9068: `at+jwt`); empty: any, or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<ClaimText>,
    /// The most by which clocks may differ, in seconds.
    #[serde(default = "half_a_minute")]
    pub leeway_seconds: Bounded<0, 300>,
    /// A header in which its tokens come besides `Authorization`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderName>,
    /// The claim that names the workspace that a token is for, by its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_claim: Option<ClaimText>,
}

/// What a token counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// A session of somebody at a browser.
    Session,
    /// An OAuth access token.
    Oauth,
}

impl TokenKind {
    /// The word in a policy.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Oauth => "oauth",
        }
    }

    /// What of it a route says that it takes.
    pub const fn credential(self) -> Credential {
        match self {
            Self::Session => Credential::Session,
            Self::Oauth => Credential::Oauth,
        }
    }
}

const fn half_a_minute() -> Bounded<0, 300> {
    Bounded::clamped(30)
}
