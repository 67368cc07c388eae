//! How far a long work is: told while it lasts, and kept over its end.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use etcetera::BaseStrategy;
use portcullis::crypto;

use crate::machine;
use crate::output::{Exit, Failure, note};

/// A line on standard error: anew in its place on a terminal, now and then elsewhere.
pub(crate) struct Bar {
    what: &'static str,
    start: usize,
    done: usize,
    /// Nobody may know.
    all: Option<usize>,
    begun: u64,
    told: u64,
}

impl Bar {
    pub(crate) fn new(what: &'static str, done: usize, all: usize) -> Self {
        Self { start: done, done, all: Some(all), ..Self::open(what) }
    }

    /// Of a work without a known end.
    pub(crate) fn open(what: &'static str) -> Self {
        let now = machine::uptime();
        Self { what, start: 0, done: 0, all: None, begun: now, told: now }
    }

    pub(crate) const fn done(&self) -> usize {
        self.done
    }

    pub(crate) fn advance(&mut self, by: usize) {
        self.done = self.done.saturating_add(by);
        if io::stderr().is_terminal() {
            let _ = write!(io::stderr(), "\r{}", self.line());
        } else if machine::uptime() >= self.told.saturating_add(PAUSE) {
            self.told = machine::uptime();
            note(&self.line());
        }
    }

    pub(crate) fn end(&self) {
        if io::stderr().is_terminal() && self.done > self.start {
            let _ = writeln!(io::stderr());
        }
    }

    fn line(&self) -> String {
        let seconds = machine::uptime().saturating_sub(self.begun).max(1);
        let here = self.done.saturating_sub(self.start);
        let rate = u64::try_from(here).unwrap_or(0).checked_div(seconds).unwrap_or(0);
        let of = self.all.map(|all| format!(" of {all}")).unwrap_or_default();
        format!("{}{of} {}, {rate} a second", self.done, self.what)
    }
}

/// The number of a line, from 1, and what is wrong with it.
pub(crate) type Refused = (usize, String);

/// How far a work came, in a file that is named by the work: lines of what was refused, each with its number
/// and the reason, and after them a line of how much is done. Only one process has it at a time.
pub(crate) struct Mark {
    path: PathBuf,
    file: File,
}

impl Mark {
    /// Of the work that these texts make up.
    ///
    /// # Errors
    /// If another process is at it.
    pub(crate) fn of(work: &[&[u8]]) -> Result<Self, Failure> {
        let parts: Vec<u8> = work.iter().flat_map(|part| crypto::sha256(part)).collect();
        let base = etcetera::choose_base_strategy()
            .map_err(|_| Failure::refused("neither XDG_STATE_HOME nor HOME is set"))?;
        let folder = base.state_dir().unwrap_or_else(|| base.data_dir()).join("portcullis");
        fs::create_dir_all(&folder).map_err(|error| Failure::io(folder.display(), &error))?;
        let path = folder.join(HEXLOWER.encode(&crypto::sha256(&parts)));
        let file = append(&path).map_err(|error| Failure::io(path.display(), &error))?;
        // Let go of when it is closed.
        match file.try_lock() {
            Ok(()) => {
                let mark = Self { path, file };
                mark.mend().map_err(|error| Failure::io(mark.path.display(), &error))?;
                Ok(mark)
            }
            Err(TryLockError::WouldBlock) => {
                Err(Failure::new(Exit::Busy, "another import of this file is running"))
            }
            Err(TryLockError::Error(error)) => Err(Failure::io(path.display(), &error)),
        }
    }

    /// Cuts off a line that was not written to its end, which the next would be added to.
    fn mend(&self) -> io::Result<()> {
        let written = fs::read(&self.path)?;
        let whole =
            written.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end.saturating_add(1));
        if whole == written.len() {
            return Ok(());
        }
        self.file.set_len(u64::try_from(whole).map_err(io::Error::other)?)
    }

    /// How much of `all` is done, and what of it was refused and why; nothing if nothing is known, or more is
    /// said to be done than there is.
    pub(crate) fn read(&self, all: usize) -> (usize, Vec<Refused>) {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let (mut done, mut refused, mut known) = (0, Vec::new(), 0);
        // A line that was not written to its end is none.
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            if let Some((number, reason)) = line.split_once('\t') {
                refused.extend(number.parse().ok().map(|number| (number, reason.to_owned())));
            } else if let Ok(more) = line.parse() {
                (done, known) = (more, refused.len());
            }
        }
        refused.truncate(known);
        if done > all { (0, Vec::new()) } else { (done, refused) }
    }

    /// Adds what was refused since the last time, and how much is done now.
    pub(crate) fn add(&mut self, done: usize, refused: &[Refused]) -> Result<(), Failure> {
        let mut text = String::new();
        for (number, reason) in refused {
            text.push_str(&format!("{number}\t{}\n", reason.replace(['\n', '\r'], " ")));
        }
        text.push_str(&format!("{done}\n"));
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|error| Failure::io(self.path.display(), &error))
    }

    /// Begins anew.
    pub(crate) fn clear(&self) -> Result<(), Failure> {
        self.file.set_len(0).map_err(|error| Failure::io(self.path.display(), &error))
    }

    pub(crate) fn forget(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(unix)]
fn append(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Seconds.
const PAUSE: u64 = 5;
