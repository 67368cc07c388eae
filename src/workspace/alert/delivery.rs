//! Deliveries: which alerts are sent now, and what becomes of them.
//!
//! Each attempt is written down before it is made, as if it came to nothing: should the object end on the
//! way, the alert is sent again.

use serde_json::json;

use super::super::call::{Answer, Post};
use super::super::manage::{Change, object};
use super::super::rows::{Range, Stop, Value, readable};
use super::super::{Meta, Object};
use super::{ALERT, Disabled, HOOK, Hook, OUTCOMES, Waiting, row, split};
use crate::fields::{BadField, Fields, Line, number};
use crate::management::time;

/// What became of the last attempts, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Outcomes(pub(in super::super) Vec<Outcome>);

/// What became of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Outcome {
    pub(in super::super) id: String,
    pub(in super::super) event: String,
    /// Milliseconds.
    pub(in super::super) at: u64,
    pub(in super::super) attempt: u32,
    /// 0: no answer.
    pub(in super::super) status: u16,
    /// When it is tried again, in milliseconds; `None`: it was taken.
    pub(in super::super) next: Option<u64>,
}

impl Value for Outcomes {
    fn parse(text: &str) -> Result<Self, BadField> {
        Fields::of(text).all("of").map(Outcome::parse).collect::<Result<_, _>>().map(Self)
    }

    fn print(&self) -> String {
        Line::new("outcomes").all("of", self.0.iter().map(Outcome::print)).finish()
    }
}

impl Outcome {
    fn parse(text: &str) -> Result<Self, BadField> {
        let mut parts = text.split(':');
        let mut part = || parts.next().ok_or(BadField);
        Ok(Self {
            id: part()?.to_owned(),
            event: part()?.to_owned(),
            at: number(part()?)?,
            attempt: number(part()?)?,
            status: number(part()?)?,
            next: Some(number(part()?)?).filter(|next| *next > 0),
        })
    }

    fn print(&self) -> String {
        let Self { id, event, at, attempt, status, next } = self;
        format!("{id}:{event}:{at}:{attempt}:{status}:{}", next.unwrap_or(0))
    }
}

