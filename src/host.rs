//! Host names: which authority a request names, and whether the policy serves it.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// Whether an authority (a `Host` header, RFC 9110 section 7.2) names `host`.
///
/// Letter case and a port are ignored. A trailing dot is another name: `api.test.` is not
/// `api.test`. Anything else that is not exactly the name is not the name.
pub fn same_host(authority: &str, host: &str) -> bool {
    let Some((name, rest)) = authority.split_at_checked(host.len()) else { return false };
    name.eq_ignore_ascii_case(host) && (rest.is_empty() || is_port(rest))
}

/// A host name as a policy writes it: lower case, no port, one spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(Box<str>);

impl HostName {
    /// Reads a DNS name, an IPv4 address or a bracketed IPv6 address.
    pub fn parse(text: &str) -> Result<Self, BadHost> {
        let checked = match text.strip_prefix('[') {
            Some(rest) => check_v6(rest),
            None => check_name(text),
        };
        checked.map(|()| Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an authority names this host; see [`same_host`].
    pub fn matches(&self, authority: &str) -> bool {
        same_host(authority, &self.0)
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for HostName {
    type Error = BadHost;

    fn try_from(text: String) -> Result<Self, BadHost> {
        Self::parse(&text)
    }
}

impl From<HostName> for String {
    fn from(host: HostName) -> Self {
        host.0.into()
    }
}

/// Why a text is not a host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHost {
    /// Nothing, or more than 253 bytes.
    Length,
    /// An upper-case letter.
    UpperCase,
    /// A dot at the end.
    TrailingDot,
    /// A port, path, space or other character that a name does not have.
    Character,
    /// A label that is empty, longer than 63 bytes, or has `-` at an end.
    Label,
    /// An all-numeric last label that is not part of an IPv4 address.
    Ipv4,
    /// Not an IPv6 address in its shortest lower-case form, in brackets.
    Ipv6,
}

impl fmt::Display for BadHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a host name has 1 to 253 characters",
            Self::UpperCase => "a host name is written in lower case",
            Self::TrailingDot => "a host name has no dot at the end",
            Self::Character => "a host name has only letters, digits, '-' and '.', without a port",
            Self::Label => "a label of a host name has 1 to 63 characters and no '-' at its ends",
            Self::Ipv4 => "a host name that ends in a number must be an IPv4 address",
            Self::Ipv6 => "an IPv6 host is written in its shortest form, in brackets, as '[::1]'",
        })
    }
}

impl core::error::Error for BadHost {}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|digits| {
        (1..=5).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

fn check_v6(text: &str) -> Result<(), BadHost> {
    let address = text.strip_suffix(']').ok_or(BadHost::Ipv6)?;
    let parsed: Ipv6Addr = address.parse().map_err(|_| BadHost::Ipv6)?;
    if parsed.to_string() == address { Ok(()) } else { Err(BadHost::Ipv6) }
}

fn check_name(text: &str) -> Result<(), BadHost> {
    if text.is_empty() || text.len() > 253 {
        return Err(BadHost::Length);
    }
    if text.ends_with('.') {
        return Err(BadHost::TrailingDot);
    }
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' => {}
            b'A'..=b'Z' => return Err(BadHost::UpperCase),
            _ => return Err(BadHost::Character),
        }
    }
    let bad_label = |label: &str| {
        label.is_empty() || label.len() > 63 || label.starts_with('-') || label.ends_with('-')
    };
    if text.split('.').any(bad_label) {
        return Err(BadHost::Label);
    }
    // URL parsers take such a name for an IPv4 address (WHATWG URL, "ends in a number").
    let numeric =
        |label: &str| label.bytes().all(|b| b.is_ascii_digit()) || label.starts_with("0x");
    if text.rsplit('.').next().is_some_and(numeric) && text.parse::<Ipv4Addr>().is_err() {
        return Err(BadHost::Ipv4);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        for text in ["localhost", "127.0.0.1", "api.test", "[::1]", "xn--caf-dma.example"] {
            let name = HostName::parse(text).unwrap();
            assert_eq!((name.as_str(), name.to_string().as_str()), (text, text));
        }
        for (text, reason) in [
            ("", BadHost::Length),
            ("API.test", BadHost::UpperCase),
            ("api.test.", BadHost::TrailingDot),
            ("api.test:443", BadHost::Character),
            ("api_test", BadHost::Character),
            ("*.test", BadHost::Character),
            ("api..test", BadHost::Label),
            ("-api.test", BadHost::Label),
            ("api-.test", BadHost::Label),
            ("300.1.1.1", BadHost::Ipv4),
            ("0x7f.0x1", BadHost::Ipv4),
            ("[0:0:0:0:0:0:0:1]", BadHost::Ipv6),
            ("[::1", BadHost::Ipv6),
        ] {
            assert_eq!(HostName::parse(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn a_label_has_63_characters_at_most_and_a_name_253() {
        let of = |length: usize| {
            let most = "a".repeat(63);
            let text = format!("{most}.{most}.{most}.{}", "a".repeat(length));
            (text.len(), HostName::parse(&text).err())
        };
        assert_eq!(of(61), (253, None));
        assert_eq!(of(62), (254, Some(BadHost::Length)));
        let of = |length: usize| HostName::parse(&"a".repeat(length)).err();
        assert_eq!([63, 64].map(of), [None, Some(BadHost::Label)]);
        assert!(BadHost::Label.to_string().contains("1 to 63 characters"));
    }
}
