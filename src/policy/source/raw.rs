//! The layout of `policy.toml`. What later checks may refuse keeps its place in the text.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::address::Allowlist;
use crate::host::HostName;
use crate::policy::{
    Alphabet, Binding, Credentials, DocsUrl, Fingerprint, Millis, Name, OriginUrl, WorkspaceNumber,
};
use crate::route::{Methods, Pattern};
use crate::scope::Grants;
use crate::target::Classes;

pub(super) type RawBindings = BTreeMap<Spanned<String>, Spanned<Vec<Spanned<String>>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    pub version: Spanned<u32>,
    pub hosts: Spanned<Vec<Spanned<HostName>>>,
    pub admin_host: Spanned<HostName>,
    pub mode: Spanned<String>,
    #[serde(default)]
    pub root_fingerprints: Vec<Fingerprint>,
    pub docs: Option<DocsUrl>,
    #[serde(default = "one_second")]
    pub kv_timeout_ms: Millis<10, 10_000>,
    #[serde(default)]
    pub origins: BTreeMap<Spanned<Name>, RawOrigin>,
    #[serde(default)]
    pub tiers: BTreeMap<Spanned<Name>, RawTier>,
    #[serde(default)]
    pub static_keys: BTreeMap<Spanned<Name>, RawStaticKey>,
    #[serde(default)]
    pub imports: Vec<Spanned<RawImport>>,
    #[serde(default)]
    pub routes: Vec<RawRoute>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOrigin {
    pub service: Option<Binding>,
    pub url: Option<Spanned<OriginUrl>>,
    #[serde(default = "half_a_minute")]
    pub timeout_ms: Millis<1, 300_000>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTier {
    pub requests: Spanned<u32>,
    pub window_seconds: Option<Spanned<u32>>,
    pub burst: Spanned<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStaticKey {
    pub workspace: WorkspaceNumber,
    pub scopes: Spanned<Grants>,
    pub ips: Option<Allowlist>,
    #[serde(default)]
    pub bindings: RawBindings,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawImport {
    pub prefix: Option<String>,
    pub alphabet: Alphabet,
    pub length: Option<usize>,
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRoute {
    pub methods: Methods,
    pub path: Spanned<Pattern>,
    pub origin: Spanned<String>,
    pub credentials: Spanned<Credentials>,
    pub scope: Option<Spanned<String>>,
    #[serde(default)]
    pub bindings: BTreeMap<Spanned<String>, Spanned<String>>,
    pub body_limit: Option<u64>,
    #[serde(default)]
    pub cookies: bool,
    #[serde(default)]
    pub upgrade: bool,
    #[serde(default)]
    pub allow: Classes,
}

const fn one_second() -> Millis<10, 10_000> {
    Millis::clamped(1000)
}

const fn half_a_minute() -> Millis<1, 300_000> {
    Millis::clamped(30_000)
}
