//! Parts of budgets that are used.

use serde_json::json;

use super::super::accounts::Accounts;
use super::super::manage::object;
use super::super::rows::Stop;
use super::super::{Meta, Object};
use super::{Alert, Reached};
use crate::management::time;
use crate::policy::Budget;
use crate::spending::Spending;
use crate::webhook::Event;

impl Object<'_> {
    /// Tells of parts of the workspace's budget and of the product's that are used now, after something was
    /// taken.
    pub(in super::super) fn watch_budgets(
        &mut self,
        meta: &Meta,
        product: Option<&str>,
        accounts: &mut Accounts,
    ) -> Result<(), Stop> {
        let (_, shared, own) = accounts.parts_mut(product);
        if let Some(budget) = self.budget() {
            self.watch_budget(meta, None, budget, &shared.spending, &mut shared.reached)?;
        }
        let Some((name, own)) = product.zip(own) else { return Ok(()) };
        let budget = self.product_rules(name).and_then(|product| product.budget);
        match budget {
            Some(budget) => {
                self.watch_budget(meta, product, budget, &own.spending, &mut own.reached)
            }
            None => Ok(()),
        }
    }

    /// The same of one of them; `product` is `None` of the workspace's. `reached` is kept with the budget's
    /// account: with it each part is told of once in a period, whatever is given back.
    fn watch_budget(
        &mut self,
        meta: &Meta,
        product: Option<&str>,
        budget: Budget,
        spending: &Spending,
        reached: &mut Reached,
    ) -> Result<(), Stop> {
        let (used, limit, end) = (spending.used(), budget.coins.get(), spending.reset());
        let period = budget.period.as_str();
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
