//! What members of a workspace are told of the policy: what a request has to be, not where it goes; and the
//! policy that can be made of that, by which requests are judged as by the one that was told.

use serde::{Deserialize, Serialize};

use super::{
    Alerts, Binding, Bounded, Budget, ClaimText, Cors, Credentials, Document, HeaderName,
    IssuerRules, JwksUrl, KeyPrefix, LeaseSeconds, Limits, Management, Millis, Mode, Name, Observe,
    Origin, OriginUrl, Product, Route, Shadow, Tier, TokenKind, Upstream, WhenDown, Whose,
};
use crate::address::Allowlist;
use crate::host::HostName;
use crate::route::{Methods, Pattern};
use crate::scope::{Grants, Scope};
use crate::target::Classes;

/// The form of the API's answer, `Policy` in its document. No origin, no environment key, no other workspace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told {
    hosts: Vec<HostName>,
    admin_host: HostName,
    usage_path: Option<Pattern>,
    lease_seconds: LeaseSeconds,
    key_prefix: KeyPrefix,
    temporary_max_days: Bounded<1, 3650>,
    default_scopes: Option<Grants>,
    imports: bool,
    people: Vec<ToldPeople>,
    tiers: Vec<ToldTier>,
    products: Vec<ToldProduct>,
    routes: Vec<ToldRoute>,
    /// Put in by the workspace that tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workspace: Option<ToldWorkspace>,
}

