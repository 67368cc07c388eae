//! Which versions of the root live keys still need.

use std::collections::BTreeMap;

use portcullis::key::Workspace as Number;
use serde_json::Value;

use super::{Finding, Verdict};
use crate::machine;
use crate::online::Connection;
use crate::output::Failure;
use crate::view;
use crate::when::When;

/// Live keys by the version that a secret of theirs names.
type ByVersion = BTreeMap<u64, Vec<String>>;

/// The finding, over the workspaces that the token's subject sees.
pub(super) fn by_root(connection: &Connection) -> Finding {
    let what = "no key needs an older root";
    match machine::optional_root().and_then(|root| Ok((root, seen(connection)?))) {
        Err(failure) => Finding::new(what, Verdict::Unknown, failure.to_string()),
        Ok((root, (workspaces, keys))) => {
            let newest = root.map(|root| u64::from(root.newest().version()));
            let (verdict, detail) = judged(&keys, newest);
            let detail = format!("{detail}, in {workspaces} workspaces of this token");
            Finding::new(what, verdict, detail)
        }
    }
}

/// `newest` is the keyring's; without one it is taken that some key is of it.
fn judged(keys: &ByVersion, newest: Option<u64>) -> (Verdict, String) {
    let Some(seen) = keys.keys().next_back().copied() else {
        return (Verdict::Unknown, "there are no keys that live".to_owned());
    };
    if keys.contains_key(&UNTOLD) {
        return (Verdict::Unknown, "the deployment does not tell".to_owned());
    }
    let of = newest.unwrap_or(seen);
    let other: Vec<String> = keys
        .iter()
        .filter(|(version, _)| **version != of)
        .map(|(version, kids)| {
            let more = if kids.len() > SHOWN { " …" } else { "" };
            let first = kids.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(" ");
            format!("v{version}: {} keys ({first}{more})", kids.len())
        })
        .collect();
    let other = other.join(", ");
    match newest {
        _ if other.is_empty() && newest.is_some() => (Verdict::Well, format!("all are of v{of}")),
        None if other.is_empty() => (
            Verdict::Well,
            format!("all are of v{of}; PORTCULLIS_ROOT is not set: is it the newest?"),
        ),
        Some(newest) if seen > newest => {
            (Verdict::Wrong, format!("PORTCULLIS_ROOT ends with v{newest}, but there are {other}"))
        }
        Some(_) | None => (Verdict::Unknown, format!("v{of} is not that of {other}")),
    }
}

/// How many workspaces there are, and their keys.
fn seen(connection: &Connection) -> Result<(usize, ByVersion), Failure> {
    let now = machine::now()?;
    let listed = connection.client()?.get("/api/v1/workspaces")?;
    let listed = listed.get("workspaces").and_then(Value::as_array);
    let ids = listed.into_iter().flatten().filter_map(|one| one.get("id")?.as_str());
    let ids: Vec<Number> = ids.filter_map(Number::parse).collect();
    let mut all = ByVersion::new();
    for number in &ids {
        let body = connection.workspace_of(number)?.all("/api-keys", "keys", usize::MAX)?;
        let keys = body.get("keys").and_then(Value::as_array);
        for key in keys.into_iter().flatten().filter(|key| is_live(key, now)) {
            let mut versions: Vec<u64> =
                secrets(key).filter(|own| is_there(own, now)).map(root).collect();
            versions.sort_unstable();
            versions.dedup();
            for version in versions {
                all.entry(version).or_default().push(view::field(key, "id"));
            }
        }
    }
    Ok((ids.len(), all))
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
/// Keys that are named of each version.
const SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_the_keyrings() {
        let keys = |versions: &[u64]| -> ByVersion {
            versions.iter().map(|version| (*version, vec![format!("K{version}")])).collect()
        };
        let word = |versions: &[u64], newest| judged(&keys(versions), newest).0;
        assert!(word(&[2], Some(2)) == Verdict::Well);
        assert!(word(&[1], Some(2)) == Verdict::Unknown, "all of them are old");
        assert!(word(&[1, 2], Some(2)) == Verdict::Unknown);
        assert!(word(&[1, 3], Some(2)) == Verdict::Wrong);
        assert!(word(&[0], Some(2)) == Verdict::Unknown);
        assert!(word(&[], Some(2)) == Verdict::Unknown);
        assert!(judged(&keys(&[1, 2]), Some(2)).1.contains("v1: 1 keys (K1)"));
    }
}
