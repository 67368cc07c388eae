//! Which ways to panic the gate's Wasm can reach from what JavaScript calls for a request.
//!
//! Read from the code that is uploaded, before its names are dropped: every function that a call leads to, or
//! could lead to through the table, where each function of the type counts. A panic costs the requests that
//! wait in the isolate a 503, so none may hang on what a client sends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use rustc_demangle::demangle;
use wasmparser::{
    ElementItems, ExternalKind, KnownCustom, Name, Operator, Parser, Payload, TypeRef,
};

use crate::checkout::{Checkout, say};
use crate::worker;

/// Fails if a function of ours can panic that is not in [`OURS`], a crate that is not in [`CRATES`], or if
/// one in these lists no longer can.
pub fn check(checkout: &Checkout) -> Result<()> {
    let path = worker::named_gate(checkout)?;
    let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
    let module = Module::parse(&bytes).context("the gate's Wasm")?;
    let reached = module.reach(&ENTRIES)?;
    let (mut ours, mut crates) = (BTreeSet::new(), BTreeSet::new());
    for (caller, panic) in module.panics(&reached) {
        match caller.contains(OWN) {
            true => ours.insert((caller, panic)),
            false => crates.insert(crate_of(&caller).to_owned()),
        };
    }
    let all = module.bodies.len();
    say(format!(
        "of {all} functions a request can reach {}; {} of ours can panic, and some of {} crates",
        reached.len(),
        ours.len(),
        crates.len()
    ));
    let known = OURS.iter().map(|(caller, panic, _)| ((*caller).to_owned(), *panic)).collect();
    let mut wrong = differences(&ours, &known, |(caller, panic)| format!("{caller}: {panic}"));
    let known = CRATES.iter().map(|name| (*name).to_owned()).collect();
    wrong.extend(differences(&crates, &known, |name| format!("crate {name}")));
    if !wrong.is_empty() {
        bail!("ways to panic:\n{}", wrong.join("\n"));
    }
    Ok(())
}

fn differences<T: Ord>(
    found: &BTreeSet<T>,
    known: &BTreeSet<T>,
    print: impl Fn(&T) -> String,
) -> Vec<String> {
    let new = found.difference(known).map(|one| format!("{} (new)", print(one)));
    let gone = known.difference(found).map(|one| format!("{} (no longer)", print(one)));
    new.chain(gone).collect()
}

/// What of a module calls lead through. Functions are counted from the imports on.
#[derive(Default)]
struct Module {
    imports: usize,
    /// The type of each function.
    types: Vec<u32>,
    names: BTreeMap<u32, String>,
    exports: Vec<(String, u32)>,
    /// The functions in tables.
    table: BTreeSet<u32>,
    /// Of each function that is not imported.
    bodies: Vec<Calls>,
}

#[derive(Default)]
struct Calls {
    functions: BTreeSet<u32>,
    /// By the types of the functions that are called through a table.
    types: BTreeSet<u32>,
}

