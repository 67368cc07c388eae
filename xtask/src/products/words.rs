//! What stands in the texts of cases for what is known only when they run.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use data_encoding::{BASE64, HEXLOWER};
use portcullis::management::time;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::people::People;
use crate::conformance::now;
use crate::seed::entropy;

/// What was made or kept, by name.
#[derive(Debug, Default)]
pub struct Words(BTreeMap<String, String>);

impl Words {
    /// Makes random texts.
    pub fn make(texts: &BTreeMap<String, String>) -> Result<Self> {
        let mut words = Self::default();
        for (name, kind) in texts {
            let random = entropy::<32>()?;
            let text = match kind.as_str() {
                "base64" => BASE64.encode(&random),
                "ak_32" => {
                    let symbol = |byte: &u8| char::from(CROCKFORD[usize::from(byte % 32)]);
                    format!("ak_{}", random.iter().map(symbol).collect::<String>())
                }
                other => bail!("{name}: nobody makes {other}"),
            };
            words.keep(name, text);
        }
        Ok(words)
    }

    pub fn keep(&mut self, name: &str, text: String) {
        self.0.insert(name.to_owned(), text);
    }

    /// Writes out what stands in braces, nobody's token among it.
    pub fn plain(&self, text: &str) -> Result<String> {
        self.fill_with(text, &nobody)
    }

    /// Writes out what stands in braces.
    pub fn fill(&self, text: &str, people: &People) -> Result<String> {
        self.fill_with(text, &|person| people.token(person, self))
    }

    fn fill_with(&self, text: &str, token: Token<'_>) -> Result<String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (word, after) = after.split_once('}').with_context(|| format!("{text}: no }}"))?;
            filled.push_str(before);
            filled.push_str(&self.word(word, token).with_context(|| text.to_owned())?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// The same in all texts of a value.
    pub fn fill_value(&self, value: &Value, people: &People) -> Result<Value> {
        self.fill_all(value, &|person| people.token(person, self))
    }

    /// The same, nobody's token among it.
    pub fn plain_value(&self, value: &Value) -> Result<Value> {
        self.fill_all(value, &nobody)
    }

    fn fill_all(&self, value: &Value, token: Token<'_>) -> Result<Value> {
        Ok(match value {
            Value::String(text) => Value::String(self.fill_with(text, token)?),
            Value::Array(items) => {
                let items = items.iter().map(|item| self.fill_all(item, token));
                Value::Array(items.collect::<Result<_>>()?)
            }
            Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, item)| Ok((name.clone(), self.fill_all(item, token)?)));
                Value::Object(members.collect::<Result<_>>()?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    fn word(&self, word: &str, token: Token<'_>) -> Result<String> {
        match word.split_once(' ') {
            Some(("token", person)) => token(person),
            Some(("in", seconds)) => Ok(time::print(now()? + seconds.parse::<u64>()?)),
            Some(("sha256", name)) => {
                Ok(HEXLOWER.encode(&Sha256::digest(self.kept(name)?.as_bytes())))
            }
            _ => self.kept(word).map(str::to_owned),
        }
    }

    fn kept(&self, name: &str) -> Result<&str> {
        self.0.get(name).map(String::as_str).with_context(|| format!("nothing is called {name}"))
    }
}

/// The token of somebody.
type Token<'a> = &'a dyn Fn(&str) -> Result<String>;

fn nobody(person: &str) -> Result<String> {
    bail!("nobody is called {person} yet")
}

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
