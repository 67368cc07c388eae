//! An environment variable for each flag.

use std::ffi::OsStr;

use clap::builder::{BoolishValueParser, Resettable, TypedValueParser};
use clap::{Arg, ArgAction, Command};

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
    let argument = match long.map(spelt) {
        Some(long) if argument.get_env().is_none() => {
            argument.env(format!("{words}_{long}")).hide_env(true)
        }
        _ => argument.hide_env_values(true),
    };
    let is_switch = matches!(argument.get_action(), ArgAction::SetTrue);
    // Not given, so that it stands in nobody's way.
    let is_none = |name: &OsStr| {
        std::env::var_os(name)
            .is_some_and(|value| value.is_empty() || (is_switch && is_off(&value)))
    };
    let argument = if argument.get_env().is_some_and(is_none) {
        argument.env(Resettable::Reset)
    } else {
        argument
    };
    if is_switch {
        // 1, yes and on are as good as true.
        argument.value_parser(BoolishValueParser::new())
    } else {
        argument
    }
}

/// Whether the variable of a switch turns it on, as clap reads it.
pub(crate) fn is_on(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| turned(&value) == Some(true))
}

fn is_off(value: &OsStr) -> bool {
    turned(value) == Some(false)
}

fn turned(value: &OsStr) -> Option<bool> {
    BoolishValueParser::new().parse_ref(&Command::new(""), None, value).ok()
}

fn spelt(name: &str) -> String {
    name.replace('-', "_").to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(command: &Command, found: &mut Vec<String>) {
        for argument in command.get_arguments().filter(|argument| argument.get_long().is_some()) {
            if argument.get_env().is_none()
                && !["help", "version"].contains(&argument.get_id().as_str())
            {
                found.push(format!("{} --{}", command.get_name(), argument.get_id()));
            }
        }
        command.get_subcommands().for_each(|sub| without(sub, found));
    }

    #[test]
    fn every_flag_has_a_variable() {
        let bare = <crate::Arguments as clap::CommandFactory>::command();
        let mut found = Vec::new();
        without(&bare, &mut found);
        assert!(found.len() > 50, "they are given here, not there");
        let command = with_variables(bare);
        command.clone().debug_assert();
        found.clear();
        without(&command, &mut found);
        assert!(found.is_empty(), "{found:?}");
        let create =
            command.find_subcommand("keys").and_then(|keys| keys.find_subcommand("create"));
        let name =
            create.and_then(|own| own.get_arguments().find(|own| own.get_long() == Some("add-ip")));
        let variable = name.and_then(Arg::get_env).and_then(|name| name.to_str());
        assert_eq!(variable, Some("PORTCULLIS_KEYS_CREATE_ADD_IP"));
    }
}
