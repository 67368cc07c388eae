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

text!(
    /// What stands before the environment of a key's prefix: `[a-z][a-z0-9]{1,11}`.
    KeyPrefix,
    |text| matches!(text, [b'a'..=b'z', tail @ ..] if (1..=11).contains(&tail.len())
        && tail.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9'))),
    KeyPrefix
);

impl Default for KeyPrefix {
    fn default() -> Self {
        Self("ak".into())
    }
}

text!(
    /// A person or program, as an issuer knows it: the issuer's name in the policy, `:`, and `sub` of
    /// its tokens in 1 to 255 visible characters.
    MemberId,
    |text| matches!(text.iter().position(|&b| b == b':').and_then(|at| text.split_at_checked(at)),
        Some((name, [_, sub @ ..])) if core::str::from_utf8(name).is_ok_and(|name| Name::parse(name).is_ok())
            && (1..=255).contains(&sub.len()) && sub.iter().all(u8::is_ascii_graphic)),
    MemberId
);

impl MemberId {
    /// The name of the issuer.
    pub fn issuer(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }
}

text!(
    /// What a claim of a token is compared with, byte for byte: 1 to 256 visible characters.
    ClaimText,
    |text| (1..=256).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic),
    ClaimText
);

text!(
    /// The name of a header that brings tokens, or in which an origin tells a cost: `[a-z0-9-]{1,64}`, and none
    /// that has another use.
    HeaderName,
    |text| (1..=64).contains(&text.len())
        && text.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !TAKEN_HEADERS.iter().any(|taken| taken.as_bytes() == text),
    HeaderName
);

const TAKEN_HEADERS: [&str; 19] = [
    "age",
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "date",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
    "x-key-id",
    "x-signature",
];

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
    /// Not a [`KeyPrefix`].
    KeyPrefix,
    /// Not a [`MemberId`].
    MemberId,
    /// Not a [`ClaimText`].
    ClaimText,
    /// Not a [`HeaderName`].
    HeaderName,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a name is a lower-case letter and up to 31 of a-z, 0-9, '-'",
            Self::Binding => "a binding is an upper-case letter and up to 63 of A-Z, 0-9, '_'",
            Self::Fingerprint => "a root fingerprint is 16 lower-case hexadecimal digits",
            Self::WorkspaceNumber => "a workspace is 6 of 0-9 and A-Z without I, L, O, U",
            Self::KeyPrefix => "a key prefix is a lower-case letter and 1 to 11 of a-z, 0-9",
            Self::MemberId => "a member is an issuer's name, ':', and 1 to 255 visible characters",
            Self::ClaimText => "1 to 256 visible characters, none of them a space",
            Self::HeaderName => {
                "a header's name is 1 to 64 of a-z, 0-9, '-', and none with another use"
            }
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
        assert!(KeyPrefix::parse("ak").is_ok() && KeyPrefix::parse("abcdefghijkl").is_ok());
        for text in ["a", "Ak", "1a", "ak_live", "ak_", "abcdefghijklm"] {
            assert_eq!(KeyPrefix::parse(text), Err(BadName::KeyPrefix), "{text}");
        }
        assert_eq!(MemberId::parse("auth0:google-oauth2|1:2").unwrap().issuer(), "auth0");
        for text in ["auth0", "auth0:", ":a", "Auth0:a", "auth0:a b", "auth0:\u{e9}"] {
            assert_eq!(MemberId::parse(text), Err(BadName::MemberId), "{text}");
        }
        assert!(MemberId::parse(&format!("a:{}", "s".repeat(255))).is_ok());
        assert!(MemberId::parse(&format!("a:{}", "s".repeat(256))).is_err());
        for text in ["", "a b", "a\n", &"a".repeat(257)] {
            assert_eq!(ClaimText::parse(text), Err(BadName::ClaimText), "{text}");
        }
        assert!(HeaderName::parse("cf-access-jwt-assertion").is_ok());
        for text in
            ["", "authorization", "cookie", "Cf-Access", "a_b", "connection", "content-length"]
        {
            assert_eq!(HeaderName::parse(text), Err(BadName::HeaderName), "{text}");
        }
    }
}
