//! The policy at run time: a validated document and the table of its routes.

mod alerts;
mod budget;
mod cors;
mod credentials;
mod document;
mod import;
mod issuer;
mod leaks;
mod limits;
mod management;
mod names;
mod observe;
mod route;
mod sign_in;
#[cfg(feature = "policy-source")]
pub mod source;
#[cfg(any(feature = "policy-source", feature = "explain"))]
mod told;
pub(crate) mod url;

use core::fmt;

pub use alerts::{Alerts, BadAlerts, MOST_THRESHOLDS, RetrySeconds, Thresholds};
pub use budget::{BadCoins, Budget, Coins, Period};
pub use cors::{BadCors, Cors};
pub use credentials::{BadCredentials, Credential, Credentials};
pub use document::{
    Bindings, Document, HELD_BODY_BYTES, Mode, Origin, Product, SignedBodyBytes, StaticKey, Tier,
    Upstream, WhenDown, WorkspaceRules,
};
pub use import::{Alphabet, BadImport, ImportShape};
pub use issuer::{IssuerRules, TokenKind};
pub use leaks::{BadKey, LeakReports, PublicKeyPem, ScannerKey};
pub use limits::{BadLimits, Bounded, LeaseSeconds, Limits, Millis};
pub use management::Management;
pub use names::{
    BadName, Binding, ClaimText, Fingerprint, HeaderName, KeyPrefix, MemberId, Name,
    WorkspaceNumber,
};
pub use observe::{Observe, Share};
pub use route::{Route, Shadow, Whose};
pub use sign_in::SignIn;
#[cfg(any(feature = "policy-source", feature = "explain"))]
pub use told::Told;
pub use url::{BadUrl, DocsUrl, JwksUrl, OriginUrl, WebOrigin};

use crate::host::HostName;
use crate::route::{Conflict, Entry, Method, Methods, Pattern, RouteTable};
use crate::target::Classes;

/// What the gate enforces. Whatever no route allows is refused.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The gated hosts.
    pub hosts: Vec<HostName>,
    /// The host of the management API, never a gated one.
    pub admin_host: HostName,
    /// Who decides on keys, where neither route nor workspace says otherwise.
    pub mode: Mode,
    /// How long a lease lasts: the bound of a revocation in mode `lease`.
    pub lease_seconds: LeaseSeconds,
    /// What happens while a workspace does not answer, where it does not say otherwise.
    pub on_workspace_down: WhenDown,
    /// The limits that all keys of a workspace share, where it does not say otherwise.
    pub workspace_limits: Option<Limits>,
    /// The same, but they are counted by and refuse nobody. Not in the gate's Worker.
    pub workspace_shadow: Option<Limits>,
    /// What each workspace may spend over all products, where it does not say otherwise.
    pub budget: Option<Budget>,
    /// Whether any workspace has such a budget.
    pub has_budgets: bool,
    /// The products; routes name them by their place here.
    pub products: Vec<Product>,
    /// What is different in single workspaces.
    pub workspaces: Vec<WorkspaceRules>,
    /// Fingerprints of the root secrets that may run this policy. With none, the gate serves
    /// nothing.
    pub root_fingerprints: Vec<Fingerprint>,
    /// Where error codes are explained.
    pub docs: Option<DocsUrl>,
    /// How long a read from KV may take, in milliseconds.
    pub kv_timeout_ms: u32,
    /// How long the Workspace may take, repetition included, in milliseconds.
    pub workspace_timeout_ms: u32,
    /// How long the body of a signed request may be, in bytes: it is read before the decision.
    pub signed_body_bytes: SignedBodyBytes,
    /// The origins (none of them in the Worker of the Workspaces); routes name them by their place here.
    pub origins: Vec<Origin>,
    /// The tiers of keys.
    pub tiers: Vec<Tier>,
    /// The keys that the environment may hold; not in the Worker of the Workspaces.
    pub static_keys: Vec<StaticKey>,
    /// The shapes of imported keys; with none, there are no imported keys.
    pub imports: Vec<ImportShape>,
    /// What holds of the management API. In the gate's Worker, which has none of it, the default.
    pub management: Management,
    /// When alerts are raised and sent. In the gate's Worker, which sends none, the default.
    pub alerts: Alerts,
    /// Whose tokens are believed.
    pub issuers: Vec<IssuerRules>,
    /// Whose reports of leaked keys are believed; `None`: nobody's. In the gate's Worker, which takes
    /// none, `None`.
    pub leak_reports: Option<LeakReports>,
    /// Where a key reads its own use on every host, besides the admin host; the table has it behind the routes.
    pub usage_path: Option<Pattern>,
    /// What is told of decisions; nothing in the Worker of the Workspaces, which takes none.
    pub observe: Observe,
    /// For how many seconds ahead the expiry of a key is told to its holder.
    pub expiry_notice_seconds: u32,
    /// The routes (none of them in the Worker of the Workspaces); the table names them by their place here.
    pub routes: Vec<Route>,
    /// Finds a route.
    pub table: RouteTable,
    /// What any route opts in to.
    pub allowed_classes: Classes,
    /// What members of a workspace are told of the policy, as the management API says it: JSON; empty in the
    /// gate's Worker.
    pub told: String,
}

