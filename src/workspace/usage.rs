//! What a key was used for, by the hour.

use super::Object;
use super::accounts::{KeyAccount, account_row};
use super::admit::hour;
use super::call::{Answer, Hour, Share};
use super::lending::{Lease, leases};
use super::rows::{Range, Stop, Value};
use super::text::{counted, counts};
use crate::clock::Now;
use crate::fields::{BadField, Fields, Line};

/// The use in one hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Use {
    /// Hours since 1970.
    pub(super) hour: u64,
    /// Requests admitted for certain.
    admitted: u64,
    /// Requests that isolates may have admitted and can tell no more.
    lost: u64,
    coins: u64,
    /// What of them was for products.
    products: Vec<Share>,
    pub(super) denied: Vec<(String, u64)>,
    /// What rules on trial would have denied.
    would_deny: Vec<(String, u64)>,
    /// When it was last used, in seconds.
    last: u64,
}

impl Use {
    pub(super) fn add(&mut self, admitted: u32, coins: u64, product: Option<&str>, now: Now) {
        self.admitted = self.admitted.saturating_add(admitted.into());
        self.coins = self.coins.saturating_add(coins);
        if let Some(product) = product.filter(|_| admitted > 0 || coins > 0) {
            let share = Share { product: product.to_owned(), requests: admitted.into(), coins };
            share.add_to(&mut self.products, MAX_PRODUCTS);
        }
        if admitted > 0 {
            self.last = self.last.max(now.seconds());
        }
    }

    /// Takes back coins of what was admitted.
    pub(super) fn give_back(&mut self, coins: u64, product: Option<&str>) {
        self.coins = self.coins.saturating_sub(coins);
        let mut shares = self.products.iter_mut();
        if let Some(share) = shares.find(|own| Some(own.product.as_str()) == product) {
            share.coins = share.coins.saturating_sub(coins);
        }
    }

    pub(super) fn lose(&mut self, admitted: u32) {
        self.lost = self.lost.saturating_add(admitted.into());
    }

    pub(super) fn deny(&mut self, code: &str, count: u32) {
        add_code(&mut self.denied, code, count);
    }

    /// Counts what was admitted and would have been denied by rules on trial.
    pub(super) fn would_deny(&mut self, code: &str, count: u32) {
        add_code(&mut self.would_deny, code, count);
    }

    pub(super) fn read(fields: Fields<'_>) -> Result<Self, BadField> {
        Ok(Self {
            hour: fields.number("hour")?,
            admitted: fields.number("admitted")?,
            lost: fields.number("lost")?,
            coins: fields.number("coins")?,
            products: fields.all("product").map(Share::parse).collect::<Result<_, _>>()?,
            denied: fields.all("denied").map(counted).collect::<Result<_, _>>()?,
            would_deny: fields.all("would_deny").map(counted).collect::<Result<_, _>>()?,
            last: fields.number("last")?,
        })
    }

    pub(super) fn write(&self, line: Line) -> Line {
        line.number("hour", self.hour)
            .number("admitted", self.admitted)
            .number("lost", self.lost)
            .number("coins", self.coins)
            .all("product", self.products.iter().map(Share::print))
            .all("denied", counts(&self.denied))
            .all("would_deny", counts(&self.would_deny))
            .number("last", self.last)
    }

    /// All denials.
    pub(super) fn denials(&self) -> u64 {
        self.denied.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// When it was last used, in seconds.
    pub(super) fn last_used(&self) -> Option<u64> {
        Some(self.last).filter(|last| *last > 0)
    }

    fn is_empty(&self) -> bool {
        let Self { admitted, lost, denied, would_deny, .. } = self;
        *admitted == 0 && *lost == 0 && denied.is_empty() && would_deny.is_empty()
    }
}

impl Value for Use {
    fn parse(text: &str) -> Result<Self, BadField> {
        Self::read(Fields::of(text))
    }

