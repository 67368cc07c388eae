//! `docs/traceability.md`: each threat, and the cases and tests in which it is tried.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::checkout::Checkout;
use crate::prove;

/// A threat of `tests/threats.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Threat {
    /// What the cases about it begin their own names with.
    id: String,
    what: String,
    /// Tests of other names: `prove BAR`, `it FILE FUNCTION`, `products PRODUCT CASE`, `www FILE NAME`, `cli FILE FUNCTION`.
    #[serde(default)]
    besides: Vec<String>,
    /// Why there is no test yet.
    open: Option<String>,
}

/// Writes the table.
pub fn write(checkout: &Checkout) -> Result<()> {
    Ok(fs::write(checkout.path(TABLE), text(checkout)?)?)
}

/// The table. An error if a threat has no test and no reason, or names one that is not there.
fn text(checkout: &Checkout) -> Result<String> {
    let threats: Vec<Threat> = serde_json::from_slice(&fs::read(checkout.path(THREATS))?)?;
    let mut cases = BTreeMap::new();
    for (name, file) in FILES {
        for id in names(&fs::read_to_string(checkout.path(file))?, file.ends_with(".rs")) {
            *cases.entry(id).or_insert_with(BTreeMap::new).entry(name).or_insert(0) += 1;
        }
    }
    let mut text = HEAD.to_owned();
    for Threat { id, what, besides, open } in &threats {
        let found = cases.get(id).into_iter().flatten();
        let mut by: Vec<_> = found.map(|(file, count)| format!("{file} {count}")).collect();
        for test in besides {
            by.push(besides_of(checkout, test).with_context(|| id.clone())?);
        }
        match open {
            Some(why) if by.is_empty() => by.push(format!("**open**: {why}")),
            Some(_) => bail!("{id} is said to be open, and is tried"),
            None => ensure!(!by.is_empty(), "{id} is tried nowhere"),
        }
        writeln!(text, "| {id} | {what} | {} |", by.join(", "))?;
    }
    Ok(text)
}

/// The threats that the cases of a file begin their names with; one name may have several.
fn names(text: &str, is_source: bool) -> Vec<String> {
    let before = if is_source { "(\"" } else { "\"id\": \"" };
    let ids = |name: &str| {
        let words = name.split(['"', ' ', '-']).take_while(|word| is_id(word));
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    text.split(before).skip(1).flat_map(ids).collect()
}

/// A letter and two digits.
fn is_id(word: &str) -> bool {
    let [letter, digits @ ..] = word.as_bytes() else { return false };
    letter.is_ascii_uppercase() && digits.len() == 2 && digits.iter().all(u8::is_ascii_digit)
}

/// How the table says a test that has another name, if it is there.
fn besides_of(checkout: &Checkout, test: &str) -> Result<String> {
    let mut words = test.splitn(3, ' ');
    match [words.next(), words.next(), words.next()] {
        [Some("prove"), Some(bar), None] => {
            prove::check_name(Some(bar))?;
            Ok(format!("`cargo xtask prove {bar}`"))
        }
        [Some("it"), Some(file), Some(function)] => {
            let source = fs::read_to_string(checkout.path("tests/it").join(file))?;
            ensure!(source.contains(&format!("fn {function}(")), "{file} has no {function}");
            Ok(format!("`{function}` in [tests/it/{file}](../tests/it/{file})"))
        }
        [Some("cli"), Some(file), Some(function)] => {
            let source = fs::read_to_string(checkout.path("cli/tests").join(file))?;
            ensure!(source.contains(&format!("fn {function}(")), "{file} has no {function}");
            Ok(format!("`{function}` in [cli/tests/{file}](../cli/tests/{file})"))
        }
        [Some("products"), Some(product), Some(name)] => {
            let file = format!("tests/products/{product}.json");
            let product: Value = serde_json::from_slice(&fs::read(checkout.path(&file))?)?;
            let cases = product["cases"].as_array().into_iter().flatten();
            ensure!(cases.clone().any(|case| case["name"] == name), "{file} has no {name:?}");
            Ok(format!("“{name}” in [{file}](../{file})"))
        }
        [Some("www"), Some(file), Some(name)] => {
            let source = fs::read_to_string(checkout.path("www/tests").join(file))?;
            ensure!(source.contains(&format!("test(\"{name}\"")), "{file} has no {name:?}");
            Ok(format!("“{name}” in [www/tests/{file}](../www/tests/{file})"))
        }
        _ => bail!("{test:?} is no test"),
    }
}

/// Where cases have the names of threats.
const FILES: [(&str, &str); 12] = [
    ("credentials", "tests/conformance/credentials.json"),
    ("target", "tests/conformance/target.json"),
    ("query", "tests/conformance/query.json"),
    ("headers", "tests/conformance/headers.json"),
    ("ip", "tests/conformance/ip.json"),
    ("proxy", "tests/conformance/proxy.json"),
    ("signatures", "tests/conformance/signatures.json"),
    ("budgets", "tests/conformance/budgets.json"),
    ("programs", "xtask/src/conformance/programs.rs"),
    ("decisions", "tests/vectors/decisions.json"),
    ("signatures-v1", "tests/vectors/signatures-v1.json"),
    ("signatures-v2", "tests/vectors/signatures-v2.json"),
];
const THREATS: &str = "tests/threats.json";
const TABLE: &str = "docs/traceability.md";
const HEAD: &str = "# Threats and their tests

Which cases try which threat: made by `cargo xtask vectors` of `tests/threats.json` and of the names of the cases, which begin with the threat's; a test holds the two together.
A number counts the cases of a file: `credentials` to `budgets` are `tests/conformance/*.json`, raw requests to plain workerd; `programs` is `xtask/src/conformance/programs.rs`, the same with more
than one request; `decisions` and `signatures-*` are `tests/vectors/*.json`, against the core and over HTTP. Neighbours of the threats have names of their own there.

| | threat | tried by |
| --- | --- | --- |
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_what_would_be_written() {
        let checkout = Checkout::find().unwrap();
        let written = fs::read_to_string(checkout.path(TABLE)).unwrap();
        assert!(written == text(&checkout).unwrap(), "{TABLE}: cargo xtask vectors");
    }

    #[test]
    fn a_name_may_be_of_several_threats() {
        let json = r#"[{"id": "A01-more"}, {"id": "plain"}, {"id": "A02"}]"#;
        assert_eq!(names(json, false), ["A01", "A02"]);
        assert_eq!(names(r#"("L07 L08 a token", f), ("no", g)"#, true), ["L07", "L08"]);
    }
}
