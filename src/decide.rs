//! The decision: one total function from what is known to what is to be done.
//!
//! The checks stand in their order. Nothing of a key is told before its secret
//! is proved, and nothing is looked up for a text that was never a key.

mod meter;
mod person;
mod proof;
mod resource;
mod shadow;
mod signature;

use std::rc::Rc;

use crate::account::View;
use crate::address::ClientAddress;
use crate::caller::Caller;
use crate::clock::Now;
use crate::cors::{self, Asked, Preflight};
use crate::credential::{self, Ambiguous, Credential};
use crate::denial::{Denial, Fault};
use crate::gate::Gate;
use crate::incident::Incident;
use crate::key::{self, Kid};
use crate::lease::{CallId, Pool};
use crate::limit::Metered;
use crate::memory::Memory;
use crate::need::{Ask, KvRow, Leave, Need};
use crate::observation::Known;
use crate::policy::{Mode, Origin, Policy, Route, Upstream, WhenDown};
use crate::record::{Record, Status};
use crate::request::Request;
use crate::reservation::Reservation;
use crate::route::{Lookup, Method, Params};
use crate::target::{Classes, Target, eq_decoded};
use crate::ticket::Ticket;
use meter::Metering;
use proof::Proved;
pub(crate) use shadow::would_deny;

/// What is to be done with a request.
#[derive(Debug)]
pub enum Decision<'g> {
    /// Forward it.
    Allow(Grant<'g>),
    /// Refuse it.
    Deny(Denial),
    /// Find this out, put it into memory, and ask again.
    Need(Need),
    /// It cannot be decided.
    Fault(Fault),
    /// It is for the admin host.
    Admin,
    /// A key asks for its own use on a gated host: the management API answers it at this URL.
    Usage(String),
    /// A browser asks whether a page may send a request: it may.
    Preflight(Preflight),
}

/// Leave to forward one request to one origin. Exists only for a request that
/// has been metered.
#[derive(Debug)]
pub struct Grant<'g> {
    pub(crate) route: &'g Route,
    pub(crate) origin: usize,
    pub(crate) caller: Caller,
    /// What is left of its limits, where a total is kept.
    pub(crate) view: Option<View>,
    /// Whether it was decided without the Workspace, which should have been asked.
    pub(crate) degraded: bool,
    kid: Option<Kid>,
    /// The generation of its secret, if it is being replaced.
    replaced: Option<u8>,
    pub(crate) mode: Mode,
    /// The call by which it was admitted, if its origin may say that it has cost less.
    admission: Option<CallId>,
    _metered: Metered,
}

impl Grant<'_> {
    /// The native or imported key that was used, to keep its record warm.
    #[must_use]
    pub fn kid(&self) -> Option<Kid> {
        self.kid
    }

    /// The first second in which the key, or this secret of it, works no more.
    pub(crate) fn end(&self) -> Option<u64> {
        self.caller.key()?.end(self.replaced)
    }

    /// What was reserved for it, if its origin may say that it has cost less.
    #[must_use]
    pub fn reservation(&self, gate: &Gate) -> Option<Reservation> {
        let (kid, call) = self.kid.zip(self.admission.clone())?;
        let header = self.route.settle.clone()?;
        let millis = self.millis(gate.policy.origins.get(self.origin)?);
        Some(Reservation { kid, call, coins: self.route.cost, header, millis })
    }

    /// How long the origin may take until the head of its answer, in milliseconds.
    pub(crate) fn millis(&self, origin: &Origin) -> u32 {
        self.route.timeout_ms.unwrap_or(origin.timeout_ms).get()
    }

    /// What is worth finding out behind the answer, so that later requests need not wait: leave for
    /// more requests, or what KV says of the key now.
    pub fn ahead(&self, gate: &Gate, memory: &mut Memory, now: Now) -> Option<Need> {
        let kid = self.kid?;
        if self.mode == Mode::Lease && !self.degraded {
            let millis = gate.policy.lease_seconds.millis();
            let pool = Pool::of(&gate.policy, self.route, kid.workspace());
            if memory.wallet(&kid)?.renewal_due(pool, millis, now) {
                let coins = self.route.cost;
                let leave = Leave { kid, coins, pool, alone: false, once: None, settle: false };
                return Some(Need::Workspace(Ask::Leave(leave)));
            }
        }
        memory.refresh_due(&kid, now).then_some(Need::Kv(KvRow::Record(kid)))
    }
}

