//! The decision: one total function from what is known to what is to be done.
//!
//! The checks stand in their order. Nothing of a key is told before its secret
//! is proved, and nothing is looked up for a text that was never a key.

use std::rc::Rc;

use crate::address::ClientAddress;
use crate::clock::Now;
use crate::credential::{self, Ambiguous, Credential, Opaque};
use crate::crypto;
use crate::denial::{Denial, Invalid};
use crate::gate::Gate;
use crate::imported::PointerId;
use crate::key::{self, KeyText, Kid};
use crate::limit::Metered;
use crate::memory::{Known, Memory};
use crate::need::Need;
use crate::policy::{Credential as Kind, Route, Upstream};
use crate::record::{Record, SignatureMode, Status};
use crate::request::Request;
use crate::route::{Lookup, Method, Params};
use crate::target::{Target, eq_decoded};

/// What is to be done with a request.
#[derive(Debug)]
pub enum Decision<'g> {
    /// Forward it.
    Allow(Grant<'g>),
    /// Refuse it.
    Deny(Denial),
    /// Find this out, put it into memory, and ask again.
    Need(Need),
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
    kid: Option<Kid>,
    _metered: Metered,
}

impl Grant<'_> {
    /// The native or imported key that was used, to keep its record warm.
    #[must_use]
    pub fn kid(&self) -> Option<Kid> {
        self.kid
    }
}

/// Decides. Total: every request gets an answer, and the same one for the same
/// request, gate, memory and time.
pub fn decide<'g>(
    request: &Request<'_>,
    gate: &'g Gate,
    memory: &mut Memory,
    now: Now,
) -> Decision<'g> {
    memory.observe(now);
    let check = Check { request, gate, memory, now };
    match check.run() {
        Ok(grant) => Decision::Allow(grant),
        Err(Stop::Deny(denial)) => Decision::Deny(denial),
        Err(Stop::Need(need)) => Decision::Need(need),
        Err(Stop::Admin) => Decision::Admin,
    }
}

enum Stop {
    Deny(Denial),
    Need(Need),
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
            let metered = Metered::unlimited();
            return Ok(Grant {
                route,
                origin: route.origin,
                key: None,
                kid: None,
                _metered: metered,
            });
        }
        let Proved { record, kid } = self.prove(credential, route)?;
        self.check_standing(&record)?;
        self.check_address(&record)?;
        check_permission(&record, route, &params)?;
        self.check_length(route)?;
        match record.signature {
            SignatureMode::None => {}
            SignatureMode::Optional
                if request.fields.signature.is_empty()
                    && request.fields.signature_input.is_empty() => {}
            SignatureMode::Optional => return Err(Denial::Signature.into()),
            SignatureMode::Required | SignatureMode::Only => {
                return Err(Denial::SignatureRequired.into());
            }
        }
        let metered = self.meter(&record, kid)?;
        Ok(Grant { route, origin: route.origin, key: Some(record), kid, _metered: metered })
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
            Credential::Native(text) => self.prove_native(&text),
            Credential::Other(text) => self.prove_other(text),
        }
    }

    fn prove_native(&mut self, text: &KeyText<'_>) -> Result<Proved, Stop> {
        let kid = text.kid();
        let record = match self.memory.record(&kid, self.now) {
            Known::Is(record) => record,
            _ if !text.is_ours(&self.gate.keyring) => {
                return Err(Denial::Invalid(Invalid::Forged).into());
            }
            Known::Absent => return Err(Denial::Invalid(Invalid::Unknown).into()),
            Known::Unknown => return Err(Stop::Need(Need::Record(kid))),
        };
        self.check_secret(&record, text.secret())?;
        if record.prefix != text.prefix() {
            return Err(Denial::Invalid(Invalid::Prefix).into());
        }
        Ok(Proved { record, kid: Some(kid) })
    }

    fn prove_other(&mut self, Opaque(text): Opaque<'_>) -> Result<Proved, Stop> {
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
            let kid = match self.memory.pointer(&id, self.now) {
                Known::Is(kid) => kid,
                Known::Absent => continue,
                Known::Unknown => return Err(Stop::Need(Need::Pointer(id))),
            };
            let record = match self.memory.record(&kid, self.now) {
                Known::Is(record) => record,
                Known::Absent => continue,
                Known::Unknown => return Err(Stop::Need(Need::Record(kid))),
            };
            self.check_secret(&record, &sha256)?;
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

    fn meter(&mut self, record: &Record, kid: Option<Kid>) -> Result<Metered, Denial> {
        let meter = kid.and_then(|kid| self.memory.meter(&kid));
        Metered::count(record.limits.as_ref(), meter, self.now).map_err(Denial::RateLimited)
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

/// The shortest native key, without a prefix's first character.
const MIN_KEY: usize = 63;
