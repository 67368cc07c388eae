//! The admin host: its health is the gate's own, all else is the management API's.

use crate::answer::{self, Answer};
use crate::request::Request;

/// Answers `GET /healthz`, which says that the gate is fit to decide; nothing else.
pub(super) fn answer(request: &Request<'_>, request_id: &str) -> Option<Answer> {
    let is_health = request.target() == "/healthz" && matches!(request.method(), "GET" | "HEAD");
    is_health.then(|| answer::json(200, "{\"status\":\"ok\"}", request_id))
}
