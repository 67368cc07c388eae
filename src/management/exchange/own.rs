//! `GET /keys/usage`: a key asks for its own use, the one thing that a key may ask.

use std::rc::Rc;

use super::head::header;
use super::recent::Turn;
use super::{Asked, Exchange, Next, Object, Recent, Refusal, Step, parse, read};
use crate::clock::Now;
use crate::credential::{self, Credential, Opaque};
use crate::denial::{Denial, Fault, Invalid, Wait};
use crate::environment;
use crate::gate::Gate;
use crate::lease::Scope as LimitScope;
use crate::management::endpoint::Endpoint;
use crate::management::problem::Problem;
use crate::management::query;
use crate::management::usage;
use crate::record::{Record, SignatureMode};
use crate::workspace::call::{Answer, Call};

impl Exchange {
    pub(super) fn own(&mut self, gate: &Gate, recent: &mut Recent, now: Now) -> Next {
        let facts = Rc::clone(&self.facts);
        let request = read(&facts)?;
        let key = match credential::find(&request.fields) {
            Ok(Credential::Native(key)) => key,
            Ok(Credential::Missing) => return Err(Denial::Missing.into()),
            Ok(Credential::Token(_)) => {
                let message = "This is told to API keys alone: send one, or ask for a key's usage.";
                return Err(Problem::new(403, "PERMISSION_DENIED", message).into());
            }
            // It is known by a pointer, or to the gate alone.
            Ok(Credential::Other(Opaque(text))) if is_foreign(text, gate) => {
                return Err(Denial::KeyNotAllowed.into());
            }
            Ok(_) => return Err(Denial::Invalid(Invalid::Malformed).into()),
            Err(_) => return Err(Denial::Ambiguous.into()),
        };
        if !key.is_ours(&gate.keyring) {
            return Err(Denial::Invalid(Invalid::Forged).into());
        }
        self.key = Some(key.kid());
        self.asked = Asked::Record;
        self.question = Call::Record { kid: key.kid().to_string() }.print();
        self.own_turn(gate, recent, now)
    }

    /// Asks the object, or makes do with what it has just said to somebody who has the same key.
    pub(super) fn own_turn(&mut self, gate: &Gate, recent: &mut Recent, now: Now) -> Next {
        let kid = self.key.ok_or(Fault::Internal)?;
        match recent.turn(kid, &self.question, now) {
            Turn::Ask => {
                let number = kid.workspace().as_str().to_owned();
                Ok(Step::Ask(Object::Workspace(number), self.question.clone()))
            }
            Turn::Known(answer) => self.own_answered(Some(&answer), gate, recent, now),
            Turn::Wait if self.waited < MOST_WAITS => {
                self.waited = self.waited.saturating_add(1);
                Ok(Step::Wait(WAIT_MILLIS))
            }
            Turn::Wait => Err(Fault::WorkspaceUnavailable.into()),
            Turn::Refuse => {
                let wait = Wait { seconds: 1, rate: None, by: LimitScope::Key };
                Err(Denial::RateLimited(wait).into())
            }
        }
    }

    pub(super) fn own_answered(
        &mut self,
        answer: Option<&str>,
        gate: &Gate,
        recent: &mut Recent,
        now: Now,
    ) -> Next {
        let answer = parse(answer.ok_or(Fault::WorkspaceUnavailable)?)?;
        if self.asked == Asked::Usage {
            return self.own_usage(&answer);
        }
        self.own_record(&answer, gate, now)?;
        self.own_turn(gate, recent, now)
    }

    /// Proves the key by the record, as the gate does.
    fn own_record(&mut self, answer: &Answer, gate: &Gate, now: Now) -> Result<(), Refusal> {
        let facts = Rc::clone(&self.facts);
        let request = read(&facts)?;
        let Ok(Credential::Native(key)) = credential::find(&request.fields) else {
            return Err(Fault::Internal.into());
        };
        if matches!(answer, Answer::Unknown | Answer::Unopened) {
            return Err(Denial::Invalid(Invalid::Unknown).into());
        }
        let Answer::Record { value } = answer else {
            return Err(Fault::WorkspaceUnavailable.into());
        };
        let kid = key.kid();
        let record = Record::open(&gate.keyring, &kid, &gate.policy.tiers, value.as_bytes());
        let record = record.map_err(|_| Fault::RecordUnusable)?;
        record.check_secret(&gate.keyring, key.secret(), now)?;
        if record.prefix != key.prefix() {
            return Err(Denial::Invalid(Invalid::Prefix).into());
        }
        record.check_standing(now)?;
        if matches!(record.signature, SignatureMode::Required | SignatureMode::Only) {
            return Err(Denial::SignatureRequired.into());
        }
        let address = header(&request, "cf-connecting-ip").unwrap_or_default();
        record.check_address(address)?;
        let search = request.target().split_once('?').map_or("", |(_, query)| query);
        let Endpoint { query, .. } = self.head()?.endpoint;
        let query = query::parse(search, query)?;
        let (from, to) = usage::hours(&query, now).map_err(Refusal::Problem)?;
        self.asked = Asked::Usage;
        self.question = Call::Usage { kid: kid.to_string(), from, to }.print();
        Ok(())
    }

    fn own_usage(&self, answer: &Answer) -> Next {
        let Answer::Usage { hours, last_used } = answer else {
            return Err(Fault::WorkspaceUnavailable.into());
        };
        let body = usage::view(hours, *last_used).to_string();
        Ok(Step::Answer(self.success(200, &body)))
    }
}

/// Whether a text has the form of keys that come from elsewhere.
fn is_foreign(text: &str, gate: &Gate) -> bool {
    environment::is_key(text) || gate.policy.imports.iter().any(|shape| shape.matches(text))
}

const WAIT_MILLIS: u32 = 20;
/// In all twice as long as one who asks may take.
const MOST_WAITS: u8 = 200;
