//! The decision: one total function from what is known to what is to be done.
//!
//! The checks stand in their order. Nothing of a key is told before its secret
//! is proved, and nothing is looked up for a text that was never a key.

use std::rc::Rc;

use crate::account::View;
use crate::address::ClientAddress;
use crate::clock::Now;
use crate::credential::{self, Ambiguous, Credential, Opaque};
use crate::crypto;
use crate::denial::{Denial, Fault, Invalid, Wait};
use crate::gate::Gate;
use crate::imported::PointerId;
use crate::key::{self, KeyText, Kid};
use crate::lease::{Refused, Scope};
use crate::limit::Metered;
use crate::memory::{Known, Memory};
use crate::need::{Ask, KvRow, Leave, Need};
use crate::policy::{Credential as Kind, Mode, Route, Upstream, WhenDown};
use crate::ratelimit::RateLimit;
use crate::record::{Record, SignatureMode, Status};
use crate::request::Request;
use crate::route::{Lookup, Method, Params};
use crate::target::{Target, eq_decoded};
use crate::ticket::{Ticket, Word};

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
}

/// Leave to forward one request to one origin. Exists only for a request that
/// has been metered.
#[derive(Debug)]
pub struct Grant<'g> {
    pub(crate) route: &'g Route,
    pub(crate) origin: usize,
    pub(crate) key: Option<Rc<Record>>,
    /// What is left of its limits, where a total is kept.
    pub(crate) view: Option<View>,
    /// Whether it was decided without the Workspace, which should have been asked.
    pub(crate) degraded: bool,
    kid: Option<Kid>,
    mode: Mode,
    _metered: Metered,
}

