//! Keys of a workspace, by the management API.

mod alert;
mod change;
mod create;
mod fields;
mod import;
mod list;
mod update;
mod usage;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use portcullis::key::Kid;

use crate::key;
use crate::online::Online;
use crate::output::{Failure, Output};

pub(crate) use fields::SignatureVersion;
pub(crate) use usage::shown as usage_shown;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Create a key and print its secret: once, here, and nowhere else.
    Create(Box<Online<create::Create>>),
    /// List keys.
    List(Online<list::List>),
    /// Show a key.
    Show(Online<Named>),
    /// Change a key.
    Update(Box<Online<update::Update>>),
    /// Give a key another secret and let the present ones end.
    Rotate(Online<change::Rotate>),
    /// Hold a key back.
    Disable(Online<change::Turn>),
    /// Let a key that was held back go on.
    Enable(Online<change::Turn>),
    /// Revoke a key, for good.
    Revoke(Online<change::Turn>),
    /// Revoke every key of the workspace, for good.
    RevokeAll(Online<change::RevokeAll>),
    /// Show what a key was used for; without an id the user's own API key.
    Usage(Online<usage::Usage>),
    /// Say at which part of its limit a key is told of.
    Alert(Online<alert::Alert>),
    /// Import keys that were made elsewhere, by their SHA-256.
    Import(Box<Online<import::Import>>),
    /// Mint a key without a Workspace: as `key mint`.
    Mint(key::Mint),
    /// Print the SHA-256 of a secret (standard input) in hex.
    Hash,
    /// Say what kind of key standard input is and whether it was minted under PORTCULLIS_ROOT.
    Inspect {
        /// The policy whose import shapes a text is held against.
        #[arg(long)]
        policy: Option<PathBuf>,
    },
}

pub(crate) fn run(verb: Verb) -> Result<Output, Failure> {
    match verb {
        Verb::Create(online) => create::create(*online),
        Verb::List(online) => list::list(&online.connection.workspace()?, &online.verb),
        Verb::Show(online) => list::show(&online.connection.workspace()?, online.verb.kid),
        Verb::Update(online) => update::update(&online.connection.workspace()?, &online.verb),
        Verb::Rotate(online) => change::rotate(&online),
        Verb::Disable(online) => change::turn(&online, "disable"),
        Verb::Enable(online) => change::turn(&online, "enable"),
        Verb::Revoke(online) => change::revoke(&online),
        Verb::RevokeAll(online) => change::revoke_all(&online),
        Verb::Usage(online) => usage::usage(&online),
        Verb::Alert(online) => alert::alert(&online.connection.workspace()?, &online.verb),
        Verb::Import(online) => import::import(&online),
        Verb::Mint(arguments) => key::run(key::Verb::Mint(arguments)),
        Verb::Hash => key::run(key::Verb::Hash),
        Verb::Inspect { policy } => key::run(key::Verb::Inspect { policy }),
    }
}

/// One key.
#[derive(Args)]
pub(crate) struct Named {
    /// The key's id: the middle part of its text.
    #[arg(value_parser = kid, value_name = "KEY-ID")]
    kid: Kid,
}

/// Reads a kid. What stood there may be a whole key, so it is not repeated.
fn kid(text: &str) -> Result<Kid, String> {
    Kid::parse(text).ok_or_else(|| {
        "a key's id is 20 of 0-9 and A-Z without I, L, O, U: the middle part of its text".to_owned()
    })
}
