//! What a request has cost after all: its origin may say so in a header of the answer, within what was
//! reserved.
//!
//! Nothing is lost that was not given: without a word of the origin, or with one that cannot be read, or
//! beyond what was reserved, that is the cost.

use crate::key::Kid;
use crate::lease::CallId;
use crate::policy::HeaderName;

/// Coins that were taken for one request before it was sent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The key.
    pub kid: Kid,
    /// The call by which it was admitted.
    pub call: CallId,
    /// How many.
    pub coins: u32,
    /// The header in which the origin says how many it were in the end.
    pub header: HeaderName,
    /// How long the origin may take to answer, in milliseconds.
    pub millis: u32,
}

/// An origin's word on a cost, which is of no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadCost {
    /// It is no whole number.
    Unreadable,
    /// It is more than was reserved.
    Excessive,
}

impl Reservation {
    /// What the request has cost, if that is less; `said` is the value of the header, if it is there.
    ///
    /// # Errors
    /// [`BadCost`]: what was reserved is the cost.
    pub fn less(&self, said: Option<&str>) -> Result<Option<u32>, BadCost> {
        let Some(said) = said else { return Ok(None) };
        if said.is_empty() || !said.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadCost::Unreadable);
        }
        // A number too large for u32 is larger than any cost.
        match said.parse().unwrap_or(u32::MAX) {
            coins if coins < self.coins => Ok(Some(coins)),
            coins if coins == self.coins => Ok(None),
            _ => Err(BadCost::Excessive),
        }
    }
}

impl BadCost {
    /// For the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "what its origin says of the cost is no whole number",
            Self::Excessive => "its origin says that more was spent than was reserved",
        }
    }
}
