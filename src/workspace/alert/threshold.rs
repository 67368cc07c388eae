//! Parts of a limit or of a budget that are used: each is told of once in a window or a period.

use serde_json::json;

use super::super::accounts::KeyAccount;
use super::super::manage::object;
use super::super::rows::{Stop, Value, readable};
use super::super::{Meta, Object};
use super::Alert;
use crate::clock::Now;
use crate::fields::{BadField, Fields, Line, number, pair};
use crate::management::time;
use crate::policy::{Limits, Thresholds};
use crate::webhook::Event;

/// What has been told of one limit. Part of the row of its account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Reached {
    /// The millisecond from which it is told anew.
    until: u64,
    /// The highest per cent that was told of.
    percent: u8,
    /// Of what; 0 in a row that does not say.
    limit: u64,
}

/// How a limit or a budget stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stand {
    pub(super) used: u64,
    pub(super) limit: u64,
    /// The millisecond in which the window or the period ends.
    pub(super) end: u64,
    /// Whether a request was refused by it: what is left is of no use then, so that all is used.
    pub(super) is_exhausted: bool,
}

impl Reached {
    /// Which of `thresholds` are reached and were not told of; takes note that they are. Of another
    /// limit than before all are told anew.
    pub(super) fn reach(&mut self, stand: &Stand, thresholds: &Thresholds, now: Now) -> Vec<u8> {
        let Stand { used, limit, end, is_exhausted } = *stand;
        let is_open = now.millis() < self.until;
        if is_open && self.limit == 0 {
            self.limit = limit;
        }
        let before = if is_open && self.limit == limit { self.percent } else { 0 };
        let part = |percent: u8| limit.saturating_mul(percent.into());
        let is_used = |percent: u8| used.saturating_mul(100) >= part(percent);
        let is_reached = |percent: u8| is_used(percent) || (is_exhausted && percent == 100);
        let is_new = |percent: &u8| *percent > before && is_reached(*percent);
        let reached: Vec<u8> = thresholds.iter().filter(is_new).collect();
        if let Some(percent) = reached.last() {
            let until = if is_open { self.until } else { end };
            *self = Self { until, percent: *percent, limit };
        }
        reached
    }

    /// Reads what [`Reached::write`] wrote.
    ///
    /// # Errors
    /// [`BadField`].
    pub(in super::super) fn read(fields: Fields<'_>) -> Result<Self, BadField> {
        let Some(told) = fields.get("told") else { return Ok(Self::default()) };
        let (until, percent) = pair(told)?;
        let limit = fields.number("told_limit")?;
        Ok(Self { until: number(until)?, percent: number(percent)?, limit })
    }

    /// Adds it to the row of an account.
    pub(in super::super) fn write(&self, line: Line) -> Line {
        let Self { until, percent, limit } = self;
        if *percent == 0 {
            return line;
        }
        line.with("told", format_args!("{until}:{percent}")).number("told_limit", *limit)
    }
}

/// What a key is watched for.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct KeyAlerts {
    pub(in super::super) thresholds: Thresholds,
}

impl Value for KeyAlerts {
    fn parse(text: &str) -> Result<Self, BadField> {
        let percents = Fields::of(text).all("threshold").map(number);
        let percents: Vec<u32> = percents.collect::<Result<_, _>>()?;
        Ok(Self { thresholds: percents.try_into().map_err(|_| BadField)? })
    }

    fn print(&self) -> String {
        Line::new("alerts").all("threshold", self.thresholds.iter()).finish()
    }
}

impl Object<'_> {
    /// Tells of parts of a key's limit that are used now, after something was taken or refused, or after the
    /// thresholds were set.
    pub(in super::super) fn watch_key(
        &mut self,
        meta: &Meta,
        kid: &str,
        limits: Option<Limits>,
        own: &mut KeyAccount,
    ) -> Result<(), Stop> {
        let Some(limits) = limits else { return Ok(()) };
        let Some(wanted) = readable(self.rows.get::<KeyAlerts>(&row(kid)))? else { return Ok(()) };
        let view = own.account.view(&limits, self.now);
        let (limit, used) = (limits.requests, limits.requests.saturating_sub(view.remaining));
        // Of short windows not each is told of.
        let end = view.window_end.max(self.now.millis().saturating_add(least_pause(&limits)));
        let stand = Stand { used: used.into(), limit: limit.into(), end, is_exhausted: false };
        for percent in own.reached.reach(&stand, &wanted.thresholds, self.now) {
            let data = object([
                ("kid", json!(kid)),
                ("threshold", json!(percent)),
                ("used", json!(used)),
                ("limit", json!(limit)),
                ("window_seconds", json!(limits.window_seconds)),
                ("window_end", json!(time::print_millis(view.window_end))),
            ]);
            let cause = format!("{kid} {end} {percent} {limit}");
            self.raise(meta, Alert { event: Event::KeyThreshold, cause, data })?;
        }
        Ok(())
    }
}

