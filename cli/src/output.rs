//! What a command hands back: data for standard output, words for standard error.

use core::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::Value;

/// The result of a command.
pub(crate) struct Output {
    text: String,
    json: Value,
    notes: Vec<String>,
    refused: bool,
}

impl Output {
    pub(crate) fn new(text: String, json: Value) -> Self {
        Self { text, json, notes: Vec::new(), refused: false }
    }

    /// Adds words about it.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says that what was looked at does not hold.
    pub(crate) fn refused_if(mut self, refused: bool) -> Self {
        self.refused |= refused;
        self
    }

    pub(crate) fn print(&self, json: bool) -> ExitCode {
        for note in &self.notes {
            let _ = writeln!(io::stderr(), "{note}");
        }
        let text = if json { self.json.to_string() } else { self.text.clone() };
        if !text.is_empty()
            && let Err(error) = writeln!(io::stdout(), "{text}")
        {
            return Failure::io("standard output", &error).print();
        }
        ExitCode::from(if self.refused { REFUSED } else { 0 })
    }
}

/// Why a command did nothing.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: u8,
    message: String,
}

impl Failure {
    /// What was given is not right.
    pub(crate) fn refused(message: impl fmt::Display) -> Self {
        Self { exit: REFUSED, message: message.to_string() }
    }

    /// The arguments do not fit together.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { exit: USAGE, message: message.to_string() }
    }

    /// Something could not be read or written.
    pub(crate) fn io(what: impl fmt::Display, error: &dyn fmt::Display) -> Self {
        Self { exit: IO, message: format!("{what}: {error}") }
    }

    pub(crate) fn print(&self) -> ExitCode {
        let _ = writeln!(io::stderr(), "error: {}", self.message);
        ExitCode::from(self.exit)
    }
}

const REFUSED: u8 = 1;
pub(crate) const USAGE: u8 = 2;
const IO: u8 = 3;
