//! Gates and objects of different builds: what version 1 wrote stays readable, and what is of
//! another version decides nothing.
//!
//! `tests/vectors/workspace-v1.json` is frozen: no later build may need a change in it.

use std::collections::BTreeMap;

use portcullis::clock::Now;
use portcullis::denial::Fault;
use portcullis::enquiry::Enquiry;
use portcullis::key::Kid;
use portcullis::lease::CallId;
use portcullis::memory::Memory;
use portcullis::need::{Ask, Leave};
use portcullis::record::Record;
use portcullis::ticket::Ticket;
use portcullis::workspace::call::{Answer, Call};
use serde_json::{Value, json};

use crate::simulation::deployment::{self, Rules};
use crate::simulation::object::Object;

/// A gate of the first build talks to the object of this one.
#[test]
fn an_old_gate_is_answered_as_ever() {
    let file = frozen();
    let mut object = Object::default();
    for (number, step) in file["steps"].as_array().unwrap().iter().enumerate() {
        let answer = call(&mut object, step["call"].as_str().unwrap(), millis(step));
        assert_eq!(answer.print(), step["answer"].as_str().unwrap(), "step {number}: {step}");
    }
    // Rows that later builds have added are none of the old gate's business.
    object.rows.retain(|name, _| !ADDED.iter().any(|prefix| name.starts_with(prefix)));
    let rows = without(&object.rows, "pace=");
    assert_eq!(json!(rows), file["rows"], "the rows in the end");
}

/// An object that the first build has filled, woken by this one.
#[test]
fn old_rows_go_on() {
    let file = frozen();
    let rows = serde_json::from_value(file["rows"].clone()).unwrap();
    let mut object = Object { rows, alarm: None };
    for step in file["later"].as_array().unwrap() {
        let answer = call(&mut object, step["call"].as_str().unwrap(), millis(step));
        assert_eq!(answer.print(), step["answer"].as_str().unwrap(), "{step}");
    }
}

/// This build's gate talks to an object of the first.
#[test]
fn old_answers_are_understood() {
    let file = frozen();
    let gate = deployment::gate(&RULES);
    let mut records = 0;
    for answer in answers(&file) {
        let read = Answer::parse(answer).unwrap();
        if let Answer::Record { value } | Answer::Changed { value } = &read {
            let tiers = &gate.policy().tiers;
            let open = |kid: &Kid| Record::open(gate.keyring(), kid, tiers, value.as_bytes());
            assert!(deployment::keys().iter().any(|key| open(&key.kid).is_ok()), "{answer}");
            records += 1;
        }
        assert_eq!(read.print(), answer);
    }
    assert!(records > 1, "no record among them");
}

/// A later build of the same version may add fields, to calls and to answers.
#[test]
fn unknown_fields_are_passed_over() {
    let file = frozen();
    let added = |text: &str| match text.split_once('\n') {
        Some((head, body)) => format!("{head} later=1\n{body}"),
        None => format!("{text} later=1"),
    };
    let mut object = Object::default();
    for step in file["steps"].as_array().unwrap() {
        let answer = call(&mut object, &added(step["call"].as_str().unwrap()), millis(step));
        assert_eq!(answer.print(), step["answer"].as_str().unwrap(), "{step}");
    }
    for answer in answers(&file) {
        assert_eq!(Answer::parse(&added(answer)), Answer::parse(answer), "{answer}");
    }
}

/// A call of a newer version changes nothing and is told which one would be understood.
#[test]
fn a_newer_call_is_not_guessed_at() {
    let file = frozen();
    let rows = serde_json::from_value(file["rows"].clone()).unwrap();
    let object = Object { rows, alarm: None };
    for step in file["steps"].as_array().unwrap() {
        let newer = step["call"].as_str().unwrap().replacen("v=1", "v=2", 1);
        let effect = object.call(&newer, &deployment::gate(&RULES), Now::from_millis(millis(step)));
        assert_eq!(effect.answer, Answer::Version { newest: 1 }, "{newer}");
        assert!(effect.changes.is_empty(), "{newer}: {:?}", effect.changes);
    }
}

/// A gate whose call is of a version that its object does not know cannot decide: 503, no lease.
#[test]
fn a_gate_that_is_not_understood_cannot_decide() {
    let gate = deployment::gate(&RULES);
    let kid = deployment::keys()[0].kid;
    let now = Now::from_millis(1_000_000);
    for ask in [
        Ask::Record(kid),
        Ask::Leave(Leave { kid, coins: 1, pool: None, alone: false, once: None, settle: false }),
    ] {
        let (mut memory, mut ticket) = (Memory::default(), Ticket::default());
        let (enquiry, text) = Enquiry::new(ask, CallId::new([7; 16]), &gate, &mut memory, now);
        assert!(Call::parse(&text).is_ok(), "{text}");
        let learnt = enquiry.learn("version newest=0", &gate, &mut memory, &mut ticket, now);
        assert_eq!(learnt, Err(Fault::WorkspaceUnavailable));
        assert!(memory.is_empty());
    }
}

/// Rows of a schema that this build does not know are neither read nor written.
#[test]
fn newer_rows_are_left_alone() {
    let file = frozen();
    let mut rows: BTreeMap<String, String> = serde_json::from_value(file["rows"].clone()).unwrap();
    let meta = rows.get_mut("meta").unwrap();
    *meta = meta.replace("schema=1", "schema=2");
    let object = Object { rows, alarm: None };
    for step in file["steps"].as_array().unwrap() {
        let text = step["call"].as_str().unwrap();
        let effect = object.call(text, &deployment::gate(&RULES), Now::from_millis(millis(step)));
        let row = if Call::parse(text).is_ok() { "meta" } else { "" }.to_owned();
        assert_eq!(effect.answer, Answer::Broken { row }, "{text}");
        assert!(effect.changes.is_empty(), "{text}: {:?}", effect.changes);
    }
}

/// As an object writes its rows that does not know a field.
fn without(rows: &BTreeMap<String, String>, field: &str) -> BTreeMap<String, String> {
    let less = |row: &str| {
        let known = row.split(' ').filter(|own| !own.starts_with(field));
        known.collect::<Vec<_>>().join(" ")
    };
    rows.iter().map(|(name, row)| (name.clone(), less(row))).collect()
}

fn call(object: &mut Object, text: &str, now: u64) -> Answer {
    let effect = object.call(text, &deployment::gate(&RULES), Now::from_millis(now));
    object.commit(&effect);
    effect.answer
}

fn answers(file: &Value) -> impl Iterator<Item = &str> {
    let steps = ["steps", "later"].into_iter().flat_map(|part| file[part].as_array().unwrap());
    steps.map(|step| step["answer"].as_str().unwrap())
}

fn millis(step: &Value) -> u64 {
    step["now"].as_u64().unwrap()
}

fn frozen() -> Value {
    serde_json::from_str(include_str!("../vectors/workspace-v1.json")).unwrap()
}

const RULES: Rules = Rules { shared: Some((50, 60, 50)), ..deployment::LEASE };
const ADDED: [&str; 4] = ["list/", "ends/", "live", "audit"];
