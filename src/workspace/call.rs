//! What a Workspace is asked and what it answers.
//!
//! Of one version fields are only added, and only ones that a reader may ignore; anything else is a
//! new version. `text.rs` says how they are written.

use crate::lease::{CallId, Granted, Refused, Report};
use crate::record::{Document, Status};

/// The version of calls and answers.
pub const VERSION: u8 = 1;
/// The version of a call for a request that may be admitted once only: whoever does not know it must not
/// answer as if nothing were asked but leave.
pub const ONCE_VERSION: u8 = 2;
/// The version of a call for requests of one product and price: whoever does not know it would admit them
/// past the product's limits and the budgets.
pub const POOL_VERSION: u8 = 3;

/// A call.
#[derive(Clone, Debug)]
pub enum Call {
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
        /// Of its leases, and besides.
        told: Told,
    },
    /// What a request has cost after all.
    Settle {
        /// The call by which it was admitted.
        id: CallId,
        /// Its key.
        kid: String,
        /// What it has cost; of no account if that is not less than was reserved.
        coins: u32,
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
    /// What the management API asks of a workspace.
    Manage(Box<Manage>),
    /// What was copied.
    Copied {
        /// Keys and the versions that KV holds now.
        copies: Vec<(String, u64)>,
        /// Whether any other copy failed.
        failed: bool,
    },
    /// Which alerts are to be sent now.
    Alerts {
        /// How many are being sent.
        sending: u32,
    },
    /// What was answered to alerts that were sent.
    Sent {
        /// By [`Post::name`], a status each; 0: nothing.
        answers: Vec<(String, u16)>,
    },
}

/// Leave to admit requests of a key: all of the limits together or none.
#[derive(Clone, Debug)]
pub struct Admit {
    /// The call's name: the same name gets the same answer.
    pub id: CallId,
    /// The key.
    pub kid: String,
    /// The version of the record by which the caller verified the request.
    pub version: u64,
    /// Coins of the request that waits; 0 if none does.
    pub coins: u32,
    /// If a product or a budget may have a say: what the requests are for.
    pub pool: Option<Pool>,
    /// Requests wanted, the one that asks among them; 1 in mode `strict`.
    pub want: u32,
    /// Whether no request waits for the answer: it is asked ahead of need.
    pub ahead: bool,
    /// How long the caller may keep what it does not spend at once, in milliseconds.
    pub millis: u64,
    /// What became of earlier leases, and besides.
    pub told: Told,
    /// If the request may be admitted once only: what tells it from any other.
    pub once: Option<Once>,
    /// Whether its coins may turn out to be fewer. Whoever does not know it keeps them all.
    pub settle: bool,
}

/// What an isolate tells of a key since the last call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What became of leases.
    pub reports: Vec<Report>,
    /// Denials by code.
    pub denied: Vec<(String, u32)>,
    /// Requests that were admitted and that rules on trial would have denied, by the code of that.
    pub would_deny: Vec<(String, u32)>,
    /// Secrets that are being replaced: generation, and the second in which it was last used.
    pub replaced: Vec<(u8, u64)>,
    /// By what requests were refused; see [`Incident`](crate::incident::Incident).
    pub incidents: Vec<String>,
}

/// What all requests are for that a lease of its kind may be spent by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The product, by its name in the policy.
    pub product: Option<String>,
    /// Coins of each request.
    pub cost: u32,
}

/// What tells one signed request from any other of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Once {
    /// A hash of its nonce or signature.
    pub mark: [u8; 16],
    /// Until which second it has to be remembered; told by what is signed.
    pub until: u64,
}

impl Admit {
    /// Tokens that are spent by the answer itself.
    pub(crate) fn at_once(&self) -> u32 {
        u32::from(!self.ahead)
    }

    /// Their coins.
    pub(crate) fn spent_coins(&self) -> u64 {
        if self.ahead { 0 } else { self.cost().into() }
    }

    /// Coins of each request, as far as it is known.
    pub(crate) fn cost(&self) -> u32 {
        self.pool.as_ref().map_or(self.coins, |pool| pool.cost)
    }

    /// The product that they are for.
    pub(crate) fn product(&self) -> Option<&str> {
        self.pool.as_ref()?.product.as_deref()
    }
}

/// A request of the management API, its token verified.
#[derive(Clone, Default)]
pub struct Manage {
    /// Who asks: a member id.
    pub actor: String,
    /// The scopes of an OAuth token, which bound what its bearer may grant; `None` for a session.
    pub scopes: Option<Vec<String>>,
    /// The workspace's number.
    pub workspace: String,
    /// The client's address, as audit entries tell it.
    pub address: String,
    /// The request's id.
    pub request_id: String,
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub target: String,
    /// The version it is about (`If-Match`).
    pub version: Option<u64>,
    /// Of `Idempotency-Key`, 64 hexadecimal digits.
    pub once: Option<String>,
    /// 32 fresh random bytes.
    pub entropy: [u8; 32],
    /// Its body.
    pub body: String,
}

