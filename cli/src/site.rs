//! Where something answers: `https://`, or `http://` on this machine alone.

use core::fmt;

use serde::{Deserialize, Serialize};
use ureq::http::Uri;

/// A URL without query or fragment, and without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Site(String);

impl Site {
    /// Reads one. The reason does not repeat the text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let expected = || "expected a URL as https://gate-admin.example.com".to_owned();
        let uri: Uri = text.parse().map_err(|_| expected())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(expected());
        };
        if authority.as_str().contains('@') || uri.query().is_some() || text.contains('#') {
            return Err("a URL without user, query and fragment is expected".to_owned());
        }
        match scheme {
            "https" => {}
            "http" if is_loopback(authority.host()) => {}
            "http" => return Err("http:// is for this machine alone; use https://".to_owned()),
            _ => return Err(expected()),
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// The URL.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.0.parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(is_loopback))
    }
}

/// What an issuer says is one of its own: as a site, but with a query and a slash at its end, which belong to it
/// (RFC 6749 §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint(String);

impl Endpoint {
    /// Reads one. The reason does not repeat the text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let place = text.split('?').next().unwrap_or_default();
        Site::parse(place)?;
        let is_uri = !text.contains('#') && text.parse::<Uri>().is_ok();
        is_uri.then(|| Self(text.to_owned())).ok_or_else(|| "this makes no URL".to_owned())
    }

    /// The URL.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// With these fields besides its own.
    pub(crate) fn with(&self, query: &str) -> String {
        let mark = if self.0.contains('?') { '&' } else { '?' };
        format!("{}{mark}{query}", self.0)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Site {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Site> for String {
    fn from(site: Site) -> Self {
        site.0
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a host, as it stands in a URL, is this machine (RFC 6761 §6.3 for names).
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for url in [
            "https://admin.example.com",
            "https://admin.example.com:8443/",
            "http://portcullis.localhost:8787",
            "http://127.0.0.1:1",
            "http://127.9.9.9",
            "http://[::1]:8787",
            "http://LOCALHOST",
        ] {
            let site = Site::parse(url).unwrap();
            assert!(!site.as_str().ends_with('/'), "{url}");
            assert_eq!(site.is_local(), url.starts_with("http:"), "{url}");
        }
        for url in [
            "http://admin.example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://notlocalhost",
            "http://127.0.0.1@example.com",
            "https://a:b@example.com",
            "ftp://localhost",
            "admin.example.com",
            "/x",
            "https://example.com/?token=x",
            "https://example.com/#x",
            "",
        ] {
            assert!(Site::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_endpoint_keeps_its_query_and_its_slash() {
        for url in ["https://a.example/token/", "https://a.example/?p=b2c", "http://127.0.0.1:1/t"]
        {
            assert_eq!(Endpoint::parse(url).unwrap().as_str(), url);
        }
        let with = |url| Endpoint::parse(url).unwrap().with("a=b");
        assert_eq!(with("https://a.example/x/"), "https://a.example/x/?a=b");
        assert_eq!(with("https://a.example/x?p=q"), "https://a.example/x?p=q&a=b");
        for url in
            ["http://a.example/?x", "https://a.example/#x", "https://a.example/?x#y", "/t", ""]
        {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }
}
