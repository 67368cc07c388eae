//! The command line of Portcullis: deployments by their management API; root secrets, keys and policies
//! without one.
//!
//! Data goes to standard output, words to standard error. Exit codes are those of [`output::Exit`]. Secrets
//! come by the environment, the profile or standard input, never as arguments.

mod api;
mod batches;
mod config;
mod denials;
mod doctor;
mod environment;
mod explain;
mod failure;
mod key;
mod keys;
mod kv;
mod login;
mod machine;
mod manual;
mod online;
mod output;
mod policy;
mod profile;
mod progress;
mod redact;
mod request;
mod root;
mod secret;
mod setup;
mod signer;
mod site;
mod table;
mod token;
mod verify;
mod view;
mod when;
mod workspace;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use online::Online;
use output::{Failure, Output};

/// The command line of Portcullis, an API-key gate.
#[derive(Parser)]
#[command(name = "portcullis", version, after_help = AFTER)]
struct Arguments {
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Subcommand)]
enum Noun {
    /// Set up a profile: a deployment, and a token for it.
    Setup(setup::Setup),
    /// Get another token for a profile.
    Login(setup::Login),
    /// Say for whom the deployment takes the holder of the token.
    Whoami(Online<setup::Nobody>),
    /// What a profile holds.
    #[command(subcommand)]
    Config(config::Verb),
    /// Keys of a workspace.
    #[command(subcommand)]
    Keys(keys::Verb),
    /// Workspaces: limits, members, audit log.
    #[command(subcommand)]
    Workspace(workspace::Verb),
    /// Print the headers of a signed request, or a curl line.
    Sign(request::Sign),
    /// Send a request to the gate, signed if need be, and print the answer.
    Request(request::Send),
    /// Say whether a key (standard input) holds, by its record and PORTCULLIS_ROOT alone.
    Verify(verify::Verify),
    /// Tell of requests that the gates refuse, by code, until it is ended.
    Tail(Online<denials::Tail>),
    /// Say by what a request was refused.
    Denial(Online<denials::Denial>),
    /// Look at a deployment: is it fit, is there one way in, which keys need an old root?
    Doctor(Box<Online<doctor::Doctor>>),
    /// Root secrets, from which everything else is derived.
    #[command(subcommand)]
    Root(root::Verb),
    /// Keys without a Workspace, and the rows by which KV knows them.
    #[command(subcommand)]
    Key(key::Verb),
    /// Policies.
    #[command(subcommand)]
    Policy(policy::Verb),
    /// Print the key by which an origin checks the gate's assertions.
    AssertionKey(root::AssertionKey),
    /// Print a completion script.
    Completions {
        /// For this shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual, a page for each command, into a folder.
    Manual {
        /// The folder; it is made if it is not there.
        folder: std::path::PathBuf,
    },
}

fn main() -> ExitCode {
    let parsed = environment::with_variables(Arguments::command())
        .try_get_matches()
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => return redact::usage(&error),
    };
    match run(arguments.noun, arguments.json) {
        Ok(output) => output.print(arguments.json),
        Err(failure) => failure.print(arguments.json),
    }
}

fn run(noun: Noun, json: bool) -> Result<Output, Failure> {
    match noun {
        Noun::Setup(arguments) => setup::setup(arguments),
        Noun::Login(arguments) => setup::login(arguments),
        Noun::Whoami(online) => setup::whoami(&online),
        Noun::Config(verb) => config::run(verb),
        Noun::Keys(verb) => keys::run(verb),
        Noun::Workspace(verb) => workspace::run(verb),
        Noun::Sign(arguments) => request::sign(&arguments),
        Noun::Request(arguments) => request::send(&arguments),
        Noun::Verify(arguments) => verify::verify(&arguments),
        Noun::Tail(online) => denials::tail(&online, json),
        Noun::Denial(online) => denials::denial(&online),
        Noun::Doctor(online) => doctor::doctor(&online),
        Noun::Root(verb) => root::run(verb),
        Noun::Key(verb) => key::run(verb),
        Noun::Policy(verb) => policy::run(verb),
        Noun::AssertionKey(arguments) => root::assertion_key(&arguments),
        Noun::Completions { shell } => Ok(manual::completions(shell, Arguments::command())),
        Noun::Manual { folder } => manual::pages(Arguments::command(), &folder),
    }
}

const AFTER: &str = "\
Exit codes:
  0 done   1 refused   2 wrong usage   3 trouble with a file   4 no good token
  5 not allowed   6 not there   7 nobody answers   8 refused for now   9 not all was seen

Secrets come by the environment, the profile or standard input, never as arguments. Each flag can be
given by a variable: PORTCULLIS_KEYS_CREATE_NAME is --name of `keys create`.";
