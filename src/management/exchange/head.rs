//! What the head of a request says, before anybody is asked.

use std::rc::Rc;

use super::cross::{self, Cross};
use super::sign_in;
use super::site::{self, Place};
use super::{Exchange, Next, Recent, Step, bad, once, read};
use crate::address::ClientAddress;
use crate::answer;
use crate::clock::Now;
use crate::denial::{Denial, Wire};
use crate::gate::Gate;
use crate::key;
use crate::management::endpoint::{self, Access, Endpoint, Found, Operation, Params};
use crate::management::openapi;
use crate::management::problem::Problem;
use crate::request::Request;
use crate::target::{Classes, Target};
use crate::token::{NotPresented, Presented};

/// The head, read.
pub(super) struct Head {
    pub(super) endpoint: &'static Endpoint,
    pub(super) params: Params,
    /// Bytes that the body may have.
    pub(super) limit: u32,
    /// `If-Match`.
    pub(super) version: Option<u64>,
    /// `Idempotency-Key`, hashed.
    pub(super) once: Option<String>,
    /// Whether the answer waits until the change is in effect.
    pub(super) waits: bool,
    pub(super) address: String,
}

impl Exchange {
    pub(super) fn begin(&mut self, gate: &Gate, recent: &mut Recent, now: Now) -> Next {
        let facts = Rc::clone(&self.facts);
        let request = read(&facts)?;
        if !gate.policy.admin_host.matches(request.authority()) {
            return Err(Denial::UnknownHost.into());
        }
        let target = Target::parse(request.target(), Classes::ALL);
        let target = target.map_err(Denial::Target)?;
        if key::occurs_in_target(request.target()) {
            return Err(Denial::KeyInUrl.into());
        }
        match cross::read(&request, gate) {
            Cross::Refused => return Err(cross::refused().into()),
            Cross::Preflight => return Ok(Step::Answer(self.preflight())),
            Cross::No => {}
        }
        if target.raw == "/healthz" && matches!(request.method(), "GET" | "HEAD") {
            return Ok(Step::Answer(self.success(200, "{\"status\":\"ok\"}")));
        }
        if let Some((place, methods)) = site::find(target.path) {
            if !methods.contains(&request.method()) {
                return Err(method(methods.join(", ")).into());
            }
            self.is_visit = matches!(place, Place::SignIn | Place::Callback);
            return match place {
                Place::File(name) => {
                    let answer = site::file(&name, request.is_secure(), &self.request_id);
                    Ok(Step::File(name, answer))
                }
                Place::SignIn => self.sign_in(gate, recent, now),
                Place::Callback => self.callback(gate, recent, now),
                Place::SignOut => self.sign_out(gate, now),
            };
        }
        let (endpoint, params) = match endpoint::find(request.method(), target.path) {
            Found::Endpoint(endpoint, params) => (endpoint, params),
            Found::Method(allow) => return Err(method(allow).into()),
            Found::Nothing => return Err(Problem::not_found().into()),
        };
        let header = |name: &str| header(&request, name);
        let once_key = header("idempotency-key");
        let version = match header("if-match").filter(|_| endpoint.versioned) {
            Some("*") | None => None,
            Some(tag) => Some(version(tag).ok_or_else(|| bad("If-Match is no ETag of ours."))?),
        };
        if once_key.is_some_and(|key| !(1..=255).contains(&key.len())) {
            return Err(bad("Idempotency-Key has 1 to 255 characters.").into());
        }
        let address = ClientAddress::parse(header("cf-connecting-ip").unwrap_or_default());
        self.head = Some(Head {
            endpoint,
            params,
            limit: if LONG.contains(&endpoint.operation) { LONG_BODY } else { BODY },
            version,
            once: once_key.filter(|_| !endpoint.is_read()).map(once),
            waits: target.query.is_some_and(|query| query.split('&').any(|part| part == "wait=1")),
            address: address.map(|address| address.to_string()).unwrap_or_default(),
        });
        if endpoint.access == Access::Public {
            return Ok(Step::Answer(self.success(200, openapi::document())));
        }
        if endpoint.access == Access::Key {
            return self.own(gate, recent, now);
        }
        let presented = (endpoint.access != Access::Scanner)
            .then(|| Presented::find(&request, &gate.policy))
            .transpose();
        let by_cookie =
            matches!(presented, Err(NotPresented::Missing)) && sign_in::has_session(&request);
        let presented = if by_cookie { Ok(None) } else { presented };
        let presented = presented.map_err(|why| why.wire())?;
        if endpoint.body.is_some() && !is_json(header("content-type").unwrap_or_default()) {
            let message = "Send the body as application/json.";
            return Err(Problem::new(415, "UNSUPPORTED_MEDIA_TYPE", message).into());
        }
        match presented {
            Some(presented) => Ok(Step::Authenticate(presented.keep())),
            None if by_cookie => self.resume(gate, now),
            None => self.report(gate),
        }
    }

    /// Leave for a page of ours to send a request (Fetch standard, CORS preflight).
    fn preflight(&self) -> answer::Answer {
        let mut answer = self.success(204, "");
        answer.headers.push_str(cross::PREFLIGHT);
        answer
    }
}

/// The value of a header; `None` for an empty one.
pub(super) fn header<'a>(request: &Request<'a>, name: &str) -> Option<&'a str> {
    let mut headers = request.headers();
    headers.find(|(own, _)| *own == name).map(|(_, value)| value).filter(|value| !value.is_empty())
}

fn method(allow: String) -> Wire {
    let wire = Denial::UnknownMethod.wire();
    Wire { allow: Some(allow), message: "This path does not take this method.".to_owned(), ..wire }
}

/// A strong ETag (RFC 9110 §8.8.3) of ours.
fn version(tag: &str) -> Option<u64> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn is_json(media: &str) -> bool {
    let name = media.split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("application/json")
}

const BODY: u32 = 64 * 1024;
const LONG: [Operation; 2] = [Operation::ImportKeys, Operation::ReportLeaks];
const LONG_BODY: u32 = 1024 * 1024;
