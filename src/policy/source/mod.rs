//! From `policy.toml` to the validated document, with the place of what is wrong.

mod error;
mod homes;
mod idle;
mod limits;
mod observe;
mod places;
mod raw;
mod route;
mod table;
mod value;

use core::fmt::Display;
use std::collections::BTreeMap;

use toml::Spanned;

pub use error::{Note, SourceError};

use crate::address::Allowlist;
use crate::host::HostName;
use crate::policy::{
    Bindings, ClaimText, Document, Fingerprint, ImportShape, IssuerRules, LeakReports, Management,
    MemberId, Name, Origin, OriginUrl, PublicKeyPem, ScannerKey, SignIn, StaticKey, Upstream,
    WebOrigin,
};
use crate::route::is_param_name;
use crate::scope::Grants;
use error::Fault;
use idle::idle;
use limits::{budget, product, shared, tier, workspace};
use observe::observe;
use places::Places;
use raw::{
    RawBindings, RawImport, RawIssuer, RawLeakReports, RawList, RawManagement, RawOrigin,
    RawPolicy, RawScannerKey, RawSignIn, RawStaticKey,
};
use route::Context;

/// Reads the bytes of a policy's file.
pub fn read(bytes: &[u8]) -> Result<Document, SourceError> {
    check(bytes).map(|(document, _)| document)
}

/// The same, with notes on what is in order and does nothing, or less than it seems to.
pub fn check(bytes: &[u8]) -> Result<(Document, Vec<Note>), SourceError> {
    match core::str::from_utf8(bytes) {
        Ok(text) => check_text(text),
        Err(error) => {
            let (good, _) = bytes.split_at_checked(error.valid_up_to()).unwrap_or_default();
            let text = String::from_utf8_lossy(good);
            let message = "this is not UTF-8, in which a policy is written".to_owned();
            Err(SourceError::locate(Fault { span: good.len()..good.len(), message }, &text))
        }
    }
}

/// Reads a policy. One thing that is wrong is the error: of all, its TOML before its layout, and that
/// before what it says. A document that comes out is one that [`Policy`](crate::policy::Policy) takes.
pub fn compile(toml_text: &str) -> Result<Document, SourceError> {
    check_text(toml_text).map(|(document, _)| document)
}

fn check_text(text: &str) -> Result<(Document, Vec<Note>), SourceError> {
    let located = |fault| SourceError::locate(fault, text);
    let raw = toml::from_str::<RawPolicy>(text).map_err(Fault::from).map_err(located)?;
    let places = Places::of(&raw);
    let document = document(raw).map_err(located)?;
    let notes = idle(&document, &places).into_iter();
    let notes = notes.map(|(at, message)| Note::locate(at, message, text)).collect();
    Ok((document, notes))
}

