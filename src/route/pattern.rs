//! Path patterns: `/v1/agents/{agent_id}`, `/v1/files/{*path}`.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::MAX_PARAMS;
use crate::target::{BadTarget, Classes, Target, decoded};

/// A path pattern: literal segments, `{name}` for one segment, and last `{*name}` for one or more.
///
/// Literals are written as in a request and kept decoded, so that `%21` and `!` are one literal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: Box<str>,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(Box<str>),
    Param(Box<str>),
    Tail(Box<str>),
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let rest = text.strip_prefix('/').ok_or(BadPattern::NoSlash)?;
        let mut segments = Vec::new();
        if !rest.is_empty() {
            let mut texts = rest.split('/').peekable();
            while let Some(text) = texts.next() {
                let segment = Segment::parse(text)?;
                if matches!(segment, Segment::Tail(_)) && texts.peek().is_some() {
                    return Err(BadPattern::TailNotLast);
                }
                segments.push(segment);
            }
        }
        if segments.len() > MAX_SEGMENTS {
            return Err(BadPattern::TooManySegments);
        }
        let pattern = Self { text: text.into(), segments };
        let mut names: Vec<&str> = pattern.params().collect();
        if names.len() > MAX_PARAMS {
            return Err(BadPattern::TooManyParams);
        }
        names.sort_unstable();
        if names.is_sorted_by(|a, b| a < b) { Ok(pattern) } else { Err(BadPattern::RepeatedName) }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of its parameters, in order.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Param(name) | Segment::Tail(name) => Some(&**name),
        })
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, BadPattern> {
        if let Some(inner) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            let tail = inner.strip_prefix('*');
            let name = tail.unwrap_or(inner);
            if !is_param_name(name) {
                return Err(BadPattern::Name);
            }
            let name = name.into();
            return Ok(if tail.is_some() { Self::Tail(name) } else { Self::Param(name) });
        }
        if text.contains(['{', '}']) {
            return Err(BadPattern::PartialParam);
        }
        if text.starts_with(':') || text.contains('*') {
            return Err(BadPattern::ForeignSyntax);
        }
        let path = format!("/{text}");
        match Target::parse(&path, Classes::NONE) {
            Ok(target) if target.query.is_none() && !text.is_empty() => {}
            wrong => return Err(reason(text, wrong.err())),
        }
        let literal = String::from_utf8(decoded(text).collect());
        literal.map(|literal| Self::Literal(literal.into())).map_err(|_| BadPattern::Literal)
    }
}

/// Why no accepted path has this segment.
#[cold]
fn reason(text: &str, wrong: Option<BadTarget>) -> BadPattern {
    let has = |odd: fn(char) -> bool| text.chars().find(|own| odd(*own));
    if let Some(odd) = has(|own| matches!(own, '?' | '#' | ';' | '\\')) {
        return BadPattern::Character(odd);
    }
    let raw =
        has(|own| !own.is_ascii_graphic() || matches!(own, '"' | '<' | '>' | '^' | '`' | '|'));
    match (raw, wrong) {
        (Some(raw), _) => BadPattern::Unencoded(raw),
        (None, Some(BadTarget::BadEscape | BadTarget::LowerCaseHex)) => BadPattern::Escape,
        (None, _) => BadPattern::Literal,
    }
}

/// Whether a text can name a parameter: `[a-z][a-z0-9_]{0,31}`.
pub fn is_param_name(text: &str) -> bool {
    let tail_ok = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    matches!(text.as_bytes(), [b'a'..=b'z', tail @ ..] if tail.len() <= 31 && tail.iter().all(tail_ok))
}

