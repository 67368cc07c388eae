//! The two kinds of URL in a policy.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::host::HostName;

/// Scheme, host and port of an origin: `https://api.internal:8443`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OriginUrl(Box<str>);

impl OriginUrl {
    /// Reads `http` or `https`, a host and maybe a port; a target is appended to it as it is.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let authority = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .ok_or(BadUrl::Scheme)?;
        if authority.contains(['/', '?', '#', '@']) {
            return Err(BadUrl::MoreThanOrigin);
        }
        check_authority(authority)?;
        Ok(Self(text.into()))
    }

    /// The URL, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where error codes are explained: an `https` URL to which `#CODE` is appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocsUrl(Box<str>);

impl DocsUrl {
    /// Reads an `https` URL without a fragment.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let rest = text.strip_prefix("https://").ok_or(BadUrl::NotHttps)?;
        let plain = |b: u8| matches!(b, 0x21..=0x7E) && !b"\"#<>\\^`{|}".contains(&b);
        if text.len() > MAX_DOCS || !rest.bytes().all(plain) {
            return Err(BadUrl::Text);
        }
        let authority = rest.split(['/', '?']).next().unwrap_or(rest);
        check_authority(authority)?;
        Ok(Self(text.into()))
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not such a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadUrl {
    /// Neither `http://` nor `https://`.
    Scheme,
    /// Not `https://`.
    NotHttps,
    /// A path, query, fragment or user name.
    MoreThanOrigin,
    /// No valid host, or no valid port.
    Authority,
    /// Too long, a fragment, or a character that has to be encoded.
    Text,
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "a URL starts with 'https://' or 'http://'",
            Self::NotHttps => "this URL starts with 'https://'",
            Self::MoreThanOrigin => "only scheme, host and port; no path, query or user",
            Self::Authority => "the URL has no valid lower-case host, or no valid port",
            Self::Text => "at most 256 visible characters, none to be encoded, and no '#'",
        })
    }
}

impl core::error::Error for BadUrl {}

fn check_authority(authority: &str) -> Result<(), BadUrl> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_ok =
        port.is_none_or(|digits| !digits.starts_with(['0', '+']) && digits.parse::<u16>().is_ok());
    if port_ok && HostName::parse(host).is_ok() { Ok(()) } else { Err(BadUrl::Authority) }
}

impl TryFrom<String> for OriginUrl {
    type Error = BadUrl;

    fn try_from(text: String) -> Result<Self, BadUrl> {
        Self::parse(&text)
    }
}

impl From<OriginUrl> for String {
    fn from(url: OriginUrl) -> Self {
        url.0.into()
    }
}

impl TryFrom<String> for DocsUrl {
    type Error = BadUrl;

    fn try_from(text: String) -> Result<Self, BadUrl> {
        Self::parse(&text)
    }
}

impl From<DocsUrl> for String {
    fn from(url: DocsUrl) -> Self {
        url.0.into()
    }
}

const MAX_DOCS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for text in ["https://api.internal:8443", "http://127.0.0.1", "http://[::1]:80"] {
            assert_eq!(OriginUrl::parse(text).unwrap().as_str(), text);
        }
        for (text, reason) in [
            ("ftp://a.test", BadUrl::Scheme),
            ("a.test", BadUrl::Scheme),
            ("https://a.test/", BadUrl::MoreThanOrigin),
            ("https://a.test?b", BadUrl::MoreThanOrigin),
            ("https://u:p@a.test", BadUrl::MoreThanOrigin),
            ("https://", BadUrl::Authority),
            ("https://A.test", BadUrl::Authority),
            ("https://a.test:", BadUrl::Authority),
            ("https://a.test:0", BadUrl::Authority),
            ("https://a.test:+80", BadUrl::Authority),
            ("https://a.test:65536", BadUrl::Authority),
        ] {
            assert_eq!(OriginUrl::parse(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn a_docs_url_takes_a_fragment_later() {
        assert!(DocsUrl::parse("https://docs.example.com/errors?v=1").is_ok());
        for (text, reason) in [
            ("http://docs.example.com", BadUrl::NotHttps),
            ("https://docs.example.com/#a", BadUrl::Text),
            ("https://docs.example.com/a b", BadUrl::Text),
            ("https:///errors", BadUrl::Authority),
        ] {
            assert_eq!(DocsUrl::parse(text), Err(reason), "{text}");
        }
    }
}