/// Decides. Total: every request gets an answer, and the same one for the same
/// request, gate, memory, ticket and time. `ticket` is the request's own, new at first.
pub fn decide<'g>(
    request: &Request<'_>,
    gate: &'g Gate,
    memory: &mut Memory,
    ticket: &mut Ticket,
    now: Now,
) -> Decision<'g> {
    memory.observe(now);
    let check = Check { request, gate, memory, ticket, now };
    match check.run() {
        Ok(grant) => Decision::Allow(grant),
        Err(Stop::Deny(denial)) => Decision::Deny(denial),
        Err(Stop::Need(need)) => Decision::Need(need),
        Err(Stop::Fault(fault)) => Decision::Fault(fault),
        Err(Stop::Admin) => Decision::Admin,
        Err(Stop::Usage(url)) => Decision::Usage(url),
        Err(Stop::Preflight(preflight)) => Decision::Preflight(preflight),
    }
}

enum Stop {
    Deny(Denial),
    Need(Need),
    Fault(Fault),
    Admin,
    Usage(String),
    Preflight(Preflight),
}

impl From<Denial> for Stop {
    fn from(denial: Denial) -> Self {
        Self::Deny(denial)
    }
}

struct Check<'r, 'a, 'g, 'm> {
    request: &'r Request<'a>,
    gate: &'g Gate,
    memory: &'m mut Memory,
    ticket: &'m mut Ticket,
    now: Now,
}

