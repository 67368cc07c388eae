//! `workspace members`.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::Nothing;
use crate::online::{Connection, Online};
use crate::output::{Failure, Output};
use crate::table::Table;
use crate::view;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Members {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand)]
enum Verb {
    /// List them.
    List(Online<Nothing>),
    /// Make somebody a member, or change the role.
    Set(Online<Set>),
    /// End a membership; personal keys of it are revoked.
    Remove(Online<Remove>),
}

#[derive(Args)]
struct Set {
    /// The issuer's name in the policy and its subject, as dev:alice.
    member: String,
    /// What the member may do.
    #[arg(value_enum)]
    role: Role,
}

#[derive(Args)]
struct Remove {
    /// The issuer's name in the policy and its subject, as dev:alice.
    member: String,
    /// Come back when the revoked keys work no more.
    #[arg(long)]
    wait: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    Member,
    Admin,
    Owner,
}

pub(super) fn run(members: Members) -> Result<Output, Failure> {
    match members.verb {
        None => list(&members.connection),
        Some(Verb::List(online)) => list(&online.connection),
        Some(Verb::Set(Online { verb, connection })) => {
            let role = verb.role.to_possible_value();
            let body = json!({ "role": role.as_ref().map(clap::builder::PossibleValue::get_name) });
            let target = format!("/members/{}", encoded(&verb.member));
            let body = connection.workspace()?.change("PUT", &target, Some(&body))?.body;
            Ok(Output::table(view::fields(&body), body))
        }
        Some(Verb::Remove(Online { verb, connection })) => {
            let wait = if verb.wait { "?wait=1" } else { "" };
            let target = format!("/members/{}{wait}", encoded(&verb.member));
            let body = connection.workspace()?.change("DELETE", &target, None)?.body;
            Ok(Output::table(view::fields(&body), body))
        }
    }
}

fn list(connection: &Connection) -> Result<Output, Failure> {
    let body = connection.workspace()?.get("/members")?;
    let members = body.get("members").and_then(Value::as_array);
    let rows = members.into_iter().flatten().map(|member| {
        ["member", "role", "added", "added_by"].map(|name| view::field(member, name)).to_vec()
    });
    let table = Table::new(&["MEMBER", "ROLE", "ADDED", "ADDED BY"], rows.collect());
    Ok(Output::table(table, body))
}

/// A member as a segment of a path, in the one spelling that the API takes: escaped only where it has to be.
fn encoded(member: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte);
    let one = |byte: u8| {
        if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    member.bytes().map(one).collect()
}