/// What a key is watched for stands there.
pub(in super::super) fn row(kid: &str) -> String {
    format!("alerts/{kid}")
}

/// Milliseconds for which nothing more is told of a key whose windows are shorter.
const fn least_pause(limits: &Limits) -> u64 {
    if limits.window_seconds < Limits::HOUR { LEAST_PAUSE_MILLIS } else { 0 }
}

const LEAST_PAUSE_MILLIS: u64 = 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn thresholds(list: &[u32]) -> Thresholds {
        list.to_vec().try_into().unwrap()
    }

    /// So much of that is used, in a window that ends in the thousandth millisecond.
    const fn of(used: u64, limit: u64) -> Stand {
        Stand { used, limit, end: 1000, is_exhausted: false }
    }

    #[test]
    fn each_part_is_told_of_once_in_a_window_whatever_is_given_back() {
        let mut told = Reached::default();
        let list = thresholds(&[50, 80, 100]);
        let mut at = |millis, used| told.reach(&of(used, 10), &list, Now::from_millis(millis));
        assert_eq!(at(1, 4), [0; 0]);
        assert_eq!(at(2, 8), [50, 80], "one lease may pass two");
        assert_eq!(at(3, 4), [0; 0]);
        assert_eq!(at(4, 9), [0; 0]);
        assert_eq!(at(5, 10), [100]);
        assert_eq!(at(999, 10), [0; 0]);
        assert_eq!(at(1000, 5), [50], "the next window");
    }

    #[test]
    fn of_another_limit_each_part_is_told_of_once_again() {
        let mut told = Reached::default();
        let list = thresholds(&[50, 80, 100]);
        let mut at = |used, limit| told.reach(&of(used, limit), &list, Now::from_millis(1));
        assert_eq!(at(10, 10), [50, 80, 100]);
        assert_eq!(at(10, 100), [0; 0], "raised");
        assert_eq!(at(10, 10), [0; 0], "back again, and nothing told meanwhile");
        assert_eq!(at(50, 100), [50]);
        assert_eq!(at(40, 100), [0; 0]);
        assert_eq!(at(50, 100), [0; 0]);
        assert_eq!(at(85, 100), [80]);
        assert_eq!(at(85, 80), [50, 80, 100], "lowered");
    }

    #[test]
    fn a_refusal_is_the_whole_once() {
        let mut told = Reached::default();
        let list = thresholds(&[80, 100]);
        let mut at = |used, is_exhausted| {
            told.reach(&Stand { is_exhausted, ..of(used, 50) }, &list, Now::from_millis(1))
        };
        assert_eq!(at(48, false), [80]);
        assert_eq!(at(48, true), [100]);
        assert_eq!(at(48, true), [0; 0]);
        assert_eq!(at(50, false), [0; 0]);
    }

    #[test]
    fn what_was_told_is_kept_in_a_row() {
        let mut told = Reached::default();
        let (list, now) = (thresholds(&[80]), Now::from_millis(1));
        assert_eq!(told.write(Line::new("x")).finish(), "x");
        told.reach(&of(80, 100), &list, now);
        let line = told.write(Line::new("x")).finish();
        assert_eq!(line, "x told=1000:80 told_limit=100");
        assert_eq!(Reached::read(Fields::of(&line)), Ok(told));
        let most = u64::MAX;
        assert_eq!(Reached::default().reach(&of(most, most), &list, now), [80]);
    }

    /// Of a row without a limit: it was this one, until another comes.
    #[test]
    fn what_an_older_build_has_told_is_not_told_again() {
        let mut told = Reached::read(Fields::of("x told=1000:80")).unwrap();
        let (list, now) = (thresholds(&[80]), Now::from_millis(1));
        assert_eq!(told.reach(&of(90, 100), &list, now), [0; 0]);
        assert_eq!(told.reach(&of(170, 200), &list, now), [80]);
    }
}
