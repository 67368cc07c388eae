//! Keys: minting, importing, looking at them, changing their status.

mod attributes;
mod import;
mod inspect;
mod mint;
mod rotate;
mod stored;

use std::path::PathBuf;

use clap::Subcommand;
use data_encoding::HEXLOWER;
use portcullis::crypto;
use portcullis::key::Kid;
use serde_json::json;

use crate::machine;
use crate::output::{Failure, Output};

pub(crate) use mint::Mint;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Mint a key: print it once, write the row by which KV knows it.
    Mint(Mint),
    /// Let an existing secret be used as a key. Its text comes by standard input.
    Import(import::Import),
    /// Print the SHA-256 of a secret (standard input) in hex, for `import --sha256` elsewhere.
    Hash,
    /// Say what kind of key standard input is and whether it was minted under PORTCULLIS_ROOT.
    Inspect {
        /// The policy whose import shapes a text is held against.
        #[arg(long)]
        policy: Option<PathBuf>,
    },
    /// Open a KV value and print its JSON.
    Show {
        /// The value as `wrangler kv key get` prints it, or a file of rows; `-` is standard input.
        file: PathBuf,
        /// The KV name it was stored under, or a kid.
        #[arg(long)]
        name: String,
    },
    /// Change the status of a key: write its row anew.
    SetStatus(stored::SetStatus),
    /// Mint another secret for a key and let the present ones end.
    Rotate(rotate::Rotate),
    /// Seal the rows of a file anew, to be believed for longer, under the newest root version.
    Renew(stored::Renew),
}

pub(crate) fn run(verb: Verb) -> Result<Output, Failure> {
    match verb {
        Verb::Mint(arguments) => mint::mint(arguments),
        Verb::Import(arguments) => import::import(arguments),
        Verb::Hash => {
            let hex = HEXLOWER.encode(&crypto::sha256(machine::stdin_text("a secret")?.as_bytes()));
            let json = json!({ "sha256": hex });
            Ok(Output::new(hex, json))
        }
        Verb::Inspect { policy } => inspect::inspect(policy.as_deref()),
        Verb::Show { file, name } => stored::show(&file, &name),
        Verb::SetStatus(arguments) => stored::set_status(arguments),
        Verb::Rotate(arguments) => rotate::rotate(arguments),
        Verb::Renew(arguments) => stored::renew(&arguments),
    }
}

/// Reads a kid. What stood there may be a whole key, so it is not repeated.
fn kid(text: &str) -> Result<Kid, Failure> {
    Kid::parse(text).ok_or_else(|| {
        Failure::usage(
            "a kid is 20 characters of 0-9 and A-Z without I, L, O, U: the middle part of a key",
        )
    })
}
