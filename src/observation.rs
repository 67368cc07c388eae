//! Observations: what is told of a decision to whoever runs the gate, as a point of Analytics Engine and as a
//! line of the log, and in `Server-Timing` to a client that asks.
//!
//! A line of fields with tabs between: where it goes (`p`: a point, `l`: the log), the outcome, `Server-Timing`
//! but for the origin's part, the other [`TEXTS`], and those of [`NUMBERS`] that are known before there is an
//! answer: coins and the milliseconds of look-ups. Each is the policy's text, a word of ours, or of a credential that is proved:
//! never a secret, nor what somebody unknown may choose.

use crate::caller::{Caller, Told};
use crate::decide::{Grant, would_deny};
use crate::encoding;
use crate::gate::Gate;
use crate::policy::{Mode, Observe, Route, Share};
use crate::request::Request;
use crate::route::Method;
use crate::ticket::Ticket;

/// The names of its texts. The second is the index of a point, the others are its blobs.
pub const TEXTS: [&str; 11] = [
    "outcome",
    "workspace",
    "method",
    "route",
    "product",
    "kind",
    "mode",
    "decided",
    "key",
    "request_id",
    "would_deny",
];

/// The names of its numbers, which are the doubles of a point.
pub const NUMBERS: [&str; 4] = ["status", "coins", "look_up_ms", "origin_ms"];

/// What became of a request that the gate answered itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It had what it asked for.
    Granted,
    /// It was refused.
    Denied,
    /// We failed it.
    Failed,
}

/// Whose credential is proved; of a key, who decides on it besides the isolate.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) caller: Caller,
    pub(crate) mode: Option<Mode>,
}

/// The observation of a request that is forwarded, if there is to be one. `renews`: whether what it was
/// decided by is being renewed behind the answer.
#[must_use]
pub fn of_grant(
    request: &Request<'_>,
    grant: &Grant<'_>,
    renews: bool,
    ticket: &Ticket,
    gate: &Gate,
    request_id: &str,
) -> Option<String> {
    let observe = &gate.policy.observe;
    let is_timed = observe.server_timing && request.headers().any(|(name, _)| name == ASKS);
    if !is_timed && !observe.writes() {
        return None;
    }
    let is_key = grant.caller.key().is_some();
    let observation = Observation {
        goes: destination(observe, observe.log_allowed, request_id),
        is_timed,
        method: request.method,
        route: Some(grant.route),
        outcome: "allow",
        told: grant.caller.told(),
        mode: is_key.then_some(grant.mode),
        renews,
        coins: if is_key { grant.route.cost } else { 0 },
        request_id,
        would_deny: tried(request, grant),
    };
    Some(observation.print(ticket, gate))
}

/// The observation of a request that is answered here, with this code or another word for that; empty if there
/// is to be none.
#[must_use]
#[cold]
#[inline(never)]
pub fn of_answer(
    request: Option<&Request<'_>>,
    answered: Answered,
    outcome: &'static str,
    ticket: &Ticket,
    gate: &Gate,
    request_id: &str,
) -> String {
    let observe = &gate.policy.observe;
    let share = match answered {
        Answered::Granted => observe.log_allowed,
        Answered::Denied => observe.log_denied,
        Answered::Failed => observe.log_faults,
    };
    let goes = destination(observe, share, request_id);
    if goes.is_empty() {
        return String::new();
    }
    let known = ticket.known.as_ref();
    let observation = Observation {
        goes,
        is_timed: false,
        method: request.map_or("", |request| request.method),
        route: ticket.route.and_then(|place| gate.policy.routes.get(place)),
        outcome,
        told: known.map(|known| known.caller.told()).unwrap_or_default(),
        mode: known.and_then(|known| known.mode),
        renews: false,
        coins: 0,
        request_id,
        would_deny: String::new(),
    };
    observation.print(ticket, gate)
}

/// By which codes the route's rules on trial would have refused whoever calls, a space between.
fn tried(request: &Request<'_>, grant: &Grant<'_>) -> String {
    let address = request.fields.client_address;
    let mut codes = String::new();
    for denial in would_deny(grant.route, &grant.caller, address) {
        if !codes.is_empty() {
            codes.push(' ');
        }
        codes.push_str(denial.code());
    }
    codes
}

/// What becomes of the observation of a grant if the request fails on its way, with this code.
#[must_use]
pub fn failed(line: &str, code: &'static str, gate: &Gate, request_id: &str) -> String {
    let observe = &gate.policy.observe;
    let goes = destination(observe, observe.log_faults, request_id);
    match line.splitn(3, '\t').nth(2) {
        // What begins with a tab has no timing, which the client has asked for whatever is told elsewhere.
        Some(rest) if !goes.is_empty() || !rest.starts_with('\t') => [goes, code, rest].join("\t"),
        Some(_) | None => String::new(),
    }
}

struct Observation<'a> {
    goes: &'static str,
    is_timed: bool,
    method: &'a str,
    route: Option<&'a Route>,
    outcome: &'a str,
    told: Told<'a>,
    mode: Option<Mode>,
    renews: bool,
    coins: u32,
    request_id: &'a str,
    would_deny: String,
}

impl Observation<'_> {
    #[cold]
    #[inline(never)]
    fn print(&self, ticket: &Ticket, gate: &Gate) -> String {
        let looked = ticket.looked();
        let decided = match (looked, self.renews) {
            (Some(_), _) => "cold",
            (None, true) => "renewed",
            (None, false) => "warm",
        };
        let mut out = String::with_capacity(LINE_BYTES);
        for text in [self.goes, "\t", self.outcome, "\t"] {
            out.push_str(text);
        }
        if self.is_timed {
            for text in ["auth;desc=", decided, ";dur="] {
                out.push_str(text);
            }
            encoding::append_decimal(looked.unwrap_or_default(), &mut out);
        }
        let product = self.route.and_then(|route| gate.policy.product(route));
        let texts = [
            self.told.workspace,
            // Any other method is text of whoever calls.
            Method::parse(self.method).map_or("", Method::as_str),
            self.route.map_or("", |route| route.path.as_str()),
            product.map_or("", |product| product.name.as_str()),
            self.told.kind,
            self.mode.map_or("", Mode::as_str),
            decided,
            self.told.key,
            self.request_id,
            &self.would_deny,
        ];
        for text in texts {
            out.push('\t');
            out.push_str(text);
        }
        for number in [self.coins.into(), looked.unwrap_or_default()] {
            out.push('\t');
            encoding::append_decimal(number, &mut out);
        }
        out
    }
}

/// Where the observation of a request goes if `share` of its like are written to the log.
#[cold]
#[inline(never)]
fn destination(observe: &Observe, share: Share, request_id: &str) -> &'static str {
    // It is random, as `Entropy` made it.
    let bytes = request_id.get(..8).and_then(encoding::from_hex).unwrap_or_default();
    let bits = bytes.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    match (observe.analytics, share.takes(bits)) {
        (true, true) => "pl",
        (true, false) => "p",
        (false, true) => "l",
        (false, false) => "",
    }
}

/// By this header a client asks for `Server-Timing`.
const ASKS: &str = "x-portcullis-timing";
const LINE_BYTES: usize = 192;
