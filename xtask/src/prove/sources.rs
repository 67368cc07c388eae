//! What a proof depends on, as one digest: the Worker, the tools that build and serve it, and the
//! proof itself.
//!
//! Taken of code alone: comments, tests and layout may change.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use serde_json::Value;

use super::Bar;
use crate::checkout::{Checkout, sha256};
use crate::worker::collect;

/// The digest of all that what `bar` found depends on.
pub(super) fn digest(checkout: &Checkout, bar: &Bar) -> Result<String> {
    let harness: &[&str] = if NATIVE.contains(&bar.name) { &[] } else { &HARNESS };
    let mut files = BTreeSet::new();
    let root = checkout.path("");
    for source in [bar.sources, &WORKER, harness].concat() {
        if !checkout.path(source).is_dir() {
            files.insert(PathBuf::from(source));
            continue;
        }
        let mut inside = Vec::new();
        collect(&checkout.path(source), &mut inside)?;
        for file in inside {
            files.insert(file.strip_prefix(&root)?.to_owned());
        }
    }
    let mut modules = BTreeSet::new();
    own_modules(checkout, &bar.name.replace('-', ""), &mut modules)?;
    files.extend(modules.iter().map(|module| PathBuf::from(format!("{PROVE}/{module}.rs"))));
    let mut all = String::new();
    for file in files {
        let code = code(checkout, &file)?;
        all.push_str(&format!("{}\0{}\n", file.display(), sha256(code.as_bytes())));
    }
    let mut digest = sha256(all.as_bytes());
    digest.truncate(DIGITS);
    Ok(digest)
}

/// A module of the proofs and those that it names.
fn own_modules(checkout: &Checkout, name: &str, found: &mut BTreeSet<String>) -> Result<()> {
    let path = checkout.path(format!("{PROVE}/{name}.rs"));
    let text = fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
    found.insert(name.to_owned());
    for rest in text.split("super::").skip(1) {
        let end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
        let module = &rest[..end];
        let exists = checkout.path(format!("{PROVE}/{module}.rs")).is_file();
        if exists && !found.contains(module) {
            own_modules(checkout, module, found)?;
        }
    }
    Ok(())
}

/// What of a file is not only for its readers.
fn code(checkout: &Checkout, file: &PathBuf) -> Result<String> {
    let bytes = fs::read(checkout.path(file)).with_context(|| format!("no {}", file.display()))?;
    // Of the tests some files are meant to be no text.
    let read = || Ok(String::from_utf8_lossy(&bytes).into_owned());
    let code = match file.file_name().and_then(|name| name.to_str()).unwrap_or_default() {
        "Cargo.lock" => read().map(|text| locked(&text)),
        "package-lock.json" => read().and_then(|text| tools(&text)),
        name if name.ends_with(".rs") => read().and_then(|text| rust(&text)),
        name if name.ends_with(".toml") => read().map(|text| lines(&text, &["#", "version = "])),
        _ => read().map(|text| lines(&text, &["//"])),
    };
    code.with_context(|| file.display().to_string())
}

/// The lines, trimmed, but for empty ones and those that begin so.
fn lines(text: &str, without: &[&str]) -> String {
    let kept = |line: &&str| !line.is_empty() && !without.iter().any(|w| line.starts_with(w));
    text.lines().map(str::trim).filter(kept).collect::<Vec<_>>().join("\n")
}

/// The tokens of a Rust file, without its documentation and tests.
fn rust(text: &str) -> Result<String> {
    let tokens = text.parse::<TokenStream>().map_err(|error| anyhow!("no Rust: {error}"))?;
    let mut code = String::new();
    write(tokens, &mut code);
    Ok(code)
}

fn write(tokens: TokenStream, code: &mut String) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if is(&token, '#') {
            let inner = tokens.next_if(|next| is(next, '!'));
            match tokens.peek().and_then(attribute).as_deref() {
                Some("doc") => {
                    tokens.next();
                    continue;
                }
                Some("cfg (test)") if inner.is_none() => {
                    // The item that follows ends with its braces, or without any.
                    for token in tokens.by_ref() {
                        let braces = matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
                        if braces || is(&token, ';') {
                            break;
                        }
                    }
                    continue;
                }
                _ => {}
            }
        }
        match token {
            TokenTree::Group(group) => {
                code.push_str(&format!("{:?}(", group.delimiter()));
                write(group.stream(), code);
                code.push_str(") ");
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {
                code.push_str(&format!("{token} "));
            }
        }
    }
}

fn is(token: &TokenTree, punctuation: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == punctuation)
}

/// `doc` for documentation, else the attribute as it is.
fn attribute(token: &TokenTree) -> Option<String> {
    let TokenTree::Group(group) = token else { return None };
    let text = group.stream().to_string();
    Some(if text.starts_with("doc =") { "doc".to_owned() } else { text })
}

