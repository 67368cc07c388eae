//! What the API tells of a key.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::super::accounts::{KeyAccount, account_row};
use super::super::alert::{KeyAlerts, alerts_row};
use super::super::keys::{self, Held};
use super::super::rows::{Stop, readable};
use super::super::{Meta, Object};
use super::{Stored, signing};
use crate::management::time;
use crate::policy::Thresholds;
use crate::record::Document;

/// What is known of a key and decides nothing: no gate reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created_by: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) imported: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A key with all that is known of it.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) document: Document,
    pub(super) about: About,
    last_used: Option<u64>,
    /// When secrets that are being replaced were last used.
    replaced: Vec<(u8, u64)>,
    /// At which parts of its limit it is told of.
    alerts: Thresholds,
}

impl Object<'_> {
    /// A key of this workspace.
    pub(super) fn known(&self, meta: &Meta, kid: &str) -> Result<Option<Known>, Stop> {
        self.rows.require(rows_of(kid))?;
        let Some(held) = self.rows.get::<Held>(&keys::row(kid))? else { return Ok(None) };
        let about = self.rows.get::<Stored<About>>(&about_row(kid))?;
        let account: KeyAccount = self.rows.get(&account_row(kid))?.unwrap_or_default();
        let alerts = readable(self.rows.get::<KeyAlerts>(&alerts_row(kid)))?.unwrap_or_default();
        Ok(Some(Known {
            document: held.effective(meta),
            about: about.map(|Stored(about)| about).unwrap_or_default(),
            last_used: account.usage.last_used(),
            replaced: account.replaced,
            alerts: alerts.thresholds,
        }))
    }

    /// The rows of keys, fetched in one go.
    pub(super) fn require_known(&self, kids: &[String]) -> Result<(), Stop> {
        self.rows.require(kids.iter().flat_map(|kid| rows_of(kid)))
    }
}

impl Known {
    pub(super) fn new(document: Document, about: About) -> Self {
        let (last_used, replaced, alerts) = (None, Vec::new(), Thresholds::default());
        Self { document, about, last_used, replaced, alerts }
    }

    /// What the API tells.
    pub(super) fn view(&self) -> Json {
        Json::Object(self.fields())
    }

    /// The same, by field.
    pub(super) fn fields(&self) -> Map<String, Json> {
        let Self { document, about, last_used, replaced, alerts } = self;
        let time = |seconds: Option<u64>| seconds.map(time::print);
        let secrets = document.secrets.iter().map(|secret| {
            let last_used = replaced.iter().find(|(own, _)| *own == secret.generation);
            json!({
                "generation": secret.generation,
                "root": secret.root,
                "expires": time(secret.expires),
                "last_used": last_used.map(|(_, second)| time::print(*second)),
            })
        });
        let bindings = Some(&document.bindings).filter(|bindings| !bindings.is_empty());
        let prefix = if about.imported { "" } else { &document.prefix };
        object([
            ("id", json!(document.kid)),
            ("name", json!(document.name)),
            ("description", json!(about.description)),
            ("type", json!(document.kind)),
            ("subject", json!(document.subject)),
            ("prefix", json!(prefix)),
            ("created", json!(time::print(document.created))),
            ("created_by", json!(about.created_by)),
            ("last_used", json!(time(*last_used))),
            ("not_before", json!(time(document.not_before))),
            ("expires", json!(time(document.expires))),
            ("status", json!(document.status)),
            ("scopes", json!(document.scopes)),
            ("bindings", json!(bindings)),
            ("ips", json!(document.ips)),
            ("tier", json!(document.tier)),
            ("limits", json!(document.limits)),
            ("signature", json!(document.signature)),
            ("signing", json!(document.signing.as_ref().map(signing::view))),
            ("alerts", json!(alerts.iter().collect::<Vec<_>>())),
            ("secrets", json!(secrets.collect::<Vec<_>>())),
            ("version", json!(document.version)),
        ])
    }
}

/// An object of these members.
pub(in super::super) fn object<const N: usize>(members: [(&str, Json); N]) -> Map<String, Json> {
    let mut object = Map::new();
    for (name, value) in members {
        object.insert(name.to_owned(), value);
    }
    object
}

/// What differs between two objects: for each field what it was and what it is.
pub(super) fn difference(
    before: &Map<String, Json>,
    after: &Map<String, Json>,
) -> Map<String, Json> {
    let mut changes = Map::new();
    for (name, now) in after.iter().filter(|(name, _)| !UNTOLD.contains(&name.as_str())) {
        let was = before.get(name).unwrap_or(&Json::Null);
        if was != now {
            changes.insert(name.clone(), json!([was, now]));
        }
    }
    changes
}

/// The rows that a key is known by.
fn rows_of(kid: &str) -> [String; 4] {
    [keys::row(kid), about_row(kid), account_row(kid), alerts_row(kid)]
}

pub(super) fn about_row(kid: &str) -> String {
    format!("about/{kid}")
}

/// They change by themselves.
const UNTOLD: [&str; 2] = ["version", "last_used"];
