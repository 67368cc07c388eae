//! Public keys in PEM (RFC 7468) of a SubjectPublicKeyInfo (RFC 5480): those of P-256, uncompressed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The coordinates of a P-256 key in PEM, each 32 bytes; `None` for anything else.
pub(crate) fn p256_point(pem: &str) -> Option<([u8; 32], [u8; 32])> {
    let body = pem.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let base64: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(base64).ok()?;
    let point = der.strip_prefix(P256)?;
    let (x, y) = point.split_first_chunk::<32>()?;
    Some((*x, y.try_into().ok()?))
}

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
/// The algorithm and the beginning of an uncompressed point.
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
