//! The bodies of answers.

mod policy;

pub use policy::POLICY;

use super::body::{MEMBER as MEMBER_ID, ROLE};
use super::schema::{Field, Kind, Object};

/// Whatever JSON.
pub const ANY: Object = Object { name: "Document", fields: &[] };

/// Whom a token speaks of.
pub const ME: Object = Object {
    name: "Me",
    fields: &[
        Field::required("subject", Kind::Form(&MEMBER_ID), "As members are named."),
        Field::required(
            "credential",
            Kind::Word(&["oauth", "session"]),
            "What the token counts as.",
        ),
        Field::required("scopes", WORDS, "The token's."),
        Field::required("expires", Kind::Time, "The token's end, as the gate sees it."),
    ],
};

/// A workspace.
pub const WORKSPACE: Object = Object {
    name: "Workspace",
    fields: &[
        Field::required("id", TEXT, "Its number."),
        Field::required("name", TEXT, "For people."),
        Field::required("role", ROLE, "Of the one who asks."),
        Field::required(
            "created",
            Kind::Optional(&Kind::Time),
            "null: before there was a record of it.",
        ),
        Field::required("keys", COUNT, "Keys that are not revoked and not expired."),
        Field::required("max_active_keys", COUNT, "How many there may be."),
        Field::required("limits", Kind::Optional(&LIMITS), "Shared by all keys."),
        Field::required("version", COUNT, "Rises with every change; the ETag."),
    ],
};

/// Workspaces.
pub const WORKSPACES: Object = Object {
    name: "Workspaces",
    fields: &[Field::required("workspaces", Kind::List(&Kind::Object(&WORKSPACE), 1000), "")],
};

/// A key.
pub const KEY: Object = Object { name: "Key", fields: &KEY_FIELDS };

/// A key with its secret.
pub const NEW_KEY: Object = Object {
    name: "KeyWithSecret",
    fields: &{
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v] = KEY_FIELDS;
        let secret = Field::new(
            "secret",
            TEXT,
            "The key itself, in this answer alone; absent from a repeated one.",
        );
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, secret, SIGNING_SECRET]
    },
};

/// A key that was changed.
pub const CHANGED_KEY: Object = Object {
    name: "ChangedKey",
    fields: &{
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v] = KEY_FIELDS;
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, SIGNING_SECRET]
    },
};

const SIGNING_SECRET: Field = Field::new(
    "signing_secret",
    TEXT,
    "By which its requests are signed; in the answer to the request that made it, once.",
);

const KEY_FIELDS: [Field; 22] = [
    Field::required("id", TEXT, "Its public name."),
    Field::required("name", TEXT, ""),
    Field::required("description", TEXT, ""),
    Field::required("type", TEXT, "personal, service, project or temporary."),
    Field::required("subject", Kind::Optional(&TEXT), "Whose it is, if it is personal."),
    Field::required("prefix", TEXT, "What its text begins with; empty for an imported key."),
    Field::required("created", Kind::Time, ""),
    Field::required("created_by", Kind::Optional(&TEXT), "null: not by this API."),
    Field::required("last_used", Kind::Optional(&Kind::Time), "As the Workspace knows it."),
    Field::required("not_before", Kind::Optional(&Kind::Time), ""),
    Field::required("expires", Kind::Optional(&Kind::Time), ""),
    Field::required("status", TEXT, "active, disabled, quarantined or revoked."),
    Field::required("scopes", WORDS, ""),
    Field::required("bindings", Kind::Optional(&ANY_OBJECT), ""),
    Field::required("ips", Kind::Optional(&WORDS), ""),
    Field::required("tier", Kind::Optional(&TEXT), ""),
    Field::required("limits", Kind::Optional(&LIMITS), ""),
    Field::required("signature", TEXT, "none, optional, required or only."),
    Field::required("signing", Kind::Optional(&Kind::Object(&SIGNING)), "null: never signed."),
    Field::required(
        "alerts",
        Kind::List(&COUNT, 10),
        "Per cents of its window's limit at which it is told of.",
    ),
    Field::required(
        "secrets",
        Kind::List(&Kind::Object(&SECRET), 32),
        "Those that may still work.",
    ),
    Field::required("version", COUNT, "Rises with every change; the ETag."),
];

const SECRET: Object = Object {
    name: "SecretState",
    fields: &[
        Field::required("generation", COUNT, "Rises with each rotation."),
        Field::required("root", COUNT, "The version of the root secret that made it."),
        Field::required(
            "expires",
            Kind::Optional(&Kind::Time),
            "The first second in which it works no more.",
        ),
        Field::required(
            "last_used",
            Kind::Optional(&Kind::Time),
            "Known of secrets that are being replaced.",
        ),
    ],
};

