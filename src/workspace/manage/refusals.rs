//! The denials that can be asked for by their request ids, as a list.

use serde_json::{Value as Json, json};

use super::super::Object;
use super::super::incidents::{Kept, Parts};
use super::{Done, Outcome, object};
use crate::management::time;

impl Object<'_> {
    /// The last that was told first.
    pub(super) fn list_denials(&self) -> Outcome<Done> {
        let kept = self.incidents()?;
        let all = kept.iter().flat_map(|kept| kept.all().map(|parts| view(kept, &parts)));
        let denials: Vec<Json> = all.take(MOST_LISTED).collect();
        Ok(Done::read(json!({ "denials": denials })))
    }
}

fn view(kept: &Kept, parts: &Parts<'_>) -> Json {
    let Parts { request_id, at, method, path, code, address, detail, .. } = parts;
    let body = object([
        ("request_id", json!(request_id)),
        ("time", json!(time::print_millis(*at))),
        ("kid", json!(kept.kid)),
        ("method", json!(method)),
        ("path", json!(path)),
        ("code", json!(code)),
        ("address", json!(address)),
        ("detail", json!(detail)),
    ]);
    body.into()
}

const MOST_LISTED: usize = 128;
