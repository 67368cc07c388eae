//! Finding out what a decision needs: what an adapter is to do for it, and how what came of that
//! becomes known.
//!
//! One request asks for what many need; the others wait a little and look into memory again. Nothing
//! here waits: an adapter does an [`Errand`] and comes back with what [`Came`] of it.

mod chore;
mod desk;
mod told;

use core::fmt;

pub use chore::Chore;
pub use desk::{Desk, Matter};
pub use told::Told;

use crate::clock::Now;
use crate::denial::Fault;
use crate::encoding;
use crate::enquiry::Enquiry;
use crate::gate::Gate;
use crate::key::{Kid, Workspace};
use crate::lease::CallId;
use crate::memory::{Memory, Turn};
use crate::need::{Ask, KvRow, Leave, Need};
use crate::record::Unusable;
use crate::reservation::BadCost;
use crate::ticket::{Body, Ticket};
use crate::token::{FETCH_MILLIS, KeySet};

/// What an adapter has to do before a request can be looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Read this row of KV.
    Read {
        /// The row's name.
        name: String,
        /// Milliseconds within which it must come.
        millis: u32,
    },
    /// Call a Workspace.
    Call {
        /// The workspace.
        workspace: Workspace,
        /// The call.
        text: String,
        /// Milliseconds within which the answer must come.
        millis: u32,
    },
    /// Read the request's body.
    Body {
        /// Bytes that it may have.
        limit: u32,
    },
    /// Fetch a text.
    Fetch {
        /// From there; no redirect is followed.
        url: String,
        /// Bytes that it may have.
        limit: u32,
        /// Milliseconds within which all of it must come.
        millis: u32,
    },
    /// Verify a signature: `true` or `false` comes of it.
    Verify {
        /// As in the header of a token (RFC 7518 §3.1).
        algorithm: &'static str,
        /// The public key as JSON (RFC 7517).
        jwk: String,
        /// The signature.
        signature: String,
        /// What is signed.
        signed: String,
    },
    /// Wait.
    Wait {
        /// Milliseconds.
        millis: u32,
    },
}

impl Errand {
    /// Milliseconds after which nothing comes of it any more.
    #[must_use]
    pub const fn patience(&self) -> u32 {
        match self {
            Self::Read { millis, .. }
            | Self::Call { millis, .. }
            | Self::Fetch { millis, .. }
            | Self::Wait { millis } => *millis,
            Self::Body { .. } => Body::MILLIS,
            Self::Verify { .. } => 0,
        }
    }
}

/// What came of an errand.
#[derive(Debug)]
pub enum Came<'a> {
    /// What KV has under that name, the Workspace's answer, what was fetched, or whether a signature holds.
    Text(&'a str),
    /// KV has no such row.
    NoRow,
    /// A body, or what came in its place.
    Body(Body),
    /// Nothing, in time; or the wait is over.
    Nothing,
}

impl Came<'_> {
    const fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::NoRow | Self::Body(_) | Self::Nothing => None,
        }
    }
}

/// Something that is being found out.
#[derive(Debug)]
pub struct LookUp {
    need: Need,
    /// Whether others wait for it.
    shared: bool,
    asked: Asked,
}

#[derive(Debug)]
enum Asked {
    Row(KvRow),
    Workspace(Box<Enquiry>),
    /// By the issuer's place in the policy.
    KeySet(usize),
    Signature,
    /// Somebody else does.
    Nobody,
}

