//! A client of the management API: one request, its answer, and what a refusal is to a command.

mod agent;
mod problem;
mod retry;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{Request, Response, StatusCode};

use crate::machine;
use crate::output::Failure;
use crate::secret::Secret;
use crate::site::Site;

pub(crate) use agent::agent;
pub(crate) use problem::{exit, failure, unreachable};
pub(crate) use retry::Retry;

/// Asks one deployment in one person's name.
pub(crate) struct Client {
    agent: Agent,
    site: Site,
    token: Option<Secret>,
    retry: Retry,
}

/// A request.
pub(crate) struct Call<'a> {
    method: &'static str,
    target: String,
    body: Option<&'a Value>,
    version: Option<u64>,
    idempotency: Option<String>,
}

impl<'a> Call<'a> {
    /// Reads something.
    pub(crate) fn read(target: impl Into<String>) -> Self {
        let target = target.into();
        Self { method: "GET", target, body: None, version: None, idempotency: None }
    }

    /// Changes something, once, however often it is sent.
    pub(crate) fn change(
        method: &'static str,
        target: impl Into<String>,
        body: Option<&'a Value>,
    ) -> Result<Self, Failure> {
        let random = data_encoding::HEXLOWER.encode(&machine::entropy::<16>()?);
        Ok(Self { method, body, idempotency: Some(random), ..Self::read(target) })
    }

    /// Changes something that is once only by itself, so that it needs no name.
    pub(crate) fn again(method: &'static str, target: String, body: &'a Value) -> Self {
        Self { method, body: Some(body), ..Self::read(target) }
    }

    /// Only if this is the version that is there.
    pub(crate) fn of_version(mut self, version: Option<u64>) -> Self {
        self.version = version;
        self
    }
}

/// A success.
pub(crate) struct Reply {
    /// What was answered.
    pub(crate) body: Value,
    /// Whether it was done before, by a request of which no answer came.
    pub(crate) replayed: bool,
}

impl Client {
    pub(crate) fn new(site: Site, token: Option<Secret>, retry: Retry) -> Self {
        Self { agent: agent(&site), site, token, retry }
    }

    /// What is answered to a read.
    pub(crate) fn get(&self, target: impl Into<String>) -> Result<Value, Failure> {
        self.send(&Call::read(target)).map(|reply| reply.body)
    }

    /// Sends a request, again if the deployment says so.
    pub(crate) fn send(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let mut attempt = 0;
        loop {
            let response = self.once(call)?;
            let status = response.status();
            let after = seconds(&response, "retry-after");
            let replayed = response.headers().contains_key("idempotent-replayed");
            let body = body_of(response, &self.site)?;
            if status.is_success() {
                let body = serde_json::from_slice(&body)
                    .map_err(|_| failure::<&[u8]>(status, b"", &self.site))?;
                return Ok(Reply { body, replayed });
            }
            let busy =
                matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            if !busy || !self.retry.wait(attempt, after, status)? {
                return Err(failure(status, &body, &self.site));
            }
            attempt = attempt.saturating_add(1);
        }
    }

    fn once(&self, call: &Call<'_>) -> Result<Response<ureq::Body>, Failure> {
        let Call { method, target, body, version, idempotency } = call;
        let mut request = Request::builder().method(*method).uri(format!("{}{target}", self.site));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {}", token.expose()));
        }
        if let Some(version) = version {
            request = request.header("If-Match", format!("\"{version}\""));
        }
        if let Some(name) = idempotency {
            request = request.header("Idempotency-Key", name);
        }
        let sent = match body {
            Some(body) => {
                let request = request.header("Content-Type", "application/json");
                request.body(body.to_string()).map(|request| self.agent.run(request))
            }
            None => request.body(()).map(|request| self.agent.run(request)),
        };
        sent.map_err(|_| Failure::usage("this makes no URL"))?
            .map_err(|error| unreachable(&self.site, &error))
    }
}

/// A whole body, as large as the API's answers get.
pub(crate) fn body_of(mut response: Response<ureq::Body>, site: &Site) -> Result<Vec<u8>, Failure> {
    let body = response.body_mut().with_config().limit(MAX_BODY);
    body.read_to_vec().map_err(|error| unreachable(site, &error))
}

fn seconds(response: &Response<ureq::Body>, header: &str) -> Option<u64> {
    response.headers().get(header)?.to_str().ok()?.parse().ok()
}

/// Bytes.
const MAX_BODY: u64 = 64 * 1024 * 1024;
