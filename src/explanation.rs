//! A decision, told check by check, for people.
//!
//! The checks stand in their order and a decision ends at one of them: what stands before it has passed,
//! what stands behind it was not looked at. So nothing is decided here. No text holds a secret; of a
//! request whose target may have one, the target is not told.

use std::rc::Rc;

use crate::caller::Caller;
use crate::decide::{self, Decision};
use crate::denial::{Denial, Invalid, Wire};
use crate::gate::Gate;
use crate::need::{Ask, Need};
use crate::policy::{Bindings, Credential, Mode, Policy, Route, Whose};
use crate::record::Record;
use crate::request::Request;
use crate::route::{Lookup, Method};
use crate::target::{BadTarget, Target};

/// A check of the decision, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The target is in its one spelling.
    Target,
    /// The host is served.
    Host,
    /// The method is known.
    Method,
    /// There is one credential at most.
    OneCredential,
    /// No key stands in the URL.
    Url,
    /// If a page asks for leave, it may have it.
    Page,
    /// A route has the path and the method.
    Route,
    /// The form is what the route takes.
    Form,
    /// The client is in a network that the route takes.
    Network,
    /// The credential is of a kind that the route takes.
    Kind,
    /// There is such a key.
    Record,
    /// The secret is the key's.
    Secret,
    /// The key's status and dates.
    Standing,
    /// The client is in a network of the key.
    Address,
    /// The key has the route's scope.
    Scope,
    /// The path names what is the caller's.
    Resource,
    /// The body is no longer than the route takes.
    Length,
    /// The signature, where the key needs one.
    Signature,
    /// Limits and budgets.
    Leave,
}

impl Check {
    /// All of them, in order.
    pub const ALL: [Self; 19] = [
        Self::Target,
        Self::Host,
        Self::Method,
        Self::OneCredential,
        Self::Url,
        Self::Page,
        Self::Route,
        Self::Form,
        Self::Network,
        Self::Kind,
        Self::Record,
        Self::Secret,
        Self::Standing,
        Self::Address,
        Self::Scope,
        Self::Resource,
        Self::Length,
        Self::Signature,
        Self::Leave,
    ];

    /// A word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Host => "host",
            Self::Method => "method",
            Self::OneCredential => "one credential",
            Self::Url => "no key in URL",
            Self::Page => "page",
            Self::Route => "route",
            Self::Form => "form",
            Self::Network => "route's networks",
            Self::Kind => "credential",
            Self::Record => "key",
            Self::Secret => "secret",
            Self::Standing => "status and dates",
            Self::Address => "key's networks",
            Self::Scope => "scope",
            Self::Resource => "resource",
            Self::Length => "body length",
            Self::Signature => "signature",
            Self::Leave => "limits",
        }
    }

    /// The check that refuses so.
    fn of(denial: &Denial, policy: &Policy) -> Self {
        match denial {
            // Some route takes it, and this one does not.
            Denial::Target(BadTarget::NotAllowed(class))
                if policy.allowed_classes.contains(*class) =>
            {
                Self::Form
            }
            Denial::Unreadable | Denial::Target(_) => Self::Target,
            Denial::UnknownHost | Denial::NotFound => Self::Host,
            Denial::UnknownMethod => Self::Method,
            Denial::Ambiguous => Self::OneCredential,
            Denial::KeyInUrl => Self::Url,
            Denial::Page => Self::Page,
            Denial::UnknownRoute | Denial::Method(_) => Self::Route,
            Denial::QueryForUrl | Denial::Upgrade | Denial::ContentLength => Self::Form,
            Denial::Network => Self::Network,
            Denial::Missing | Denial::Token | Denial::KeyNotAllowed => Self::Kind,
            Denial::Invalid(Invalid::Malformed | Invalid::Forged | Invalid::Unknown) => {
                Self::Record
            }
            Denial::Invalid(Invalid::Prefix | Invalid::Secret) => Self::Secret,
            Denial::Revoked
            | Denial::Disabled
            | Denial::Quarantined
            | Denial::Expired
            | Denial::NotYetValid => Self::Standing,
            Denial::Address => Self::Address,
            Denial::Scope(_) => Self::Scope,
            Denial::Binding(_) | Denial::Subject(_) | Denial::Personal => Self::Resource,
            Denial::BodyTooLarge(_) | Denial::BodyUndeclared => Self::Length,
            Denial::Signature
            | Denial::Differs(_)
            | Denial::StaleTimestamp { .. }
            | Denial::BodyLate
            | Denial::SignedBody
            | Denial::Digest
            | Denial::SignatureRequired => Self::Signature,
            Denial::Replayed | Denial::RateLimited(_) | Denial::Budget(_) => Self::Leave,
        }
    }

    /// Whether a route that takes no credential has it.
    const fn is_public(self) -> bool {
        !matches!(
            self,
            Self::Kind
                | Self::Record
                | Self::Secret
                | Self::Standing
                | Self::Address
                | Self::Scope
                | Self::Resource
                | Self::Signature
                | Self::Leave
        )
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It let the request pass.
    Passed,
    /// It refused the request.
    Refused,
    /// It cannot be told without asking somebody else.
    Open,
    /// The decision ended before.
    NotReached,
}

