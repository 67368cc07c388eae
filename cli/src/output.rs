//! What a command hands back: data for standard output, words for standard error.

use core::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde_json::Value;

use crate::table::Table;

pub(crate) use crate::failure::{Exit, Failure};

/// The result of a command.
pub(crate) struct Output {
    text: Text,
    json: Value,
    notes: Vec<String>,
    /// Why the command failed, though it has printed what it found.
    failure: Option<Failure>,
    /// What has to be said if it cannot be printed.
    unprinted: Option<String>,
}

enum Text {
    Plain(String),
    Table(Table),
    /// What others have sent, byte for byte.
    Bytes(Vec<u8>),
}

impl Output {
    pub(crate) fn new(text: String, json: Value) -> Self {
        Self { text: Text::Plain(text), json, notes: Vec::new(), failure: None, unprinted: None }
    }

    /// Of a command that has printed what it had to print, one JSON value a line.
    pub(crate) fn nothing() -> Self {
        Self::new(String::new(), Value::Null)
    }

    /// Columns: drawn on a terminal, separated by tabs elsewhere.
    pub(crate) fn table(table: Table, json: Value) -> Self {
        Self { text: Text::Table(table), ..Self::new(String::new(), json) }
    }

    /// What others have sent: as it is in a pipe; on a terminal text alone, that cannot steer it.
    pub(crate) fn bytes(bytes: Vec<u8>, json: Value) -> Self {
        Self { text: Text::Bytes(bytes), ..Self::new(String::new(), json) }
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

    /// Says that what was looked at does not hold, and why: to programs, as people read it in the data and notes.
    pub(crate) fn refused_if(self, refused: bool, why: impl fmt::Display) -> Self {
        if refused { self.failing(Failure::refused(why)) } else { self }
    }

    /// Says how the command ends, and why.
    pub(crate) fn failing(mut self, failure: Failure) -> Self {
        self.failure = Some(failure);
        self
    }

    /// Says what is lost if it cannot be printed, which then is a failure whoever reads it.
    pub(crate) fn or_lost(mut self, words: String) -> Self {
        self.unprinted = Some(words);
        self
    }

    pub(crate) fn print(&self, json: bool) -> ExitCode {
        self.notes.iter().for_each(|words| note(words));
        let printed = match &self.text {
            _ if json && self.json.is_null() => Ok(()),
            _ if json => line(&self.json.to_string()),
            Text::Plain(text) => line(text),
            Text::Table(table) => line(&table.print()),
            Text::Bytes(bytes) if io::stdout().is_terminal() => match str::from_utf8(bytes) {
                Ok(text) => line(&visible(text)),
                Err(_) => {
                    note(&format!("{} bytes that are no text: send them to a file", bytes.len()));
                    Ok(())
                }
            },
            Text::Bytes(bytes) => io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()),
        };
        let failed = |error: io::Error| match &self.unprinted {
            Some(words) => {
                Failure::io("standard output", &error).reworded(|own| format!("{own}: {words}"))
            }
            None => Failure::stdout(&error),
        };
        match (printed.map_err(failed), &self.failure) {
            (Err(failure), _) if !failure.is(Exit::Done) => failure.print(json),
            (_, Some(failure)) if json => failure.print(json),
            (_, Some(failure)) => failure.exit_code(),
            (_, None) => ExitCode::SUCCESS,
        }
    }
}

/// Prints a text with a line feed at its end, if it is not empty.
fn line(text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    writeln!(anstream::stdout(), "{}", text.strip_suffix('\n').unwrap_or(text))
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

/// Marks that turn the direction of a text, end a line or take no room: nobody sees that they are there.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}
