//! Why a command did nothing, and how it ends.

use core::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use crate::output::visible;
use crate::redact;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// What was given is refused, or does not hold.
    Refused = 1,
    /// The arguments are wrong.
    Usage = 2,
    /// Something could not be read or written.
    Io = 3,
    /// No token, or one that is no good.
    Unauthenticated = 4,
    /// The token's subject may not.
    Forbidden = 5,
    /// There is nothing of this name.
    Absent = 6,
    /// Nobody answers.
    Unreachable = 7,
    /// Refused for now: limits, or the deployment cannot tell.
    Busy = 8,
    /// Nothing that was looked at is wrong, but not everything could be looked at.
    Unseen = 9,
}

/// Why a command did nothing.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    /// What the deployment said of it, for programs.
    told: Map<String, Value>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string(), told: Map::new() }
    }

    /// What was given is not right.
    pub(crate) fn refused(message: impl fmt::Display) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// The arguments do not fit together.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Something could not be read or written.
    pub(crate) fn io(what: impl fmt::Display, error: &dyn fmt::Display) -> Self {
        Self::new(Exit::Io, format!("{what}: {error}"))
    }

    /// That standard output takes no more. Whoever read it may have enough, which is no failure.
    pub(crate) fn stdout(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Done, "");
        }
        Self::io("standard output", error)
    }

    /// The same failure in other words.
    pub(crate) fn reworded(self, words: impl FnOnce(String) -> String) -> Self {
        Self { message: words(self.message), ..self }
    }

    /// Adds what can be done.
    pub(crate) fn advising(self, advice: &str) -> Self {
        self.reworded(|words| format!("{words} {advice}"))
    }

    /// Changes the members of the deployment's `errors`, each of one field.
    pub(crate) fn each_field(mut self, change: impl Fn(&mut Map<String, Value>)) -> Self {
        let fields = self.told.get_mut("errors").and_then(Value::as_array_mut);
        fields.into_iter().flatten().filter_map(Value::as_object_mut).for_each(change);
        self
    }

    /// Whether the command ends so.
    pub(crate) fn is(&self, exit: Exit) -> bool {
        self.exit == exit
    }

    /// Adds what the deployment told: the code, the status, the request's id and the like.
    pub(crate) fn telling(self, told: Map<String, Value>) -> Self {
        Self { told, ..self }
    }

    /// Says it on standard error, in one line: words, or JSON.
    pub(crate) fn print(&self, json: bool) -> ExitCode {
        if self.exit == Exit::Done {
            return ExitCode::SUCCESS;
        }
        let message = line(&redact::secrets(&self.message));
        if json {
            let _ = writeln!(io::stderr(), "{}", self.as_json(message));
        } else {
            let red = anstyle::AnsiColor::Red.on_default().bold();
            let _ = writeln!(anstream::stderr(), "{red}error:{red:#} {message}");
        }
        self.exit_code()
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit as u8)
    }

    /// As the management API words its errors, with the exit code.
    fn as_json(&self, message: String) -> Value {
        let mut error = self.told.clone();
        error.insert("message".to_owned(), message.into());
        error.insert("exit".to_owned(), (self.exit as u8).into());
        json!({ "error": error })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The text as one line of bounded length.
pub(crate) fn line(text: &str) -> String {
    let mut line: String = visible(text).replace('\n', " ").chars().take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

/// Characters: what others have written may be any length.
const LONGEST: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_one_line_of_bounded_length() {
        assert_eq!(
            line("a\nerror: b\r\u{202e}c\u{1b}[2J"),
            "a error: b\u{fffd}\u{fffd}c\u{fffd}[2J"
        );
        let long = line(&"x\n".repeat(100_000));
        assert!(long.chars().count() == 2001 && long.ends_with('…'));
    }
}