impl Verdict {
    /// A word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Refused => "refused",
            Self::Open => "open",
            Self::NotReached => "not reached",
        }
    }
}

/// One check and what came of it.
#[derive(Clone, Debug)]
pub struct Step {
    /// The check.
    pub check: Check,
    /// What came of it.
    pub verdict: Verdict,
    /// What it was about: what the policy and the key say, and the request.
    pub detail: String,
}

/// A decision, told check by check.
#[derive(Clone, Debug)]
pub struct Explanation<'g> {
    /// The route, if one was found.
    pub route: Option<&'g Route>,
    /// The checks that there are for such a request, in their order.
    pub steps: Vec<Step>,
    /// The refusal, if there is one.
    pub refused: Option<Wire>,
    /// Whether the management API answers, by checks of its own.
    pub is_managed: bool,
    /// What rules on trial would refuse, if the request is allowed.
    pub would_deny: Vec<Wire>,
}

impl<'g> Explanation<'g> {
    /// Explains the decision of this request; `record` is that of its key, if it is known.
    #[must_use]
    pub fn new(
        decision: &Decision<'_>,
        request: &Request<'_>,
        gate: &'g Gate,
        record: Option<&Rc<Record>>,
    ) -> Self {
        let policy = gate.policy();
        let (end, verdict) = end(decision, policy);
        let route = route(request, policy).filter(|_| end > Check::Route);
        let has = |check: &Check| {
            check.is_public() || !route.is_some_and(|route| route.credentials.is_public())
        };
        // By this isolate alone, whatever the policy says of totals.
        let is_edge = matches!(decision, Decision::Allow(grant) if grant.mode == Mode::Edge);
        let facts = Facts { request, policy, route, record: record.map(|own| &**own), is_edge };
        let steps = Check::ALL.into_iter().filter(has).map(|check| {
            let verdict = match check.cmp(&end) {
                core::cmp::Ordering::Less => Verdict::Passed,
                core::cmp::Ordering::Equal => verdict,
                core::cmp::Ordering::Greater => Verdict::NotReached,
            };
            let is_told = verdict != Verdict::NotReached && end > Check::Url;
            let detail = if is_told { facts.detail(check) } else { String::new() };
            Step { check, verdict, detail }
        });
        let refused = match decision {
            Decision::Deny(denial) => Some(denial.wire()),
            Decision::Fault(fault) => Some(fault.wire(0)),
            Decision::Allow(_)
            | Decision::Need(_)
            | Decision::Admin
            | Decision::Usage(_)
            | Decision::Preflight(_) => None,
        };
        // No Workspace counts it there.
        let tried = route.zip(record).filter(|_| refused.is_none() && !is_edge);
        let address = request.fields.client_address;
        let would_deny = tried.into_iter().flat_map(|(route, record)| {
            let caller = Caller::Key(Rc::clone(record));
            decide::would_deny(route, &caller, address).map(|denial| denial.wire())
        });
        let is_managed = matches!(decision, Decision::Admin | Decision::Usage(_));
        let (steps, would_deny) = (steps.collect(), would_deny.collect());
        Self { route, steps, refused, is_managed, would_deny }
    }
}

