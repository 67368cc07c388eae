//! `keys update`.

use clap::Args;
use portcullis::key::Kid;
use serde_json::{Map, Value, json};

use super::fields::Fields;
use crate::api::Call;
use crate::machine;
use crate::online::Workspace;
use crate::output::{Failure, Output};
use crate::view;

#[derive(Args)]
pub(crate) struct Update {
    /// The key's id: the middle part of its text.
    #[arg(value_parser = super::kid, value_name = "KEY-ID")]
    kid: Kid,
    #[command(flatten)]
    fields: Fields,
    /// One more network it may be used from; may be repeated.
    #[arg(long, value_name = "NETWORK")]
    add_ip: Vec<String>,
    /// A network it may be used from no more; may be repeated.
    #[arg(long, value_name = "NETWORK")]
    remove_ip: Vec<String>,
    /// What is taken away: `ips` lets it be used from anywhere; may be repeated.
    #[arg(long, value_name = "FIELD", value_parser = ["expires", "not_before", "bindings", "ips", "tier", "limits"])]
    clear: Vec<String>,
    /// Only if this is its version.
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
    /// Come back when the change is in effect at every gate.
    #[arg(long)]
    wait: bool,
}

pub(super) fn update(workspace: &Workspace, update: &Update) -> Result<Output, Failure> {
    let mut body = update.fields.body(machine::now()?)?;
    for field in &update.clear {
        if body.insert(field.clone(), Value::Null).is_some() {
            return Err(Failure::usage(format!("--clear {field}: it is also set")));
        }
    }
    let target = format!("/api-keys/{}", update.kid);
    let mut version = update.if_version;
    if !update.add_ip.is_empty() || !update.remove_ip.is_empty() {
        if body.contains_key("ips") {
            return Err(Failure::usage("--clear ips: there are also --add-ip or --remove-ip"));
        }
        // The list is changed as it was read, or not at all.
        let key = workspace.get(&target)?;
        version = version.or_else(|| key.get("version").and_then(Value::as_u64));
        body.insert("ips".to_owned(), update.networks(&key)?);
    }
    if body.is_empty() {
        return Err(Failure::usage("nothing to change is named; see --help"));
    }
    changed(workspace, update, &target, body, version)
}

fn changed(
    workspace: &Workspace,
    update: &Update,
    target: &str,
    body: Map<String, Value>,
    version: Option<u64>,
) -> Result<Output, Failure> {
    let wait = if update.wait { "?wait=1" } else { "" };
    let body = Value::Object(body);
    let call = Call::change("PATCH", workspace.at(&format!("{target}{wait}")), Some(&body))?;
    let key = workspace.send(&call.of_version(version))?.body;
    let signing = key.get("signing_secret").and_then(Value::as_str).map(str::to_owned);
    Ok(match signing {
        Some(secret) => Output::new(secret, key)
            .note(format!("key {}: changed", update.kid))
            .note("this is its signing secret, shown this once"),
        None => Output::table(view::fields(&key), key),
    })
}

impl Update {
    /// The networks that are there, with those that are added and without those that are taken away.
    fn networks(&self, key: &Value) -> Result<Value, Failure> {
        let there = key.get("ips").and_then(Value::as_array);
        let mut networks: Vec<String> =
            there.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        for network in &self.remove_ip {
            let spelt = spelling(network)?;
            let before = networks.len();
            networks.retain(|own| *own != spelt);
            if networks.len() == before {
                return Err(Failure::refused(format!("--remove-ip: {spelt} is not in the list")));
            }
        }
        for network in &self.add_ip {
            let spelt = spelling(network)?;
            if !networks.contains(&spelt) {
                networks.push(spelt);
            }
        }
        if networks.is_empty() {
            return Err(Failure::refused(
                "--remove-ip: none would be left, and an empty list restricts nothing; \
                 --clear ips if that is meant",
            ));
        }
        Ok(json!(networks))
    }
}

/// A network as the API spells it.
fn spelling(text: &str) -> Result<String, Failure> {
    let list = portcullis::address::Allowlist::parse([text]);
    let list = list.map_err(|error| Failure::usage(format!("a network: {error}")))?;
    let value = serde_json::to_value(&list).unwrap_or_default();
    let spelt = value.get(0).and_then(Value::as_str);
    spelt.map(str::to_owned).ok_or_else(|| Failure::usage("a network as 203.0.113.0/24"))
}
