//! The same question as JSON, with policy and key as the management API tells them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::case::{Asked, Case, Impossible};
use crate::address::Allowlist;
use crate::clock::Now;
use crate::key::Workspace;
use crate::management::time;
use crate::policy::{Limits, MemberId, Told};
use crate::record::{Document, KeyType, SignatureMode, Status};
use crate::scope::Grants;

/// What becomes of a request, as JSON; `policy` and `question` are JSON too.
///
/// # Errors
/// What is wrong with them.
pub fn answer(policy: &str, question: &str, now: Now) -> Result<String, String> {
    let told: Told = serde_json::from_str(policy).map_err(|error| error.to_string())?;
    let policy = told.document().ok_or("the policy names what it does not have")?;
    let question: Question = serde_json::from_str(question).map_err(|error| error.to_string())?;
    let Question { method, url, headers, of } = question;
    let case = match of {
        Of::Nobody => Case::without_key(policy),
        Of::Key(key) => {
            let prefix = policy.management.key_prefix.as_str().to_owned();
            Case::of_record(policy, &key.document(prefix)?, now)
        }
        Of::Person { member, scopes, workspace } => {
            let member = MemberId::parse(&member).map_err(|error| error.to_string())?;
            let workspace = workspace.as_deref().and_then(Workspace::parse);
            Case::of_person(policy, &member, scopes, workspace, now)
        }
    };
    let told = |impossible: Impossible| impossible.to_string();
    let mut case = case.map_err(told)?;
    let explanation = case.explain(&Asked { method, url, headers }, &|_| None, now);
    Ok(explanation.map_err(told)?.to_json().to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    of: Of,
}

/// Who asks.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Of {
    Nobody,
    Key(Box<Key>),
    Person { member: String, scopes: Vec<String>, workspace: Option<String> },
}

/// A key as the management API tells it, as far as a decision depends on it.
#[derive(Deserialize)]
struct Key {
    id: String,
    #[serde(rename = "type")]
    kind: KeyType,
    subject: Option<String>,
    prefix: String,
    not_before: Option<String>,
    expires: Option<String>,
    status: Status,
    scopes: Grants,
    bindings: Option<BTreeMap<String, Vec<String>>>,
    ips: Option<Allowlist>,
    tier: Option<String>,
    limits: Option<Limits>,
    signature: SignatureMode,
    version: u64,
}

impl Key {
    /// Its record. An imported key has no prefix of its own, and any will do.
    fn document(self, prefix: String) -> Result<Document, String> {
        let second = |text: Option<String>| match text {
            Some(text) => time::parse(&text).map(Some).ok_or("a time of the key is none"),
            None => Ok(None),
        };
        Ok(Document {
            v: 1,
            kid: self.id,
            name: String::new(),
            kind: self.kind,
            subject: self.subject,
            prefix: if self.prefix.is_empty() { prefix } else { self.prefix },
            created: 0,
            not_before: second(self.not_before)?,
            expires: second(self.expires)?,
            status: self.status,
            scopes: self.scopes,
            bindings: self.bindings.unwrap_or_default(),
            ips: self.ips,
            tier: self.tier,
            limits: self.limits,
            signature: self.signature,
            signing: None,
            secrets: Vec::new(),
            version: self.version,
            fresh_until: u64::MAX,
        })
    }
}
