//! The only file that names a cryptographic crate.
//!
//! HMAC-SHA-256 (RFC 2104, FIPS 180-4) with keys prepared once, HKDF-SHA-256
//! (RFC 5869), SHA-256, and constant-time comparison of fixed-length digests.

use core::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// An HMAC-SHA-256 key whose padded blocks are hashed already, so that a short
/// message costs two compressions fewer.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// Takes a key of any length, as RFC 2104 does.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        #[expect(clippy::expect_used, reason = "HMAC is defined for keys of every length")]
        Self(Hmac::new_from_slice(key).expect("HMAC takes any key"))
    }

    /// The MAC of the concatenation of `parts`.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> Digest {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        Digest(mac.finalize().into_bytes().into())
    }
}

impl MacKey {
    /// Begins a MAC whose message comes in parts.
    #[must_use]
    pub fn begin(&self) -> RunningMac {
        RunningMac(self.0.clone())
    }
}

/// A MAC under way. A clone goes on from the same place, so that a common
/// beginning is hashed once.
#[derive(Clone)]
pub struct RunningMac(Hmac<Sha256>);

impl RunningMac {
    /// Adds to the message.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The MAC of the message.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into_bytes().into())
    }
}

impl fmt::Debug for RunningMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunningMac(..)")
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

/// 32 bytes that stand for a secret. Compared in constant time only, hence no
/// `PartialEq`.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// A digest that was stored before.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be stored or sent.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are the same, in time independent of where they differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// The place of `self` among `candidates`; looks at all of them whatever it
    /// finds, and answers the last that matches.
    pub fn position<'a>(&self, candidates: impl Iterator<Item = &'a Self>) -> Option<usize> {
        let mut found = None;
        for (place, candidate) in candidates.enumerate() {
            let equal: Choice = self.0.ct_eq(&candidate.0);
            if equal.into() {
                found = Some(place);
            }
        }
        found
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

/// Whether both are the same, in time independent of where they differ; their length is no secret.
#[must_use]
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// 32 bytes of HKDF-SHA-256 (RFC 5869) from `secret`, bound to `salt` and `info`.
#[must_use]
pub fn hkdf(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> [u8; 32] {
    let mut okm = [0; 32];
    #[expect(clippy::expect_used, reason = "32 bytes are below the limit of 255 × 32")]
    hkdf_fill(salt, secret, info, &mut okm).expect("32 bytes are a valid length");
    okm
}

/// Fills `okm` by HKDF-SHA-256 (RFC 5869).
///
/// # Errors
/// [`TooLong`] above 255 × 32 bytes.
pub fn hkdf_fill(
    salt: &[u8],
    secret: &[u8],
    info: &[&[u8]],
    okm: &mut [u8],
) -> Result<(), TooLong> {
    Hkdf::<Sha256>::new(Some(salt), secret).expand_multi_info(info, okm).map_err(|_| TooLong)
}

/// More output was asked for than HKDF can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Whether the primitives give the answers of their standards: RFC 4231 case 2
/// and RFC 5869 case 1. A gate whose arithmetic is broken must not decide.
#[must_use]
pub fn known_answers_hold() -> bool {
    let mac = MacKey::new(b"Jefe").mac(&[b"what do ya want ", b"for nothing?"]);
    let okm = hkdf(
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        &[0x0b; 22],
        &[&[0xf0, 0xf1, 0xf2, 0xf3, 0xf4], &[0xf5, 0xf6, 0xf7, 0xf8, 0xf9]],
    );
    mac.matches(&Digest(RFC4231_CASE_2)) && Digest(okm).matches(&Digest(RFC5869_CASE_1))
}

const RFC4231_CASE_2: [u8; 32] = [
    0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
    0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
];

const RFC5869_CASE_1: [u8; 32] = [
    0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36, 0x2f, 0x2a,
    0x2d, 0x2d, 0x0a, 0x90, 0xcf, 0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56, 0xec, 0xc4, 0xc5, 0xbf,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_answers() {
        assert!(known_answers_hold());
    }

    #[test]
    fn position_finds_and_misses() {
        let digests: Vec<Digest> = (0..4).map(|n| Digest([n; 32])).collect();
        assert_eq!(Digest([2; 32]).position(digests.iter()), Some(2));
        assert_eq!(Digest([9; 32]).position(digests.iter()), None);
    }
}
