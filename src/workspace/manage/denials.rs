//! Denials, told by their request ids.

use serde_json::{Value, json};

use super::super::incidents::{OfRoute, Parts};
use super::super::{Meta, Object};
use super::{Done, Outcome, Request, object};
use crate::address::Allowlist;
use crate::explanation::{self, Check, Verdict};
use crate::management::problem::Problem;
use crate::management::time;
use crate::policy::Route;
use crate::record::{Document, SignatureMode};

impl Object<'_> {
    pub(super) fn get_denial(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        let id = &request.params.request_id;
        let kept = self.incident(id)?.ok_or_else(Problem::not_found)?;
        let parts = kept.of(id).ok_or_else(Problem::not_found)?;
        let known = self.known(meta, &kept.kid)?.ok_or_else(Problem::not_found)?;
        let document = &known.document;
        let Parts { code, detail, .. } = parts;
        let of =
            |codes: &[&str]| Some(detail).filter(|own| codes.contains(&code) && !own.is_empty());
        let limit = of(&["RATE_LIMITED", "BUDGET_EXHAUSTED"]).and_then(|own| own.split_once(':'));
        let by = limit.map(|(by, _)| by);
        let route = parts.route.as_ref();
        let budget =
            by.zip(route).map(|(by, route)| self.budget_of(by, route)).transpose()?.flatten();
        let body = object([
            ("request_id", json!(parts.request_id)),
            ("time", json!(time::print_millis(parts.at))),
            ("kid", json!(kept.kid)),
            ("method", json!(parts.method)),
            ("path", json!(parts.path)),
            ("code", json!(code)),
            ("check", json!(parts.check().as_str())),
            ("checks", self.checks(&parts, document)),
            ("address", json!(parts.address)),
            ("scope", json!(of(&["PERMISSION_DENIED"]))),
            ("parameter", json!(of(&["WRONG_RESOURCE"]))),
            ("body_limit", json!(of(&["BODY_TOO_LARGE"]).and_then(|own| own.parse::<u64>().ok()))),
            ("limited_by", json!(by)),
            ("retry_after", json!(limit.and_then(|(_, seconds)| seconds.parse::<u64>().ok()))),
            ("cost", json!(route.map(|route| route.cost))),
            ("budget", json!(budget)),
            ("key_version", json!(parts.version)),
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

    /// The checks of a request with a key from its route on, each with what came of it and what it was about. What
    /// concerns the key is told only if that is as it was.
    fn checks(&self, parts: &Parts<'_>, document: &Document) -> Value {
        let refused = parts.check();
        let is_same = document.version == parts.version;
        let checks = Check::ALL.into_iter().filter(|check| *check >= Check::Route);
        let tell = |check: Check| {
            let verdict = match check.cmp(&refused) {
                // It stands in the secret's place.
                core::cmp::Ordering::Greater
                    if check == Check::Signature && document.signature == SignatureMode::Only =>
                {
                    Verdict::Passed
                }
                core::cmp::Ordering::Less => Verdict::Passed,
                core::cmp::Ordering::Equal => Verdict::Refused,
                core::cmp::Ordering::Greater => Verdict::NotReached,
            };
            let is_told = verdict != Verdict::NotReached && (is_same || !is_of_key(check));
            let mut detail = String::new();
            if is_told {
                self.tell(check, parts, document, &mut detail);
            }
            let detail = Some(detail).filter(|detail| !detail.is_empty());
            json!({ "check": check.as_str(), "verdict": verdict.as_str(), "detail": detail })
        };
        checks.map(tell).collect()
    }

    /// What a check was about.
    fn tell(&self, check: Check, parts: &Parts<'_>, document: &Document, to: &mut String) {
        let mut put = |texts: &[&str]| texts.iter().for_each(|text| to.push_str(text));
        match check {
            Check::Route => put(&[parts.method, " ", parts.path]),
            Check::Network => put(&["from ", parts.address]),
            Check::Kind if check == parts.check() => put(&["the route takes no keys"]),
            Check::Standing => {
                put(&[document.status.as_str()]);
                for (word, time) in
                    [(", from ", document.not_before), (", until ", document.expires)]
                {
                    if let Some(time) = time {
                        put(&[word, &time::print(time)]);
                    }
                }
            }
            Check::Address => {
                put(&["from ", parts.address]);
                let networks = document.ips.iter().flat_map(Allowlist::networks);
                networks.for_each(|network| put(&[", of ", &network.to_string()]));
            }
            Check::Scope => {
                let needed = parts.route.as_ref().map_or("", |route| route.scope);
                let needed = if needed.is_empty() { "none" } else { needed };
                put(&["needs ", needed, "; the key has ", &document.scopes.to_string()]);
            }
            Check::Resource => put(&[&self.reach(parts, document)]),
            Check::Length if check == parts.check() => put(&["at most ", parts.detail, " bytes"]),
            Check::Signature => put(&[document.signature.as_str()]),
            Check::Leave => self.tell_leave(parts, document, to),
            Check::Target
            | Check::Host
            | Check::Method
            | Check::OneCredential
            | Check::Url
            | Check::Page
            | Check::Form
            | Check::Kind
            | Check::Record
            | Check::Secret
            | Check::Length => {}
        }
    }

    /// The gate alone knows what the route says of subjects, but for what it refused.
    fn reach(&self, parts: &Parts<'_>, document: &Document) -> String {
        let named = parts.path.contains(&format!("{{{}}}", Route::WORKSPACE));
        let workspace = self.meta.as_ref().filter(|_| named).map(|meta| meta.workspace.as_str());
        let is_refused = parts.check() == Check::Resource;
        let subject = document.subject.as_deref().map(|subject| match parts.detail {
            "" if is_refused => explanation::unheld(subject),
            name if is_refused
                && name != Route::WORKSPACE
                && !document.bindings.contains_key(name) =>
            {
                explanation::own(name, subject)
            }
            _ => format!("the key is {subject}'s"),
        });
        explanation::reach(&document.bindings, workspace, subject)
    }

    fn tell_leave(&self, parts: &Parts<'_>, document: &Document, to: &mut String) {
        let Some(route) = &parts.route else { return };
        let tier = document.tier.as_ref().and_then(|name| self.gate.policy.tier(name));
        let product = self.product_rules(route.product);
        let mut text = format!("costs {}", route.cost);
        for (of, limits) in [
            ("; key: ", tier.map(|tier| tier.limits).or(document.limits)),
            ("; product: ", product.and_then(|own| own.limits)),
            ("; workspace: ", self.shared_limits()),
        ] {
            if let Some(limits) = limits {
                text.push_str(of);
                text.push_str(&limits.to_string());
            }
        }
        to.push_str(&text);
    }

    /// The budget by which a request was refused, as it stands now.
    fn budget_of(&self, by: &str, route: &OfRoute<'_>) -> Outcome<Option<Value>> {
        match by {
            "budget" => self.budget_of_product(None),
            "product-budget" => self.budget_of_product(Some(route.product)),
            _ => Ok(None),
        }
    }
}

/// Whether the key's document has a say.
const fn is_of_key(check: Check) -> bool {
    matches!(
        check,
        Check::Standing
            | Check::Address
            | Check::Scope
            | Check::Resource
            | Check::Signature
            | Check::Leave
    )
}
