//! Requests that may be repeated: the answer under an `Idempotency-Key`, for a day or two and
//! without a secret.

use serde::{Deserialize, Serialize};

use super::super::Object;
use super::super::call::{Manage, Managed};
use super::super::rows::{Range, Stop};
use super::{Outcome, Stored};
use crate::management::problem::Problem;
use crate::{crypto, encoding};

#[derive(Serialize, Deserialize)]
struct Once {
    /// Of the request.
    sha256: String,
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    effective_by: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    noted: Option<u64>,
    body: String,
}

impl Object<'_> {
    /// What the same request was answered with before.
    pub(super) fn repeated(&self, call: &Manage) -> Outcome<Option<Managed>> {
        let Some(hash) = call.once.as_ref().filter(|_| call.method != "GET") else {
            return Ok(None);
        };
        let days = [self.day(), self.day().saturating_sub(1)];
        let days = days.map(|day| once_row(day, &call.actor, hash));
        self.rows.require(days.clone())?;
        for row in days {
            let Some(Stored(once)) = self.rows.get::<Stored<Once>>(&row)? else { continue };
            if once.sha256 != fingerprint(call) {
                let message = "This Idempotency-Key stands for another request.";
                return Err(Problem::new(422, "IDEMPOTENCY_CONFLICT", message).into());
            }
            let Once { status, version, effective_by, noted, body, .. } = once;
            let repeated = true;
            return Ok(Some(Managed { status, version, effective_by, repeated, noted, body }));
        }
        Ok(None)
    }

    /// Keeps an answer, which holds no secret.
    pub(super) fn remember(&mut self, call: &Manage, answer: &Managed) -> Result<(), Stop> {
        let Some(hash) = call.once.as_ref().filter(|_| call.method != "GET") else {
            return Ok(());
        };
        let once = Once {
            sha256: fingerprint(call),
            status: answer.status,
            version: answer.version,
            effective_by: answer.effective_by,
            noted: answer.noted,
            body: answer.body.clone(),
        };
        let last = format!("{:08}", self.day().saturating_sub(1));
        for name in self.rows.names(&Range::between("once/", "", &last, FORGET))? {
            self.rows.delete(name);
        }
        self.rows.put(once_row(self.day(), &call.actor, hash), &Stored(once));
        Ok(())
    }

    const fn day(&self) -> u64 {
        self.now.seconds() / 86_400
    }
}

fn fingerprint(call: &Manage) -> String {
    let version = call.version.map(|version| version.to_string()).unwrap_or_default();
    let parts = [&call.actor, &call.method, &call.target, &version, &call.body];
    let text = parts.map(String::as_str).join("\n");
    encoding::hex(&crypto::sha256(text.as_bytes()))
}

/// Everybody's keys are their own.
fn once_row(day: u64, actor: &str, hash: &str) -> String {
    let hash = crypto::sha256(format!("{actor}\n{hash}").as_bytes());
    format!("once/{day:08}/{}", encoding::hex(&hash))
}

const FORGET: u32 = 64;
