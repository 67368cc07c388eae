//! A client of the management API: one request, its answer, and what a refusal is to a command.

mod agent;
mod problem;
mod retry;
mod unsent;

use core::fmt::Display;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{Request, Response, StatusCode};

use crate::machine;
use crate::output::Failure;
use crate::secret::Secret;
use crate::site::Site;
use crate::when;

pub(crate) use agent::agent;
pub(crate) use problem::{exit, failure, unreachable, wrong_shape};
pub(crate) use retry::Retry;

/// Asks one deployment in one person's name.
pub(crate) struct Client {
    agent: Agent,
    site: Site,
    token: Option<Secret>,
    retry: Retry,
    /// What whoever is not known (401) can do.
    advice: &'static str,
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
        Self { agent: agent(&site), site, token, retry, advice: "Sign in: portcullis login" }
    }

    /// Of somebody whose token is an API key.
    pub(crate) fn by_key(self) -> Self {
        Self { advice: "Give another key: portcullis config set --key api_key", ..self }
    }

    pub(crate) const fn site(&self) -> &Site {
        &self.site
    }

    pub(crate) const fn retry(&self) -> Retry {
        self.retry
    }

    /// Whom the deployment takes the holder of the token for.
    pub(crate) fn me(&self) -> Result<Value, Failure> {
        let me = self.get("/api/v1/me")?;
        let subject = me.get("subject").and_then(Value::as_str).is_some_and(|own| !own.is_empty());
        if subject { Ok(me) } else { Err(wrong_shape(&self.site)) }
    }

    /// What is answered to a read.
    pub(crate) fn get(&self, target: impl Into<String>) -> Result<Value, Failure> {
        self.send(&Call::read(target)).map(|reply| reply.body)
    }

    /// Sends a request, again if the deployment says so.
    pub(crate) fn send(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let mut attempt = 0;
        loop {
            let answer = match self.once(call) {
                Err(Lost { is_sent: true, failure }) if call.idempotency.is_some() => {
                    if self.retry.wait(attempt, None, "no answer came")? {
                        attempt = attempt.saturating_add(1);
                        continue;
                    }
                    return Err(failure.reworded(|words| format!("{words}. {MAY_BE_DONE}")));
                }
                Err(Lost { failure, .. }) => return Err(failure),
                Ok(answer) => answer,
            };
            let Answer { status, after, replayed, body } = answer;
            if status.is_success() {
                let body: Value = serde_json::from_slice(&body)
                    .map_err(|_| failure::<&[u8]>(status, b"", &self.site))?;
                if !body.is_object() {
                    return Err(wrong_shape(&self.site));
                }
                return Ok(Reply { body, replayed });
            }
            let busy =
                matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            if !busy
                || !self.retry.wait(attempt, after, &format!("answered {}", status.as_u16()))?
            {
                let failure = failure(status, &body, &self.site);
                let unknown = status == StatusCode::UNAUTHORIZED;
                return Err(if unknown { failure.advising(self.advice) } else { failure });
            }
            attempt = attempt.saturating_add(1);
        }
    }

    fn once(&self, call: &Call<'_>) -> Result<Answer, Lost> {
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
        let not_sent = |failure| Lost { is_sent: false, failure };
        let lost = |error: &ureq::Error| Lost {
            is_sent: !unsent::is_unsent(error),
            failure: unreachable(&self.site, error),
        };
        let sent = sent.map_err(|_| not_sent(Failure::usage("this makes no URL")))?;
        let response = sent.map_err(|error| lost(&error))?;
        Ok(Answer {
            status: response.status(),
            after: retry_after(&response)?,
            replayed: response.headers().contains_key("idempotent-replayed"),
            body: body_of(response, &self.site)
                .map_err(|failure| Lost { is_sent: true, failure })?,
        })
    }
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    after: Option<u64>,
    replayed: bool,
    body: Vec<u8>,
}

/// That there is no answer.
struct Lost {
    /// The deployment may have got the request, and done it.
    is_sent: bool,
    failure: Failure,
}

impl From<Failure> for Lost {
    fn from(failure: Failure) -> Self {
        Self { is_sent: false, failure }
    }
}

/// A whole body, as large as the API's answers get.
pub(crate) fn body_of(
    mut response: Response<ureq::Body>,
    place: &dyn Display,
) -> Result<Vec<u8>, Failure> {
    let body = response.body_mut().with_config().limit(MAX_BODY);
    body.read_to_vec().map_err(|error| unreachable(place, &error))
}

/// Seconds to wait, as the answer says: a number or a date (RFC 9110 §10.2.3).
pub(crate) fn retry_after(response: &Response<ureq::Body>) -> Result<Option<u64>, Failure> {
    let text = response.headers().get("retry-after").and_then(|text| text.to_str().ok());
    let now = machine::now()?;
    Ok(text.and_then(|text| {
        text.parse().ok().or_else(|| when::http_date(text).map(|date| date.saturating_sub(now)))
    }))
}

/// Bytes.
const MAX_BODY: u64 = 64 * 1024 * 1024;
const MAY_BE_DONE: &str =
    "It may have been done all the same: look first (for a key: portcullis keys list)";
