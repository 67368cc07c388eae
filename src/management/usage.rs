//! What keys were used for, as the API asks and tells it.

use serde_json::{Map, Value as Json, json};

use super::problem::Problem;
use super::time;
use crate::clock::Now;
use crate::workspace::call::Hour;

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
            let mut denied = Map::new();
            for (code, count) in &hour.denied {
                denied.insert(code.clone(), json!(count));
            }
            json!({
                "hour": time::print(hour.hour.saturating_mul(3600)),
                "exact": hour.exact,
                "at_most": hour.at_most,
                "coins": hour.coins,
                "denied": denied,
            })
        })
        .collect();
    json!({ "hours": hours, "last_used": last_used.map(time::print) })
}

const MAX_HOURS: u64 = 800;
