//! A throw between any two statements of a mutation leaves no part of it behind.

use anyhow::{Context, Result};
use portcullis::lease::{CallId, Report};
use portcullis::record::Status;
use portcullis::workspace::call::{Admit, Answer, Call, Manage, Told};
use serde_json::{Value, json};

use super::Verdict;
use super::stage::Stage;

/// Makes every call once as it is and, before that, once for each of its statements.
pub(super) fn run(stage: &mut Stage, verdict: &mut Verdict) -> Result<()> {
    // Of its own: no gate reports anything to it meanwhile. With more keys than one statement takes.
    stage.call(ALONE, &Call::Open { workspace: ALONE.to_owned() })?;
    for _ in 0..KEYS {
        stage.key(ALONE, false, None)?;
    }
    stage.settle(ALONE)?;
    let (first, _) = stage.draft(ALONE, false, None)?;
    let (second, _) = stage.draft(ALONE, false, None)?;
    let managed = second.document.kid.clone();
    let kid = first.document.kid.clone();
    let lease = CallId::new([7; 16]);
    let admit = |want, reports| Admit {
        id: if want > 1 { lease.clone() } else { CallId::new([8; 16]) },
        kid: kid.clone(),
        version: 1,
        coins: 1,
        pool: None,
        want,
        ahead: false,
        millis: 2000,
        told: Told {
            reports,
            denied: vec![("PERMISSION_DENIED".to_owned(), 1)],
            would_deny: vec![("IP_NOT_ALLOWED".to_owned(), 1)],
            replaced: vec![(0, 1)],
            incidents: Vec::new(),
        },
        once: None,
        settle: false,
    };
    let report = |spent, closed| Report { lease: lease.clone(), spent, coins: 1, closed };
    let copied = || Call::Copied { copies: vec![(kid.clone(), 1)], failed: false };
    let calls = vec![
        ("put", Call::Put { document: Box::new(first.document.clone()), replaces: 0 }),
        ("admit", Call::Admit(admit(10, Vec::new()))),
        (
            "report",
            Call::Report {
                kid: kid.clone(),
                told: Told { reports: vec![report(3, false)], ..Told::default() },
            },
        ),
        ("admit", Call::Admit(admit(1, vec![report(5, true)]))),
        ("copied", copied()),
        ("status", Call::SetStatus { kid: kid.clone(), status: Status::Revoked }),
        ("due", Call::Due),
        ("revoke-all", Call::RevokeAll),
        ("due", Call::Due),
        ("copied", copied()),
        ("put", Call::Put { document: Box::new(second.document.clone()), replaces: 0 }),
    ];
    let calls = calls.into_iter().chain(management(&managed).map(|call| ("manage", call)));
    let control = stage.gate.server.control;
    // No copies are made meanwhile: what the alarm changes would be taken for a part.
    control.set_faults(&json!({ "kv": { "kind": "hang", "ops": ["put"] } }))?;
    let (mut throws, mut statements) = (0, Vec::new());
    for (word, call) in calls {
        let name = if let Call::Manage(manage) = &call {
            format!("{} {}", manage.method, manage.target)
        } else {
            word.to_owned()
        };
        let mut statement = 0;
        loop {
            let before = control.workspace_rows(ALONE)?;
            let fault =
                json!({ "kind": "throw", "statement": statement, "ops": [word], "count": 1 });
            control.set_workspace_faults(ALONE, &fault)?;
            let answer = stage.call(ALONE, &call);
            control.set_workspace_faults(ALONE, &json!([]))?;
            if let Ok(answer) = answer {
                let well = if let Answer::Managed(managed) = &answer {
                    let audited = |rows: &Value| {
                        let rows = rows.as_array().into_iter().flatten();
                        rows.filter(|row| is_entry(row)).count()
                    };
                    let entries = audited(&control.workspace_rows(ALONE)?);
                    managed.status < 300 && entries == audited(&before) + 1
                } else {
                    !matches!(answer, Answer::Conflict { .. } | Answer::Broken { .. })
                };
                verdict.require(well, || format!("{name}: {answer:?}"));
                break;
            }
            if statement >= MOST {
                return answer.map(drop).context(name);
            }
            let after = control.workspace_rows(ALONE)?;
            verdict.require(before == after, || {
                format!("{name}: a throw at statement {statement} left something behind")
            });
            throws += 1;
            statement += 1;
        }
        statements.push(format!("{name}: {statement}"));
    }
    control.clear_faults()?;
    verdict.figure("throws_inside_mutations", throws);
    verdict.figure("statements", statements);
    Ok(())
}

/// What an owner and an admin ask, each with an entry in the record of changes.
fn management(kid: &str) -> impl Iterator<Item = Call> {
    let space = format!("/api/v1/workspaces/{ALONE}");
    let key = format!("{space}/api-keys/{kid}");
    let call_by = |actor: &str, number: u8, method: &str, target: String, body: Value| {
        Call::Manage(Box::new(Manage {
            actor: actor.to_owned(),
            scopes: None,
            workspace: ALONE.to_owned(),
            address: "192.0.2.1".to_owned(),
            request_id: "0".repeat(32),
            method: method.to_owned(),
            target,
            version: None,
            once: Some(format!("{number:064x}")),
            entropy: [number; 32],
            body: if body.is_null() { String::new() } else { body.to_string() },
        }))
    };
    let call = |number, method, target, body| call_by("dev:owner", number, method, target, body);
    let member = format!("{space}/members/dev:alice");
    let personal = json!({ "name": "p", "type": "personal", "scopes": ["read"] });
    let import = json!({ "keys": [{ "sha256": "0".repeat(64), "scopes": ["read"] }] });
    vec![
        call(1, "PUT", format!("{space}/members/dev:owner"), json!({ "role": "owner" })),
        call(2, "PUT", member.clone(), json!({ "role": "admin" })),
        call_by("dev:alice", 3, "POST", format!("{space}/api-keys"), personal),
        call(4, "PATCH", key.clone(), json!({ "name": "changed", "scopes": ["read"] })),
        call(5, "POST", format!("{key}/rotate"), json!({ "grace_seconds": 60 })),
        call(6, "POST", format!("{key}/disable"), Value::Null),
        call(7, "POST", format!("{space}/api-keys/import"), import),
        call(8, "PATCH", space.clone(), json!({ "name": "changed" })),
        call(9, "DELETE", member, Value::Null),
        call(10, "DELETE", key, Value::Null),
        call(11, "POST", format!("{space}/api-keys/revoke-all"), Value::Null),
    ]
    .into_iter()
}

/// Whether a row is an entry of the record of changes.
fn is_entry(row: &Value) -> bool {
    row["name"].as_str().is_some_and(|name| name.starts_with("audit/"))
}

const ALONE: &str = "A10NE0";
const KEYS: u64 = 60;
/// More statements than any call has.
const MOST: u64 = 60;
