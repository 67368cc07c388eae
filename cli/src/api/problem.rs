//! What a refusal of the API is to a command: one line and an exit code.

use core::fmt::{Display, Write};

use serde_json::{Map, Value, json};
use ureq::http::StatusCode;

use crate::failure::{self, Exit, Failure};
use crate::redact;
use crate::site::Site;

/// The failure that an answer is.
pub(crate) fn failure<B: AsRef<[u8]>>(status: StatusCode, body: B, site: &Site) -> Failure {
    let exit = if status.as_u16() < 400 { Exit::Refused } else { exit(status) };
    let parsed: Option<Value> = serde_json::from_slice(body.as_ref()).ok();
    let Some(error) = parsed.as_ref().and_then(|body| body.get("error")) else {
        let status = status.as_u16();
        return Failure::new(exit, format!("{site} answers {status}, but not as Portcullis does"));
    };
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut line = format!("{} {}: {}", status.as_u16(), text("code"), text("message"));
    for field in error.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| field.get(name).and_then(Value::as_str).unwrap_or_default();
        let _ = write!(line, " {}: {};", text("field"), text("message"));
    }
    if let Some(seconds) = error.get("retry_after").and_then(Value::as_u64) {
        let _ = write!(line, " Again in {seconds} s.");
    }
    let _ = write!(line, " (request {})", text("request_id"));
    Failure::new(exit, line).telling(told(status, error))
}

/// What programs are told of it: members of the API's error that are what they should be.
fn told(status: StatusCode, error: &Value) -> Map<String, Value> {
    let of = |object: &Value, name: &str| {
        let text = object.get(name).and_then(Value::as_str);
        Value::from(text.map(|text| failure::line(&redact::secrets(text))))
    };
    let errors = error.get("errors").and_then(Value::as_array).into_iter().flatten().take(FIELDS);
    let errors = errors
        .map(|field| json!({ "field": of(field, "field"), "message": of(field, "message") }))
        .collect::<Vec<_>>();
    let mut told = Map::new();
    told.insert("status".to_owned(), status.as_u16().into());
    for name in ["code", "request_id"] {
        told.insert(name.to_owned(), of(error, name));
    }
    if let Some(seconds) = error.get("retry_after").and_then(Value::as_u64) {
        told.insert("retry_after".to_owned(), seconds.into());
    }
    if !errors.is_empty() {
        told.insert("errors".to_owned(), errors.into());
    }
    told
}

/// That nothing was answered. The reason names no header and no body.
pub(crate) fn unreachable(place: &dyn Display, error: &ureq::Error) -> Failure {
    let own = if let ureq::Error::Other(own) = error { Some(own) } else { None };
    let told = own.map_or_else(|| error.to_string(), ToString::to_string);
    Failure::new(Exit::Unreachable, format!("{place} is not reached: {told}"))
}

/// That an answer has not what answers of its kind have.
pub(crate) fn wrong_shape(site: &Site) -> Failure {
    Failure::refused(format!("{site} answers, but not as Portcullis does"))
}

/// How a command ends that is answered so.
pub(crate) fn exit(status: StatusCode) -> Exit {
    match status.as_u16() {
        100..=399 => Exit::Done,
        401 => Exit::Unauthenticated,
        403 => Exit::Forbidden,
        404 => Exit::Absent,
        429 | 500..=599 => Exit::Busy,
        _ => Exit::Refused,
    }
}

/// As many as are told of one request.
const FIELDS: usize = 100;
