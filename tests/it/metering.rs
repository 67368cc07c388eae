//! How one isolate counts requests, by its Workspace or without: decisions and calls.

use std::rc::Rc;

use portcullis::decide::{Decision, decide};
use portcullis::denial::{Denial, Fault};
use portcullis::enquiry::Enquiry;
use portcullis::forward;
use portcullis::gate::Gate;
use portcullis::key::{self, Kid};
use portcullis::lookup::{Came, Chore, Errand, Trouble};
use portcullis::memory::Memory;
use portcullis::mint;
use portcullis::need::{Ask, KvRow, Leave, Need};
use portcullis::policy::{Limits, Policy};
use portcullis::record::{Document, SecretDocument, Status};
use portcullis::request::Request;
use portcullis::reservation::Reservation;
use portcullis::root::Keyring;
use portcullis::ticket::Ticket;
use portcullis::workspace::call::{Admit, Answer, Call, Told};
use serde_json::{Value, json};

use crate::simulation::deployment::WORKSPACE;
use crate::workspace::{Workspace, at, call_id};

/// An isolate with a Workspace that answers unless it is down, and one key of it.
pub struct Isolate {
    gate: Rc<Gate>,
    memory: Memory,
    pub workspace: Workspace,
    down: bool,
    /// What every call for leave is answered with instead.
    pub instead: Option<&'static str>,
    /// What was asked for leave, oldest first.
    pub asked: Vec<Admit>,
    pub calls: u64,
    /// What was reserved for the request that was allowed last.
    pub reserved: Option<Reservation>,
    /// What was worth finding out behind it.
    ahead: Option<Need>,
    /// What it was told to have left.
    remaining: String,
    facts: String,
    pub document: Document,
}

/// What became of a request.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    Allowed { degraded: bool },
    Denied(&'static str),
    Fault(Fault),
}

pub const ALLOWED: Outcome = Outcome::Allowed { degraded: false };
const DEGRADED: Outcome = Outcome::Allowed { degraded: true };
const LIMITED: Outcome = Outcome::Denied("RATE_LIMITED");
const DOWN: Outcome = Outcome::Fault(Fault::WorkspaceUnavailable);

impl Isolate {
    /// The policy says `rules` of all workspaces and `own` of this one.
    pub fn new(rules: &Value, own: &Value, limits: Option<Limits>) -> Self {
        let gate = Rc::new(deploy(rules, own));
        let root = gate.keyring().newest();
        let number = key::Workspace::parse(WORKSPACE).unwrap();
        let minted = mint::native(root, "ak", number, &[7; 22]).unwrap();
        let secret = SecretDocument::new(0, 1, &minted.digest);
        let document =
            Document { limits, ..Document::new(&minted.kid, "ak", secret, at(0).seconds()) };
        let mut isolate = Self {
            workspace: Workspace::open(Rc::clone(&gate)),
            gate,
            memory: Memory::default(),
            down: false,
            instead: None,
            asked: Vec::new(),
            calls: 0,
            reserved: None,
            ahead: None,
            remaining: String::new(),
            facts: minted.secret.expose().to_owned(),
            document,
        };
        isolate.put(0);
        isolate
    }

    /// Stores the key in its Workspace, in the place of this version.
    fn put(&mut self, replaces: u64) {
        let document = Box::new(self.document.clone());
        let answer = self.workspace.call(&Call::Put { document, replaces }, 0);
        assert!(matches!(answer, Answer::Written { .. }), "{answer:?}");
        self.document.version = replaces + 1;
    }

    fn kid(&self) -> Kid {
        Kid::parse(&self.document.kid).unwrap()
    }

    /// A request to this path, alone in the isolate.
    pub fn get(&mut self, path: &str, millis: u64) -> Outcome {
        self.run(path, &mut Ticket::default(), millis, usize::MAX).unwrap()
    }

