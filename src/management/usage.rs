//! What keys were used for, as the API asks and tells it.

use serde_json::{Map, Value as Json, json};

use super::problem::Problem;
use super::time;
use crate::clock::Now;
use crate::policy::Budget;
use crate::spending::Spending;
use crate::workspace::call::{Hour, Share};

/// The hours that a query names: whole ones, at most 800.
///
/// # Errors
/// 422 if there are none, or more.
pub fn hours(query: &Map<String, Json>, now: Now) -> Result<(u64, u64), Problem> {
    let second = |name: &str| query.get(name).and_then(Json::as_str).and_then(time::parse);
    let next = (now.seconds() / 3600).saturating_add(1);
    let to = second("to").map_or(next, |to| to.div_ceil(3600));
    let from = second("from").map_or(to.saturating_sub(24), |from| from / 3600);
    if from >= to {
        return Err(Problem::field("from", "has to be before `to`"));
    }
    if to.saturating_sub(from) > MAX_HOURS {
        return Err(Problem::field("from", format!("is more than {MAX_HOURS} hours before `to`")));
    }
    Ok((from, to))
}

/// Use as the API tells it; `last_used` in seconds.
#[must_use]
pub fn view(hours: &[Hour], last_used: Option<u64>) -> Json {
    let hours: Vec<Json> = hours
        .iter()
        .map(|hour| {
            let counts = |codes: &[(String, u64)]| -> Map<String, Json> {
                codes.iter().map(|(code, count)| (code.clone(), json!(count))).collect()
            };
            let product = |Share { product, requests, coins }: &Share| {
                (product.clone(), json!({ "requests": requests, "coins": coins }))
            };
            json!({
                "hour": time::print(hour.hour.saturating_mul(3600)),
                "exact": hour.exact,
                "at_most": hour.at_most,
                "coins": hour.coins,
                "products": hour.products.iter().map(product).collect::<Map<_, _>>(),
                "denied": counts(&hour.denied),
                "would_deny": counts(&hour.would_deny),
            })
        })
        .collect();
    json!({ "hours": hours, "last_used": last_used.map(time::print) })
}

/// How a budget stands, that of a product or of the workspace over all of them.
#[must_use]
pub fn budget(product: Option<&str>, budget: &Budget, spending: &Spending, now: Now) -> Json {
    let span = spending.span();
    json!({
        "product": product,
        "coins": budget.coins.get(),
        "period": budget.period.as_str(),
        "start": time::print(span.start),
        "reset": time::print(span.end),
        "used": spending.used(),
        "left": spending.left(budget),
        "forecast": spending.forecast(now),
    })
}

const MAX_HOURS: u64 = 800;