const SIGNING: Object = Object {
    name: "Signing",
    fields: &[
        Field::required("version", TEXT, "v1 or v2."),
        Field::required("hosts", WORDS, "Version v1: where signatures are accepted."),
        Field::required("nonce", Kind::Flag, "Version v1: whether X-Nonce is signed."),
        Field::required("debug_until", Kind::Optional(&Kind::Time), ""),
        Field::required(
            "secrets",
            Kind::List(&Kind::Object(&SIGNING_STATE), 32),
            "Those that may still sign.",
        ),
    ],
};

const SIGNING_STATE: Object = Object {
    name: "SigningSecretState",
    fields: &[
        Field::required("generation", COUNT, "Rises with each rotation."),
        Field::required("root", COUNT, "The version of the root secret that made it."),
        Field::required(
            "expires",
            Kind::Optional(&Kind::Time),
            "The first second in which it signs no more.",
        ),
    ],
};

/// Keys.
pub const KEYS: Object = Object {
    name: "Keys",
    fields: &[Field::required("keys", Kind::List(&Kind::Object(&KEY), 100), ""), NEXT],
};

/// What became of the rows of an import.
pub const IMPORTED: Object = Object {
    name: "Imported",
    fields: &[Field::required(
        "rows",
        Kind::List(&Kind::Object(&IMPORTED_ROW), 100),
        "In the order of the request.",
    )],
};

const IMPORTED_ROW: Object = Object {
    name: "ImportedRow",
    fields: &[
        Field::required("result", Kind::Word(&["created", "exists", "refused"]), ""),
        Field::new("id", TEXT, "The key."),
        Field::new("code", TEXT, "Of a row that is refused: the code of such an error."),
        Field::new("message", TEXT, "Why it was refused."),
    ],
};

/// A revocation.
pub const REVOKED: Object = Object {
    name: "Revoked",
    fields: &[
        Field::required("revoked", Kind::Flag, ""),
        Field::required("effective_by", Kind::Time, "No request sent after it is admitted."),
    ],
};

/// A changed status.
pub const CHANGED: Object = Object {
    name: "Changed",
    fields: &[
        Field::required("status", TEXT, ""),
        Field::required("effective_by", Kind::Time, "From then on it is so everywhere."),
    ],
};

/// A member.
pub const MEMBER: Object = Object {
    name: "Member",
    fields: &[
        Field::required("member", Kind::Form(&MEMBER_ID), ""),
        Field::required("role", ROLE, ""),
        Field::required("added", Kind::Time, ""),
        Field::required("added_by", TEXT, ""),
    ],
};

/// Members.
pub const MEMBERS: Object = Object {
    name: "Members",
    fields: &[Field::required("members", Kind::List(&Kind::Object(&MEMBER), 1000), "")],
};

/// An ended membership.
pub const REMOVED: Object = Object {
    name: "Removed",
    fields: &[
        Field::required("removed", Kind::Flag, ""),
        Field::required("revoked_keys", COUNT, "Personal keys that ended with it."),
        Field::required("effective_by", Kind::Time, "From then on they work nowhere."),
    ],
};

/// Changes.
pub const AUDIT: Object = Object {
    name: "Audit",
    fields: &[Field::required("entries", Kind::List(&Kind::Object(&ENTRY), 100), ""), NEXT],
};

const ENTRY: Object = Object {
    name: "AuditEntry",
    fields: &[
        Field::required("sequence", COUNT, "From 1 on, without gaps."),
        Field::required("time", Kind::Time, ""),
        Field::required("actor", TEXT, ""),
        Field::required("address", TEXT, "The client's; empty if unknown."),
        Field::required("request_id", TEXT, ""),
        Field::required("action", TEXT, ""),
        Field::required("target", TEXT, "What was changed."),
        Field::required(
            "changes",
            ANY_OBJECT,
            "Fields: what they were and what they are. Never a secret.",
        ),
        Field::required(
            "hash",
            TEXT,
            "HMAC-SHA-256 over the entry and the hash before it, in hex.",
        ),
    ],
};

/// Whether the chain holds.
pub const CHAIN: Object = Object {
    name: "Chain",
    fields: &[
        Field::required("intact", Kind::Flag, ""),
        Field::required("entries", COUNT, "That were checked."),
        Field::required("broken_at", Kind::Optional(&COUNT), "The first entry that does not fit."),
        Field::required("next", Kind::Optional(&COUNT), "Where to go on; null: that was the end."),
    ],
};

/// Use by the hour.
pub const USAGE: Object = Object {
    name: "Usage",
    fields: &[
        Field::required("hours", Kind::List(&Kind::Object(&HOUR), 800), "Hours with any use."),
        Field::required("last_used", Kind::Optional(&Kind::Time), ""),
    ],
};