impl Policy {
    /// Reads the compact form that [`Document::to_json`] writes.
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        serde_json::from_slice::<Document>(text.as_bytes()).map_err(PolicyError::Json)?.try_into()
    }

    /// The tier of this name.
    #[must_use]
    pub fn tier(&self, name: &str) -> Option<&Tier> {
        self.tiers.iter().find(|tier| tier.name.as_str() == name)
    }

    /// What holds in a workspace.
    #[must_use]
    pub fn workspace(&self, number: &str) -> InWorkspace {
        let rules = self.workspaces.iter().find(|rules| rules.workspace.as_str() == number);
        let default = InWorkspace {
            mode: self.mode,
            limits: self.workspace_limits,
            shadow: self.workspace_shadow,
            budget: self.budget,
            on_workspace_down: self.on_workspace_down,
        };
        let Some(rules) = rules else { return default };
        // Those of the workspace stand in the place of the policy's, whole.
        let (limits, shadow) = match (rules.limits, rules.shadow) {
            (None, None) => (default.limits, default.shadow),
            own => own,
        };
        InWorkspace {
            mode: rules.mode.unwrap_or(default.mode),
            limits,
            shadow,
            budget: rules.budget.or(default.budget),
            on_workspace_down: rules.on_workspace_down.unwrap_or(default.on_workspace_down),
        }
    }

    /// The product that a route belongs to.
    #[must_use]
    pub fn product(&self, route: &Route) -> Option<&Product> {
        self.products.get(route.product?)
    }
}

/// What holds in one workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InWorkspace {
    /// Who decides on its keys, where the route does not say otherwise.
    pub mode: Mode,
    /// The limits that all its keys share.
    pub limits: Option<Limits>,
    /// The same, but they are counted by and refuse nobody.
    pub shadow: Option<Limits>,
    /// What it may spend over all products.
    pub budget: Option<Budget>,
    /// What happens while it does not answer.
    pub on_workspace_down: WhenDown,
}

impl TryFrom<Document> for Policy {
    type Error = PolicyError;

    fn try_from(document: Document) -> Result<Self, PolicyError> {
        let Document { routes, origins, products, hosts, .. } = &document;
        if document.version != Document::VERSION {
            return Err(PolicyError::Version(document.version));
        }
        if document.hosts.contains(&document.admin_host) {
            return Err(PolicyError::AdminHost);
        }
        if let Some(route) = routes.iter().position(|route| route.origin >= origins.len()) {
            return Err(PolicyError::UnknownOrigin { route });
        }
        let unknown = |route: &Route| route.product.is_some_and(|place| place >= products.len());
        if let Some(route) = routes.iter().position(unknown) {
            return Err(PolicyError::UnknownProduct { route });
        }
        let unknown = |product: &Product| product.hosts.iter().any(|place| *place >= hosts.len());
        if let Some(product) = products.iter().position(unknown) {
            return Err(PolicyError::UnknownHost { product });
        }
        check_issuers(&document)?;
        let entries = routes.iter().map(|route| entry(route, products));
        let entries = entries.chain(document.usage_path.as_ref().map(usage_entry));
        let table = RouteTable::new(hosts.len(), entries).map_err(PolicyError::Conflict)?;
        let allowed_classes =
            routes.iter().map(|route| route.allow).fold(Classes::NONE, Classes::union);
        let has_budgets = document.budget.is_some()
            || document.workspaces.iter().any(|rules| rules.budget.is_some());
        Ok(Self {
            hosts: document.hosts,
            admin_host: document.admin_host,
            mode: document.mode,
            lease_seconds: document.lease_seconds,
            on_workspace_down: document.on_workspace_down,
            workspace_limits: document.workspace_limits,
            workspace_shadow: document.workspace_shadow,
            budget: document.budget,
            has_budgets,
            products: document.products,
            workspaces: document.workspaces,
            root_fingerprints: document.root_fingerprints,
            docs: document.docs,
            kv_timeout_ms: document.kv_timeout_ms.get(),
            workspace_timeout_ms: document.workspace_timeout_ms.get(),
            signed_body_bytes: document.signed_body_bytes,
            origins: document.origins,
            tiers: document.tiers,
            static_keys: document.static_keys,
            imports: document.imports,
            management: document.management,
            alerts: document.alerts,
            issuers: document.issuers,
            leak_reports: document.leak_reports,
            usage_path: document.usage_path,
            observe: document.observe,
            expiry_notice_seconds: document.expiry_notice_days.get().saturating_mul(24 * 3600),
            routes: document.routes,
            table,
            allowed_classes,
            told: document.told,
        })
    }
}