/// The check at which a decision ends, and how.
fn end(decision: &Decision<'_>, policy: &Policy) -> (Check, Verdict) {
    match decision {
        Decision::Allow(_) => (Check::Leave, Verdict::Passed),
        Decision::Deny(denial) => (Check::of(denial, policy), Verdict::Refused),
        Decision::Need(Need::Kv(_) | Need::Workspace(Ask::Record(_))) | Decision::Fault(_) => {
            (Check::Record, Verdict::Open)
        }
        Decision::Need(Need::KeySet { .. } | Need::Signature) => (Check::Kind, Verdict::Open),
        Decision::Need(Need::Body(_)) => (Check::Signature, Verdict::Open),
        Decision::Need(Need::Workspace(Ask::Leave(_))) => (Check::Leave, Verdict::Open),
        Decision::Admin => (Check::Host, Verdict::Passed),
        Decision::Usage(_) => (Check::Route, Verdict::Passed),
        Decision::Preflight(_) => (Check::Page, Verdict::Passed),
    }
}

fn route<'g>(request: &Request<'_>, policy: &'g Policy) -> Option<&'g Route> {
    let host = policy.hosts.iter().position(|host| host.matches(request.authority))?;
    let target = Target::parse(request.target, policy.allowed_classes).ok()?;
    match policy.table.find(host, target.path, Method::parse(request.method)?) {
        Lookup::Found { route, .. } => policy.routes.get(route),
        Lookup::WrongMethod(_) | Lookup::NotFound => None,
    }
}

struct Facts<'a, 'r> {
    request: &'a Request<'r>,
    policy: &'a Policy,
    route: Option<&'a Route>,
    record: Option<&'a Record>,
    is_edge: bool,
}

impl Facts<'_, '_> {
    /// What a check is about.
    fn detail(&self, check: Check) -> String {
        let request = self.request;
        let (route, record) = (self.route, self.record);
        let by_both = |tell: fn(&Self, &Route, &Record) -> String| {
            route.zip(record).map(|(route, record)| tell(self, route, record))
        };
        let detail = match check {
            Check::Target => request.target.split('?').next().map(str::to_owned),
            Check::Host => Some(request.authority.to_owned()),
            Check::Method => Some(request.method.to_owned()),
            Check::OneCredential | Check::Url | Check::Page | Check::Form | Check::Secret => None,
            Check::Route => route.map(|route| self.of_route(route)),
            Check::Network => route.map(|route| networks(route.ips.as_ref(), request)),
            Check::Kind => route.map(|route| format!("takes {}", kinds(route))),
            Check::Record => record.map(|record| format!("version {}", record.version)),
            Check::Standing => record.map(standing),
            Check::Address => record.map(|record| networks(record.ips.as_ref(), request)),
            Check::Scope => by_both(|_, route, record| {
                let needed =
                    route.scope.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
                format!("needs {needed}; the key has {}", or_none(&record.scopes))
            }),
            Check::Resource => by_both(|_, route, record| resource(route, record)),
            Check::Length => route.map(|route| match route.body_limit {
                Some(limit) => format!("at most {limit} bytes"),
                None => "any".to_owned(),
            }),
            Check::Signature => by_both(|_, route, record| {
                let demand = if route.signed { "; the route demands one" } else { "" };
                format!("{}{demand}", record.signature.as_str())
            }),
            Check::Leave => by_both(Self::leave),
        };
        detail.unwrap_or_default()
    }

