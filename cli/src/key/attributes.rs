//! What a key may do, as arguments, and the record that says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use portcullis::address::Allowlist;
use portcullis::key::{self, Kid, Workspace};
use portcullis::mint::Row;
use portcullis::policy::{Limits, Name, Tier};
use portcullis::record::{Document, KeyType, Record, SecretDocument};
use portcullis::root::Keyring;
use portcullis::route::is_param_name;
use portcullis::scope::Grants;

use crate::kv::Rows;
use crate::output::Failure;
use crate::policy;
use crate::when::{self, When};

/// What a new key may do.
#[derive(Args)]
pub(super) struct Attributes {
    /// For people: the service and environment that will use it.
    #[arg(long)]
    name: String,
    /// The workspace's number: 6 of 0-9 and A-Z without I, L, O, U.
    #[arg(long, value_parser = workspace)]
    pub(super) workspace: Workspace,
    /// The part before the first `_` of a minted key.
    #[arg(long, default_value = "ak")]
    pub(super) prefix: String,
    /// What kind of bearer it is for.
    #[arg(long = "type", value_enum, default_value = "service")]
    kind: Kind,
    /// Whose key it is; for `--type personal`.
    #[arg(long)]
    subject: Option<String>,
    /// A scope, as agents:read, agents:*, read; may be repeated.
    #[arg(long)]
    scope: Vec<String>,
    /// A parameter and a value it may have, as agent_id=agent-123; may be repeated.
    #[arg(long, value_name = "PARAMETER=VALUE")]
    binding: Vec<String>,
    /// A network it may be used from, as 203.0.113.0/24; may be repeated [default: any].
    #[arg(long, value_name = "NETWORK")]
    ip: Vec<String>,
    /// Confirms a network that holds every address.
    #[arg(long)]
    yes: bool,
    /// When it ends: 90d, 12h, or 2027-01-31T12:00:00Z [default: never].
    #[arg(long, value_parser = When::parse, value_name = "WHEN")]
    expires: Option<When>,
    /// When it begins, written likewise [default: now].
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
    /// The policy that the tier and import shapes are looked up in [default: policy.toml].
    #[arg(long)]
    policy: Option<PathBuf>,
    /// How long KV's copy of the record is believed; `key renew` makes it longer.
    #[arg(long, value_parser = when::span, default_value = "365d", value_name = "SPAN")]
    fresh: u64,
    /// The file of rows to add to, for `wrangler kv bulk put`.
    #[arg(long, value_name = "FILE")]
    pub(super) kv: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// A program's.
    Service,
    /// A person's; needs --subject.
    Personal,
    /// One project's; needs --binding project_id=…
    Project,
    /// Needs --expires.
    Temporary,
}

impl Attributes {
    /// Checks the prefix, before anything is made with it.
    pub(super) fn checked_prefix(&self) -> Result<&str, Failure> {
        if key::is_prefix(&self.prefix) {
            return Ok(&self.prefix);
        }
        Err(Failure::usage(
            "--prefix: a letter a-z and 1 to 11 of a-z, 0-9, then perhaps _live or _test",
        ))
    }

    /// The record of a key with these attributes.
    pub(super) fn document(
        &self,
        kid: &Kid,
        secret: SecretDocument,
        now: u64,
    ) -> Result<Document, Failure> {
        let mut record = Document::new(kid, self.checked_prefix()?, secret, now);
        record.name = checked_name(&self.name)?;
        record.scopes = Grants::parse(self.scope.iter().map(String::as_str))
            .map_err(|error| Failure::usage(format!("--scope: {error}")))?;
        record.bindings = bindings(&self.binding)?;
        record.ips = self.networks()?;
        record.expires = self.expires.map(|when| when.seconds(now));
        record.not_before = self.not_before.map(|when| when.seconds(now));
        record.fresh_until = now.saturating_add(self.fresh);
        let start = record.not_before.unwrap_or(now);
        if record.expires.is_some_and(|end| end <= start) {
            return Err(Failure::usage("--expires: the key would end before it begins"));
        }
        self.set_kind(&mut record)?;
        self.set_limits(&mut record)?;
        Ok(record)
    }

    /// The policy, if one was named or `needed`.
    pub(super) fn policy(
        &self,
        needed: bool,
    ) -> Result<Option<portcullis::policy::Document>, Failure> {
        match &self.policy {
            Some(path) => policy::read(path).map(Some),
            None if needed => policy::read(Path::new("policy.toml")).map(Some),
            None => Ok(None),
        }
    }

