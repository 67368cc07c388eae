//! The kinds of URL in a policy.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::host::{HostName, same_host};

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

    /// Host and port; a port of the scheme's own is left out.
    #[cfg(feature = "policy-source")]
    pub(crate) fn authority(&self) -> &str {
        let (scheme, authority) = self.0.split_once("://").unwrap_or_default();
        let own = if scheme == "https" { ":443" } else { ":80" };
        authority.strip_suffix(own).unwrap_or(authority)
    }

    /// Whether its host is this machine.
    #[cfg(feature = "policy-source")]
    pub(crate) fn is_here(&self) -> bool {
        is_here(self.authority())
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
        check_absolute(rest, text.len() <= MAX_URL)?;
        Ok(Self(text.into()))
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where an issuer's public keys are: an `https` URL, or an `http` URL of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JwksUrl(Box<str>);

impl JwksUrl {
    /// Reads an absolute URL without a fragment or user.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        check_absolute(secure_rest(text)?, text.len() <= MAX_URL)?;
        Ok(Self(text.into()))
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A web origin (RFC 6454) as browsers write it in `Origin`: `https://host[:port]`, or `http` of this
/// machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebOrigin(Box<str>);

impl WebOrigin {
    /// Reads an origin in the one spelling that a browser sends.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let authority = secure_rest(text)?;
        if authority.contains(['/', '?', '#', '@']) {
            return Err(BadUrl::MoreThanOrigin);
        }
        check_authority(authority)?;
        let default = if text.starts_with("https:") { ":443" } else { ":80" };
        if authority.ends_with(default) { Err(BadUrl::DefaultPort) } else { Ok(Self(text.into())) }
    }

    /// The origin.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What follows the scheme, which is `https`, or `http` if the host is this machine.
pub(crate) fn secure_rest(text: &str) -> Result<&str, BadUrl> {
    if let Some(rest) = text.strip_prefix("https://") {
        return Ok(rest);
    }
    let rest = text.strip_prefix("http://").ok_or(BadUrl::NotHttps)?;
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    if is_here(authority) { Ok(rest) } else { Err(BadUrl::NotHttps) }
}

/// Whether an authority is of this machine.
fn is_here(authority: &str) -> bool {
    LOOPBACK.iter().any(|host| same_host(authority, host))
        || authority.split(':').next().is_some_and(|host| host.ends_with(".localhost"))
}

/// Checks what follows the scheme; the host that it names.
pub(crate) fn check_absolute(rest: &str, is_short: bool) -> Result<&str, BadUrl> {
    let plain = |b: u8| matches!(b, 0x21..=0x7E) && !b"\"#<>\\^`{|}".contains(&b);
    if !is_short || !rest.bytes().all(plain) {
        return Err(BadUrl::Text);
    }
    check_authority(rest.split(['/', '?']).next().unwrap_or(rest))
}

const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

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
    /// A port that browsers leave out.
    DefaultPort,
    /// Too long, a fragment, or a character that has to be encoded.
    Text,
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "a URL has to start with 'https://' or 'http://'",
            Self::NotHttps => "this URL has to start with 'https://'",
            Self::MoreThanOrigin => "only scheme, host and port; no path, query or user",
            Self::Authority => "the URL has no valid lower-case host, or no valid port",
            Self::DefaultPort => "browsers leave out the scheme's own port, so leave it out",
            Self::Text => "at most 256 visible characters, none to be encoded, and no '#'",
        })
    }
}

impl core::error::Error for BadUrl {}

/// The host of it.
fn check_authority(authority: &str) -> Result<&str, BadUrl> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_ok =
        port.is_none_or(|digits| !digits.starts_with(['0', '+']) && digits.parse::<u16>().is_ok());
    if port_ok && HostName::parse(host).is_ok() { Ok(host) } else { Err(BadUrl::Authority) }
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

impl TryFrom<String> for JwksUrl {
    type Error = BadUrl;

    fn try_from(text: String) -> Result<Self, BadUrl> {
        Self::parse(&text)
    }
}

impl From<JwksUrl> for String {
    fn from(url: JwksUrl) -> Self {
        url.0.into()
    }
}

impl TryFrom<String> for WebOrigin {
    type Error = BadUrl;

    fn try_from(text: String) -> Result<Self, BadUrl> {
        Self::parse(&text)
    }
}

impl From<WebOrigin> for String {
    fn from(url: WebOrigin) -> Self {
        url.0.into()
    }
}

const MAX_URL: usize = 256;

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

    #[test]
    fn keys_of_issuers_come_by_https_or_from_this_machine() {
        for text in [
            "https://issuer.test/jwks?v=1",
            "http://127.0.0.1:8788/jwks.json",
            "http://[::1]:1/",
            "http://localhost",
            "http://a.localhost:80/x",
        ] {
            assert_eq!(JwksUrl::parse(text).unwrap().as_str(), text);
        }
        for (text, reason) in [
            ("http://issuer.test/jwks", BadUrl::NotHttps),
            ("http://127.0.0.1.test/", BadUrl::NotHttps),
            ("http://localhost@issuer.test/", BadUrl::NotHttps),
            ("http://localhost:1@issuer.test/", BadUrl::NotHttps),
            ("http://a.localhost:1@issuer.test/", BadUrl::Authority),
            ("https://user@issuer.test/", BadUrl::Authority),
            ("https://issuer.test/#a", BadUrl::Text),
            ("file:///jwks", BadUrl::NotHttps),
        ] {
            assert_eq!(JwksUrl::parse(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn a_web_origin_is_spelt_as_browsers_do() {
        for text in ["https://admin.test", "https://admin.test:8443", "http://localhost:5173"] {
            assert_eq!(WebOrigin::parse(text).unwrap().as_str(), text);
        }
        for (text, reason) in [
            ("https://admin.test/", BadUrl::MoreThanOrigin),
            ("https://admin.test:443", BadUrl::DefaultPort),
            ("http://localhost:80", BadUrl::DefaultPort),
            ("http://admin.test", BadUrl::NotHttps),
            ("https://Admin.test", BadUrl::Authority),
            ("null", BadUrl::NotHttps),
            ("*", BadUrl::NotHttps),
        ] {
            assert_eq!(WebOrigin::parse(text), Err(reason), "{text}");
        }
    }
}
