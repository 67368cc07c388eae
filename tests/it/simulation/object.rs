//! The Workspace object, as `workspace.mjs` drives it: rows, one transaction a call, one alarm.

use std::collections::BTreeMap;

use portcullis::clock::Now;
use portcullis::gate::Gate;
use portcullis::workspace::call::Answer;
use portcullis::workspace::rows::{Missing, Rows};
use portcullis::workspace::{self, Outcome};

/// What outlives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object {
    pub rows: BTreeMap<String, String>,
    pub alarm: Option<u64>,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Effect {
    pub answer: Answer,
    /// Rows written or deleted.
    pub changes: Vec<(String, Option<String>)>,
    /// How often rows were fetched.
    pub fetches: usize,
    pub alarm: Option<u64>,
}

impl Object {
    /// What a call would do.
    pub fn call(&self, text: &str, gate: &Gate, now: Now) -> Effect {
        let mut fetched = vec![workspace::needs(text, now)];
        loop {
            // From the beginning each time: what an attempt changed before it stopped is void.
            let mut rows = Rows::default();
            for missing in &fetched {
                self.load(&mut rows, missing);
            }
            match workspace::answer(text, gate, &mut rows, now) {
                Err(missing) => fetched.push(Missing::parse(&missing.lines())),
                Ok(Outcome { answer, alarm }) => {
                    let owned = |(name, value): (&str, Option<&str>)| {
                        (name.to_owned(), value.map(str::to_owned))
                    };
                    return Effect {
                        answer,
                        changes: rows.changes().map(owned).collect(),
                        fetches: fetched.len(),
                        alarm,
                    };
                }
            }
        }
    }

    /// Its transaction.
    pub fn commit(&mut self, effect: &Effect) {
        for (name, value) in &effect.changes {
            match value {
                Some(value) => {
                    assert!(!value.is_empty() && !value.contains('\n'), "row {name}: {value}");
                    self.rows.insert(name.clone(), value.clone());
                }
                None => {
                    self.rows.remove(name);
                }
            }
        }
        if let Some(alarm) = effect.alarm
            && self.alarm.is_none_or(|set| alarm < set)
        {
            self.alarm = Some(alarm);
        }
    }

    fn load(&self, rows: &mut Rows, missing: &Missing) {
        let mut lines = Vec::new();
        for range in &missing.ranges {
            let held = self.rows.range(range.from.clone()..range.to.clone());
            lines.extend(held.take(range.limit as usize).flat_map(|(name, value)| [name, value]));
        }
        for name in &missing.names {
            lines.extend(self.rows.get_key_value(name).into_iter().flat_map(|(n, v)| [n, v]));
        }
        let lines: Vec<&str> = lines.into_iter().map(String::as_str).collect();
        rows.load(missing, &lines.join("\n"));
    }
}
