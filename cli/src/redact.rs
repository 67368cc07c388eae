//! Errors of usage, without a secret that somebody gave as an argument.

use std::env;
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::output::{Exit, Failure};

/// Prints what clap has to say; help and version are no errors.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => Failure::io("standard output", &error).print(),
        };
    }
    let mut text = error.to_string();
    let arguments = env::args_os().skip(1);
    for argument in arguments.map(|argument| argument.to_string_lossy().into_owned()) {
        let parts = argument.split(|c| !is_of_secret(c)).flat_map(|part| {
            // `--option=SECRET`, where `=` may also be the secret's own.
            let after = part.split_once('=').map_or("", |(_, after)| after);
            [part, after]
        });
        for part in parts.filter(|part| part.len() >= MIN_SECRET) {
            text = text.replace(part, "[redacted]");
        }
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        eprint!("{text}");
        return ExitCode::from(Exit::Usage as u8);
    }
    Failure::usage(one_line(&text)).print()
}

/// What is wrong, and the tip if there is one, without the usage that `--help` has.
fn one_line(text: &str) -> String {
    let text = text.split("\n\nUsage:").next().unwrap_or_default();
    let text = text.split("\n\nFor more information").next().unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

/// Whether secrets are written in such characters.
const fn is_of_secret(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '-' | '=')
}

/// Longer than a kid, shorter than any secret the gate takes.
const MIN_SECRET: usize = 21;
