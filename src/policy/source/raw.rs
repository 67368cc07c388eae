//! The layout of `policy.toml`. What later checks may refuse keeps its place in the text; so do the
//! elements of lists, as `toml` gives an element's error the place of the whole list.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::observe::RawObserve;
use super::table::{table, tables};
use super::value::{some_whole, some_word, whole, word, words};
use crate::host::HostName;
use crate::policy::{
    Alerts, Alphabet, Binding, Bounded, ClaimText, Coins, Credential, Credentials, DocsUrl,
    HeaderName, JwksUrl, KeyPrefix, LeaseSeconds, Millis, Mode, Name, OriginUrl, Period,
    SignedBodyBytes, TokenKind, WhenDown, WorkspaceNumber,
};
use crate::route::{Method, Methods, Pattern};
use crate::target::{Class, Classes};

pub(super) type RawList = Spanned<Vec<Spanned<String>>>;

pub(super) type RawBindings = BTreeMap<Spanned<String>, RawList>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawPolicy {
    pub version: Spanned<u32>,
    pub hosts: RawList,
    pub admin_host: Spanned<HostName>,
    #[serde(deserialize_with = "word")]
    pub mode: Mode,
    #[serde(default, deserialize_with = "whole")]
    pub lease_seconds: LeaseSeconds,
    #[serde(default, deserialize_with = "word")]
    pub on_workspace_down: WhenDown,
    pub workspace_limits: Option<Spanned<RawShared>>,
    pub budget: Option<Spanned<RawBudget>>,
    #[serde(default)]
    pub products: BTreeMap<Spanned<Name>, RawProduct>,
    #[serde(default)]
    pub workspaces: BTreeMap<Spanned<WorkspaceNumber>, RawWorkspace>,
    #[serde(default)]
    pub root_fingerprints: Vec<Spanned<String>>,
    pub docs: Option<DocsUrl>,
    #[serde(default = "one_second", deserialize_with = "whole")]
    pub kv_timeout_ms: Millis<10, 10_000>,
    #[serde(default = "a_second_and_a_half", deserialize_with = "whole")]
    pub workspace_timeout_ms: Millis<20, 10_000>,
    #[serde(default, deserialize_with = "some_whole")]
    pub signed_body_bytes: Option<SignedBodyBytes>,
    #[serde(default)]
    pub origins: BTreeMap<Spanned<Name>, RawOrigin>,
    #[serde(default)]
    pub tiers: BTreeMap<Spanned<Name>, RawTier>,
    #[serde(default)]
    pub static_keys: BTreeMap<Spanned<Name>, RawStaticKey>,
    #[serde(default)]
    pub imports: Vec<Spanned<RawImport>>,
    #[serde(default)]
    pub management: RawManagement,
    #[serde(default)]
    pub issuers: BTreeMap<Spanned<Name>, RawIssuer>,
    pub leak_reports: Option<Spanned<RawLeakReports>>,
    #[serde(default, deserialize_with = "table")]
    pub alerts: Alerts,
    #[serde(default)]
    pub observe: RawObserve,
    #[serde(default)]
    pub routes: Vec<RawRoute>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawLeakReports {
    pub keys_url: Option<JwksUrl>,
    #[serde(default)]
    pub keys: Vec<RawScannerKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawScannerKey {
    pub id: ClaimText,
    pub pem: Spanned<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawManagement {
    pub key_prefix: Option<KeyPrefix>,
    #[serde(default, deserialize_with = "some_whole")]
    pub max_active_keys: Option<Bounded<1, 1_000_000>>,
    #[serde(default, deserialize_with = "some_whole")]
    pub temporary_max_days: Option<Bounded<1, 3650>>,
    #[serde(default, deserialize_with = "some_whole")]
    pub expiry_notice_days: Option<Bounded<0, 365>>,
    pub default_scopes: Option<RawList>,
    pub usage_path: Option<Spanned<Pattern>>,
    #[serde(default)]
    pub bootstrap_owners: Vec<Spanned<String>>,
    #[serde(default)]
    pub dashboard_origins: Vec<Spanned<String>>,
    pub sign_in: Option<RawSignIn>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawSignIn {
    pub issuer: Spanned<Name>,
    pub client_id: ClaimText,
    #[serde(default)]
    pub scopes: Vec<Spanned<String>>,
    #[serde(default, deserialize_with = "some_whole")]
    pub hours: Option<Bounded<1, 24>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawIssuer {
    pub issuer: Spanned<ClaimText>,
    pub jwks: JwksUrl,
    pub audiences: RawList,
    #[serde(deserialize_with = "word")]
    pub credential: TokenKind,
    #[serde(default)]
    pub types: Vec<Spanned<String>>,
    #[serde(default = "half_a_minute_of_seconds", deserialize_with = "whole")]
    pub leeway_seconds: Bounded<0, 300>,
    pub header: Option<Spanned<HeaderName>>,
    pub workspace_claim: Option<ClaimText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawOrigin {
    pub service: Option<Spanned<Binding>>,
    pub url: Option<Spanned<OriginUrl>>,
    #[serde(default = "half_a_minute", deserialize_with = "whole")]
    pub timeout_ms: Millis<1, 300_000>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawTier {
    pub requests: Spanned<u32>,
    pub window_seconds: Option<Spanned<u32>>,
    pub burst: Spanned<u32>,
    pub shadow: Option<RawLimits>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawLimits {
    pub requests: Spanned<u32>,
    pub window_seconds: Option<Spanned<u32>>,
    pub burst: Spanned<u32>,
}

/// Limits, limits on trial, or both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawShared {
    pub requests: Option<Spanned<u32>>,
    pub window_seconds: Option<Spanned<u32>>,
    pub burst: Option<Spanned<u32>>,
    pub shadow: Option<RawLimits>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawBudget {
    #[serde(deserialize_with = "whole")]
    pub coins: Coins,
    #[serde(deserialize_with = "word")]
    pub period: Period,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawProduct {
    pub base_path: Option<Spanned<String>>,
    pub hosts: Option<RawList>,
    pub limits: Option<Spanned<RawShared>>,
    pub budget: Option<RawBudget>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawWorkspace {
    #[serde(default, deserialize_with = "some_word")]
    pub mode: Option<Mode>,
    pub limits: Option<Spanned<RawShared>>,
    pub budget: Option<RawBudget>,
    #[serde(default, deserialize_with = "some_word")]
    pub on_workspace_down: Option<WhenDown>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawStaticKey {
    pub workspace: WorkspaceNumber,
    pub scopes: RawList,
    pub ips: Option<RawList>,
    #[serde(default)]
    pub bindings: RawBindings,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawImport {
    pub prefix: Option<String>,
    #[serde(deserialize_with = "word")]
    pub alphabet: Alphabet,
    pub length: Option<usize>,
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawRoute {
    #[serde(deserialize_with = "words::<Method, _, _>")]
    pub methods: Methods,
    pub path: Spanned<Pattern>,
    pub product: Option<Spanned<String>>,
    pub origin: Spanned<String>,
    #[serde(default, deserialize_with = "some_whole")]
    pub timeout_ms: Option<Millis<1, 300_000>>,
    #[serde(deserialize_with = "words::<Credential, _, _>")]
    pub credentials: Credentials,
    pub scope: Option<Spanned<String>>,
    #[serde(default)]
    pub bindings: BTreeMap<Spanned<String>, Spanned<String>>,
    pub subject: Option<Spanned<String>>,
    pub signature: Option<Spanned<String>>,
    pub ips: Option<RawList>,
    pub cors: Option<RawList>,
    pub shadow: Option<Spanned<RawShadow>>,
    #[serde(default, deserialize_with = "some_word")]
    pub mode: Option<Mode>,
    pub cost: Option<Spanned<u32>>,
    pub settle: Option<Spanned<HeaderName>>,
    pub body_limit: Option<u64>,
    #[serde(default)]
    pub cookies: bool,
    #[serde(default)]
    pub upgrade: bool,
    #[serde(default, deserialize_with = "words::<Class, _, _>")]
    pub allow: Classes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RawShadow {
    pub scope: Option<Spanned<String>>,
    pub ips: Option<RawList>,
}

tables!(
    RawPolicy,
    RawLeakReports,
    RawScannerKey,
    RawManagement,
    RawSignIn,
    RawIssuer,
    RawOrigin,
    RawTier,
    RawLimits,
    RawShared,
    RawBudget,
    RawProduct,
    RawWorkspace,
    RawStaticKey,
    RawImport,
    RawRoute,
    RawShadow,
);

const fn one_second() -> Millis<10, 10_000> {
    Millis::clamped(1000)
}

const fn a_second_and_a_half() -> Millis<20, 10_000> {
    Millis::clamped(1500)
}

const fn half_a_minute_of_seconds() -> Bounded<0, 300> {
    Bounded::clamped(30)
}

const fn half_a_minute() -> Millis<1, 300_000> {
    Millis::clamped(30_000)
}
