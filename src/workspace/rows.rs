//! The Workspace's storage as its functions see it: named rows, of which some are at hand.
//!
//! A function asks for rows as if all were there. One that is not ends it with [`Missing`]; whoever
//! drives it fetches what is missing and starts it again. Changes are written in one transaction,
//! after the function has ended well, or not at all.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use crate::fields::BadField;

/// What a row holds.
pub trait Value: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// [`BadField`].
    fn parse(text: &str) -> Result<Self, BadField>;

    /// Writes it: one line, not empty.
    fn print(&self) -> String;
}

/// Rows at hand and the changes to them.
#[derive(Debug, Default)]
pub struct Rows {
    loaded: BTreeMap<String, Option<String>>,
    ranges: Vec<Range>,
    changes: BTreeMap<String, Option<String>>,
}

/// Rows in the order of their names: from `from` on, before `to`, at most `limit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first name that may be among them.
    pub from: String,
    /// The first that may not.
    pub to: String,
    /// At most so many.
    pub limit: u32,
}

impl Range {
    /// The rows whose names begin with `prefix`, which ends in `/`.
    #[must_use]
    pub fn of(prefix: &str, limit: u32) -> Self {
        Self::between(prefix, "", "~", limit)
    }

    /// The rows of `prefix` whose rest is from `from` on and before `to`.
    #[must_use]
    pub fn between(prefix: &str, from: &str, to: &str, limit: u32) -> Self {
        Self { from: format!("{prefix}{from}"), to: format!("{prefix}{to}"), limit }
    }

    fn holds(&self, name: &str) -> bool {
        self.from.as_str() <= name && name < self.to.as_str()
    }
}

/// What is to be fetched before a function can go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Single rows.
    pub names: Vec<String>,
    /// Ranges.
    pub ranges: Vec<Range>,
}

impl Missing {
    /// Reads what [`Missing::lines`] wrote.
    #[must_use]
    pub fn parse(lines: &str) -> Self {
        let mut missing = Self::default();
        for line in lines.split('\n').filter(|line| !line.is_empty()) {
            let mut parts = line.split('\t');
            match (parts.next(), parts.next(), parts.next().and_then(|limit| limit.parse().ok())) {
                (Some(from), Some(to), Some(limit)) => {
                    missing.ranges.push(Range { from: from.to_owned(), to: to.to_owned(), limit });
                }
                _ => missing.names.push(line.to_owned()),
            }
        }
        missing
    }

    /// Lines for an adapter: a name, or for a range `from`, `to` and `limit` with tabs between.
    #[must_use]
    pub fn lines(&self) -> String {
        let mut out = self.names.join("\n");
        for Range { from, to, limit } in &self.ranges {
            if !out.is_empty() {
                out.push('\n');
            }
            let _ = write!(out, "{from}\t{to}\t{limit}");
        }
        out
    }
}

/// Why a function could not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// These rows have to be fetched first.
    Missing(Missing),
    /// A row does not hold what it should: nothing may be done on its word.
    Damaged(String),
}

impl Rows {
    /// Takes in what an adapter fetched for `missing`: name and value in turn, a line each.
    pub fn load(&mut self, missing: &Missing, lines: &str) {
        for name in &missing.names {
            self.loaded.entry(name.clone()).or_insert(None);
        }
        // No name or value is empty, but what was fetched in one go of several may be.
        let mut lines = lines.split('\n').filter(|line| !line.is_empty());
        while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
            self.loaded.insert(name.to_owned(), Some(value.to_owned()));
        }
        self.ranges.extend(missing.ranges.iter().cloned());
    }

    /// Reads a row.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn get<T: Value>(&self, name: &str) -> Result<Option<T>, Stop> {
        self.text(name)?.map(|text| read(name, text)).transpose()
    }

    /// Reads a row as it is.
    ///
    /// # Errors
    /// [`Stop::Missing`].
    pub fn text(&self, name: &str) -> Result<Option<&str>, Stop> {
        match self.changes.get(name).or_else(|| self.loaded.get(name)) {
            Some(value) => Ok(value.as_deref()),
            None if self.ranges.iter().any(|range| range.holds(name) && self.is_whole(range)) => {
                Ok(None)
            }
            None => {
                Err(Stop::Missing(Missing { names: vec![name.to_owned()], ..Missing::default() }))
            }
        }
    }

    /// Reads a range, in order.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn scan<T: Value>(&self, range: &Range) -> Result<Vec<(String, T)>, Stop> {
        if !self.ranges.contains(range) {
            return Err(Stop::Missing(Missing {
                ranges: vec![range.clone()],
                ..Missing::default()
            }));
        }
        self.held(range).map(|(name, text)| Ok((name.to_owned(), read(name, text)?))).collect()
    }

    /// Writes a row when all is done.
    pub fn put(&mut self, name: String, value: &impl Value) {
        self.changes.insert(name, Some(value.print()));
    }

    /// Deletes a row when all is done.
    pub fn delete(&mut self, name: String) {
        self.changes.insert(name, None);
    }

    /// The changes, in the order of names; `None` deletes.
    pub fn changes(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.changes.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    fn is_whole(&self, range: &Range) -> bool {
        let held = self.loaded.range(range.from.clone()..range.to.clone());
        u32::try_from(held.filter(|(_, value)| value.is_some()).count())
            .is_ok_and(|count| count < range.limit)
    }

    fn held(&self, range: &Range) -> impl Iterator<Item = (&str, &str)> {
        let limit = usize::try_from(range.limit).unwrap_or(usize::MAX);
        let mut names: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        for rows in [&self.loaded, &self.changes] {
            let within = rows.range(range.from.clone()..range.to.clone());
            names.extend(within.map(|(name, value)| (name.as_str(), value.as_deref())));
        }
        names.into_iter().filter_map(|(name, value)| Some((name, value?))).take(limit)
    }
}

fn read<T: Value>(name: &str, text: &str) -> Result<T, Stop> {
    T::parse(text).map_err(|BadField| Stop::Damaged(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_that_found_nothing_shifts_no_row() {
        let mut rows = Rows::default();
        let missing = Missing { names: vec!["meta".to_owned()], ranges: Vec::new() };
        rows.load(&missing, "\nmeta\nm\n\nlease/a\n1");
        assert_eq!(rows.text("meta"), Ok(Some("m")));
        assert_eq!(rows.text("lease/a"), Ok(Some("1")));
    }
}
