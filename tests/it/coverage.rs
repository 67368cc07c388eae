//! What the cases must cover, and how they are kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

#[cfg(feature = "policy-source")]
use crate::vectors::world;
use crate::vectors::{DECISIONS, cases, parse, snake_case, text};

/// Every reason to refuse is the outcome of some vector.
#[test]
fn every_denial_occurs_in_a_vector() {
    let reasons: BTreeSet<String> = cases(&parse(DECISIONS))
        .iter()
        .filter_map(|case| case["expect"]["reason"].as_str().map(str::to_owned))
        .collect();
    let denials = variants(DENIAL, "Denial").into_iter().filter(|name| {
        // What is in it counts.
        !matches!(name.as_str(), "target" | "invalid")
            // tests/it/signed.rs and the vectors of signatures.
            && !matches!(name.as_str(), "differs" | "body_late" | "stale_timestamp" | "signed_body" | "digest" | "replayed")
            // tests/it/pools.rs and the conformance cases of budgets.
            && name != "budget"
    });
    let invalid = variants(DENIAL, "Invalid").into_iter().map(|name| format!("invalid/{name}"));
    let unusable = variants(RECORD, "Unusable").into_iter().map(|name| format!("record/{name}"));
    let targets = quoted(include_str!("../../src/target/reason.rs"), |text| {
        text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_' | b'8'))
    })
    .into_iter()
    .map(|name| format!("target/{name}"));
    let missing: Vec<_> = denials
        .chain(invalid)
        .chain(unusable)
        .chain(targets)
        .filter(|name| !reasons.contains(name))
        .collect();
    assert!(missing.is_empty(), "no vector has these outcomes: {missing:?}");
}

/// Every code on the wire is the outcome of some vector or conformance case.
#[test]
fn every_code_occurs_in_a_case() {
    let mut codes = BTreeSet::new();
    collect(&parse(DECISIONS), &mut codes);
    for file in fs::read_dir(folder().join("tests/conformance")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            collect(&parse(&fs::read_to_string(path).unwrap()), &mut codes);
        }
    }
    let reachable = quoted(DENIAL, |text| {
        text.len() > 4 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    });
    // A defect of the gate, of which there is no example.
    let missing: Vec<_> =
        reachable.iter().filter(|code| !codes.contains(*code) && *code != "INTERNAL").collect();
    assert!(missing.is_empty(), "no case has these codes: {missing:?}");
}

/// The world's policy is the one that the Worker of the conformance cases is built with.
#[cfg(feature = "policy-source")]
#[test]
fn the_world_has_the_policy_of_the_conformance_cases() {
    let source = fs::read_to_string(folder().join("tests/conformance/policy.toml")).unwrap();
    let compiled = portcullis::policy::source::compile(&source).unwrap().to_json().unwrap();
    assert_eq!(parse(&compiled), world()["policy"], "run cargo xtask vectors");
}

/// Cases are found by their ids, so an id is never used twice.
#[test]
fn ids_are_unique() {
    let mut seen = BTreeSet::new();
    for file in fs::read_dir(folder().join("tests/conformance")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            for case in cases(&parse(&fs::read_to_string(path).unwrap())) {
                assert!(seen.insert(text(case, "id").to_owned()), "{} is there twice", case["id"]);
            }
        }
    }
    seen.clear();
    for case in cases(&parse(DECISIONS)) {
        assert!(seen.insert(text(case, "id").to_owned()), "{} is there twice", case["id"]);
    }
}

/// The variants of an enum in a source text, in snake case.
fn variants(source: &str, name: &str) -> Vec<String> {
    let (_, body) = source.split_once(&format!("pub enum {name} {{")).unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let lines = body.lines().map(str::trim);
    let variant = |line: &str| snake_case(line.split(['(', ',', ' ']).next().unwrap_or_default());
    lines.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase())).map(variant).collect()
}

/// The string literals of a source text that `fits`.
fn quoted(source: &str, fits: impl Fn(&str) -> bool) -> BTreeSet<String> {
    // What stands between literals fits nowhere.
    source.split('"').filter(|text| !text.is_empty() && fits(text)).map(str::to_owned).collect()
}

/// The values of every field `code`.
fn collect(value: &Value, codes: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, codes)),
        Value::Object(fields) => {
            codes.extend(fields.get("code").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| collect(field, codes));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

const DENIAL: &str = include_str!("../../src/denial.rs");
const RECORD: &str = include_str!("../../src/record.rs");
