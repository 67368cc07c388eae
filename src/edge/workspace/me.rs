//! `GET /api/v1/me`: whom a token speaks for.

use serde::Serialize;
use wasm_bindgen::JsValue;

use super::authenticate::{NotAuthenticated, authenticate};
use super::{CONSEQUENCE, Isolate, now, with};
use crate::answer::{self, Answer};
use crate::denial::{Denial, Fault, Wire};
use crate::request::Request;
use crate::token::{Authenticated, NotPresented, Presented};

/// Answers a request of the Worker's default entrypoint.
pub(super) async fn answer(env: &JsValue, facts: &str) -> Answer {
    let request = Request::parse(facts);
    let outcome = match &request {
        Some(request) => me(env, request).await,
        None => Err(Refusal::Denied(Denial::Unreadable.wire())),
    };
    let problem = request.is_some_and(|request| request.wants_problem_json());
    with(env, |Isolate { deployment, entropy, .. }| {
        let request_id = entropy.request_id();
        let docs = deployment.docs();
        match outcome {
            Ok(body) => answer::json(200, &body, &request_id),
            Err(Refusal::Denied(wire)) => answer::render(&wire, &request_id, problem, docs),
            Err(Refusal::Failed(fault)) => {
                answer::render(&fault.wire(entropy.byte()), &request_id, problem, docs)
            }
        }
    })
}

#[derive(Serialize)]
struct Me<'a> {
    subject: &'a str,
    issuer: Option<&'a str>,
    credential: &'a str,
    scopes: &'a [String],
    expires: u64,
}

enum Refusal {
    Denied(Wire),
    Failed(Fault),
}

async fn me(env: &JsValue, request: &Request<'_>) -> Result<String, Refusal> {
    let presented = with(env, |Isolate { deployment, .. }| {
        let gate = deployment.fit(CONSEQUENCE, now()).ok_or(Refusal::Failed(Fault::Unfit))?;
        let policy = gate.policy();
        if !policy.admin_host.matches(request.authority()) {
            return Err(Refusal::Denied(Denial::UnknownHost.wire()));
        }
        if request.target() != "/api/v1/me" || !matches!(request.method(), "GET" | "HEAD") {
            return Err(Refusal::Denied(Denial::NotFound.wire()));
        }
        Presented::find(request, policy).map_err(|why: NotPresented| Refusal::Denied(why.wire()))
    })?;
    match authenticate(env, &presented).await {
        Ok(authenticated) => Ok(with(env, |Isolate { deployment, .. }| {
            let issuers = deployment.gate().map(|gate| gate.policy().issuers.as_slice());
            let Authenticated { issuer, member, subject, credential } = authenticated;
            let name =
                issuers.and_then(|issuers| issuers.get(issuer)).map(|rules| rules.name.as_str());
            let me = Me {
                subject: &member,
                issuer: name,
                credential: credential.as_str(),
                scopes: &subject.scopes,
                expires: subject.until,
            };
            serde_json::to_string(&me).unwrap_or_default()
        })),
        Err(NotAuthenticated::Invalid(_)) => Err(Refusal::Denied(Denial::Token.wire())),
        Err(NotAuthenticated::Unavailable) => Err(Refusal::Failed(Fault::IssuerUnavailable)),
    }
}
