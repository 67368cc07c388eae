//! Scopes: what a route asks for and what a credential grants.

use core::fmt;

use serde::{Deserialize, Serialize};

/// What a route asks for: one action on one resource, without wildcards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope {
    resource: Box<str>,
    action: Box<str>,
}

impl Scope {
    /// Reads `resource:action`; each side is `[a-z][a-z0-9_-]{0,31}`.
    pub fn parse(text: &str) -> Result<Self, BadScope> {
        let (resource, action) = text.split_once(':').ok_or(BadScope::NoColon)?;
        if resource == "*" || action == "*" {
            return Err(BadScope::Wildcard);
        }
        Ok(Self { resource: name(resource)?, action: name(action)? })
    }
}

/// What a credential grants: any number of `resource:action`, where either side may be `*`.
///
/// `read` and `write` stand for `*:read` and `*:write`, and are how those are printed. The empty
/// set grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grants(Vec<Grant>);

impl Grants {
    /// Reads a list of grants; repetitions count once.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, BadScope> {
        let mut grants = Vec::new();
        for text in texts {
            let grant = Grant::parse(text)?;
            if !grants.contains(&grant) {
                grants.push(grant);
            }
        }
        Ok(Self(grants))
    }

    /// The grants among some words; an issuer's others mean something elsewhere.
    pub(crate) fn among<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut grants = Vec::new();
        for grant in words.into_iter().filter_map(|word| Grant::parse(word).ok()) {
            if !grants.contains(&grant) {
                grants.push(grant);
            }
        }
        Self(grants)
    }

    /// Whether one of the grants covers the scope.
    pub fn allow(&self, scope: &Scope) -> bool {
        self.0.iter().any(|grant| {
            grant.resource.covers_name(&scope.resource) && grant.action.covers_name(&scope.action)
        })
    }

    /// Whether `other` allows every scope that this set allows.
    pub fn subset_of(&self, other: &Self) -> bool {
        // Names are unlimited, so finitely many named grants never add up to a wildcard: each
        // grant has to be covered by a single one.
        self.0.iter().all(|inner| other.0.iter().any(|outer| outer.covers(inner)))
    }

    /// Whether nothing is granted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One element of [`Grants`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Grant {
    resource: Side,
    action: Side,
}

impl Grant {
    fn parse(text: &str) -> Result<Self, BadScope> {
        let (resource, action) = match text {
            "read" | "write" => ("*", text),
            _ => text.split_once(':').ok_or(BadScope::NoColon)?,
        };
        Ok(Self { resource: Side::parse(resource)?, action: Side::parse(action)? })
    }

    fn covers(&self, inner: &Self) -> bool {
        self.resource.covers(&inner.resource) && self.action.covers(&inner.action)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Side {
    Any,
    Named(Box<str>),
}

impl Side {
    fn parse(text: &str) -> Result<Self, BadScope> {
        if text == "*" { Ok(Self::Any) } else { name(text).map(Self::Named) }
    }

    fn covers_name(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Named(own) => **own == *name,
        }
    }

    fn covers(&self, inner: &Self) -> bool {
        match inner {
            Self::Any => *self == Self::Any,
            Self::Named(name) => self.covers_name(name),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::Named(name) => name,
        }
    }
}

/// Why a text is not a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadScope {
    /// Neither `resource:action` nor `read` nor `write`.
    NoColon,
    /// A side is not `[a-z][a-z0-9_-]{0,31}`.
    Name,
    /// A `*` where one concrete scope is asked for.
    Wildcard,
}

impl fmt::Display for BadScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoColon => "a scope is written 'resource:action'",
            Self::Name => {
                "each side of a scope is a lower-case letter and up to 31 of a-z, 0-9, '_', '-'"
            }
            Self::Wildcard => "a route asks for one concrete scope, without '*'",
        })
    }
}

impl core::error::Error for BadScope {}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.resource, self.action)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.resource, self.action.as_str()) {
            (Side::Any, action @ ("read" | "write")) => f.write_str(action),
            (resource, action) => write!(f, "{}:{action}", resource.as_str()),
        }
    }
}

/// Separated by spaces, as OAuth writes scopes (RFC 6749 section 3.3).
impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, grant) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{grant}")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Scope {
    type Error = BadScope;

    fn try_from(text: String) -> Result<Self, BadScope> {
        Self::parse(&text)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl TryFrom<String> for Grant {
    type Error = BadScope;

    fn try_from(text: String) -> Result<Self, BadScope> {
        Self::parse(&text)
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> Self {
        grant.to_string()
    }
}

fn name(text: &str) -> Result<Box<str>, BadScope> {
    let tail_ok = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    match text.as_bytes() {
        [b'a'..=b'z', tail @ ..] if tail.len() <= 31 && tail.iter().copied().all(tail_ok) => {
            Ok(text.into())
        }
        _ => Err(BadScope::Name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorthands_have_one_printed_form() {
        let grants = Grants::parse(["*:read", "read", "agents:*", "*:admin"]).unwrap();
        assert_eq!(grants.to_string(), "read agents:* *:admin");
        let text = serde_json::to_string(&grants).unwrap();
        assert_eq!(text, r#"["read","agents:*","*:admin"]"#);
        assert_eq!(serde_json::from_str::<Grants>(&text).unwrap(), grants);
    }

    #[test]
    fn named_grants_do_not_add_up_to_a_wildcard() {
        let set = |texts: &[&str]| Grants::parse(texts.iter().copied()).unwrap();
        assert!(set(&["a:read"]).subset_of(&set(&["read"])));
        assert!(!set(&["read"]).subset_of(&set(&["a:read", "b:read"])));
        assert!(!set(&["*:*"]).subset_of(&set(&["read", "write", "a:*"])));
        assert!(set(&[]).subset_of(&set(&[])));
        assert!(set(&[]).is_empty() && !set(&["read"]).is_empty());
    }
}
