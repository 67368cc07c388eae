//! Lines of `name=value` fields with spaces between: how the gate and its Workspace speak, and what
//! the Workspace's rows hold. People can read it, and it costs a tenth of JSON's code.
//!
//! A value has neither space nor line feed. A name may stand more than once. A reader passes over
//! names it does not know, so that fields can be added.

use core::fmt::{Display, Write as _};
use core::str::FromStr;

/// The fields of a line.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(&'a str);

/// A field has a value that it cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadField;

impl<'a> Fields<'a> {
    /// The fields of `line`.
    #[must_use]
    pub const fn of(line: &'a str) -> Self {
        Self(line)
    }

    /// The values of a name, in order.
    pub fn all(self, name: &'static str) -> impl Iterator<Item = &'a str> {
        let fields = self.0.split(' ').filter_map(|field| field.split_once('='));
        fields.filter(move |(own, _)| *own == name).map(|(_, value)| value)
    }

    /// The first value of a name.
    #[must_use]
    pub fn get(self, name: &'static str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// The first value of a name, which has to be there.
    ///
    /// # Errors
    /// [`BadField`] if it is not.
    pub fn text(self, name: &'static str) -> Result<&'a str, BadField> {
        self.get(name).ok_or(BadField)
    }

    /// The first value of a name as a number; 0 if it is absent.
    ///
    /// # Errors
    /// [`BadField`] if it is no number that fits.
    pub fn number<T: FromStr + Default>(self, name: &'static str) -> Result<T, BadField> {
        self.get(name).map_or(Ok(T::default()), |value| value.parse().map_err(|_| BadField))
    }

    /// Whether a name is there with the value 1.
    #[must_use]
    pub fn flag(self, name: &'static str) -> bool {
        self.get(name) == Some("1")
    }
}

/// A line in the making.
#[derive(Clone, Debug, Default)]
pub struct Line(String);

impl Line {
    /// Begins with a word.
    #[must_use]
    pub fn new(word: &str) -> Self {
        Self(word.to_owned())
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Display) -> Self {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        let _ = write!(self.0, "{name}={value}");
        self
    }

    /// Adds a number, unless it is 0.
    #[must_use]
    pub fn number(self, name: &str, value: impl Into<u64>) -> Self {
        match value.into() {
            0 => self,
            value => self.with(name, value),
        }
    }

    /// Adds a flag, if it is set.
    #[must_use]
    pub fn flag(self, name: &str, value: bool) -> Self {
        self.number(name, value)
    }

    /// Adds a field for each item.
    #[must_use]
    pub fn all<T: Display>(self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().fold(self, |line, value| line.with(name, value))
    }

    /// The line.
    #[must_use]
    pub fn finish(self) -> String {
        self.0
    }
}

/// Splits `a:b` where both sides are present.
///
/// # Errors
/// [`BadField`] if there is no colon.
pub fn pair(value: &str) -> Result<(&str, &str), BadField> {
    value.rsplit_once(':').ok_or(BadField)
}

/// A number in a part of a value.
///
/// # Errors
/// [`BadField`] if it is none that fits.
pub fn number<T: FromStr>(text: &str) -> Result<T, BadField> {
    text.parse().map_err(|_| BadField)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let line = Line::new("admit").with("kid", "A").number("want", 3_u32).number("none", 0_u32);
        let line = line.flag("ahead", true).all("denied", ["X:1", "Y:2"]).finish();
        assert_eq!(line, "admit kid=A want=3 ahead=1 denied=X:1 denied=Y:2");
        let fields = Fields::of(&line);
        assert_eq!((fields.text("kid"), fields.number("want")), (Ok("A"), Ok(3_u32)));
        assert_eq!((fields.number::<u64>("none"), fields.text("none")), (Ok(0), Err(BadField)));
        assert!(fields.flag("ahead") && !fields.flag("want"));
        assert_eq!(
            fields.all("denied").map(pair).collect::<Vec<_>>(),
            [Ok(("X", "1")), Ok(("Y", "2"))]
        );
        assert_eq!(Fields::of("want=-1").number::<u32>("want"), Err(BadField));
    }

    #[cfg(not(target_arch = "wasm32"))]
    proptest::proptest! {
        #[test]
        fn any_values_come_back(text in "[!-~]{0,12}", all in proptest::collection::vec("[!-~]{1,9}", 0..5), number: u64) {
            let line = Line::new("word").with("text", &text).number("number", number);
            let line = line.all("all", &all).flag("flag", number % 2 == 1).finish();
            let fields = Fields::of(&line);
            assert_eq!(fields.text("text"), Ok(text.as_str()));
            assert_eq!(fields.number("number"), Ok(number));
            assert_eq!(fields.all("all").collect::<Vec<_>>(), all);
            assert_eq!(fields.flag("flag"), number % 2 == 1);
        }

        #[test]
        fn any_line_is_read_without_a_panic(line in ".{0,200}") {
            let fields = Fields::of(&line);
            let _ = (fields.number::<u32>("a"), fields.text(""), fields.all("b").count(), pair(&line));
        }
    }
}
