//! The command line of Portcullis: the root secret, keys and policy of a deployment.
//!
//! Data goes to standard output, words to standard error. Exit codes: 0 done,
//! 1 what was given is refused, 2 wrong usage, 3 something could not be read or
//! written. Secrets come by the environment or standard input, never as arguments.

mod explain;
mod key;
mod kv;
mod machine;
mod output;
mod policy;
mod redact;
mod root;
mod when;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use output::{Failure, Output};

/// The root secret, keys and policy of a Portcullis deployment.
#[derive(Parser)]
#[command(
    name = "portcullis",
    version,
    after_help = "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 not readable or writable.\n\
                  Secrets come by the environment or standard input, never as arguments."
)]
struct Arguments {
    /// Print one JSON value instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Subcommand)]
enum Noun {
    /// Root secrets, from which everything else is derived.
    #[command(subcommand)]
    Root(root::Verb),
    /// Keys and the rows by which KV knows them.
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
        shell: Shell,
    },
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return redact::usage(&error),
    };
    match run(arguments.noun) {
        Ok(output) => output.print(arguments.json),
        Err(failure) => failure.print(),
    }
}

fn run(noun: Noun) -> Result<Output, Failure> {
    match noun {
        Noun::Root(verb) => root::run(verb),
        Noun::Key(verb) => key::run(verb),
        Noun::Policy(verb) => policy::run(verb),
        Noun::AssertionKey(arguments) => root::assertion_key(&arguments),
        Noun::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "portcullis", &mut script);
            let script = String::from_utf8_lossy(&script);
            Ok(Output::new(script.trim_end().to_owned(), serde_json::json!({ "script": script })))
        }
    }
}