fn document(raw: RawPolicy) -> Result<Document, Fault> {
    if *raw.version.get_ref() != Document::VERSION {
        return Err(Fault::at(&raw.version, "this build reads version 1 of this format"));
    }
    if raw.hosts.get_ref().is_empty() {
        return Err(Fault::at(&raw.hosts, "a policy names at least one host"));
    }
    let mut hosts = Vec::new();
    for text in raw.hosts.get_ref() {
        if text.get_ref().contains('*') {
            return Err(Fault::at(text, "there are no wildcards: list each host"));
        }
        let host = HostName::parse(text.get_ref()).map_err(|reason| Fault::at(text, reason))?;
        if host == *raw.admin_host.get_ref() {
            let message = "this is the admin host, which is never a gated host: leave it out here";
            return Err(Fault::at(text, message));
        }
        if hosts.contains(&host) {
            return Err(Fault::at(text, "this host is listed twice"));
        }
        hosts.push(host);
    }
    let root_fingerprints = elements(&raw.root_fingerprints, Fingerprint::parse)?;
    let own: Vec<&HostName> = hosts.iter().chain([raw.admin_host.get_ref()]).collect();
    let origin = |(name, raw)| origin(name, raw, &own);
    let origins = raw.origins.into_iter().map(origin).collect::<Result<Vec<_>, _>>()?;
    let tiers = raw.tiers.into_iter().map(tier).collect::<Result<_, _>>()?;
    let static_keys = raw.static_keys.into_iter().map(static_key).collect::<Result<_, _>>()?;
    let imports = raw.imports.into_iter().map(import).collect::<Result<_, _>>()?;
    let (workspace_limits, workspace_shadow) = shared(raw.workspace_limits)?;
    let workspaces = raw.workspaces.into_iter().map(workspace).collect::<Result<Vec<_>, _>>()?;
    let budget = raw.budget.map(|raw| budget(raw.into_inner()));
    let product = |(name, raw)| product(name, raw, &hosts);
    let (products, base_paths): (Vec<_>, Vec<_>) =
        raw.products.into_iter().map(product).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    let issuers = issuers(raw.issuers)?;
    let usage_path = raw.management.usage_path.clone();
    let expiry_notice_days = raw.management.expiry_notice_days.unwrap_or(Document::NOTICE_DAYS);
    let management = management(raw.management, &issuers)?;
    let leak_reports = raw.leak_reports.map(leak_reports).transpose()?;
    let observe = observe(raw.observe)?;
    let budgets = workspaces.iter().filter_map(|rules| rules.budget).chain(budget);
    let context = Context {
        origins: &origins,
        issuers: &issuers,
        products: &products,
        base_paths: &base_paths,
        usage_path: usage_path.as_ref(),
        // Without one for all, somebody may spend whatever he likes.
        most_coins: budget.and_then(|_| budgets.map(|own| own.coins.get()).max()),
    };
    let routes = route::table(raw.routes, &context, hosts.len())?;
    Ok(Document {
        version: Document::VERSION,
        hosts,
        admin_host: raw.admin_host.into_inner(),
        mode: raw.mode,
        lease_seconds: raw.lease_seconds,
        on_workspace_down: raw.on_workspace_down,
        workspace_limits,
        workspace_shadow,
        budget,
        products,
        workspaces,
        root_fingerprints,
        docs: raw.docs,
        kv_timeout_ms: raw.kv_timeout_ms,
        workspace_timeout_ms: raw.workspace_timeout_ms,
        signed_body_bytes: raw.signed_body_bytes.unwrap_or(Document::SIGNED_BODY_BYTES),
        origins,
        tiers,
        static_keys,
        imports,
        management,
        alerts: raw.alerts,
        issuers,
        leak_reports,
        usage_path: usage_path.map(Spanned::into_inner),
        observe,
        expiry_notice_days,
        routes,
        told: String::new(),
    })
}

fn origin(name: Spanned<Name>, raw: RawOrigin, own: &[&HostName]) -> Result<Origin, Fault> {
    let upstream = match (raw.service, raw.url) {
        (Some(binding), None) if TAKEN.contains(&binding.get_ref().as_str()) => {
            let message = "the gate uses this binding itself: give the origin's another name";
            return Err(Fault::at(&binding, message));
        }
        (Some(binding), None) => Upstream::Service { binding: binding.into_inner() },
        (None, Some(base)) if is_own(base.get_ref(), own) => {
            let message = "this is a host of the gate, which would call itself: give the origin a \
                           host of its own";
            return Err(Fault::at(&base, message));
        }
        (None, Some(base)) => Upstream::Url { base: base.into_inner() },
        (Some(_), Some(url)) => {
            return Err(Fault::at(&url, "an origin has either 'service' or 'url', not both"));
        }
        (None, None) => return Err(Fault::at(&name, "an origin has a 'service' or a 'url'")),
    };
    Ok(Origin { name: name.into_inner(), upstream, timeout_ms: raw.timeout_ms })
}