/// Why a text is not a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPattern {
    /// It does not start with `/`.
    NoSlash,
    /// A literal segment that no accepted request can have.
    Literal,
    /// A character that no path of a route has.
    Character(char),
    /// A character that paths have encoded alone.
    Unencoded(char),
    /// A `%` without two upper-case hex digits.
    Escape,
    /// A parameter that is not a whole segment.
    PartialParam,
    /// A wildcard in another tool's syntax, which would match nothing here.
    ForeignSyntax,
    /// A parameter's name is not `[a-z][a-z0-9_]{0,31}`.
    Name,
    /// Two parameters of one name.
    RepeatedName,
    /// `{*name}` before the end.
    TailNotLast,
    /// More than [`MAX_PARAMS`] parameters.
    TooManyParams,
    /// More than 32 segments.
    TooManySegments,
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Character(odd) => return write!(f, "no path of a route may have a {odd:?}"),
            Self::Unencoded(raw) => return write!(f, "{raw:?} has to be percent-encoded in a path"),
            Self::Escape => "a '%' has to be followed by two of 0-9, A-F",
            Self::NoSlash => "a path has to start with '/'",
            Self::Literal => "no accepted request path has this segment: it is empty, of dots, or encoded without need",
            Self::PartialParam => "a parameter is a whole segment, as in '/{name}/'",
            Self::ForeignSyntax => "write '{name}' for one segment and '{*name}' for the rest",
            Self::Name => "a parameter is a letter a-z and up to 31 of a-z, 0-9, '_'",
            Self::RepeatedName => "two parameters have the same name",
            Self::TailNotLast => "'{*name}' is the last segment",
            Self::TooManyParams => "a path has at most 8 parameters",
            Self::TooManySegments => "a path has at most 32 segments",
        })
    }
}

impl core::error::Error for BadPattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Pattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Self, BadPattern> {
        Self::parse(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text.into()
    }
}

/// Bounds the depth of the table.
const MAX_SEGMENTS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_kept_decoded() {
        let pattern = Pattern::parse("/caf%C3%A9/%21").unwrap();
        let expected = ["café", "!"].map(|text| Segment::Literal(text.into()));
        assert_eq!(pattern.segments(), expected);
        assert_eq!(pattern.as_str(), "/caf%C3%A9/%21");
    }

    #[test]
    fn names_the_broken_rule() {
        for (text, reason) in [
            ("v1", BadPattern::NoSlash),
            ("/a//b", BadPattern::Literal),
            ("/a/", BadPattern::Literal),
            ("/a/../b", BadPattern::Literal),
            ("/a?b", BadPattern::Character('?')),
            ("/a#", BadPattern::Character('#')),
            ("/a;b", BadPattern::Character(';')),
            ("/a|b", BadPattern::Unencoded('|')),
            ("/a b", BadPattern::Unencoded(' ')),
            ("/%61", BadPattern::Literal),
            ("/%zz", BadPattern::Escape),
            ("/%c3%a9", BadPattern::Escape),
            ("/café", BadPattern::Unencoded('é')),
            ("/v{n}", BadPattern::PartialParam),
            ("/{a}{b}", BadPattern::Name),
            ("/{}", BadPattern::Name),
            ("/{A}", BadPattern::Name),
            ("/{a-b}", BadPattern::Name),
            ("/:id", BadPattern::ForeignSyntax),
            ("/v1/*", BadPattern::ForeignSyntax),
            ("/{a}/{a}", BadPattern::RepeatedName),
            ("/{*a}/b", BadPattern::TailNotLast),
        ] {
            assert_eq!(Pattern::parse(text), Err(reason), "{text}");
        }
        let wrong = |text: &str| Pattern::parse(text).err();
        let many = |params: usize| (0..params).map(|n| format!("/{{p{n}}}")).collect::<String>();
        let named = |length: usize| format!("/{{{}}}", "a".repeat(length));
        assert_eq!(
            [32, 33].map(|all| wrong(&"/a".repeat(all))),
            [None, Some(BadPattern::TooManySegments)]
        );
        assert_eq!([8, 9].map(|all| wrong(&many(all))), [None, Some(BadPattern::TooManyParams)]);
        assert_eq!([32, 33].map(|all| wrong(&named(all))), [None, Some(BadPattern::Name)]);
    }
}
