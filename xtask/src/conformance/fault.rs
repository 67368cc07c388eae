//! The form of an answer of the gate's own.

use anyhow::{Context, Result, ensure};

use crate::http::Reply;
use crate::vectors::World;

/// What holds for every answer of the gate's own: its headers, its body's form, that it repeats no
/// secret, and that it explains its code on this page, or on none. The code, but after `HEAD`.
pub fn check(world: &World, reply: &Reply, head: bool, docs: Option<&str>) -> Result<String> {
    let header = |name| reply.header(name).with_context(|| format!("no {name}"));
    ensure!(header("cache-control")? == "no-store", "not no-store");
    ensure!(header("x-content-type-options")? == "nosniff", "not nosniff");
    let request_id = header("x-request-id")?;
    ensure!(request_id.len() == 32, "request id {request_id}");
    if reply.status == 401 {
        ensure!(header("www-authenticate")?.starts_with("Bearer realm="), "no challenge");
    }
    let everything = format!("{:?} {}", reply.headers, reply.text());
    for (name, key) in &world.keys {
        ensure!(!everything.contains(key.as_str()), "the answer holds the key {name}");
    }
    if head {
        ensure!(reply.body.is_empty(), "a body after HEAD");
        return Ok(String::new());
    }
    let json = reply.json()?;
    let problem = header("content-type")? == "application/problem+json";
    let body = if problem { &json } else { &json["error"] };
    let code = body["code"].as_str().context("no code")?.to_owned();
    ensure!(body["status"] == reply.status, "another status in the body: {body}");
    ensure!(body["request_id"] == request_id, "another request id in the body");
    let doc = if problem { &body["type"] } else { &body["doc_url"] };
    let expected = docs.map(|docs| format!("{docs}#{code}"));
    let none = problem.then(|| "about:blank".to_owned());
    ensure!(doc.as_str() == expected.or(none).as_deref(), "doc_url {doc}");
    let wait = reply.header("retry-after").map(str::parse::<u64>).transpose()?;
    ensure!(body["retry_after"].as_u64() == wait, "another retry_after in the body");
    ensure!(wait.is_none_or(|wait| wait > 0), "retry at once");
    Ok(code)
}

/// The page, as in the policy.
pub const DOCS: &str = "https://docs.test/errors";
