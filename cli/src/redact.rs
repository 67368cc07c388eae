//! Errors, without a secret that somebody gave where none belongs.

use std::env;
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::environment;
use crate::output::{Exit, Failure};

/// Prints what clap has to say; help and version are no errors.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => Failure::stdout(&error).print(false),
        };
    }
    let mut text = error.to_string();
    // Each flag has a variable, which clap repeats like an argument.
    let ours = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("PORTCULLIS_");
    let variables = env::vars_os().filter(|(name, _)| ours(name)).map(|(_, value)| value);
    let given = env::args_os().skip(1).chain(variables);
    for argument in given.map(|argument| argument.to_string_lossy().into_owned()) {
        let parts = argument.split(|c| !is_of_secret(c)).flat_map(|part| {
            // `--option=SECRET`, where `=` may also be the secret's own.
            let after = part.split_once('=').map_or("", |(_, after)| after);
            [part, after]
        });
        for part in parts.filter(|part| part.len() >= MIN_SECRET) {
            text = text.replace(part, REDACTED);
        }
    }
    // Nothing was parsed: whether JSON is wanted stands in the arguments alone.
    let json = env::args_os().skip(1).take_while(|own| own != "--").any(|own| own == "--json")
        || environment::is_on("PORTCULLIS_JSON");
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !json {
        eprint!("{text}");
        return ExitCode::from(Exit::Usage as u8);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::usage("a command is missing; see --help").print(json);
    }
    Failure::usage(one_line(&text)).print(json)
}

/// The text without the secrets of the environment, and without what has the form of one: keys, secrets that
/// sign, tokens, roots.
///
/// A text that was pasted in the place of a file's name, an address or a number comes back in the error of
/// whoever could do nothing with it.
pub(crate) fn secrets(text: &str) -> String {
    let own = SECRETS.iter().filter_map(|name| env::var(name).ok());
    let own = own.filter(|value| value.len() >= MIN_SECRET);
    let text = own.fold(text.to_owned(), |text, value| text.replace(&value, REDACTED));
    let mut after_version = false;
    let mut shown = String::new();
    for piece in text.split_inclusive(|c| !is_of_secret(c) && c != '.') {
        let run = piece.trim_end_matches(|c| !is_of_secret(c) && c != '.');
        if after_version && run.len() >= MIN_SECRET {
            shown.push_str(REDACTED);
        } else {
            shown.push_str(&without_secret(run));
        }
        let rest = piece.get(run.len()..).unwrap_or_default();
        shown.push_str(rest);
        let version = run.strip_prefix('v').unwrap_or_default();
        after_version =
            rest == ":" && !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
    }
    shown
}

fn without_secret(run: &str) -> String {
    let named = ["_sign_", "whsec_"].iter().any(|part| run.contains(part));
    let is_token = run.starts_with("ey") && run.matches('.').count() >= 2;
    if is_token || (named && run.len() >= MIN_SECRET) || is_base64(run) {
        return REDACTED.to_owned();
    }
    let part = |part: &str| if is_dense(part) { REDACTED.to_owned() } else { part.to_owned() };
    let name = |name: &str| name.split('.').map(part).collect::<Vec<_>>().join(".");
    run.split('/').map(name).collect::<Vec<_>>().join("/")
}

/// 32 bytes in base64 or base64url, which may hold slashes; or anything that ends as base64 does.
fn is_base64(run: &str) -> bool {
    let has = |is: fn(&u8) -> bool| run.as_bytes().iter().any(is);
    let mixed =
        has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
    mixed
        && !run.contains('.')
        && (matches!(run.len(), 43 | 44) || (run.len() > 44 && run.ends_with('=')))
}

/// Whether many digits and letters stand together, as in no name; an id of a request has 32.
fn is_dense(part: &str) -> bool {
    let mut stretches = part.split(|c: char| !c.is_ascii_alphanumeric());
    stretches.any(|own| own.len() > ID && own.bytes().any(|byte| byte.is_ascii_digit()))
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

const REDACTED: &str = "[redacted]";
/// Digits of an id that may be told.
const ID: usize = 32;
/// Longer than a kid, shorter than any secret the gate takes.
const MIN_SECRET: usize = 21;
/// Variables that hold one, whatever its form.
const SECRETS: [&str; 4] =
    ["PORTCULLIS_TOKEN", "PORTCULLIS_API_KEY", "PORTCULLIS_SIGNING_SECRET", "PORTCULLIS_ROOT"];
