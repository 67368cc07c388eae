//! `Content-Digest` (RFC 9530), with SHA-256 alone.

use sfv::{BareItem, Dictionary, ListEntry, Parser};

use crate::crypto;
use crate::encoding;

/// The SHA-256 of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentDigest([u8; 32]);

impl ContentDigest {
    /// Of a body.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self(crypto::sha256(body))
    }

    /// Reads the header. Other algorithms may stand beside `sha-256`, and are not looked at.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // Of two the second would count here, and the first elsewhere.
        if text.matches("sha-256=").count() != 1 {
            return None;
        }
        let members: Dictionary = Parser::new(text).parse().ok()?;
        let ListEntry::Item(item) = members.get("sha-256")? else { return None };
        let BareItem::ByteSequence(digest) = &item.bare_item else { return None };
        digest.as_slice().try_into().ok().map(Self)
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> String {
        format!("sha-256=:{}:", encoding::base64(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard() {
        let text = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
        let own = ContentDigest::of(br#"{"hello": "world"}"#);
        assert_eq!((own.header().as_str(), ContentDigest::parse(text)), (text, Some(own)));
        let among = format!("sha-512=:AA==:, {text}");
        assert_eq!(ContentDigest::parse(&among), Some(own));
        for bad in [
            "",
            "sha-256=AA==",
            "sha-256=:AA==:",
            "sha-512=:AA==:",
            "sha-256=(:AA==:)",
            "x",
            &format!("{text}, {text}"),
        ] {
            assert_eq!(ContentDigest::parse(bad), None, "{bad}");
        }
    }
}
