//! JSON as requests bring it: one value, no name twice in an object (RFC 8259 §4), not deep.

use core::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads a text.
///
/// # Errors
/// What is wrong with it, with the place, and without any of it.
pub fn parse(text: &str) -> Result<Value, String> {
    let told = |error: serde_json::Error| {
        let wrong =
            if error.is_data() { "an object that names something twice" } else { "not JSON" };
        format!("{wrong}, at line {} column {}", error.line(), error.column())
    };
    serde_json::from_slice::<Strict>(text.as_bytes()).map(|Strict(value)| value).map_err(told)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Strict)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(value)) = items.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if map.insert(name, value).is_some() {
                return Err(de::Error::custom("twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_readers_might_read_otherwise_is_refused() {
        assert_eq!(
            parse(r#"{"a":[1,{"b":null}]}"#).unwrap().to_string(),
            r#"{"a":[1,{"b":null}]}"#
        );
        let deep = "[".repeat(10_000);
        for text in [
            "",
            r#"{"a":1,"a":1}"#,
            r#"[{"a":1,"\u0061":2}]"#,
            "1e999",
            "\u{feff}{}",
            "{} x",
            &deep,
            "{'a':1}",
        ] {
            assert!(parse(text).is_err(), "{:.20}", text);
        }
        assert_eq!(parse("{\n\"a\" 1}").unwrap_err(), "not JSON, at line 2 column 5");
    }
}
