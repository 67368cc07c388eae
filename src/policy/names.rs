//! The names that a policy gives to things.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A text type that is checked when it is made.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $check:expr, $reason:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Reads the text.
            pub fn parse(text: &str) -> Result<Self, BadName> {
                let check: fn(&[u8]) -> bool = $check;
                if check(text.as_bytes()) { Ok(Self(text.into())) } else { Err(BadName::$reason) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }
    };
}

text!(
    /// The name of an origin, a tier or an environment key: `[a-z][a-z0-9-]{0,31}`.
    Name,
    |text| matches!(text, [b'a'..=b'z', tail @ ..] if tail.len() <= 31 && tail.iter().all(
        |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')
    )),
    Name
);

text!(
    /// The name of a binding in the deployment: `[A-Z][A-Z0-9_]{0,63}`.
    Binding,
    |text| matches!(text, [b'A'..=b'Z', tail @ ..] if tail.len() <= 63 && tail.iter().all(
        |b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'_')
    )),
    Binding
);

text!(
    /// The public fingerprint of a root secret: 16 lower-case hexadecimal digits.
    Fingerprint,
    |text| text.len() == 16 && text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
    Fingerprint
);

text!(
    /// The number of a workspace: 6 upper-case Crockford base32 characters.
    WorkspaceNumber,
    |text| text.len() == 6 && text.iter().all(
        |b| matches!(b, b'0'..=b'9' | b'A'..=b'Z') && !matches!(b, b'I' | b'L' | b'O' | b'U')
    ),
    WorkspaceNumber
);

/// Why a text is not such a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadName {
    /// Not a [`Name`].
    Name,
    /// Not a [`Binding`].
    Binding,
    /// Not a [`Fingerprint`].
    Fingerprint,
    /// Not a [`WorkspaceNumber`].
    WorkspaceNumber,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a name is a lower-case letter and up to 31 of a-z, 0-9, '-'",
            Self::Binding => "a binding is an upper-case letter and up to 63 of A-Z, 0-9, '_'",
            Self::Fingerprint => "a root fingerprint is 16 lower-case hexadecimal digits",
            Self::WorkspaceNumber => "a workspace is 6 of 0-9 and A-Z without I, L, O, U",
        })
    }
}

impl core::error::Error for BadName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_held_to_their_grammar() {
        assert!(Name::parse("demo-2").is_ok());
        for text in ["", "Demo", "2demo", "-demo", "de_mo", &"a".repeat(33)] {
            assert_eq!(Name::parse(text), Err(BadName::Name), "{text}");
        }
        assert!(Binding::parse("ORIGIN_2").is_ok());
        assert_eq!(Binding::parse("origin"), Err(BadName::Binding));
        assert!(Fingerprint::parse("0123456789abcdef").is_ok());
        assert_eq!(Fingerprint::parse("0123456789ABCDEF"), Err(BadName::Fingerprint));
        assert!(WorkspaceNumber::parse("DEM0WS").is_ok());
        for text in ["DEMOWS", "dem0ws", "DEM0W", "DEM0WSS"] {
            assert_eq!(WorkspaceNumber::parse(text), Err(BadName::WorkspaceNumber), "{text}");
        }
    }
}
