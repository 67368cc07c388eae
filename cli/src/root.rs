//! Root secrets and what is told of them.

use clap::{Args, Subcommand, ValueEnum};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use portcullis::root::{Keyring, RootKeys};
use serde_json::{Value, json};

use crate::machine;
use crate::output::{Failure, Output};

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Print a new value for PORTCULLIS_ROOT; its fingerprint goes to standard error.
    New {
        /// Its version: one more than the newest when it takes over from another.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
        version: u16,
    },
    /// Print the fingerprints of PORTCULLIS_ROOT (environment or standard input), newest first.
    Fingerprint,
}

pub(crate) fn run(verb: Verb) -> Result<Output, Failure> {
    match verb {
        Verb::New { version } => new(version),
        Verb::Fingerprint => Ok(fingerprint(&machine::root()?)),
    }
}

fn new(version: u16) -> Result<Output, Failure> {
    let root = format!("v{version}:{}", BASE64.encode(&machine::entropy::<32>()?));
    let keyring = Keyring::parse(&root).map_err(Failure::refused)?;
    let fingerprint = keyring.newest().fingerprint();
    let json = json!({ "root": root, "version": version, "fingerprint": fingerprint });
    let output = Output::new(root, json).note(format!("fingerprint {fingerprint}"));
    Ok(output.or_lost(format!("nobody has the root {fingerprint}: make another")))
}

fn fingerprint(keyring: &Keyring) -> Output {
    let line = |root: &RootKeys| format!("{} v{}", root.fingerprint(), root.version());
    let one =
        |root: &RootKeys| json!({ "version": root.version(), "fingerprint": root.fingerprint() });
    let text = keyring.versions().map(line).collect::<Vec<_>>().join("\n");
    Output::new(text, keyring.versions().map(one).collect())
}

/// How bytes are written.
#[derive(Clone, Copy, ValueEnum)]
enum Encoding {
    /// As the `k` of a JWK.
    Base64url,
    /// Lower-case hexadecimal digits.
    Hex,
}

#[derive(Args)]
pub(crate) struct AssertionKey {
    /// The origin's name in the policy.
    origin: String,
    /// How it is written.
    #[arg(long, value_enum, default_value = "base64url")]
    encoding: Encoding,
    /// The root version it is derived from [default: the newest].
    #[arg(long)]
    version: Option<u16>,
}

/// Reads the root from the environment or standard input.
pub(crate) fn assertion_key(arguments: &AssertionKey) -> Result<Output, Failure> {
    let name = portcullis::policy::Name::parse(&arguments.origin).map_err(Failure::refused)?;
    let keyring = machine::root()?;
    let root = match arguments.version {
        None => keyring.newest(),
        Some(version) => keyring.version(version).ok_or_else(|| {
            Failure::refused(format!("PORTCULLIS_ROOT has no version v{version}"))
        })?,
    };
    let key = root.assertion_key(name.as_str());
    let (base64url, hex) = (BASE64URL_NOPAD.encode(&key), HEXLOWER.encode(&key));
    let kid = format!("v{}", root.version());
    let json: Value =
        json!({ "origin": name.as_str(), "kid": kid, "base64url": base64url, "hex": hex });
    let text = match arguments.encoding {
        Encoding::Base64url => base64url,
        Encoding::Hex => hex,
    };
    Ok(Output::new(text, json).note(format!("for assertions with kid {kid}; keep it secret")))
}