impl LookUp {
    /// Begins to find out what a request needs; `None` if nobody need go: it is to be looked at again at
    /// once. `id` is the name of the call, should it be one.
    pub fn begin(
        need: Need,
        ticket: &mut Ticket,
        id: CallId,
        gate: &Gate,
        memory: &mut Memory,
        now: Now,
    ) -> Option<(Self, Errand)> {
        ticket.look_up(&need, now);
        if let Need::Body(limit) = need {
            let own = Self { need, shared: false, asked: Asked::Nobody };
            return Some((own, Errand::Body { limit }));
        }
        if need == Need::Signature {
            let errand = verification(ticket);
            if errand.is_none() {
                ticket.fail(&need, need.timeout());
            }
            return errand.map(|own| (Self { need, shared: false, asked: Asked::Signature }, own));
        }
        if is_alone(&need) {
            return Self::go(need, false, id, gate, memory, now);
        }
        let patience = gate.patience(&need);
        let joins = ticket.joins(&need);
        let (turn, asking) = memory.turn(need, patience, joins, ticket.has_waited(), now);
        if joins && turn == Turn::Wait {
            ticket.count();
        }
        match turn {
            Turn::Go => return Self::go(need, false, id, gate, memory, now),
            Turn::Wait if ticket.wait(asking, POLL_MILLIS, patience) => {
                let own = Self { need, shared: false, asked: Asked::Nobody };
                return Some((own, Errand::Wait { millis: POLL_MILLIS }));
            }
            Turn::Wait => ticket.fail(&need, need.timeout()),
            Turn::Failed(fault) => ticket.fail(&need, fault),
        }
        None
    }

    /// Begins to find out ahead of need; `None` if somebody is at it.
    fn ahead(
        need: Need,
        id: CallId,
        gate: &Gate,
        memory: &mut Memory,
        now: Now,
    ) -> Option<(Self, Errand)> {
        let (turn, _) = memory.turn(need, gate.patience(&need), false, true, now);
        if turn == Turn::Go { Self::go(need, true, id, gate, memory, now) } else { None }
    }

    fn go(
        need: Need,
        ahead: bool,
        id: CallId,
        gate: &Gate,
        memory: &mut Memory,
        now: Now,
    ) -> Option<(Self, Errand)> {
        let (asked, errand) = match need {
            Need::Kv(row) => {
                let (name, millis) = (row.kv_name(), gate.policy.kv_timeout_ms);
                (Asked::Row(row), Errand::Read { name, millis })
            }
            Need::Workspace(ask) => {
                let (enquiry, text) = match ask {
                    Ask::Leave(leave) if ahead => Enquiry::ahead(leave, id, gate, memory, now),
                    Ask::Leave(_) | Ask::Record(_) => Enquiry::new(ask, id, gate, memory, now),
                };
                let errand = call(&enquiry, text, gate);
                (Asked::Workspace(Box::new(enquiry)), errand)
            }
            Need::KeySet { issuer, .. } => {
                let url = gate.policy.issuers.get(issuer)?.jwks.as_str().to_owned();
                let errand = Errand::Fetch { url, limit: MAX_KEY_SET, millis: FETCH_MILLIS };
                (Asked::KeySet(issuer), errand)
            }
            // They are the request's own: nobody finds them out ahead.
            Need::Body(_) | Need::Signature => return None,
        };
        Some((Self { need, shared: !is_alone(&need), asked }, errand))
    }

    /// Takes in what came of the errand; a fault goes onto the ticket, and what is to be said of it in the
    /// log is returned.
    pub fn end(
        self,
        came: Came<'_>,
        ticket: &mut Ticket,
        gate: &Gate,
        memory: &mut Memory,
        now: Now,
    ) -> Option<Trouble> {
        let Self { need, shared, asked } = self;
        ticket.looked_up(&need, now);
        let learnt = match (asked, came) {
            (Asked::Row(_), Came::Nothing | Came::Body(_)) => Err(Trouble::Kv),
            (Asked::Row(row), came) => row
                .learn(came.text().map(str::as_bytes), gate, memory, now)
                .map_err(|unusable| Trouble::Row(row, unusable)),
            (Asked::KeySet(issuer), came) => {
                let keys = came.text().and_then(|text| KeySet::parse(text.as_bytes()).ok());
                let learnt =
                    if keys.is_some() { Ok(()) } else { Err(Trouble::Issuer(name(issuer, gate))) };
                memory.key_sets.learn(issuer, keys, now);
                learnt
            }
            (Asked::Signature, came) => {
                ticket.judge(came.text().map(|text| text == "true"));
                Ok(())
            }
            (Asked::Workspace(enquiry), came) => hear(*enquiry, &came, ticket, gate, memory, now),
            (Asked::Nobody, Came::Body(body)) => {
                ticket.bring(body);
                Ok(())
            }
            (Asked::Nobody, _) => Ok(()),
        };
        let fault = learnt.as_ref().err().map(Trouble::fault);
        if shared {
            memory.turn_over(&need, fault, gate.policy.lease_seconds.millis(), now);
        }
        if let Some(fault) = fault {
            ticket.fail(&need, fault);
        }
        learnt.err()
    }

