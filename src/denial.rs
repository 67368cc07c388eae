//! Why a request is not forwarded: many reasons inside, few words outside.
//!
//! A [`Denial`] is the request's fault, a [`Fault`] ours. The two functions that
//! put them on the wire have no wildcard arm: a new reason does not compile
//! until somebody has said what a client may learn of it.

use crate::lease::Scope as LimitScope;
use crate::ratelimit::RateLimit;
use crate::route::Methods;
use crate::scope::Scope;
use crate::signature::Part;
use crate::target::BadTarget;
use crate::ticket::Body;

/// The request is refused.
#[derive(Clone, Debug)]
pub enum Denial {
    /// The adapter's text could not be read as a request.
    Unreadable,
    /// The request target is not in the one accepted spelling.
    Target(BadTarget),
    /// The query has a character that an upstream named by URL would rewrite.
    QueryForUrl,
    /// The host is not one of the policy's.
    UnknownHost,
    /// The method is none that the gate forwards.
    UnknownMethod,
    /// More than one credential.
    Ambiguous,
    /// A native key stands in the target.
    KeyInUrl,
    /// A page that may not call what it asks for.
    Page,
    /// No route of the policy has this path.
    UnknownRoute,
    /// Nothing of this name on the admin host.
    NotFound,
    /// The path is known, the method is not.
    Method(Methods),
    /// `Upgrade` on a route that does not take it.
    Upgrade,
    /// `Content-Length` is not one number.
    ContentLength,
    /// The client's address is not among the route's.
    Network,
    /// No credential of ours.
    Missing,
    /// The credential proves nothing.
    Invalid(Invalid),
    /// A token that is not believed, or of a kind that the route does not take.
    Token,
    /// A key, where only tokens are taken.
    KeyNotAllowed,
    /// A signature that does not hold.
    Signature,
    /// The same, with what it ought to cover: the key's owner asked for it.
    Differs(Vec<Part>),
    /// The signature was made too long ago, or ahead of our clock.
    StaleTimestamp {
        /// The second it is here.
        now: u64,
    },
    /// A body that has to be read did not arrive.
    BodyLate,
    /// A signed body with a method that has none.
    SignedBody,
    /// The body is not the one whose digest is signed.
    Digest,
    /// The signed request was forwarded before.
    Replayed,
    /// The key must be used with a signature.
    SignatureRequired,
    /// The key is revoked.
    Revoked,
    /// The key is disabled.
    Disabled,
    /// The key is held back on suspicion.
    Quarantined,
    /// The key, or the secret of it that was used, has expired.
    Expired,
    /// The key is not valid yet.
    NotYetValid,
    /// The client's address is not among the key's.
    Address,
    /// The key, or OAuth token, lacks the route's scope.
    Scope(Scope),
    /// The key is bound to other values of this parameter.
    Binding(String),
    /// The path names somebody else in this parameter.
    Subject(String),
    /// A personal key, where nobody holds it to what is its subject's.
    Personal,
    /// The declared body is larger than the route takes.
    BodyTooLarge(u64),
    /// A body of undeclared length, on a route with a limit.
    BodyUndeclared,
    /// Too many requests.
    RateLimited(Wait),
    /// Fewer coins are left than the request costs.
    Budget(Wait),
}

/// When to come again, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Seconds, at least 1.
    pub seconds: u64,
    /// What is left, where a total is kept.
    pub rate: Option<Box<RateLimit>>,
    /// Whose limit or budget it is.
    pub by: LimitScope,
}

/// Why a credential proves nothing. One answer for all of them, byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// No text that could be a key.
    Malformed,
    /// Never minted here: a tag is wrong.
    Forged,
    /// No such key.
    Unknown,
    /// The key exists, with another prefix.
    Prefix,
    /// The key exists, with another secret.
    Secret,
}

