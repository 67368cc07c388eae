//! The Workspace's keys, by calls: what is put, what is revoked, what becomes of KV's copies.

use std::collections::BTreeMap;
use std::rc::Rc;

use portcullis::clock::Now;
use portcullis::gate::Gate;
use portcullis::key::{self, Kid};
use portcullis::lease::CallId;
use portcullis::mint;
use portcullis::policy::Limits;
use portcullis::record::{Document, KeyType, SecretDocument, Status, kv_name};
use portcullis::workspace::call::{Admit, Answer, Call, Conflict, Once, Told};

use crate::simulation::deployment::{self, Rules, WORKSPACE};
use crate::simulation::object::Object;

/// An open Workspace, its clock at 0 in the first millisecond of an hour, and KV.
pub struct Workspace {
    pub gate: Rc<Gate>,
    pub object: Object,
    kv: BTreeMap<String, String>,
}

impl Workspace {
    pub fn open(gate: Rc<Gate>) -> Self {
        let mut workspace = Self { gate, object: Object::default(), kv: BTreeMap::new() };
        let opened = workspace.call(&Call::Open { workspace: WORKSPACE.to_owned() }, 0);
        assert_eq!(opened, Answer::Done);
        workspace
    }

    pub fn call(&mut self, call: &Call, millis: u64) -> Answer {
        self.call_text(&call.print(), millis)
    }

    pub fn call_text(&mut self, text: &str, millis: u64) -> Answer {
        let effect = self.object.call(text, &self.gate, at(millis));
        self.object.commit(&effect);
        effect.answer
    }

    /// Creates the `number`th key.
    pub fn put(&mut self, number: u32, limits: Option<Limits>, millis: u64) -> Kid {
        let (kid, document) = self.key(WORKSPACE, number);
        let document = Box::new(Document { limits, ..document });
        let answer = self.call(&Call::Put { document, replaces: 0 }, millis);
        assert!(matches!(answer, Answer::Written { version: 1, .. }), "{answer:?}");
        kid
    }

    /// The `number`th key as it may be put, with this tier.
    pub fn document(&self, number: u32, tier: Option<&str>) -> Document {
        let (_, document) = self.key(WORKSPACE, number);
        Document { tier: tier.map(str::to_owned), ..document }
    }

    fn key(&self, workspace: &str, number: u32) -> (Kid, Document) {
        let [_, a, b, c] = number.to_be_bytes();
        let root = self.gate.keyring().newest();
        let workspace = key::Workspace::parse(workspace).unwrap();
        let kid = mint::kid(root, workspace, [a, b, c, 0, 0]);
        let digest = mint::imported_digest_of(root, "x");
        (kid, Document::new(&kid, "ak", SecretDocument::new(0, 1, &digest), START / 1000))
    }

    /// Does what the alarm wants done until then; when it last put something into KV.
    pub fn run_alarm(&mut self, until: u64) -> Option<u64> {
        let (mut now, mut last) = (0, None);
        let mut turns = 0;
        while let Some(alarm) = self.object.alarm.filter(|alarm| *alarm <= START + until) {
            turns += 1;
            assert!(turns < 100, "no end of it");
            self.object.alarm = None;
            now = (now + TURN).max(alarm - START);
            let copies: Vec<_> = self.due(now).into_iter().collect();
            if !copies.is_empty() {
                last = Some(now);
            }
            self.call(&Call::Copied { copies, failed: false }, now);
        }
        last
    }

    /// Puts into KV what is due; which versions of which keys.
    fn due(&mut self, millis: u64) -> BTreeMap<String, u64> {
        let Answer::Due { copies } = self.call(&Call::Due, millis) else { panic!("no copies") };
        let put = copies.into_iter().map(|copy| {
            self.kv.insert(copy.name, copy.value);
            (copy.kid, copy.version)
        });
        put.collect()
    }

    /// What KV holds of a key.
    fn copy(&self, kid: &Kid) -> Document {
        self.unsealed(kid, &self.kv[&kv_name(kid)])
    }

    fn unsealed(&self, kid: &Kid, value: &str) -> Document {
        Document::open(self.gate.keyring(), kid, value.as_bytes()).unwrap().0
    }
}

pub fn at(millis: u64) -> Now {
    Now::from_millis(START + millis)
}

/// Leave for one request that waits, by the record's first version; `id` names the call.
pub fn admit(id: u64, kid: &Kid, want: u32) -> Admit {
    Admit {
        id: call_id(id),
        kid: kid.to_string(),
        version: 1,
        coins: 1,
        pool: None,
        want,
        ahead: false,
        millis: 2000,
        told: Told::default(),
        once: None,
        settle: false,
    }
}