impl<'a, 'g> Check<'_, 'a, 'g, '_> {
    fn run(mut self) -> Result<Grant<'g>, Stop> {
        let (request, policy) = (self.request, &self.gate.policy);
        let is_admin = policy.admin_host.matches(request.authority);
        // Its paths name people as issuers do.
        let allowed = if is_admin { Classes::ALL } else { policy.allowed_classes };
        let target = Target::parse(request.target, allowed).map_err(Denial::Target)?;
        if !names_host_alone(request.fields.host) {
            return Err(Denial::UnknownHost.into());
        }
        if is_admin {
            return Err(Stop::Admin);
        }
        let host = policy.hosts.iter().position(|host| host.matches(request.authority));
        let host = host.ok_or(Denial::UnknownHost)?;
        let method = Method::parse(request.method).ok_or(Denial::UnknownMethod)?;
        let credential =
            credential::find(&request.fields).map_err(|Ambiguous| Denial::Ambiguous)?;
        if key::occurs_in_target(request.target) {
            return Err(Denial::KeyInUrl.into());
        }
        if method == Method::Options {
            match cors::preflight(request, target.path, host, policy) {
                Some(Asked::Granted(preflight)) => return Err(Stop::Preflight(preflight)),
                Some(Asked::Refused) => return Err(Denial::Page.into()),
                None => {}
            }
        }
        let (route, params) = match policy.table.find(host, target.path, method) {
            Lookup::Found { route, params } => {
                self.ticket.route = Some(route);
                (policy.routes.get(route).ok_or_else(|| own_usage(policy, &target))?, params)
            }
            Lookup::WrongMethod(methods) => return Err(Denial::Method(methods).into()),
            Lookup::NotFound => return Err(Denial::UnknownRoute.into()),
        };
        self.check_form(route, &target)?;
        let refused = self.check_network(route);
        if route.credentials.is_public() {
            refused?;
            self.check_length(route)?;
            return Ok(unmetered(route, Caller::Anyone));
        }
        if refused.is_ok()
            && let Some(person) = self.person(&credential, route)?
        {
            let issuer = policy.issuers.get(person.issuer);
            // Of others the policy says that the origin sees to it.
            if issuer.is_some_and(|rules| rules.workspace_claim.is_some()) {
                resource::check_workspace(person.workspace, &params)?;
            }
            resource::check_subject(Some(&person.subject), route, &params, policy)?;
            self.check_length(route)?;
            return Ok(unmetered(route, Caller::Person(person)));
        }
        let refused = match refused.and_then(|()| proof::check_kind(&credential, route)).err() {
            Some(denial) if !self.is_told(&credential, route) => return Err(denial.into()),
            refused => refused,
        };
        let proved = self.prove(credential, route).map_err(|stop| match (stop, &refused) {
            (Stop::Need(need), _) => Stop::Need(need),
            (_, Some(denial)) => denial.clone().into(),
            (stop, None) => stop,
        })?;
        let (kid, version) = (proved.kid, proved.record.version);
        if policy.observe.writes() {
            let mode = Some(self.mode(kid, route));
            self.ticket.known =
                Some(Known { caller: Caller::Key(Rc::clone(&proved.record)), mode });
        }
        let checked = match refused {
            Some(denial) => Err(denial.into()),
            None => self.check_proved(proved, route, &params),
        };
        if let (Err(Stop::Deny(denial)), Some(kid)) = (&checked, kid) {
            self.explain(denial, (kid, version), route);
        }
        checked
    }

    /// What is checked of a key whose secret is proved.
    fn check_proved(
        &mut self,
        proved: Proved,
        route: &'g Route,
        params: &Params<'_>,
    ) -> Result<Grant<'g>, Stop> {
        let Proved { record, kid, replaced, signed } = proved;
        let mode = self.mode(kid, route);
        if let Err(denial) = self.check_record(&record, route, params) {
            return Err(self.deny(denial, &record, kid, mode));
        }
        self.check_length(route)?;
        let once = match signed.map_or_else(|| self.check_signature(&record, kid, route), Ok) {
            Err(Stop::Deny(denial)) => return Err(self.deny(denial, &record, kid, mode)),
            checked => checked?,
        };
        let Metering { metered, view, degraded, admission } = match kid {
            Some(kid) => {
                // Before the call that counts this request, so that it tells.
                let told = replaced.filter(|_| mode != Mode::Edge);
                if let Some((generation, wallet)) = told.zip(self.memory.wallet(&kid)) {
                    wallet.note_replaced(generation, self.now.seconds());
                }
                self.meter(&record, kid, route, mode, once)?
            }
            None => Metered::unlimited().into(),
        };
        let caller = Caller::Key(record);
        if let Some(kid) = kid.filter(|_| mode != Mode::Edge && !route.shadow.is_empty()) {
            self.count_shadow(kid, route, &caller);
        }
        let origin = route.origin;
        Ok(Grant {
            route,
            origin,
            caller,
            view,
            degraded,
            kid,
            replaced,
            mode,
            admission,
            _metered: metered,
        })
    }

    /// Whether the Workspace of a key is told of a refusal that does not depend on it: of one that was minted here it
    /// is found out whose it is, which changes nothing of the answer.
    fn is_told(&self, credential: &Credential<'_>, route: &Route) -> bool {
        matches!(credential, Credential::Native(text)
            if self.mode(Some(text.kid()), route) != Mode::Edge)
    }

    /// Keeps by what the request is refused, for the key's Workspace.
    fn explain(&mut self, denial: &Denial, key: (Kid, u64), route: &Route) {
        if self.mode(Some(key.0), route) != Mode::Edge {
            let came = (self.request.method, self.request.fields.client_address);
            let route = (route, self.gate.policy.product(route));
            self.ticket.incident = Some(Incident::new(denial, came, route, key, self.now));
            self.ticket.denied = Some(key.0);
        }
    }

    /// Who has a say besides this isolate. Environment keys are known to no Workspace.
    fn mode(&self, kid: Option<Kid>, route: &Route) -> Mode {
        let Some(kid) = kid else { return Mode::Edge };
        let of_workspace = || self.gate.policy.workspace(kid.workspace().as_str()).mode;
        route.mode.unwrap_or_else(of_workspace)
    }

    /// What the record says of this request, its signature and limits aside.
    fn check_record(
        &self,
        record: &Record,
        route: &Route,
        params: &Params<'_>,
    ) -> Result<(), Denial> {
        record.check_standing(self.now)?;
        record.check_address(self.request.fields.client_address)?;
        check_permission(record, route, params)?;
        resource::check_workspace(Some(record.workspace), params)?;
        resource::check_personal(record, route)?;
        resource::check_subject(record.subject.as_deref(), route, params, &self.gate.policy)
    }

    /// Refuses a request because of what a record says, unless the Workspace might say otherwise
    /// by now: a cause that has been mended is not held against anybody for longer than a lease.
    fn deny(&mut self, denial: Denial, record: &Record, kid: Option<Kid>, mode: Mode) -> Stop {
        let Some(kid) = kid.filter(|_| mode != Mode::Edge) else { return denial.into() };
        let rules = self.gate.policy.workspace(kid.workspace().as_str());
        let alone = self.ticket.workspace.is_some() && rules.on_workspace_down == WhenDown::Edge;
        if record.status != Status::Revoked
            && !alone
            && let Err(stop) = self.confirm(kid)
        {
            return stop;
        }
        self.count_denial(kid, &denial);
        denial.into()
    }

    /// What the matched route says of the request's form.
    fn check_form(&self, route: &Route, target: &Target<'_>) -> Result<(), Denial> {
        let fields = &self.request.fields;
        target.permit(route.allow).map_err(Denial::Target)?;
        let by_url = self
            .gate
            .policy
            .origins
            .get(route.origin)
            .is_some_and(|origin| matches!(origin.upstream, Upstream::Url { .. }));
        if by_url && !target.url_safe_query() {
            return Err(Denial::QueryForUrl);
        }
        if !route.upgrade && !fields.upgrade.is_empty() {
            return Err(Denial::Upgrade);
        }
        if !fields.content_length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Denial::ContentLength);
        }
        Ok(())
    }

    /// Whether the route may be called from where the client is, whoever it is.
    fn check_network(&self, route: &Route) -> Result<(), Denial> {
        let Some(allowed) = &route.ips else { return Ok(()) };
        let client = ClientAddress::parse(self.request.fields.client_address);
        if client.is_some_and(|client| allowed.contains(client)) {
            Ok(())
        } else {
            Err(Denial::Network)
        }
    }

    fn check_length(&self, route: &Route) -> Result<(), Denial> {
        let (Some(limit), fields) = (route.body_limit, &self.request.fields) else { return Ok(()) };
        let undeclared = self.request.has_body && fields.content_length.is_empty();
        if undeclared || !fields.transfer_encoding.is_empty() {
            return Err(Denial::BodyUndeclared);
        }
        self.check_declared(limit)
    }

    fn check_declared(&self, limit: u64) -> Result<(), Denial> {
        let declared = self.request.fields.content_length;
        // A number too large for u64 is larger than any limit.
        let fits =
            declared.is_empty() || declared.parse::<u64>().is_ok_and(|length| length <= limit);
        if fits { Ok(()) } else { Err(Denial::BodyTooLarge(limit)) }
    }
}

