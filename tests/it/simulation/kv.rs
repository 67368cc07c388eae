//! KV: a store that every place sees later, and a cache in each that keeps misses too.

use std::collections::BTreeMap;

/// The store.
#[derive(Debug, Default)]
pub struct Kv(BTreeMap<String, Vec<(u64, String)>>);

/// The cache of one place.
#[derive(Debug, Default)]
pub struct Cache(BTreeMap<String, (u64, Option<String>)>);

impl Kv {
    pub fn put(&mut self, name: String, value: String, now: u64) {
        self.0.entry(name).or_default().push((now, value));
    }

    /// What was there at `time`.
    pub fn at(&self, name: &str, time: u64) -> Option<&String> {
        let written = self.0.get(name)?.iter().rev();
        written.into_iter().find(|(at, _)| *at <= time).map(|(_, value)| value)
    }
}

impl Cache {
    /// Reads `name` as it was `age` ago, and keeps that for `ttl`.
    pub fn read(&mut self, kv: &Kv, name: &str, now: u64, age: u64, ttl: u64) -> Option<String> {
        match self.0.get(name) {
            Some((until, value)) if now < *until => value.clone(),
            _ => {
                let value = kv.at(name, now.saturating_sub(age)).cloned();
                self.0.insert(name.to_owned(), (now + ttl, value.clone()));
                value
            }
        }
    }
}
