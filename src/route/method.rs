//! Request methods.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A method that the gate knows; any other is answered 405.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
}

impl Method {
    /// Reads a method; methods are case-sensitive (RFC 9110 section 9.1).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }

    const ALL: [Self; 7] =
        [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of methods, never empty. `GET` brings `HEAD` with it. `Display` is an `Allow` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Method>", into = "Vec<Method>")]
pub struct Methods(u8);

impl Methods {
    /// Every method that the gate knows.
    pub const ALL: Self = Self(0x7f);

    /// The set of one method, and of `HEAD` with `GET`.
    pub const fn of(method: Method) -> Self {
        let head = if matches!(method, Method::Get) { Method::Head.bit() } else { 0 };
        Self(method.bit() | head)
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the method is in the set.
    pub const fn contains(self, method: Method) -> bool {
        self.0 & method.bit() != 0
    }

    /// Whether the sets have a method in common.
    pub const fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The methods of the set.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::ALL.into_iter().filter(move |&method| self.contains(method))
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, method) in self.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            f.write_str(method.as_str())?;
        }
        Ok(())
    }
}

/// A list of methods without a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMethods;

impl fmt::Display for NoMethods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a route names at least one method")
    }
}

impl core::error::Error for NoMethods {}

impl TryFrom<Vec<Method>> for Methods {
    type Error = NoMethods;

    fn try_from(methods: Vec<Method>) -> Result<Self, NoMethods> {
        methods.into_iter().map(Self::of).reduce(Self::union).ok_or(NoMethods)
    }
}

impl From<Methods> for Vec<Method> {
    fn from(methods: Methods) -> Self {
        methods.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn get_brings_head() {
        let set = Methods::of(Method::Get).union(Methods::of(Method::Delete));
        assert_eq!(set.to_string(), "GET, HEAD, DELETE");
        assert!(!Methods::of(Method::Head).contains(Method::Get));
    }

    #[test]
    fn no_method_is_no_set() {
        assert_eq!(Methods::try_from(Vec::new()), Err(NoMethods));
        assert_eq!(NoMethods.to_string(), "a route names at least one method");
    }

    #[test]
    fn methods_are_case_sensitive() {
        for method in Method::ALL {
            assert_eq!(Method::parse(method.as_str()), Some(method));
            assert_eq!(method.to_string(), method.as_str());
            assert_eq!(Method::parse(&method.as_str().to_lowercase()), None);
        }
        assert_eq!(Method::parse("TRACE"), None);
        assert_eq!(Method::parse("GET "), None);
    }
}
