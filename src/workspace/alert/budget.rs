//! Parts of a budget that are used.

use serde_json::json;

use super::super::manage::object;
use super::super::rows::Stop;
use super::super::{Meta, Object};
use super::{Alert, Reached};
use crate::management::time;
use crate::webhook::Event;

/// A budget, as far as alerts tell of it.
pub(in super::super) struct Budget<'a> {
    /// The product; `None`: all of the workspace.
    pub(in super::super) product: Option<&'a str>,
    /// Coins that are used, those that are lent among them.
    pub(in super::super) used: u64,
    /// Coins of a period.
    pub(in super::super) limit: u64,
    /// `day`, `week` or `month`.
    pub(in super::super) period: &'static str,
    /// The millisecond in which it ends.
    pub(in super::super) end: u64,
}

impl Object<'_> {
    /// Tells of parts of a budget that are used now, after something was taken. `reached` is kept with the
    /// budget's account: with it each part is told of once in a period, whatever is given back.
    pub(in super::super) fn watch_budget(
        &mut self,
        meta: &Meta,
        budget: &Budget<'_>,
        reached: &mut Reached,
    ) -> Result<(), Stop> {
        let Budget { product, used, limit, period, end } = *budget;
        let thresholds = &self.gate.policy.alerts.budget_thresholds;
        for percent in reached.reach(used, limit, end, thresholds, self.now) {
            let data = object([
                ("product", json!(product)),
                ("threshold", json!(percent)),
                ("used", json!(used)),
                ("limit", json!(limit)),
                ("period", json!(period)),
                ("period_end", json!(time::print_millis(end))),
            ]);
            let product = product.unwrap_or_default();
            let cause = format!("{product} {period} {end} {percent}");
            self.raise(meta, Alert { event: Event::BudgetThreshold, cause, data })?;
        }
        Ok(())
    }
}