pub fn call_id(number: u64) -> CallId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    CallId::new(bytes)
}

fn workspace() -> Workspace {
    Workspace::open(deployment::gate(&RULES))
}

#[test]
fn a_key_of_another_workspace_is_not_taken() {
    let mut workspace = workspace();
    let (kid, document) = workspace.key("0THER0", 1);
    let put = Call::Put { document: Box::new(document), replaces: 0 };
    assert_eq!(workspace.call(&put, 0), Answer::Conflict { why: Conflict::Workspace });
    assert_eq!(workspace.call(&Call::Record { kid: kid.to_string() }, 0), Answer::Unknown);
}

#[test]
fn what_no_gate_would_take_is_not_stored() {
    let mut workspace = workspace();
    let (kid, good) = workspace.key(WORKSPACE, 1);
    let secret = SecretDocument { digest: "00".to_owned(), ..good.secrets[0].clone() };
    let bad = [
        Document { v: 2, ..good.clone() },
        Document { prefix: "A".to_owned(), ..good.clone() },
        Document { secrets: vec![secret], ..good.clone() },
        Document { kind: KeyType::Project, ..good.clone() },
        Document { subject: Some("dev:user".to_owned()), ..good.clone() },
        Document { kind: KeyType::Personal, subject: Some("dev: user".to_owned()), ..good.clone() },
        Document { tier: Some("none-such".to_owned()), ..good.clone() },
        Document { kind: KeyType::Temporary, expires: None, ..good.clone() },
        Document { kind: KeyType::Personal, subject: None, ..good.clone() },
    ];
    for document in bad.map(Box::new) {
        let answer = workspace.call(&Call::Put { document, replaces: 0 }, 0);
        assert_eq!(answer, Answer::Conflict { why: Conflict::Invalid });
    }
    assert_eq!(workspace.call(&Call::Record { kid: kid.to_string() }, 0), Answer::Unknown);
    workspace.put(1, None, 0);
}

/// Neither by the version it was verified by nor by the one that the revocation makes of it.
#[test]
fn what_was_revoked_with_all_is_not_admitted() {
    let mut workspace = workspace();
    let kid = workspace.put(1, None, 0);
    assert!(matches!(workspace.call(&Call::RevokeAll, 1), Answer::Written { version: 1, .. }));
    for version in [1, 2] {
        let call = Call::Admit(Admit { version, ..admit(version, &kid, 1) });
        let answer = workspace.call(&call, 2);
        let Answer::Changed { value } = answer else { panic!("version {version}: {answer:?}") };
        assert_eq!(workspace.unsealed(&kid, &value).status, Status::Revoked);
    }
    let later = workspace.put(2, None, 3);
    let answer = workspace.call(&Call::Admit(admit(3, &later, 1)), 4);
    assert!(matches!(answer, Answer::Granted(_)), "of a key made since: {answer:?}");
}

/// Remembered for longer than it could be accepted, and then not at all.
#[test]
fn what_may_be_admitted_once_is_forgotten_when_nobody_could_repeat_it() {
    let mut workspace = workspace();
    let kid = workspace.put(1, None, 0);
    let mut id = 0;
    let mut ask = |workspace: &mut Workspace, mark: u8, until: u64, millis: u64| {
        id += 1;
        let once = Some(Once { mark: [mark; 16], until: at(0).seconds() + until });
        workspace.call(&Call::Admit(Admit { once, ..admit(id, &kid, 1) }), millis)
    };
    let held = |workspace: &Workspace| {
        workspace.object.rows.keys().filter(|name| name.starts_with("once-only/")).count()
    };
    for mark in 0..5 {
        let until = 360 + u64::from(mark) * 15;
        assert!(matches!(ask(&mut workspace, mark, until, 0), Answer::Granted(_)), "{mark}");
    }
    workspace.run_alarm(359_000);
    assert_eq!(held(&workspace), 5);
    for (mark, until, millis) in [(0, 360, 360_000), (0, 719, 359_000), (4, 420, 420_000)] {
        assert_eq!(ask(&mut workspace, mark, until, millis), Answer::Replayed, "{mark} {until}");
    }
    // Nobody knows any more, or not yet.
    for (mark, until) in [(5, 420), (5, 421 + 2 * 512)] {
        assert_eq!(ask(&mut workspace, mark, until, 421_000), Answer::Replayed, "until {until}");
    }
    workspace.run_alarm(1_100_000);
    assert_eq!(held(&workspace), 0);
}

