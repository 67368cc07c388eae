//! The admin host. Health only, so far.

use crate::answer::{self, Answer};
use crate::denial::Denial;
use crate::request::Request;

/// Answers `GET /healthz` when the gate is fit to decide.
pub(super) fn answer(request: &Request<'_>, request_id: &str, docs: Option<&str>) -> Answer {
    if request.target() == "/healthz" && matches!(request.method(), "GET" | "HEAD") {
        return answer::json(200, "{\"status\":\"ok\"}", request_id);
    }
    answer::render(&Denial::NotFound.wire(), request_id, request.wants_problem_json(), docs)
}