    fn of_route(&self, route: &Route) -> String {
        let origin = self.policy.origins.get(route.origin);
        let origin = origin.map_or("", |origin| origin.name.as_str());
        let product = self.policy.product(route);
        let product = product.map_or_else(String::new, |own| format!(" of product {}", own.name));
        format!("{} {}{product}, to origin {origin}", route.methods, route.path)
    }

    fn leave(&self, route: &Route, record: &Record) -> String {
        if self.is_edge {
            let burst = record.limits.map_or_else(
                || "the key has no limits".to_owned(),
                |limits| format!("key: {} at once, in each isolate by itself", limits.burst),
            );
            return format!("mode edge: costs nothing, no totals are kept; {burst}");
        }
        let rules = self.policy.workspace(record.workspace.as_str());
        let mut parts = vec![match &route.settle {
            None => format!("costs {}", route.cost),
            Some(header) => format!("costs {} or what {} of the answer says", route.cost, header),
        }];
        let product = self.policy.product(route);
        let limits = [
            ("key", record.limits),
            ("product", product.and_then(|product| product.limits)),
            ("workspace", rules.limits),
        ];
        for (of, limits) in limits {
            parts.extend(limits.map(|limits| format!("{of}: {limits}")));
        }
        let budgets =
            [("product", product.and_then(|product| product.budget)), ("workspace", rules.budget)];
        for (of, budget) in budgets {
            parts.extend(budget.map(|budget| format!("budget of the {of}: {budget}")));
        }
        parts.join("; ")
    }
}

fn kinds(route: &Route) -> String {
    let kinds =
        [(Credential::Key, "key"), (Credential::Session, "session"), (Credential::Oauth, "oauth")];
    let taken = kinds.into_iter().filter(|(kind, _)| route.credentials.contains(*kind));
    taken.map(|(_, name)| name).collect::<Vec<_>>().join(", ")
}

fn networks(allowed: Option<&crate::address::Allowlist>, request: &Request<'_>) -> String {
    let Some(allowed) = allowed else { return "any".to_owned() };
    let list: Vec<String> = allowed.networks().map(|network| network.to_string()).collect();
    let client = or_none(request.fields.client_address);
    format!("{}; the client's address is {client}", list.join(", "))
}

fn standing(record: &Record) -> String {
    let mut text = record.status.as_str().to_owned();
    if let Some(start) = record.not_before {
        text.push_str(&format!(", from second {start}"));
    }
    if let Some(end) = record.expires {
        text.push_str(&format!(", until second {end}"));
    }
    text
}

fn resource(route: &Route, record: &Record) -> String {
    let is_named = route.path.params().any(|name| name == Route::WORKSPACE);
    let subject = record.subject.as_deref().map(|subject| match &route.subject {
        Some(Whose::Parameter(parameter)) => own(parameter, subject),
        Some(Whose::Origin) => format!("the origin holds it to what is {subject}'s"),
        None => unheld(subject),
    });
    reach(&record.bindings, is_named.then(|| record.workspace.as_str()), subject)
}

/// What a key may reach: by its bindings, by its workspace if the path names one, by its subject.
pub(crate) fn reach(
    bindings: &Bindings,
    workspace: Option<&str>,
    subject: Option<String>,
) -> String {
    let bound = bindings.iter();
    let bound = bound.map(|(name, values)| format!("{name} is one of {}", values.join(", ")));
    let named = workspace.map(|number| format!("{} is {number} or current", Route::WORKSPACE));
    let parts: Vec<String> = bound.chain(named).chain(subject).collect();
    if parts.is_empty() { "any".to_owned() } else { parts.join("; ") }
}

/// A parameter names a subject.
pub(crate) fn own(parameter: &str, subject: &str) -> String {
    format!("{parameter} is {subject}")
}

/// A route takes no key of a subject.
pub(crate) fn unheld(subject: &str) -> String {
    format!("nobody holds it to what is {subject}'s")
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}
