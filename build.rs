//! Checks the policy and compiles it into the build: a policy that is wrong does not build.
//!
//! Reads `PORTCULLIS_POLICY` (a path, default `policy.toml`), `PORTCULLIS_ROOT_FINGERPRINT` (a comma
//! list, added to the policy's own) and `SOURCE_DATE_EPOCH` (seconds, default 0).

#![expect(dead_code, unused_imports, reason = "the modules are the crate's; few parts are used")]
#![allow(clippy::duplicate_mod, reason = "with `policy-source`, `policy` holds `source` too")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

#[cfg(feature = "policy-source")]
use policy::source;
use policy::{Document, Fingerprint};

#[path = "src/address.rs"]
mod address;
#[path = "src/host.rs"]
mod host;
#[path = "src/pem.rs"]
mod pem;
#[path = "src/policy/mod.rs"]
mod policy;
#[path = "src/route/mod.rs"]
mod route;
#[path = "src/scope.rs"]
mod scope;
#[cfg(not(feature = "policy-source"))]
#[path = "src/policy/source/mod.rs"]
mod source;
#[path = "src/target/mod.rs"]
mod target;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    // Only the Worker carries a policy; what checks policies must build beside a wrong one.
    if variable("CARGO_FEATURE_WORKER")?.is_none() {
        return Ok(());
    }
    let path = policy_path()?;
    println!("cargo:rerun-if-changed={}", path.display());
    let mut document = read(&path)?;
    document.root_fingerprints.extend(root_fingerprints()?);
    let json = document.to_json().map_err(|error| error.to_string())?;
    let output = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("policy.json");
    fs::write(&output, json).map_err(|error| format!("{}: {error}", output.display()))?;
    println!("cargo:rustc-env=PORTCULLIS_BUILT={}", built()?);
    Ok(())
}

fn policy_path() -> Result<PathBuf, String> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let name = variable("PORTCULLIS_POLICY")?.unwrap_or_else(|| "policy.toml".to_owned());
    Ok(root.join(name))
}

fn read(path: &Path) -> Result<Document, String> {
    let name = path.file_name().unwrap_or(path.as_os_str()).display();
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    source::compile(&text).map_err(|error| format!("{name}:{error}"))
}

fn root_fingerprints() -> Result<Vec<Fingerprint>, String> {
    let list = variable("PORTCULLIS_ROOT_FINGERPRINT")?.unwrap_or_default();
    let parse = |text: &str| {
        Fingerprint::parse(text).map_err(|error| format!("PORTCULLIS_ROOT_FINGERPRINT: {error}"))
    };
    list.split(',').filter(|text| !text.is_empty()).map(parse).collect()
}

fn built() -> Result<u64, String> {
    let seconds = variable("SOURCE_DATE_EPOCH")?.unwrap_or_else(|| "0".to_owned());
    seconds.parse().map_err(|_| "SOURCE_DATE_EPOCH: a number of seconds is expected".to_owned())
}

/// A variable of the environment; the build runs again when it changes.
fn variable(name: &str) -> Result<Option<String>, String> {
    println!("cargo:rerun-if-env-changed={name}");
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name}: not Unicode")),
    }
}
