//! One workspace in the memory of one process, as its Durable Object holds it on disk.

use std::collections::BTreeMap;

use wasm_bindgen::prelude::*;

use super::{deployment, now};
use crate::gate::Gate;
use crate::key::Kid;
use crate::record::Document;
use crate::workspace::call::Call;
use crate::workspace::rows::{Missing, Rows};
use crate::workspace::{self, Outcome};

/// The rows of a workspace, and the deployment that it is of.
#[wasm_bindgen]
pub struct Ledger {
    gate: Gate,
    rows: BTreeMap<String, String>,
    /// The millisecond at which copies are due.
    alarm: Option<u64>,
}

#[wasm_bindgen]
impl Ledger {
    /// `policy` is the text that `portcullis policy compile` writes, less `Document::NOT_FOR_WORKSPACE`.
    ///
    /// # Errors
    /// Why it must not decide.
    #[wasm_bindgen(constructor)]
    pub fn new(policy: &str, root: &str) -> Result<Self, String> {
        let gate = deployment(policy, root, "")?;
        Ok(Self { gate, rows: BTreeMap::new(), alarm: None })
    }

    /// Takes in a key from its sealed record, as KV holds it.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn add(&mut self, kid: &str, value: &str) -> Result<(), String> {
        let parsed = Kid::parse(kid).ok_or("no id of a key")?;
        let (document, _) = Document::open(self.gate.keyring(), &parsed, value.as_bytes())
            .map_err(|unusable| unusable.as_str())?;
        let workspace = parsed.workspace().as_str().to_owned();
        self.call(&Call::Open { workspace }.print());
        let (name, value) = workspace::keys::held(document);
        self.rows.insert(name, value);
        Ok(())
    }

    /// The answer to a call. All that it changes is kept, or nothing.
    pub fn call(&mut self, text: &str) -> String {
        let now = now();
        let mut fetched = vec![workspace::needs(text, now)];
        loop {
            let mut rows = Rows::default();
            fetched.iter().for_each(|missing| self.load(&mut rows, missing));
            match workspace::answer(text, &self.gate, &mut rows, now) {
                Err(missing) => fetched.push(missing),
                Ok(Outcome { answer, alarm }) => {
                    self.commit(&rows);
                    self.alarm = self.alarm.into_iter().chain(alarm).min();
                    return answer.print();
                }
            }
        }
    }

    /// Whether the alarm is due; it is off then.
    pub fn is_due(&mut self) -> bool {
        let due = self.alarm.is_some_and(|alarm| alarm <= now().millis());
        if due {
            self.alarm = None;
        }
        due
    }

    fn load(&self, rows: &mut Rows, missing: &Missing) {
        let mut lines: Vec<&str> = Vec::new();
        for range in &missing.ranges {
            let held = self.rows.range(range.from.clone()..range.to.clone());
            let limit = usize::try_from(range.limit).unwrap_or(usize::MAX);
            lines.extend(held.take(limit).flat_map(|(name, value)| [&**name, &**value]));
        }
        let named = missing.names.iter().filter_map(|name| self.rows.get_key_value(name));
        lines.extend(named.flat_map(|(name, value)| [&**name, &**value]));
        rows.load(missing, &lines.join("\n"));
    }

    fn commit(&mut self, rows: &Rows) {
        for (name, value) in rows.changes() {
            match value {
                Some(value) => self.rows.insert(name.to_owned(), value.to_owned()),
                None => self.rows.remove(name),
            };
        }
    }
}
