//! A throw between any two statements of a mutation leaves no part of it behind.

use anyhow::{Context, Result};
use portcullis::lease::{CallId, Report};
use portcullis::record::Status;
use portcullis::workspace::call::{Admit, Answer, Call};
use serde_json::json;

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
    let kid = first.document.kid.clone();
    let lease = CallId::new([7; 16]);
    let admit = |want, reports| Admit {
        id: if want > 1 { lease.clone() } else { CallId::new([8; 16]) },
        kid: kid.clone(),
        version: 1,
        coins: 1,
        want,
        ahead: false,
        millis: 2000,
        reports,
        denied: vec![("PERMISSION_DENIED".to_owned(), 1)],
        replaced: vec![(0, 1)],
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
                reports: vec![report(3, false)],
                denied: vec![],
                replaced: vec![],
            },
        ),
        ("admit", Call::Admit(admit(1, vec![report(5, true)]))),
        ("copied", copied()),
        ("status", Call::SetStatus { kid: kid.clone(), status: Status::Revoked }),
        ("due", Call::Due),
        ("revoke-all", Call::RevokeAll),
        ("due", Call::Due),
        ("copied", copied()),
    ];
    let control = stage.gate.server.control;
    // No copies are made meanwhile: what the alarm changes would be taken for a part.
    control.set_faults(&json!({ "kv": { "kind": "hang", "ops": ["put"] } }))?;
    let (mut throws, mut statements) = (0, Vec::new());
    for (word, call) in calls {
        let mut statement = 0;
        loop {
            let before = control.workspace_rows(ALONE)?;
            let fault =
                json!({ "kind": "throw", "statement": statement, "ops": [word], "count": 1 });
            control.set_workspace_faults(ALONE, &fault)?;
            let answer = stage.call(ALONE, &call);
            control.set_workspace_faults(ALONE, &json!([]))?;
            if let Ok(answer) = answer {
                let well = !matches!(answer, Answer::Conflict { .. } | Answer::Broken { .. });
                verdict.require(well, || format!("{word}: {answer:?}"));
                break;
            }
            if statement >= MOST {
                return answer.map(drop).context(word);
            }
            let after = control.workspace_rows(ALONE)?;
            verdict.require(before == after, || {
                format!("{word}: a throw at statement {statement} left something behind")
            });
            throws += 1;
            statement += 1;
        }
        statements.push(format!("{word}: {statement}"));
    }
    control.clear_faults()?;
    verdict.figure("throws_inside_mutations", throws);
    verdict.figure("statements", statements);
    Ok(())
}

const ALONE: &str = "A10NE0";
const KEYS: u64 = 60;
/// More statements than any call has.
const MOST: u64 = 60;
