//! The query of a management request.

use serde_json::{Map, Value};

use super::problem::{FieldError, Problem};
use super::schema::{Field, Kind, MAX_ERRORS, Object, told};
use crate::target::decoded_text;

/// Reads a query by the parameters that an endpoint knows.
///
/// # Errors
/// 422 with each parameter that is wrong, unknown or there twice.
pub fn parse(query: &str, known: &'static [Field]) -> Result<Map<String, Value>, Problem> {
    let mut values = Map::new();
    let mut errors = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded_text(value).unwrap_or_default();
        let is_number =
            known.iter().any(|field| field.name == name && matches!(field.kind, Kind::Number(..)));
        let is_plain = value.bytes().all(|byte| byte.is_ascii_digit());
        let value = match value.parse::<u64>() {
            Ok(number) if is_number && is_plain => Value::from(number),
            _ => Value::from(value),
        };
        if values.insert(name.to_owned(), value).is_some() {
            errors.push(FieldError::new(told(name), "is there twice"));
        }
    }
    errors.extend(Object::check_members(known, &values));
    errors.truncate(MAX_ERRORS);
    if errors.is_empty() { Ok(values) } else { Err(Problem::invalid(errors)) }
}