/// Use of a whole workspace.
pub const WORKSPACE_USAGE: Object = Object {
    name: "WorkspaceUsage",
    fields: &[
        Field::required("hours", Kind::List(&Kind::Object(&HOUR), 800), "Hours with any use."),
        Field::required("last_used", Kind::Optional(&Kind::Time), ""),
        Field::required(
            "keys_left_out",
            COUNT,
            "Keys whose use is not among the hours, because there are more than one answer sums up: ask for \
             fewer hours.",
        ),
        Field::required(
            "budgets",
            Kind::List(&Kind::Object(&BUDGET), 1000),
            "That of the workspace, then those of products.",
        ),
    ],
};

const BUDGET: Object = Object {
    name: "Budget",
    fields: &[
        Field::required(
            "product",
            Kind::Optional(&TEXT),
            "Whose it is; null: of the workspace over all products.",
        ),
        Field::required("coins", COUNT, "Coins of a period."),
        Field::required(
            "period",
            Kind::Word(&["day", "week", "month"]),
            "Of the calendar, in UTC.",
        ),
        Field::required("start", Kind::Time, "When the present period began."),
        Field::required("reset", Kind::Time, "When all coins are there again."),
        Field::required("used", COUNT, "Coins taken, those that are lent to gates among them."),
        Field::required("left", COUNT, "Coins that may still be taken."),
        Field::required(
            "forecast",
            Kind::Optional(&COUNT),
            "What will have been used at the reset if it goes on as since the start: used / time gone × \
             length; null in the first hundredth of a period.",
        ),
    ],
};

const HOUR: Object = Object {
    name: "Hour",
    fields: &[
        Field::required("hour", Kind::Time, "Its beginning."),
        Field::required("exact", COUNT, "Requests admitted for certain."),
        Field::required("at_most", COUNT, "With those that leases may have admitted besides."),
        Field::required("coins", COUNT, "Of those admitted for certain."),
        Field::required(
            "products",
            ANY_OBJECT,
            "What of them was for a product, by its name: `requests` and `coins`.",
        ),
        Field::required("denied", ANY_OBJECT, "Denials by code."),
        Field::required(
            "would_deny",
            ANY_OBJECT,
            "What was admitted and limits or rules on trial would have denied, by code.",
        ),
    ],
};

/// What became of a text that a secret scanner has found.
pub const LEAK: Object = Object {
    name: "JudgedSecret",
    fields: &[
        Field::required("token_hash", TEXT, "SHA-256 of the text, in base64."),
        Field::required("token_type", TEXT, "As the scanner named it."),
        Field::required(
            "label",
            Kind::Word(&["true_positive", "false_positive"]),
            "Whether it is a key, or was one that is no longer live.",
        ),
    ],
};

/// Requests that were refused.
pub const DENIALS: Object = Object {
    name: "Denials",
    fields: &[Field::required("denials", Kind::List(&Kind::Object(&REFUSED), 128), "")],
};

const REFUSED: Object = Object {
    name: "RefusedRequest",
    fields: &[
        Field::required("request_id", TEXT, ""),
        Field::required("time", Kind::Time, ""),
        Field::required("kid", TEXT, "The key."),
        Field::required("method", TEXT, ""),
        Field::required("path", TEXT, "The route's pattern."),
        Field::required("code", TEXT, "As it was answered."),
        Field::required("address", TEXT, "The client's; empty if unknown."),
        Field::required(
            "detail",
            TEXT,
            "The scope that is needed, the parameter that is bound, by whose limit and for how many seconds; \
             or empty.",
        ),
    ],
};

/// By what a request was refused.
pub const DENIAL: Object = Object {
    name: "DenialDetails",
    fields: &[
        Field::required("request_id", TEXT, ""),
        Field::required("time", Kind::Time, ""),
        Field::required("kid", TEXT, "The key."),
        Field::required("method", TEXT, ""),
        Field::required("path", TEXT, "The route's pattern."),
        Field::required("code", TEXT, "As it was answered."),
        Field::required("check", TEXT, "The check that refused it."),
        Field::required(
            "checks",
            Kind::List(&Kind::Object(&CHECK), 20),
            "In their order, from the route on.",
        ),
        Field::required("address", TEXT, "The client's; empty if unknown."),
        Field::required("scope", Kind::Optional(&TEXT), "PERMISSION_DENIED: what is needed."),
        Field::required("parameter", Kind::Optional(&TEXT), "WRONG_RESOURCE: what is bound."),
        Field::required("body_limit", Kind::Optional(&COUNT), "BODY_TOO_LARGE: bytes."),
        Field::required(
            "limited_by",
            Kind::Optional(&TEXT),
            "RATE_LIMITED, BUDGET_EXHAUSTED: key, workspace, product, budget or product-budget.",
        ),
        Field::required("retry_after", Kind::Optional(&COUNT), "The same: seconds."),
        Field::required("cost", Kind::Optional(&COUNT), "Coins that the request costs."),
        Field::required(
            "budget",
            Kind::Optional(&Kind::Object(&BUDGET)),
            "BUDGET_EXHAUSTED: as it is now.",
        ),
        Field::required("key_version", COUNT, "Of the key, as the request was judged by it."),
        Field::required("key", Kind::Object(&JUDGED_KEY), "The key as it is now."),
    ],
};

