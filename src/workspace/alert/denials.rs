//! Keys that are denied far more often than they were.

use serde_json::{Map, json};

use super::super::accounts::KeyAccount;
use super::super::manage::object;
use super::super::rows::{Stop, readable};
use super::super::usage::{Use, hours};
use super::super::{Meta, Object};
use super::{Alert, hour_text};
use crate::fields::{BadField, Fields, Line, number, pair};
use crate::webhook::Event;

/// At how many denials the hour at hand is to be looked at (again). Part of the row of a key's account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Watch {
    hour: u64,
    next: u64,
}

impl Watch {
    /// Reads what [`Watch::write`] wrote.
    ///
    /// # Errors
    /// [`BadField`].
    pub(in super::super) fn read(fields: Fields<'_>) -> Result<Self, BadField> {
        let Some(watch) = fields.get("watch") else { return Ok(Self::default()) };
        let (hour, next) = pair(watch)?;
        Ok(Self { hour: number(hour)?, next: number(next)? })
    }

    /// Adds it to the row of an account.
    pub(in super::super) fn write(&self, line: Line) -> Line {
        let Self { hour, next } = self;
        if *next == 0 { line } else { line.with("watch", format_args!("{hour}:{next}")) }
    }
}

impl Object<'_> {
    /// Tells of an anomaly, after denials were counted: at least so many within the hour, and at least so many
    /// times the mean of the 24 hours before it. Once an hour.
    pub(in super::super) fn watch_denials(
        &mut self,
        meta: &Meta,
        kid: &str,
        own: &mut KeyAccount,
    ) -> Result<(), Stop> {
        let rules = &self.gate.policy.alerts;
        let (least, times) = (rules.denials_at_least.get().into(), rules.denials_times.get());
        let (hour, denials) = (own.usage.hour, own.usage.denials());
        let next = if own.watch.hour == hour { own.watch.next } else { 0 };
        if denials < next.max(least) {
            return Ok(());
        }
        let day = hours(kid, hour.saturating_sub(DAY), hour);
        let day = readable(self.rows.scan::<Use>(&day).map(Some))?.unwrap_or_default();
        let day = day.iter().fold(0, |sum: u64, (_, own)| sum.saturating_add(own.denials()));
        let needed = day.saturating_mul(times.into()).div_ceil(DAY).max(least);
        own.watch = Watch { hour, next: needed };
        if denials < needed {
            return Ok(());
        }
        own.watch.next = u64::MAX;
        let mut codes = Map::new();
        for (code, count) in &own.usage.denied {
            codes.insert(code.clone(), json!(count));
        }
        let data = object([
            ("kid", json!(kid)),
            ("hour", json!(hour_text(hour))),
            ("denials", json!(denials)),
            ("denials_of_the_day_before", json!(day)),
            ("codes", json!(codes)),
        ]);
        let cause = format!("{kid} {hour}");
        self.raise(meta, Alert { event: Event::DenialsAnomaly, cause, data })
    }
}

/// Hours.
const DAY: u64 = 24;
