//! An environment variable for each flag.

use clap::{Arg, Command};

/// Gives each flag that has none yet a variable: `PORTCULLIS_`, the words of the command and the
/// flag's name, as PORTCULLIS_KEYS_CREATE_NAME for `keys create --name`.
pub(crate) fn with_variables(command: Command) -> Command {
    let words = "PORTCULLIS".to_owned();
    named(command, &words)
}

fn named(command: Command, words: &str) -> Command {
    let command = command.mut_args(|argument| variable(argument, words));
    command.mut_subcommands(|sub| {
        let words = format!("{words}_{}", spelt(sub.get_name()));
        named(sub, &words)
    })
}

fn variable(argument: Arg, words: &str) -> Arg {
    let long = argument.get_long().filter(|long| !["help", "version"].contains(long));
    match long.map(spelt) {
        Some(long) if argument.get_env().is_none() => {
            argument.env(format!("{words}_{long}")).hide_env(true)
        }
        _ => argument.hide_env_values(true),
    }
}

fn spelt(name: &str) -> String {
    name.replace('-', "_").to_ascii_uppercase()
}
