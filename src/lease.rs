//! Leases: requests that the Workspace has debited already and an isolate may admit by itself, for
//! a short time on its own clock.
//!
//! A lease counts from the moment its call was *sent*, less a margin, so that no agreement of
//! clocks is needed: it ends here before it ends there. What is spent is reported as a running
//! total, never as a difference: a report may be lost, repeated or overtaken.

mod purse;
mod wallet;

use core::fmt;

pub use purse::Purse;
pub use wallet::Wallet;

use crate::account::View;
use crate::encoding;
use crate::fields::BadField;
use crate::key::Workspace;
use crate::policy::{Policy, Route};

/// The name of a call and of the lease it was answered with: 128 random bits in hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(String);

impl CallId {
    /// From fresh random bytes.
    #[must_use]
    pub fn new(entropy: [u8; 16]) -> Self {
        Self(encoding::hex(&entropy))
    }

    /// Reads 32 digits.
    ///
    /// # Errors
    /// [`BadField`].
    pub fn parse(text: &str) -> Result<Self, BadField> {
        let digits =
            text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digits { Ok(Self(text.to_owned())) } else { Err(BadField) }
    }

    /// The 32 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an isolate has done with a lease so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The lease.
    pub lease: CallId,
    /// Requests admitted by it, in all.
    pub spent: u32,
    /// Coins of those requests, in all.
    pub coins: u64,
    /// Whether it is over: the rest is given back.
    pub closed: bool,
}

/// The Workspace's permission for one request and, perhaps, some more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Requests, the one that asked among them.
    pub tokens: u32,
    /// How long the others may be admitted, from when the call was sent.
    pub millis: u64,
    /// For the client.
    pub view: Option<View>,
}

/// The Workspace's refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Milliseconds after which it is worth asking again.
    pub retry_millis: u64,
    /// What is exhausted.
    pub by: Scope,
    /// For the client: how far the limits go; always there if it is one of them that is exhausted.
    pub view: Option<View>,
}

/// Whose limit or budget it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The key's own limits.
    Key,
    /// The limits shared by all keys of the workspace.
    Workspace,
    /// The limits that all keys of the workspace share for one product.
    Product,
    /// The budget of the workspace.
    WorkspaceBudget,
    /// The budget of the workspace for one product.
    ProductBudget,
}

impl Scope {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Key, Self::Workspace, Self::Product, Self::WorkspaceBudget, Self::ProductBudget];

    /// Whether coins are what is used up.
    #[must_use]
    pub const fn is_budget(self) -> bool {
        matches!(self, Self::WorkspaceBudget | Self::ProductBudget)
    }

    /// Whether it is exhausted for every request of the key, whatever its product and cost.
    pub(crate) const fn is_of_all(self) -> bool {
        matches!(self, Self::Key | Self::Workspace)
    }

    /// The code of the denial.
    pub(crate) const fn code(self) -> &'static str {
        if self.is_budget() { "BUDGET_EXHAUSTED" } else { "RATE_LIMITED" }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Workspace => "workspace",
            Self::Product => "product",
            Self::WorkspaceBudget => "budget",
            Self::ProductBudget => "product-budget",
        }
    }
}

/// What leases are for where a product or a budget has a say: requests of one product and one price.
/// A token of one pool is never spent in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    /// The product, by its place in the policy.
    pub product: Option<usize>,
    /// Coins of a request.
    pub cost: u32,
}

impl Pool {
    /// What leases for a route are for, if a product or a budget of the workspace may have a say there.
    #[must_use]
    pub fn of(policy: &Policy, route: &Route, workspace: Workspace) -> Option<Self> {
        let is_budgeted =
            || policy.has_budgets && policy.workspace(workspace.as_str()).budget.is_some();
        let pooled = route.product.is_some() || is_budgeted();
        pooled.then_some(Self { product: route.product, cost: route.cost })
    }
}

/// What the Workspace is to be told of a key besides its leases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Untold {
    /// Denials by code.
    pub denied: Vec<(&'static str, u32)>,
    /// What rules on trial would have denied, by code.
    pub would_deny: Vec<(&'static str, u32)>,
    /// Secrets that are being replaced: generation, and the second in which it was last used.
    pub replaced: Vec<(u8, u64)>,
    /// By what the last requests were refused; see [`Incident`](crate::incident::Incident).
    pub incidents: Vec<String>,
}
