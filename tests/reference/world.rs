//! What a gate is deployed with, and what keys there are: as the reference sees it, and written for the core.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::spell::Root;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Strict,
    Lease,
    Edge,
}

/// Requests in each window, its seconds, requests at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub requests: u64,
    pub window: u64,
    pub burst: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub coins: u64,
    pub period: &'static str,
}

#[derive(Clone, Debug, Default)]
pub struct Route {
    pub methods: Vec<&'static str>,
    pub path: String,
    pub product: Option<usize>,
    pub by_url: bool,
    /// `key`, `session`, `oauth`, or `public` alone.
    pub credentials: Vec<&'static str>,
    pub scope: Option<&'static str>,
    pub bindings: Vec<&'static str>,
    pub subject: Option<&'static str>,
    pub is_signed: bool,
    pub ips: Vec<&'static str>,
    pub cors: Vec<&'static str>,
    pub mode: Option<Mode>,
    pub cost: u64,
    pub body_limit: Option<u64>,
    pub upgrade: bool,
    pub allow: Vec<&'static str>,
}

#[derive(Clone, Debug, Default)]
pub struct Product {
    pub hosts: Vec<usize>,
    pub limits: Option<Limits>,
    pub budget: Option<Budget>,
}

/// What the policy says of one workspace.
#[derive(Clone, Debug, Default)]
pub struct Own {
    pub mode: Option<Mode>,
    pub limits: Option<Limits>,
    pub budget: Option<Budget>,
    pub degrades: Option<bool>,
}

#[derive(Clone, Debug)]
pub struct Issuer {
    pub name: &'static str,
    pub iss: &'static str,
    pub audience: &'static str,
    pub is_session: bool,
    pub typ: Option<&'static str>,
    pub header: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub struct StaticKey {
    pub name: &'static str,
    pub text: String,
    pub scopes: Vec<&'static str>,
    pub ips: Vec<&'static str>,
    pub bindings: BTreeMap<&'static str, Vec<&'static str>>,
}

#[derive(Clone, Debug)]
pub struct Policy {
    pub hosts: Vec<&'static str>,
    pub admin_host: &'static str,
    pub usage_path: Option<&'static str>,
    pub mode: Mode,
    pub lease_seconds: u64,
    pub degrades: bool,
    pub signed_bytes: u64,
    pub shared: Option<Limits>,
    pub budget: Option<Budget>,
    pub products: Vec<Product>,
    pub workspaces: BTreeMap<String, Own>,
    pub tiers: Vec<(&'static str, Limits)>,
    pub static_keys: Vec<StaticKey>,
    pub issuers: Vec<Issuer>,
    pub routes: Vec<Route>,
    /// The second of its commit.
    pub built: u64,
}

#[derive(Clone, Debug)]
pub struct Secret {
    pub generation: u8,
    pub root: usize,
    /// The whole key, as its holder has it.
    pub text: String,
    pub expires: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct Signing {
    pub is_v2: bool,
    pub hosts: Vec<&'static str>,
    pub nonce: bool,
    /// Generation, root, end.
    pub secrets: Vec<(u8, usize, Option<u64>)>,
}

#[derive(Clone, Debug)]
pub struct Key {
    pub kid: String,
    pub prefix: &'static str,
    pub kind: &'static str,
    pub subject: Option<&'static str>,
    pub status: &'static str,
    pub not_before: Option<u64>,
    pub expires: Option<u64>,
    pub scopes: Vec<&'static str>,
    pub bindings: BTreeMap<&'static str, Vec<&'static str>>,
    pub ips: Vec<&'static str>,
    pub tier: Option<usize>,
    pub limits: Option<Limits>,
    pub signature: &'static str,
    pub signing: Option<Signing>,
    pub secrets: Vec<Secret>,
    pub version: u64,
    pub fresh_until: u64,
    pub is_imported: bool,
}

/// What KV has under a name.
#[derive(Clone, Debug)]
pub struct Row {
    pub text: String,
    pub meaning: Meaning,
}

#[derive(Clone, Debug)]
pub enum Meaning {
    Record(Box<Key>),
    Pointer(String),
    /// Nothing that may be believed.
    Broken,
}

impl Limits {
    fn json(&self) -> Value {
        json!({"requests": self.requests, "window_seconds": self.window, "burst": self.burst})
    }
}

impl Budget {
    fn json(&self) -> Value {
        json!({"coins": self.coins, "period": self.period})
    }
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Lease => "lease",
            Self::Edge => "edge",
        }
    }
}

impl Key {
    pub fn workspace(&self) -> &str {
        &self.kid[1..7]
    }

