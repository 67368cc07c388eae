//! Checking and showing policies.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use portcullis::policy::source::{self, Note};
use portcullis::policy::{Credential, Document, JwksUrl, Route, Whose};
use serde_json::json;

use crate::explain::{self, Explain};
use crate::output::{Failure, Output};
use crate::table::Table;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Check a policy; errors have file, line and column.
    Check {
        /// The policy.
        #[arg(default_value = "policy.toml")]
        file: PathBuf,
    },
    /// Write a policy as the JSON from which the npm package makes a gate.
    Compile {
        /// The policy.
        #[arg(default_value = "policy.toml")]
        file: PathBuf,
    },
    /// Print a policy's routes.
    Show {
        /// The policy.
        #[arg(default_value = "policy.toml")]
        file: PathBuf,
    },
    /// Say what becomes of a request: which route, which checks, which verdict.
    Explain(Explain),
}

pub(crate) fn run(verb: Verb) -> Result<Output, Failure> {
    match verb {
        Verb::Check { file } => check(&file),
        Verb::Compile { file } => compile(&read(&file)?),
        Verb::Show { file } => Ok(show(&read(&file)?)),
        Verb::Explain(arguments) => explain::run(&arguments),
    }
}

/// Reads a policy that must be right.
pub(crate) fn read(file: &Path) -> Result<Document, Failure> {
    let bytes = fs::read(file).map_err(|error| Failure::io(file.display(), &error))?;
    source::read(&bytes).map_err(|error| Failure::refused(format!("{}:{error}", file.display())))
}

fn check(file: &Path) -> Result<Output, Failure> {
    let bytes = fs::read(file).map_err(|error| Failure::io(file.display(), &error))?;
    let name = file.display().to_string();
    Ok(match source::check(&bytes) {
        Ok((policy, notes)) => {
            let counts = format!("{name}: {} routes, no errors", policy.routes.len());
            let told = notes.iter().map(
                |note| json!({ "line": note.line, "column": note.column, "message": note.message }),
            );
            let json = json!({
                "ok": true, "file": name, "routes": policy.routes.len(),
                "notes": told.collect::<Vec<_>>(),
            });
            let fit = !policy.root_fingerprints.is_empty();
            let mut output = Output::new(String::new(), json).note(counts);
            for issuer in policy.issuers.iter().filter(|issuer| is_local(&issuer.jwks)) {
                let issuer = &issuer.name;
                output = output.note(format!("note: issuers.{issuer}: {LOCAL_KEYS}"));
            }
            for note in notes {
                let Note { line, column, message } = note;
                output = output.note(format!("{name}:{line}:{column}: note: {message}"));
            }
            if fit { output } else { output.note(NO_FINGERPRINT) }
        }
        Err(error) => {
            let json = json!({
                "ok": false, "file": name,
                "line": error.line, "column": error.column, "message": error.message,
            });
            let words = format!("{name}:{error}");
            Output::new(String::new(), json).note(words.clone()).refused_if(true, words)
        }
    })
}

fn compile(policy: &Document) -> Result<Output, Failure> {
    let text = policy.to_json().map_err(|error| Failure::refused(error.to_string()))?;
    let output = Output::new(text, serde_json::to_value(policy).unwrap_or_default());
    let fit = !policy.root_fingerprints.is_empty();
    Ok(if fit { output } else { output.note(NO_FINGERPRINT) })
}

fn show(policy: &Document) -> Output {
    let head = &["METHODS", "PATH", "CREDENTIALS", "SCOPE", "ORIGIN", "OPTIONS"];
    let rows = policy.routes.iter().map(|route| cells(policy, route).to_vec());
    let json = serde_json::to_value(policy).unwrap_or_default();
    Output::table(Table::new(head, rows.collect()).wrapped(5), json)
}

fn cells(policy: &Document, route: &Route) -> [String; 6] {
    let kinds = [
        (Credential::Key, "key"),
        (Credential::Session, "session"),
        (Credential::Oauth, "oauth"),
        (Credential::Public, "public"),
    ];
    let kinds = kinds.iter().filter(|(kind, _)| route.credentials.contains(*kind));
    let scope = match &route.scope {
        Some(scope) => scope.to_string(),
        None if route.credentials.is_public() => "-".to_owned(),
        None => "none".to_owned(),
    };
    let origin = policy.origins.get(route.origin).map_or("", |origin| origin.name.as_str());
    let mut options = Vec::new();
    options.extend(
        policy.products.get(route.product.unwrap_or(usize::MAX)).map(|own| own.name.to_string()),
    );
    options.extend((route.cost != 1).then(|| format!("cost={}", route.cost)));
    options.extend(route.settle.as_ref().map(|header| format!("settle={header}")));
    options.extend(route.timeout_ms.map(|millis| format!("timeout≤{}", millis.get())));
    options.extend(route.subject.as_ref().map(|whose| match whose {
        Whose::Parameter(name) => format!("{name}=subject"),
        Whose::Origin => "subject@origin".to_owned(),
    }));
    options.extend(route.signed.then(|| "signature".to_owned()));
    options.extend(route.ips.as_ref().map(|_| "ips".to_owned()));
    options.extend(route.cors.as_ref().map(|_| "cors".to_owned()));
    options.extend((!route.shadow.is_empty()).then(|| "shadow".to_owned()));
    options.extend(route.body_limit.map(|limit| format!("body≤{limit}")));
    options.extend(route.cookies.then(|| "cookies".to_owned()));
    options.extend(route.upgrade.then(|| "upgrade".to_owned()));
    options.extend(route.bindings.iter().map(|name| format!("{name}@origin")));
    if let Ok(serde_json::Value::Array(classes)) = serde_json::to_value(route.allow) {
        options.extend(classes.iter().filter_map(|class| class.as_str().map(str::to_owned)));
    }
    [
        route.methods.to_string(),
        route.path.to_string(),
        kinds.map(|(_, name)| *name).collect::<Vec<_>>().join(", "),
        scope,
        origin.to_owned(),
        options.join(" "),
    ]
}

/// Plain http is taken from this machine alone.
fn is_local(url: &JwksUrl) -> bool {
    url.as_str().starts_with("http://")
}

const LOCAL_KEYS: &str = "its keys are on this machine, which a deployed Worker cannot reach";
pub(crate) const NO_FINGERPRINT: &str = "note: root_fingerprints is empty: a gate with this policy answers 503 to every request \
     unless its build adds one by PORTCULLIS_ROOT_FINGERPRINT";
