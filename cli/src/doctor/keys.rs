//! Which versions of the root live keys still need.

use std::collections::BTreeMap;

use portcullis::key::Workspace as Number;
use serde_json::Value;

use super::{Finding, Verdict};
use crate::machine;
use crate::online::Connection;
use crate::output::Failure;
use crate::when::When;

/// A finding for each version but the newest, over the workspaces that the token's subject sees.
pub(super) fn by_root(connection: &Connection) -> Vec<Finding> {
    let what = "no key needs an older root";
    match counted(connection) {
        Err(failure) => vec![Finding::new(what, Verdict::Unknown, failure.to_string())],
        Ok((_, counts)) if counts.contains_key(&UNTOLD) => {
            vec![Finding::new(what, Verdict::Unknown, "the deployment does not tell")]
        }
        Ok((workspaces, counts)) => {
            let newest = counts.keys().next_back().copied().unwrap_or(0);
            let older: Vec<String> = counts
                .iter()
                .filter(|(version, _)| **version != newest)
                .map(|(version, keys)| format!("v{version}: {keys} keys"))
                .collect();
            let seen = format!("in {workspaces} workspaces of this token");
            vec![if older.is_empty() {
                Finding::new(what, Verdict::Well, format!("all are of v{newest}, {seen}"))
            } else {
                let older = older.join(", ");
                Finding::new(what, Verdict::Unknown, format!("still needed by {older}, {seen}"))
            }]
        }
    }
}

/// How many workspaces there are, and live keys by the version that a secret of theirs names.
fn counted(connection: &Connection) -> Result<(usize, BTreeMap<u64, u64>), Failure> {
    let now = machine::now()?;
    let listed = connection.client()?.get("/api/v1/workspaces")?;
    let listed = listed.get("workspaces").and_then(Value::as_array);
    let ids = listed.into_iter().flatten().filter_map(|one| one.get("id")?.as_str());
    let ids: Vec<Number> = ids.filter_map(Number::parse).collect();
    let mut counts = BTreeMap::new();
    for number in &ids {
        let body = connection.workspace_of(number)?.all("/api-keys", "keys", usize::MAX)?;
        let keys = body.get("keys").and_then(Value::as_array);
        for key in keys.into_iter().flatten().filter(|key| is_live(key, now)) {
            let mut versions: Vec<u64> =
                secrets(key).filter(|own| is_there(own, now)).map(root).collect();
            versions.sort_unstable();
            versions.dedup();
            for version in versions {
                let count: &mut u64 = counts.entry(version).or_default();
                *count = count.saturating_add(1);
            }
        }
    }
    Ok((ids.len(), counts))
}

/// The secrets that a key is known by and those that sign.
fn secrets(key: &Value) -> impl Iterator<Item = &Value> {
    let of = |object: Option<&'static str>| match object {
        Some(name) => key.get(name).and_then(|own| own.get("secrets")),
        None => key.get("secrets"),
    };
    [of(None), of(Some("signing"))].into_iter().flatten().filter_map(Value::as_array).flatten()
}

fn root(secret: &Value) -> u64 {
    secret.get("root").and_then(Value::as_u64).unwrap_or(UNTOLD)
}

fn is_live(key: &Value, now: u64) -> bool {
    key.get("status").and_then(Value::as_str) != Some("revoked") && is_there(key, now)
}

/// Whether its `expires` is not past.
fn is_there(object: &Value, now: u64) -> bool {
    let end = object.get("expires").and_then(Value::as_str).and_then(|text| When::parse(text).ok());
    end.is_none_or(|end| now < end.seconds(now))
}

/// No version: the deployment is of before it told.
const UNTOLD: u64 = 0;
