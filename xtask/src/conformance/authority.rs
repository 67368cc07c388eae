//! The Worker that holds the Workspaces: what it answers, and what becomes of it when its Wasm fails.

use anyhow::{Result, ensure};
use portcullis::workspace::call::{Answer, Call};
use serde_json::json;

use super::{Bench, DOCS};

/// Its default entrypoint has nothing to give.
pub fn not_found(bench: &mut Bench) -> Result<()> {
    for (method, accept) in
        [("GET", "*/*"), ("POST", "*/*"), ("HEAD", "*/*"), ("GET", "application/problem+json")]
    {
        for path in ["/", "/healthz", "/v1/agents"] {
            let reply = bench.control()?.authority(method, path, accept)?;
            ensure!(reply.status == 404, "{method} {path}: {}", reply.status);
            let code = bench.check_own_answer(&reply, method == "HEAD")?;
            ensure!(method == "HEAD" || code == "NOT_FOUND", "{method} {path}: {code}, not {DOCS}");
        }
    }
    Ok(())
}

/// A trap in the midst of a call: that call fails and leaves nothing, the next finds a new Wasm.
pub fn trap(bench: &mut Bench) -> Result<()> {
    // A Wasm that has read its root already does not read it again.
    bench.restart()?;
    let control = bench.control()?;
    let open = Call::Open { workspace: NUMBER.to_owned() };
    control
        .set_workspace_faults(NUMBER, &json!({ "kind": "trap", "ops": ["open"], "count": 1 }))?;
    let failed = control.workspace(NUMBER, &open, false);
    ensure!(failed.is_err(), "the trap: {failed:?}");
    ensure!(control.workspace_rows(NUMBER)? == json!([]), "rows are left behind");
    for time in ["first", "second"] {
        let answer = control.workspace(NUMBER, &open, false)?;
        ensure!(answer == Answer::Done, "the {time} after: {answer:?}");
    }
    let log = bench.server.as_ref().map(crate::workerd::Server::log).unwrap_or_default();
    ensure!(log.contains("portcullis: panicked"), "the log: {log}");
    Ok(())
}

const NUMBER: &str = "TRAPED";
