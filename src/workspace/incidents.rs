//! Denials that can be asked for by their request ids: those of the last 128 calls that told of any, for a day. A
//! call's are one row, however many.

use super::Object;
use super::rows::{Range, Stop, Value, readable};
use crate::explanation::Check;
use crate::fields::{BadField, number};
use crate::incident::ROUTE;
use crate::key::Kid;

/// Denials of a key as they are kept: when they were told, in milliseconds, the key, what was told of each, the last
/// one last, with a space between.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    told: u64,
    pub(super) kid: String,
    texts: String,
}

/// The parts of what was told; see `incident.rs`.
pub(super) struct Parts<'a> {
    pub(super) request_id: &'a str,
    /// Milliseconds.
    pub(super) at: u64,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) code: &'a str,
    pub(super) address: &'a str,
    pub(super) version: u64,
    pub(super) detail: &'a str,
    pub(super) route: Option<OfRoute<'a>>,
}

/// What the route needed, cost and belonged to; older gates do not tell.
pub(super) struct OfRoute<'a> {
    pub(super) scope: &'a str,
    pub(super) cost: u64,
    pub(super) product: &'a str,
}

impl Value for Kept {
    fn parse(text: &str) -> Result<Self, BadField> {
        let mut parts = text.splitn(3, ' ');
        let mut part = || parts.next().ok_or(BadField);
        let (told, kid) = (number(part()?)?, part()?.to_owned());
        Ok(Self { told, kid, texts: part()?.to_owned() })
    }

    fn print(&self) -> String {
        let Self { told, kid, texts } = self;
        format!("{told} {kid} {texts}")
    }
}

impl Kept {
    /// What was told of each, the last first.
    pub(super) fn all(&self) -> impl Iterator<Item = Parts<'_>> {
        self.texts.rsplit(' ').filter_map(parts)
    }

    /// What was told of the request of this id.
    pub(super) fn of(&self, request_id: &str) -> Option<Parts<'_>> {
        self.all().find(|parts| parts.request_id == request_id)
    }
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let mut parts = text.split('|');
    let mut part = || parts.next();
    let read = Parts {
        request_id: part()?,
        at: part()?.parse().ok()?,
        method: part()?,
        path: part()?,
        code: part()?,
        address: part()?,
        version: part()?.parse().ok()?,
        detail: part()?,
        route: match part() {
            None => None,
            Some(scope) => Some(OfRoute { scope, cost: part()?.parse().ok()?, product: part()? }),
        },
    };
    (parts.next().is_none() && text.len() <= MOST_BYTES).then_some(read)
}

impl Object<'_> {
    /// Keeps what an isolate tells of denials. What cannot be read is of no use and stands in nobody's way.
    pub(super) fn note_incidents(&mut self, kid: &str, told: &[String]) -> Result<(), Stop> {
        let told = told.iter().filter(|text| parts(text).is_some()).take(MOST_TOLD);
        let told: Vec<&str> = told.map(String::as_str).collect();
        if told.is_empty() {
            return Ok(());
        }
        let next = readable(self.rows.get::<u64>(NEXT))?.unwrap_or(0);
        let kept = Kept { told: self.now.millis(), kid: kid.to_owned(), texts: told.join(" ") };
        self.rows.put(row(next), &kept);
        self.rows.put(NEXT.to_owned(), &next.saturating_add(1));
        self.wake(self.now.millis().saturating_add(KEPT_MILLIS));
        Ok(())
    }

    /// All that are kept, the last that was told first.
    pub(super) fn incidents(&self) -> Result<Vec<Kept>, Stop> {
        let now = self.now.millis();
        let next = readable(self.rows.get::<u64>(NEXT))?.unwrap_or(0);
        let next = row(next);
        let names = self.rows.names(&all())?;
        let (before, after): (Vec<&String>, Vec<&String>) =
            names.iter().partition(|name| **name < next);
        let mut kept = Vec::new();
        for name in before.into_iter().rev().chain(after.into_iter().rev()) {
            kept.extend(readable(self.rows.get::<Kept>(name))?.filter(|kept| !kept.is_over(now)));
        }
        Ok(kept)
    }

    /// The denial of a request.
    pub(super) fn incident(&self, request_id: &str) -> Result<Option<Kept>, Stop> {
        let names = self.rows.names(&all())?;
        for name in names {
            let Some(kept) = readable(self.rows.get::<Kept>(&name))? else { continue };
            if kept.of(request_id).is_some() && !kept.is_over(self.now.millis()) {
                return Ok(Some(kept));
            }
        }
        Ok(None)
    }

    /// Forgets those of yesterday, and wakes for the rest.
    pub(super) fn forget_incidents(&mut self) -> Result<(), Stop> {
        if self.rows.text(NEXT)?.is_none() {
            return Ok(());
        }
        let now = self.now.millis();
        for name in self.rows.names(&all())? {
            match readable(self.rows.get::<Kept>(&name))? {
                Some(kept) if !kept.is_over(now) && Kid::parse(&kept.kid).is_some() => {
                    self.wake(kept.told.saturating_add(KEPT_MILLIS));
                }
                _ => self.rows.delete(name),
            }
        }
        Ok(())
    }
}

impl Kept {
    fn is_over(&self, now: u64) -> bool {
        self.told.saturating_add(KEPT_MILLIS) <= now
    }
}

/// Where what the call of this number told is kept.
fn row(number: u64) -> String {
    format!("{INCIDENTS}{:03}", number.checked_rem(KEPT).unwrap_or(0))
}

fn all() -> Range {
    Range::of(INCIDENTS, 200)
}

impl Parts<'_> {
    /// The check that refused it.
    pub(super) fn check(&self) -> Check {
        match self.code {
            "API_KEY_NOT_ALLOWED" => Check::Kind,
            "REVOKED_API_KEY" | "DISABLED_API_KEY" | "KEY_QUARANTINED" | "EXPIRED_API_KEY"
            | "KEY_NOT_YET_VALID" => Check::Standing,
            "IP_NOT_ALLOWED" if self.detail == ROUTE => Check::Network,
            "IP_NOT_ALLOWED" => Check::Address,
            "PERMISSION_DENIED" => Check::Scope,
            "WRONG_RESOURCE" => Check::Resource,
            "BODY_TOO_LARGE" => Check::Length,
            "RATE_LIMITED" | "BUDGET_EXHAUSTED" | "REPLAYED_REQUEST" => Check::Leave,
            _ => Check::Signature,
        }
    }
}

/// The number of the next one.
pub(super) const NEXT: &str = "denials";
const INCIDENTS: &str = "denial/";
const KEPT: u64 = 128;
const KEPT_MILLIS: u64 = 24 * 3_600_000;
/// With one call.
const MOST_TOLD: usize = 24;
const MOST_BYTES: usize = 1000;
