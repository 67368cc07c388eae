//! The bodies of requests and answers.

use super::schema::{Field, Form, Kind, Object};
use crate::address::Allowlist;
use crate::encoding;
use crate::host::HostName;
use crate::policy::MOST_THRESHOLDS;
use crate::route;
use crate::scope::Grants;
use crate::webhook::{self, Event};

/// A new workspace.
pub const NEW_WORKSPACE: Object =
    Object { name: "NewWorkspace", fields: &[Field::required("name", NAME, "For people.")] };

/// Changes to a workspace.
pub const WORKSPACE_CHANGES: Object = Object {
    name: "WorkspaceChanges",
    fields: &[
        Field::new("name", NAME, "For people."),
        Field::new(
            "limits",
            Kind::Optional(&LIMITS),
            "Shared by all keys; never above the policy's. null: as the policy says.",
        ),
    ],
};

/// A new key.
pub const NEW_KEY: Object = Object { name: "NewKey", fields: NEW_KEY_FIELDS };

/// Changes to a key; what is not named stays, `null` takes away.
pub const KEY_CHANGES: Object = Object {
    name: "KeyChanges",
    fields: &[
        Field::new("name", NAME, "For people."),
        Field::new("description", DESCRIPTION, "For people."),
        Field::new(
            "not_before",
            Kind::Optional(&Kind::Time),
            "The first second in which it works.",
        ),
        Field::new(
            "expires",
            Kind::Optional(&Kind::Time),
            "The first second in which it works no more.",
        ),
        Field::new("scopes", SCOPES, "What it may do."),
        Field::new(
            "bindings",
            Kind::Optional(&BINDINGS),
            "Route parameters and the values it may use.",
        ),
        Field::new("ips", Kind::Optional(&NETWORKS), "Networks it may be used from."),
        Field::new(
            "allow_any_network",
            Kind::Flag,
            "Confirms a network wider than /8 (IPv6: /16).",
        ),
        Field::new("tier", Kind::Optional(&TIER), "A tier of the policy."),
        Field::new("limits", Kind::Optional(&LIMITS), "Its own limits, instead of a tier."),
        Field::new("signature", SIGNATURE, "How requests with it are signed."),
        Field::new("signing", SIGNING, "By which rules; what is not named stays."),
    ],
};

/// How a secret is replaced.
pub const ROTATION: Object = Object {
    name: "Rotation",
    fields: &[
        Field::required(
            "grace_seconds",
            Kind::Number(0, 30 * 24 * 3600),
            "How long the secrets so far go on working.",
        ),
        Field::new(
            "of",
            Kind::Word(&["key", "signing"]),
            "Which secret: the key's (default) or the one by which its requests are signed.",
        ),
    ],
};

/// At which parts of its limit a key is told of.
pub const KEY_ALERTS: Object = Object {
    name: "NewKeyAlerts",
    fields: &[Field::required(
        "thresholds",
        Kind::Optional(&Kind::List(&Kind::Number(1, 100), MOST_THRESHOLDS)),
        "Per cents of the window's limit; null: none.",
    )],
};

/// Where alerts go.
pub const WEBHOOK: Object = Object {
    name: "NewWebhook",
    fields: &[
        Field::required("url", Kind::Form(&HOOK_URL), "Where to: an https URL on the Internet."),
        Field::new("events", Kind::List(&Kind::Word(&Event::NAMES), 5), "Which; default: all."),
        Field::new("disabled", Kind::Flag, "Whether nothing is sent; default: false."),
    ],
};

/// How the secret of a webhook is replaced.
pub const HOOK_ROTATION: Object = Object {
    name: "WebhookRotation",
    fields: &[Field::required(
        "grace_seconds",
        Kind::Number(0, 30 * 24 * 3600),
        "How long alerts are signed by the secrets so far, too.",
    )],
};

/// Keys that were made elsewhere, by the SHA-256 of their texts.
pub const IMPORT: Object = Object {
    name: "Import",
    fields: &[Field::required(
        "keys",
        Kind::List(&Kind::Object(&IMPORTED_KEY), 100),
        "At most 100 at a time.",
    )],
};