/// Only keys are counted against limits.
const fn unmetered(route: &Route, caller: Caller) -> Grant<'_> {
    Grant {
        route,
        origin: route.origin,
        caller,
        view: None,
        degraded: false,
        kid: None,
        replaced: None,
        mode: Mode::Edge,
        admission: None,
        _metered: Metered::unlimited(),
    }
}

fn check_permission(record: &Record, route: &Route, params: &Params<'_>) -> Result<(), Denial> {
    if let Some(scope) = &route.scope
        && !record.grants.allow(scope)
    {
        return Err(Denial::Scope(scope.clone()));
    }
    for (parameter, values) in &record.bindings {
        let bound = match params.get(parameter) {
            Some(segment) => values.iter().any(|value| eq_decoded(segment, value)),
            None => route.bindings.contains(parameter),
        };
        if !bound {
            return Err(Denial::Binding(parameter.clone()));
        }
    }
    Ok(())
}

/// What the table has behind the routes.
fn own_usage(policy: &Policy, target: &Target<'_>) -> Stop {
    let (mark, query) = target.query.map_or(("", ""), |query| ("?", query));
    Stop::Usage(["https://", policy.admin_host.as_str(), OWN_USAGE, mark, query].concat())
}

/// Of the management API.
const OWN_USAGE: &str = "/api/v1/keys/usage";

/// Whether a `Host` header is no more than a host and a port. workerd writes it into the URL as it
/// is, where a `/` in it would begin another target than the one in the request line.
fn names_host_alone(host: &str) -> bool {
    !host.contains(['/', '?', '#', '@', '\\'])
}
