//! Which versions of the root live keys still need.

use std::collections::BTreeMap;

use portcullis::key::Workspace as Number;
use portcullis::root::RootKeys;
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
    let what = "root has what keys need";
    match machine::optional_root().and_then(|root| Ok((root, seen(connection)?))) {
        Err(failure) => Finding::new(what, Verdict::Unknown, failure.to_string()),
        Ok((_, (0, _))) => Finding::new(what, Verdict::Unknown, "this token sees no workspace"),
        Ok((root, (workspaces, keys))) => {
            let root = root.as_ref().map(|root| root.versions().map(RootKeys::version).collect());
            let (verdict, detail) = judged(&keys, root);
            let detail = format!("{detail}, in {workspaces} workspaces of this token");
            Finding::new(what, verdict, detail)
        }
    }
}

/// `root` is the keyring's versions, the newest first.
fn judged(keys: &ByVersion, root: Option<Vec<u16>>) -> (Verdict, String) {
    if keys.is_empty() {
        return (Verdict::Well, "there are no keys that live".to_owned());
    }
    if keys.contains_key(&UNTOLD) {
        return (Verdict::Unknown, "the deployment does not tell".to_owned());
    }
    let named = |of: &dyn Fn(&u64) -> bool| {
        let those = keys.iter().filter(|(version, _)| of(version)).map(|(version, kids)| {
            let more = if kids.len() > SHOWN { " …" } else { "" };
            let first = kids.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(" ");
            format!("v{version}: {} keys ({first}{more})", kids.len())
        });
        those.collect::<Vec<_>>().join(", ")
    };
    let Some(root) = root else {
        let versions: Vec<String> = keys.keys().map(|version| format!("v{version}")).collect();
        let versions = versions.join(", ");
        return (Verdict::Unknown, format!("PORTCULLIS_ROOT is not set; keys need {versions}"));
    };
    let has = |version: &u64| root.iter().any(|own| u64::from(*own) == *version);
    let newest = root.first().copied().map_or(UNTOLD, u64::from);
    let (missing, older) = (named(&|own| !has(own)), named(&|own| has(own) && *own != newest));
    if !missing.is_empty() {
        return (Verdict::Wrong, format!("PORTCULLIS_ROOT lacks that of {missing}"));
    }
    if !older.is_empty() {
        return (Verdict::Well, format!("it cannot do without that of {older} yet"));
    }
    (Verdict::Well, format!("all are of v{newest}"))
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
    fn a_version_that_live_keys_need_has_to_be_there() {
        let keys = |versions: &[u64]| -> ByVersion {
            versions.iter().map(|version| (*version, vec![format!("K{version}")])).collect()
        };
        let judged = |versions: &[u64], root: &[u16]| judged(&keys(versions), Some(root.to_vec()));
        for (versions, root, verdict, saying) in [
            (&[2][..], &[2, 1][..], Verdict::Well, "all are of v2"),
            (&[1], &[2, 1], Verdict::Well, "cannot do without that of v1: 1 keys (K1)"),
            (&[1, 2], &[2, 1], Verdict::Well, "cannot do without that of v1"),
            (&[1, 2], &[2], Verdict::Wrong, "lacks that of v1"),
            (&[1, 3], &[2, 1], Verdict::Wrong, "lacks that of v3: 1 keys (K3)"),
            (&[0], &[2], Verdict::Unknown, "does not tell"),
            (&[], &[2], Verdict::Well, "no keys"),
        ] {
            let (own, detail) = judged(versions, root);
            assert_eq!(own, verdict, "{detail}");
            assert!(detail.contains(saying), "{detail}");
        }
        assert_eq!(super::judged(&keys(&[1]), None).0, Verdict::Unknown);
    }
}