/// A member's place.
pub const MEMBERSHIP: Object = Object {
    name: "Membership",
    fields: &[Field::required("role", ROLE, "What the member may do.")],
};

const IMPORTED_KEY: Object = Object { name: "ImportedKey", fields: &IMPORTED_KEY_FIELDS };

const KEY_FIELDS: [Field; 13] = [
    Field::new("name", NAME, "For people."),
    Field::new("description", DESCRIPTION, "For people."),
    Field::new(
        "type",
        Kind::Word(&["personal", "service", "project", "temporary"]),
        "Default: service. A personal key belongs to its subject and dies with the membership; a \
         temporary one must expire.",
    ),
    Field::new(
        "subject",
        Kind::Form(&MEMBER),
        "Whose key it is: who creates it. Personal keys only.",
    ),
    Field::new("project_id", Kind::Text(1, 128), "Its project. Project keys only, which need it."),
    Field::new("not_before", Kind::Time, "The first second in which it works."),
    Field::new("expires", Kind::Time, "The first second in which it works no more."),
    Field::new(
        "scopes",
        SCOPES,
        "What it may do: no more than who creates it. Required, unless the policy has a default.",
    ),
    Field::new("bindings", BINDINGS, "Route parameters and the values it may use."),
    Field::new("ips", NETWORKS, "Networks it may be used from; default: any."),
    Field::new("allow_any_network", Kind::Flag, "Confirms a network wider than /8 (IPv6: /16)."),
    Field::new("tier", TIER, "A tier of the policy."),
    Field::new("limits", LIMITS, "Its own limits, instead of a tier."),
];

const NEW_KEY_FIELDS: &[Field] = &{
    let [a, b, c, d, e, f, g, h, i, j, k, l, m] = KEY_FIELDS;
    let environment = Field::new(
        "environment",
        Kind::Word(&["live", "test"]),
        "Becomes part of the key's prefix.",
    );
    let signature =
        Field::new("signature", SIGNATURE, "How requests with it are signed; default: none.");
    let signing = Field::new("signing", SIGNING, "By which rules.");
    [environment, a, b, c, d, e, f, g, h, i, j, k, l, m, signature, signing]
};

/// Imported keys have no signing secret, since there is nobody to show it to; a change gives them one.
const IMPORTED_KEY_FIELDS: [Field; 14] = {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m] = KEY_FIELDS;
    let sha256 = Field::required(
        "sha256",
        Kind::Form(&SHA256),
        "SHA-256 of the key's text: hex, base64 or base64url.",
    );
    [sha256, a, b, c, d, e, f, g, h, i, j, k, l, m]
};

const NAME: Kind = Kind::Text(1, 100);
const DESCRIPTION: Kind = Kind::Text(0, 500);
const SCOPES: Kind = Kind::List(&Kind::Form(&SCOPE), 50);
const BINDINGS: Kind = Kind::Map(&PARAMETER, &Kind::List(&Kind::Text(1, 128), 50), 10);
const NETWORKS: Kind = Kind::List(&Kind::Form(&NETWORK), 100);
const TIER: Kind = Kind::Text(1, 32);
const SIGNATURE: Kind = Kind::Word(&["none", "optional", "required", "only"]);
const SIGNING: Kind = Kind::Object(&Object {
    name: "SigningRules",
    fields: &[
        Field::new("version", Kind::Word(&["v1", "v2"]), "Of the signatures; default: v2."),
        Field::new(
            "hosts",
            Kind::List(&Kind::Form(&HOST), 20),
            "Version v1, which does not sign the host and so needs it: where signatures are accepted.",
        ),
        Field::new("nonce", Kind::Flag, "Version v1: whether X-Nonce is signed, and required."),
        Field::new(
            "debug_until",
            Kind::Optional(&Kind::Time),
            "Until when, at most a day ahead, a signature that does not hold is answered with hashes of \
             what it ought to cover.",
        ),
    ],
});
/// The roles, the least first.
pub const ROLE: Kind = Kind::Word(&["member", "admin", "owner"]);
const LIMITS: Kind = Kind::Object(&Object {
    name: "Limits",
    fields: &[
        Field::required("requests", Kind::Number(1, u32::MAX as u64), "Requests in a window."),
        Field::new("window_seconds", Kind::Number(1, 2_678_400), "Its length; default: 3600."),
        Field::required("burst", Kind::Number(1, u32::MAX as u64), "Requests at once."),
    ],
});

