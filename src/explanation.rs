//! A decision, told check by check, for people.
//!
//! The checks stand in their order and a decision ends at one of them: what stands before it has passed,
//! what stands behind it was not looked at. So nothing is decided here. No text holds a secret; of a
//! request whose target may have one, the target is not told.

// No Worker explains what it has not refused, and the gate has no room for what it does not use.
#[cfg(any(feature = "policy-source", feature = "explain"))]
pub mod case;
#[cfg(any(feature = "policy-source", feature = "explain"))]
pub mod question;
#[cfg(any(feature = "policy-source", feature = "explain"))]
mod steps;
#[cfg(any(feature = "policy-source", feature = "explain"))]
mod told;

use crate::policy::{Bindings, Route};
#[cfg(any(feature = "policy-source", feature = "explain"))]
pub use steps::{Explanation, Step};

/// A check of the decision, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The target is in its one spelling.
    Target,
    /// The host is served.
    Host,
    /// The method is known.
    Method,
    /// There is one credential at most.
    OneCredential,
    /// No key stands in the URL.
    Url,
    /// If a page asks for leave, it may have it.
    Page,
    /// A route has the path and the method.
    Route,
    /// The form is what the route takes.
    Form,
    /// The client is in a network that the route takes.
    Network,
    /// The credential is of a kind that the route takes.
    Kind,
    /// There is such a key.
    Record,
    /// The secret is the key's.
    Secret,
    /// The key's status and dates.
    Standing,
    /// The client is in a network of the key.
    Address,
    /// The key has the route's scope.
    Scope,
    /// The path names what is the caller's.
    Resource,
    /// The body is no longer than the route takes.
    Length,
    /// The signature, where the key needs one.
    Signature,
    /// Limits and budgets.
    Leave,
}

impl Check {
    /// All of them, in order.
    pub const ALL: [Self; 19] = [
        Self::Target,
        Self::Host,
        Self::Method,
        Self::OneCredential,
        Self::Url,
        Self::Page,
        Self::Route,
        Self::Form,
        Self::Network,
        Self::Kind,
        Self::Record,
        Self::Secret,
        Self::Standing,
        Self::Address,
        Self::Scope,
        Self::Resource,
        Self::Length,
        Self::Signature,
        Self::Leave,
    ];

    /// A word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Host => "host",
            Self::Method => "method",
            Self::OneCredential => "one credential",
            Self::Url => "no key in URL",
            Self::Page => "page",
            Self::Route => "route",
            Self::Form => "form",
            Self::Network => "route's networks",
            Self::Kind => "credential",
            Self::Record => "key",
            Self::Secret => "secret",
            Self::Standing => "status and dates",
            Self::Address => "key's networks",
            Self::Scope => "scope",
            Self::Resource => "resource",
            Self::Length => "body length",
            Self::Signature => "signature",
            Self::Leave => "limits",
        }
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It let the request pass.
    Passed,
    /// It refused the request.
    Refused,
    /// It cannot be told without asking somebody else.
    Open,
    /// The decision ended before.
    NotReached,
}

impl Verdict {
    /// A word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Refused => "refused",
            Self::Open => "open",
            Self::NotReached => "not reached",
        }
    }
}

/// What a key may reach: by its bindings, by its workspace if the path names one, by its subject.
pub(crate) fn reach(
    bindings: &Bindings,
    workspace: Option<&str>,
    subject: Option<String>,
) -> String {
    let bound = bindings.iter();
    let bound = bound.map(|(name, values)| format!("{name} is one of {}", values.join(", ")));
    let named = workspace.map(|number| format!("{} is {number} or current", Route::WORKSPACE));
    let parts: Vec<String> = bound.chain(named).chain(subject).collect();
    if parts.is_empty() { "any".to_owned() } else { parts.join("; ") }
}

/// A parameter names a subject.
pub(crate) fn own(parameter: &str, subject: &str) -> String {
    format!("{parameter} is {subject}")
}

/// A route takes no key of a subject.
pub(crate) fn unheld(subject: &str) -> String {
    format!("nobody holds it to what is {subject}'s")
}
