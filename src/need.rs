//! What a decision waits for, and how an answer of KV becomes known.

use crate::clock::Now;
use crate::denial::Fault;
use crate::gate::Gate;
use crate::imported::{Pointer, PointerId};
use crate::key::Kid;
use crate::lease::Pool;
use crate::memory::{Memory, Source, Turn};
use crate::record::{self, Record, Unusable};
use crate::workspace::call::Once;

/// What a decision waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// A row of KV.
    Kv(KvRow),
    /// An answer of a Workspace.
    Workspace(Ask),
    /// The request's body, of so many bytes at most.
    Body(u32),
    /// The keys of the issuer at this place in the policy: to be fetched if it is this request's turn, else
    /// to be waited for.
    KeySet {
        /// The place.
        issuer: usize,
        /// Whether to fetch.
        mine: bool,
    },
    /// Whether the signature of the request's token is that of a key: [`Ticket::trial`].
    ///
    /// [`Ticket::trial`]: crate::ticket::Ticket::trial
    Signature,
}

impl Need {
    /// The fault of not being met in time.
    #[must_use]
    pub const fn timeout(&self) -> Fault {
        match self {
            Self::Kv(_) => Fault::KvUnavailable,
            Self::Workspace(_) => Fault::WorkspaceUnavailable,
            Self::Body(_) => Fault::Internal,
            Self::KeySet { .. } | Self::Signature => Fault::IssuerUnavailable,
        }
    }

    /// Whose turn it is, where the decision itself has settled that.
    pub(crate) const fn turn(&self) -> Option<Turn> {
        match self {
            Self::KeySet { mine: false, .. } => Some(Turn::Wait),
            Self::KeySet { mine: true, .. } | Self::Signature => Some(Turn::Go),
            Self::Kv(_) | Self::Workspace(_) | Self::Body(_) => None,
        }
    }
}

/// What a Workspace is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// The record of a key.
    Record(Kid),
    /// Leave to admit requests of a key.
    Leave(Leave),
}

/// Whose leave, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Leave {
    /// The key.
    pub kid: Kid,
    /// Coins of the request.
    pub coins: u32,
    /// If a product or a budget has a say: what it is for.
    pub pool: Option<Pool>,
    /// Whether only for this one request: mode `strict`, or it may be admitted once only.
    pub alone: bool,
    /// What tells it from any other, if it may be admitted once only.
    pub once: Option<Once>,
    /// Whether its origin may say that it has cost less.
    pub settle: bool,
}

/// A row of KV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KvRow {
    /// The record of a key.
    Record(Kid),
    /// The kid of an imported key.
    Pointer(PointerId),
}

impl KvRow {
    /// Where KV has it.
    #[must_use]
    pub fn kv_name(&self) -> String {
        match self {
            Self::Record(kid) => record::kv_name(kid),
            Self::Pointer(id) => id.kv_name(),
        }
    }

    /// Puts what KV holds under that name into memory; `None` if there is no such row.
    ///
    /// # Errors
    /// Why the value may not be used. Memory stays as it was.
    pub fn learn(
        &self,
        value: Option<&[u8]>,
        gate: &Gate,
        memory: &mut Memory,
        now: Now,
    ) -> Result<(), Unusable> {
        match self {
            Self::Record(kid) => {
                let open = |value| Record::open(&gate.keyring, kid, &gate.policy.tiers, value);
                memory.learn(*kid, value.map(open).transpose()?, Source::Kv, now)
            }
            Self::Pointer(id) => {
                let open = |value| Pointer::open(&gate.keyring, id, value);
                let pointer = value.map(open).transpose().map_err(|_| Unusable::Mac)?;
                memory.learn_pointer(*id, pointer, now);
                Ok(())
            }
        }
    }
}
