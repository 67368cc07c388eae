//! Where alerts go: the workspace's webhook, and the parts of its limit at which a key is told of.

use serde_json::{Map, Value as Json, json};

use super::super::accounts::{KeyAccount, account_row};
use super::super::alert::{
    Disabled, HOOK, Hook, KeyAlerts, OUTCOMES, Outcome as Attempt, Outcomes, alerts_row,
    all_waiting,
};
use super::super::keys::{self, Held};
use super::super::rows::{Stop, readable};
use super::super::{Meta, Object};
use super::about::difference;
use super::keys::stale;
use super::{Change, Done, Outcome, Request, object};
use crate::management::problem::Problem;
use crate::management::time;
use crate::policy::Thresholds;
use crate::webhook::{self, Event};

impl Object<'_> {
    pub(super) fn get_webhook(&self, request: &Request<'_>) -> Outcome<Done> {
        let hook = self.hook(request)?;
        let mut body = view(&hook);
        let outcomes = readable(self.rows.get::<Outcomes>(OUTCOMES))?;
        let attempts = outcomes.iter().flat_map(|outcomes| outcomes.0.iter().rev());
        body.insert("deliveries".to_owned(), attempts.map(attempt).collect());
        body.insert("waiting".to_owned(), json!(self.rows.names(&all_waiting())?.len()));
        Ok(Done { version: Some(hook.version), ..Done::read(Json::Object(body)) })
    }

    /// Makes the webhook, with a secret, or changes it.
    pub(super) fn put_webhook(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        let before = self.any_hook()?;
        let is_there = before.url.is_some();
        if request.call.version.is_some_and(|version| !is_there || version != before.version) {
            return Err(stale().into());
        }
        let mut after = before.clone();
        let text = |name: &str| request.body.get(name).and_then(Json::as_str);
        after.url = text("url").map(str::to_owned);
        let admin = &self.gate.policy.admin_host;
        let place = after.url.as_ref().map_or(Ok(()), |url| webhook::check_place(url, admin));
        place.map_err(|wrong| Problem::field("url", wrong.to_string()))?;
        let events = request.body.get("events").and_then(Json::as_array);
        let names = events.into_iter().flatten().filter_map(Json::as_str);
        let wanted: Vec<Event> = names.filter_map(Event::parse).collect();
        // Each once and in one order, so that the same set is no change.
        let is_wanted = |event: &Event| events.is_none() || wanted.contains(event);
        after.events = Event::ALL.into_iter().filter(is_wanted).collect();
        let is_disabled = request.body.get("disabled") == Some(&Json::Bool(true));
        after.disabled = is_disabled.then(|| before.disabled.unwrap_or(Disabled::Admin));
        let secret = if is_there {
            None
        } else {
            after.secrets.clear();
            Some(after.renew(&self.gate.keyring, &meta.workspace, 0, self.now))
        };
        let was = if is_there { view(&before) } else { Map::new() };
        let action = if is_there { "webhook.update" } else { "webhook.create" };
        self.write_hook(meta, action, &was, after, secret)
    }

    /// Gives it another secret. Until the grace ends alerts are signed by those so far, too.
    pub(super) fn rotate_webhook(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        let before = self.hook(request)?;
        let mut after = before.clone();
        let grace = request.body.get("grace_seconds").and_then(Json::as_u64).unwrap_or(0);
        let secret = after.renew(&self.gate.keyring, &meta.workspace, grace, self.now);
        if after.secrets.len() > MOST_SECRETS {
            let message = format!("{MOST_SECRETS} secrets still sign: wait, or choose 0");
            return Err(Problem::field("grace_seconds", message).into());
        }
        self.write_hook(meta, "webhook.rotate", &view(&before), after, Some(secret))
    }

    pub(super) fn remove_webhook(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        let before = self.hook(request)?;
        let version = before.version.saturating_add(1);
        self.rows.put(HOOK.to_owned(), &Hook { version, next: before.next, ..Hook::default() });
        self.rows.delete(OUTCOMES.to_owned());
        // What waits is removed behind the answer.
        self.wake(self.now.millis());
        let changes = object([("url", json!([before.url, null]))]);
        let change = Change::new("webhook.remove", &meta.workspace, changes);
        let done = Done::changed(json!({ "removed": true }), change);
        Ok(Done { version: Some(version), ..done })
    }

    /// Sets at which parts of its limit a key is told of.
    pub(super) fn put_alerts(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        let known = self.changeable(meta, request)?;
        let kid = &known.document.kid;
        let numbers = request.body.get("thresholds").and_then(Json::as_array);
        let numbers = numbers.into_iter().flatten().filter_map(Json::as_u64);
        let mut numbers: Vec<u32> = numbers.filter_map(|own| own.try_into().ok()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let thresholds = Thresholds::try_from(numbers)
            .map_err(|wrong| Problem::field("thresholds", wrong.to_string()))?;
        let row = alerts_row(kid);
        let before = readable(self.rows.get::<KeyAlerts>(&row))?.unwrap_or_default();
        let list = |own: &Thresholds| own.iter().collect::<Vec<u8>>();
        let (was, is) = (list(&before.thresholds), list(&thresholds));
        let (body, version) = (json!({ "thresholds": is }), Some(known.document.version));
        if was == is {
            return Ok(Done { version, ..Done::read(body) });
        }
        if is.is_empty() {
            self.rows.delete(row);
        } else {
            self.rows.put(row, &KeyAlerts { thresholds });
            self.watch_at_rest(meta, kid)?;
        }
        let changes = object([("alerts", json!([was, is]))]);
        let change = Change::new("key.alerts", kid, changes);
        Ok(Done { version, ..Done::changed(body, change) })
    }

    /// Tells of what a key has used already. One that was never used has no account.
    fn watch_at_rest(&mut self, meta: &Meta, kid: &str) -> Result<(), Stop> {
        let row = account_row(kid);
        let Some(mut own) = self.rows.get::<KeyAccount>(&row)? else { return Ok(()) };
        let Some(held) = self.rows.get::<Held>(&keys::row(kid))? else { return Ok(()) };
        let limits = held.limits(self.gate)?;
        let before = own.reached;
        limits.iter().for_each(|limits| own.account.hold_to(limits, self.now));
        self.watch_key(meta, kid, limits, &mut own)?;
        if own.reached != before {
            self.rows.put(row, &own);
        }
        Ok(())
    }

    fn write_hook(
        &mut self,
        meta: &Meta,
        action: &'static str,
        was: &Map<String, Json>,
        mut after: Hook,
        secret: Option<String>,
    ) -> Outcome<Done> {
        let changes = difference(was, &view(&after));
        if changes.is_empty() {
            return Ok(Done { version: Some(after.version), ..Done::read(view(&after).into()) });
        }
        after.version = after.version.saturating_add(1);
        self.rows.put(HOOK.to_owned(), &after);
        // What waited while it was disabled.
        self.wake(self.now.millis());
        let change = Change::new(action, &meta.workspace, changes);
        let version = Some(after.version);
        Ok(Done { version, secret, ..Done::changed(view(&after).into(), change) })
    }

    /// The webhook, in the version that the request names.
    fn hook(&self, request: &Request<'_>) -> Outcome<Hook> {
        let hook = self.any_hook()?;
        if hook.url.is_none() {
            return Err(Problem::not_found().into());
        }
        if request.call.version.is_some_and(|version| version != hook.version) {
            return Err(stale().into());
        }
        Ok(hook)
    }

    /// The same, or what is left of it.
    fn any_hook(&self) -> Outcome<Hook> {
        Ok(self.rows.get(HOOK)?.unwrap_or_default())
    }
}

/// What the API tells.
fn view(hook: &Hook) -> Map<String, Json> {
    let secrets = hook.secrets.iter().map(
        |own| json!({ "generation": own.generation, "expires": own.expires.map(time::print) }),
    );
    object([
        ("url", json!(hook.url)),
        ("events", json!(hook.events.iter().map(|event| event.as_str()).collect::<Vec<_>>())),
        ("disabled", json!(hook.disabled.map(Disabled::as_str))),
        ("secrets", json!(secrets.collect::<Vec<_>>())),
        ("version", json!(hook.version)),
    ])
}

fn attempt(own: &Attempt) -> Json {
    json!({
        "id": own.id,
        "type": own.event,
        "time": time::print_millis(own.at),
        "attempt": own.attempt,
        "status": Some(own.status).filter(|status| *status > 0),
        "next": own.next.map(time::print_millis),
    })
}

/// Secrets that may sign at a time.
const MOST_SECRETS: usize = 5;
