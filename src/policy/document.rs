//! The validated document: what a build carries, as compact JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Alerts, Binding, Bounded, Budget, DocsUrl, Fingerprint, ImportShape, IssuerRules, LeakReports,
    LeaseSeconds, Limits, Management, Millis, Name, Observe, OriginUrl, Route, WorkspaceNumber,
};
use crate::address::Allowlist;
use crate::host::HostName;
use crate::route::Pattern;
use crate::scope::Grants;

/// For each parameter, the values that a key may use.
pub type Bindings = BTreeMap<String, Vec<String>>;

/// A policy without what is computed from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The version of this format: [`Document::VERSION`].
    pub version: u32,
    /// See [`Policy::hosts`](super::Policy::hosts).
    pub hosts: Vec<HostName>,
    /// See [`Policy::admin_host`](super::Policy::admin_host).
    pub admin_host: HostName,
    /// See [`Policy::mode`](super::Policy::mode).
    pub mode: Mode,
    /// See [`Policy::lease_seconds`](super::Policy::lease_seconds).
    #[serde(default)]
    pub lease_seconds: LeaseSeconds,
    /// See [`Policy::on_workspace_down`](super::Policy::on_workspace_down).
    #[serde(default)]
    pub on_workspace_down: WhenDown,
    /// See [`Policy::workspace_limits`](super::Policy::workspace_limits).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_limits: Option<Limits>,
    /// See [`Policy::workspace_shadow`](super::Policy::workspace_shadow).
    // Who admits by limits counts by them too: the Workspace.
    #[cfg_attr(any(feature = "gate", feature = "js"), serde(skip))]
    #[cfg_attr(
        not(any(feature = "gate", feature = "js")),
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub workspace_shadow: Option<Limits>,
    /// See [`Policy::budget`](super::Policy::budget).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// See [`Policy::products`](super::Policy::products).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<Product>,
    /// See [`Policy::workspaces`](super::Policy::workspaces).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workspaces: Vec<WorkspaceRules>,
    /// See [`Policy::root_fingerprints`](super::Policy::root_fingerprints).
    pub root_fingerprints: Vec<Fingerprint>,
    /// See [`Policy::docs`](super::Policy::docs).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<DocsUrl>,
    /// See [`Policy::kv_timeout_ms`](super::Policy::kv_timeout_ms).
    pub kv_timeout_ms: Millis<10, 10_000>,
    /// See [`Policy::workspace_timeout_ms`](super::Policy::workspace_timeout_ms).
    #[serde(default = "default_workspace_timeout")]
    pub workspace_timeout_ms: Millis<20, 10_000>,
    /// See [`Policy::signed_body_bytes`](super::Policy::signed_body_bytes).
    #[serde(default = "default_signed_body", skip_serializing_if = "is_default_signed_body")]
    pub signed_body_bytes: SignedBodyBytes,
    /// See [`Policy::origins`](super::Policy::origins).
    // Each Worker carries what it has a use for: reading the rest would be a good part of its upload.
    #[cfg_attr(any(feature = "workspace", feature = "ledger"), serde(skip))]
    pub origins: Vec<Origin>,
    /// See [`Policy::tiers`](super::Policy::tiers).
    pub tiers: Vec<Tier>,
    /// See [`Policy::static_keys`](super::Policy::static_keys).
    #[cfg_attr(any(feature = "workspace", feature = "ledger"), serde(skip))]
    pub static_keys: Vec<StaticKey>,
    /// See [`Policy::imports`](super::Policy::imports).
    pub imports: Vec<ImportShape>,
    /// See [`Policy::management`](super::Policy::management).
    #[cfg_attr(any(feature = "gate", feature = "js"), serde(skip))]
    #[cfg_attr(
        not(any(feature = "gate", feature = "js")),
        serde(default, skip_serializing_if = "Management::is_default")
    )]
    pub management: Management,
    /// See [`Policy::alerts`](super::Policy::alerts).
    #[cfg_attr(any(feature = "gate", feature = "js"), serde(skip))]
    #[cfg_attr(
        not(any(feature = "gate", feature = "js")),
        serde(default, skip_serializing_if = "Alerts::is_default")
    )]
    pub alerts: Alerts,
    /// See [`Policy::issuers`](super::Policy::issuers).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<IssuerRules>,
    /// See [`Policy::leak_reports`](super::Policy::leak_reports).
    #[cfg_attr(any(feature = "gate", feature = "js"), serde(skip))]
    #[cfg_attr(
        not(any(feature = "gate", feature = "js")),
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub leak_reports: Option<LeakReports>,
    /// See [`Policy::usage_path`](super::Policy::usage_path).
    #[cfg_attr(any(feature = "workspace", feature = "ledger"), serde(skip))]
    #[cfg_attr(
        not(any(feature = "workspace", feature = "ledger")),
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub usage_path: Option<Pattern>,
    /// See [`Policy::observe`](super::Policy::observe).
    #[cfg_attr(any(feature = "workspace", feature = "ledger"), serde(skip))]
    #[cfg_attr(
        not(any(feature = "workspace", feature = "ledger")),
        serde(default, skip_serializing_if = "Observe::is_default")
    )]
    pub observe: Observe,
    /// How long ahead the expiry of a key is told, in days.
    #[serde(default = "default_notice", skip_serializing_if = "is_default_notice")]
    pub expiry_notice_days: Bounded<0, 365>,
    /// See [`Policy::routes`](super::Policy::routes).
    #[cfg_attr(any(feature = "workspace", feature = "ledger"), serde(skip))]
    pub routes: Vec<Route>,
    /// See [`Policy::told`](super::Policy::told).
    #[cfg_attr(any(feature = "gate", feature = "js"), serde(skip))]
    #[cfg_attr(
        not(any(feature = "gate", feature = "js")),
        serde(default, skip_serializing_if = "String::is_empty")
    )]
    pub told: String,
}

