//! Signatures of version 1: HMAC-SHA-256 over method, target, timestamp and body, in the headers
//! `X-Signature` and `X-Timestamp`.
//!
//! ```text
//! POST
//! /v1/agents?dry=1
//! 1700000000
//! {"name":"x"}
//! ```
//!
//! The target is the path with its query, byte for byte as sent; the body follows the last line feed,
//! whatever it holds, and is empty if there is none. With `X-Nonce` its value stands in a line of its
//! own before the body. The host is not signed: the key's record says on which it may be used.

use crate::crypto::{Digest, MacKey};
use crate::encoding;
use crate::signature::Part;

/// What is signed of a request.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// As sent.
    pub method: &'a str,
    /// The path with its query, as sent.
    pub target: &'a str,
    /// The second in which it was signed, as sent.
    pub timestamp: &'a str,
    /// One more line, if the key's record says so.
    pub nonce: Option<&'a str>,
    /// All of it; empty if there is none.
    pub body: &'a [u8],
}

impl core::fmt::Debug for Message<'_> {
    /// Without target and body.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Message").field("method", &self.method).finish_non_exhaustive()
    }
}

impl Message<'_> {
    /// Its MAC.
    #[must_use]
    pub fn mac(&self, key: &MacKey) -> Digest {
        let Self { method, target, timestamp, nonce, body } = *self;
        let (nonce, end): (&[u8], &[u8]) = match nonce {
            Some(nonce) => (nonce.as_bytes(), b"\n"),
            None => (b"", b""),
        };
        let [method, target, timestamp] = [method, target, timestamp].map(str::as_bytes);
        key.mac(&[method, b"\n", target, b"\n", timestamp, b"\n", nonce, end, body])
    }

    /// `X-Signature`: what a signer sends besides `X-Timestamp` and perhaps `X-Key-Id` and `X-Nonce`.
    #[must_use]
    pub fn sign(&self, key: &MacKey) -> String {
        encoding::hex(self.mac(key).as_bytes())
    }

    /// Its lines, as hashes.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let Self { method, target, timestamp, nonce, body } = *self;
        let lines = [("method", method), ("target", target), ("timestamp", timestamp)];
        let nonce = nonce.map(|nonce| ("nonce", nonce));
        let lines = lines.into_iter().chain(nonce);
        let mut parts: Vec<Part> =
            lines.map(|(name, line)| Part::of(name, line.as_bytes())).collect();
        parts.push(Part::of("body", body));
        parts
    }
}

/// Reads `X-Signature`: 64 lower-case hexadecimal digits, once.
#[must_use]
pub fn parse_mac(text: &str) -> Option<Digest> {
    if text.len() != 64 {
        return None;
    }
    encoding::from_hex(text)?.try_into().ok().map(Digest::from_bytes)
}

/// Whether a text may be an `X-Nonce`: 16 to 64 of `A-Z a-z 0-9 - _ . ~ + / =`.
#[must_use]
pub fn is_nonce(text: &str) -> bool {
    let is_one = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=')
    };
    (16..=64).contains(&text.len()) && text.bytes().all(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_of_a_mac() {
        assert!(parse_mac(&"0a".repeat(32)).is_some());
        for text in ["", &"0A".repeat(32), &"0a".repeat(31), &"0a".repeat(33), &"0g".repeat(32)] {
            assert!(parse_mac(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_line_moves_nothing_into_another() {
        let key = MacKey::new(b"k");
        let mac = |method, target, nonce, body: &[u8]| {
            *Message { method, target, timestamp: "1700000000", nonce, body }.mac(&key).as_bytes()
        };
        // A nonce cannot be had by a body that begins like one: the record says which is meant.
        assert_eq!(mac("GET", "/a", Some("n"), b"b"), mac("GET", "/a", None, b"n\nb"));
        assert_ne!(mac("GET", "/a", None, b"b"), mac("GET", "/ab", None, b""));
    }
}
