//! Coins of requests whose origins tell what they have cost: what was taken, and what comes back of it.

use super::Object;
use super::accounts::{SHARED, account_row};
use super::admit::hour;
use super::call::{Admit, Answer};
use super::rows::{Missing, Stop, Value};
use super::span;
use crate::clock::Now;
use crate::fields::{BadField, Fields, Line, number};
use crate::lease::CallId;
use crate::spending::Span;

/// What was taken for one request, for as long as its origin may say that it was too much.
#[derive(Debug)]
struct Reserved {
    coins: u64,
    /// The hour in whose use they stand.
    hour: u64,
    product: Option<String>,
    /// The periods of whose budgets they are: the workspace's, the product's.
    shared: Option<Span>,
    own: Option<Span>,
}

impl Value for Reserved {
    fn parse(text: &str) -> Result<Self, BadField> {
        let fields = Fields::of(text);
        let span = |name| fields.get(name).map(Span::parse).transpose();
        Ok(Self {
            coins: number(fields.text("coins")?)?,
            hour: fields.number("hour")?,
            product: fields.get("product").map(str::to_owned),
            shared: span("budget")?,
            own: span("product_budget")?,
        })
    }

    fn print(&self) -> String {
        Line::new("reserved")
            .with("coins", self.coins)
            .number("hour", self.hour)
            .all("product", &self.product)
            .all("budget", self.shared.iter().map(Span::print))
            .all("product_budget", self.own.iter().map(Span::print))
            .finish()
    }
}

/// The rows that a settlement reads.
pub(super) fn needs(id: &CallId, kid: &str, now: Now, missing: &mut Missing) {
    missing.names.extend([account_row(kid), SHARED.to_owned()]);
    missing.names.extend(rows(id, kid, now));
}

impl Object<'_> {
    /// Keeps what was taken for the request that was admitted by this call, in these periods of the
    /// workspace's budget and the product's.
    pub(super) fn reserve(&mut self, call: &Admit, (shared, own): (Option<Span>, Option<Span>)) {
        let span = span::of(self.now.seconds().saturating_add(SECONDS));
        let product = call.product().map(str::to_owned);
        let (coins, hour) = (call.spent_coins(), hour(self.now));
        let reserved = Reserved { coins, hour, product, shared, own };
        self.rows.put(row(&call.id, &call.kid, span), &reserved);
        self.wake(span::end(span).saturating_mul(1000));
    }

    /// Puts back what a request has not cost: once, and into the periods that it was taken from. What is
    /// not known, or is known no more, has cost what was taken.
    pub(super) fn refund(&mut self, id: &CallId, kid: &str, coins: u32) -> Result<Answer, Stop> {
        for row in rows(id, kid, self.now) {
            let Some(reserved) = self.rows.get::<Reserved>(&row)? else { continue };
            self.rows.delete(row);
            let rest = reserved.coins.saturating_sub(coins.into());
            let name = reserved.product.as_deref();
            let mut accounts = self.accounts(kid)?;
            if let Some(name) = name {
                self.product(&mut accounts, name)?;
            }
            self.count(kid, reserved.hour, &mut accounts.own, |usage| usage.give_back(rest, name))?;
            let (_, shared, product) = accounts.parts_mut(name);
            if let Some(span) = reserved.shared {
                shared.spending.put_back(span, rest);
            }
            if let Some((product, span)) = product.zip(reserved.own) {
                product.spending.put_back(span, rest);
            }
            self.keep(kid, &accounts);
        }
        Ok(Answer::Done)
    }
}

/// Where it may be kept, whenever it was taken.
fn rows(id: &CallId, kid: &str, now: Now) -> impl Iterator<Item = String> {
    span::all(now).map(|span| row(id, kid, span)).into_iter()
}

fn row(id: &CallId, kid: &str, span: u64) -> String {
    span::row(PREFIX, span, kid, id.as_str())
}

pub(super) const PREFIX: &str = "reserved/";

/// The longest that an origin may take, and time for what is done before and behind it.
const SECONDS: u64 = 400;
