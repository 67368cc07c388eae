//! The answer.

use core::fmt::Write as _;

use serde_json::json;

use super::{Exchange, Next, Refusal, Step, cross, site};
use crate::answer::{self, Answer};
use crate::denial::{Fault, Wire};
use crate::gate::Gate;
use crate::management::endpoint::Operation;
use crate::management::problem::Problem;
use crate::management::time;
use crate::request::Request;
use crate::workspace::call::Managed;

impl Exchange {
    /// What was done.
    pub(super) fn finish(&mut self) -> Next {
        let Managed { status, version, repeated, body, .. } =
            self.done.take().ok_or(Fault::Internal)?;
        let mut answer = self.success(status, &body);
        if let Some(version) = version {
            let _ = write!(answer.headers, "etag\n\"{version}\"\n");
        }
        if repeated {
            answer.headers.push_str("idempotent-replayed\ntrue\n");
        }
        if let Some(location) = self.location(&body).filter(|_| status == 201) {
            let _ = write!(answer.headers, "location\n{location}\n");
        }
        Ok(Step::Answer(answer))
    }

    pub(super) fn success(&self, status: u16, body: &str) -> Answer {
        answer::json(status, body, &self.request_id)
    }

    pub(super) fn me(&self) -> Result<Answer, Refusal> {
        let caller = self.caller()?;
        let body = json!({
            "subject": caller.member,
            "credential": caller.credential.as_str(),
            "scopes": caller.subject.scopes,
            "expires": time::print(caller.subject.until),
        });
        Ok(self.success(200, &body.to_string()))
    }

    pub(super) fn refuse(&self, refusal: Refusal, docs: Option<&str>) -> Answer {
        let request = Request::parse(&self.facts);
        let problem = request.is_some_and(|request| request.wants_problem_json());
        if self.is_visit {
            return site::told(&self.problem(refusal), &self.request_id);
        }
        match refusal {
            Refusal::Wire(wire) => answer::render(&wire, &self.request_id, problem, docs),
            Refusal::Problem(refused) => {
                answer::render_problem(&refused, &self.request_id, problem, docs)
            }
            Refusal::Fault(fault) => {
                let [jitter, ..] = self.entropy;
                let wire = Wire { ..fault.wire(jitter) };
                answer::render(&wire, &self.request_id, problem, docs)
            }
        }
    }

    fn problem(&self, refusal: Refusal) -> Problem {
        let [jitter, ..] = self.entropy;
        let of = |wire: Wire| Problem::new(wire.status, wire.code, &wire.message);
        match refusal {
            Refusal::Problem(problem) => problem,
            Refusal::Wire(wire) => of(*wire),
            Refusal::Fault(fault) => of(fault.wire(jitter)),
        }
    }

    /// Adds what lets a page of ours read the answer.
    pub(super) fn share(&self, answer: &mut Answer, gate: &Gate) {
        if let Some(request) = Request::parse(&self.facts) {
            answer.headers.push_str(&cross::leave(&request, gate));
        }
    }

    fn location(&self, body: &str) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(body.as_bytes()).ok()?;
        let id = body.get("id")?.as_str()?;
        let space = "/api/v1/workspaces";
        let operation = self.head.as_ref()?.endpoint.operation;
        if operation == Operation::CreateWorkspace {
            return Some(format!("{space}/{id}"));
        }
        let is_key = operation == Operation::CreateKey;
        is_key.then(|| format!("{space}/{}/api-keys/{id}", self.number))
    }
}
