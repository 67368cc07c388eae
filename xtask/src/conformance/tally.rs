//! How cases went.

use anyhow::{Result, bail};

use crate::checkout::say;

/// Counts cases and keeps why some failed.
#[derive(Debug, Default)]
pub struct Tally {
    passed: usize,
    failures: Vec<String>,
}

impl Tally {
    /// Counts one, and prints why it failed; whether it passed.
    pub fn note(&mut self, id: &str, outcome: Result<()>) -> bool {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(error) => {
                let failure = format!("{id}: {error:#}");
                say(format!("FAILED {failure}"));
                self.failures.push(failure);
                return false;
            }
        }
        true
    }

    /// How many passed.
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// An error names all that failed.
    pub fn report(&self) -> Result<()> {
        say(format!("conformance: {} passed, {} failed", self.passed, self.failures.len()));
        if !self.failures.is_empty() {
            bail!("{} cases failed:\n{}", self.failures.len(), self.failures.join("\n"));
        }
        Ok(())
    }
}