/// Whether a URL leads to one of these hosts at its scheme's own port. On this machine ports tell servers apart.
fn is_own(base: &OriginUrl, own: &[&HostName]) -> bool {
    !base.is_here() && own.iter().any(|host| host.as_str() == base.authority())
}

fn static_key((name, raw): (Spanned<Name>, RawStaticKey)) -> Result<StaticKey, Fault> {
    if raw.scopes.get_ref().is_empty() {
        return Err(Fault::at(&raw.scopes, "a key without a scope could use nothing"));
    }
    Ok(StaticKey {
        name: name.into_inner(),
        workspace: raw.workspace,
        scopes: list(&raw.scopes, |texts| Grants::parse(texts))?,
        ips: raw.ips.map(|ips| list(&ips, |texts| Allowlist::parse(texts))).transpose()?,
        bindings: bindings(raw.bindings)?,
    })
}

fn issuers(raw: BTreeMap<Spanned<Name>, RawIssuer>) -> Result<Vec<IssuerRules>, Fault> {
    let mut issuers: Vec<IssuerRules> = Vec::new();
    for (name, raw) in raw {
        let RawIssuer { issuer, audiences, header, .. } = raw;
        if issuers.iter().any(|other| other.issuer == *issuer.get_ref()) {
            return Err(Fault::at(&issuer, "another issuer has this 'issuer'"));
        }
        if let Some(header) = &header
            && issuers.iter().any(|other| other.header.as_ref() == Some(header.get_ref()))
        {
            return Err(Fault::at(header, "another issuer has this 'header'"));
        }
        if audiences.get_ref().is_empty() {
            return Err(Fault::at(&audiences, "tokens are for at least one audience"));
        }
        issuers.push(IssuerRules {
            name: name.into_inner(),
            issuer: issuer.into_inner(),
            jwks: raw.jwks,
            audiences: elements(audiences.get_ref(), ClaimText::parse)?,
            credential: raw.credential,
            types: elements(&raw.types, ClaimText::parse)?,
            leeway_seconds: raw.leeway_seconds,
            header: header.map(Spanned::into_inner),
            workspace_claim: raw.workspace_claim,
        });
    }
    Ok(issuers)
}

fn management(raw: RawManagement, issuers: &[IssuerRules]) -> Result<Management, Fault> {
    let default = Management::default();
    let bootstrap_owners = elements(&raw.bootstrap_owners, |text| {
        let owner = MemberId::parse(text).map_err(|reason| reason.to_string())?;
        let is_known = issuers.iter().any(|issuer| issuer.name.as_str() == owner.issuer());
        is_known.then_some(owner).ok_or_else(|| no_issuer(issuers))
    })?;
    if let Some(none) = raw.default_scopes.as_ref().filter(|list| list.get_ref().is_empty()) {
        return Err(Fault::at(none, "a key without a scope could use nothing"));
    }
    let default_scopes = raw.default_scopes.map(|own| list(&own, |texts| Grants::parse(texts)));
    Ok(Management {
        default_scopes: default_scopes.transpose()?,
        key_prefix: raw.key_prefix.unwrap_or(default.key_prefix),
        max_active_keys: raw.max_active_keys.unwrap_or(default.max_active_keys),
        temporary_max_days: raw.temporary_max_days.unwrap_or(default.temporary_max_days),
        bootstrap_owners,
        dashboard_origins: elements(&raw.dashboard_origins, WebOrigin::parse)?,
        sign_in: raw.sign_in.map(|raw| sign_in(raw, issuers)).transpose()?,
    })
}

fn sign_in(raw: RawSignIn, issuers: &[IssuerRules]) -> Result<SignIn, Fault> {
    if !issuers.iter().any(|issuer| issuer.name == *raw.issuer.get_ref()) {
        return Err(Fault::at(&raw.issuer, no_issuer(issuers)));
    }
    Ok(SignIn {
        issuer: raw.issuer.into_inner(),
        client_id: raw.client_id,
        scopes: elements(&raw.scopes, ClaimText::parse)?,
        hours: raw.hours.unwrap_or(SignIn::HOURS),
    })
}

