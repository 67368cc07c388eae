//! The request target in its one accepted spelling.
//!
//! A target is refused or taken as it is, never repaired: the bytes that are matched here are the
//! bytes that are signed and forwarded. What two parsers could read in two ways is refused.

mod bytes;
mod class;
mod decode;
mod reason;

use core::slice::Iter;

pub use class::{Class, Classes};
pub use decode::{decoded, decoded_text, eq_decoded};
pub use reason::BadTarget;

use bytes::{Kind, kind, refusal};

/// An accepted request target (RFC 9112 section 3.2.1, origin form).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The whole target as it was sent.
    pub raw: &'a str,
    /// The part before the first `?`, still percent-encoded.
    pub path: &'a str,
    /// The part after the first `?`: opaque text, never empty.
    pub query: Option<&'a str>,
    /// The opt-in constructs that occur in the path.
    pub classes: Classes,
}

impl<'a> Target<'a> {
    /// Reads a target. `allowed` is what any route of the policy opts in to; once the route is
    /// known, [`Target::permit`] holds the target to that route's own choice.
    pub fn parse(raw: &'a str, allowed: Classes) -> Result<Self, BadTarget> {
        if raw.len() > MAX_TARGET {
            return Err(BadTarget::TargetTooLong);
        }
        let mut rest = raw.as_bytes().iter();
        if rest.next() != Some(&b'/') {
            return Err(BadTarget::NotOriginForm);
        }
        let mut scan = Scan { allowed, seen: Classes::NONE, piece: Piece::Empty };
        let has_query = scan.path(&mut rest)?;
        let query_mark = usize::from(has_query);
        let path_len = raw.len().saturating_sub(rest.len()).saturating_sub(query_mark);
        scan.end(path_len)?;
        if path_len > MAX_PATH {
            return Err(BadTarget::PathTooLong);
        }
        let (path, query) = if has_query {
            check_query(rest.as_slice())?;
            raw.split_once('?').map_or((raw, None), |(path, query)| (path, Some(query)))
        } else {
            (raw, None)
        };
        Ok(Self { raw, path, query, classes: scan.seen })
    }

    /// Refuses the target if it uses a construct that `route` does not opt in to.
    pub fn permit(&self, route: Classes) -> Result<(), BadTarget> {
        self.classes.first_outside(route).map_or(Ok(()), |class| Err(BadTarget::NotAllowed(class)))
    }

    /// Whether a URL parser would leave the query as it is: it holds no raw `"`, `'`, `<`, `>`.
    pub fn url_safe_query(&self) -> bool {
        self.query.is_none_or(|query| !query.contains(['"', '\'', '<', '>']))
    }
}

/// What has been read since the last delimiter, as an origin that decodes the path would see it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Empty,
    EmptyParameter,
    Dot,
    DotDot,
    Text,
}

struct Scan {
    allowed: Classes,
    seen: Classes,
    piece: Piece,
}

impl Scan {
    /// Reads up to the end of the path; true if a `?` ended it.
    fn path(&mut self, rest: &mut Iter<'_, u8>) -> Result<bool, BadTarget> {
        while let Some(&byte) = rest.next() {
            match kind(byte) {
                Kind::Plain => self.piece = Piece::Text,
                Kind::Slash => self.delimit(Piece::Empty)?,
                Kind::Dot => self.dot(),
                Kind::Percent => self.escape(rest)?,
                Kind::Question => return Ok(true),
                Kind::Semicolon => {
                    self.admit(Class::Semicolon)?;
                    self.delimit(Piece::EmptyParameter)?;
                }
                Kind::Refused => return Err(refusal(byte)),
            }
        }
        Ok(false)
    }

    const fn dot(&mut self) {
        self.piece = match self.piece {
            Piece::Empty | Piece::EmptyParameter => Piece::Dot,
            Piece::Dot => Piece::DotDot,
            Piece::DotDot | Piece::Text => Piece::Text,
        };
    }

    /// Closes a piece. Encoded delimiters count too: `a%2F..%2Fb` climbs once it is decoded, and
    /// some servers drop `;parameters` before they look for dot segments.
    fn delimit(&mut self, next: Piece) -> Result<(), BadTarget> {
        match self.piece {
            Piece::Empty | Piece::EmptyParameter => return Err(BadTarget::EmptySegment),
            Piece::Dot | Piece::DotDot => return Err(BadTarget::DotSegment),
            Piece::Text => self.piece = next,
        }
        Ok(())
    }

    fn end(&mut self, path_len: usize) -> Result<(), BadTarget> {
        match self.piece {
            Piece::Empty if path_len == 1 => Ok(()),
            Piece::Empty => self.admit(Class::TrailingSlash),
            Piece::EmptyParameter => Err(BadTarget::EmptySegment),
            Piece::Dot | Piece::DotDot => Err(BadTarget::DotSegment),
            Piece::Text => Ok(()),
        }
    }

    fn admit(&mut self, class: Class) -> Result<(), BadTarget> {
        if !self.allowed.contains(class) {
            return Err(BadTarget::NotAllowed(class));
        }
        self.seen = self.seen.with(class);
        Ok(())
    }