impl Module {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let mut module = Self::default();
        for payload in Parser::new(0).parse_all(bytes) {
            module.add(payload?)?;
        }
        ensure!(!module.names.is_empty(), "it has no names");
        Ok(module)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "sections and operators that call nothing")]
    fn add(&mut self, payload: Payload<'_>) -> Result<()> {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    if let TypeRef::Func(kind) = import?.ty {
                        self.types.push(kind);
                        self.imports += 1;
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for kind in section {
                    self.types.push(kind?);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if export.kind == ExternalKind::Func {
                        self.exports.push((export.name.to_owned(), export.index));
                    }
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    if let ElementItems::Functions(functions) = element?.items {
                        for function in functions {
                            self.table.insert(function?);
                        }
                    }
                }
            }
            Payload::CodeSectionEntry(body) => {
                let mut calls = Calls::default();
                for operator in body.get_operators_reader()? {
                    match operator? {
                        Operator::Call { function_index } => {
                            calls.functions.insert(function_index);
                        }
                        Operator::CallIndirect { type_index, .. } => {
                            calls.types.insert(type_index);
                        }
                        _ => {}
                    }
                }
                self.bodies.push(calls);
            }
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(names) = section.as_known() {
                    for name in names {
                        if let Name::Function(functions) = name? {
                            for function in functions {
                                let function = function?;
                                self.names.insert(function.index, path(function.name));
                            }
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn name(&self, function: u32) -> &str {
        self.names.get(&function).map_or("", String::as_str)
    }

    fn calls(&self, function: u32) -> BTreeSet<u32> {
        let Some(calls) =
            (function as usize).checked_sub(self.imports).and_then(|place| self.bodies.get(place))
        else {
            return BTreeSet::new();
        };
        let of_type = |function: &&u32| calls.types.contains(&self.types[**function as usize]);
        calls.functions.iter().chain(self.table.iter().filter(of_type)).copied().collect()
    }

    /// What these exports lead to, but for what a panic itself does.
    fn reach(&self, entries: &[&str]) -> Result<BTreeSet<u32>> {
        let mut to_do = Vec::new();
        for entry in entries {
            let export = self.exports.iter().find(|(name, _)| name == entry);
            to_do.push(export.with_context(|| format!("it does not export {entry}"))?.1);
        }
        let mut reached = BTreeSet::new();
        while let Some(function) = to_do.pop() {
            if kind(self.name(function)).is_none() && reached.insert(function) {
                to_do.extend(self.calls(function));
            }
        }
        Ok(reached)
    }

    /// Who of these functions calls which panic; that memory is used up aside.
    fn panics(&self, functions: &BTreeSet<u32>) -> Vec<(String, &'static str)> {
        let mut found = Vec::new();
        for caller in functions {
            for called in self.calls(*caller) {
                if let Some(kind) = kind(self.name(called)).filter(|kind| *kind != OUT_OF_MEMORY) {
                    found.push((self.name(*caller).to_owned(), kind));
                }
            }
        }
        found
    }
}

/// The path of a function, without hashes.
fn path(name: &str) -> String {
    let path = format!("{:#}", demangle(name));
    match path.rsplit_once("::") {
        Some((path, hash)) if hash.len() == 17 && hash.starts_with('h') => path.to_owned(),
        _ => path,
    }
}

/// What panic this function is, if it is one.
fn kind(path: &str) -> Option<&'static str> {
    KINDS.iter().find(|(part, _)| path.contains(part)).map(|(_, kind)| *kind)
}

/// The crate in which a function stands or, if it is of a trait for a type without a path, that of the trait.
fn crate_of(path: &str) -> &str {
    let path = match path.split_once(" as ") {
        Some((kind, of_trait)) if !kind.contains("::") => of_trait,
        _ => path,
    };
    if path.starts_with("__") {
        return "wasm_bindgen";
    }
    let path = path.trim_start_matches(['<', '&', '(', '*', '[']).trim_start_matches("mut ");
    path.split("::").next().unwrap_or(path).split('[').next().unwrap_or(path)
}

/// What JavaScript calls for a request.
const ENTRIES: [&str; 6] =
    ["decide", "proceed", "resume", "resume_with_body", "not_found", "origin_fault"];
const OWN: &str = "portcullis::";
const OUT_OF_MEMORY: &str = "memory is used up";
/// Parts of the paths of functions that do not come back, and what they mean.
const KINDS: [(&str, &str); 13] = [
    ("alloc::handle_alloc_error", OUT_OF_MEMORY),
    ("raw_vec::handle_error", OUT_OF_MEMORY),
    ("raw_vec::capacity_overflow", OUT_OF_MEMORY),
    ("option::unwrap_failed", "unwrap of None"),
    ("option::expect_failed", "expect of None"),
    ("result::unwrap_failed", "unwrap of Err"),
    ("panicking::panic_bounds_check", "index"),
    ("str::slice_error_fail", "slice of a text"),
    ("slice::index::slice_", "slice"),
    ("panicking::panic_const::", "arithmetic"),
    ("cell::panic_already", "borrowed twice"),
    ("copy_from_slice::len_mismatch_fail", "slices of two lengths"),
    ("core::panicking::", "panic"),
];
/// Functions of ours that can panic, and why none does. What is inlined into one counts as its own.
const OURS: [(&str, &str, &str); 19] = [
    ("<portcullis::route::method::Methods as core::fmt::Display>::fmt", "arithmetic", COUNT),
    ("portcullis::credential::find", "arithmetic", COUNT),
    ("portcullis::crypto::Digest::position", "arithmetic", COUNT),
    ("portcullis::crypto::MacKey::mac", "arithmetic", BLOCK),
    ("portcullis::crypto::RunningMac::update", "arithmetic", BLOCK),
    ("portcullis::crypto::hkdf", "unwrap of Err", "32 bytes of 8160 (RFC 5869, 2.3)"),
    ("portcullis::decide::Check::explain", "unwrap of Err", TEXT),
    (
        "portcullis::decide::person::<impl portcullis::decide::Check>::verified",
        "unwrap of Err",
        TEXT,
    ),
    (
        "portcullis::decide::signature::<impl portcullis::decide::Check>::verify",
        "arithmetic",
        COUNT,
    ),
    ("portcullis::denial::Denial::wire", "unwrap of Err", TEXT),
    ("portcullis::enquiry::Enquiry::leave", "unwrap of Err", TEXT),
    ("portcullis::environment::EnvironmentKeys::parse", "arithmetic", COUNT),
    ("portcullis::environment::EnvironmentKeys::parse", "unwrap of Err", TEXT),
    ("portcullis::host::HostName::parse", "unwrap of Err", TEXT),
    ("portcullis::lookup::LookUp::end", "unwrap of Err", TEXT),
    ("portcullis::root::Keyring::parse", "arithmetic", COUNT),
    ("portcullis::route::table::Node::of", "index", "sorts the table at the start"),
    ("portcullis::signature::content_digest::ContentDigest::parse", "arithmetic", COUNT),
    ("portcullis::token::claims::Issuer::of", "unwrap of Err", TEXT),
];
const COUNT: &str = "counts what is in memory, of which there are 4 GiB";
const BLOCK: &str = "the hash's place in its block";
const TEXT: &str = "writes a text, which takes all that fits into memory";
/// Crates of others of which a function can panic.
const CRATES: [&str; 21] = [
    "alloc",
    "base16ct",
    "base64",
    "core",
    "crc",
    "digest",
    "foldhash",
    "futures_core",
    "futures_util",
    "hashbrown",
    "hkdf",
    "indexmap",
    "ipnet",
    "itoa",
    "js_sys",
    "lru",
    "sfv",
    "sha2",
    "std",
    "wasm_bindgen",
    "worker",
];