/// More keys than the alarm takes at a time.
#[test]
fn a_revocation_of_all_comes_to_every_copy() {
    let mut workspace = workspace();
    let kids: Vec<Kid> = (0..250).map(|number| workspace.put(number, None, 0)).collect();
    workspace.run_alarm(MINUTE);
    assert!(kids.iter().all(|kid| workspace.copy(kid).status == Status::Active));
    workspace.call(&Call::RevokeAll, MINUTE);
    workspace.run_alarm(2 * MINUTE);
    for kid in &kids {
        let copy = workspace.copy(kid);
        assert_eq!((copy.status, copy.version), (Status::Revoked, 2), "{kid}");
    }
}

/// Of what counts the active keys of before nothing is left, however many there were.
#[test]
fn a_revocation_of_all_leaves_no_ends_of_keys_behind() {
    let mut workspace = workspace();
    let create = |workspace: &mut Workspace, number: u32| {
        let (_, document) = workspace.key(WORKSPACE, number);
        let document = Box::new(Document { expires: Some(START / 1000 + 86_400), ..document });
        workspace.call(&Call::Put { document, replaces: 0 }, 0);
    };
    (0..1100).for_each(|number| create(&mut workspace, number));
    let ends = |workspace: &Workspace| {
        workspace.object.rows.keys().filter(|name| name.starts_with("ends/")).count()
    };
    assert_eq!(ends(&workspace), 1100);
    workspace.run_alarm(MINUTE);
    workspace.call(&Call::RevokeAll, MINUTE);
    create(&mut workspace, 1100);
    workspace.run_alarm(2 * MINUTE);
    assert_eq!(ends(&workspace), 1, "that of the key made since");
}

/// Of what one turn has not put there the next one comes soon; where a key changed while it was copied, a second
/// later: so often KV takes a write of it.
#[test]
fn copies_that_are_left_follow_soon() {
    let mut workspace = workspace();
    let kids = [1, 2, 3].map(|number| workspace.put(number, None, 0).to_string());
    assert_eq!(workspace.due(1).len(), 3);
    // Also when the first of the rows is the one that goes.
    let next = |workspace: &mut Workspace, copied: &str, now| {
        workspace.object.alarm = None;
        workspace.call(&Call::Copied { copies: vec![(copied.to_owned(), 1)], failed: false }, now);
        workspace.object.alarm
    };
    for (copied, now) in [(kids.iter().max(), 1), (kids.iter().min(), 1_001)] {
        let copied = copied.unwrap();
        assert_eq!(next(&mut workspace, copied, now), Some(START + now + 250));
        assert!(!workspace.due(now + 250).contains_key(copied));
    }
    let left = workspace.due(1_300).into_keys().next().unwrap();
    workspace.call(&Call::SetStatus { kid: left.clone(), status: Status::Disabled }, 1_310);
    assert_eq!(next(&mut workspace, &left, 1_320), Some(START + 1_320 + 1_000));
}

#[test]
fn copies_are_made_again_until_the_object_knows_that_they_are_there() {
    let mut workspace = workspace();
    let kid = workspace.put(1, None, 0);
    let alarm = |workspace: &mut Workspace| workspace.object.alarm.take().unwrap() - START;
    // It dies before it can say so.
    let first = alarm(&mut workspace);
    assert_eq!(workspace.due(first).into_keys().collect::<Vec<_>>(), [kid.to_string()]);
    // KV fails.
    let second = alarm(&mut workspace);
    assert!((1_000..=5_000).contains(&(second - first)), "{second}");
    assert_eq!(workspace.due(second).len(), 1);
    workspace.call(&Call::Copied { copies: Vec::new(), failed: true }, second + 100);
    let third = alarm(&mut workspace);
    assert!((1_000..=5_100).contains(&(third - second)), "{third}");
    assert_eq!(workspace.due(third).len(), 1);
    workspace.call(&Call::Copied { copies: vec![(kid.to_string(), 1)], failed: false }, third);
    assert!(workspace.due(third + 1).is_empty(), "it is there");
}

/// Half of the 7 days for which they are believed.
#[test]
fn copies_are_made_again_before_they_are_stale() {
    let mut workspace = workspace();
    let kid = workspace.put(1, None, 0);
    workspace.run_alarm(MINUTE);
    assert_eq!(workspace.run_alarm(83 * HOUR), None, "too early");
    for day in 4..40 {
        workspace.run_alarm(day * DAY);
        let left = workspace.copy(&kid).fresh_until - (START + day * DAY) / 1000;
        assert!((3 * DAY / 1000..=7 * DAY / 1000).contains(&left), "day {day}: {left} s left");
    }
}

const START: u64 = 1_800_000_000_000;
/// What one run of the alarm takes, in milliseconds.
const TURN: u64 = 100;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const RULES: Rules = deployment::LEASE;
