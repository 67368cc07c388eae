//! What holds of the management API.

use serde::{Deserialize, Serialize};

use super::{Bounded, KeyPrefix, MemberId, SignIn, WebOrigin};
use crate::scope::Grants;

/// The rules of the management API and of the keys that it makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Management {
    /// What the prefix of a new key begins with.
    pub key_prefix: KeyPrefix,
    /// How many active keys a workspace may have.
    pub max_active_keys: Bounded<1, 1_000_000>,
    /// How long a temporary key may last, in days.
    pub temporary_max_days: Bounded<1, 3650>,
    /// What a new key may do if nobody says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_scopes: Option<Grants>,
    /// Who may open a workspace, and owns it, before anybody is a member of any.
    pub bootstrap_owners: Vec<MemberId>,
    /// The web origins whose pages may call the API (CORS).
    pub dashboard_origins: Vec<WebOrigin>,
    /// How people sign in to the dashboard; nobody can without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<SignIn>,
}

impl Default for Management {
    fn default() -> Self {
        Self {
            key_prefix: KeyPrefix::default(),
            max_active_keys: Bounded::clamped(20),
            temporary_max_days: Bounded::clamped(90),
            default_scopes: None,
            bootstrap_owners: Vec::new(),
            dashboard_origins: Vec::new(),
            sign_in: None,
        }
    }
}

impl Management {
    /// How long a temporary key may last, in seconds.
    #[must_use]
    pub fn temporary_seconds(&self) -> u64 {
        u64::from(self.temporary_max_days.get()).saturating_mul(24 * 3600)
    }

    /// Whether all is as it would be without a word in the policy.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