const CHECK: Object = Object {
    name: "Check",
    fields: &[
        Field::required("check", TEXT, ""),
        Field::required("verdict", Kind::Word(&["passed", "refused", "not reached"]), ""),
        Field::required(
            "detail",
            Kind::Optional(&TEXT),
            "What it was about; null too if the key was changed since.",
        ),
    ],
};

const JUDGED_KEY: Object = Object {
    name: "JudgedKey",
    fields: &[
        Field::required("version", COUNT, "If another than key_version, it was changed since."),
        Field::required("status", TEXT, ""),
        Field::required("scopes", WORDS, ""),
        Field::required("ips", Kind::Optional(&WORDS), ""),
        Field::required("bindings", ANY_OBJECT, ""),
        Field::required("expires", Kind::Optional(&Kind::Time), ""),
    ],
};

/// At which parts of its limit a key is told of.
pub const KEY_ALERTS: Object = Object {
    name: "KeyAlerts",
    fields: &[Field::required(
        "thresholds",
        Kind::List(&COUNT, 10),
        "Per cents of the window's limit, in rising order.",
    )],
};

/// Where alerts go, and what became of them.
pub const WEBHOOK: Object = Object {
    name: "Webhook",
    fields: &{
        let [a, b, c, d, e] = WEBHOOK_FIELDS;
        let deliveries = Field::required(
            "deliveries",
            Kind::List(&Kind::Object(&DELIVERY), 20),
            "The last 20 attempts, the newest first.",
        );
        let waiting = Field::required(
            "waiting",
            COUNT,
            "Alerts that are not delivered yet; counted up to 1000.",
        );
        [a, b, c, d, e, deliveries, waiting]
    },
};

/// The same when it is set.
pub const PUT_WEBHOOK: Object = Object {
    name: "WebhookWithSecret",
    fields: &{
        let [a, b, c, d, e] = WEBHOOK_FIELDS;
        let secret = Field::new(
            "secret",
            TEXT,
            "By which alerts are signed; in the answer to the request that made it, once.",
        );
        [a, b, c, d, e, secret]
    },
};

const WEBHOOK_FIELDS: [Field; 5] = [
    Field::required("url", TEXT, ""),
    Field::required("events", WORDS, ""),
    Field::required(
        "disabled",
        Kind::Optional(&TEXT),
        "Why nothing is sent: admin, or gone (the receiver answered 410); null: it is.",
    ),
    Field::required("secrets", Kind::List(&Kind::Object(&HOOK_SECRET), 5), "Those that sign."),
    Field::required("version", COUNT, "Rises with every change; the ETag."),
];

const HOOK_SECRET: Object = Object {
    name: "WebhookSecretState",
    fields: &[
        Field::required("generation", COUNT, "Rises with each rotation."),
        Field::required(
            "expires",
            Kind::Optional(&Kind::Time),
            "The first second in which it signs no more.",
        ),
    ],
};

const DELIVERY: Object = Object {
    name: "Delivery",
    fields: &[
        Field::required("id", TEXT, "The alert: `webhook-id`."),
        Field::required("type", TEXT, ""),
        Field::required("time", Kind::Time, "When the attempt was over."),
        Field::required("attempt", COUNT, "From 1 on."),
        Field::required("status", Kind::Optional(&COUNT), "The answer's; null: there was none."),
        Field::required(
            "next",
            Kind::Optional(&Kind::Time),
            "When it is tried again; null: it was taken.",
        ),
    ],
};

/// A webhook that was ended.
pub const REMOVED_WEBHOOK: Object =
    Object { name: "RemovedWebhook", fields: &[Field::required("removed", Kind::Flag, "")] };

const NEXT: Field = Field::required(
    "next",
    Kind::Optional(&TEXT),
    "The cursor of the next page; null: this is the last.",
);
const TEXT: Kind = Kind::Text(0, 1000);
const WORDS: Kind = Kind::List(&TEXT, 1000);
const COUNT: Kind = Kind::Number(0, 9_007_199_254_740_991);
const ANY_OBJECT: Kind = Kind::Object(&ANY);
const LIMITS: Kind = Kind::Object(&Object {
    name: "LimitsInForce",
    fields: &[
        Field::required("requests", COUNT, "Requests in a window."),
        Field::required("window_seconds", COUNT, "Its length."),
        Field::required("burst", COUNT, "Requests at once."),
    ],
});
