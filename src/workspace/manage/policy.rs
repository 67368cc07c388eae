//! The policy, as far as it is the members' business.

use serde_json::json;

use super::super::{Meta, Object};
use super::Done;
use super::about::object;
use crate::management::json;

impl Object<'_> {
    pub(super) fn get_policy(&self, meta: &Meta) -> Done {
        let policy = &self.gate.policy;
        let here = policy.workspace(&meta.workspace);
        let told = json::parse(&policy.told).unwrap_or_default();
        let mut body = told.as_object().cloned().unwrap_or_default();
        let own = object([
            ("mode", json!(here.mode)),
            ("limits", json!(here.limits)),
            ("budget", json!(here.budget)),
            ("on_workspace_down", json!(here.on_workspace_down)),
        ]);
        body.insert("workspace".to_owned(), own.into());
        Done::read(body.into())
    }
}
