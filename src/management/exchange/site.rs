//! What the admin host has besides the API: the dashboard's files, and the places of the sign-in.

use core::fmt::Write as _;

use super::head::header;
use crate::answer::{self, Answer};
use crate::management::problem::Problem;
use crate::request::Request;

/// A place of the admin host outside the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A file of the dashboard.
    File(String),
    /// `/login`
    SignIn,
    /// `/callback`
    Callback,
    /// `/logout`
    SignOut,
}

/// Which place a path is, and the methods that it takes.
pub(super) fn find(path: &str) -> Option<(Place, &'static [&'static str])> {
    const READ: &[&str] = &["GET", "HEAD"];
    match path {
        "/" => Some((Place::File(INDEX.to_owned()), READ)),
        "/login" => Some((Place::SignIn, &["GET"])),
        "/callback" => Some((Place::Callback, &["GET"])),
        "/logout" => Some((Place::SignOut, &["POST"])),
        _ => {
            let name = path.strip_prefix("/assets/")?;
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            let is_name = media(name).is_some() && name.bytes().all(is_plain);
            is_name.then(|| (Place::File(format!("assets/{name}")), READ))
        }
    }
}

/// The answer of which a file is the body.
pub(super) fn file(name: &str, is_secure: bool, request_id: &str) -> Answer {
    // Names of all but the page itself change with what is in them.
    let keep = if name == INDEX { "no-store" } else { "public, max-age=31536000, immutable" };
    let media = media(name).unwrap_or("application/octet-stream");
    let mut headers = format!("content-type\n{media}\ncache-control\n{keep}\n{GUARD}");
    let _ = write!(headers, "x-request-id\n{request_id}\n");
    if is_secure {
        headers.push_str("strict-transport-security\nmax-age=31536000\n");
    }
    Answer { status: 200, headers, body: String::new() }
}

/// A refusal, for somebody who looks at it in a browser.
pub(super) fn told(refused: &Problem, request_id: &str) -> Answer {
    let Problem { status, code, message, .. } = refused;
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Sign-in · Portcullis</title>\
         <main><h1>Not signed in</h1><p>{message}</p><p><a href=\"/login\">Sign in again</a></p>\
         <p>{code} · request {request_id}</p></main></html>\n"
    );
    let headers = format!(
        "content-type\ntext/html; charset=utf-8\ncache-control\nno-store\n{GUARD}x-request-id\n{request_id}\n"
    );
    Answer { status: *status, headers, body }
}

/// Sends the browser elsewhere.
pub(super) fn redirect(to: &str, cookies: &[String], request_id: &str) -> Answer {
    let Answer { mut headers, .. } = answer::json(303, "", request_id);
    let _ = write!(headers, "location\n{to}\nreferrer-policy\nno-referrer\n");
    for cookie in cookies {
        let _ = write!(headers, "set-cookie\n{cookie}\n");
    }
    Answer { status: 303, headers, body: String::new() }
}

/// A cookie of this host alone (RFC 6265bis §4.1.3): no script reads it. `seconds` is 0 to take it away.
pub(super) fn cookie(name: &str, value: &str, same_site: &str, seconds: u64) -> String {
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite={same_site}; Max-Age={seconds}")
}

/// The value of a cookie; `None` if there is none, or more than one.
pub(super) fn cookie_of<'a>(request: &Request<'a>, name: &str) -> Option<&'a str> {
    let pairs = header(request, "cookie")?.split(';').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(own, _)| own.trim() == name).map(|(_, value)| value.trim());
    let first = named.next()?;
    named.next().is_none().then_some(first)
}

fn media(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "wasm" => Some("application/wasm"),
        _ => None,
    }
}

const INDEX: &str = "index.html";
/// Nothing but files of this host, no script in a text, nobody's frame. `wasm-unsafe-eval` lets a script of this
/// host compile Wasm, and evaluate no text.
const GUARD: &str = "content-security-policy\ndefault-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'\n\
    x-frame-options\nDENY\nx-content-type-options\nnosniff\nreferrer-policy\nsame-origin\n\
    cross-origin-opener-policy\nsame-origin\ncross-origin-resource-policy\nsame-origin\n\
    permissions-policy\ncamera=(), geolocation=(), microphone=(), payment=(), usb=()\n";