/// The gate could not decide, or could not deliver what it had decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The deployment is not fit to decide: root secret, fingerprint, keys, clock.
    Unfit,
    /// KV did not answer, or not in time.
    KvUnavailable,
    /// KV or the Workspace answered with a record that may not be used.
    RecordUnusable,
    /// The Workspace did not answer, or not in time.
    WorkspaceUnavailable,
    /// The keys of a token's issuer are not to be had.
    IssuerUnavailable,
    /// The origin did not answer in time.
    OriginTimeout,
    /// The origin could not be reached or closed before it answered.
    OriginUnreachable,
    /// Too many bodies are in memory.
    NoRoom,
    /// A defect of the gate.
    Internal,
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// `WWW-Authenticate` (RFC 6750 §3).
    pub challenge: Option<String>,
    /// `Allow`.
    pub allow: Option<String>,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u64>,
    /// What is left of a limit.
    pub rate: Option<Box<RateLimit>>,
    /// What a signature ought to cover.
    pub signed: Vec<Part>,
    /// Our clock, in Unix seconds.
    pub server_time: Option<u64>,
}

impl Denial {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.wire().code
    }

    /// The answer to a refused request.
    #[must_use]
    pub fn wire(&self) -> Wire {
        match self {
            Self::Unreadable => wire(400, "BAD_REQUEST", "The request cannot be read."),
            Self::Target(reason) => wire(400, "BAD_TARGET", reason.to_string()),
            Self::QueryForUrl => wire(
                400,
                "BAD_TARGET",
                "Encode \", ', < and > in the query: this route forwards by URL.",
            ),
            Self::UnknownHost => wire(421, "UNKNOWN_HOST", "This host is not served here."),
            Self::UnknownMethod => Wire {
                allow: Some(Methods::ALL.to_string()),
                ..wire(405, "METHOD_NOT_ALLOWED", "This method is not forwarded.")
            },
            Self::Ambiguous => {
                wire(400, "AMBIGUOUS_CREDENTIALS", "Send exactly one credential, once.")
            }
            Self::KeyInUrl => wire(
                400,
                "KEY_IN_URL",
                "An API key must not be in a URL, where it is logged. Send it in a header and rotate it.",
            ),
            Self::Page => wire(403, "CROSS_SITE", "Pages of this origin may not call this."),
            Self::UnknownRoute => wire(404, "UNKNOWN_ROUTE", "No route has this path."),
            Self::NotFound => wire(404, "NOT_FOUND", "There is nothing here."),
            Self::Method(methods) => Wire {
                allow: Some(methods.to_string()),
                ..wire(405, "METHOD_NOT_ALLOWED", "This path does not take this method.")
            },
            Self::Upgrade => wire(400, "BAD_REQUEST", "This route does not take Upgrade."),
            Self::ContentLength => wire(400, "BAD_REQUEST", "Content-Length must be one number."),
            Self::Network => {
                wire(403, "IP_NOT_ALLOWED", "This route may not be used from this address.")
            }
            Self::Missing => Wire {
                challenge: Some(REALM.to_owned()),
                ..wire(
                    401,
                    "MISSING_API_KEY",
                    "Send a credential as `Authorization: Bearer`, or an API key as `X-API-Key`.",
                )
            },
            Self::Invalid(_) => bad("INVALID_API_KEY", "The API key is invalid."),
            Self::Token => {
                bad("INVALID_TOKEN", "The token is invalid, or of a kind that is not taken here.")
            }
            Self::Signature => bad("INVALID_SIGNATURE", "The signature is invalid."),
            Self::Differs(parts) => Wire { signed: parts.clone(), ..Self::Signature.wire() },
            Self::StaleTimestamp { now } => Wire {
                server_time: Some(*now),
                ..bad(
                    "STALE_TIMESTAMP",
                    "The signature is too old, or ahead of our clock: see `server_time`.",
                )
            },
            Self::BodyLate => {
                let seconds = Body::SECONDS;
                let message = format!("The body did not arrive whole within {seconds} seconds.");
                wire(400, "BAD_REQUEST", message)
            }
            Self::SignedBody => {
                wire(400, "BAD_REQUEST", "A signed GET or HEAD cannot be forwarded with a body.")
            }
            Self::Digest => bad("DIGEST_MISMATCH", "The body is not the one that is signed."),
            Self::Replayed => bad(
                "REPLAYED_REQUEST",
                "This signed request was forwarded before. Sign again a second later, or with another nonce.",
            ),
            Self::SignatureRequired => bad("SIGNATURE_REQUIRED", "This request must be signed."),
            Self::Revoked => bad("REVOKED_API_KEY", "The API key has been revoked."),
            Self::Disabled => bad("DISABLED_API_KEY", "The API key is disabled."),
            Self::Expired => bad("EXPIRED_API_KEY", "The API key has expired."),
            Self::NotYetValid => bad("KEY_NOT_YET_VALID", "The API key is not valid yet."),
            Self::Quarantined => {
                wire(403, "KEY_QUARANTINED", "The API key is held back; ask its owner.")
            }
            Self::KeyNotAllowed => {
                wire(403, "API_KEY_NOT_ALLOWED", "This route does not take API keys.")
            }
            Self::Address => {
                wire(403, "IP_NOT_ALLOWED", "The API key may not be used from this address.")
            }
            Self::Scope(scope) => Wire {
                challenge: Some(format!(
                    "{REALM}, error=\"insufficient_scope\", scope=\"{scope}\""
                )),
                ..wire(
                    403,
                    "PERMISSION_DENIED",
                    format!("The credential lacks the scope `{scope}`."),
                )
            },
            Self::Binding(parameter) => wire(
                403,
                "WRONG_RESOURCE",
                format!("The API key is bound to another `{parameter}`."),
            ),
            Self::Subject(parameter) => {
                wire(403, "WRONG_RESOURCE", format!("`{parameter}` is not the caller's own."))
            }
            Self::Personal => wire(
                403,
                "WRONG_RESOURCE",
                "This route takes no personal API key: it does not say whose its resources are.",
            ),
            Self::BodyTooLarge(limit) => wire(
                413,
                "BODY_TOO_LARGE",
                format!("The body is larger than the {limit} bytes taken here."),
            ),
            Self::BodyUndeclared => wire(
                413,
                "BODY_TOO_LARGE",
                "This route limits bodies: declare the length with Content-Length.",
            ),
            Self::RateLimited(Wait { seconds, by, rate }) => Wire {
                retry_after: Some(*seconds),
                rate: rate.clone(),
                ..wire(
                    429,
                    "RATE_LIMITED",
                    match by {
                        LimitScope::Key => "Too many requests with this API key.",
                        LimitScope::Product | LimitScope::ProductBudget => {
                            "Too many requests of this workspace to this product."
                        }
                        LimitScope::Workspace | LimitScope::WorkspaceBudget => {
                            "Too many requests of this workspace."
                        }
                    },
                )
            },
            Self::Budget(Wait { seconds, by, rate }) => Wire {
                retry_after: Some(*seconds),
                rate: rate.clone(),
                ..wire(
                    429,
                    "BUDGET_EXHAUSTED",
                    if *by == LimitScope::ProductBudget {
                        "The budget of this workspace for this product has fewer coins left than this request costs."
                    } else {
                        "The budget of this workspace has fewer coins left than this request costs."
                    },
                )
            },
        }
    }
}

