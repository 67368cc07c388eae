//! How far a long work is: told while it lasts, and kept over its end.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use etcetera::BaseStrategy;
use portcullis::crypto;

use crate::kv::create;
use crate::machine;
use crate::output::{Failure, note};

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

/// How far a work came, in a file that is named by the work.
pub(crate) struct Mark(PathBuf);

impl Mark {
    /// Of the work that these texts make up.
    pub(crate) fn of(work: &[&[u8]]) -> Result<Self, Failure> {
        let parts: Vec<u8> = work.iter().flat_map(|part| crypto::sha256(part)).collect();
        let base = etcetera::choose_base_strategy()
            .map_err(|_| Failure::refused("neither XDG_STATE_HOME nor HOME is set"))?;
        let folder = base.state_dir().unwrap_or_else(|| base.data_dir()).join("portcullis");
        fs::create_dir_all(&folder).map_err(|error| Failure::io(folder.display(), &error))?;
        Ok(Self(folder.join(HEXLOWER.encode(&crypto::sha256(&parts)))))
    }

    /// How much is done, and what of it was refused and why; nothing if nothing is known.
    pub(crate) fn read(&self) -> (usize, Vec<Refused>) {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let mut lines = text.lines();
        let refused = |line: &str| {
            let (number, reason) = line.split_once('\t')?;
            Some((number.parse().ok()?, reason.to_owned()))
        };
        let done = lines.next().and_then(|line| line.parse().ok());
        done.map_or_else(Default::default, |done| (done, lines.filter_map(refused).collect()))
    }

    pub(crate) fn write(&self, done: usize, refused: &[Refused]) -> Result<(), Failure> {
        let part = self.0.with_extension("part");
        let mut text = format!("{done}\n");
        for (number, reason) in refused {
            text.push_str(&format!("{number}\t{}\n", reason.replace(['\n', '\r'], " ")));
        }
        let written = create(&part)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&part, &self.0));
        written.map_err(|error| Failure::io(self.0.display(), &error))
    }

    pub(crate) fn forget(&self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Seconds.
const PAUSE: u64 = 5;
