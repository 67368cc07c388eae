//! Where a policy is wrong.

use core::fmt;
use core::ops::Range;

use toml::Spanned;

/// What is wrong in a policy and where. `Display` is `12:8: message`; put the file's name and a
/// colon before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What is wrong, on one line.
    pub message: String,
}

impl SourceError {
    pub(super) fn locate(fault: Fault, text: &str) -> Self {
        let before = text.get(..fault.span.start).unwrap_or(text);
        let last = before.rsplit('\n').next().unwrap_or(before);
        Self {
            line: before.split('\n').count(),
            column: last.chars().count().saturating_add(1),
            message: fault.message.split('\n').collect::<Vec<_>>().join("; "),
        }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl core::error::Error for SourceError {}

/// The same by byte offsets.
pub(super) struct Fault {
    pub span: Range<usize>,
    pub message: String,
}

impl Fault {
    pub(super) fn at<T>(place: &Spanned<T>, message: impl fmt::Display) -> Self {
        Self { span: place.span(), message: message.to_string() }
    }
}

impl From<toml::de::Error> for Fault {
    fn from(error: toml::de::Error) -> Self {
        Self { span: error.span().unwrap_or_default(), message: error.message().to_owned() }
    }
}
