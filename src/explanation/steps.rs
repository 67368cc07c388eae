//! A decision as its checks, each with what it was about.

use super::{Check, Verdict, own, reach, unheld};
use crate::caller::Caller;
use crate::decide::{self, Decision};
use crate::denial::{Denial, Invalid, Wire};
use crate::gate::Gate;
use crate::key::Workspace;
use crate::management::time;
use crate::need::{Ask, Need};
use crate::person::Person;
use crate::policy::{Bindings, Credential, Mode, Origin, Policy, Route, TokenKind, Whose};
use crate::record::Record;
use crate::request::Request;
use crate::route::{Lookup, Method};
use crate::target::{BadTarget, Target};

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
    /// Explains the decision of this request; `caller` is whose it is, if that is known.
    #[must_use]
    pub(crate) fn new(
        decision: &Decision<'_>,
        request: &Request<'_>,
        gate: &'g Gate,
        caller: &Caller,
    ) -> Self {
        let policy = gate.policy();
        let (end, verdict) = end(decision, policy);
        let route = route(request, policy).filter(|_| end > Check::Route);
        let (record, person) = match caller {
            Caller::Anyone => (None, None),
            Caller::Key(record) => (Some(&**record), None),
            Caller::Person(person) => (None, Some(&**person)),
        };
        let has = |check: &Check| {
            let is_public = route.is_some_and(|route| route.credentials.is_public());
            !(is_public && check.is_of_caller() || person.is_some() && check.is_of_key())
        };
        // By this isolate alone, whatever the policy says of totals.
        let is_edge = matches!(decision, Decision::Allow(grant) if grant.mode == Mode::Edge);
        let facts = Facts { request, policy, route, record, person, is_edge };
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
        let tried = route.filter(|_| refused.is_none() && !is_edge && !caller.is_anyone());
        let address = request.fields.client_address;
        let would_deny = tried.into_iter().flat_map(|route| {
            decide::would_deny(route, caller, address).map(|denial| denial.wire())
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
    person: Option<&'a Person>,
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
            Check::Kind => route.map(|route| match self.person {
                None => format!("takes {}", kinds(route)),
                Some(person) => format!("takes {}; this is {}", kinds(route), person.kind.as_str()),
            }),
            Check::Record => record.map(|record| format!("version {}", record.version)),
            Check::Standing => record.map(standing),
            Check::Address => record.map(|record| networks(record.ips.as_ref(), request)),
            Check::Scope => route.and_then(|route| self.scope(route)),
            Check::Resource => match self.person {
                Some(person) => route.map(|route| self.resource_of_person(route, person)),
                None => by_both(|_, route, record| resource(route, record)),
            },
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
        let origin = self.policy.origins.get(route.origin).map(|origin| origin.name.as_str());
        let origin = origin.filter(|name| *name != Origin::UNTOLD);
        let origin = origin.map_or_else(String::new, |name| format!(", to origin {name}"));
        let product = self.policy.product(route);
        let product = product.map_or_else(String::new, |own| format!(" of product {}", own.name));
        format!("{} {}{product}{origin}", route.methods, route.path)
    }

    fn scope(&self, route: &Route) -> Option<String> {
        let needed = route.scope.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        let has = match (self.record, self.person) {
            (Some(record), _) => format!("the key has {}", or_none(&record.scopes)),
            (None, Some(Person { kind: TokenKind::Session, .. })) => {
                "a session is not held to it".to_owned()
            }
            (None, Some(person)) => format!("the token has {}", or_none(&person.scopes)),
            (None, None) => return None,
        };
        Some(format!("needs {needed}; {has}"))
    }

    fn resource_of_person(&self, route: &Route, person: &Person) -> String {
        let rules = self.policy.issuers.get(person.issuer);
        let is_held = rules.is_some_and(|rules| rules.workspace_claim.is_some());
        let is_named = is_held && route.path.params().any(|name| name == Route::WORKSPACE);
        let workspace = person.workspace.as_ref().map_or("none of the token's", Workspace::as_str);
        let subject = match &route.subject {
            Some(Whose::Parameter(parameter)) => Some(own(parameter, &person.subject)),
            Some(Whose::Origin) | None => None,
        };
        reach(&Bindings::default(), is_named.then_some(workspace), subject)
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
        text.push_str(&format!(", from {}", time::print(start)));
    }
    if let Some(end) = record.expires {
        text.push_str(&format!(", until {}", time::print(end)));
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

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

impl Check {
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

    /// Whether a route that takes no credential does without it.
    const fn is_of_caller(self) -> bool {
        self.is_of_key() || matches!(self, Self::Kind | Self::Scope | Self::Resource)
    }

    /// Whether it is made of keys alone.
    const fn is_of_key(self) -> bool {
        matches!(
            self,
            Self::Record
                | Self::Secret
                | Self::Standing
                | Self::Address
                | Self::Signature
                | Self::Leave
        )
    }
}
