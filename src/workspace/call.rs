//! What a Workspace is asked and what it answers: JSON, of version [`VERSION`].
//!
//! Fields are only added, and only ones that a reader may ignore; anything else is a new version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lease::{CallId, Granted, Refused, Report};
use crate::record::{Document, Status};

/// The version of calls and answers.
pub const VERSION: u8 = 1;

/// A call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// [`VERSION`] of the caller.
    pub v: u8,
    /// What it is about.
    #[serde(flatten)]
    pub op: Op,
}

/// What a call is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// The record of a key; debits nothing.
    Record {
        /// The key.
        kid: String,
    },
    /// Leave to admit requests of a key.
    Admit(Admit),
    /// What became of leases.
    Report {
        /// The key.
        kid: String,
        /// Its leases.
        reports: Vec<Report>,
        /// Denials by code.
        #[serde(default)]
        denied: BTreeMap<String, u32>,
    },
    /// Makes the Workspace, if it is not there.
    Open {
        /// The workspace's number.
        workspace: String,
    },
    /// Creates a key or changes it; versions and freshness are the Workspace's to set.
    Put {
        /// The key.
        document: Box<Document>,
        /// The version it is to replace; 0 creates.
        replaces: u64,
    },
    /// Revokes, disables, enables or quarantines a key.
    SetStatus {
        /// The key.
        kid: String,
        /// What it is to be.
        status: Status,
    },
    /// Revokes every key that exists now.
    RevokeAll,
    /// What was used.
    Usage {
        /// The key.
        kid: String,
        /// The first hour, counted since 1970.
        from: u64,
        /// The first hour that is no more of interest.
        to: u64,
    },
    /// What has to be copied to KV now.
    Due,
    /// What was copied.
    Copied {
        /// Keys and the versions that KV holds now.
        copies: Vec<(String, u64)>,
        /// Whether any other copy failed.
        failed: bool,
    },
}

/// Leave to admit requests of a key: all of the limits together or none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Admit {
    /// The call's name: the same name gets the same answer.
    pub id: CallId,
    /// The key.
    pub kid: String,
    /// The version of the record by which the caller verified the request.
    pub version: u64,
    /// Coins of the request.
    pub coins: u32,
    /// Requests wanted, the one that asks among them; 1 in mode `strict`.
    pub want: u32,
    /// Whether no request waits for the answer: it is asked ahead of need.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub ahead: bool,
    /// How long the caller may keep what it does not spend at once, in milliseconds.
    pub millis: u64,
    /// What became of earlier leases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<Report>,
    /// Denials by code since the last call.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub denied: BTreeMap<String, u32>,
}

impl Admit {
    /// Tokens that are spent by the answer itself.
    pub(crate) fn at_once(&self) -> u32 {
        u32::from(!self.ahead)
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Answer {
    /// The record, as KV would hold it.
    Record {
        /// Sealed.
        value: String,
    },
    /// Leave.
    Granted(Granted),
    /// No leave: a limit is reached. Nothing was taken.
    Refused(Refused),
    /// The key has changed since: verify the request by this record and ask again.
    Changed {
        /// Sealed.
        value: String,
    },
    /// No key of this name.
    Unknown,
    /// Nothing more to say.
    Done,
    /// A key was changed.
    Written {
        /// Its version now.
        version: u64,
        /// The millisecond from which no isolate acts on what was before.
        effective_by: u64,
    },
    /// The change was refused; nothing was changed.
    Conflict {
        /// Why.
        why: Conflict,
    },
    /// What was used, by hour.
    Usage {
        /// Hours with any use.
        hours: Vec<Hour>,
        /// When it was last used, in seconds.
        last_used: Option<u64>,
    },
    /// What has to be copied to KV now.
    Due {
        /// KV names with sealed values, for each its key and version.
        copies: Vec<Copy>,
    },
    /// There is no such workspace.
    Unopened,
    /// The call is of a version that this object does not know.
    Version {
        /// The newest it knows.
        newest: u8,
    },
    /// The call could not be read, or a row could not.
    Broken {
        /// For the log; holds no secret.
        why: String,
    },
}

/// Why a change was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// Another version is there.
    Version,
    /// A revoked key stays revoked.
    Revoked,
    /// The key is of another workspace.
    Workspace,
    /// No record that a gate would take.
    Invalid,
}

/// A row for KV.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// The key.
    pub kid: String,
    /// Its version.
    pub version: u64,
    /// The name in KV.
    pub name: String,
    /// The sealed record.
    pub value: String,
}

/// One hour of a key. Under leases the truth lies between the two numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    /// Hours since 1970.
    pub hour: u64,
    /// Requests admitted for certain.
    pub exact: u64,
    /// The same, with all that may have been admitted besides.
    pub at_most: u64,
    /// Coins of those admitted for certain.
    pub coins: u64,
    /// Denials by code.
    pub denied: BTreeMap<String, u64>,
}
