//! The keys of the test world: what is ordinary, and what is broken on purpose.

use portcullis::host::HostName;
use portcullis::record::SignatureMode::{Only, Optional, Required};
use portcullis::record::{Document, KeyType, SignatureMode, Status};
use portcullis::signature::Version::{V1, V2};
use portcullis::signature::{Generation, Signing, Version};

use super::{EDGE, FUTURE, PAST};

/// A key to make. What is left out is as in [`Maker::key`].
pub(super) struct Spec<'a> {
    pub(super) name: &'a str,
    pub(super) scopes: &'static [&'static str],
    pub(super) change: fn(&mut Document),
}

pub(super) const fn spec<'a>(name: &'a str, scopes: &'static [&'static str]) -> Spec<'a> {
    Spec { name, scopes, change: |_| () }
}

fn limits(requests: u32) -> Option<portcullis::policy::Limits> {
    portcullis::policy::Limits::new(requests, 3600, requests).ok()
}

pub(super) const ALL: &[&str] = &["*:*"];

pub(super) const ORDINARY: &[Spec] = &[
    spec("read_only", &["agents:read", "simulations:read"]),
    spec("full", ALL),
    spec("second", ALL),
    spec("open", &["open:any"]),
    spec("shorthand_read", &["read"]),
    spec("shorthand_write", &["write"]),
    spec("agents_any", &["agents:*"]),
    spec("no_scopes", &[]),
    Spec { change: |record| record.expires = Some(PAST), ..spec("expired", ALL) },
    Spec { change: |record| record.expires = Some(EDGE), ..spec("expires_at_edge", ALL) },
    Spec { change: |record| record.not_before = Some(EDGE), ..spec("begins_at_edge", ALL) },
    Spec { change: |record| record.fresh_until = EDGE, ..spec("fresh_until_edge", ALL) },
    Spec { change: |record| record.not_before = Some(FUTURE), ..spec("not_yet_valid", ALL) },
    Spec { change: |record| record.status = Status::Disabled, ..spec("disabled", ALL) },
    Spec { change: |record| record.status = Status::Quarantined, ..spec("quarantined", ALL) },
    Spec { change: |record| record.status = Status::Revoked, ..spec("revoked", ALL) },
    Spec {
        change: |record| {
            record.status = Status::Revoked;
            record.expires = Some(PAST);
            record.ips = serde_json::from_str(r#"["203.0.113.0/24"]"#).ok();
        },
        ..spec("revoked_and_worse", &["agents:read"])
    },
    Spec {
        change: |record| {
            record.bindings.insert("agent_id".to_owned(), vec!["agent-123".to_owned()]);
        },
        ..spec("agent_bound", &["agents:read", "agents:write"])
    },
    Spec {
        change: |record| {
            let agents = ["agent-1", "agent:2", "café"].map(str::to_owned);
            record.bindings.insert("agent_id".to_owned(), agents.to_vec());
        },
        ..spec("agents_bound", ALL)
    },
    Spec {
        change: |record| {
            record.kind = KeyType::Project;
            record.bindings.insert("project_id".to_owned(), vec!["apollo".to_owned()]);
        },
        ..spec("project", &["projects:read", "agents:read"])
    },
    Spec {
        change: |record| {
            record.bindings.insert("project_id".to_owned(), vec!["apollo".to_owned()]);
            record.bindings.insert("agent_id".to_owned(), vec!["agent-123".to_owned()]);
        },
        ..spec("twice_bound", ALL)
    },
    Spec {
        change: |record| {
            record.kind = KeyType::Personal;
            record.subject = Some("user:ada@example.test".to_owned());
        },
        ..spec("personal", ALL)
    },
    Spec {
        change: |record| {
            record.kind = KeyType::Temporary;
            record.expires = Some(FUTURE);
        },
        ..spec("temporary", ALL)
    },
    Spec {
        change: |record| {
            record.ips = serde_json::from_str(r#"["203.0.113.0/24","2001:db8::/32"]"#).ok();
        },
        ..spec("ip_bound", &["agents:read"])
    },
    Spec {
        change: |record| record.tier = Some("wide".to_owned()),
        ..spec("wide", &["agents:read", "open:any"])
    },
    Spec { change: |record| record.tier = Some("three".to_owned()), ..spec("tier_of_three", ALL) },
    Spec { change: |record| record.limits = limits(2), ..spec("limits_of_two", ALL) },
    Spec { change: |record| record.limits = limits(1), ..spec("limit_of_one", &["open:any"]) },
    Spec { change: |record| record.signature = Optional, ..spec("signature_optional", ALL) },
    Spec { change: |record| record.signature = Required, ..spec("signature_required", ALL) },
    Spec { change: |record| record.signature = Only, ..spec("signature_only", ALL) },
    Spec { change: |record| sign(record, Required, V1), ..spec("signed_v1", ALL) },
    Spec { change: |record| sign(record, Only, V1), ..spec("signed_only", ALL) },
    Spec { change: |record| sign(record, Only, V1), ..spec("signed_other", ALL) },
    Spec { change: |record| sign(record, Only, V2), ..spec("signed_v2", ALL) },
    Spec { change: |record| sign(record, Required, V2), ..spec("signed_v2_bearer", ALL) },
    Spec { change: |record| sign(record, Optional, V1), ..spec("signed_optional", ALL) },
    Spec { change: |record| sign(record, Only, V1), ..spec("signed_agents", &["agents:read"]) },
    Spec {
        change: |record| {
            sign(record, Required, V1);
            record.limits = limits(3);
        },
        ..spec("signed_limited", ALL)
    },
    Spec {
        change: |record| {
            sign(record, Only, V1);
            record.signing.iter_mut().for_each(|signing| signing.nonce = true);
        },
        ..spec("signed_nonce", ALL)
    },
    Spec {
        change: |record| {
            sign(record, Only, V1);
            let elsewhere = HostName::parse("localhost");
            record
                .signing
                .iter_mut()
                .for_each(|signing| signing.hosts = elsewhere.iter().cloned().collect());
        },
        ..spec("signed_elsewhere", ALL)
    },
    Spec {
        change: |record| {
            sign(record, Only, V1);
            record.status = Status::Revoked;
        },
        ..spec("signed_revoked", ALL)
    },
];

/// Lets the requests of a key be signed: of version 1 on `api.test`.
fn sign(record: &mut Document, mode: SignatureMode, version: Version) {
    record.signature = mode;
    let root = record.secrets.first().map_or(0, |secret| secret.root);
    let hosts =
        if version == V1 { HostName::parse("api.test").into_iter().collect() } else { vec![] };
    let secrets = vec![Generation { generation: 0, root, expires: None }];
    record.signing = Some(Signing { version, hosts, nonce: false, debug_until: None, secrets });
}

pub(super) const BROKEN: &[Spec] = &[
    spec("record_mac", ALL),
    spec("record_byte", ALL),
    spec("record_cut", ALL),
    spec("record_empty", ALL),
    spec("record_garbage", ALL),
    spec("record_unknown_root", ALL),
    spec("record_large", ALL),
    spec("record_moved", ALL),
    spec("record_unknown_field", ALL),
    spec("record_no_scopes", ALL),
    Spec { change: |record| record.v = 2, ..spec("record_v2", ALL) },
    Spec { change: |record| record.fresh_until = PAST, ..spec("record_stale", ALL) },
    Spec {
        change: |record| record.tier = Some("platinum".to_owned()),
        ..spec("record_unknown_tier", ALL)
    },
    Spec {
        change: |record| record.kind = KeyType::Temporary,
        ..spec("record_temporary_for_ever", ALL)
    },
    Spec { change: |record| record.kind = KeyType::Project, ..spec("record_project_of_none", ALL) },
    Spec {
        change: |record| record.kind = KeyType::Personal,
        ..spec("record_personal_of_nobody", ALL)
    },
];
