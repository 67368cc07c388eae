//! The shapes of keys that another system made.

use core::fmt;

use serde::{Deserialize, Serialize};

/// What an imported key looks like. A text that matches no shape costs no look-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct ImportShape(Fields);

impl ImportShape {
    /// A shape; lengths are of the whole text in bytes, the prefix included.
    pub fn new(
        prefix: &str,
        alphabet: Alphabet,
        min_length: usize,
        max_length: usize,
    ) -> Result<Self, BadImport> {
        Fields { prefix: prefix.into(), alphabet, min_length, max_length }.try_into()
    }

    /// Whether a text has this shape.
    pub fn matches(&self, text: &str) -> bool {
        let Self(Fields { prefix, alphabet, min_length, max_length }) = self;
        (*min_length..=*max_length).contains(&text.len())
            && text.strip_prefix(&**prefix).is_some_and(|rest| alphabet.spells(rest))
    }
}

/// The characters of an imported key after its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alphabet {
    /// RFC 4648 section 4, with or without the padding at the end.
    Base64,
    /// RFC 4648 section 5, without padding.
    Base64url,
    /// Hexadecimal digits of either case.
    Hex,
    /// ASCII letters and digits.
    Alphanumeric,
}

impl Alphabet {
    fn spells(self, text: &str) -> bool {
        match self {
            Self::Base64 => {
                let digits = text.trim_end_matches('=');
                let padding = text.len().saturating_sub(digits.len());
                padding <= 2
                    && (padding == 0 || text.len().is_multiple_of(4))
                    && digits.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
            }
            Self::Base64url => {
                text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            }
            Self::Hex => text.bytes().all(|b| b.is_ascii_hexdigit()),
            Self::Alphanumeric => text.bytes().all(|b| b.is_ascii_alphanumeric()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    prefix: Box<str>,
    alphabet: Alphabet,
    min_length: usize,
    max_length: usize,
}

/// Why a shape is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadImport {
    /// The prefix is not made of letters, digits, `_` and `-`.
    Prefix,
    /// A length outside 16 to 256, or a minimum above the maximum.
    Length,
    /// Fewer than 16 characters after the prefix: too few to be a secret.
    Short,
}

impl fmt::Display for BadImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prefix => "the prefix has only letters, digits, '_' and '-'",
            Self::Length => "a length is 16 to 256, and the minimum not above the maximum",
            Self::Short => "at least 16 characters have to follow the prefix",
        })
    }
}

impl core::error::Error for BadImport {}

impl TryFrom<Fields> for ImportShape {
    type Error = BadImport;

    fn try_from(fields: Fields) -> Result<Self, BadImport> {
        let Fields { prefix, min_length, max_length, .. } = &fields;
        if !prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(BadImport::Prefix);
        }
        if *min_length < 16 || *max_length > 256 || min_length > max_length {
            return Err(BadImport::Length);
        }
        if min_length.saturating_sub(prefix.len()) < 16 {
            return Err(BadImport::Short);
        }
        Ok(Self(fields))
    }
}

impl From<ImportShape> for Fields {
    fn from(shape: ImportShape) -> Self {
        shape.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_only_at_the_end() {
        let shape = ImportShape::new("", Alphabet::Base64, 44, 44).unwrap();
        let key = |text: &str| shape.matches(text);
        assert!(key("qL8R4QIcQ/ZsRqOAbeRfcZhilN/MksRtDaErMA0+Wc4="));
        assert!(key(&"A".repeat(44)));
        assert!(!key(&"A".repeat(43)));
        assert!(!key(&format!("={}", "A".repeat(43))));
        assert!(!key(&format!("{}===", "A".repeat(41))));
        assert!(!key(&format!("{}-", "A".repeat(43))));
        assert!(!key(&format!("{}é", "A".repeat(42))));
    }

    #[test]
    fn the_prefix_counts_in_the_length() {
        let shape = ImportShape::new("ra_", Alphabet::Hex, 35, 40).unwrap();
        assert!(shape.matches(&format!("ra_{}", "0f".repeat(16))));
        assert!(!shape.matches(&format!("ra_{}", "0f".repeat(15))));
        assert!(!shape.matches(&format!("rb_{}", "0f".repeat(16))));
        assert!(!shape.matches(&format!("ra_{}", "0g".repeat(16))));
    }

    #[test]
    fn a_shape_leaves_room_for_a_secret() {
        let new = |prefix, min, max| ImportShape::new(prefix, Alphabet::Hex, min, max).err();
        assert_eq!(new("", 15, 20), Some(BadImport::Length));
        assert_eq!(new("", 16, 257), Some(BadImport::Length));
        assert_eq!(new("", 32, 31), Some(BadImport::Length));
        assert_eq!(new("a b", 32, 32), Some(BadImport::Prefix));
        assert_eq!(new("abcdefgh_", 24, 32), Some(BadImport::Short));
    }
}
