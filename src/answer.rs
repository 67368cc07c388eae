//! The answers the gate makes itself.

use core::fmt::Write as _;

use serde::Serialize;

use crate::denial::Wire;
use crate::management::problem::{FieldError, Problem};

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
    let Wire { status, code, ref message, retry_after, .. } = *wire;
    let errors = &[];
    let error = Error { code, message, status, request_id, retry_after, doc_url, errors };
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
    let (status, retry_after) = (*status, None);
    Error { code, message, status, request_id, retry_after, doc_url, errors }.render(problem)
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

impl Error<'_> {
    fn render(self, problem: bool) -> Answer {
        let Self { code, message, status, request_id, retry_after, doc_url, errors } = self;
        let (media, body) = if problem {
            let body = ProblemBody {
                r#type: doc_url.unwrap_or("about:blank"),
                title: code,
                status,
                detail: message,
                code,
                request_id,
                retry_after,
                errors,
            };
            ("application/problem+json", to_json(&body))
        } else {
            ("application/json", to_json(&Body { error: self }))
        };
        Answer { status, headers: common_headers(media, request_id), body }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    code: &'a str,
    message: &'a str,
    status: u16,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doc_url: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

/// These types hold numbers and text alone, which serialise always.
fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