/// Whose tokens are believed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ToldPeople {
    name: Name,
    credential: TokenKind,
    header: Option<HeaderName>,
    names_workspace: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ToldTier {
    name: Name,
    limits: Limits,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ToldProduct {
    name: Name,
    hosts: Vec<HostName>,
    limits: Option<Limits>,
    budget: Option<Budget>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ToldRoute {
    methods: Methods,
    path: Pattern,
    hosts: Vec<HostName>,
    product: Option<Name>,
    credentials: Credentials,
    scope: Option<Scope>,
    bindings: Vec<String>,
    subject: Option<Whose>,
    signature: Option<Demanded>,
    ips: Option<Allowlist>,
    cors: Option<Cors>,
    mode: Option<Mode>,
    cost: u32,
    settle: Option<HeaderName>,
    body_limit: Option<u64>,
    allow: Classes,
    upgrade: bool,
    /// Whether the query has to be one that no URL parser rewrites.
    plain_query: bool,
    shadow: Option<ToldShadow>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Demanded {
    Required,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ToldShadow {
    scope: Option<Scope>,
    ips: Option<Allowlist>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ToldWorkspace {
    mode: Mode,
    limits: Option<Limits>,
    budget: Option<Budget>,
    on_workspace_down: WhenDown,
}

impl Document {
    /// What [`Document::told`] is to hold in the Worker of the Workspaces.
    #[must_use]
    pub fn tell(&self) -> String {
        serde_json::to_string(&Told::of(self)).unwrap_or_default()
    }

    /// The hosts of a product; without one, all.
    fn hosts_of(&self, product: Option<&Product>) -> Vec<HostName> {
        let own = product.map_or([].as_slice(), |product| &product.hosts);
        let hosts = self.hosts.iter().enumerate();
        let named = hosts.filter(|(place, _)| own.is_empty() || own.contains(place));
        named.map(|(_, host)| host.clone()).collect()
    }
}

impl Told {
    fn of(document: &Document) -> Self {
        let tiers = document.tiers.iter();
        let tiers = tiers.map(|tier| ToldTier { name: tier.name.clone(), limits: tier.limits });
        let products = document.products.iter().map(|product| ToldProduct {
            name: product.name.clone(),
            hosts: document.hosts_of(Some(product)),
            limits: product.limits,
            budget: product.budget,
        });
        let people = document.issuers.iter().map(|issuer| ToldPeople {
            name: issuer.name.clone(),
            credential: issuer.credential,
            header: issuer.header.clone(),
            names_workspace: issuer.workspace_claim.is_some(),
        });
        Self {
            hosts: document.hosts.clone(),
            admin_host: document.admin_host.clone(),
            usage_path: document.usage_path.clone(),
            lease_seconds: document.lease_seconds,
            key_prefix: document.management.key_prefix.clone(),
            temporary_max_days: document.management.temporary_max_days,
            default_scopes: document.management.default_scopes.clone(),
            imports: !document.imports.is_empty(),
            people: people.collect(),
            tiers: tiers.collect(),
            products: products.collect(),
            routes: document.routes.iter().map(|route| ToldRoute::of(route, document)).collect(),
            workspace: None,
        }
    }

    /// A policy that judges requests as the one that was told, in the workspace that told it; but of no root.
    /// `None` if it names what it does not have.
    #[must_use]
    pub fn document(self) -> Option<Document> {
        let here = self.workspace?;
        let place = |host: &HostName| self.hosts.iter().position(|own| own == host);
        let of_product = |product: &ToldProduct| {
            let hosts = product.hosts.iter().map(place).collect::<Option<Vec<_>>>()?;
            let hosts = if hosts.len() == self.hosts.len() { Vec::new() } else { hosts };
            let ToldProduct { name, limits, budget, .. } = product.clone();
            Some(Product { name, hosts, limits, shadow: None, budget })
        };
        let routes = self.routes.iter().map(|route| route.route(&self.products));
        let tiers = self.tiers.iter();
        let tiers = tiers.map(|ToldTier { name, limits }| Tier {
            name: name.clone(),
            limits: *limits,
            shadow: None,
        });
        Some(Document {
            version: Document::VERSION,
            admin_host: self.admin_host,
            mode: here.mode,
            lease_seconds: self.lease_seconds,
            on_workspace_down: here.on_workspace_down,
            workspace_limits: here.limits,
            workspace_shadow: None,
            budget: here.budget,
            products: self.products.iter().map(of_product).collect::<Option<_>>()?,
            workspaces: Vec::new(),
            root_fingerprints: Vec::new(),
            docs: None,
            kv_timeout_ms: Millis::clamped(0),
            workspace_timeout_ms: Millis::clamped(0),
            signed_body_bytes: Document::SIGNED_BODY_BYTES,
            origins: untold()?.into(),
            tiers: tiers.collect(),
            static_keys: Vec::new(),
            imports: Vec::new(),
            management: Management {
                key_prefix: self.key_prefix,
                temporary_max_days: self.temporary_max_days,
                default_scopes: self.default_scopes,
                ..Management::default()
            },
            alerts: Alerts::default(),
            issuers: self.people.iter().map(ToldPeople::rules).collect::<Option<_>>()?,
            leak_reports: None,
            usage_path: self.usage_path,
            observe: Observe::default(),
            expiry_notice_days: Document::NOTICE_DAYS,
            routes: routes.collect::<Option<_>>()?,
            told: String::new(),
            hosts: self.hosts,
        })
    }
}

impl ToldRoute {
    fn of(route: &Route, document: &Document) -> Self {
        let product = route.product.and_then(|place| document.products.get(place));
        let origin = document.origins.get(route.origin);
        let Shadow { scope, ips } = route.shadow.clone();
        Self {
            methods: route.methods,
            path: route.path.clone(),
            hosts: document.hosts_of(product),
            product: product.map(|product| product.name.clone()),
            credentials: route.credentials,
            scope: route.scope.clone(),
            bindings: route.bindings.clone(),
            subject: route.subject.clone(),
            signature: route.signed.then_some(Demanded::Required),
            ips: route.ips.clone(),
            cors: route.cors.clone(),
            mode: route.mode,
            cost: route.cost,
            settle: route.settle.clone(),
            body_limit: route.body_limit,
            allow: route.allow,
            upgrade: route.upgrade,
            plain_query: origin.is_some_and(|own| matches!(own.upstream, Upstream::Url { .. })),
            shadow: (!route.shadow.is_empty()).then_some(ToldShadow { scope, ips }),
        }
    }

    fn route(&self, products: &[ToldProduct]) -> Option<Route> {
        let own = self.clone();
        let product = match &self.product {
            Some(name) => Some(products.iter().position(|product| product.name == *name)?),
            None => None,
        };
        let shadow = own.shadow.map(|ToldShadow { scope, ips }| Shadow { scope, ips });
        Some(Route {
            methods: own.methods,
            path: own.path,
            product,
            origin: usize::from(own.plain_query),
            timeout_ms: None,
            credentials: own.credentials,
            scope: own.scope,
            bindings: own.bindings,
            subject: own.subject,
            signed: own.signature.is_some(),
            ips: own.ips,
            cors: own.cors,
            shadow: shadow.unwrap_or_default(),
            mode: own.mode,
            cost: own.cost,
            settle: own.settle,
            body_limit: own.body_limit,
            cookies: false,
            upgrade: own.upgrade,
            allow: own.allow,
        })
    }
}

impl ToldPeople {
    /// An issuer of that name, whose tokens nobody can verify.
    fn rules(&self) -> Option<IssuerRules> {
        let text = ClaimText::parse(self.name.as_str()).ok()?;
        Some(IssuerRules {
            name: self.name.clone(),
            issuer: text.clone(),
            jwks: JwksUrl::parse(NOWHERE).ok()?,
            audiences: vec![text.clone()],
            credential: self.credential,
            types: Vec::new(),
            leeway_seconds: Bounded::clamped(0),
            header: self.header.clone(),
            workspace_claim: self.names_workspace.then_some(text),
        })
    }
}

/// Stand for all origins: one that takes any query, and one that does not.
fn untold() -> Option<[Origin; 2]> {
    let binding = Binding::parse("UNTOLD").ok()?;
    let base = OriginUrl::parse(NOWHERE).ok()?;
    let name = Name::parse(Origin::UNTOLD).ok()?;
    let own = |upstream| Origin { name: name.clone(), upstream, timeout_ms: Millis::clamped(0) };
    Some([own(Upstream::Service { binding }), own(Upstream::Url { base })])
}

impl Origin {
    /// The name of one that nobody was told of.
    pub(crate) const UNTOLD: &str = "untold";
}

const NOWHERE: &str = "https://untold.invalid";