impl Fault {
    /// The answer to a request we failed. `jitter` (any byte) spreads the retries.
    #[must_use]
    pub fn wire(self, jitter: u8) -> Wire {
        match self {
            Self::Unfit
            | Self::KvUnavailable
            | Self::RecordUnusable
            | Self::WorkspaceUnavailable
            | Self::IssuerUnavailable
            | Self::NoRoom => Wire {
                retry_after: Some(u64::from(jitter % 3).saturating_add(1)),
                ..wire(503, "AUTH_UNAVAILABLE", "The request cannot be authorised at present.")
            },
            Self::OriginTimeout => {
                wire(504, "ORIGIN_TIMEOUT", "The origin did not answer in time.")
            }
            Self::OriginUnreachable => {
                wire(502, "ORIGIN_UNREACHABLE", "The origin could not be reached.")
            }
            Self::Internal => wire(500, "INTERNAL", "The gate failed."),
        }
    }
}

fn wire(status: u16, code: &'static str, message: impl Into<String>) -> Wire {
    Wire {
        status,
        code,
        message: message.into(),
        challenge: None,
        allow: None,
        retry_after: None,
        rate: None,
        signed: Vec::new(),
        server_time: None,
    }
}

/// A credential was sent and is no good.
fn bad(code: &'static str, message: &'static str) -> Wire {
    Wire {
        challenge: Some(format!("{REALM}, error=\"invalid_token\"")),
        ..wire(401, code, message)
    }
}

const REALM: &str = "Bearer realm=\"portcullis\"";