/// What a key may do.
const SCOPE: Form = Form {
    name: "Scope",
    pattern: "^(read|write|(\\*|[a-z][a-z0-9_-]{0,31}):(\\*|[a-z][a-z0-9_-]{0,31}))$",
    example: "agents:read",
    check: |text| Grants::parse([text]).map(drop).map_err(|wrong| wrong.to_string()),
};

/// What a secret scanner has found (GitHub's partner programme). A scanner may add members.
pub const LEAK: Object = Object {
    name: "FoundSecret",
    fields: &[
        Field::required("token", Kind::Text(0, 1000), "The text that was found."),
        Field::new("type", Kind::Text(0, 1000), "As what the scanner knows it."),
        Field::new("url", Kind::Text(0, 10_000), "Where it was found."),
        Field::new("source", Kind::Text(0, 1000), "In what it was found."),
    ],
};

const HOST: Form = Form {
    name: "Host",
    pattern: "^[0-9a-z.:\\[\\]_-]{1,255}$",
    example: "api.example.com",
    check: |text| HostName::parse(text).map(drop).map_err(|wrong| wrong.to_string()),
};

const HOOK_URL: Form = Form {
    name: "WebhookUrl",
    pattern: "^https?://[!-~]{1,992}$",
    example: "https://hooks.example.com/portcullis",
    check: |text| webhook::check_url(text).map_err(|wrong| wrong.to_string()),
};

const NETWORK: Form = Form {
    name: "Network",
    pattern: "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$",
    example: "203.0.113.0/24",
    check: |text| Allowlist::parse([text]).map(drop).map_err(|wrong| wrong.to_string()),
};

const PARAMETER: Form = Form {
    name: "Parameter",
    pattern: "^[a-z][a-z0-9_]{0,31}$",
    example: "agent_id",
    check: |text| {
        if route::is_param_name(text) {
            Ok(())
        } else {
            Err("names are a letter a-z and up to 31 of a-z, 0-9, '_'".to_owned())
        }
    },
};

/// A member: the issuer's name in the policy and its subject.
pub const MEMBER: Form = Form {
    name: "MemberId",
    pattern: "^[a-z][a-z0-9-]{0,31}:[!-~]{1,255}$",
    example: "dev:alice",
    check: |text| {
        let (issuer, subject) = text.split_once(':').unwrap_or_default();
        let is_issuer = crate::policy::Name::parse(issuer).is_ok();
        let fits = (1..=255).contains(&subject.len());
        if is_issuer && fits && subject.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(())
        } else {
            Err("has to be an issuer of the policy, a colon and a subject".to_owned())
        }
    },
};

const SHA256: Form = Form {
    name: "Sha256",
    pattern: "^([0-9a-f]{64}|[A-Za-z0-9+/]{43}=|[A-Za-z0-9_-]{43})$",
    example: "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
    check: |text| match sha256(text) {
        Some(_) => Ok(()),
        None => Err("has to be 32 bytes in lower-case hex, base64 or base64url".to_owned()),
    },
};

/// Reads a SHA-256 in one of its three spellings.
#[must_use]
pub fn sha256(text: &str) -> Option<[u8; 32]> {
    let bytes = match text.len() {
        64 => encoding::from_hex(text),
        44 => encoding::from_base64(text),
        43 => encoding::from_base64url(text.as_bytes()),
        _ => None,
    };
    bytes?.try_into().ok()
}