/// What the table has to know of a route.
fn entry<'p>(route: &'p Route, products: &'p [Product]) -> Entry<'p> {
    let product = route.product.and_then(|place| products.get(place));
    let hosts = product.map_or([].as_slice(), |product| &product.hosts);
    Entry { pattern: &route.path, methods: route.methods, hosts }
}

/// What the table has to know of the path where keys read their own use.
pub(crate) fn usage_entry(pattern: &Pattern) -> Entry<'_> {
    Entry { pattern, methods: Methods::of(Method::Get), hosts: &[] }
}

fn check_issuers(document: &Document) -> Result<(), PolicyError> {
    let issuers = &document.issuers;
    for (place, own) in issuers.iter().enumerate() {
        let is_again = |other: &IssuerRules| {
            let same_header = own.header.is_some() && other.header == own.header;
            other.issuer == own.issuer || other.name == own.name || same_header
        };
        if own.audiences.is_empty() || issuers.iter().take(place).any(is_again) {
            return Err(PolicyError::Issuer { issuer: place });
        }
    }
    let is_known = |owner: &MemberId| issuers.iter().any(|own| own.name.as_str() == owner.issuer());
    if document.management.bootstrap_owners.iter().all(is_known) {
        Ok(())
    } else {
        Err(PolicyError::Owner)
    }
}

/// Why a document is not a policy.
#[derive(Debug)]
pub enum PolicyError {
    /// The text is not a document.
    Json(serde_json::Error),
    /// The document has another format version.
    Version(u32),
    /// The admin host is a gated host.
    AdminHost,
    /// A route, by its place, names an origin that is not there.
    UnknownOrigin {
        /// The place.
        route: usize,
    },
    /// A route, by its place, names a product that is not there.
    UnknownProduct {
        /// The place.
        route: usize,
    },
    /// A product, by its place, names a host that is not there.
    UnknownHost {
        /// The place.
        product: usize,
    },
    /// An issuer, by its place, has no audience, or is there twice.
    Issuer {
        /// The place.
        issuer: usize,
    },
    /// A bootstrap owner is of no issuer.
    Owner,
    /// Two routes exclude each other.
    Conflict(Conflict),
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "not a policy document: {error}"),
            Self::Version(version) => write!(f, "policy version {version} is unknown"),
            Self::AdminHost => f.write_str("the admin host is also a gated host"),
            Self::UnknownOrigin { route } => write!(f, "route {route} names an unknown origin"),
            Self::UnknownProduct { route } => write!(f, "route {route} names an unknown product"),
            Self::UnknownHost { product } => write!(f, "product {product} names an unknown host"),
            Self::Issuer { issuer } => {
                write!(f, "issuer {issuer} has no audience or is there twice")
            }
            Self::Owner => f.write_str("a bootstrap owner is of no issuer"),
            Self::Conflict(Conflict { first, second, kind }) => {
                write!(f, "route {second} conflicts with route {first}: {kind}")
            }
        }
    }
}

impl core::error::Error for PolicyError {}
