//! The fields by which a key is created, imported or changed, checked against each other and the
//! policy.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::{Map, Value as Json};

use super::super::Object;
use super::super::call::Manage;
use crate::address::Allowlist;
use crate::management::problem::FieldError;
use crate::management::time;
use crate::policy::Limits;
use crate::record::{Document, KeyType, SignatureMode};
use crate::scope::Grants;

impl Object<'_> {
    /// Puts into `document` what `fields` say, whose form is checked already.
    pub(super) fn set(
        &self,
        document: &mut Document,
        fields: &Map<String, Json>,
        call: &Manage,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let text = |name: &str| fields.get(name).and_then(Json::as_str);
        let mut wrong = |name: &str, message: &str| errors.push(FieldError::new(name, message));
        if let Some(name) = text("name") {
            name.clone_into(&mut document.name);
        }
        for (name, slot) in
            [("not_before", &mut document.not_before), ("expires", &mut document.expires)]
        {
            if fields.contains_key(name) {
                *slot = text(name).and_then(time::parse);
            }
        }
        if fields.contains_key("expires") {
            if document.expires.is_some_and(|end| end <= self.now.seconds()) {
                wrong("expires", "has to be in the future");
            }
            let longest = self.gate.policy.management.temporary_seconds();
            let most = document.created.saturating_add(longest);
            match document.expires {
                None if document.kind == KeyType::Temporary => {
                    wrong("expires", "is required for a temporary key");
                }
                Some(end) if document.kind == KeyType::Temporary && end > most => {
                    wrong("expires", "is later than the policy allows a temporary key");
                }
                _ => {}
            }
        }
        if let (Some(begin), Some(end)) = (document.not_before, document.expires)
            && begin >= end
        {
            wrong("not_before", "has to be before `expires`");
        }
        if let Some(scopes) = list(fields, "scopes").and_then(|texts| Grants::parse(texts).ok()) {
            let bound = call.scopes.as_ref().map(|scopes| grants(scopes));
            if bound.is_some_and(|bound| !scopes.subset_of(&bound)) {
                wrong("scopes", "go beyond the scopes of the token");
            }
            document.scopes = scopes;
        }
        if let Some(bindings) = fields.get("bindings") {
            let project =
                document.bindings.remove(PROJECT).filter(|_| document.kind == KeyType::Project);
            document.bindings = map(bindings);
            match project {
                Some(_) if document.bindings.contains_key(PROJECT) => {
                    wrong("bindings", "a project key is bound to its project already");
                }
                Some(project) => drop(document.bindings.insert(PROJECT.to_owned(), project)),
                None => {}
            }
        }
        if fields.contains_key("ips") {
            document.ips = list(fields, "ips").and_then(|texts| Allowlist::parse(texts).ok());
            let is_wide = |network: IpNet| {
                network.prefix_len() < if network.addr().is_ipv4() { 8 } else { 16 }
            };
            let wide = document.ips.iter().flat_map(Allowlist::networks).any(is_wide);
            if wide && fields.get("allow_any_network") != Some(&Json::Bool(true)) {
                wrong(
                    "ips",
                    "a network is wider than /8 (IPv6: /16); confirm by allow_any_network",
                );
            }
        }
        if fields.contains_key("tier") {
            document.tier = text("tier").map(str::to_owned);
            if document.tier.as_ref().is_some_and(|tier| self.gate.policy.tier(tier).is_none()) {
                wrong("tier", "is not in the policy");
            }
            if document.tier.is_some() {
                document.limits = None;
            }
        }
        if let Some(value) = fields.get("limits") {
            match limits(value) {
                Ok(limits) => document.limits = limits,
                Err(message) => wrong("limits", &message),
            }
            if document.limits.is_some() {
                document.tier = None;
            }
        }
        if text("tier").is_some() && fields.get("limits").is_some_and(Json::is_object) {
            wrong("limits", "a key has either a tier or limits of its own");
        }
        if let Some(mode) = text("signature").and_then(SignatureMode::parse) {
            document.signature = mode;
        }
        errors.extend(self.set_signing(document, fields));
        errors
    }
}

/// Limits, or none for `null`.
pub(super) fn limits(value: &Json) -> Result<Option<Limits>, String> {
    let number = |name: &str| {
        value.get(name).and_then(Json::as_u64).and_then(|number| u32::try_from(number).ok())
    };
    if value.is_null() {
        return Ok(None);
    }
    let window = number("window_seconds").unwrap_or(Limits::HOUR);
    let (requests, burst) = (number("requests").unwrap_or(0), number("burst").unwrap_or(0));
    Limits::new(requests, window, burst).map(Some).map_err(|wrong| wrong.to_string())
}

/// The scopes of a token, so far as they are of ours.
pub(super) fn grants(scopes: &[String]) -> Grants {
    let ours = scopes.iter().map(String::as_str).filter(|text| Grants::parse([*text]).is_ok());
    Grants::parse(ours).unwrap_or_default()
}

fn list<'a>(fields: &'a Map<String, Json>, name: &str) -> Option<Vec<&'a str>> {
    Some(fields.get(name)?.as_array()?.iter().filter_map(Json::as_str).collect())
}

fn map(value: &Json) -> BTreeMap<String, Vec<String>> {
    let members = value.as_object().into_iter().flatten();
    let values = |list: &Json| {
        let texts = list.as_array().into_iter().flatten().filter_map(Json::as_str);
        texts.map(str::to_owned).collect()
    };
    let mut map = BTreeMap::new();
    for (name, list) in members {
        map.insert(name.clone(), values(list));
    }
    map
}

/// The binding of project keys.
pub(super) const PROJECT: &str = "project_id";
