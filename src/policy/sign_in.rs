//! How people sign in to the dashboard.

use serde::{Deserialize, Serialize};

use super::{Bounded, ClaimText, Name};

/// The issuer that people are sent to, and as which client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// One of the policy's, by name. Where it is asked stands in its document of OpenID Connect Discovery.
    pub issuer: Name,
    /// `client_id`: a public client, which proves itself by PKCE.
    pub client_id: ClaimText,
    /// What is asked for, in `scope`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<ClaimText>,
    /// How long a session lasts at most, in hours; never longer than the access token.
    #[serde(default = "half_a_day")]
    pub hours: Bounded<1, 24>,
}

impl SignIn {
    /// [`SignIn::hours`] of a policy that does not say.
    pub const HOURS: Bounded<1, 24> = Bounded::clamped(12);
}

const fn half_a_day() -> Bounded<1, 24> {
    SignIn::HOURS
}