    /// Decides until something would have to be found out once too often; `None` then.
    fn run(
        &mut self,
        path: &str,
        ticket: &mut Ticket,
        millis: u64,
        look_ups: usize,
    ) -> Option<Outcome> {
        let facts = format!("GET\nhttp://api.test/{path}\nx-api-key\n{}", self.facts);
        let (request, gate) = (Request::parse(&facts).unwrap(), Rc::clone(&self.gate));
        for _ in 0..look_ups.min(8) {
            match decide(&request, &gate, &mut self.memory, ticket, at(millis)) {
                Decision::Allow(grant) => {
                    assert_eq!(grant.kid(), Some(self.kid()));
                    self.reserved = grant.reservation(&gate);
                    self.ahead = grant.ahead(&gate, &mut self.memory, at(millis));
                    let plan = forward::plan(&request, &grant, &gate, "id", None, at(millis));
                    self.remaining = told(&plan, "x-ratelimit-remaining").to_owned();
                    let degraded = !told(&plan, "x-portcullis-degraded").is_empty();
                    return Some(Outcome::Allowed { degraded });
                }
                Decision::Deny(denial) => return Some(Outcome::Denied(denial.code())),
                Decision::Fault(fault) => return Some(Outcome::Fault(fault)),
                Decision::Admin | Decision::Usage(_) | Decision::Preflight(_) => {
                    panic!("no request for the admin host")
                }
                Decision::Need(Need::Kv(row)) => self.read(row, millis),
                Decision::Need(Need::Body(_)) => panic!("nobody signs here"),
                Decision::Need(Need::KeySet { .. } | Need::Signature) => {
                    panic!("nobody has a token")
                }
                Decision::Need(need @ Need::Workspace(ask)) => {
                    let asked = self.ask(ask, ticket, millis);
                    asked.unwrap_or_else(|fault| ticket.fail(&need, fault));
                }
            }
        }
        assert!(look_ups < 8, "asks for ever");
        None
    }

    /// KV has the key's first version for ever.
    fn read(&mut self, row: KvRow, millis: u64) {
        let document = Document { version: 1, ..self.document.clone() };
        let value = document.row(self.gate.keyring().newest()).unwrap().value;
        row.learn(Some(value.as_bytes()), &self.gate, &mut self.memory, at(millis)).unwrap();
    }

    fn ask(&mut self, ask: Ask, ticket: &mut Ticket, millis: u64) -> Result<(), Fault> {
        self.calls += 1;
        let (gate, id) = (Rc::clone(&self.gate), call_id(self.calls));
        let (enquiry, text) = Enquiry::new(ask, id, &gate, &mut self.memory, at(millis));
        if let Call::Admit(admit) = Call::parse(&text).unwrap() {
            self.asked.push(admit);
        }
        if self.down {
            enquiry.fail(&mut self.memory);
            return Err(Fault::WorkspaceUnavailable);
        }
        let answer = match self.instead {
            Some(answer) if text.starts_with("admit ") => answer.to_owned(),
            _ => self.workspace.call_text(&text, millis).print(),
        };
        enquiry.learn(&answer, &gate, &mut self.memory, ticket, at(millis))
    }

    /// What is to be done next of work behind an answer, and what is said in the log.
    pub fn go_on(
        &mut self,
        chore: Chore,
        came: Option<&str>,
    ) -> (Option<(Chore, Errand)>, Option<Trouble>) {
        let came = came.map_or(Came::Nothing, Came::Text);
        let (gate, memory) = (Rc::clone(&self.gate), &mut self.memory);
        chore.next(came, call_id(0), &gate, memory, at(0))
    }

    /// What there is to tell of the key, if anything.
    pub fn report(&mut self, millis: u64) -> Option<(Enquiry, Call)> {
        let (enquiry, text) = Enquiry::report(self.kid(), &mut self.memory, at(millis))?;
        Some((enquiry, Call::parse(&text).unwrap()))
    }
}

fn told<'p>(plan: &'p str, header: &str) -> &'p str {
    let first = 4 + forward::OWN.len();
    let place = forward::TOLD.iter().position(|name| *name == header).unwrap();
    plan.split('\n').nth(first + place).unwrap_or_default()
}

fn deploy(rules: &Value, own: &Value) -> Gate {
    let route =
        |path: &str| json!({"credentials": ["key"], "methods": ["GET"], "origin": 0, "path": path});
    let mut exact = route("/exact");
    exact["mode"] = json!("strict");
    let mut policy = json!({
        "version": 1, "hosts": ["api.test"], "admin_host": "admin.test", "mode": "edge",
        "lease_seconds": 2, "kv_timeout_ms": 200,
        "root_fingerprints": [Keyring::parse(ROOT).unwrap().newest().fingerprint()],
        "origins": [{"name": "near", "timeout_ms": 1500,
            "upstream": {"service": {"binding": "ORIGIN"}}}],
        "tiers": [], "static_keys": [], "imports": [],
        "workspaces": [{"workspace": WORKSPACE}],
        "routes": [route("/plain"), exact],
    });
    merge(&mut policy, rules);
    merge(&mut policy["workspaces"][0], own);
    Gate::new(Policy::from_json(&policy.to_string()).unwrap(), ROOT, "", 0).unwrap()
}

fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().unwrap() {
        into[name] = value.clone();
    }
}

fn lease(limits: Option<Limits>) -> Isolate {
    Isolate::new(&json!({"mode": "lease"}), &json!({}), limits)
}

/// So many an hour, all at once if need be.
pub fn an_hour(requests: u32) -> Option<Limits> {
    Some(Limits::new(requests, 3600, requests).unwrap())
}

#[test]
fn the_route_says_who_decides_else_the_workspace_else_the_policy() {
    for (policy, own, path, calls) in [
        ("edge", json!({}), "plain", 0),
        ("lease", json!({}), "plain", 1),
        ("edge", json!({"mode": "lease"}), "plain", 1),
        ("strict", json!({"mode": "edge"}), "plain", 0),
        ("edge", json!({"mode": "edge"}), "exact", 1),
    ] {
        let mut isolate = Isolate::new(&json!({"mode": policy}), &own, None);
        assert_eq!(isolate.get(path, 0), ALLOWED);
        assert_eq!(isolate.calls, calls, "{policy}, {own}, {path}");
    }
}

#[test]
fn each_strict_request_is_asked_for_alone() {
    let mut isolate = Isolate::new(&json!({}), &json!({"mode": "strict"}), None);
    for _ in 0..20 {
        assert_eq!(isolate.get("plain", 0), ALLOWED);
    }
    let wanted: Vec<u32> = isolate.asked.iter().map(|admit| admit.want).collect();
    assert_eq!(wanted, [1; 20]);
    let usage = Call::Usage { kid: isolate.document.kid.clone(), from: 0, to: u64::MAX };
    let Answer::Usage { hours, .. } = isolate.workspace.call(&usage, 0) else { panic!("no usage") };
    assert_eq!(hours.iter().map(|hour| (hour.exact, hour.at_most)).collect::<Vec<_>>(), [(20, 20)]);
}

#[test]
fn what_happens_without_the_workspace_is_its_own_choice_first() {
    for (policy, own, outcome) in [
        ("refuse", json!({}), DOWN),
        ("edge", json!({}), DEGRADED),
        ("edge", json!({"on_workspace_down": "refuse"}), DOWN),
        ("refuse", json!({"on_workspace_down": "edge"}), DEGRADED),
    ] {
        for mode in ["lease", "strict"] {
            let rules = json!({"mode": mode, "on_workspace_down": policy});
            let mut isolate = Isolate::new(&rules, &own, None);
            assert_eq!(isolate.get("plain", 0), ALLOWED);
            isolate.down = true;
            // What was lent is over by then.
            assert_eq!(isolate.get("plain", 3_000), outcome, "{mode}, {policy}, {own}");
        }
    }
}

/// At the rate of the key's limits, as in mode `edge`.
#[test]
fn degraded_answers_are_metered() {
    let rules = json!({"mode": "lease", "on_workspace_down": "edge"});
    let limits = Some(Limits::new(60, 60, 3).unwrap());
    let mut isolate = Isolate::new(&rules, &json!({}), limits);
    isolate.down = true;
    let burst: Vec<Outcome> = (0..5).map(|_| isolate.get("plain", 0)).collect();
    assert_eq!(burst, [DEGRADED, DEGRADED, DEGRADED, LIMITED, LIMITED]);
    assert_eq!(isolate.get("plain", 1_000), DEGRADED);
    assert_eq!(isolate.get("plain", 1_000), LIMITED);
}

/// The key changes for another request, while this one's leave is on its way.
#[test]
fn leave_by_an_older_version_of_the_record_admits_nothing() {
    let mut isolate = lease(None);
    let mut ticket = Ticket::default();
    // KV and leave: the request was verified by version 1, which was current.
    assert_eq!(isolate.run("plain", &mut ticket, 0, 2), None);
    assert_eq!(isolate.asked.len(), 1);
    isolate.put(1);
    isolate.ask(Ask::Record(isolate.kid()), &mut Ticket::default(), 1).unwrap();
    assert_eq!(isolate.run("plain", &mut ticket, 2, 8), Some(ALLOWED));
    let versions: Vec<u64> = isolate.asked.iter().map(|admit| admit.version).collect();
    assert_eq!(versions, [1, 2], "it is asked for again, by the new one");
}

