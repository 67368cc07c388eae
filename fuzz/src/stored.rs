//! What is stored: policies, records, accounts.

use portcullis::account::{Account, Taken};
use portcullis::clock::Now;
use portcullis::key::Kid;
use portcullis::policy::{Document as PolicyDocument, Limits, Policy, source};
use portcullis::record::{Document, Record, kv_name};
use portcullis::seal;
use portcullis::spending::Span;

use crate::{lines, text, world};

/// Whatever is compiled the gate reads; whatever the gate reads is what `serde_json` reads.
pub fn policy(data: &[u8]) {
    let Some((choice, text)) = text(data) else { return };
    if choice % 2 == 0 {
        if Policy::from_json(text).is_ok() {
            assert!(serde_json::from_str::<PolicyDocument>(text).is_ok(), "{text}");
        }
        return;
    }
    if let Ok((document, _)) = source::check(text.as_bytes()) {
        let json = serde_json::to_string(&document).unwrap();
        let again: PolicyDocument = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), json);
        assert!(Policy::from_json(&json).is_ok(), "{json}");
    }
}

/// A record is believed under its own name alone, and means to both readers the same.
pub fn record(data: &[u8]) {
    let Some((_, text)) = text(data) else { return };
    let gate = world::gate();
    let root = gate.keyring().newest();
    let Some(kid) = Kid::parse(KID) else { return };
    let sealed = seal::seal(root, &kv_name(&kid), text);
    let opened = Record::open(gate.keyring(), &kid, &gate.policy().tiers, sealed.as_bytes());
    let moved = seal::seal(root, "k1:elsewhere", text);
    assert!(Record::open(gate.keyring(), &kid, &gate.policy().tiers, moved.as_bytes()).is_err());
    if opened.is_ok() {
        let document: Document = serde_json::from_str(text).expect("what only one reader reads");
        assert_eq!(document.kid, KID);
    }
    if let Some(document) = Document::read(text.as_bytes()) {
        let json = serde_json::to_string(&document).unwrap();
        let again = Document::read(json.as_bytes()).expect("what was written");
        assert_eq!(serde_json::to_string(&again).unwrap(), json);
    }
}

/// What was written is read as it was; no account gives more than its limits say.
pub fn account(data: &[u8]) {
    let Some((_, text)) = text(data) else { return };
    let (first, rest) = lines(text);
    if let Ok(taken) = Taken::parse(first) {
        assert_eq!(Taken::parse(&taken.print()).map(|own| own.print()), Ok(taken.print()));
    }
    if let Ok(span) = Span::parse(first) {
        assert_eq!(Span::parse(&span.print()).map(|own| own.print()), Ok(span.print()));
    }
    let (rest, pace) = lines(rest);
    let Ok(mut account) = Account::parse(first, Some(pace).filter(|own| !own.is_empty())) else {
        return;
    };
    if let Some(written) = account.print() {
        let again = Account::parse(&written, account.print_pace().as_deref());
        assert_eq!(again.map(|own| own.print()), Ok(Some(written)));
    }
    let numbers: Vec<u32> = rest.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [requests, window, burst, count, later, ..] = numbers[..] else { return };
    let Ok(limits) = Limits::new(requests, window, burst) else { return };
    let now = Now::from_millis(world::NOW * 1000);
    account.hold_to(&limits, now);
    let left = account.left(&limits, now);
    assert!(left <= limits.requests && left <= limits.burst);
    let taken = account.take(&limits, count.min(left), now);
    assert_eq!(account.left(&limits, now), left - count.min(left));
    let then = Now::from_millis(now.millis() + u64::from(later));
    account.put_back(&taken, count.min(left), then);
    assert!(account.left(&limits, then) <= limits.burst);
    assert!(account.next(&limits, then) >= then.millis() || account.left(&limits, then) > 0);
}

const KID: &str = "0TEST00AF0VVQT70MV32";