    fn escape(&mut self, rest: &mut Iter<'_, u8>) -> Result<(), BadTarget> {
        let byte = octet(rest)?;
        match byte {
            0x00..=0x1F | 0x7F => return Err(BadTarget::EncodedControl),
            0x80.. => return self.multibyte(byte, rest),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                return Err(BadTarget::EncodedUnreserved);
            }
            b'%' => {
                self.admit(Class::EncodedPercent)?;
                if let [high, low, ..] = rest.as_slice()
                    && high.is_ascii_hexdigit()
                    && low.is_ascii_hexdigit()
                {
                    return Err(BadTarget::DoubleEncoding);
                }
                self.piece = Piece::Text;
            }
            b'/' => {
                self.admit(Class::EncodedSlash)?;
                self.delimit(Piece::Empty)?;
            }
            b'\\' => {
                self.admit(Class::EncodedBackslash)?;
                self.delimit(Piece::Empty)?;
            }
            b';' => {
                self.admit(Class::EncodedSemicolon)?;
                self.delimit(Piece::EmptyParameter)?;
            }
            b'?' => {
                self.admit(Class::EncodedQuestion)?;
                self.delimit(Piece::Text)?;
            }
            b'#' => {
                self.admit(Class::EncodedHash)?;
                self.delimit(Piece::Text)?;
            }
            _ => self.piece = Piece::Text,
        }
        Ok(())
    }

    /// The rest of a UTF-8 sequence (RFC 3629 section 4), each byte percent-encoded.
    fn multibyte(&mut self, lead: u8, rest: &mut Iter<'_, u8>) -> Result<(), BadTarget> {
        let (more, mut expected) = match lead {
            0xC2..=0xDF => (1, 0x80..=0xBF),
            0xE0 => (2, 0xA0..=0xBF),
            0xED => (2, 0x80..=0x9F),
            0xE1..=0xEF => (2, 0x80..=0xBF),
            0xF0 => (3, 0x90..=0xBF),
            0xF1..=0xF3 => (3, 0x80..=0xBF),
            0xF4 => (3, 0x80..=0x8F),
            _ => return Err(BadTarget::NotUtf8),
        };
        for _ in 0..more {
            if rest.next() != Some(&b'%') || !expected.contains(&octet(rest)?) {
                return Err(BadTarget::NotUtf8);
            }
            expected = 0x80..=0xBF;
        }
        self.piece = Piece::Text;
        Ok(())
    }
}

/// The two hex digits after a `%`.
fn octet(rest: &mut Iter<'_, u8>) -> Result<u8, BadTarget> {
    let mut digit = || match rest.next() {
        Some(byte @ b'0'..=b'9') => Ok(byte.wrapping_sub(b'0')),
        Some(byte @ b'A'..=b'F') => Ok(byte.wrapping_sub(b'A' - 10)),
        Some(b'a'..=b'f') => Err(BadTarget::LowerCaseHex),
        _ => Err(BadTarget::BadEscape),
    };
    let high = digit()?;
    let low = digit()?;
    Ok(high << 4 | low)
}

fn check_query(query: &[u8]) -> Result<(), BadTarget> {
    if query.is_empty() {
        return Err(BadTarget::EmptyQuery);
    }
    // Without an early end the loop is done many bytes at a time.
    let refused = |byte: u8| matches!(byte, 0..=0x20 | b'#' | 0x7F..);
    if !query.iter().fold(false, |found, &byte| found | refused(byte)) {
        return Ok(());
    }
    match query.iter().find(|&&byte| refused(byte)) {
        Some(b'#') => Err(BadTarget::Fragment),
        _ => Err(BadTarget::NotVisibleAscii),
    }
}

/// The longest whole target, in bytes.
const MAX_TARGET: usize = 16 * 1024;
/// The longest path, in bytes.
const MAX_PATH: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_the_first_question_mark() {
        let target = Target::parse("/v1/agents?a=/../?b", Classes::NONE).unwrap();
        assert_eq!((target.path, target.query), ("/v1/agents", Some("a=/../?b")));
        assert_eq!(target.classes, Classes::NONE);
    }

    #[test]
    fn bounds_are_exact() {
        let path = |len: usize| format!("/{}", "a".repeat(len - 1));
        assert!(Target::parse(&path(MAX_PATH), Classes::NONE).is_ok());
        let long = path(MAX_PATH + 1);
        assert_eq!(Target::parse(&long, Classes::NONE), Err(BadTarget::PathTooLong));
        let whole = format!("/?{}", "q".repeat(MAX_TARGET - 2));
        assert!(Target::parse(&whole, Classes::NONE).is_ok());
        assert_eq!(
            Target::parse(&format!("{whole}q"), Classes::NONE),
            Err(BadTarget::TargetTooLong)
        );
    }

    #[test]
    fn a_class_of_another_route_is_refused_by_permit() {
        let target = Target::parse("/a%2Fb/", Classes::ALL).unwrap();
        let slash = Classes::NONE.with(Class::EncodedSlash);
        assert_eq!(target.permit(slash), Err(BadTarget::NotAllowed(Class::TrailingSlash)));
        assert_eq!(target.permit(slash.with(Class::TrailingSlash)), Ok(()));
    }

    #[test]
    fn a_url_parser_would_rewrite_quotes_in_a_query() {
        for (raw, safe) in [("/a", true), ("/a?b=%22", true), ("/a?b='", false), ("/a?<", false)] {
            assert_eq!(Target::parse(raw, Classes::NONE).unwrap().url_safe_query(), safe, "{raw}");
        }
    }
}
