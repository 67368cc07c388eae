//! Rotating, holding back, revoking.

use clap::Args;
use portcullis::key::Kid;
use serde_json::{Value, json};

use super::create::{Shown, handed_over};
use crate::online::Online;
use crate::output::{Failure, Output};
use crate::view;
use crate::when;

#[derive(Args)]
pub(crate) struct Rotate {
    /// The key's id: the middle part of its text.
    #[arg(value_parser = super::kid, value_name = "KEY-ID")]
    kid: Kid,
    /// How long the secrets so far go on working.
    #[arg(long, value_parser = grace, default_value = "7d", value_name = "SPAN")]
    grace: u64,
    /// Replace the secret by which its requests are signed.
    #[arg(long)]
    signing: bool,
    /// Come back when the change is in effect at every gate.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Args)]
pub(crate) struct Turn {
    /// The key's id: the middle part of its text.
    #[arg(value_parser = super::kid, value_name = "KEY-ID")]
    kid: Kid,
    /// Come back when the change is in effect at every gate.
    #[arg(long)]
    wait: bool,
}

#[derive(Args)]
pub(crate) struct RevokeAll {
    /// Say that every key is meant.
    #[arg(long)]
    yes: bool,
    /// Come back when no key works any more.
    #[arg(long)]
    wait: bool,
}

pub(super) fn rotate(Online { verb, connection }: &Online<Rotate>) -> Result<Output, Failure> {
    verb.shown.check(connection)?;
    let mut body = json!({ "grace_seconds": verb.grace });
    if let (true, Some(fields)) = (verb.signing, body.as_object_mut()) {
        fields.insert("of".to_owned(), "signing".into());
    }
    let target = format!("/api-keys/{}/rotate{}", verb.kid, query(verb.wait));
    let reply = connection.workspace()?.change("POST", &target, Some(&body))?;
    handed_over(connection, reply.body, reply.replayed, &verb.shown)
}

pub(super) fn turn(
    Online { verb, connection }: &Online<Turn>,
    how: &str,
) -> Result<Output, Failure> {
    let target = format!("/api-keys/{}/{how}{}", verb.kid, query(verb.wait));
    connection.workspace()?.change("POST", &target, None).map(|reply| told(reply.body))
}

pub(super) fn revoke(Online { verb, connection }: &Online<Turn>) -> Result<Output, Failure> {
    let target = format!("/api-keys/{}{}", verb.kid, query(verb.wait));
    connection.workspace()?.change("DELETE", &target, None).map(|reply| told(reply.body))
}

pub(super) fn revoke_all(
    Online { verb, connection }: &Online<RevokeAll>,
) -> Result<Output, Failure> {
    if !verb.yes {
        return Err(Failure::usage("this ends every key of the workspace, for good: add --yes"));
    }
    let target = format!("/api-keys/revoke-all{}", query(verb.wait));
    connection.workspace()?.change("POST", &target, None).map(|reply| told(reply.body))
}

const fn query(wait: bool) -> &'static str {
    if wait { "?wait=1" } else { "" }
}

fn told(body: Value) -> Output {
    Output::table(view::fields(&body), body)
}

/// A span, or none.
fn grace(text: &str) -> Result<u64, String> {
    if matches!(text, "0" | "0s") { Ok(0) } else { when::span(text) }
}
