//! Where a policy is wrong.

use core::fmt;
use core::ops::Range;

use toml::Spanned;

use super::homes::{TOP, homes};

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

/// What is to be said of a policy that is in order, and where. `Display` is as that of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What it is, on one line.
    pub message: String,
}

impl Note {
    pub(super) fn locate(at: usize, message: String, text: &str) -> Self {
        let SourceError { line, column, message } =
            SourceError::locate(Fault { span: at..at, message }, text);
        Self { line, column, message }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// The same by byte offsets.
pub(super) struct Fault {
    pub span: Range<usize>,
    pub message: String,
}

impl Fault {
    pub(super) fn at<T>(place: &Spanned<T>, message: impl fmt::Display) -> Self {
        Self { span: place.span(), message: message.to_string() }
    }

    /// A name of nothing; those that there are.
    pub(super) fn of_name<'n>(
        place: &Spanned<String>,
        what: &str,
        names: impl Iterator<Item = &'n str>,
    ) -> Self {
        let names: Vec<&str> = names.collect();
        let hint = match nearest(place.get_ref(), &names) {
            Some(name) => format!("; did you mean `{name}`?"),
            None if names.is_empty() => "; there is none".to_owned(),
            None => format!("; known: `{}`", names.join("`, `")),
        };
        Self::at(place, format!("no {what} has this name{hint}"))
    }
}

impl From<toml::de::Error> for Fault {
    fn from(error: toml::de::Error) -> Self {
        Self { span: error.span().unwrap_or_default(), message: plain(error.message()) }
    }
}

/// The same in words of a policy.
fn plain(message: &str) -> String {
    if let Some((found, known)) = unknown(message) {
        let what = message.split('`').next().unwrap_or_default();
        let homes = if what == UNKNOWN_FIELD { homes(found) } else { Vec::new() };
        if homes.contains(&TOP) {
            return format!(
                "{what}`{found}` here: it stands {TOP}, as what follows a '[table]' is in it"
            );
        }
        if let Some(word) = nearest(found, &known) {
            return format!("{what}`{found}`; did you mean `{word}`?");
        }
        if !homes.is_empty() {
            return format!("{what}`{found}` here: it stands in {}", homes.join(", "));
        }
    }
    if let Some(field) =
        message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'))
    {
        let example = EXAMPLES.iter().find(|(own, _)| *own == field);
        let example =
            example.map(|(own, value)| format!(", as {own} = {value}")).unwrap_or_default();
        let homes = homes(field);
        let place = if homes.contains(&TOP) { format!(", {TOP}") } else { String::new() };
        return format!("{message}{example}{place}");
    }
    let mut message = message.to_owned();
    for (theirs, ours) in WORDS {
        message = message.replace(theirs, ours);
    }
    if let Some((before, after)) = message.split_once("struct Raw") {
        let after = after.trim_start_matches(char::is_alphanumeric);
        message = format!("{before}a table{after}");
    }
    message
}

/// The word that was meant, most likely.
fn nearest<'w>(found: &str, known: &[&'w str]) -> Option<&'w str> {
    let far = |word: &str| distance(&found.to_ascii_lowercase(), &word.to_ascii_lowercase());
    let near = known.iter().map(|word| (far(word), *word)).min();
    near.filter(|(far, _)| *far <= MAX_TYPOS).map(|(_, word)| word)
}

/// The word that is not known, and those that are.
fn unknown(message: &str) -> Option<(&str, Vec<&str>)> {
    let is_known = message.starts_with(UNKNOWN_FIELD) || message.starts_with("unknown variant");
    let mut words = message.split('`').skip(1).step_by(2);
    words.next().filter(|_| is_known).map(|found| (found, words.collect()))
}

/// Letters to add, to leave out and to change (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, own) in one.bytes().enumerate() {
        let mut next = vec![line.saturating_add(1)];
        for ((theirs, above), above_left) in other.bytes().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or_default();
            let changed = above_left.saturating_add(usize::from(own != theirs));
            next.push(changed.min(above.saturating_add(1)).min(left.saturating_add(1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

const UNKNOWN_FIELD: &str = "unknown field ";

/// Fields that have to be there, as they might be.
const EXAMPLES: [(&str, &str); 18] = [
    ("version", "1"),
    ("hosts", "[\"api.example.com\"]"),
    ("admin_host", "\"keys.example.com\""),
    ("mode", "\"lease\""),
    ("methods", "[\"GET\"]"),
    ("path", "\"/v1/items/{id}\""),
    ("credentials", "[\"key\"]"),
    ("requests", "1000"),
    ("burst", "100"),
    ("coins", "1000"),
    ("period", "\"week\""),
    ("workspace", "\"DEM0WS\""),
    ("scopes", "[\"read\"]"),
    ("alphabet", "\"base64\""),
    ("jwks", "\"https://auth.example.com/jwks.json\""),
    ("audiences", "[\"https://api.example.com\"]"),
    ("credential", "\"oauth\""),
    ("client_id", "\"dashboard\""),
];

/// What serde says of types, and what it is in TOML.
const WORDS: [(&str, &str); 12] = [
    (
        "invalid type: sequence, expected a map",
        "expected a table, as '[name]' or '{ … }': not '[[name]]', not a list",
    ),
    (
        "invalid type: map, expected a sequence",
        "expected a list, as '[…, …]' or, of tables, '[[name]]': not a table",
    ),
    ("duplicate key", "duplicate: this name is set before"),
    ("expected u32", "expected a whole number from 0 to 4294967295"),
    ("expected u64", "expected a whole number from 0 to 18446744073709551615"),
    ("expected usize", "expected a length from 16 to 256"),
    ("expected f64", "expected a number"),
    ("expected a sequence", "expected a list in brackets"),
    ("expected a map", "expected a table"),
    ("expected a boolean", "expected true or false"),
    ("sequence", "list"),
    ("invalid type: map", "invalid type: table"),
];
const MAX_TYPOS: usize = 2;