impl core::fmt::Debug for Manage {
    /// Without the entropy, of which a secret is made, and the body.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { actor, method, target, .. } = self;
        write!(f, "Manage({actor} {method} {target} ..)")
    }
}

/// The actor of what reports of leaks change, which no member can be. Its [`Manage`] has a body of its
/// own: `kid`, and `leak` for the audit log.
pub const SCANNER: &str = "secret-scanner";

/// What a request of the management API is answered with.
#[derive(Clone, PartialEq, Eq)]
pub struct Managed {
    /// HTTP status.
    pub status: u16,
    /// The version of what it is about (`ETag`).
    pub version: Option<u64>,
    /// The millisecond from which no isolate acts on what was before.
    pub effective_by: Option<u64>,
    /// Whether it was done before, under the same `Idempotency-Key`.
    pub repeated: bool,
    /// Of a membership: the number of the change by which it stands so. The member's Directory is
    /// to be told.
    pub noted: Option<u64>,
    /// JSON: the body, or a [`Problem`](crate::management::problem::Problem).
    pub body: String,
}

impl core::fmt::Debug for Managed {
    /// Without the body: a secret may be in it.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Managed({} ..)", self.status)
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
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
    /// No leave: such a request was admitted before. Nothing was taken.
    Replayed,
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
    /// What came of a request of the management API.
    Managed(Managed),
    /// What has to be copied to KV now.
    Due {
        /// KV names with sealed values, for each its key and version.
        copies: Vec<Copy>,
    },
    /// What is to be sent now.
    Alerts {
        /// Where to.
        url: String,
        /// An alert each.
        posts: Vec<Post>,
    },
    /// There is no such workspace.
    Unopened,
    /// The call is of a version that this object does not know.
    Version {
        /// The newest it knows.
        newest: u8,
    },
    /// The call could not be read, or a row could not: this one.
    Broken {
        /// Its name, empty if it is the call.
        row: String,
    },
}

/// Why a change was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The key, or the name of the row that points to an imported one.
    pub kid: String,
    /// Its version.
    pub version: u64,
    /// The name in KV.
    pub name: String,
    /// The sealed record.
    pub value: String,
}

/// An alert that is to be sent (Standard Webhooks 1.0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// By which [`Call::Sent`] tells of it.
    pub name: String,
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`, in Unix seconds.
    pub timestamp: u64,
    /// `webhook-signature`.
    pub signatures: String,
    /// The body: JSON.
    pub payload: String,
}

/// One hour of a key. Under leases the truth lies between the two numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hour {
    /// Hours since 1970.
    pub hour: u64,
    /// Requests admitted for certain.
    pub exact: u64,
    /// The same, with all that may have been admitted besides.
    pub at_most: u64,
    /// Coins of those admitted for certain.
    pub coins: u64,
    /// What of them was for products.
    pub products: Vec<Share>,
    /// Denials by code.
    pub denied: Vec<(String, u64)>,
    /// What rules on trial would have denied, by code.
    pub would_deny: Vec<(String, u64)>,
}

/// What of an hour was for one product; admitted for certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its name.
    pub product: String,
    /// Requests.
    pub requests: u64,
    /// Their coins.
    pub coins: u64,
}

impl Share {
    /// Adds it to that of the same product, which is made if there are fewer than `most`.
    pub(super) fn add_to(&self, shares: &mut Vec<Self>, most: usize) {
        if let Some(share) = shares.iter_mut().find(|own| own.product == self.product) {
            share.requests = share.requests.saturating_add(self.requests);
            share.coins = share.coins.saturating_add(self.coins);
        } else if shares.len() < most {
            shares.push(self.clone());
        }
    }
}

impl Hour {
    /// Adds another key's use in the same hour.
    pub(super) fn add(&mut self, other: &Self) {
        self.exact = self.exact.saturating_add(other.exact);
        self.at_most = self.at_most.saturating_add(other.at_most);
        self.coins = self.coins.saturating_add(other.coins);
        for share in &other.products {
            share.add_to(&mut self.products, usize::MAX);
        }
        let counts = [(&mut self.denied, &other.denied), (&mut self.would_deny, &other.would_deny)];
        for (own, more) in counts {
            for (code, count) in more {
                match own.iter_mut().find(|(known, _)| known == code) {
                    Some((_, sum)) => *sum = sum.saturating_add(*count),
                    None => own.push((code.clone(), *count)),
                }
            }
        }
    }

    /// Denials with this code.
    #[must_use]
    pub fn denied(&self, code: &str) -> u64 {
        let counts = self.denied.iter().filter(|(own, _)| own == code);
        counts.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

impl Conflict {
    pub(super) const ALL: [Self; 4] =
        [Self::Version, Self::Revoked, Self::Workspace, Self::Invalid];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Revoked => "revoked",
            Self::Workspace => "workspace",
            Self::Invalid => "invalid",
        }
    }
}
