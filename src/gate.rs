//! A deployment that is fit to decide: its policy, keyring and environment keys,
//! checked against each other once.

use core::fmt;

use crate::assertion::Assertions;
use crate::clock::Now;
use crate::crypto;
use crate::environment::{BadEntry, EnvironmentKeys};
use crate::need::Need;
use crate::policy::Policy;
use crate::root::{Keyring, RootError};
use crate::token;

/// Everything a decision needs that does not change while an isolate lives.
#[derive(Debug)]
pub struct Gate {
    pub(crate) policy: Policy,
    pub(crate) keyring: Keyring,
    pub(crate) environment: EnvironmentKeys,
    pub(crate) assertions: Assertions,
    built: u64,
}

impl Gate {
    /// Puts a deployment together.
    ///
    /// `root` and `environment` are the texts of `PORTCULLIS_ROOT` and
    /// `PORTCULLIS_STATIC_KEYS`, empty if unset; `built` the second at which the
    /// build's sources were committed.
    ///
    /// # Errors
    /// Why it must not decide. Every request is then answered 503.
    pub fn new(policy: Policy, root: &str, environment: &str, built: u64) -> Result<Self, Unfit> {
        if !crypto::known_answers_hold() {
            return Err(Unfit::Arithmetic);
        }
        let keyring = Keyring::parse(root)?;
        if !policy
            .root_fingerprints
            .iter()
            .any(|known| known.as_str() == keyring.newest().fingerprint())
        {
            return Err(Unfit::Fingerprint);
        }
        let environment = EnvironmentKeys::parse(environment, &policy, &keyring)?;
        let assertions = Assertions::new(&policy, &keyring);
        Ok(Self { policy, keyring, environment, assertions, built })
    }

    /// Whether the clock can be right: a build is never older than its sources.
    ///
    /// # Errors
    /// [`Unfit::Clock`] if it cannot; expiry could not be judged by it.
    pub fn fit_at(&self, now: Now) -> Result<(), Unfit> {
        if now.seconds() < self.built { Err(Unfit::Clock) } else { Ok(()) }
    }

    /// How long it may take to meet `need`, in milliseconds.
    #[must_use]
    pub fn patience(&self, need: &Need) -> u64 {
        match need {
            Need::Kv(_) => self.policy.kv_timeout_ms.into(),
            Need::Workspace(_) => self.policy.workspace_timeout_ms.into(),
            // A fetch may take so long; the others wait for it.
            Need::KeySet { .. } => token::FETCH_MILLIS.into(),
            Need::Body(_) | Need::Signature => 0,
        }
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The root secret's keys.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }
}

/// Why a deployment must not decide. `Display` names the cause for the log, and
/// never a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The policy in the build cannot be read.
    Policy,
    /// HMAC or HKDF gave a wrong answer to its standard's test.
    Arithmetic,
    /// The root secret.
    Root(RootError),
    /// The policy was made for another root secret.
    Fingerprint,
    /// The environment keys.
    Environment(BadEntry),
    /// The clock is before the build.
    Clock,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy => f.write_str("the policy in the build cannot be read"),
            Self::Arithmetic => f.write_str("HMAC-SHA-256 or HKDF fails its known-answer test"),
            Self::Root(error) => error.fmt(f),
            Self::Fingerprint => f.write_str(
                "PORTCULLIS_ROOT does not have a fingerprint of the policy's root_fingerprints",
            ),
            Self::Environment(error) => error.fmt(f),
            Self::Clock => f.write_str("the clock is before the build's sources"),
        }
    }
}

impl core::error::Error for Unfit {}

impl From<RootError> for Unfit {
    fn from(error: RootError) -> Self {
        Self::Root(error)
    }
}

impl From<BadEntry> for Unfit {
    fn from(error: BadEntry) -> Self {
        Self::Environment(error)
    }
}
