//! Alerts: what a workspace wants to be told of, from the transaction in which it becomes true until a
//! webhook has taken it.

mod budget;
mod delivery;
mod denials;
mod hook;
mod threshold;

pub(super) use delivery::{Outcome, Outcomes, all_waiting};
pub(super) use denials::Watch;
pub(super) use hook::{Disabled, HOOK, Hook, OUTCOMES};
pub(super) use threshold::{KeyAlerts, Reached, row as alerts_row};

use serde_json::{Map, Value as Json};

use super::rows::{Stop, Value, readable};
use super::{Meta, Object};
use crate::fields::{BadField, number};
use crate::management::time;
use crate::webhook::Event;
use crate::{crypto, encoding};

/// What has become true.
pub(super) struct Alert {
    pub(super) event: Event,
    /// What tells it from any other of its event.
    pub(super) cause: String,
    /// What is told of it. Never a secret.
    pub(super) data: Map<String, Json>,
}

/// An alert that is not delivered yet: attempts so far, the millisecond in which it became true, a space
/// each, the payload.
struct Waiting {
    attempts: u32,
    raised: u64,
    payload: String,
}

impl Value for Waiting {
    fn parse(text: &str) -> Result<Self, BadField> {
        let mut parts = text.splitn(3, ' ');
        let mut part = || parts.next().ok_or(BadField);
        let (attempts, raised) = (number(part()?)?, number(part()?)?);
        Ok(Self { attempts, raised, payload: part()?.to_owned() })
    }

    fn print(&self) -> String {
        let Self { attempts, raised, payload } = self;
        format!("{attempts} {raised} {payload}")
    }
}

impl Object<'_> {
    /// Has an alert delivered, if there is a webhook that wants it. It is told again and again until it is
    /// taken, under the same id.
    pub(super) fn raise(&mut self, meta: &Meta, alert: Alert) -> Result<(), Stop> {
        // No webhook keeps a request from being admitted.
        let hook = readable(self.rows.get::<Hook>(HOOK))?;
        let Alert { event, cause, mut data } = alert;
        if !hook.is_some_and(|hook| hook.wants(event)) {
            return Ok(());
        }
        data.insert("workspace".to_owned(), meta.workspace.clone().into());
        let raised = self.now.millis();
        let payload = serde_json::json!({
            "type": event.as_str(), "timestamp": time::print_millis(raised), "data": data,
        });
        let hash = [&meta.workspace, event.as_str(), &cause].join("\n");
        let hash = encoding::hex(&crypto::sha256(hash.as_bytes()));
        let id = format!("msg_{}", hash.get(..32).unwrap_or(&hash));
        let waiting = Waiting { attempts: 0, raised, payload: payload.to_string() };
        self.rows.put(row(raised, &id), &waiting);
        self.wake(raised);
        self.bound_alerts(meta)
    }
}

/// An alert that is to be sent at this millisecond.
fn row(at: u64, id: &str) -> String {
    format!("{ALERT}{at:015}/{id}")
}

/// When, and under which id, by the name of its row.
fn split(name: &str) -> Option<(u64, &str)> {
    let (at, id) = name.strip_prefix(ALERT)?.split_once('/')?;
    Some((at.parse().ok()?, id))
}

/// Whether a name may be that of such a row, without its prefix.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'/';
    name.len() <= 64 && name.bytes().all(plain)
}

/// The time of an hour that is counted since 1970.
fn hour_text(hour: u64) -> String {
    time::print(hour.saturating_mul(3600))
}

const ALERT: &str = "alert/";
