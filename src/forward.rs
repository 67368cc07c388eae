//! What an origin receives: the client's headers less those that carry
//! credentials, routing or our own names, plus ours.

use crate::address::ClientAddress;
use crate::assertion::Subject;
use crate::clock::Now;
use crate::cors;
use crate::decide::Grant;
use crate::encoding;
use crate::gate::Gate;
use crate::policy::Upstream;
use crate::ratelimit;
use crate::request::Request;

/// The headers by which an origin knows who calls, in the plan's order.
pub const OWN: [&str; 10] = [
    "x-request-id",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-for",
    "x-portcullis-key",
    "x-portcullis-workspace",
    "x-portcullis-type",
    "x-portcullis-scopes",
    "x-portcullis-subject",
    "x-portcullis-assertion",
];

/// The headers that the client's response gets, in the plan's order: the fields of
/// [`ratelimit::NAMES`], whether the Workspace should have been asked, and from which second since 1970 on
/// the credential works no more, if that is near.
pub const TOLD: [&str; 7] = {
    let [limit, remaining, reset, policy, state] = ratelimit::NAMES;
    [limit, remaining, reset, policy, state, "x-portcullis-degraded", "x-portcullis-key-expires"]
};

/// Writes the plan by which an adapter forwards the request: lines, in this order.
///
/// 1. the service binding of the upstream, or empty;
/// 2. the URL to fetch, or empty if the request's own URL is kept;
/// 3. milliseconds to wait for the response head;
/// 4. flags: `k` the answer belongs to whoever called and no shared cache may
///    keep it, `p` the client wants errors as problem JSON, `o` the policy says which
///    pages may read the answer, `w` something is told of the decision;
/// 5. to 14. the values of [`OWN`], empty for a header that is not set;
/// 15. to 21. the values of [`TOLD`], empty for a header that is not set;
/// 22. and on: the names of the headers to drop first, if any;
/// - with the flag `o` or `w`, an empty line;
/// - with the flag `o`, names and values of headers, in turn, that are added to the response in the
///   place of what the origin says of pages;
/// - with the flag `w`, an [observation](crate::observation).
#[must_use]
pub fn plan(
    request: &Request<'_>,
    grant: &Grant<'_>,
    gate: &Gate,
    request_id: &str,
    observation: Option<&str>,
    now: Now,
) -> String {
    let mut out = String::with_capacity(PLAN_BYTES);
    let Some(origin) = gate.policy.origins.get(grant.origin) else { return out };
    let (binding, base) = match &origin.upstream {
        Upstream::Service { binding } => (binding.as_str(), ""),
        Upstream::Url { base } => ("", base.as_str()),
    };
    let target = if base.is_empty() { "" } else { request.target };
    let keyed = if grant.caller.is_anyone() { "" } else { "k" };
    let problem = if request.wants_problem_json() { "p" } else { "" };
    let pages = cors::leave(request, grant.route);
    let paged = if pages.is_some() { "o" } else { "" };
    let watched = if observation.is_some() { "w" } else { "" };
    for text in [binding, "\n", base, target, "\n"] {
        out.push_str(text);
    }
    encoding::append_decimal(grant.millis(origin).into(), &mut out);
    for text in ["\n", keyed, problem, paged, watched] {
        out.push_str(text);
    }
    write_own(&mut out, request, grant, gate, request_id, now);
    write_told(&mut out, grant, gate, now);
    for name in dropped(request, grant, gate) {
        line(&mut out, name);
    }
    if pages.is_some() || observation.is_some() {
        out.push('\n');
    }
    for behind in [pages.as_deref().map(str::trim_end), observation].into_iter().flatten() {
        line(&mut out, behind);
    }
    out
}

/// Writes what whoever handles the request in the same process is told of its grant: lines, in this
/// order.
///
/// 1. the request's id;
/// 2. `k` if the answer belongs to whoever called and no shared cache may keep it, else empty;
/// 3. to 7. the key's public id, its workspace, the kind of caller, its scopes, the subject; empty is none;
/// 8. to 14. the values of [`TOLD`];
/// - names and values of headers, in turn, that tell pages of other origins.
#[cfg(feature = "js")]
pub(crate) fn granted(
    request: &Request<'_>,
    grant: &Grant<'_>,
    gate: &Gate,
    request_id: &str,
    now: Now,
) -> String {
    let mut out = String::with_capacity(GRANT_BYTES);
    out.push_str(request_id);
    let keyed = if grant.caller.is_anyone() { "" } else { "k" };
    let told = grant.caller.told();
    let values = [keyed, told.key, told.workspace, told.kind, told.scopes, told.subject];
    values.iter().for_each(|value| line(&mut out, value));
    write_told(&mut out, grant, gate, now);
    if let Some(pages) = cors::leave(request, grant.route) {
        line(&mut out, pages.trim_end());
    }
    out
}

