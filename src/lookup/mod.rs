//! Finding out what a decision needs: what an adapter is to do for it, and how what came of that
//! becomes known.
//!
//! One request asks for what many need; the others wait a little and look into memory again. Nothing
//! here waits: an adapter does an [`Errand`] and comes back with what [`Came`] of it.

mod chore;
mod desk;

use core::fmt;

pub use chore::Chore;
pub use desk::{Desk, Matter};

use crate::clock::Now;
use crate::denial::Fault;
use crate::enquiry::Enquiry;
use crate::gate::Gate;
use crate::key::{Kid, Workspace};
use crate::lease::CallId;
use crate::memory::{Memory, Turn};
use crate::need::{Ask, KvRow, Leave, Need};
use crate::record::Unusable;
use crate::ticket::{Body, Ticket};

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
            Self::Read { millis, .. } | Self::Call { millis, .. } | Self::Wait { millis } => {
                *millis
            }
            Self::Body { .. } => Body::MILLIS,
        }
    }
}

/// What came of an errand.
#[derive(Debug)]
pub enum Came<'a> {
    /// What KV has under that name, or the Workspace's answer.
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
        if let Need::Body(limit) = need {
            let own = Self { need, shared: false, asked: Asked::Nobody };
            return Some((own, Errand::Body { limit }));
        }
        if is_alone(&need) {
            return Self::go(need, false, id, gate, memory, now);
        }
        let patience = gate.patience(&need);
        let joins = ticket.joins(&need);
        let turn = memory.turn(need, patience, joins, ticket.has_waited(), now);
        if joins && turn == Turn::Wait {
            ticket.count();
        }
        match turn {
            Turn::Go => return Self::go(need, false, id, gate, memory, now),
            Turn::Wait if ticket.wait(POLL_MILLIS, patience) => {
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
        let turn = memory.turn(need, gate.patience(&need), false, true, now);
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
            // It is the request's own: nobody finds it out ahead.
            Need::Body(_) => return None,
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
        let learnt = match (asked, came) {
            (Asked::Row(_), Came::Nothing | Came::Body(_)) => Err(Trouble::Kv),
            (Asked::Row(row), came) => row
                .learn(came.text().map(str::as_bytes), gate, memory, now)
                .map_err(|unusable| Trouble::Row(row, unusable)),
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// KV did not answer, or not in time.
    Kv,
    /// What KV holds may not be used.
    Row(KvRow, Unusable),
    /// A Workspace did not answer, or with nothing that helps.
    Workspace(Workspace, Fault),
}

impl Trouble {
    const fn fault(&self) -> Fault {
        match self {
            Self::Kv => Fault::KvUnavailable,
            Self::Row(..) => Fault::RecordUnusable,
            Self::Workspace(_, fault) => *fault,
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
            Self::Workspace(number, fault) => {
                write!(f, "Workspace {}: {fault:?}", number.as_str())
            }
        }
    }
}

const POLL_MILLIS: u32 = 5;