impl Document {
    /// The one version of this format.
    pub const VERSION: u32 = 1;

    /// [`Document::expiry_notice_days`] of a policy that does not say.
    pub const NOTICE_DAYS: Bounded<0, 365> = Bounded::clamped(14);

    /// [`Document::signed_body_bytes`] of a policy that does not say.
    pub const SIGNED_BODY_BYTES: SignedBodyBytes = Bounded::clamped(1_048_576);

    /// Fields that the gate's Worker has no use for; it does not read them.
    pub const NOT_FOR_GATE: &[&str] =
        &["management", "alerts", "leak_reports", "workspace_shadow", "told"];

    /// Fields that the Worker of the Workspaces has no use for; it does not read them.
    pub const NOT_FOR_WORKSPACE: &[&str] =
        &["origins", "static_keys", "usage_path", "observe", "routes"];

    /// The compact form that [`Policy::from_json`](super::Policy::from_json) reads.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// The same without some of its fields.
    pub fn to_json_without(&self, fields: &[&str]) -> Result<String, serde_json::Error> {
        let mut value = serde_json::to_value(self)?;
        if let Some(object) = value.as_object_mut() {
            object.retain(|name, _| !fields.contains(&name.as_str()));
        }
        serde_json::to_string(&value)
    }
}

/// Who decides on a key besides the isolate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The Workspace, at every request.
    Strict,
    /// The Workspace, in advance and for a short time.
    Lease,
    /// Nobody: KV alone.
    Edge,
}

impl Mode {
    /// Its name in policies.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Lease => "lease",
            Self::Edge => "edge",
        }
    }
}

/// What happens to requests while the Workspace does not answer and no lease is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenDown {
    /// They are answered 503.
    #[default]
    Refuse,
    /// They are decided as in mode `edge`, and the answers say so.
    Edge,
}

/// What is different in one workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceRules {
    /// The workspace.
    pub workspace: WorkspaceNumber,
    /// Its mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The limits that its keys share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Limits that its keys share and that refuse nobody; of no account unless `limits` or this is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Limits>,
    /// What it may spend over all products.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// What happens while it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_workspace_down: Option<WhenDown>,
}

const fn default_notice() -> Bounded<0, 365> {
    Document::NOTICE_DAYS
}

fn is_default_notice(days: &Bounded<0, 365>) -> bool {
    *days == default_notice()
}

/// Bytes of a body that is held in memory: up to what an isolate holds in all.
pub type SignedBodyBytes = Bounded<1, HELD_BODY_BYTES>;

/// Bytes of all bodies that an isolate holds.
pub const HELD_BODY_BYTES: u32 = 32 * 1024 * 1024;

const fn default_signed_body() -> SignedBodyBytes {
    Document::SIGNED_BODY_BYTES
}

fn is_default_signed_body(bytes: &SignedBodyBytes) -> bool {
    *bytes == default_signed_body()
}

const fn default_workspace_timeout() -> Millis<20, 10_000> {
    Millis::clamped(1500)
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Its name, which is also the audience of the assertions it gets.
    pub name: Name,
    /// How it is reached.
    pub upstream: Upstream,
    /// How long it may take until the head of its response, in milliseconds.
    pub timeout_ms: Millis<1, 300_000>,
}

/// How an origin is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Upstream {
    /// By a binding to another service, which gets the target byte for byte.
    Service {
        /// The name of the binding.
        binding: Binding,
    },
    /// By URL.
    Url {
        /// Scheme, host and port.
        base: OriginUrl,
    },
}

/// A named set of limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Its name.
    pub name: Name,
    /// Its limits.
    pub limits: Limits,
    /// Limits that are counted by and refuse nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Limits>,
}

/// Routes that belong together: one service of several behind one gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Its name.
    pub name: Name,
    /// The hosts on which its routes answer, by place, in rising order; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<usize>,
    /// The limits that all keys of one workspace share here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// The same, but they are counted by and refuse nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Limits>,
    /// What one workspace may spend here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// What a key from the environment may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticKey {
    /// Its name in the environment.
    pub name: Name,
    /// The workspace it acts for.
    pub workspace: WorkspaceNumber,
    /// Its scopes, at least one.
    pub scopes: Grants,
    /// The networks it may be used from; `None` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ips: Option<Allowlist>,
    /// The parameter values it is bound to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bindings: Bindings,
}
