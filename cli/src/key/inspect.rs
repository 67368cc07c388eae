//! `key inspect`: what a presented text is, without repeating it.

use std::path::Path;

use portcullis::key::KeyText;
use serde_json::{Value, json};

use crate::output::{Failure, Output};
use crate::table::Table;
use crate::{machine, policy};

/// Reads the text from standard input and the root, if any, from the environment.
pub(super) fn inspect(policy: Option<&Path>) -> Result<Output, Failure> {
    let policy = policy.map(policy::read).transpose()?;
    let keyring = machine::optional_root()?;
    let text = machine::stdin_text("a key")?;
    let (facts, holds) = match KeyText::recognise(&text) {
        Some(Ok(key)) => {
            let ours = keyring.map(|keyring| key.is_ours(&keyring));
            let facts = json!({
                "kind": "native",
                "crc": true,
                "prefix": key.prefix(),
                "kid": key.kid().as_str(),
                "workspace": key.kid().workspace().as_str(),
                "tags": ours,
            });
            (facts, ours != Some(false))
        }
        Some(Err(_)) => (json!({ "kind": "native", "crc": false }), false),
        None => {
            let shape =
                policy.map(|policy| policy.imports.iter().any(|shape| shape.matches(&text)));
            let facts = json!({
                "kind": "other",
                "length": text.len(),
                "import_shape": shape,
            });
            (facts, shape != Some(false))
        }
    };
    let facts = without_unknown(facts);
    Ok(Output::table(table(&facts), facts).refused_if(!holds, NO_KEY))
}

fn without_unknown(mut facts: Value) -> Value {
    if let Some(fields) = facts.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    facts
}

fn table(facts: &Value) -> Table {
    let word = |value: &Value| match value {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "NO".to_owned(),
        Value::String(text) => text.clone(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    let fields = facts.as_object().into_iter().flatten();
    Table::of_fields(fields.map(|(name, value)| {
        let name = match name.as_str() {
            "crc" => "CRC holds",
            "tags" => "tags hold",
            "import_shape" => "import shape",
            name => name,
        };
        (name, word(value))
    }))
}

const NO_KEY: &str = "no gate of this root and policy takes this text";
