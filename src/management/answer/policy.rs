//! The body of the answer that tells the policy.

use super::{COUNT, LIMITS, TEXT, WORDS};
use crate::management::schema::{Field, Kind, Object};

/// What the policy says to the members of a workspace; names are those of `policy.toml`.
pub const POLICY: Object = Object {
    name: "Policy",
    fields: &[
        Field::required("hosts", WORDS, "The gated hosts."),
        Field::required("admin_host", TEXT, "The host of this API."),
        Field::required("usage_path", Kind::Optional(&TEXT), "Where keys read their own use."),
        Field::required(
            "lease_seconds",
            COUNT,
            "How long a revocation takes in mode lease, at most.",
        ),
        Field::required("key_prefix", TEXT, "What new keys begin with."),
        Field::required("temporary_max_days", COUNT, "How long a temporary key may last."),
        Field::required("default_scopes", Kind::Optional(&WORDS), "Of a key if nobody says."),
        Field::required("imports", Kind::Flag, "Whether keys of elsewhere may be imported."),
        Field::required("people", Kind::List(&Kind::Object(&PEOPLE), 100), "Whose tokens count."),
        Field::required("tiers", Kind::List(&Kind::Object(&TIER), 1000), ""),
        Field::required("products", Kind::List(&Kind::Object(&PRODUCT), 1000), ""),
        Field::required("routes", Kind::List(&Kind::Object(&ROUTE), 10_000), ""),
        Field::required("workspace", Kind::Object(&WORKSPACE_RULES), "What holds in this one."),
    ],
};

const PEOPLE: Object = Object {
    name: "People",
    fields: &[
        Field::required("name", TEXT, "What their ids begin with."),
        Field::required("credential", TEXT, "session or oauth."),
        Field::required(
            "header",
            Kind::Optional(&TEXT),
            "Where tokens come besides Authorization.",
        ),
        Field::required("names_workspace", Kind::Flag, "Whether a token says for which it is."),
    ],
};

const TIER: Object = Object {
    name: "Tier",
    fields: &[Field::required("name", TEXT, ""), Field::required("limits", LIMITS, "")],
};

const PRODUCT: Object = Object {
    name: "Product",
    fields: &[
        Field::required("name", TEXT, ""),
        Field::required("hosts", WORDS, "Where its routes answer."),
        Field::required("limits", Kind::Optional(&LIMITS), "Shared by a workspace's keys."),
        Field::required("budget", Kind::Optional(&BUDGET_RULE), "Of each workspace."),
    ],
};

const ROUTE: Object = Object {
    name: "Route",
    fields: &[
        Field::required("methods", WORDS, ""),
        Field::required("path", TEXT, "Its pattern."),
        Field::required("hosts", WORDS, ""),
        Field::required("product", Kind::Optional(&TEXT), ""),
        Field::required("credentials", WORDS, "key, session, oauth or public."),
        Field::required("scope", Kind::Optional(&TEXT), "null: none is needed."),
        Field::required("bindings", WORDS, "Parameters that its origin enforces."),
        Field::required("subject", Kind::Optional(&TEXT), "The parameter that names the caller."),
        Field::required(
            "signature",
            Kind::Optional(&TEXT),
            "required: keys have to sign; null: as their records say.",
        ),
        Field::required("ips", Kind::Optional(&WORDS), "null: any."),
        Field::required("cors", Kind::Optional(&WORDS), "Whose pages may call it."),
        Field::required("mode", Kind::Optional(&TEXT), "null: as the workspace's."),
        Field::required("cost", COUNT, "Coins."),
        Field::required("settle", Kind::Optional(&TEXT), "The header that says what was spent."),
        Field::required("body_limit", Kind::Optional(&COUNT), "Bytes; null: none of its own."),
        Field::required("allow", WORDS, "What a target may have here alone."),
        Field::required("upgrade", Kind::Flag, "Whether Upgrade is allowed."),
        Field::required(
            "plain_query",
            Kind::Flag,
            "Whether URL parsers must leave the query as is.",
        ),
        Field::required("shadow", Kind::Optional(&SHADOW), "On trial; null: nothing is."),
    ],
};

const SHADOW: Kind = Kind::Object(&Object {
    name: "Shadow",
    fields: &[
        Field::required("scope", Kind::Optional(&TEXT), ""),
        Field::required("ips", Kind::Optional(&WORDS), ""),
    ],
});

const WORKSPACE_RULES: Object = Object {
    name: "WorkspaceRules",
    fields: &[
        Field::required("mode", TEXT, ""),
        Field::required("limits", Kind::Optional(&LIMITS), "The most that its keys may share."),
        Field::required("budget", Kind::Optional(&BUDGET_RULE), ""),
        Field::required("on_workspace_down", TEXT, ""),
    ],
};

const BUDGET_RULE: Kind = Kind::Object(&Object {
    name: "BudgetRule",
    fields: &[Field::required("coins", COUNT, ""), Field::required("period", TEXT, "")],
});
