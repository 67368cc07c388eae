//! Denials, told by their request ids.

use serde_json::json;

use super::super::incidents::{Parts, check_of};
use super::super::{Meta, Object};
use super::{Done, Outcome, Request, object};
use crate::management::problem::Problem;
use crate::management::time;

impl Object<'_> {
    pub(super) fn get_denial(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        let kept = self.incident(meta, &request.params.request_id)?;
        let kept = kept.ok_or_else(Problem::not_found)?;
        let Parts { request_id, at, method, path, code, address, version, detail } =
            kept.parts().ok_or_else(Problem::not_found)?;
        let known = self.known(meta, &kept.kid)?.ok_or_else(Problem::not_found)?;
        let document = &known.document;
        let of =
            |codes: &[&str]| Some(detail).filter(|own| codes.contains(&code) && !own.is_empty());
        let limit = of(&["RATE_LIMITED", "BUDGET_EXHAUSTED"]).and_then(|own| own.split_once(':'));
        let body = object([
            ("request_id", json!(request_id)),
            ("time", json!(time::print_millis(at))),
            ("kid", json!(kept.kid)),
            ("method", json!(method)),
            ("path", json!(path)),
            ("code", json!(code)),
            ("check", json!(check_of(code))),
            ("address", json!(address)),
            ("scope", json!(of(&["PERMISSION_DENIED"]))),
            ("parameter", json!(of(&["WRONG_RESOURCE"]))),
            ("limited_by", json!(limit.map(|(by, _)| by))),
            ("retry_after", json!(limit.and_then(|(_, seconds)| seconds.parse::<u64>().ok()))),
            ("key_version", json!(version)),
            (
                "key",
                json!(object([
                    ("version", json!(document.version)),
                    ("status", json!(document.status)),
                    ("scopes", json!(document.scopes)),
                    ("ips", json!(document.ips)),
                    ("bindings", json!(document.bindings)),
                    ("expires", json!(document.expires.map(time::print))),
                ])),
            ),
        ]);
        Ok(Done::read(body.into()))
    }
}
