//! Bytes as text: base64 (RFC 4648) and lower-case hex, in their one canonical spelling each; and
//! numbers, without the machinery of `fmt`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Standard base64 with padding, read; `None` for any other spelling.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Standard base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// base64url without padding, appended.
pub(crate) fn append_base64url(bytes: &[u8], out: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, out);
}

/// base64url without padding.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// base64url without padding, read; `None` for any other spelling.
pub(crate) fn from_base64url(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

/// Lower-case hex, read; `None` for any other spelling.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    base16ct::lower::decode_vec(text).ok()
}

/// A number, appended.
pub(crate) fn append_decimal(number: u64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(number));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_each() {
        assert_eq!(from_base64("AAE="), Some(vec![0, 1]));
        for text in ["AAE", "AAF=", "AAE=\n", " AAE=", "AA E=", "AA_=", "AAE=="] {
            assert_eq!(from_base64(text), None, "{text:?}");
        }
        assert_eq!(from_base64url(b"AAE"), Some(vec![0, 1]));
        for text in ["AAE=", "AAF", "AA+", "A"] {
            assert_eq!(from_base64url(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(from_hex("00ff"), Some(vec![0, 255]));
        for text in ["00FF", "0", "0g", "0x00"] {
            assert_eq!(from_hex(text), None, "{text:?}");
        }
        assert_eq!((hex(&[0, 255]), base64url(&[255, 255])), ("00ff".into(), "__8".into()));
    }
}
