//! What is known of one request between two looks at it: permissions that are for it alone, and
//! faults it has met.

use crate::account::View;
use crate::clock::Now;
use crate::denial::Fault;
use crate::incident::Incident;
use crate::key::Kid;
use crate::lease::{CallId, Refused};
use crate::need::{Ask, KvRow, Need};
use crate::observation::Known;
use crate::token::Trial;
use crate::workspace::call::Once;

/// Goes with one request from its first decision to its last.
#[derive(Debug, Default)]
pub struct Ticket {
    /// Whether it has been counted as demand, of whatever it may be for.
    pub(crate) counted: bool,
    /// Whether it has been counted as demand of its pool.
    pub(crate) pooled: bool,
    /// The Workspace's word on this very request.
    pub(crate) word: Option<(Kid, Word)>,
    /// The call by which it was admitted, if its origin may say that it has cost less.
    pub(crate) admission: Option<CallId>,
    /// What KV did in the place of an answer.
    pub(crate) kv: Option<Fault>,
    /// What the Workspace did in the place of an answer.
    pub(crate) workspace: Option<Fault>,
    /// For a secret newer than the record at hand: the latest question to a Workspace when it came.
    pub(crate) newer: Option<u64>,
    /// The key whose request was denied, to be told to its Workspace.
    pub(crate) denied: Option<Kid>,
    /// By what it was refused, until it has an id.
    pub(crate) incident: Option<Incident>,
    /// Its body, if that was read.
    pub(crate) body: Option<Body>,
    /// Its signature, once that held: bodies are hashed once.
    pub(crate) verified: Option<Verified>,
    /// Its token's signature, while that is being verified.
    pub(crate) trial: Option<Box<Trial>>,
    /// What the token's issuer did in the place of giving its keys.
    pub(crate) issuer: Option<Fault>,
    /// The place of its route.
    pub(crate) route: Option<usize>,
    /// Who calls, once that is proved, if decisions are told of.
    pub(crate) known: Option<Known>,
    /// The millisecond in which its last look-up began.
    since: u64,
    /// Milliseconds that its look-ups took, if there was one.
    looked: Option<u64>,
    /// Whether it waits, or has waited, for a record.
    joined: bool,
    /// Milliseconds waited for others to find one thing out.
    waited: u64,
    /// The asking for it.
    asking: u64,
}

/// A signature that holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verified {
    /// Whose.
    pub(crate) kid: Kid,
    /// By which version of the key's record.
    pub(crate) version: u64,
    /// What tells the request from any other, if it may be admitted once only.
    pub(crate) once: Option<Once>,
}

/// What came of reading a body.
pub enum Body {
    /// All of it.
    Read(Vec<u8>),
    /// It is longer than asked for.
    TooLong,
    /// It broke off, or took too long.
    Late,
    /// There was no room for it.
    Failed(Fault),
}

impl Body {
    /// Milliseconds for a body to arrive.
    pub const MILLIS: u32 = Self::SECONDS * 1000;
    /// The same in seconds.
    pub const SECONDS: u32 = 30;
}

impl core::fmt::Debug for Body {
    /// Without its bytes.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Read(bytes) => write!(f, "Read({} bytes)", bytes.len()),
            Self::TooLong => f.write_str("TooLong"),
            Self::Late => f.write_str("Late"),
            Self::Failed(fault) => write!(f, "Failed({fault:?})"),
        }
    }
}

/// The Workspace's word on one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word {
    /// Not debited: it was admitted before.
    Replayed,
    /// Debited, for a request verified by this version of the record.
    Admitted { version: u64, view: Option<View> },
    /// Not debited.
    Refused(Refused),
}

impl Ticket {
    /// Takes note that `need` could not be met.
    pub fn fail(&mut self, need: &Need, fault: Fault) {
        self.waited = 0;
        match need {
            Need::Kv(_) => self.kv = Some(fault),
            Need::Workspace(_) => self.workspace = Some(fault),
            Need::Body(_) => self.body = Some(Body::Failed(fault)),
            Need::KeySet { .. } => self.issuer = Some(fault),
            Need::Signature => self.judge(None),
        }
    }

    /// Whether the request, should it have to wait for `need`, does so for the first time; it is
    /// counted as demand then.
    pub fn joins(&mut self, need: &Need) -> bool {
        let is_record =
            matches!(need, Need::Kv(KvRow::Record(_)) | Need::Workspace(Ask::Record(_)));
        is_record && !core::mem::replace(&mut self.joined, is_record)
    }

    /// Takes note that something is being found out for it. Its own body is none of that.
    pub(crate) fn look_up(&mut self, need: &Need, now: Now) {
        // By what comes of it the credential is to be proved anew.
        self.known = None;
        if !matches!(need, Need::Body(_)) {
            self.since = now.millis();
            self.looked.get_or_insert(0);
        }
    }

    /// Takes note of the time that this took.
    pub(crate) fn looked_up(&mut self, need: &Need, now: Now) {
        if let (Some(looked), false) = (&mut self.looked, matches!(need, Need::Body(_))) {
            *looked = looked.saturating_add(now.millis().saturating_sub(self.since));
        }
    }

    /// Milliseconds that its look-ups took; `None` if there was none.
    #[must_use]
    pub fn looked(&self) -> Option<u64> {
        self.looked
    }

    /// Whether it has waited for what it needs now.
    #[must_use]
    pub fn has_waited(&self) -> bool {
        self.waited > 0
    }

    /// The signature that has to be verified: [`Need::Signature`].
    #[must_use]
    pub fn trial(&self) -> Option<&Trial> {
        self.trial.as_deref()
    }

    /// Takes in whether that signature is the one of [`Trial::key`]; nothing if the platform could not tell.
    pub fn judge(&mut self, holds: Option<bool>) {
        if let Some(trial) = &mut self.trial {
            trial.judge(holds);
        }
    }

    /// Takes in the body.
    pub fn bring(&mut self, body: Body) {
        self.body = Some(body);
    }

    /// Lets go of the bytes of a body that was read. Should they be needed once more, they are asked for
    /// again.
    pub fn drop_body(&mut self) {
        if let Some(Body::Read(_)) = self.body {
            self.body = None;
        }
    }

    /// Takes note that it was counted.
    pub fn count(&mut self) {
        self.counted = true;
    }

    /// Whether to wait `millis` more for somebody who is finding out by this `asking`; `patience` for all waiting
    /// for one answer. Where there was one and more is needed, as of a lease that others have spent, it begins anew.
    pub(crate) fn wait(&mut self, asking: u64, millis: u32, patience: u64) -> bool {
        let waited = if self.asking == asking { self.waited } else { 0 };
        self.asking = asking;
        self.waited = waited.saturating_add(millis.into());
        self.waited <= patience
    }

    /// The key with which the request was denied, if its Workspace is to know.
    #[must_use]
    pub fn denied(&self) -> Option<Kid> {
        self.denied
    }

    pub(crate) fn admit(
        &mut self,
        kid: Kid,
        version: u64,
        view: Option<View>,
        admission: Option<CallId>,
    ) {
        self.word = Some((kid, Word::Admitted { version, view }));
        self.admission = admission;
    }

    pub(crate) fn replay(&mut self, kid: Kid) {
        self.word = Some((kid, Word::Replayed));
    }

    pub(crate) fn refuse(&mut self, kid: Kid, refused: Refused) {
        self.word = Some((kid, Word::Refused(refused)));
    }
}
