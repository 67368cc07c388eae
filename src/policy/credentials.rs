//! The kinds of credential that a route takes.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A kind of credential, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// An API key: native, imported or from the environment.
    Key,
    /// A session token.
    Session,
    /// An OAuth access token.
    Oauth,
    /// No credential; any that is sent is not read and not forwarded.
    Public,
}

/// The credentials of a route: one or more kinds, or `public` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Credential>", into = "Vec<Credential>")]
pub struct Credentials(u8);

impl Credentials {
    /// Whether the route takes this kind.
    pub const fn contains(self, credential: Credential) -> bool {
        self.0 & 1 << credential as u8 != 0
    }

    /// Whether the route takes no credential.
    pub const fn is_public(self) -> bool {
        self.contains(Credential::Public)
    }
}

impl TryFrom<Vec<Credential>> for Credentials {
    type Error = BadCredentials;

    fn try_from(list: Vec<Credential>) -> Result<Self, BadCredentials> {
        if list.is_empty() {
            return Err(BadCredentials::Empty);
        }
        let mut set = Self(0);
        for credential in list {
            if set.contains(credential) {
                return Err(BadCredentials::Repeated);
            }
            set.0 |= 1 << credential as u8;
        }
        let public_alone = 1 << Credential::Public as u8;
        if set.is_public() && set.0 != public_alone {
            return Err(BadCredentials::PublicAndMore);
        }
        Ok(set)
    }
}

impl From<Credentials> for Vec<Credential> {
    fn from(set: Credentials) -> Self {
        [Credential::Key, Credential::Session, Credential::Oauth, Credential::Public]
            .into_iter()
            .filter(|&credential| set.contains(credential))
            .collect()
    }
}

/// Why a list is not the credentials of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadCredentials {
    /// Nothing in it.
    Empty,
    /// One kind twice.
    Repeated,
    /// `public` beside another kind.
    PublicAndMore,
}

impl fmt::Display for BadCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a route names its credentials; write [\"public\"] for none",
            Self::Repeated => "the same credential is listed twice",
            Self::PublicAndMore => "\"public\" excludes every other credential",
        })
    }
}

impl core::error::Error for BadCredentials {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_stands_alone() {
        use Credential::{Key, Oauth, Public};
        let set = |list: &[Credential]| Credentials::try_from(list.to_vec());
        assert!(set(&[Public]).unwrap().is_public());
        assert!(!set(&[Key, Oauth]).unwrap().is_public());
        assert_eq!(set(&[Public, Key]), Err(BadCredentials::PublicAndMore));
        assert_eq!(set(&[Key, Key]), Err(BadCredentials::Repeated));
        assert_eq!(set(&[]), Err(BadCredentials::Empty));
    }
}
