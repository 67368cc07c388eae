//! Fields of keys, as flags and as the API names them.

use clap::{Args, ValueEnum};
use portcullis::policy::Limits;
use serde_json::{Map, Value, json};

use crate::output::Failure;
use crate::when::{self, When};

/// What may be said of a new key and of one that is there.
#[derive(Args)]
pub(super) struct Fields {
    /// For people: the service and environment that will use it.
    #[arg(long)]
    name: Option<String>,
    /// For people: more about it.
    #[arg(long)]
    description: Option<String>,
    /// A scope, as agents:read, agents:*, read; may be repeated. They replace those there are.
    #[arg(long)]
    scope: Vec<String>,
    /// A parameter and a value it may have, as agent_id=agent-123; may be repeated. They replace those there are.
    #[arg(long, value_name = "PARAMETER=VALUE")]
    binding: Vec<String>,
    /// The only agent it may be used for: short for --binding agent_id=…; may be repeated.
    #[arg(long, value_name = "AGENT")]
    agent_id: Vec<String>,
    /// Confirms a network wider than /8 (IPv6: /16).
    #[arg(long)]
    pub(super) allow_any_network: bool,
    /// When it ends: 90d, 12h, or 2027-01-31T12:00:00Z.
    #[arg(long, value_parser = When::parse, value_name = "WHEN")]
    expires: Option<When>,
    /// How long it lasts from now on: 90d, 12h.
    #[arg(long, value_parser = when::span, value_name = "SPAN", conflicts_with = "expires")]
    ttl: Option<u64>,
    /// When it begins.
    #[arg(long, value_parser = When::parse, value_name = "WHEN")]
    not_before: Option<When>,
    /// The policy's tier that limits it.
    #[arg(long, conflicts_with_all = ["requests", "burst", "window_seconds"])]
    tier: Option<String>,
    /// Its own limit: requests in a window.
    #[arg(long, requires = "burst")]
    requests: Option<u32>,
    /// Its own limit: requests at once.
    #[arg(long, requires = "requests")]
    burst: Option<u32>,
    /// The window of that limit.
    #[arg(long, requires = "requests", default_value_t = Limits::HOUR)]
    window_seconds: u32,
    /// Whether its requests are signed.
    #[arg(long, value_enum)]
    signature: Option<Signature>,
    /// By which rules they are signed.
    #[arg(long, value_enum, value_name = "VERSION")]
    signature_version: Option<SignatureVersion>,
    /// Signature version 1: a host on which its signatures are accepted; may be repeated.
    #[arg(long, value_name = "HOST")]
    signature_host: Vec<String>,
    /// Signature version 1: requests have to have a nonce.
    #[arg(long)]
    signature_nonce: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Signature {
    /// Not looked at.
    None,
    /// If there is one it has to hold.
    Optional,
    /// The key and a signature.
    Required,
    /// A signature and the key's id; the key itself never travels.
    Only,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SignatureVersion {
    /// Three headers, as RunAgent's clients send.
    V1,
    /// RFC 9421.
    V2,
}

impl Fields {
    /// The body that says so.
    pub(super) fn body(&self, now: u64) -> Result<Map<String, Value>, Failure> {
        let mut body = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        put("name", self.name.as_ref().map(|text| json!(text)));
        put("description", self.description.as_ref().map(|text| json!(text)));
        put("scopes", (!self.scope.is_empty()).then(|| json!(self.scope)));
        put("bindings", self.bindings()?);
        put("allow_any_network", self.allow_any_network.then_some(Value::Bool(true)));
        let end = self.ttl.map(When::After).or(self.expires);
        let time = |when: When| when::rfc3339(when.seconds(now)).map(Value::from);
        put("expires", end.map(time).transpose()?);
        put("not_before", self.not_before.map(time).transpose()?);
        put("tier", self.tier.as_ref().map(|text| json!(text)));
        if let (Some(requests), Some(burst)) = (self.requests, self.burst) {
            let window = self.window_seconds;
            let limits = json!({ "requests": requests, "burst": burst, "window_seconds": window });
            put("limits", Some(limits));
        }
        put("signature", self.signature.map(|mode| json!(word(mode))));
        put("signing", self.signing());
        Ok(body)
    }

    fn bindings(&self) -> Result<Option<Value>, Failure> {
        let mut bindings: Map<String, Value> = Map::new();
        let pairs = self.binding.iter().map(|text| {
            text.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty())
        });
        let agents = self.agent_id.iter().map(|agent| Some(("agent_id", agent.as_str())));
        for pair in pairs.chain(agents) {
            let (name, value) = pair.ok_or_else(|| {
                Failure::usage("--binding: PARAMETER=VALUE, as agent_id=agent-123")
            })?;
            let values = bindings.entry(name).or_insert_with(|| json!([]));
            if let Value::Array(values) = values {
                values.push(value.into());
            }
        }
        Ok((!bindings.is_empty()).then_some(Value::Object(bindings)))
    }

    fn signing(&self) -> Option<Value> {
        let mut rules = Map::new();
        if let Some(version) = self.signature_version {
            rules.insert("version".to_owned(), json!(word(version)));
        }
        if !self.signature_host.is_empty() {
            rules.insert("hosts".to_owned(), json!(self.signature_host));
        }
        if self.signature_nonce {
            rules.insert("nonce".to_owned(), json!(true));
        }
        (!rules.is_empty()).then_some(Value::Object(rules))
    }
}

/// The word by which a value is chosen.
pub(super) fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
