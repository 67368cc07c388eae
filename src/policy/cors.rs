//! Which web pages may read the answers of a route.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::{BadUrl, WebOrigin};

/// The web origins of the pages that may call a route from a browser (Fetch standard, CORS).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub enum Cors {
    /// Any page; it can send no cookies.
    Any,
    /// Pages of these origins, at least one.
    Listed(Vec<WebOrigin>),
}

impl Cors {
    /// Reads a list of origins, or `*` alone.
    ///
    /// # Errors
    /// [`BadCors`].
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, BadCors> {
        let (mut listed, mut any) = (Vec::new(), false);
        for text in texts {
            if text == "*" {
                any = true;
                continue;
            }
            let origin = WebOrigin::parse(text).map_err(BadCors::Origin)?;
            if listed.contains(&origin) {
                return Err(BadCors::Repeated);
            }
            listed.push(origin);
        }
        match (any, listed.is_empty()) {
            (true, true) => Ok(Self::Any),
            (true, false) => Err(BadCors::AnyAndMore),
            (false, true) => Err(BadCors::Empty),
            (false, false) => Ok(Self::Listed(listed)),
        }
    }
}

impl TryFrom<Vec<String>> for Cors {
    type Error = BadCors;

    fn try_from(texts: Vec<String>) -> Result<Self, BadCors> {
        Self::parse(texts.iter().map(String::as_str))
    }
}

impl From<Cors> for Vec<String> {
    fn from(cors: Cors) -> Self {
        match cors {
            Cors::Any => vec!["*".to_owned()],
            Cors::Listed(origins) => origins.into_iter().map(String::from).collect(),
        }
    }
}

/// Why a list is not the origins of a route's pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadCors {
    /// Nothing in it.
    Empty,
    /// `*` beside an origin.
    AnyAndMore,
    /// One origin twice.
    Repeated,
    /// Not an origin.
    Origin(BadUrl),
}

impl fmt::Display for BadCors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no page could call this; leave 'cors' out"),
            Self::AnyAndMore => f.write_str("\"*\" is any page already: it stands alone"),
            Self::Repeated => f.write_str("this origin is listed twice"),
            Self::Origin(reason) => reason.fmt(f),
        }
    }
}

impl core::error::Error for BadCors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_page_stands_alone() {
        let parse = |texts: &[&str]| Cors::parse(texts.iter().copied());
        assert_eq!(parse(&["*"]), Ok(Cors::Any));
        assert!(matches!(parse(&["https://a.test", "http://localhost:3000"]),
            Ok(Cors::Listed(origins)) if origins.len() == 2));
        assert_eq!(parse(&["*", "https://a.test"]), Err(BadCors::AnyAndMore));
        assert_eq!(parse(&["https://a.test", "https://a.test"]), Err(BadCors::Repeated));
        assert_eq!(parse(&["https://a.test/"]), Err(BadCors::Origin(BadUrl::MoreThanOrigin)));
        assert_eq!(parse(&[]), Err(BadCors::Empty));
    }
}