    fn print(&self) -> String {
        self.write(Line::new("use")).finish()
    }
}

impl Object<'_> {
    /// Begins a new hour, if it is one.
    pub(super) fn roll(&mut self, kid: &str, own: &mut KeyAccount) -> Result<(), Stop> {
        let hour = hour(self.now);
        if own.usage.hour < hour {
            let last = own.usage.last;
            let before = core::mem::replace(&mut own.usage, Use { hour, last, ..Use::default() });
            if !before.is_empty() {
                self.rows.put(usage_row(kid, before.hour), &before);
            }
        }
        Ok(())
    }

    /// Changes the use in `hour`, wherever it is kept.
    pub(super) fn count(
        &mut self,
        kid: &str,
        hour: u64,
        own: &mut KeyAccount,
        change: impl FnOnce(&mut Use),
    ) -> Result<(), Stop> {
        if own.usage.hour == hour {
            change(&mut own.usage);
            return Ok(());
        }
        let row = usage_row(kid, hour);
        let mut before = self.rows.get(&row)?.unwrap_or(Use { hour, ..Use::default() });
        change(&mut before);
        own.usage.last = own.usage.last.max(before.last);
        self.rows.put(row, &before);
        Ok(())
    }

    /// The rows that the use of keys is read from, fetched in one go.
    pub(super) fn require_usage(&self, kids: &[&str], from: u64, to: u64) -> Result<(), Stop> {
        let names: Vec<String> = kids.iter().map(|kid| account_row(kid)).collect();
        let ranges = kids.iter().flat_map(|kid| [hours(kid, from, to), leases(kid)]);
        self.rows.require_all(names, ranges.collect())
    }

    pub(super) fn usage(&mut self, kid: &str, from: u64, to: u64) -> Result<Answer, Stop> {
        let own: KeyAccount = self.rows.get(&account_row(kid))?.unwrap_or_default();
        let range = hours(kid, from, to);
        let mut hours: Vec<Use> =
            self.rows.scan(&range)?.into_iter().map(|(_, hour)| hour).collect();
        let open = self.open_leases(kid)?;
        // What does not fit is asked for from the hour after the last one.
        let whole = u32::try_from(hours.len()).is_ok_and(|hours| hours < MAX_HOURS);
        let lending = open.iter().any(|lease| lease.hour == own.usage.hour);
        if whole && (from..to).contains(&own.usage.hour) && (lending || !own.usage.is_empty()) {
            hours.push(own.usage.clone());
        }
        let open_in = |hour| {
            let held = open.iter().filter(|lease| lease.hour == hour);
            held.fold(0, |sum: u64, lease| {
                sum.saturating_add(lease.tokens.saturating_sub(lease.spent).into())
            })
        };
        let hours = hours
            .into_iter()
            .map(|used| Hour {
                hour: used.hour,
                exact: used.admitted,
                at_most: used.admitted.saturating_add(used.lost).saturating_add(open_in(used.hour)),
                coins: used.coins,
                products: used.products,
                denied: used.denied,
                would_deny: used.would_deny,
            })
            .collect();
        Ok(Answer::Usage { hours, last_used: own.usage.last_used() })
    }

    /// All leases of a key, however many.
    fn open_leases(&self, kid: &str) -> Result<Vec<Lease>, Stop> {
        let open = self.rows.all(leases(kid))?;
        Ok(open.into_iter().map(|(_, lease)| lease).collect())
    }
}

pub(super) fn hours(kid: &str, from: u64, to: u64) -> Range {
    let (from, to) = (format!("{from:08}"), format!("{to:08}"));
    Range::between(&format!("usage/{kid}/"), &from, &to, MAX_HOURS)
}

fn usage_row(kid: &str, hour: u64) -> String {
    format!("usage/{kid}/{hour:08}")
}

fn add_code(counts: &mut Vec<(String, u64)>, code: &str, more: u32) {
    if more == 0 {
        return;
    }
    if let Some((_, sum)) = counts.iter_mut().find(|(known, _)| known == code) {
        *sum = sum.saturating_add(more.into());
    } else if counts.len() < MAX_CODES {
        // Codes are ours and few; a caller that invents some does not fill the row.
        counts.push((code.to_owned(), more.into()));
    }
}

const MAX_CODES: usize = 32;
/// Of products beyond so many in an hour the sums alone are counted.
const MAX_PRODUCTS: usize = 64;
/// A month of hours and a bit.
const MAX_HOURS: u32 = 800;
