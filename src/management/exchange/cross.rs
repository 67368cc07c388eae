//! Requests that a web page sends from another origin (Fetch standard, CORS; RFC 6454).

use super::head::header;
use crate::gate::Gate;
use crate::management::problem::Problem;
use crate::request::Request;

/// What comes from another origin.
pub(super) enum Cross {
    /// Nothing that matters.
    No,
    /// The question whether a page of ours may send a request.
    Preflight,
    /// What no page of ours sends.
    Refused,
}

/// Judges a request. One that changes nothing is answered whoever sent it: a page that is none of
/// ours cannot read the answer.
pub(super) fn read(request: &Request<'_>, gate: &Gate) -> Cross {
    let is_read = matches!(request.method(), "GET" | "HEAD");
    let site = header(request, "sec-fetch-site");
    match header(request, "origin") {
        Some(origin) if is_ours(origin, request, gate) => {
            if request.method() == "OPTIONS" {
                Cross::Preflight
            } else {
                Cross::No
            }
        }
        Some(_) if !is_read => Cross::Refused,
        None if !is_read && matches!(site, Some("cross-site" | "same-site")) => Cross::Refused,
        _ => Cross::No,
    }
}

/// Whether a page of the admin host itself sends a request, so that its cookie may speak for it. Pages
/// of other origins send a token of their own.
pub(super) fn is_own_page(request: &Request<'_>) -> bool {
    let is_read = matches!(request.method(), "GET" | "HEAD");
    match (header(request, "sec-fetch-site"), header(request, "origin")) {
        (None | Some("same-origin"), Some(origin)) => is_own(origin, request),
        (Some("same-origin"), None) => true,
        // A browser that says nothing, or an address that somebody has typed.
        (None | Some("none"), None) => is_read,
        (Some(_), _) => false,
    }
}

/// Whether a page is asked for as a page, and not by another that shows it or takes it for a picture.
pub(super) fn is_visit(request: &Request<'_>) -> bool {
    header(request, "sec-fetch-dest").is_none_or(|dest| dest == "document")
}

/// The headers by which a page of ours may read an answer; none for any other.
pub(super) fn leave(request: &Request<'_>, gate: &Gate) -> String {
    let Some(origin) = header(request, "origin") else { return "vary\norigin\n".to_owned() };
    if !gate.policy.management.dashboard_origins.iter().any(|own| own.as_str() == origin) {
        return "vary\norigin\n".to_owned();
    }
    format!(
        "vary\norigin\naccess-control-allow-origin\n{origin}\naccess-control-expose-headers\n{EXPOSED}\n"
    )
}

pub(super) fn refused() -> Problem {
    Problem::new(403, "CROSS_SITE", "A page of another site may not send this.")
}

/// The admin host's own pages, and those of the policy's dashboards.
fn is_ours(origin: &str, request: &Request<'_>, gate: &Gate) -> bool {
    is_own(origin, request)
        || gate.policy.management.dashboard_origins.iter().any(|page| page.as_str() == origin)
}

fn is_own(origin: &str, request: &Request<'_>) -> bool {
    origin.split_once("://").is_some_and(|(scheme, authority)| {
        authority == request.authority() && scheme == request.scheme()
    })
}

pub(super) const PREFLIGHT: &str = "access-control-allow-methods\nGET, POST, PUT, PATCH, DELETE\n\
    access-control-allow-headers\nauthorization, content-type, idempotency-key, if-match\n\
    access-control-max-age\n600\n";
const EXPOSED: &str = "etag, location, retry-after, x-request-id, idempotent-replayed";
