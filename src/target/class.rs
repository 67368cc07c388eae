//! Constructs in a path that a route may opt in to.

use serde::{Deserialize, Serialize};

/// A construct that is refused unless the route allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A `/` at the end; matched as if it were absent, forwarded as it is.
    TrailingSlash,
    /// A raw `;`.
    Semicolon,
    /// `%2F`; part of the segment's text.
    EncodedSlash,
    /// `%5C`.
    EncodedBackslash,
    /// `%25`, unless two hex digits follow: that is double encoding, always refused.
    EncodedPercent,
    /// `%3B`.
    EncodedSemicolon,
    /// `%3F`.
    EncodedQuestion,
    /// `%23`.
    EncodedHash,
}

impl Class {
    const ALL: [Self; 8] = [
        Self::TrailingSlash,
        Self::Semicolon,
        Self::EncodedSlash,
        Self::EncodedBackslash,
        Self::EncodedPercent,
        Self::EncodedSemicolon,
        Self::EncodedQuestion,
        Self::EncodedHash,
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of [`Class`]es; as text, the list of their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Class>", into = "Vec<Class>")]
pub struct Classes(u8);

impl Classes {
    /// No class: the default of a route.
    pub const NONE: Self = Self(0);
    /// Every class.
    pub const ALL: Self = Self(u8::MAX);

    /// This set and one class more.
    #[must_use]
    pub const fn with(self, class: Class) -> Self {
        Self(self.0 | class.bit())
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the class is in the set.
    pub const fn contains(self, class: Class) -> bool {
        self.0 & class.bit() != 0
    }

    /// The first class of this set that `other` lacks.
    pub fn first_outside(self, other: Self) -> Option<Class> {
        self.iter().find(|&class| !other.contains(class))
    }

    /// The classes of the set.
    pub fn iter(self) -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().filter(move |&class| self.contains(class))
    }
}

impl From<Vec<Class>> for Classes {
    fn from(classes: Vec<Class>) -> Self {
        classes.into_iter().fold(Self::NONE, Self::with)
    }
}

impl From<Classes> for Vec<Class> {
    fn from(classes: Classes) -> Self {
        classes.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_own_bit() {
        assert_eq!(Classes::from(Class::ALL.to_vec()), Classes::ALL);
        assert_eq!(Classes::ALL.iter().count(), 8);
    }

    #[test]
    fn a_part_has_nothing_outside_and_adds_nothing() {
        let two = Classes::NONE.with(Class::Semicolon).with(Class::EncodedHash);
        let one = Classes::NONE.with(Class::Semicolon);
        assert_eq!(two.first_outside(one), Some(Class::EncodedHash));
        assert_eq!(one.first_outside(two), None);
        assert_eq!(one.union(two), two);
    }

    #[test]
    fn the_text_form_is_a_list_of_names() {
        let set = Classes::NONE.with(Class::EncodedSlash).with(Class::TrailingSlash);
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(text, r#"["trailing_slash","encoded_slash"]"#);
        assert_eq!(serde_json::from_str::<Classes>(&text).unwrap(), set);
    }
}