/// The packages of `Cargo.lock` that the Worker may be built of, each with its version.
fn locked(text: &str) -> String {
    let mut packages: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in text.split("[[package]]").skip(1) {
        let name = package.lines().find_map(|line| line.strip_prefix("name = "));
        packages.entry(name.unwrap_or_default().trim_matches('"')).or_default().push(package);
    }
    let (mut reached, mut next) = (BTreeSet::new(), vec!["portcullis"]);
    while let Some(name) = next.pop() {
        if !reached.insert(name) {
            continue;
        }
        for package in packages.get(name).into_iter().flatten() {
            let listed = package.split_once("dependencies = [").map_or("", |(_, list)| list);
            let names = listed.split('"').skip(1).step_by(2);
            next.extend(names.filter_map(|name| name.split(' ').next()));
        }
    }
    let mut kept = reached.iter().filter_map(|name| packages.get(name)).flatten();
    kept.by_ref()
        .map(|package| {
            // A package without a source is of the workspace: its version says nothing of its code.
            let without: &[&str] =
                if package.contains("source = ") { &[] } else { &["version = "] };
            lines(package, without)
        })
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// The tools of `package-lock.json` that make or serve the Worker.
fn tools(text: &str) -> Result<String> {
    let lock: Value = serde_json::from_str(text)?;
    let tool = |name: &&str| {
        format!("{name} {}", lock["packages"][format!("node_modules/{name}")]["integrity"])
    };
    Ok(["binaryen", "esbuild", "workerd"].iter().map(tool).collect::<Vec<_>>().join("\n"))
}

/// What the Worker is made of and by, and the policy that the proofs give it.
const WORKER: [&str; 6] = [
    "src",
    "Cargo.toml",
    "Cargo.lock",
    "package-lock.json",
    "tests/prove/policy.toml",
    "xtask/src/worker.rs",
];
/// By what it is served, its KV, its origins and its faults with it.
const HARNESS: [&str; 3] = ["xtask/workerd", "xtask/src/workerd", "xtask/src/workerd.rs"];
/// Bars that serve nothing.
const NATIVE: [&str; 5] = ["fuzz", "mutants", "reference", "reproducible", "schedules"];
const PROVE: &str = "xtask/src/prove";
const DIGITS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_tests_are_no_code() {
        let code = "//! A.\n/// B.\n#[must_use]\nfn a() -> u8 { 1 // c\n}\n";
        let same = "#[must_use]\nfn a()->u8{/* d */1}\n#[cfg(test)]\nmod tests { fn b() {} }\n";
        let also = "#[cfg(test)] use b;\n#[must_use]\nfn a() -> u8 {\n    1\n}";
        let other = "#[must_use]\nfn a() -> u8 { 2 }";
        assert_eq!(rust(code).unwrap(), rust(same).unwrap());
        assert_eq!(rust(code).unwrap(), rust(also).unwrap());
        assert_ne!(rust(code).unwrap(), rust(other).unwrap());
        assert_ne!(rust(code).unwrap(), rust("fn a() -> u8 { 1 }").unwrap());
        assert_ne!(
            rust("const A: &str = \"// a\";").unwrap(),
            rust("const A: &str = \"\";").unwrap()
        );
        assert_eq!(lines("a = 1\n\n  // b\n  c\n", &["//"]), "a = 1\nc");
    }

    #[test]
    fn of_a_lock_file_the_worker_counts() {
        let package = |name: &str, version: &str, dependencies: &str| {
            format!(
                "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"s\"\ndependencies = [\n{dependencies}]\n"
            )
        };
        let own = |version: &str| {
            format!(
                "[[package]]\nname = \"portcullis\"\nversion = \"{version}\"\ndependencies = [\n \"a\",\n]\n"
            )
        };
        let lock = |own: String, a: &str, b: &str, c: &str| {
            locked(
                &[
                    own,
                    package("a", a, " \"b 1.0.0\",\n"),
                    package("b", b, ""),
                    package("c", c, ""),
                ]
                .concat(),
            )
        };
        let first = lock(own("1"), "1", "1", "1");
        assert_eq!(first, lock(own("2"), "1", "1", "2"));
        assert_ne!(first, lock(own("1"), "2", "1", "1"));
        assert_ne!(first, lock(own("1"), "1", "2", "1"));
    }

    #[test]
    fn native_bars_are_bars() {
        for name in NATIVE {
            assert!(super::super::BARS.iter().any(|bar| bar.name == name), "{name}");
        }
    }

    #[test]
    fn a_bar_depends_on_the_modules_it_names() {
        let checkout = Checkout::find().unwrap();
        let mut modules = BTreeSet::new();
        own_modules(&checkout, "memory", &mut modules).unwrap();
        for module in ["memory", "inspector", "site", "stored", "upstream"] {
            assert!(modules.contains(module), "{module}: {modules:?}");
        }
        assert!(!modules.contains("forged"), "{modules:?}");
    }
}
