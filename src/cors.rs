//! Pages of other origins that call a route from a browser (Fetch standard, CORS).
//!
//! What is granted is leave to read: whoever is no browser does as he likes. On a route of which the
//! policy says whose pages may call it, the gate's word stands in the place of the origin's.

use crate::policy::{Cors, Policy, Route};
use crate::ratelimit;
use crate::request::Request;
use crate::route::{Lookup, Method};
use crate::target::Target;

/// The answer to a page that asked whether it may send a request: its headers, names and values, each
/// ended by a line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight(pub(crate) String);

/// What a preflight is answered.
pub(crate) enum Asked {
    /// It may.
    Granted(Preflight),
    /// It may not.
    Refused,
}

/// Judges a request that may be a preflight; `None` if it is none, or if the policy does not say whose
/// pages may call what it asks for.
pub(crate) fn preflight(
    request: &Request<'_>,
    path: &str,
    host: usize,
    policy: &Policy,
) -> Option<Asked> {
    let method = Method::parse(header(request, "access-control-request-method")?)?;
    let origin = header(request, "origin")?;
    let route = find(policy, host, path, method)?;
    let cors = route.cors.as_ref()?;
    let Some(allowed) = allowed(cors, origin) else { return Some(Asked::Refused) };
    let wanted = header(request, "access-control-request-headers").unwrap_or_default();
    if !wanted.bytes().all(is_in_list) {
        return Some(Asked::Refused);
    }
    let mut headers = format!(
        "access-control-allow-origin\n{allowed}\naccess-control-allow-methods\n{}\n\
         access-control-max-age\n{MAX_AGE_SECONDS}\nvary\n{VARY}\n",
        route.methods
    );
    if !wanted.is_empty() {
        headers.push_str(&format!("access-control-allow-headers\n{wanted}\n"));
    }
    headers.push_str(credentials(route));
    Some(Asked::Granted(Preflight(headers)))
}

/// What an answer of this route says to the page that called it, in the form of [`Preflight`]; nothing
/// if the policy does not say whose pages may.
pub(crate) fn leave(request: &Request<'_>, route: &Route) -> Option<String> {
    let cors = route.cors.as_ref()?;
    let mut headers = String::new();
    if *cors != Cors::Any {
        // Whoever asked: a cache must not give one page's answer to another.
        headers.push_str("vary\norigin\n");
    }
    let origin = header(request, "origin").unwrap_or_default();
    if let Some(allowed) = allowed(cors, origin) {
        let exposed = ratelimit::NAMES.join(", ");
        headers.push_str(&format!(
            "access-control-allow-origin\n{allowed}\naccess-control-expose-headers\n{exposed}, {EXPOSED}\n"
        ));
        headers.push_str(credentials(route));
    }
    Some(headers)
}

/// The same for an answer of the gate's own, whatever became of the request.
#[must_use]
pub fn leave_of_answer(request: &Request<'_>, policy: &Policy) -> String {
    let host = policy.hosts.iter().position(|host| host.matches(request.authority));
    let leave = host.zip(Method::parse(request.method)).and_then(|(host, method)| {
        let target = Target::parse(request.target, policy.allowed_classes).ok()?;
        // A preflight that is refused is told as little as any other.
        let asked = header(request, "access-control-request-method").and_then(Method::parse);
        let route = find(policy, host, target.path, method)
            .or_else(|| find(policy, host, target.path, asked?))?;
        leave(request, route)
    });
    leave.unwrap_or_default()
}

fn find<'p>(policy: &'p Policy, host: usize, path: &str, method: Method) -> Option<&'p Route> {
    match policy.table.find(host, path, method) {
        Lookup::Found { route, .. } => policy.routes.get(route),
        Lookup::WrongMethod(_) | Lookup::NotFound => None,
    }
}

/// What a page of this origin is told, if it may call.
fn allowed<'a>(cors: &'a Cors, origin: &'a str) -> Option<&'a str> {
    match cors {
        Cors::Any => Some("*"),
        Cors::Listed(pages) => pages.iter().map(|page| page.as_str()).find(|page| *page == origin),
    }
}

/// A browser sends and takes cookies where this is said.
const fn credentials(route: &Route) -> &'static str {
    if route.cookies { "access-control-allow-credentials\ntrue\n" } else { "" }
}

/// Whether a byte occurs in a list of header names (RFC 9110 §5.6.1, §5.6.2).
fn is_in_list(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~, \t".contains(&byte)
}

fn header<'a>(request: &Request<'a>, name: &str) -> Option<&'a str> {
    request.headers().find(|(own, _)| *own == name).map(|(_, value)| value)
}

const VARY: &str = "origin, access-control-request-method, access-control-request-headers";
const EXPOSED: &str =
    "retry-after, www-authenticate, x-request-id, x-portcullis-degraded, x-portcullis-key-expires";
/// For how long a browser need not ask again.
const MAX_AGE_SECONDS: u32 = 600;
