//! Requests to the management API, up to what they ask for.

use std::cell::RefCell;
use std::collections::HashMap;

use portcullis::management::endpoint::{Found, find};
use portcullis::management::problem::FieldError;
use portcullis::management::schema::{Field, Kind};
use portcullis::management::{json, query, time};
use regex::Regex;
use serde_json::{Map, Value};

use crate::{lines, text, world};

/// What is accepted is as the document says; what is refused repeats no key. The first line is method and
/// target, the rest a body; `{key}` stands for a key.
pub fn body(data: &[u8]) {
    let Some((_, text)) = text(data) else { return };
    let keys = world::keys();
    let text = text.replace("{key}", keys.first().map_or("", String::as_str));
    let told = |errors: &[FieldError]| {
        assert!((1..=100).contains(&errors.len()));
        for error in errors {
            let words = format!("{} {}", error.field, error.message);
            assert!(!keys.iter().any(|key| words.contains(key.as_str())), "a key is repeated");
        }
    };
    let (first, rest) = lines(&text);
    if let Some(seconds) = time::parse(first) {
        assert_eq!(time::parse(&time::print(seconds)), Some(seconds), "{first}");
    }
    let (method, target) = first.split_once(' ').unwrap_or((first, ""));
    let (path, asked) = target.split_once('?').unwrap_or((target, ""));
    let Found::Endpoint(endpoint, _) = find(method, path) else { return };
    match query::parse(asked, endpoint.query) {
        Ok(values) => members(endpoint.query, &values),
        Err(problem) => told(&problem.errors),
    }
    let (Ok(value), Some(object)) = (json::parse(rest), endpoint.body) else { return };
    assert_eq!(serde_json::from_str::<Value>(rest).ok().as_ref(), Some(&value), "{rest}");
    match object.check(&value) {
        Ok(own) => members(object.fields, own),
        Err(errors) => told(&errors),
    }
}

/// Each member is known and of its kind, and none that has to be there is missing.
fn members(fields: &'static [Field], members: &Map<String, Value>) {
    for field in fields {
        assert!(!field.required || members.contains_key(field.name), "no {}", field.name);
    }
    for (name, value) in members {
        let field = fields.iter().find(|field| field.name == name).expect("a field nobody knows");
        is_of(&field.kind, value);
    }
}

fn is_of(kind: &'static Kind, value: &Value) {
    let words = || value.as_str().expect("no text");
    match kind {
        Kind::Text(least, most) => {
            assert!((*least..=*most).contains(&words().chars().count()));
            assert!(!words().contains(char::is_control));
        }
        Kind::Word(known) => assert!(known.contains(&words())),
        Kind::Form(form) => assert!(matches(form.pattern, words()), "{}: {value}", form.name),
        Kind::Number(least, most) => {
            assert!((*least..=*most).contains(&value.as_u64().expect("no number")));
        }
        Kind::Flag => assert!(value.is_boolean()),
        Kind::Time => assert!(time::parse(words()).is_some()),
        Kind::List(kind, most) => {
            let items = value.as_array().expect("no list");
            assert!((1..=*most).contains(&items.len()));
            items.iter().for_each(|item| is_of(kind, item));
        }
        Kind::Map(form, kind, most) => {
            let members = value.as_object().expect("no object");
            assert!((1..=*most).contains(&members.len()));
            for (name, value) in members {
                assert!(matches(form.pattern, name), "{}: {name}", form.name);
                is_of(kind, value);
            }
        }
        Kind::Object(object) => members(object.fields, value.as_object().expect("no object")),
        Kind::Optional(kind) => {
            if !value.is_null() {
                is_of(kind, value);
            }
        }
    }
}

/// Whether a text meets the pattern in the document.
fn matches(pattern: &'static str, text: &str) -> bool {
    thread_local! { static COMPILED: RefCell<HashMap<&'static str, Regex>> = RefCell::default(); }
    COMPILED.with_borrow_mut(|compiled| {
        let regex = compiled.entry(pattern).or_insert_with(|| Regex::new(pattern).unwrap());
        regex.is_match(text)
    })
}
