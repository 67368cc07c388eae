//! The Worker that holds the Workspaces: what it answers, and what becomes of it when its Wasm fails.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, ensure};
use portcullis::root::Keyring;
use portcullis::workspace::call::{Answer, Call};
use serde_json::json;

use super::fault::DOCS;
use super::{Bench, TIMEOUT};
use crate::http::{Reply, exchange};
use crate::keys::{self, Spec};
use crate::vectors;
use crate::workerd::Management;

/// Its default entrypoint serves the admin host and no other.
pub fn other_hosts(bench: &mut Bench) -> Result<()> {
    for (method, accept) in
        [("GET", "*/*"), ("POST", "*/*"), ("HEAD", "*/*"), ("GET", "application/problem+json")]
    {
        for path in ["/", "/healthz", "/v1/agents"] {
            let reply = bench.control()?.authority(method, path, accept)?;
            ensure!(reply.status == 421, "{method} {path}: {}", reply.status);
            let code = bench.check_own_answer(&reply, method == "HEAD")?;
            ensure!(
                method == "HEAD" || code == "UNKNOWN_HOST",
                "{method} {path}: {code}, not {DOCS}"
            );
        }
    }
    Ok(())
}

/// The management API is not bound, or does not answer: health is the gate's own.
pub fn out_of_reach(bench: &mut Bench) -> Result<()> {
    let cases = [
        (Management::Unbound, 404, "NOT_FOUND"),
        (Management::Unreachable, 503, "AUTH_UNAVAILABLE"),
    ];
    let outcome = cases.into_iter().try_for_each(|(management, status, code)| {
        bench.options.management = management;
        bench.restart()?;
        for (method, accept) in
            [("GET", "*/*"), ("POST", "*/*"), ("HEAD", "*/*"), ("GET", "application/problem+json")]
        {
            let reply = admin(bench, method, "/api/v1/me", accept)?;
            ensure!(reply.status == status, "{management:?}: {method}: {}", reply.status);
            let actual = bench.check_own_answer(&reply, method == "HEAD")?;
            ensure!(method == "HEAD" || actual == code, "{management:?}: {method}: {actual}");
        }
        ensure!(admin(bench, "GET", "/healthz", "*/*")?.status == 200, "{management:?}: health");
        Ok(())
    });
    bench.options.management = Management::Served;
    bench.restart()?;
    outcome
}

fn admin(bench: &Bench, method: &str, path: &str, accept: &str) -> Result<Reply> {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: portcullis.localhost\r\n");
    exchange(bench.address, format!("{head}Accept: {accept}\r\n\r\n").as_bytes(), TIMEOUT)
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
    // What it writes comes by a pipe.
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        let log = bench.server.as_ref().map(crate::workerd::Server::log).unwrap_or_default();
        if log.contains("portcullis: panicked") {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the log: {log}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An alarm that the runtime has given up: what is to be copied to KV is copied once the object wakes.
pub fn lost_alarm(bench: &mut Bench) -> Result<()> {
    let keyring = Keyring::parse(&vectors::root())?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let (_, document) = keys::native(keyring.newest(), &[0x6c; 32], &SPEC, now)?;
    let name = format!("k1:{}", document.kid);
    let control = bench.control()?;
    control.set_faults(&json!({ "kv": { "kind": "error", "ops": ["put"], "prefix": name } }))?;
    for call in [
        Call::Open { workspace: keys::WORKSPACE.to_owned() },
        Call::Put { document: Box::new(document), replaces: 0 },
    ] {
        let answer = control.workspace(keys::WORKSPACE, &call, false)?;
        ensure!(matches!(answer, Answer::Done | Answer::Written { .. }), "{answer:?}");
    }
    std::thread::sleep(Duration::from_millis(300));
    ensure!(control.row(&name)?.is_none(), "KV has it in spite of the fault");
    control.forget_alarm(keys::WORKSPACE)?;
    bench.restart()?;
    let control = bench.control()?;
    ensure!(control.row(&name)?.is_none(), "nobody has woken the object");
    control.workspace_rows(keys::WORKSPACE)?;
    let deadline = Instant::now() + Duration::from_secs(5);
    while control.row(&name)?.is_none() {
        ensure!(Instant::now() < deadline, "the object woke and copied nothing");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A text that is no call, as it would be with tabs in a key's name, is answered and holds nobody up.
pub fn nonsense(bench: &mut Bench) -> Result<()> {
    let control = bench.control()?;
    control.workspace(NUMBER, &Call::Open { workspace: NUMBER.to_owned() }, false)?;
    for (text, expected) in [
        ("record v=1", "broken row="),
        ("record v=1 kid=a\tb\t5", "broken row="),
        ("admit v=1 id=1", "broken row="),
        ("put v=1\n{}", "broken row="),
        ("what v=1", "broken row="),
        ("", "version newest=1"),
        ("due v=9", "version newest=1"),
    ] {
        let answer = control.workspace_text(NUMBER, text)?;
        ensure!(answer == expected, "{text:?}: {answer}");
    }
    Ok(())
}

const SPEC: Spec<'_> = Spec { name: "copied", scopes: &["agents:read"], change: |_, _| () };
const NUMBER: &str = "TRAPED";
