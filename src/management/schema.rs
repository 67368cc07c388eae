//! What a body may hold: tables by which requests are checked and from which the OpenAPI document
//! is made.

use serde_json::{Map, Value};

use super::problem::FieldError;
use super::time;
use crate::key;

/// A member of an object.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it has to be there.
    pub required: bool,
    /// For the documentation.
    pub about: &'static str,
}

/// What a value is.
#[derive(Debug)]
pub enum Kind {
    /// Text without control characters, so many characters long.
    Text(usize, usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Text of a form.
    Form(&'static Form),
    /// A whole number, both ends included.
    Number(u64, u64),
    /// `true` or `false`.
    Flag,
    /// A time (RFC 3339).
    Time,
    /// A list of at least one and at most so many.
    List(&'static Kind, usize),
    /// Names to values, at most so many.
    Map(&'static Form, &'static Kind, usize),
    /// An object.
    Object(&'static Object),
    /// A value, or `null` for none.
    Optional(&'static Kind),
}

/// A form of text.
#[derive(Debug)]
pub struct Form {
    /// Its name in the document.
    pub name: &'static str,
    /// A regular expression (ECMA-262) that every such text meets.
    pub pattern: &'static str,
    /// An example.
    pub example: &'static str,
    /// Says what is wrong with a text.
    pub check: fn(&str) -> Result<(), String>,
}

/// An object of known members.
#[derive(Debug)]
pub struct Object {
    /// Its name in the document.
    pub name: &'static str,
    /// Its members.
    pub fields: &'static [Field],
}

impl Field {
    /// One that may be left out.
    #[must_use]
    pub const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, required: false, about }
    }

    /// One that has to be there.
    #[must_use]
    pub const fn required(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, required: true, about }
    }
}

impl Object {
    /// Checks a body.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn check<'a>(&self, body: &'a Value) -> Result<&'a Map<String, Value>, Vec<FieldError>> {
        let members = body.as_object().ok_or_else(|| vec![FieldError::new("", NO_OBJECT)])?;
        let errors = Self::check_members(self.fields, members);
        if errors.is_empty() { Ok(members) } else { Err(errors) }
    }

    /// What is wrong with an object that may have these members.
    #[must_use]
    pub fn check_members(
        fields: &'static [Field],
        members: &Map<String, Value>,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        examine(fields, members, "", &mut errors);
        errors.truncate(MAX_ERRORS);
        errors
    }
}

fn examine(
    fields: &'static [Field],
    members: &Map<String, Value>,
    place: &str,
    errors: &mut Vec<FieldError>,
) {
    let inside = |name: &str| {
        if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
    };
    for field in fields {
        match members.get(field.name) {
            Some(value) => field.kind.examine(value, &inside(field.name), errors),
            None if field.required => {
                errors.push(FieldError::new(&inside(field.name), "is required"));
            }
            None => {}
        }
    }
    for name in members.keys() {
        if !fields.iter().any(|field| field.name == name) {
            errors.push(FieldError::new(&inside(told(name)), "is not a field of this request"));
        }
    }
}

impl Kind {
    fn examine(&self, value: &Value, place: &str, errors: &mut Vec<FieldError>) {
        let wrong = match self {
            Self::Text(least, most) => text(value, |text| length(text, *least, *most)),
            Self::Word(words) => text(value, |text| {
                if words.contains(&text) {
                    Ok(())
                } else {
                    Err(format!("has to be one of: {}", words.join(", ")))
                }
            }),
            Self::Form(form) => text(value, form.check),
            Self::Number(least, most) => match value.as_u64() {
                Some(number) if (*least..=*most).contains(&number) => Ok(()),
                _ => Err(format!("has to be a whole number from {least} to {most}")),
            },
            Self::Flag if value.is_boolean() => Ok(()),
            Self::Flag => Err("has to be true or false".to_owned()),
            Self::Time => text(value, |text| match time::parse(text) {
                Some(_) => Ok(()),
                None => Err("has to be a time such as 2030-01-31T12:00:00Z".to_owned()),
            }),
            Self::List(kind, most) => match value.as_array() {
                Some(items) if (1..=*most).contains(&items.len()) => {
                    for (at, item) in items.iter().enumerate() {
                        kind.examine(item, &format!("{place}[{at}]"), errors);
                    }
                    Ok(())
                }
                _ => Err(format!("has to be a list of 1 to {most}")),
            },
            Self::Map(names, kind, most) => match value.as_object() {
                Some(members) if (1..=*most).contains(&members.len()) => {
                    for (name, value) in members {
                        match (names.check)(name) {
                            Ok(()) => kind.examine(value, &format!("{place}.{name}"), errors),
                            Err(wrong) => errors.push(FieldError::new(place, wrong)),
                        }
                    }
                    Ok(())
                }
                _ => Err(format!("has to be an object of 1 to {most} members")),
            },
            Self::Object(object) => match value.as_object() {
                Some(members) => {
                    examine(object.fields, members, place, errors);
                    Ok(())
                }
                None => Err(NO_OBJECT.to_owned()),
            },
            Self::Optional(_) if value.is_null() => Ok(()),
            Self::Optional(kind) => {
                kind.examine(value, place, errors);
                Ok(())
            }
        };
        if let Err(wrong) = wrong {
            errors.push(FieldError::new(place, wrong));
        }
    }
}

/// A name that was sent, if it may be sent back: nothing long enough for a key is.
#[must_use]
pub(super) fn told(name: &str) -> &str {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if is_plain && name.len() <= MAX_ECHO { name } else { "(another)" }
}

fn text(value: &Value, check: impl FnOnce(&str) -> Result<(), String>) -> Result<(), String> {
    value.as_str().ok_or_else(|| "has to be text".to_owned()).and_then(check)
}

fn length(text: &str, least: usize, most: usize) -> Result<(), String> {
    if text.chars().any(char::is_control) {
        return Err("has a control character".to_owned());
    }
    if key::occurs_in(text) {
        return Err("has an API key in it, which is to be kept nowhere".to_owned());
    }
    if (least..=most).contains(&text.chars().count()) {
        Ok(())
    } else {
        Err(format!("has to be {least} to {most} characters long"))
    }
}

const NO_OBJECT: &str = "has to be an object";
const MAX_ECHO: usize = 32;
pub(super) const MAX_ERRORS: usize = 100;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const INNER: Object =
        Object { name: "Inner", fields: &[Field::required("n", Kind::Number(1, 9), "")] };
    const OUTER: Object = Object {
        name: "Outer",
        fields: &[
            Field::required("name", Kind::Text(1, 3), ""),
            Field::new("words", Kind::List(&Kind::Word(&["a", "b"]), 2), ""),
            Field::new("inner", Kind::Optional(&Kind::Object(&INNER)), ""),
            Field::new("when", Kind::Time, ""),
        ],
    };

    #[test]
    fn every_field_that_is_wrong_is_named() {
        let body = json!({
            "words": ["a", "c", 1], "inner": {"n": 10, "m": 1}, "when": "tomorrow", "role": "owner"
        });
        let errors = OUTER.check(&body).unwrap_err();
        let places: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(places, ["name", "words", "inner.n", "inner.m", "when", "role"]);
        let body = json!({ "name": "é\u{1f600}x", "words": ["a", "b"], "inner": null });
        assert!(OUTER.check(&body).is_ok());
        for body in [json!([]), json!({"name": "a\nb"}), json!({"name": ""}), json!({"name": null})]
        {
            assert!(OUTER.check(&body).is_err(), "{body}");
        }
    }
}
