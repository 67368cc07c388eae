//! What a member of a workspace may do.

use serde::{Deserialize, Serialize};

use super::endpoint::Access;

/// A role; each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees.
    Member,
    /// Manages keys and members.
    Admin,
    /// Manages admins, owners and the workspace itself.
    Owner,
}

impl Role {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Member, Self::Admin, Self::Owner].into_iter().find(|role| role.as_str() == text)
    }

    /// Whether an endpoint is open to it.
    #[must_use]
    pub fn may(self, access: Access) -> bool {
        match access {
            Access::Public | Access::Token | Access::Member => true,
            Access::Admin => self >= Self::Admin,
            Access::Owner => self == Self::Owner,
            // A person is neither.
            Access::Key | Access::Scanner => false,
        }
    }
}