#[test]
fn the_wait_is_told_in_whole_seconds_rounded_up() {
    for (millis, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_001, 60)] {
        let mut isolate = lease(an_hour(1));
        isolate.get("plain", 0);
        let leave = Leave {
            kid: isolate.kid(),
            coins: 1,
            pool: None,
            alone: false,
            once: None,
            settle: false,
        };
        let (gate, mut ticket) = (Rc::clone(&isolate.gate), Ticket::default());
        let memory = &mut isolate.memory;
        let (enquiry, _) = Enquiry::new(Ask::Leave(leave), call_id(9), &gate, memory, at(0));
        let answer = format!("refused retry={millis} by=key requests=1 window=3600 burst=1");
        enquiry.learn(&answer, &gate, memory, &mut ticket, at(0)).unwrap();
        let facts = format!("GET\nhttp://api.test/plain\nx-api-key\n{}", isolate.facts);
        let request = Request::parse(&facts).unwrap();
        let decision = decide(&request, &gate, &mut isolate.memory, &mut ticket, at(0));
        let Decision::Deny(denial @ Denial::RateLimited(_)) = decision else {
            panic!("{decision:?}")
        };
        assert_eq!(denial.wire().retry_after, Some(seconds), "{millis} ms");
    }
}

/// Denials that the isolate decided by itself, and leases it has used up.
#[test]
fn what_a_failed_call_was_to_tell_is_told_again() {
    let mut isolate = lease(an_hour(1));
    assert_eq!(isolate.get("plain", 0), ALLOWED);
    // The Workspace counts the first refusal; the isolate remembers it and counts the others.
    let denied = [isolate.get("plain", 1), isolate.get("plain", 2), isolate.get("plain", 3)];
    assert_eq!(denied, [LIMITED, LIMITED, LIMITED]);
    let told = Some(vec![("RATE_LIMITED".to_owned(), 2)]);
    for answer in [None, Some("no answer"), Some("broken row=account/"), Some("unopened")] {
        let (enquiry, call) = isolate.report(4).unwrap();
        let Call::Report { told: Told { denied, .. }, .. } = call else { panic!("{call:?}") };
        assert_eq!(Some(denied), told, "before {answer:?}");
        let (gate, memory) = (Rc::clone(&isolate.gate), &mut isolate.memory);
        match answer {
            None => enquiry.fail(memory),
            Some(text) => {
                let learnt = enquiry.learn(text, &gate, memory, &mut Ticket::default(), at(4));
                assert_eq!(learnt, Err(Fault::WorkspaceUnavailable));
            }
        }
    }
}

#[test]
fn what_the_workspace_has_been_told_is_told_once() {
    let mut isolate = lease(None);
    for millis in 0..10 {
        assert_eq!(isolate.get("plain", millis), ALLOWED);
    }
    let (enquiry, call) = isolate.report(2_000).unwrap();
    let Call::Report { told: Told { reports, .. }, .. } = &call else { panic!("{call:?}") };
    assert!(reports.iter().any(|report| report.spent > 0), "{reports:?}");
    let answer = isolate.workspace.call(&call, 2_000).print();
    let (gate, memory) = (Rc::clone(&isolate.gate), &mut isolate.memory);
    enquiry.learn(&answer, &gate, memory, &mut Ticket::default(), at(2_000)).unwrap();
    assert!(isolate.report(2_000).is_none());
}

/// A cause that may have been mended is asked about; without an answer it holds where the isolate decides alone.
#[test]
fn a_refusal_is_confirmed_unless_it_is_a_revocation() {
    let (disabled, revoked) =
        (Outcome::Denied("DISABLED_API_KEY"), Outcome::Denied("REVOKED_API_KEY"));
    for (status, on_down, calls, down) in [
        (Status::Disabled, "refuse", 1, &DOWN),
        (Status::Disabled, "edge", 1, &disabled),
        (Status::Revoked, "refuse", 0, &revoked),
        (Status::Revoked, "edge", 0, &revoked),
    ] {
        let isolate = |is_down| {
            let rules = json!({"mode": "lease", "on_workspace_down": on_down});
            let mut isolate = Isolate::new(&rules, &json!({}), None);
            isolate.document.status = status;
            isolate.put(1);
            isolate.down = is_down;
            isolate
        };
        let (mut up, mut alone) = (isolate(false), isolate(true));
        let refused = if status == Status::Revoked { &revoked } else { &disabled };
        assert_eq!((&up.get("plain", 0), up.calls), (refused, calls), "{status:?}");
        assert_eq!((&up.get("plain", 1_999), up.calls), (refused, calls), "it was confirmed");
        assert_eq!((&alone.get("plain", 0), alone.calls), (down, calls), "{status:?}, {on_down}");
    }
}

