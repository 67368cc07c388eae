//! What a refusal of the API is to a command: one line and an exit code.

use core::fmt::Write;

use serde_json::Value;
use ureq::http::StatusCode;

use crate::output::{Exit, Failure};
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
    if status == StatusCode::UNAUTHORIZED {
        line.push_str(" Sign in: portcullis login");
    }
    let _ = write!(line, " (request {})", text("request_id"));
    Failure::new(exit, line)
}

/// That nothing was answered. The reason names no header and no body.
pub(crate) fn unreachable(site: &Site, error: &ureq::Error) -> Failure {
    Failure::new(Exit::Unreachable, format!("{site} is not reached: {error}"))
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