/// The headers of the request that must not reach the origin.
fn dropped<'a>(
    request: &Request<'a>,
    grant: &Grant<'_>,
    gate: &Gate,
) -> impl Iterator<Item = &'a str> {
    let (connection, route) = (request.fields.connection, grant.route);
    let issuers = &gate.policy.issuers;
    let brings_tokens = |name: &str| {
        let mut own = issuers.iter().filter_map(|issuer| issuer.header.as_ref());
        own.any(|header| Folded(name).is(header.as_str()))
    };
    let (cookies, upgrade) = (route.cookies, route.upgrade);
    request.headers().map(|(name, _)| name).filter(move |name| match *name {
        "cookie" => !cookies || names(connection, name),
        // The runtime writes the `Connection` that an upgrade needs; the client's is for us alone.
        "upgrade" => !upgrade,
        name => is_reserved(name) || names(connection, name) || brings_tokens(name),
    })
}

/// The values of [`OWN`].
fn write_own(
    out: &mut String,
    request: &Request<'_>,
    grant: &Grant<'_>,
    gate: &Gate,
    request_id: &str,
    now: Now,
) {
    let client = request.fields.client_address;
    let address = ClientAddress::parse(client).map(|_| client);
    let told = grant.caller.told();
    let values = [
        request_id,
        request.authority,
        if request.secure { "https" } else { "http" },
        address.unwrap_or_default(),
        told.key,
        told.workspace,
        told.kind,
        told.scopes,
        told.subject,
        // The assertion follows.
        "",
    ];
    for value in values {
        line(out, value);
    }
    let (method, target) = (request.method, request.target);
    let subject = Subject { caller: &grant.caller, method, target, address, request_id };
    gate.assertions.write(out, grant.origin, &subject, now);
}

/// The values of [`TOLD`].
fn write_told(out: &mut String, grant: &Grant<'_>, gate: &Gate, now: Now) {
    match &grant.view {
        Some(view) => {
            out.push('\n');
            ratelimit::write(out, view, now);
        }
        None => ratelimit::NAMES.iter().for_each(|_| line(out, "")),
    }
    line(out, if grant.degraded { "workspace" } else { "" });
    line(out, "");
    let noticed = now.seconds().saturating_add(gate.policy.expiry_notice_seconds.into());
    if let Some(end) = grant.end().filter(|end| *end <= noticed) {
        encoding::append_decimal(end, out);
    }
}

fn line(out: &mut String, text: &str) {
    out.push('\n');
    out.push_str(text);
}

/// Whether a header of this lower-case name never passes. Whatever is no letter
/// or digit is read as `-`: CGI-like origins (RFC 3875 §4.1.18) tell no more.
fn is_reserved(name: &str) -> bool {
    let folded = Folded(name);
    if folded.is(ADDRESS) && name != ADDRESS {
        return true;
    }
    NAMES.iter().any(|reserved| folded.is(reserved))
        || PREFIXES.iter().any(|reserved| folded.begins(reserved))
}

/// Whether `Connection` lists `name` (RFC 9110 §7.6.1). Not the two without which
/// the message would be another one.
fn names(connection: &str, name: &str) -> bool {
    !connection.is_empty()
        && !matches!(name, "host" | "content-length")
        && connection.split(',').any(|option| option.trim().eq_ignore_ascii_case(name))
}

struct Folded<'a>(&'a str);

impl Folded<'_> {
    fn is(&self, other: &str) -> bool {
        self.0.len() == other.len() && self.begins(other)
    }

    fn begins(&self, other: &str) -> bool {
        self.0.len() >= other.len()
            && self.0.bytes().zip(other.bytes()).all(|(own, other)| same(own, other))
    }
}

fn same(own: u8, other: u8) -> bool {
    own == other || (other == b'-' && !own.is_ascii_alphanumeric())
}

/// Cloudflare's word on the client's address passes; what only looks like it does not.
const ADDRESS: &str = "cf-connecting-ip";

const NAMES: &[&str] = &[
    "authorization",
    "cookie",
    "x-api-key",
    "x-key-id",
    "x-signature",
    "x-timestamp",
    "x-nonce",
    "signature",
    "signature-input",
    "connection",
    "keep-alive",
    "proxy",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "forwarded",
    "x-real-ip",
    "client-ip",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-request-id",
    "x-method-override",
];

const PREFIXES: &[&str] =
    &["x-portcullis-", "x-forwarded", "x-http-method", "x-original-", "x-rewrite-"];

/// A grant with the headers of two limits fits.
#[cfg(feature = "js")]
const GRANT_BYTES: usize = 512;
/// A plan with an assertion fits.
const PLAN_BYTES: usize = 1536;