    /// Adds rows to the file, if there is one.
    pub(super) fn store(&self, rows: &[Row]) -> Result<(), Failure> {
        let Some(path) = &self.kv else { return Ok(()) };
        let mut file = Rows::read_or_empty(path)?;
        rows.iter().for_each(|row| file.put(row));
        file.write(path)
    }

    fn networks(&self) -> Result<Option<Allowlist>, Failure> {
        if self.ip.is_empty() {
            return Ok(None);
        }
        let list = Allowlist::parse(self.ip.iter().map(String::as_str))
            .map_err(|error| Failure::usage(format!("--ip: {error}")))?;
        let every = list.networks().find(|network| network.prefix_len() == 0);
        match every {
            Some(network) if !self.yes => Err(Failure::usage(format!(
                "--ip: {network} holds every address, so the list restricts nothing; \
                 leave --ip out, or add --yes if that is meant"
            ))),
            _ => Ok(Some(list)),
        }
    }

    fn set_kind(&self, record: &mut Document) -> Result<(), Failure> {
        record.kind = match self.kind {
            Kind::Service => KeyType::Service,
            Kind::Personal => KeyType::Personal,
            Kind::Project => KeyType::Project,
            Kind::Temporary => KeyType::Temporary,
        };
        let visible = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        let problem = match (self.kind, &self.subject) {
            (Kind::Personal, None) => Some("--type personal needs --subject"),
            (Kind::Personal, Some(subject)) if !visible(subject) => {
                Some("--subject: visible ASCII characters without spaces")
            }
            (Kind::Personal, Some(_)) => None,
            (_, Some(_)) => Some("--subject: for --type personal only"),
            (Kind::Project, None) if !record.bindings.contains_key("project_id") => {
                Some("--type project needs --binding project_id=…")
            }
            (Kind::Temporary, None) if record.expires.is_none() => {
                Some("--type temporary needs --expires")
            }
            (Kind::Service | Kind::Project | Kind::Temporary, None) => None,
        };
        record.subject.clone_from(&self.subject);
        problem.map_or(Ok(()), |problem| Err(Failure::usage(problem)))
    }

    fn set_limits(&self, record: &mut Document) -> Result<(), Failure> {
        if let Some(tier) = &self.tier {
            let policy = self.policy(true)?;
            if !policy
                .iter()
                .flat_map(|policy| &policy.tiers)
                .any(|known| known.name.as_str() == tier)
            {
                return Err(Failure::usage("--tier: the policy has no such tier"));
            }
            record.tier = Some(tier.clone());
        }
        if let (Some(requests), Some(burst)) = (self.requests, self.burst) {
            let limits = Limits::new(requests, self.window_seconds, burst);
            record.limits = Some(limits.map_err(Failure::usage)?);
        }
        Ok(())
    }
}

/// Seals a record and holds it against the gate's own reading of it.
pub(super) fn sealed(keyring: &Keyring, record: &Document) -> Result<Row, Failure> {
    let kid = super::kid(&record.kid)?;
    let row = record.row(keyring.newest()).ok_or_else(|| Failure::refused("the kid is not one"))?;
    let tiers = record.tier.as_deref().map(stand_in).transpose()?;
    let tiers = tiers.as_slice();
    Record::open(keyring, &kid, tiers, row.value.as_bytes())
        .map_err(|unusable| Failure::refused(format!("the record is {}", unusable.as_str())))?;
    Ok(row)
}

/// A tier of this name: that the policy has it was checked, or is not ours to change.
fn stand_in(name: &str) -> Result<Tier, Failure> {
    let name = Name::parse(name).map_err(Failure::refused)?;
    let limits = Limits::new(1, Limits::HOUR, 1).map_err(Failure::refused)?;
    Ok(Tier { name, limits, shadow: None })
}

fn checked_name(name: &str) -> Result<String, Failure> {
    let fits =
        (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits {
        Ok(name.to_owned())
    } else {
        Err(Failure::usage("--name: 1 to 100 characters, none a control character"))
    }
}

fn bindings(texts: &[String]) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let mut bindings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in texts {
        let (name, value) = text
            .split_once('=')
            .filter(|(name, value)| is_param_name(name) && !value.is_empty())
            .ok_or_else(|| Failure::usage("--binding: PARAMETER=VALUE, as agent_id=agent-123"))?;
        let values = bindings.entry(name.to_owned()).or_default();
        if !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }
    Ok(bindings)
}

fn workspace(text: &str) -> Result<Workspace, String> {
    Workspace::parse(text).ok_or_else(|| "6 of 0-9 and A-Z without I, L, O, U".to_owned())
}

const MAX_NAME: usize = 100;
