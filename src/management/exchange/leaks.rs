//! `POST /leaks`: what a secret scanner has found, as GitHub's secret scanning partner programme reports
//! it. Each key of ours is held back; the answer says which texts are keys.

use std::rc::Rc;

use serde_json::{Value as Json, json};

use super::head::header;
use super::{Asked, Exchange, Next, Object, Refusal, Step, bad, read};
use crate::clock::Now;
use crate::crypto;
use crate::denial::{Denial, Fault, Invalid, Wire};
use crate::encoding;
use crate::gate::Gate;
use crate::imported::{Pointer, PointerId};
use crate::key::{self, KeyText, Kid};
use crate::management::json;
use crate::management::problem::Problem;
use crate::record::{Record, Status};
use crate::token::ecdsa;
use crate::workspace::call::{Answer, Call, Manage, Managed, SCANNER};

/// A report on its way.
#[derive(Default)]
pub(super) struct Report {
    /// The name of the key it is signed by.
    key: String,
    signature: Vec<u8>,
    /// What is still to be looked at, the last first.
    left: Vec<Found>,
    /// Under which names in KV the text at hand may still be found.
    names: Vec<PointerId>,
    kid: Option<Kid>,
    told: Vec<Json>,
}

/// What was found.
struct Found {
    token: String,
    kind: String,
    url: String,
    source: String,
}

impl Found {
    /// There may be more members than these.
    fn read(members: &Json) -> Option<Self> {
        let text = |name: &str| members.get(name)?.as_str();
        let other = |name: &str| text(name).unwrap_or_default().to_owned();
        let token = text("token")?.to_owned();
        Some(Self { token, kind: other("type"), url: other("url"), source: other("source") })
    }
}

/// A report, by whom it claims to be signed.
#[derive(Clone)]
pub struct Signed {
    /// The name of the key it is made with.
    pub key: String,
    /// Two numbers of 32 bytes (RFC 7518 §3.4).
    pub signature: Vec<u8>,
    /// What is signed.
    pub body: String,
}

impl core::fmt::Debug for Signed {
    /// Without the body, which holds secrets.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Signed({} ..)", self.key)
    }
}

impl Exchange {
    /// Takes note of who claims to have signed it.
    pub(super) fn report(&mut self, gate: &Gate) -> Next {
        if gate.policy.leak_reports.is_none() {
            return Err(Problem::not_found().into());
        }
        let facts = Rc::clone(&self.facts);
        let request = read(&facts)?;
        let (Some(key), Some(signature)) = (header(&request, KEY), header(&request, SIGNATURE))
        else {
            let message =
                "Send the signature of a secret scanner and the name of its key.".to_owned();
            return Err(Wire { message, ..Denial::Signature.wire() }.into());
        };
        let signature =
            encoding::from_base64(signature).and_then(|der| ecdsa::p256_signature(&der));
        let signature = signature.ok_or(Denial::Signature)?.to_vec();
        self.report = Some(Report { key: key.to_owned(), signature, ..Report::default() });
        Ok(Step::Body(self.head()?.limit))
    }

    /// The body is there.
    pub(super) fn verify(&self, report: &Report) -> Step {
        let Report { key, signature, .. } = report;
        let body = self.body.clone();
        Step::Verify(Signed { key: key.clone(), signature: signature.clone(), body })
    }

    /// The signature holds.
    pub(super) fn believed(&mut self, gate: &Gate) -> Next {
        let found =
            json::parse(&self.body).map_err(|wrong| bad(&format!("The body is {wrong}.")))?;
        let found = found.as_array().and_then(|found| found.iter().map(Found::read).collect());
        let message = "has to be a list of objects with a token";
        let mut found: Vec<Found> = found.ok_or_else(|| Problem::field("", message))?;
        if found.len() > MOST_FOUND {
            return Err(Problem::field("", format!("has more than {MOST_FOUND} tokens")).into());
        }
        found.reverse();
        self.reported()?.left = found;
        self.look_at_next(gate)
    }

    /// Finds out which key the next text may be.
    fn look_at_next(&mut self, gate: &Gate) -> Next {
        loop {
            let report = self.reported()?;
            let Some(found) = report.left.last() else {
                let body = Json::Array(core::mem::take(&mut report.told)).to_string();
                return Ok(Step::Answer(self.success(200, &body)));
            };
            match KeyText::recognise(&found.token) {
                Some(Ok(key)) if key.is_ours(&gate.keyring) => {
                    let kid = key.kid();
                    return self.ask_record(kid);
                }
                Some(_) => self.tell(false)?,
                None if gate.policy.imports.iter().any(|shape| shape.matches(&found.token)) => {
                    let sha256 = crypto::sha256(found.token.as_bytes());
                    let names =
                        gate.keyring.versions().map(|root| PointerId::of_sha256(root, &sha256));
                    report.names = names.collect();
                    return self.look_for_pointer(gate);
                }
                None => self.tell(false)?,
            }
        }
    }

    fn look_for_pointer(&mut self, gate: &Gate) -> Next {
        match self.reported()?.names.last() {
            Some(id) => Ok(Step::Row(id.kv_name())),
            None => {
                self.tell(false)?;
                self.look_at_next(gate)
            }
        }
    }

