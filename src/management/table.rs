//! The table of endpoints.

use super::answer as out;
use super::body;
use super::endpoint::{Access, Endpoint, Operation};
use super::schema::{Field, Kind, Object};

const PAGE: [Field; 2] = [
    Field::new("limit", Kind::Number(1, 100), "How many at most; default: 50."),
    Field::new("cursor", Kind::Text(1, 200), "`next` of the page before."),
];

const fn page_and(more: Field) -> [Field; 3] {
    let [limit, cursor] = PAGE;
    [limit, cursor, more]
}

const WAIT: &[Field] =
    &[Field::new("wait", Kind::Word(&["1"]), "Answers only when it is in effect everywhere.")];

const HOURS: &[Field] = &[
    Field::new("from", Kind::Time, "The first hour; default: a day before `to`."),
    Field::new("to", Kind::Time, "The first hour that is no more of interest; default: the next."),
];

const fn get(
    operation: Operation,
    id: &'static str,
    path: &'static str,
    access: Access,
    success: &'static Object,
    summary: &'static str,
) -> Endpoint {
    Endpoint {
        operation,
        id,
        method: "GET",
        path,
        access,
        body: None,
        query: &[],
        success: (200, success),
        versioned: false,
        listed: false,
        summary,
    }
}

const fn change(
    (operation, id): (Operation, &'static str),
    (method, path): (&'static str, &'static str),
    access: Access,
    body: Option<&'static Object>,
    success: (u16, &'static Object),
    summary: &'static str,
) -> Endpoint {
    Endpoint {
        operation,
        id,
        method,
        path,
        access,
        body,
        query: &[],
        success,
        versioned: false,
        listed: false,
        summary,
    }
}

const fn with_query(endpoint: Endpoint, query: &'static [Field]) -> Endpoint {
    Endpoint { query, ..endpoint }
}

const fn versioned(endpoint: Endpoint) -> Endpoint {
    Endpoint { versioned: true, ..endpoint }
}

const fn listed(endpoint: Endpoint) -> Endpoint {
    Endpoint { listed: true, ..endpoint }
}

const KEYS: &str = "/api/v1/workspaces/{workspace}/api-keys";
const KEY: &str = "/api/v1/workspaces/{workspace}/api-keys/{kid}";
const MEMBERS: &str = "/api/v1/workspaces/{workspace}/members";
const WEBHOOKS: &str = "/api/v1/workspaces/{workspace}/webhooks";
const MEMBER: &str = "/api/v1/workspaces/{workspace}/members/{member}";

/// All of them.
pub const ENDPOINTS: &[Endpoint] = {
    use Access::{Admin, Key, Member, Owner, Public, Scanner, Token};
    use Operation as Op;
    &[
        get(
            Op::Document,
            "getDocument",
            "/api/v1/openapi.json",
            Public,
            &out::ANY,
            "This document.",
        ),
        get(Op::Me, "getMe", "/api/v1/me", Token, &out::ME, "Whom the token speaks of."),
        get(
            Op::ListWorkspaces,
            "listWorkspaces",
            "/api/v1/workspaces",
            Token,
            &out::WORKSPACES,
            "The workspaces of the token's subject.",
        ),
        change(
            (Op::CreateWorkspace, "createWorkspace"),
            ("POST", "/api/v1/workspaces"),
            Token,
            Some(&body::NEW_WORKSPACE),
            (201, &out::WORKSPACE),
            "A new workspace, of which the subject becomes the owner.",
        ),
        get(
            Op::GetWorkspace,
            "getWorkspace",
            "/api/v1/workspaces/{workspace}",
            Member,
            &out::WORKSPACE,
            "A workspace.",
        ),
        with_query(
            versioned(change(
                (Op::UpdateWorkspace, "updateWorkspace"),
                ("PATCH", "/api/v1/workspaces/{workspace}"),
                Owner,
                Some(&body::WORKSPACE_CHANGES),
                (200, &out::WORKSPACE),
                "Changes a workspace's name or limits.",
            )),
            WAIT,
        ),
        with_query(
            get(Op::ListKeys, "listKeys", KEYS, Member, &out::KEYS, "The keys, the newest first."),
            &{
                const QUERY: [Field; 3] = page_and(Field::new(
                    "project_id",
                    Kind::Text(1, 128),
                    "Only the keys of this project.",
                ));
                QUERY
            },
        ),
        change(
            (Op::CreateKey, "createKey"),
            ("POST", KEYS),
            Admin,
            Some(&body::NEW_KEY),
            (201, &out::NEW_KEY),
            "A new key. Its secret is in this answer and in no other.",
        ),
        change(
            (Op::ImportKeys, "importKeys"),
            ("POST", "/api/v1/workspaces/{workspace}/api-keys/import"),
            Admin,
            Some(&body::IMPORT),
            (200, &out::IMPORTED),
            "Keys that were made elsewhere, by the SHA-256 of their texts; each row for itself.",
        ),
        with_query(
            change(
                (Op::RevokeAll, "revokeAllKeys"),
                ("POST", "/api/v1/workspaces/{workspace}/api-keys/revoke-all"),
                Admin,
                None,
                (200, &out::REVOKED),
                "Revokes every key there is.",
            ),
            WAIT,
        ),
        get(Op::GetKey, "getKey", KEY, Member, &out::KEY, "A key."),
        with_query(
            versioned(change(
                (Op::UpdateKey, "updateKey"),
                ("PATCH", KEY),
                Admin,
                Some(&body::KEY_CHANGES),
                (200, &out::CHANGED_KEY),
                "Changes a key. What is not named stays; null takes away.",
            )),
            WAIT,
        ),
        with_query(
            versioned(change(
                (Op::RevokeKey, "revokeKey"),
                ("DELETE", KEY),
                Admin,
                None,
                (200, &out::REVOKED),
                "Revokes a key, for good.",
            )),
            WAIT,
        ),
        with_query(
            versioned(change(
                (Op::RotateKey, "rotateKey"),
                ("POST", "/api/v1/workspaces/{workspace}/api-keys/{kid}/rotate"),
                Admin,
                Some(&body::ROTATION),
                (200, &out::NEW_KEY),
                "Gives a key a new secret, or a new signing secret; it is in this answer and in no other.",
            )),
            WAIT,
        ),
        with_query(
            versioned(change(
                (Op::DisableKey, "disableKey"),
                ("POST", "/api/v1/workspaces/{workspace}/api-keys/{kid}/disable"),
                Admin,
                None,
                (200, &out::CHANGED),
                "Holds a key back until it is enabled.",
            )),
            WAIT,
        ),
        with_query(
            versioned(change(
                (Op::EnableKey, "enableKey"),
                ("POST", "/api/v1/workspaces/{workspace}/api-keys/{kid}/enable"),
                Admin,
                None,
                (200, &out::CHANGED),
                "Lets a disabled or quarantined key go on.",
            )),
            WAIT,
        ),
        with_query(
            get(
                Op::KeyUsage,
                "getKeyUsage",
                "/api/v1/workspaces/{workspace}/api-keys/{kid}/usage",
                Member,
                &out::USAGE,
                "What a key was used for, by the hour.",
            ),
            HOURS,
        ),
        get(Op::ListMembers, "listMembers", MEMBERS, Member, &out::MEMBERS, "The members."),
        get(Op::GetMember, "getMember", MEMBER, Member, &out::MEMBER, "A member."),
        change(
            (Op::PutMember, "putMember"),
            ("PUT", MEMBER),
            Admin,
            Some(&body::MEMBERSHIP),
            (200, &out::MEMBER),
            "Makes somebody a member, or changes the role. Owners are made and unmade by owners.",
        ),
        with_query(
            change(
                (Op::RemoveMember, "removeMember"),
                ("DELETE", MEMBER),
                Member,
                None,
                (200, &out::REMOVED),
                "Ends a membership and revokes the member's personal keys. Anybody may leave; the last \
             owner stays.",
            ),
            WAIT,
        ),
        with_query(
            get(
                Op::ListAudit,
                "listAudit",
                "/api/v1/workspaces/{workspace}/audit",
                Admin,
                &out::AUDIT,
                "What was changed, by whom; the newest first.",
            ),
            &{
                const QUERY: [Field; 3] = page_and(Field::new(
                    "order",
                    Kind::Word(&["newest", "oldest"]),
                    "For an export: oldest.",
                ));
                QUERY
            },
        ),
        with_query(
            get(
                Op::VerifyAudit,
                "verifyAudit",
                "/api/v1/workspaces/{workspace}/audit/verify",
                Admin,
                &out::CHAIN,
                "Whether the record of changes is whole: 200 entries of its chain are computed again.",
            ),
            &[Field::new("from", Kind::Number(1, u32::MAX as u64), "The first entry; default: 1.")],
        ),
        with_query(
            get(
                Op::WorkspaceUsage,
                "getWorkspaceUsage",
                "/api/v1/workspaces/{workspace}/usage",
                Member,
                &out::WORKSPACE_USAGE,
                "What all keys were used for, by the hour, and how the budgets stand.",
            ),
            HOURS,
        ),
        get(
            Op::ListDenials,
            "listDenials",
            "/api/v1/workspaces/{workspace}/denials",
            Admin,
            &out::DENIALS,
            "The requests with the workspace's keys that were refused, of the last 128 within a day; the last \
             that was told first.",
        ),
        get(
            Op::GetDenial,
            "getDenial",
            "/api/v1/workspaces/{workspace}/denials/{request_id}",
            Admin,
            &out::DENIAL,
            "By which check, and by what, a request with one of the workspace's keys was refused within a day.",
        ),
        get(
            Op::GetPolicy,
            "getPolicy",
            "/api/v1/workspaces/{workspace}/policy",
            Member,
            &out::POLICY,
            "What the policy asks of requests: its routes, tiers and products, and what holds in this workspace.",
        ),
        versioned(change(
            (Op::PutAlerts, "putKeyAlerts"),
            ("PUT", "/api/v1/workspaces/{workspace}/api-keys/{kid}/alerts"),
            Admin,
            Some(&body::KEY_ALERTS),
            (200, &out::KEY_ALERTS),
            "Sets at which parts of its window's limit a key is told of (`key.threshold`).",
        )),
        get(
            Op::GetWebhook,
            "getWebhook",
            WEBHOOKS,
            Admin,
            &out::WEBHOOK,
            "Where alerts go, and what became of the last of them.",
        ),
        versioned(change(
            (Op::PutWebhook, "putWebhook"),
            ("PUT", WEBHOOKS),
            Admin,
            Some(&body::WEBHOOK),
            (200, &out::PUT_WEBHOOK),
            "Sets where alerts go. The answer that makes the webhook has its secret, and no other.",
        )),
        versioned(change(
            (Op::RotateWebhook, "rotateWebhook"),
            ("POST", "/api/v1/workspaces/{workspace}/webhooks/rotate"),
            Admin,
            Some(&body::HOOK_ROTATION),
            (200, &out::PUT_WEBHOOK),
            "Gives the webhook another secret; it is in this answer and in no other.",
        )),
        versioned(change(
            (Op::RemoveWebhook, "removeWebhook"),
            ("DELETE", WEBHOOKS),
            Admin,
            None,
            (200, &out::REMOVED_WEBHOOK),
            "Ends the webhook. Alerts that wait are dropped.",
        )),
        with_query(
            get(
                Op::OwnUsage,
                "getOwnUsage",
                "/api/v1/keys/usage",
                Key,
                &out::USAGE,
                "What the key that asks was used for.",
            ),
            HOURS,
        ),
        listed(change(
            (Op::ReportLeaks, "reportLeaks"),
            ("POST", "/api/v1/leaks"),
            Scanner,
            Some(&body::LEAK),
            (200, &out::LEAK),
            "Keys that a secret scanner has found: each is held back.",
        )),
    ]
};
