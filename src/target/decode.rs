//! Reading percent-encoded text as the bytes it stands for.

use core::str::Bytes;

/// The bytes that a piece of an accepted path stands for.
///
/// A `%` without two hex digits, which an accepted path does not have, stands for itself.
pub fn decoded(raw: &str) -> Decoded<'_> {
    Decoded(raw.bytes())
}

/// The text that a piece stands for; `None` if it is not UTF-8.
pub fn decoded_text(raw: &str) -> Option<String> {
    String::from_utf8(decoded(raw).collect()).ok()
}

/// Whether `raw`, percent-decoded, is `value`.
pub fn eq_decoded(raw: &str, value: &str) -> bool {
    if raw.contains('%') { decoded(raw).eq(value.bytes()) } else { raw == value }
}

/// The iterator of [`decoded`].
#[derive(Clone, Debug)]
pub struct Decoded<'a>(Bytes<'a>);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let byte = self.0.next()?;
        if byte != b'%' {
            return Some(byte);
        }
        let mut ahead = self.0.clone();
        let Some(octet) = octet(&mut ahead) else { return Some(byte) };
        self.0 = ahead;
        Some(octet)
    }
}

fn octet(bytes: &mut Bytes<'_>) -> Option<u8> {
    let mut digit = || char::from(bytes.next()?).to_digit(16);
    let (high, low) = (digit()?, digit()?);
    u8::try_from(high << 4 | low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_what_the_text_stands_for() {
        for (raw, value, equal) in [
            ("agent-1", "agent-1", true),
            ("agent%211", "agent!1", true),
            ("caf%C3%A9", "café", true),
            ("a%2525", "a%25", true),
            ("a%25", "a%25", false),
            ("a", "ab", false),
            ("ab", "a", false),
            ("%4", "%4", true),
        ] {
            assert_eq!(eq_decoded(raw, value), equal, "{raw} {value}");
        }
    }
}
