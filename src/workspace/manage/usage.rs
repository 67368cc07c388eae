//! What keys were used for.

use serde_json::Value as Json;

use super::super::accounts::{
    KeyAccount, ProductAccount, SHARED, SharedAccount, key_accounts, product_row,
};
use super::super::call::{Answer, Hour};
use super::super::{Meta, Object};
use super::{Done, Outcome, Request};
use crate::key::Kid;
use crate::management::problem::Problem;
use crate::management::usage;

impl Object<'_> {
    pub(super) fn key_usage(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        let kid = Kid::parse(&request.params.kid).ok_or_else(Problem::not_found)?;
        self.known(meta, kid.as_str())?.ok_or_else(Problem::not_found)?;
        let (from, to) = usage::hours(&request.query, self.now)?;
        let (hours, last_used) = self.used(kid.as_str(), from, to)?;
        Ok(Done::read(usage::view(&hours, last_used)))
    }

    /// Of all keys that were used since. The last hour of a key stands in its account, so that the others need
    /// not be read; of more than [`MAX_HOURS`] hours the keys that are left are told in number alone.
    pub(super) fn workspace_usage(&mut self, request: &Request<'_>) -> Outcome<Done> {
        let (from, to) = usage::hours(&request.query, self.now)?;
        let accounts = self.rows.all::<KeyAccount>(key_accounts())?;
        let last = accounts.iter().filter_map(|(_, own)| own.usage.last_used()).max();
        let used = accounts.iter().filter(|(_, own)| own.usage.hour >= from);
        let kids: Vec<&str> = used.filter_map(|(row, _)| row.rsplit('/').next()).collect();
        let (mut sums, mut read, mut left_out): (Vec<Hour>, usize, usize) = (Vec::new(), 0, 0);
        for some in kids.chunks(AT_ONCE) {
            if read >= MAX_HOURS {
                left_out = left_out.saturating_add(some.len());
                continue;
            }
            self.require_usage(some, from, to)?;
            for kid in some {
                let (hours, _) = self.used(kid, from, to)?;
                read = read.saturating_add(hours.len());
                hours.into_iter().for_each(|hour| add(&mut sums, hour));
            }
        }
        let mut view = usage::view(&sums, last);
        if let Some(members) = view.as_object_mut() {
            members.insert("keys_left_out".to_owned(), left_out.into());
            members.insert("budgets".to_owned(), Json::Array(self.budgets()?));
        }
        Ok(Done::read(view))
    }

    /// How each budget stands.
    fn budgets(&self) -> Outcome<Vec<Json>> {
        let products = self.gate.policy.products.iter();
        let products = products.filter(|own| own.budget.is_some()).map(|own| own.name.as_str());
        let products: Vec<_> = products.collect();
        let rows = products.iter().map(|name| product_row(name));
        self.rows.require(rows.chain([SHARED.to_owned()]))?;
        let all = core::iter::once(None).chain(products.into_iter().map(Some));
        all.filter_map(|product| self.budget_of_product(product).transpose()).collect()
    }

    /// How the budget of a product stands, or that of all; `None` if there is none.
    pub(super) fn budget_of_product(&self, product: Option<&str>) -> Outcome<Option<Json>> {
        let rules = product.and_then(|name| self.product_rules(name));
        let budget =
            if product.is_some() { rules.and_then(|own| own.budget) } else { self.budget() };
        let Some(budget) = budget else { return Ok(None) };
        let row = product.map_or_else(|| SHARED.to_owned(), product_row);
        self.rows.require([row.clone()])?;
        let mut spending = match product {
            None => self.rows.get::<SharedAccount>(&row)?.unwrap_or_default().spending,
            Some(_) => self.rows.get::<ProductAccount>(&row)?.unwrap_or_default().spending,
        };
        spending.hold_to(&budget, self.now);
        Ok(Some(usage::budget(product, &budget, &spending, self.now)))
    }

    fn used(&mut self, kid: &str, from: u64, to: u64) -> Outcome<(Vec<Hour>, Option<u64>)> {
        let answer = self.usage(kid, from, to)?;
        let Answer::Usage { hours, last_used } = answer else { return Ok((Vec::new(), None)) };
        Ok((hours, last_used))
    }
}

fn add(sums: &mut Vec<Hour>, hour: Hour) {
    match sums.binary_search_by_key(&hour.hour, |sum| sum.hour) {
        Ok(at) => {
            if let Some(sum) = sums.get_mut(at) {
                sum.add(&hour);
            }
        }
        Err(at) => sums.insert(at, hour),
    }
}

/// Keys whose hours are fetched in one go.
const AT_ONCE: usize = 100;
/// Some 8 MB of rows; the keys of one go may be above it.
const MAX_HOURS: usize = 40_000;
