//! What a decision waits for, and how an answer of KV becomes known.

use crate::clock::Now;
use crate::gate::Gate;
use crate::imported::{Pointer, PointerId};
use crate::key::Kid;
use crate::memory::Memory;
use crate::record::{self, Record, Unusable};

/// What a decision waits for.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// The record of a key.
    Record(Kid),
    /// The kid of an imported key.
    Pointer(PointerId),
}

impl Need {
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
    /// Why the value may not be used. Memory stays as it was, and the gate cannot decide.
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
                memory.learn(*kid, value.map(open).transpose()?, now)
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