impl Object<'_> {
    /// What is to be sent now, while so many are being sent.
    pub(in super::super) fn alerts(&mut self, meta: &Meta, sending: u32) -> Result<Answer, Stop> {
        let mut posts = Vec::new();
        let none = Answer::Alerts { url: String::new(), posts: Vec::new() };
        // Where there never was a webhook there are no alerts.
        let Some(hook) = readable(self.rows.get::<Hook>(HOOK))? else { return Ok(none) };
        let names = self.rows.names(&waiting())?;
        let now = self.now.millis();
        let Some(url) = hook.url.clone() else {
            for name in names.iter().take(CHUNK) {
                self.rows.delete(name.clone());
            }
            self.wake_for_next(now)?;
            return Ok(none);
        };
        // What waits goes on waiting. Who enables it wakes the object.
        if hook.disabled.is_some() {
            return Ok(none);
        }
        let is_due = |name: &&String| split(name).is_none_or(|(at, _)| at <= now);
        let room = usize::try_from(MOST_SENDING.saturating_sub(sending)).unwrap_or(0);
        for name in names.iter().filter(is_due).take(room) {
            let waiting = readable(self.rows.get::<Waiting>(name))?;
            self.rows.delete(name.clone());
            let Some((mut waiting, (_, id))) = waiting.zip(split(name)) else { continue };
            waiting.attempts = waiting.attempts.saturating_add(1);
            // Not before this attempt has come to an end.
            let next = self.next_attempt(&waiting).saturating_add(TIMEOUT_MILLIS);
            let next = row(next, id);
            self.rows.put(next.clone(), &waiting);
            let keyring = &self.gate.keyring;
            let payload = waiting.payload;
            let signed = hook.signatures(keyring, &meta.workspace, (id, &payload), self.now);
            if !signed.is_empty() {
                let name = next.strip_prefix(ALERT).unwrap_or_default().to_owned();
                let (id, timestamp) = (id.to_owned(), self.now.seconds());
                posts.push(Post { name, id, timestamp, signatures: signed, payload });
            }
        }
        let is_full = posts.len() >= room;
        // When one of those under way is over, it is looked again at once.
        self.wake_for_next(if is_full { now.saturating_add(TIMEOUT_MILLIS) } else { now })?;
        Ok(Answer::Alerts { url, posts })
    }

    /// Takes note of the answers to what was sent: a status each, 0 for none.
    pub(in super::super) fn sent(
        &mut self,
        meta: &Meta,
        answers: &[(String, u16)],
    ) -> Result<Answer, Stop> {
        let outcomes = readable(self.rows.get::<Outcomes>(OUTCOMES))?;
        let mut outcomes = outcomes.unwrap_or_default();
        self.rows.names(&waiting())?;
        for (name, status) in answers {
            let name = format!("{ALERT}{name}");
            let waiting = readable(self.rows.get::<Waiting>(&name))?;
            // It was removed, or taken at another attempt.
            let Some((waiting, (_, id))) = waiting.zip(split(&name)) else { continue };
            self.rows.delete(name.clone());
            let is_taken = (200..300).contains(status);
            let next = (!is_taken).then(|| self.next_attempt(&waiting));
            if let Some(next) = next {
                self.rows.put(row(next, id), &waiting);
            }
            if *status == GONE {
                self.disable(meta)?;
            }
            outcomes.0.push(Outcome {
                id: id.to_owned(),
                event: event(&waiting),
                at: self.now.millis(),
                attempt: waiting.attempts,
                status: *status,
                next,
            });
        }
        let over = outcomes.0.len().saturating_sub(KEPT_OUTCOMES);
        outcomes.0.drain(..over);
        self.rows.put(OUTCOMES.to_owned(), &outcomes);
        self.wake_for_next(self.now.millis())?;
        Ok(Answer::Done)
    }

    /// When an alert is tried again: by the schedule, and after a day once a day.
    fn next_attempt(&self, waiting: &Waiting) -> u64 {
        let now = self.now.millis();
        let is_old = now.saturating_sub(waiting.raised) >= DAY_MILLIS;
        let pause = self.gate.policy.alerts.retry_seconds.after(waiting.attempts);
        now.saturating_add(if is_old { DAY_MILLIS } else { pause })
    }

    /// Wakes when the next alert is due, but not before `earliest`.
    fn wake_for_next(&mut self, earliest: u64) -> Result<(), Stop> {
        let next = self.rows.names(&waiting())?;
        if let Some(name) = next.first() {
            self.wake(split(name).map_or(earliest, |(at, _)| at.max(earliest)));
        }
        Ok(())
    }

    /// The receiver wants nothing more.
    fn disable(&mut self, meta: &Meta) -> Result<(), Stop> {
        let hook = readable(self.rows.get::<Hook>(HOOK))?;
        let Some(hook) = hook.filter(|hook| hook.disabled.is_none()) else { return Ok(()) };
        let version = hook.version.saturating_add(1);
        let hook = Hook { version, disabled: Some(Disabled::Gone), ..hook };
        self.rows.put(HOOK.to_owned(), &hook);
        let changes = object([("disabled", json!([null, Disabled::Gone.as_str()]))]);
        self.audit_internal(meta, Change::new("webhook.disable", &meta.workspace, changes))
    }

    /// Gives up the one that became true first, of more than there is room for; one that cannot be read before.
    pub(super) fn bound_alerts(&mut self, meta: &Meta) -> Result<(), Stop> {
        let names = self.rows.names(&all_waiting())?;
        if names.len() <= MOST_WAITING {
            return Ok(());
        }
        let mut oldest: Option<(u64, String, Option<Waiting>)> = None;
        for name in names {
            let waiting = readable(self.rows.get::<Waiting>(&name))?;
            let raised = waiting.as_ref().map_or(0, |waiting| waiting.raised);
            if oldest.as_ref().is_none_or(|(first, ..)| raised < *first) {
                oldest = Some((raised, name, waiting));
            }
        }
        let Some((_, name, waiting)) = oldest else { return Ok(()) };
        self.rows.delete(name.clone());
        let Some((waiting, (_, id))) = waiting.zip(split(&name)) else { return Ok(()) };
        let changes = object([
            ("type", json!([event(&waiting), null])),
            ("raised", json!([time::print_millis(waiting.raised), null])),
            ("attempts", json!([waiting.attempts, null])),
        ]);
        self.audit_internal(meta, Change::new("alert.drop", id, changes))
    }
}

/// The alerts that wait, the next first, as many as are looked at in one go and one more.
pub(in super::super) fn waiting() -> Range {
    Range::of(ALERT, FETCHED)
}

/// All of them, and one more.
pub(in super::super) fn all_waiting() -> Range {
    Range::of(ALERT, MOST_WAITING_AND_ONE)
}

/// The type that a payload tells.
fn event(waiting: &Waiting) -> String {
    let payload: serde_json::Value =
        serde_json::from_slice(waiting.payload.as_bytes()).unwrap_or_default();
    payload.get("type").and_then(|own| own.as_str()).unwrap_or_default().to_owned()
}

/// So many are sent at a time.
const MOST_SENDING: u32 = 8;
/// How long a receiver may take; in `workspace.mjs` too.
const TIMEOUT_MILLIS: u64 = 10_000;
const DAY_MILLIS: u64 = 24 * 3_600_000;
const KEPT_OUTCOMES: usize = 20;
const CHUNK: usize = 100;
const FETCHED: u32 = 101;
/// So many wait at a time.
const MOST_WAITING: usize = 1000;
const MOST_WAITING_AND_ONE: u32 = 1001;
/// HTTP 410: by Standard Webhooks, the receiver wants no more.
const GONE: u16 = 410;