    /// What KV holds under that name.
    pub(super) fn pointed(&mut self, value: Option<&str>, gate: &Gate) -> Next {
        let report = self.reported()?;
        let id = report.names.pop().ok_or(Fault::Internal)?;
        let Some(value) = value else { return self.look_for_pointer(gate) };
        let pointer = Pointer::open(&gate.keyring, &id, value.as_bytes());
        let Pointer { kid } = pointer.map_err(|_| Fault::RecordUnusable)?;
        report.names.clear();
        self.ask_record(kid)
    }

    fn ask_record(&mut self, kid: Kid) -> Next {
        self.reported()?.kid = Some(kid);
        self.asked = Asked::Leaked;
        let number = kid.workspace().as_str().to_owned();
        Ok(Step::Ask(Object::Workspace(number), Call::Record { kid: kid.to_string() }.print()))
    }

    /// What the workspace knows of the key: whether the text is one of its secrets.
    pub(super) fn leaked(&mut self, answer: &Answer, gate: &Gate, now: Now) -> Next {
        if matches!(answer, Answer::Unknown | Answer::Unopened) {
            self.tell(false)?;
            return self.look_at_next(gate);
        }
        let Answer::Record { value } = answer else {
            return Err(Fault::WorkspaceUnavailable.into());
        };
        let address = self.head()?.address.clone();
        let request_id = self.request_id.clone();
        let report = self.reported()?;
        let (kid, found) = report.kid.zip(report.left.last()).ok_or(Fault::Internal)?;
        let record = Record::open(&gate.keyring, &kid, &gate.policy.tiers, value.as_bytes());
        let record = record.map_err(|_| Fault::RecordUnusable)?;
        let sha256 = crypto::sha256(found.token.as_bytes());
        let proof = match KeyText::recognise(&found.token) {
            Some(Ok(key)) => record.check_secret(&gate.keyring, key.secret(), now),
            _ => record.check_secret(&gate.keyring, &sha256, now),
        };
        let is_live = match proof {
            Ok(_) => matches!(record.status, Status::Active | Status::Disabled),
            // It was one.
            Err(Denial::Expired) => false,
            Err(Denial::Invalid(Invalid::Secret)) => {
                self.tell(false)?;
                return self.look_at_next(gate);
            }
            Err(denial) => return Err(denial.into()),
        };
        if !is_live {
            self.tell(true)?;
            return self.look_at_next(gate);
        }
        let told = |text| told(text, &found.token);
        let leak = json!({
            "type": told(&found.kind), "source": told(&found.source), "url": told(place(&found.url)),
        });
        let body = json!({ "kid": kid.as_str(), "leak": leak }).to_string();
        let number = kid.workspace().as_str().to_owned();
        let manage = Manage {
            actor: SCANNER.to_owned(),
            workspace: number.clone(),
            address,
            request_id,
            method: "POST".to_owned(),
            target: "/api/v1/leaks".to_owned(),
            body,
            ..Manage::default()
        };
        self.asked = Asked::Quarantine;
        Ok(Step::Ask(Object::Workspace(number), Call::Manage(Box::new(manage)).print()))
    }

    /// The key is held back.
    pub(super) fn quarantined(&mut self, answer: &Answer, gate: &Gate) -> Next {
        let Answer::Managed(Managed { status: 200, .. }) = answer else {
            return Err(Fault::WorkspaceUnavailable.into());
        };
        self.tell(true)?;
        self.look_at_next(gate)
    }

    /// What the scanner is told of the text at hand.
    fn tell(&mut self, is_key: bool) -> Result<(), Refusal> {
        let report = self.reported()?;
        let found = report.left.pop().ok_or(Fault::Internal)?;
        report.told.push(json!({
            "token_hash": encoding::base64(&crypto::sha256(found.token.as_bytes())),
            "token_type": found.kind,
            "label": if is_key { "true_positive" } else { "false_positive" },
        }));
        Ok(())
    }

    fn reported(&mut self) -> Result<&mut Report, Refusal> {
        self.report.as_mut().ok_or_else(|| Fault::Internal.into())
    }
}

/// A URL without query and fragment.
fn place(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// For the audit log: bounded, and not at all if any piece of the secret, or another key, is in it.
fn told<'t>(text: &'t str, secret: &str) -> &'t str {
    let (plain, secret) = (key::percent_decode(text).to_lowercase(), secret.to_lowercase());
    let mut pieces = secret.as_bytes().windows(PIECE.min(secret.len()).max(1));
    let tells = pieces.any(|piece| plain.as_bytes().windows(piece.len()).any(|own| own == piece));
    let is_plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    let is_short = text.len() <= MOST_TOLD && text.bytes().all(is_plain);
    if is_short && !tells && !key::occurs_in_target(text) { text } else { "" }
}

const KEY: &str = "github-public-key-identifier";
const SIGNATURE: &str = "github-public-key-signature";
const MOST_FOUND: usize = 1000;
const MOST_TOLD: usize = 500;
/// Bytes: a shorter piece may be there by chance.
const PIECE: usize = 10;
