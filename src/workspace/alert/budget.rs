//! Parts of budgets that are used.

use serde_json::json;

use super::super::accounts::Accounts;
use super::super::call::Admit;
use super::super::manage::object;
use super::super::rows::Stop;
use super::super::{Meta, Object};
use super::threshold::Stand;
use super::{Alert, Reached};
use crate::management::time;
use crate::policy::Budget;
use crate::spending::Spending;
use crate::webhook::Event;

impl Object<'_> {
    /// Tells of parts of the workspace's budget and of the product's that are used now, after a request
    /// that costs something has taken from them or was refused.
    pub(in super::super) fn watch_budgets(
        &mut self,
        meta: &Meta,
        call: &Admit,
        is_refused: bool,
        accounts: &mut Accounts,
    ) -> Result<(), Stop> {
        let refused = is_refused.then(|| call.cost());
        let product = call.product();
        let (_, shared, own) = accounts.parts_mut(product);
        if let Some(budget) = self.budget() {
            let (spending, reached) = (&shared.spending, &mut shared.reached);
            self.watch_budget(meta, None, budget, refused, spending, reached)?;
        }
        let Some((name, own)) = product.zip(own) else { return Ok(()) };
        let Some(budget) = self.product_rules(name).and_then(|product| product.budget) else {
            return Ok(());
        };
        self.watch_budget(meta, product, budget, refused, &own.spending, &mut own.reached)
    }

    /// The same of one of them; `product` is `None` of the workspace's, `refused` what was refused would have
    /// cost. `reached` is kept with the budget's account: with it each part is told of once in a period,
    /// whatever is given back.
    fn watch_budget(
        &mut self,
        meta: &Meta,
        product: Option<&str>,
        budget: Budget,
        refused: Option<u32>,
        spending: &Spending,
        reached: &mut Reached,
    ) -> Result<(), Stop> {
        let (used, limit, end) = (spending.used(), budget.coins.get(), spending.reset());
        let period = budget.period.as_str();
        let refused = refused.filter(|cost| spending.left(&budget) < u64::from(*cost));
        let stand = Stand { used, limit, end, is_exhausted: refused.is_some() };
        let thresholds = &self.gate.policy.alerts.budget_thresholds;
        for percent in reached.reach(&stand, thresholds, self.now) {
            let data = object([
                ("product", json!(product)),
                ("threshold", json!(percent)),
                ("used", json!(used)),
                ("limit", json!(limit)),
                ("refused_cost", json!(refused)),
                ("period", json!(period)),
                ("period_end", json!(time::print_millis(end))),
            ]);
            let product = product.unwrap_or_default();
            let cause = format!("{product} {period} {end} {percent} {limit}");
            self.raise(meta, Alert { event: Event::BudgetThreshold, cause, data })?;
        }
        Ok(())
    }
}
