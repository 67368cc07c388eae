//! What a long run has done so far, so that it can be ended and go on later.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::checkout::{Checkout, private_dir, say, write_private};

/// The progress of one run of one bar.
pub(super) struct Progress {
    /// Where it is kept, if it is.
    path: Option<PathBuf>,
    kept: Kept,
}

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    size: u64,
    /// The Worker it was seen with: another one starts over.
    worker: String,
    state: Value,
}

impl Progress {
    /// Of a run that is not worth keeping.
    pub(super) fn none() -> Self {
        Self { path: None, kept: Kept::default() }
    }

    /// What an earlier run of this size and Worker left, or nothing.
    pub(super) fn open(checkout: &Checkout, bar: &str, size: u64, worker: &str) -> Result<Self> {
        let folder = checkout.private("proof")?;
        private_dir(&folder)?;
        let path = folder.join(format!("{bar}.json"));
        let kept = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let kept = kept.filter(|kept: &Kept| kept.size == size && kept.worker == worker);
        if kept.is_some() {
            say(format!("  going on from {}", path.display()));
        }
        let new = || Kept { size, worker: worker.to_owned(), state: Value::Null };
        Ok(Self { path: Some(path), kept: kept.unwrap_or_else(new) })
    }

    /// The state last saved, or the default.
    pub(super) fn state<T: DeserializeOwned + Default>(&self) -> T {
        serde_json::from_value(self.kept.state.clone()).unwrap_or_default()
    }

    /// Keeps the state.
    pub(super) fn save(&mut self, state: &impl Serialize) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        self.kept.state = serde_json::to_value(state)?;
        write_private(path, &serde_json::to_vec(&self.kept)?)
    }

    /// Ends the run: the next one starts over.
    pub(super) fn forget(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}
