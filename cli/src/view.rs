//! JSON of the API as cells of a table.

use serde_json::Value;

use crate::table::Table;

/// A field as a cell; `-` if there is none.
pub(crate) fn field(object: &Value, name: &str) -> String {
    object.get(name).map_or_else(|| "-".to_owned(), cell)
}

/// All fields of an object.
pub(crate) fn fields(object: &Value) -> Table {
    let fields = object.as_object().into_iter().flatten();
    Table::of_fields(fields.map(|(name, value)| (name.as_str(), cell(value))))
}

/// A value as text.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "-".to_owned(),
        Value::Array(values) if values.iter().all(|value| !value.is_object()) => {
            values.iter().map(cell).collect::<Vec<_>>().join(" ")
        }
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => {
            let one = |(name, value): (&String, &Value)| format!("{name}={}", cell(value));
            fields.iter().map(one).collect::<Vec<_>>().join(" ")
        }
    }
}
