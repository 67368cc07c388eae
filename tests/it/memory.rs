//! What an isolate believes, and for how long: the figures of ARCHITECTURE.md.

use portcullis::clock::Now;
use portcullis::enquiry::Enquiry;
use portcullis::imported::PointerId;
use portcullis::key::{Kid, Workspace};
use portcullis::lease::{CallId, Granted};
use portcullis::memory::{Known, Memory, Source};
use portcullis::mint;
use portcullis::need::{Ask, Leave};
use portcullis::record::{Document, Record, SecretDocument, Unusable};
use portcullis::root::Keyring;
use portcullis::ticket::Ticket;
use portcullis::workspace::call::Answer;

use crate::simulation::deployment;

const START: u64 = 1_800_000_000_000;

fn keyring() -> Keyring {
    Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap()
}

fn at(millis: u64) -> Now {
    Now::from_millis(START + millis)
}

fn key_id(ring: &Keyring, n: u32) -> Kid {
    let [_, a, b, c] = n.to_be_bytes();
    let workspace = Workspace::parse("DEM0WS").unwrap();
    mint::kid(ring.newest(), workspace, [a, b, c, 0, 0])
}

/// The `n`th key and its record, of this version.
fn key(ring: &Keyring, n: u32, version: u64) -> (Kid, Record) {
    let kid = key_id(ring, n);
    let digest = mint::imported_digest_of(ring.newest(), "x");
    let secret = SecretDocument::new(0, 1, &digest);
    let document = Document { version, ..Document::new(&kid, "ak", secret, START / 1000) };
    let row = document.row(ring.newest()).unwrap();
    (kid, Record::open(ring, &kid, &[], row.value.as_bytes()).unwrap())
}

fn is_known(memory: &mut Memory, kid: &Kid, millis: u64) -> bool {
    matches!(memory.record(kid, at(millis)), Known::Is(_))
}

#[test]
fn a_record_is_believed_for_30_seconds_and_asked_for_after_21() {
    let (ring, mut memory) = (keyring(), Memory::default());
    let (kid, record) = key(&ring, 0, 1);
    assert!(matches!(memory.record(&kid, at(0)), Known::Unknown));
    memory.learn(kid, Some(record), Source::Kv, at(0)).unwrap();
    assert!(is_known(&mut memory, &kid, 29_999) && !is_known(&mut memory, &kid, 30_000));
    let due = [20_999, 21_000, 21_001, 21_999, 22_000].map(|t| memory.refresh_due(&kid, at(t)));
    assert_eq!(due, [false, true, false, false, true]);
}

#[test]
fn an_absence_is_believed_for_5_seconds() {
    let (ring, mut memory) = (keyring(), Memory::default());
    let (kid, _) = key(&ring, 0, 1);
    memory.learn(kid, None, Source::Kv, at(0)).unwrap();
    assert!(matches!(memory.record(&kid, at(4_999)), Known::Absent));
    assert!(matches!(memory.record(&kid, at(5_000)), Known::Unknown));
    let id = PointerId::of(ring.newest(), "x");
    memory.learn_pointer(id, None, at(0));
    assert!(matches!(memory.pointer(&id, at(4_999)), Known::Absent));
    assert!(matches!(memory.pointer(&id, at(5_000)), Known::Unknown));
}

#[test]
fn an_older_copy_is_refused_and_so_is_one_past_its_freshness() {
    let (ring, mut memory) = (keyring(), Memory::default());
    let (kid, record) = key(&ring, 0, 2);
    memory.learn(kid, Some(record), Source::Kv, at(0)).unwrap();
    let old = key(&ring, 0, 1).1;
    assert_eq!(memory.learn(kid, Some(old), Source::Kv, at(31_000)), Err(Unusable::Stale));
    assert!(!is_known(&mut memory, &kid, 31_000));
    let week = mint::FRESH_SECONDS * 1000;
    let fresh = key(&ring, 0, 3).1;
    memory.learn(kid, Some(fresh), Source::Kv, at(week - 1_000)).unwrap();
    assert!(is_known(&mut memory, &kid, week - 1) && !is_known(&mut memory, &kid, week));
    let (_, record) = key(&ring, 0, 4);
    assert_eq!(memory.learn(kid, Some(record), Source::Kv, at(week)), Err(Unusable::Stale));
}

#[test]
fn a_miss_of_kv_does_not_unmake_a_record() {
    let (ring, mut memory) = (keyring(), Memory::default());
    let (kid, record) = key(&ring, 0, 1);
    memory.learn(kid, Some(record), Source::Workspace, at(0)).unwrap();
    assert_eq!(memory.learn(kid, None, Source::Kv, at(1)), Err(Unusable::Stale));
    assert!(is_known(&mut memory, &kid, 29_999));
    memory.learn(kid, None, Source::Kv, at(30_000)).unwrap();
    assert!(matches!(memory.record(&kid, at(30_000)), Known::Absent));
}

#[test]
fn a_clock_that_goes_back_forgets_everything() {
    let (ring, mut memory) = (keyring(), Memory::default());
    let (kid, record) = key(&ring, 0, 1);
    memory.observe(at(0));
    memory.learn(kid, Some(record), Source::Kv, at(0)).unwrap();
    memory.observe(Now::from_millis(START - 1));
    assert!(memory.is_empty());
}

#[test]
fn there_are_never_more_than_4096_records() {
    let (ring, mut memory) = (keyring(), Memory::default());
    for n in 0..5_000 {
        let (kid, record) = key(&ring, n, 1);
        memory.learn(kid, (n % 2 == 0).then_some(record), Source::Kv, at(0)).unwrap();
    }
    assert_eq!(memory.len(), 4096);
    assert!(is_known(&mut memory, &key(&ring, 4_998, 1).0, 0));
    assert!(!is_known(&mut memory, &key(&ring, 0, 1).0, 0));
}

/// What KV still has in the place of a record that was forgotten may not spend what was lent to that.
#[test]
fn a_lease_is_not_for_an_older_copy() {
    let gate = deployment::gate(&deployment::LEASE);
    let ring = gate.keyring();
    for (back, is_kept) in [(None, true), (Some(1), false), (Some(2), true), (Some(3), true)] {
        let (mut memory, mut ticket) = (Memory::default(), Ticket::default());
        let (kid, record) = key(ring, 0, 2);
        memory.learn(kid, Some(record), Source::Kv, at(0)).unwrap();
        let leave = Leave { kid, coins: 1, pool: None, alone: false, once: None, settle: false };
        let id = CallId::new([7; 16]);
        let (enquiry, _) = Enquiry::new(Ask::Leave(leave), id, &gate, &mut memory, at(0));
        if let Some(version) = back {
            for n in 1..=4096 {
                memory.learn(key_id(ring, n), None, Source::Kv, at(1)).unwrap();
            }
            assert!(!is_known(&mut memory, &kid, 1));
            let (_, copy) = key(ring, 0, version);
            memory.learn(kid, Some(copy), Source::Kv, at(1)).unwrap();
        }
        let granted = Answer::Granted(Granted { tokens: 5, millis: 2000, view: None }).print();
        enquiry.learn(&granted, &gate, &mut memory, &mut ticket, at(2)).unwrap();
        let told = Enquiry::report(kid, &mut memory, at(10_000));
        assert_eq!(told.is_some(), is_kept, "back at version {back:?}");
    }
}