    /// The key whose leases may have to be closed once this has ended.
    #[must_use]
    pub fn leaves(&self) -> Option<Kid> {
        match (&self.asked, &self.need) {
            (Asked::Workspace(_), Need::Workspace(Ask::Leave(Leave { kid, alone: false, .. }))) => {
                Some(*kid)
            }
            _ => None,
        }
    }

    /// Takes note that nothing will come of it any more.
    pub(crate) fn give_up(self, memory: &mut Memory) {
        if let Asked::Workspace(enquiry) = self.asked {
            enquiry.fail(memory);
        }
    }
}

/// Takes in a Workspace's answer, or that there is none.
fn hear(
    enquiry: Enquiry,
    came: &Came<'_>,
    ticket: &mut Ticket,
    gate: &Gate,
    memory: &mut Memory,
    now: Now,
) -> Result<(), Trouble> {
    let workspace = enquiry.workspace();
    let learnt = match came.text() {
        Some(answer) => enquiry.learn(answer, gate, memory, ticket, now),
        None => {
            enquiry.fail(memory);
            Err(Fault::WorkspaceUnavailable)
        }
    };
    learnt.map_err(|fault| Trouble::Workspace(workspace, fault))
}

fn call(enquiry: &Enquiry, text: String, gate: &Gate) -> Errand {
    let millis = gate.policy.workspace_timeout_ms;
    Errand::Call { workspace: enquiry.workspace(), text, millis }
}

/// Whether the answer is for one request only.
const fn is_alone(need: &Need) -> bool {
    matches!(need, Need::Workspace(Ask::Leave(Leave { alone: true, .. })))
}

/// Why something could not be found out. `Display` is for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// KV did not answer, or not in time.
    Kv,
    /// What KV holds may not be used.
    Row(KvRow, Unusable),
    /// A Workspace did not answer, or with nothing that helps.
    Workspace(Workspace, Fault),
    /// The issuer of this name did not answer, or with no key set.
    Issuer(String),
    /// What an origin says that a request of this key has cost is of no account.
    Cost(Kid, BadCost),
}

impl Trouble {
    const fn fault(&self) -> Fault {
        match self {
            Self::Kv => Fault::KvUnavailable,
            Self::Row(..) => Fault::RecordUnusable,
            Self::Workspace(_, fault) => *fault,
            Self::Issuer(_) => Fault::IssuerUnavailable,
            Self::Cost(..) => Fault::Internal,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kv => f.write_str("KV: no binding KEYS, or no answer in time"),
            Self::Row(KvRow::Record(kid), unusable) => {
                write!(f, "KV row {kid}: {}", unusable.as_str())
            }
            Self::Row(KvRow::Pointer(_), unusable) => {
                write!(f, "KV row of an imported key: {}", unusable.as_str())
            }
            Self::Issuer(name) => write!(f, "issuer {name}: no key set, or no answer in time"),
            Self::Cost(kid, bad) => write!(f, "key {kid}: {}", bad.as_str()),
            Self::Workspace(number, fault) => {
                write!(f, "Workspace {}: {fault:?}", number.as_str())
            }
        }
    }
}

fn name(issuer: usize, gate: &Gate) -> String {
    gate.policy.issuers.get(issuer).map(|rules| rules.name.to_string()).unwrap_or_default()
}

/// What the platform is to verify next for a request.
fn verification(ticket: &Ticket) -> Option<Errand> {
    let trial = ticket.trial()?;
    let key = trial.key()?;
    Some(Errand::Verify {
        algorithm: key.algorithm().as_str(),
        jwk: key.jwk().to_owned(),
        signature: encoding::base64(trial.signature()),
        signed: trial.signed().to_owned(),
    })
}

const POLL_MILLIS: u32 = 5;
/// Bytes. The largest sets of well-known issuers have some 10 KiB.
pub const MAX_KEY_SET: u32 = 64 * 1024;
