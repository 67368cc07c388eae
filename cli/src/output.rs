//! What a command hands back: data for standard output, words for standard error.

use core::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::Value;

use crate::redact;
use crate::table::Table;

/// The result of a command.
pub(crate) struct Output {
    text: Text,
    json: Value,
    notes: Vec<String>,
    exit: Exit,
}

enum Text {
    Plain(String),
    Table(Table),
}

impl Output {
    pub(crate) fn new(text: String, json: Value) -> Self {
        Self { text: Text::Plain(text), json, notes: Vec::new(), exit: Exit::Done }
    }

    /// Of a command that has printed what it had to print, one JSON value a line.
    pub(crate) fn nothing() -> Self {
        Self::new(String::new(), Value::Null)
    }

    /// Columns: drawn on a terminal, separated by tabs elsewhere.
    pub(crate) fn table(table: Table, json: Value) -> Self {
        Self { text: Text::Table(table), ..Self::new(String::new(), json) }
    }

    /// Adds words about it.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Takes all words away.
    pub(crate) fn quiet_if(mut self, quiet: bool) -> Self {
        if quiet {
            self.notes.clear();
        }
        self
    }

    /// Says that what was looked at does not hold.
    pub(crate) fn refused_if(mut self, refused: bool) -> Self {
        if refused {
            self.exit = Exit::Refused;
        }
        self
    }

    /// Says how the command ends.
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    pub(crate) fn print(&self, json: bool) -> ExitCode {
        self.notes.iter().for_each(|words| note(words));
        let text = match &self.text {
            _ if json && self.json.is_null() => String::new(),
            _ if json => self.json.to_string(),
            Text::Plain(text) => text.clone(),
            Text::Table(table) => table.print(),
        };
        if !text.is_empty()
            && let Err(error) = writeln!(anstream::stdout(), "{text}")
        {
            let failure = Failure::stdout(&error);
            if !failure.is(Exit::Done) {
                return failure.print();
            }
        }
        ExitCode::from(self.exit as u8)
    }
}

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
}

/// Why a command did nothing.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string() }
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

    /// Whether the command ends so.
    pub(crate) fn is(&self, exit: Exit) -> bool {
        self.exit == exit
    }

    pub(crate) fn print(&self) -> ExitCode {
        if self.exit == Exit::Done {
            return ExitCode::SUCCESS;
        }
        let red = anstyle::AnsiColor::Red.on_default().bold();
        let message = line(&redact::secrets(&self.message));
        let _ = writeln!(anstream::stderr(), "{red}error:{red:#} {message}");
        ExitCode::from(self.exit as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Says something on standard error, in one line.
pub(crate) fn note(words: &str) {
    let _ = writeln!(io::stderr(), "{}", visible(words).replace('\n', " "));
}

/// The text, so that what others have written cannot steer the terminal.
pub(crate) fn visible(text: &str) -> String {
    let steers = |c: char| (c.is_control() && c != '\n') || is_unseen(c);
    text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The text as one line of bounded length.
fn line(text: &str) -> String {
    let mut line: String = visible(text).replace('\n', " ").chars().take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

/// Marks that turn the direction of a text, end a line or take no room: nobody sees that they are there.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
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