    pub fn name(&self) -> String {
        format!("k1:{}", self.kid)
    }

    /// The seconds in which something of it begins or ends.
    pub fn edges(&self) -> impl Iterator<Item = u64> {
        let secrets = self.secrets.iter().filter_map(|own| own.expires);
        let signing = self.signing.iter().flat_map(|own| &own.secrets);
        let dates = self.expires.into_iter().chain(self.not_before);
        dates.chain(secrets).chain(signing.filter_map(|(.., end)| *end))
    }

    /// Its record, by the table of ARCHITECTURE.
    pub fn json(&self, roots: &[Root], policy: &Policy) -> String {
        let secret = |own: &Secret| {
            let root = &roots[own.root];
            let digest = if self.is_imported {
                root.digest_of_hash(&own.text)
            } else {
                root.digest(own.text.as_bytes())
            };
            with(
                json!({"generation": own.generation, "root": root.version, "digest": digest}),
                [("expires", own.expires.map(Value::from))],
            )
        };
        let signing = self.signing.as_ref().map(|own| {
            let secret = |(generation, root, expires): &(u8, usize, Option<u64>)| {
                with(
                    json!({"generation": generation, "root": roots[*root].version}),
                    [("expires", expires.map(Value::from))],
                )
            };
            let secrets: Vec<_> = own.secrets.iter().map(secret).collect();
            with(
                json!({"version": if own.is_v2 { "v2" } else { "v1" }, "secrets": secrets}),
                [("hosts", list(&own.hosts)), ("nonce", own.nonce.then_some(Value::Bool(true)))],
            )
        });
        let bindings = (!self.bindings.is_empty()).then(|| json!(self.bindings));
        with(
            json!({
                "v": 1, "kid": self.kid, "name": "x", "type": self.kind, "prefix": self.prefix,
                "created": 1_600_000_000, "status": self.status, "scopes": self.scopes,
                "signature": self.signature, "version": self.version, "fresh_until": self.fresh_until,
                "secrets": self.secrets.iter().map(secret).collect::<Vec<_>>(),
            }),
            [
                ("subject", self.subject.map(Value::from)),
                ("not_before", self.not_before.map(Value::from)),
                ("expires", self.expires.map(Value::from)),
                ("bindings", bindings),
                ("ips", list(&self.ips)),
                ("tier", self.tier.map(|tier| Value::from(policy.tiers[tier].0))),
                ("limits", self.limits.map(|limits| limits.json())),
                ("signing", signing),
            ],
        )
        .to_string()
    }
}

impl Policy {
    /// The compiled form.
    pub fn json(&self, roots: &[Root]) -> String {
        let product = |(at, own): (usize, &Product)| {
            let hosts = (!own.hosts.is_empty()).then(|| json!(own.hosts));
            with(
                json!({"name": format!("p{at}")}),
                [
                    ("hosts", hosts),
                    ("limits", own.limits.map(|limits| limits.json())),
                    ("budget", own.budget.map(|budget| budget.json())),
                ],
            )
        };
        let own = |(number, own): (&String, &Own)| {
            with(
                json!({"workspace": number}),
                [
                    ("mode", own.mode.map(|mode| Value::from(mode.word()))),
                    ("limits", own.limits.map(|limits| limits.json())),
                    ("budget", own.budget.map(|budget| budget.json())),
                    ("on_workspace_down", own.degrades.map(on_workspace_down)),
                ],
            )
        };
        let mut names: Vec<_> = self.static_keys.iter().collect();
        names.dedup_by_key(|own| own.name);
        let static_key = |own: &&StaticKey| {
            let bindings = (!own.bindings.is_empty()).then(|| json!(own.bindings));
            with(
                json!({"name": own.name, "workspace": STATIC_WORKSPACE, "scopes": own.scopes}),
                [("ips", list(&own.ips)), ("bindings", bindings)],
            )
        };
        let issuer = |own: &Issuer| {
            with(
                json!({
                    "name": own.name, "issuer": own.iss, "jwks": format!("{}/jwks", own.iss),
                    "audiences": [own.audience], "leeway_seconds": 30,
                    "credential": if own.is_session { "session" } else { "oauth" },
                }),
                [
                    ("types", own.typ.map(|typ| json!([typ]))),
                    ("header", own.header.map(Value::from)),
                ],
            )
        };
        let origin = |(name, upstream): (&str, Value)| json!({"name": name, "timeout_ms": 1500, "upstream": upstream});
        let origins = [
            ("far", json!({"url": {"base": "http://far.test"}})),
            ("near", json!({"service": {"binding": "ORIGIN"}})),
        ];
        with(
            json!({
                "version": 1, "hosts": self.hosts, "admin_host": self.admin_host,
                "mode": self.mode.word(), "lease_seconds": self.lease_seconds,
                "on_workspace_down": on_workspace_down(self.degrades),
                "signed_body_bytes": self.signed_bytes, "kv_timeout_ms": 200,
                "workspace_timeout_ms": 250, "root_fingerprints": [roots[0].fingerprint()],
                "origins": origins.map(origin),
                "products": self.products.iter().enumerate().map(product).collect::<Vec<_>>(),
                "workspaces": self.workspaces.iter().map(own).collect::<Vec<_>>(),
                "tiers": self.tiers.iter().map(|(name, limits)| {
                    json!({"name": name, "limits": limits.json()})
                }).collect::<Vec<_>>(),
                "static_keys": names.iter().map(static_key).collect::<Vec<_>>(),
                "imports": [{"prefix": "", "alphabet": "base64", "min_length": 44, "max_length": 44}],
                "issuers": self.issuers.iter().map(issuer).collect::<Vec<_>>(),
                "routes": self.routes.iter().map(Route::json).collect::<Vec<_>>(),
            }),
            [
                ("usage_path", self.usage_path.map(Value::from)),
                ("workspace_limits", self.shared.map(|limits| limits.json())),
                ("budget", self.budget.map(|budget| budget.json())),
            ],
        )
        .to_string()
    }
}

impl Route {
    fn json(&self) -> Value {
        with(
            json!({
                "methods": self.methods, "path": self.path, "origin": u8::from(!self.by_url),
                "credentials": self.credentials, "cost": self.cost,
            }),
            [
                ("product", self.product.map(Value::from)),
                ("scope", self.scope.map(Value::from)),
                ("bindings", list(&self.bindings)),
                ("subject", self.subject.map(Value::from)),
                ("signed", self.is_signed.then_some(Value::Bool(true))),
                ("ips", list(&self.ips)),
                ("cors", list(&self.cors)),
                ("mode", self.mode.map(|mode| Value::from(mode.word()))),
                ("body_limit", self.body_limit.map(Value::from)),
                ("upgrade", self.upgrade.then_some(Value::Bool(true))),
                ("allow", list(&self.allow)),
            ],
        )
    }
}

fn on_workspace_down(degrades: bool) -> Value {
    Value::from(if degrades { "edge" } else { "refuse" })
}

fn list(of: &[&str]) -> Option<Value> {
    (!of.is_empty()).then(|| json!(of))
}

/// With those fields that are there.
fn with<const N: usize>(mut object: Value, fields: [(&str, Option<Value>); N]) -> Value {
    for (name, value) in fields {
        if let Some(value) = value {
            object[name] = value;
        }
    }
    object
}

/// Whose the environment keys are.
pub const STATIC_WORKSPACE: &str = "STAT1C";
