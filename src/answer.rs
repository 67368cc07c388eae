//! The answers the gate makes itself.

use core::fmt::Write as _;

use serde::Serialize;

use crate::cors::Preflight;
use crate::denial::Wire;
use crate::management::problem::{FieldError, Problem};
use crate::signature::Part;

/// A complete HTTP answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Names and values, each ended by a line feed.
    pub headers: String,
    /// The body.
    pub body: String,
}

impl core::fmt::Debug for Answer {
    /// Without the body: a new key's secret is in its answer.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Answer({} ..)", self.status)
    }
}

/// Puts a refusal or fault on the wire: JSON, or `application/problem+json`
/// (RFC 9457) if `problem`. `docs` is the page that explains the codes.
#[must_use]
pub fn render(wire: &Wire, request_id: &str, problem: bool, docs: Option<&str>) -> Answer {
    let doc_url = docs.map(|docs| format!("{docs}#{}", wire.code));
    let doc_url = doc_url.as_deref();
    let Wire { status, code, ref message, retry_after, server_time, .. } = *wire;
    let signed = &wire.signed;
    let told = Error { retry_after, server_time, doc_url, signed, ..Error::default() };
    let error = Error { code, message, status, request_id, ..told };
    let Answer { mut headers, body, .. } = error.render(problem);
    let optional = [
        ("www-authenticate", wire.challenge.clone()),
        ("allow", wire.allow.clone()),
        ("retry-after", retry_after.map(|seconds| seconds.to_string())),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            let _ = writeln!(headers, "{name}\n{value}");
        }
    }
    for (name, value) in wire.rate.iter().flat_map(|rate| rate.iter()) {
        let _ = writeln!(headers, "{name}\n{value}");
    }
    Answer { status, headers, body }
}

/// Tells a browser that a page may send its request.
#[must_use]
pub fn preflight(granted: &Preflight, request_id: &str) -> Answer {
    let Preflight(headers) = granted;
    let headers = format!("{headers}cache-control\nno-store\nx-request-id\n{request_id}\n");
    Answer { status: 204, headers, body: String::new() }
}

/// Puts a refusal of the management API on the wire, as [`render`] does.
#[must_use]
pub fn render_problem(
    refused: &Problem,
    request_id: &str,
    problem: bool,
    docs: Option<&str>,
) -> Answer {
    let Problem { status, code, message, errors } = refused;
    let doc_url = docs.map(|docs| format!("{docs}#{code}"));
    let doc_url = doc_url.as_deref();
    let told = Error { doc_url, errors, ..Error::default() };
    Error { code, message, status: *status, request_id, ..told }.render(problem)
}

/// An answer with a body of ready JSON.
#[must_use]
pub fn json(status: u16, body: &str, request_id: &str) -> Answer {
    Answer {
        status,
        headers: common_headers("application/json", request_id),
        body: body.to_owned(),
    }
}

fn common_headers(media: &str, request_id: &str) -> String {
    format!(
        "content-type\n{media}\ncache-control\nno-store\nx-content-type-options\nnosniff\nx-request-id\n{request_id}\n"
    )
}

/// What is told of a refusal; absent members are empty.
#[derive(Clone, Copy, Default)]
struct Error<'a> {
    code: &'a str,
    message: &'a str,
    status: u16,
    request_id: &'a str,
    retry_after: Option<u64>,
    server_time: Option<u64>,
    doc_url: Option<&'a str>,
    errors: &'a [FieldError],
    signed: &'a [Part],
}

impl Error<'_> {
    fn render(self, problem: bool) -> Answer {
        let Self { code, message, status, request_id, doc_url, .. } = self;
        let mut members = Members::default();
        if problem {
            members.put("type", &doc_url.unwrap_or("about:blank"));
            members.put("title", &code);
            members.put("status", &status);
            members.put("detail", &message);
            members.put("code", &code);
        } else {
            members.put("code", &code);
            members.put("message", &message);
            members.put("status", &status);
        }
        members.put("request_id", &request_id);
        for (name, number) in [("retry_after", self.retry_after), ("server_time", self.server_time)]
        {
            number.iter().for_each(|number| members.put(name, number));
        }
        if let (Some(doc_url), false) = (doc_url, problem) {
            members.put("doc_url", &doc_url);
        }
        if !self.errors.is_empty() {
            members.put("errors", &self.errors);
        }
        if !self.signed.is_empty() {
            members.put("signed", &self.signed);
        }
        let Members(members) = members;
        let (media, body) = if problem {
            ("application/problem+json", format!("{{{members}}}"))
        } else {
            ("application/json", format!("{{\"error\":{{{members}}}}}"))
        };
        Answer { status, headers: common_headers(media, request_id), body }
    }
}

/// Members of a JSON object.
#[derive(Default)]
struct Members(String);

impl Members {
    fn put(&mut self, name: &str, value: &impl Serialize) {
        let separator = if self.0.is_empty() { "" } else { "," };
        let _ = write!(self.0, "{separator}\"{name}\":{}", to_json(value));
    }
}

/// These types hold numbers and text alone, which serialise always.
fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
