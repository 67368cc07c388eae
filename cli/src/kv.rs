//! Files of KV rows, in the form that `wrangler kv bulk put` reads.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use portcullis::mint::Row;
use serde_json::{Value, json};

use crate::machine;
use crate::output::Failure;

/// `[{"key": …, "value": …}, …]`, with whatever else an element holds.
#[derive(Default)]
pub(crate) struct Rows(Vec<Value>);

impl Rows {
    /// Reads a file; one that is not there yet has no rows.
    pub(crate) fn read_or_empty(path: &Path) -> Result<Self, Failure> {
        match fs::read(path) {
            Ok(bytes) => Self::parse(&bytes).ok_or_else(|| not_rows(path)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Failure::io(path.display(), &error)),
        }
    }

    /// Reads a file that must be there.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = fs::read(path).map_err(|error| Failure::io(path.display(), &error))?;
        Self::parse(&bytes).ok_or_else(|| not_rows(path))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let rows: Vec<Value> = serde_json::from_slice(bytes).ok()?;
        let text = |row: &Value, name| row.get(name).is_some_and(Value::is_string);
        rows.iter().all(|row| text(row, "key") && text(row, "value")).then_some(Self(rows))
    }

    /// Names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter_map(|row| Some((row.get("key")?.as_str()?, row.get("value")?.as_str()?)))
    }

    /// Puts a row in, in the place of one of the same name.
    pub(crate) fn put(&mut self, row: &Row) {
        let new = to_json(row);
        match self.0.iter_mut().find(|old| old.get("key") == new.get("key")) {
            Some(old) => *old = new,
            None => self.0.push(new),
        }
    }

    /// Writes the file, whole or not at all, for its owner only.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(&self.0).unwrap_or_default();
        text.push('\n');
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let written = create(&part)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&part, path));
        written.map_err(|error| Failure::io(path.display(), &error))
    }
}

/// A row as an element of such a file.
pub(crate) fn to_json(row: &Row) -> Value {
    json!({ "key": row.name, "value": row.value })
}

/// The value of the KV name `name` in what `wrangler kv key get` printed or in a file
/// of rows; `-` is standard input.
pub(crate) fn value_of(path: &Path, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = if path == Path::new("-") {
        machine::stdin_bytes()?
    } else {
        fs::read(path).map_err(|error| Failure::io(path.display(), &error))?
    };
    if bytes.first() == Some(&b'[') {
        let rows = Rows::parse(&bytes).ok_or_else(|| not_rows(path))?;
        let row = rows.iter().find(|(key, _)| *key == name);
        let (_, value) =
            row.ok_or_else(|| Failure::refused(format!("{}: no row {name}", path.display())))?;
        return Ok(value.as_bytes().to_vec());
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    Ok(bytes)
}

fn not_rows(path: &Path) -> Failure {
    Failure::refused(format!("{}: not an array of {{\"key\", \"value\"}}", path.display()))
}

#[cfg(unix)]
pub(crate) fn create(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
pub(crate) fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).open(path)
}
