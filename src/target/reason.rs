//! Why a target was refused.

use core::fmt;

use super::Class;

/// The rule that a target breaks. `Display` is the sentence for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTarget {
    /// The target does not start with `/`.
    NotOriginForm,
    /// The whole target exceeds 16 KiB.
    TargetTooLong,
    /// The path exceeds 4 KiB.
    PathTooLong,
    /// Two delimiters follow each other, as in `//`.
    EmptySegment,
    /// A segment is `.` or `..`.
    DotSegment,
    /// A raw `\` in the path.
    Backslash,
    /// A raw `#`.
    Fragment,
    /// A byte outside 0x21 to 0x7E.
    NotVisibleAscii,
    /// One of `"`, `<`, `>`, `^`, `` ` ``, `{`, `|`, `}` in the path.
    ForbiddenCharacter,
    /// A `%` without two hex digits.
    BadEscape,
    /// A percent-encoding with lower-case hex digits.
    LowerCaseHex,
    /// A percent-encoded letter, digit, `-`, `.`, `_` or `~`.
    EncodedUnreserved,
    /// A percent-encoded control character, NUL included.
    EncodedControl,
    /// `%25` followed by two hex digits.
    DoubleEncoding,
    /// Percent-encoded bytes that are not UTF-8.
    NotUtf8,
    /// A `?` with nothing after it.
    EmptyQuery,
    /// A construct that the route does not allow.
    NotAllowed(Class),
}

impl BadTarget {
    /// A stable name for logs and test vectors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotOriginForm => "not_origin_form",
            Self::TargetTooLong => "target_too_long",
            Self::PathTooLong => "path_too_long",
            Self::EmptySegment => "empty_segment",
            Self::DotSegment => "dot_segment",
            Self::Backslash => "backslash",
            Self::Fragment => "fragment",
            Self::NotVisibleAscii => "not_visible_ascii",
            Self::ForbiddenCharacter => "forbidden_character",
            Self::BadEscape => "bad_escape",
            Self::LowerCaseHex => "lower_case_hex",
            Self::EncodedUnreserved => "encoded_unreserved",
            Self::EncodedControl => "encoded_control",
            Self::DoubleEncoding => "double_encoding",
            Self::NotUtf8 => "not_utf8",
            Self::EmptyQuery => "empty_query",
            Self::NotAllowed(Class::TrailingSlash) => "trailing_slash",
            Self::NotAllowed(Class::Semicolon) => "semicolon",
            Self::NotAllowed(Class::EncodedSlash) => "encoded_slash",
            Self::NotAllowed(Class::EncodedBackslash) => "encoded_backslash",
            Self::NotAllowed(Class::EncodedPercent) => "encoded_percent",
            Self::NotAllowed(Class::EncodedSemicolon) => "encoded_semicolon",
            Self::NotAllowed(Class::EncodedQuestion) => "encoded_question",
            Self::NotAllowed(Class::EncodedHash) => "encoded_hash",
        }
    }
}

impl fmt::Display for BadTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOriginForm => "The request target must start with '/'.",
            Self::TargetTooLong => "The request target is longer than 16384 bytes.",
            Self::PathTooLong => "The path is longer than 4096 bytes.",
            Self::EmptySegment => "The path has an empty segment.",
            Self::DotSegment => "The path has a '.' or '..' segment.",
            Self::Backslash => "The path has a backslash.",
            Self::Fragment => "The request target has a '#'.",
            Self::NotVisibleAscii => "The request target has a byte that must be percent-encoded.",
            Self::ForbiddenCharacter => "The path has a character that must be percent-encoded.",
            Self::BadEscape => "The path has a '%' without two hexadecimal digits.",
            Self::LowerCaseHex => "Percent-encodings in the path must use upper-case digits.",
            Self::EncodedUnreserved => {
                "The path percent-encodes a letter, digit, '-', '.', '_' or '~'."
            }
            Self::EncodedControl => "The path percent-encodes a control character.",
            Self::DoubleEncoding => "The path is percent-encoded twice.",
            Self::NotUtf8 => "The path percent-encodes bytes that are not UTF-8.",
            Self::EmptyQuery => "The request target has a '?' without a query.",
            Self::NotAllowed(Class::TrailingSlash) => "The path ends with '/'.",
            Self::NotAllowed(Class::Semicolon) => "The path has a ';'.",
            Self::NotAllowed(Class::EncodedSlash) => "The path has an encoded '/'.",
            Self::NotAllowed(Class::EncodedBackslash) => "The path has an encoded backslash.",
            Self::NotAllowed(Class::EncodedPercent) => "The path has an encoded '%'.",
            Self::NotAllowed(Class::EncodedSemicolon) => "The path has an encoded ';'.",
            Self::NotAllowed(Class::EncodedQuestion) => "The path has an encoded '?'.",
            Self::NotAllowed(Class::EncodedHash) => "The path has an encoded '#'.",
        })
    }
}

impl core::error::Error for BadTarget {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_read_a_sentence_and_logs_a_name() {
        let wrong = BadTarget::NotAllowed(Class::TrailingSlash);
        assert_eq!(
            (wrong.to_string().as_str(), wrong.name()),
            ("The path ends with '/'.", "trailing_slash")
        );
    }
}
