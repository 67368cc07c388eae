//! The members of the demo workspace, and a workspace of somebody else, by the management API itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::api::Api;
use crate::checkout::write_private;

/// Makes the development issuer's subjects what their names say, once in the life of a state folder.
///
/// The owner leaves the other workspace, so that `current` is the demo for every one of them. `owner` has to be of the policy's `bootstrap_owners`.
pub fn seed(owner: &Api, state: &Path, workspace: &str) -> Result<()> {
    let path = state.join(SEEDED);
    if path.is_file() {
        return Ok(());
    }
    for role in ["owner", "admin", "member"] {
        join(owner, workspace, role, role)?;
    }
    // Repeated under the same key, this is done once.
    let body = json!({ "name": "Somebody else's" }).to_string();
    let once = [("Idempotency-Key", "foreign")];
    let opened = owner.send("POST", "/api/v1/workspaces", &once, body.as_bytes())?;
    // 404: the owner has left it already.
    if opened.status != 404 {
        let opened = opened.json()?;
        let foreign = opened["id"].as_str().with_context(|| format!("no workspace: {opened}"))?;
        join(owner, foreign, "foreign_admin", "admin")?;
        join(owner, foreign, "foreign_owner", "owner")?;
        let target = format!("/api/v1/workspaces/{foreign}/members/dev:owner");
        owner.done("DELETE", &target, None)?;
    }
    write_private(&path, b"")
}

/// Checks that the subjects are what [`seed`] makes them.
pub fn check(gate: SocketAddr, tokens: &BTreeMap<String, String>, workspace: &str) -> Result<()> {
    for (subject, role) in [
        ("owner", Some("owner")),
        ("admin", Some("admin")),
        ("member", Some("member")),
        ("foreign_admin", None),
        ("stranger", None),
    ] {
        let api = Api::new(gate, tokens.get(subject).cloned());
        let reply = api.ask("GET", &format!("/api/v1/workspaces/{workspace}"), None)?;
        let told = reply.json()?["role"].as_str().map(str::to_owned);
        ensure!(told.as_deref() == role, "{subject}: {} {}", reply.status, reply.text());
        let current = api.ask("GET", "/api/v1/workspaces/current", None)?;
        let number = current.json()?["id"].as_str().map(str::to_owned);
        let well = match subject {
            "stranger" => current.status == 404,
            "foreign_admin" => number.is_some_and(|number| number != workspace),
            _ => number.as_deref() == Some(workspace),
        };
        ensure!(well, "{subject} at current: {} {}", current.status, current.text());
    }
    Ok(())
}

fn join(owner: &Api, workspace: &str, subject: &str, role: &str) -> Result<()> {
    let target = format!("/api/v1/workspaces/{workspace}/members/dev:{subject}");
    owner.done("PUT", &target, Some(&json!({ "role": role }))).map(drop)
}

/// Is there once that is done; gone with a fresh start.
pub const SEEDED: &str = "members";
