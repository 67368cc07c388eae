//! Gates with the management API, the development issuer, and those who ask.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use portcullis::key::Kid;
use portcullis::record::kv_name;
use serde_json::{Value, json};

use super::site::{Gate, Site, TIMEOUT, free_ports};
use super::upstream::Upstream;
use crate::api::Api;
use crate::http::Reply;
use crate::issuer::Issuer;
use crate::workerd::Options;

/// The gates, what is behind them, and the issuer.
pub(super) struct Desk {
    name: &'static str,
    pub(super) site: Site,
    options: Options,
    gate: Option<Gate>,
    issuer: Issuer,
    _origin: Upstream,
}

impl Desk {
    /// Starts gates with the policy of the management proofs and nothing stored.
    pub(super) fn start(site: &Site, name: &'static str, isolates: u16) -> Result<Self> {
        Self::of(Site::with_policy(&site.checkout, "management")?, name, isolates, None)
    }

    /// The same with the product's policy.
    pub(super) fn product(site: &Site, name: &'static str) -> Result<Self> {
        Self::of(Site::product(&site.checkout)?, name, 1, None)
    }

    /// The same with the policy of alerts, and a receiver at this address.
    pub(super) fn hooked(site: &Site, name: &'static str, receiver: SocketAddr) -> Result<Self> {
        Self::of(Site::with_policy(&site.checkout, "webhooks")?, name, 1, Some(receiver))
    }

    fn of(
        site: Site,
        name: &'static str,
        isolates: u16,
        receiver: Option<SocketAddr>,
    ) -> Result<Self> {
        let origin = Upstream::start(|_, wire| wire.ok(""))?;
        let issuer = Issuer::start(0, &site.folder(name)?)?;
        let options = Options {
            isolates,
            port: free_ports(isolates)?,
            issuer: Some(issuer.address),
            receiver,
            ..site.options(origin.address)?
        };
        let gate = Some(site.start(name, true, &options)?);
        Ok(Self { name, site, options, gate, issuer, _origin: origin })
    }

    /// The running process.
    pub(super) fn gate(&self) -> Result<&Gate> {
        self.gate.as_ref().context("the gate did not start again")
    }

    /// Kills the process (SIGKILL). It stays down until [`Desk::restart`].
    pub(super) fn kill(&self) -> Result<()> {
        let pid = self.gate()?.server.pid.to_string();
        let killed = Command::new("kill").args(["-KILL", &pid]).status();
        ensure!(killed.context("cannot kill")?.success(), "workerd could not be killed");
        Ok(())
    }

    /// Starts it again on the state it left.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.gate = None;
        self.gate = Some(self.site.start(self.name, false, &self.options)?);
        Ok(())
    }

    /// Where rows and objects are kept.
    pub(super) fn folder(&self) -> Result<PathBuf> {
        self.site.folder(self.name)
    }

    /// A subject of the issuer.
    pub(super) fn subject(&self, subject: &str) -> Result<Api> {
        Ok(Api::new(self.gate()?.address, Some(self.token(subject)?)))
    }

    /// Its token.
    pub(super) fn token(&self, subject: &str) -> Result<String> {
        self.issuer.token(subject)
    }

    /// Whoever has this key, or nothing.
    pub(super) fn bearer(&self, key: Option<String>) -> Result<Api> {
        Ok(Api::new(self.gate()?.address, key))
    }

    /// A new workspace: the path of it.
    pub(super) fn workspace(&self) -> Result<String> {
        let owner = self.subject("owner")?;
        let opened = owner.done("POST", WORKSPACES, Some(&json!({ "name": self.name })))?;
        Ok(format!("{WORKSPACES}/{}", text(&opened, "id")?))
    }

    /// What KV holds of a key.
    pub(super) fn row(&self, kid: &str) -> Result<Option<Vec<u8>>> {
        let kid = Kid::parse(kid).context("kid")?;
        self.gate()?.server.control.row(&kv_name(&kid))
    }
}

/// Makes somebody a member of a workspace, by the path of it.
pub(super) fn join(owner: &Api, workspace: &str, member: &str, role: &str) -> Result<()> {
    let target = format!("{workspace}/members/{member}");
    owner.done("PUT", &target, Some(&json!({ "role": role }))).map(drop)
}

/// A new key that may do anything: its kid and text.
pub(super) fn create(api: &Api, workspace: &str, fields: &Value) -> Result<(String, String)> {
    let mut body = json!({ "name": "proof", "scopes": ["*:*"] });
    for (name, value) in fields.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let made = api.done("POST", &format!("{workspace}/api-keys"), Some(&body))?;
    Ok((text(&made, "id")?, text(&made, "secret")?))
}

/// A member of an object that is text.
pub(super) fn text(object: &Value, name: &str) -> Result<String> {
    Ok(object[name].as_str().with_context(|| format!("no {name}: {object}"))?.to_owned())
}

/// The value of `code` in a refusal.
pub(super) fn code(reply: &Reply) -> String {
    super::site::code(reply)
}

/// Waits until something holds; whether it did in time.
pub(super) fn until(mut holds: impl FnMut() -> Result<bool>) -> Result<bool> {
    let deadline = Instant::now() + TIMEOUT;
    while !holds()? {
        if Instant::now() > deadline {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(true)
}

/// Whether every entry of the record of changes fits the one before it; how many there are.
pub(super) fn verify(api: &Api, workspace: &str) -> Result<(bool, u64)> {
    let (mut from, mut entries) = (1, 0);
    loop {
        let told = api.done("GET", &format!("{workspace}/audit/verify?from={from}"), None)?;
        entries += told["entries"].as_u64().context("entries")?;
        match told["next"].as_u64() {
            Some(next) => from = next,
            None => return Ok((told["intact"] == true, entries)),
        }
    }
}

pub(super) const WORKSPACES: &str = "/api/v1/workspaces";