fn no_issuer(issuers: &[IssuerRules]) -> String {
    let known: Vec<&str> = issuers.iter().map(|issuer| issuer.name.as_str()).collect();
    match known.as_slice() {
        [] => "no issuer has this name; there is none".to_owned(),
        _ => format!("no issuer has this name; known: `{}`", known.join("`, `")),
    }
}

fn leak_reports(raw: Spanned<RawLeakReports>) -> Result<LeakReports, Fault> {
    let RawLeakReports { keys_url, keys } = raw.get_ref();
    if keys_url.is_none() && keys.is_empty() {
        return Err(Fault::at(&raw, "reports need a 'keys_url' or 'keys' to be believed by"));
    }
    let key = |RawScannerKey { id, pem }: &RawScannerKey| {
        let pem = PublicKeyPem::parse(pem.get_ref()).map_err(|reason| Fault::at(pem, reason))?;
        Ok(ScannerKey { id: id.clone(), pem })
    };
    let keys = keys.iter().map(key).collect::<Result<_, Fault>>()?;
    Ok(LeakReports { keys_url: keys_url.clone(), keys })
}

/// Parses each element, so that an error has its place.
fn elements<T, E: Display>(
    texts: &[Spanned<String>],
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, Fault> {
    let element =
        |text: &Spanned<String>| parse(text.get_ref()).map_err(|reason| Fault::at(text, reason));
    texts.iter().map(element).collect()
}

/// The same for a type that is read from a list: first each element alone, then all.
fn list<T, E: Display>(
    raw: &RawList,
    parse: impl Fn(Vec<&str>) -> Result<T, E>,
) -> Result<T, Fault> {
    elements(raw.get_ref(), |text| parse(vec![text]))?;
    parse(raw.get_ref().iter().map(|text| text.get_ref().as_str()).collect())
        .map_err(|reason| Fault::at(raw, reason))
}

fn bindings(raw: RawBindings) -> Result<Bindings, Fault> {
    let mut bindings = BTreeMap::new();
    for (name, values) in raw {
        check_param(&name)?;
        if values.get_ref().is_empty() {
            return Err(Fault::at(&values, "a binding without a value would refuse everything"));
        }
        if let Some(empty) = values.get_ref().iter().find(|value| value.get_ref().is_empty()) {
            return Err(Fault::at(empty, "no parameter has an empty value"));
        }
        let values = values.into_inner().into_iter().map(Spanned::into_inner).collect();
        bindings.insert(name.into_inner(), values);
    }
    Ok(bindings)
}

fn import(raw: Spanned<RawImport>) -> Result<ImportShape, Fault> {
    let RawImport { prefix, alphabet, length, min_length, max_length } = raw.get_ref();
    let (min, max) = match (length, min_length, max_length) {
        (Some(length), None, None) => (length, length),
        (None, Some(min), Some(max)) => (min, max),
        _ => {
            let message = "an import has either 'length', or 'min_length' and 'max_length'";
            return Err(Fault::at(&raw, message));
        }
    };
    ImportShape::new(prefix.as_deref().unwrap_or_default(), *alphabet, *min, *max)
        .map_err(|reason| Fault::at(&raw, reason))
}

fn check_param(name: &Spanned<String>) -> Result<(), Fault> {
    if is_param_name(name.get_ref()) {
        Ok(())
    } else {
        Err(Fault::at(name, "a parameter is a letter a-z and up to 31 of a-z, 0-9, '_'"))
    }
}

/// What the gate looks up in its environment.
const TAKEN: [&str; 8] = [
    "BUILT",
    "KEYS",
    "MANAGEMENT",
    "POLICY",
    "PORTCULLIS_ANALYTICS",
    "PORTCULLIS_ROOT",
    "PORTCULLIS_STATIC_KEYS",
    "WORKSPACE",
];