/// The second in which it was used last, for whoever waits to take it away.
#[test]
fn a_secret_that_is_being_replaced_is_told_of() {
    for (mode, replaced) in [("lease", vec![(0, at(1_000).seconds())]), ("edge", Vec::new())] {
        let mut isolate = Isolate::new(&json!({ "mode": mode }), &json!({}), None);
        let newer = SecretDocument { generation: 1, ..isolate.document.secrets[0].clone() };
        isolate.document.secrets[0].expires = Some(at(3_600_000).seconds());
        isolate.document.secrets.push(SecretDocument { digest: "0".repeat(64), ..newer });
        isolate.put(1);
        assert_eq!(isolate.get("plain", 0), ALLOWED);
        assert_eq!(isolate.get("plain", 1_000), ALLOWED);
        let told = isolate.report(1_000).map_or_else(Vec::new, |(_, call)| {
            let Call::Report { told, .. } = call else { panic!("{call:?}") };
            told.replaced
        });
        assert_eq!(told, replaced, "{mode}");
    }
}

#[test]
fn what_is_left_is_told_where_a_total_is_kept() {
    for (mode, remaining) in
        [("edge", ["", "", ""]), ("strict", ["9", "8", "7"]), ("lease", ["9", "7", "7"])]
    {
        let mut isolate = Isolate::new(&json!({ "mode": mode }), &json!({}), an_hour(10));
        let told = [0, 1, 2].map(|millis| {
            assert_eq!(isolate.get("plain", millis), ALLOWED);
            isolate.remaining.clone()
        });
        assert_eq!(told, remaining, "{mode}");
    }
}

/// While requests keep coming, and by a route in mode `lease` alone.
#[test]
fn a_lease_is_renewed_behind_an_answer() {
    let mut isolate = lease(None);
    let is_renewal = |ahead: &Option<Need>| matches!(ahead, Some(Need::Workspace(Ask::Leave(_))));
    let due = (0..1_950).find(|millis| {
        assert_eq!(isolate.get("plain", *millis), ALLOWED);
        isolate.ahead.is_some()
    });
    let due = due.unwrap();
    let Some(Need::Workspace(Ask::Leave(leave))) = isolate.ahead.take() else { panic!() };
    assert_eq!((leave.kid, leave.coins, leave.pool), (isolate.kid(), 1, None));
    assert!(!leave.alone && leave.once.is_none() && !leave.settle);
    assert_eq!(isolate.get("exact", due), ALLOWED);
    assert!(isolate.ahead.is_none(), "what is asked for alone has no lease");
    assert_eq!(isolate.get("plain", due), ALLOWED);
    assert!(is_renewal(&isolate.ahead));
}

#[test]
fn no_lease_is_renewed_behind_an_answer_without_the_workspace() {
    let rules = json!({"mode": "lease", "on_workspace_down": "edge"});
    let mut isolate = Isolate::new(&rules, &json!({}), None);
    for millis in 0..200 {
        assert_eq!(isolate.get("plain", millis), ALLOWED);
    }
    isolate.down = true;
    // Until all that was lent is spent, so that it would be due.
    assert!((0..10_000).any(|_| isolate.get("plain", 500) == DEGRADED));
    assert!(isolate.ahead.is_none(), "{:?}", isolate.ahead);
}

/// One request at a time fetches it, and the next when nothing came of that.
#[test]
fn a_record_is_read_again_behind_an_answer_before_it_expires() {
    let mut isolate = Isolate::new(&json!({}), &json!({}), None);
    for (millis, is_due) in
        [(0, false), (20_999, false), (21_000, true), (21_999, false), (22_000, true)]
    {
        assert_eq!(isolate.get("plain", millis), ALLOWED);
        let read = Need::Kv(KvRow::Record(isolate.kid()));
        assert_eq!(isolate.ahead, is_due.then_some(read), "{millis}");
    }
}

const ROOT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