impl Grant<'_> {
    /// The native or imported key that was used, to keep its record warm.
    #[must_use]
    pub fn kid(&self) -> Option<Kid> {
        self.kid
    }

    /// What is worth finding out behind the answer, so that later requests need not wait: leave for
    /// more requests, or what KV says of the key now.
    pub fn ahead(&self, gate: &Gate, memory: &mut Memory, now: Now) -> Option<Need> {
        let kid = self.kid?;
        if self.mode == Mode::Lease && !self.degraded {
            let millis = gate.policy.lease_seconds.millis();
            if memory.wallet(&kid)?.renewal_due(millis, now) {
                let leave = Leave { kid, coins: self.route.cost, alone: false };
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
    }
}

enum Stop {
    Deny(Denial),
    Need(Need),
    Fault(Fault),
    Admin,
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

/// A key whose record is at hand and whose secret is proved.
struct Proved {
    record: Rc<Record>,
    kid: Option<Kid>,
}

impl<'a, 'g> Check<'_, 'a, 'g, '_> {
    fn run(mut self) -> Result<Grant<'g>, Stop> {
        let (request, policy) = (self.request, &self.gate.policy);
        let target =
            Target::parse(request.target, policy.allowed_classes).map_err(Denial::Target)?;
        if !names_host_alone(request.fields.host) {
            return Err(Denial::UnknownHost.into());
        }
        if policy.admin_host.matches(request.authority) {
            return Err(Stop::Admin);
        }
        if !policy.hosts.iter().any(|host| host.matches(request.authority)) {
            return Err(Denial::UnknownHost.into());
        }
        let method = Method::parse(request.method).ok_or(Denial::UnknownMethod)?;
        let credential =
            credential::find(&request.fields).map_err(|Ambiguous| Denial::Ambiguous)?;
        if holds_key(request.target) {
            return Err(Denial::KeyInUrl.into());
        }
        let (route, params) = match policy.table.find(target.path, method) {
            Lookup::Found { route, params } => {
                (policy.routes.get(route).ok_or(Denial::UnknownRoute)?, params)
            }
            Lookup::WrongMethod(methods) => return Err(Denial::Method(methods).into()),
            Lookup::NotFound => return Err(Denial::UnknownRoute.into()),
        };
        self.check_form(route, &target)?;
        if route.credentials.is_public() {
            self.check_length(route)?;
            return Ok(Grant {
                route,
                origin: route.origin,
                key: None,
                view: None,
                degraded: false,
                kid: None,
                mode: Mode::Edge,
                _metered: Metered::unlimited(),
            });
        }
        let Proved { record, kid } = self.prove(credential, route)?;
        let mode = self.mode(kid, route);
        if let Err(denial) = self.check_record(&record, route, &params) {
            return Err(self.deny(denial, &record, kid, mode));
        }
        self.check_length(route)?;
        if let Err(denial) = self.check_signature(&record) {
            return Err(self.deny(denial, &record, kid, mode));
        }
        let Metering { metered, view, degraded } = match kid {
            Some(kid) => self.meter(&record, kid, route, mode)?,
            None => Metered::unlimited().into(),
        };
        let key = Some(record);
        Ok(Grant { route, origin: route.origin, key, view, degraded, kid, mode, _metered: metered })
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
        self.check_standing(record)?;
        self.check_address(record)?;
        check_permission(record, route, params)
    }

    fn check_signature(&self, record: &Record) -> Result<(), Denial> {
        let fields = &self.request.fields;
        match record.signature {
            SignatureMode::None => Ok(()),
            SignatureMode::Optional
                if fields.signature.is_empty() && fields.signature_input.is_empty() =>
            {
                Ok(())
            }
            SignatureMode::Optional => Err(Denial::Signature),
            SignatureMode::Required | SignatureMode::Only => Err(Denial::SignatureRequired),
        }
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

    fn count_denial(&mut self, kid: Kid, denial: &Denial) {
        if let Some(wallet) = self.memory.wallet(&kid) {
            wallet.deny(denial.code());
            self.ticket.denied = Some(kid);
        }
    }

    /// Sees to it that the Workspace was asked about `kid` no longer ago than a lease lasts.
    fn confirm(&self, kid: Kid) -> Result<(), Stop> {
        self.confirm_within(kid, self.gate.policy.lease_seconds.millis())
    }

    fn confirm_within(&self, kid: Kid, millis: u64) -> Result<(), Stop> {
        if self.memory.is_confirmed(&kid, millis, self.now) {
            return Ok(());
        }
        Err(match self.ticket.workspace {
            None => Stop::Need(Need::Workspace(Ask::Record(kid))),
            Some(fault) => Stop::Fault(fault),
        })
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

    /// Finds the key behind the credential and proves its secret.
    fn prove(&mut self, credential: Credential<'a>, route: &Route) -> Result<Proved, Stop> {
        match credential {
            Credential::Missing => Err(Denial::Missing.into()),
            Credential::Token => Err(Denial::Token.into()),
            _ if !route.credentials.contains(Kind::Key) => Err(Denial::KeyNotAllowed.into()),
            Credential::Malformed => Err(Denial::Invalid(Invalid::Malformed).into()),
            Credential::Signature => Err(Denial::Signature.into()),
            Credential::Native(text) => self.prove_native(&text, route),
            Credential::Other(text) => self.prove_other(text, route),
        }
    }

    fn prove_native(&mut self, text: &KeyText<'_>, route: &Route) -> Result<Proved, Stop> {
        let kid = text.kid();
        let mode = self.mode(Some(kid), route);
        let known = self.memory.record(&kid, self.now);
        if !matches!(known, Known::Is(_)) && !text.is_ours(&self.gate.keyring) {
            return Err(Denial::Invalid(Invalid::Forged).into());
        }
        let record = self.record(known, kid, mode)?;
        let proof = self.check_secret(&record, text.secret()).and_then(|()| {
            if record.prefix == text.prefix() {
                Ok(())
            } else {
                Err(Denial::Invalid(Invalid::Prefix))
            }
        });
        match proof {
            Ok(()) => Ok(Proved { record, kid: Some(kid) }),
            // A secret that was minted here may be newer than the record at hand.
            Err(denial) if mode != Mode::Edge && text.is_ours(&self.gate.keyring) => {
                self.confirm(kid)?;
                Err(denial.into())
            }
            Err(denial) => Err(denial.into()),
        }
    }

    /// The record of a key: from memory, else KV, else the Workspace.
    fn record(&self, known: Known<Rc<Record>>, kid: Kid, mode: Mode) -> Result<Rc<Record>, Stop> {
        match (known, mode, self.ticket.kv) {
            (Known::Is(record), ..) => Ok(record),
            (Known::Absent, Mode::Edge, _) => Err(Denial::Invalid(Invalid::Unknown).into()),
            (Known::Unknown, Mode::Edge, Some(fault)) => Err(Stop::Fault(fault)),
            (Known::Unknown, _, None) => Err(Stop::Need(Need::Kv(KvRow::Record(kid)))),
            (Known::Absent, Mode::Lease | Mode::Strict, _) => {
                self.confirm_within(kid, ABSENT_CONFIRMED_MILLIS)?;
                Err(Denial::Invalid(Invalid::Unknown).into())
            }
            (Known::Unknown, Mode::Lease | Mode::Strict, Some(_)) => {
                Err(match self.ticket.workspace {
                    None => Stop::Need(Need::Workspace(Ask::Record(kid))),
                    Some(fault) => Stop::Fault(fault),
                })
            }
        }
    }

    fn prove_other(&mut self, Opaque(text): Opaque<'_>, route: &Route) -> Result<Proved, Stop> {
        let gate = self.gate;
        let imports = gate.policy.imports.iter().any(|shape| shape.matches(text));
        if !imports && gate.environment.is_empty() {
            return Err(Denial::Invalid(Invalid::Malformed).into());
        }
        let sha256 = crypto::sha256(text.as_bytes());
        let digest = gate.keyring.newest().digest(&sha256);
        if let Some(record) = gate.environment.find(&digest) {
            return Ok(Proved { record: Rc::clone(record), kid: None });
        }
        if !imports {
            return Err(Denial::Invalid(Invalid::Unknown).into());
        }
        for root in gate.keyring.versions() {
            let id = PointerId::of_sha256(root, &sha256);
            let kid = match (self.memory.pointer(&id, self.now), self.ticket.kv) {
                (Known::Is(kid), _) => kid,
                (Known::Absent, _) => continue,
                (Known::Unknown, None) => {
                    return Err(Stop::Need(Need::Kv(KvRow::Pointer(id))));
                }
                (Known::Unknown, Some(fault)) => return Err(Stop::Fault(fault)),
            };
            let mode = self.mode(Some(kid), route);
            let record = match (self.memory.record(&kid, self.now), mode) {
                (Known::Absent, Mode::Edge) => continue,
                (known, mode) => self.record(known, kid, mode)?,
            };
            if let Err(denial) = self.check_secret(&record, &sha256) {
                if mode != Mode::Edge {
                    self.confirm(kid)?;
                }
                return Err(denial.into());
            }
            return Ok(Proved { record, kid: Some(kid) });
        }
        Err(Denial::Invalid(Invalid::Unknown).into())
    }

    /// Whether one of the record's secrets has the digest of `secret`.
    fn check_secret(&self, record: &Record, secret: &[u8]) -> Result<(), Denial> {
        let mut expired = false;
        for stored in &record.secrets {
            let Some(root) = self.gate.keyring.version(stored.root) else { continue };
            if root.digest(secret).matches(&stored.digest) {
                if stored.expires.is_none_or(|end| self.now.seconds() < end) {
                    return Ok(());
                }
                expired = true;
            }
        }
        Err(if expired { Denial::Expired } else { Denial::Invalid(Invalid::Secret) })
    }

    fn check_standing(&self, record: &Record) -> Result<(), Denial> {
        match record.status {
            Status::Active => {}
            Status::Revoked => return Err(Denial::Revoked),
            Status::Disabled => return Err(Denial::Disabled),
            Status::Quarantined => return Err(Denial::Quarantined),
        }
        let now = self.now.seconds();
        if record.expires.is_some_and(|end| now >= end) {
            return Err(Denial::Expired);
        }
        if record.not_before.is_some_and(|start| now < start) {
            return Err(Denial::NotYetValid);
        }
        Ok(())
    }

    fn check_address(&self, record: &Record) -> Result<(), Denial> {
        let Some(allowed) = &record.ips else { return Ok(()) };
        let client = ClientAddress::parse(self.request.fields.client_address);
        if client.is_some_and(|client| allowed.contains(client)) {
            Ok(())
        } else {
            Err(Denial::Address)
        }
    }

    fn check_length(&self, route: &Route) -> Result<(), Denial> {
        let (Some(limit), fields) = (route.body_limit, &self.request.fields) else { return Ok(()) };
        let undeclared = self.request.has_body && fields.content_length.is_empty();
        if undeclared || !fields.transfer_encoding.is_empty() {
            return Err(Denial::BodyUndeclared);
        }
        let declared = fields.content_length;
        // A number too large for u64 is larger than any limit.
        let fits =
            declared.is_empty() || declared.parse::<u64>().is_ok_and(|length| length <= limit);
        if fits { Ok(()) } else { Err(Denial::BodyTooLarge(limit)) }
    }

    /// Counts the request against the key's limits, and the workspace's.
    fn meter(
        &mut self,
        record: &Record,
        kid: Kid,
        route: &Route,
        mode: Mode,
    ) -> Result<Metering, Stop> {
        let alone = match mode {
            Mode::Edge => return Ok(self.meter_here(record, kid)?.into()),
            Mode::Lease => false,
            Mode::Strict => true,
        };
        match self.ticket.word {
            Some((of, Word::Admitted { version, view }))
                if of == kid && version == record.version =>
            {
                self.ticket.word = None;
                return Ok(Metering { metered: Metered::debited(), view, degraded: false });
            }
            Some((of, Word::Refused(refused))) if of == kid => {
                return Err(limited(&refused, self.now).into());
            }
            _ => {}
        }
        let counted = core::mem::replace(&mut self.ticket.counted, true);
        let millis = self.gate.policy.lease_seconds.millis();
        if let Some(wallet) = self.memory.wallet(&kid) {
            if !counted {
                wallet.note_demand(millis, self.now);
            }
            if !alone && let Some(view) = wallet.spend(route.cost, self.now) {
                return Ok(Metering { metered: Metered::debited(), view, degraded: false });
            }
            if let Some(refused) = wallet.refused(self.now) {
                let denial = limited(&refused, self.now);
                self.count_denial(kid, &denial);
                return Err(denial.into());
            }
        }
        match self.ticket.workspace {
            None => {
                let leave = Leave { kid, coins: route.cost, alone };
                Err(Stop::Need(Need::Workspace(Ask::Leave(leave))))
            }
            Some(fault) => {
                let rules = self.gate.policy.workspace(kid.workspace().as_str());
                match rules.on_workspace_down {
                    WhenDown::Refuse => Err(Stop::Fault(fault)),
                    WhenDown::Edge => {
                        let metered = self.meter_here(record, kid)?;
                        Ok(Metering { metered, view: None, degraded: true })
                    }
                }
            }
        }
    }

    /// Bounds bursts in this isolate alone.
    fn meter_here(&mut self, record: &Record, kid: Kid) -> Result<Metered, Denial> {
        let wait = |seconds| Denial::RateLimited(Wait { seconds, rate: None, shared: false });
        let meter = self.memory.meter(&kid);
        Metered::count(record.limits.as_ref(), meter, self.now).map_err(wait)
    }
}

/// How a request was counted.
struct Metering {
    metered: Metered,
    view: Option<View>,
    degraded: bool,
}

impl From<Metered> for Metering {
    fn from(metered: Metered) -> Self {
        Self { metered, view: None, degraded: false }
    }
}

fn limited(refused: &Refused, now: Now) -> Denial {
    Denial::RateLimited(Wait {
        seconds: refused.retry_millis.div_ceil(1000).max(1),
        rate: Some(Box::new(RateLimit::new(&refused.view, now))),
        shared: refused.by == Scope::Workspace,
    })
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

/// Whether a `Host` header is no more than a host and a port. workerd writes it into the URL as it
/// is, where a `/` in it would begin another target than the one in the request line.
fn names_host_alone(host: &str) -> bool {
    !host.contains(['/', '?', '#', '@', '\\'])
}

/// Whether a native key stands in the target, plain or percent-encoded.
fn holds_key(target: &str) -> bool {
    if target.len() < MIN_KEY {
        return false;
    }
    key::occurs_in(target) || (target.contains('%') && key::occurs_in(&percent_decode(target)))
}

fn percent_decode(text: &str) -> String {
    let hex = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = text.bytes();
    let mut decoded = String::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let code = match (byte, ahead.next().and_then(hex), ahead.next().and_then(hex)) {
            (b'%', Some(high), Some(low)) => char::from_u32(high << 4 | low),
            _ => None,
        };
        decoded.push(code.unwrap_or(char::from(byte)));
        if code.is_some() {
            bytes = ahead;
        }
    }
    decoded
}

/// A key that was minted here and that nobody knows is most likely just being created.
const ABSENT_CONFIRMED_MILLIS: u64 = 500;
/// The shortest native key, without a prefix's first character.
const MIN_KEY: usize = 63;
