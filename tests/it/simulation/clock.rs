//! A clock that goes back while the Workspace is asked.

use portcullis::clock::Now;
use portcullis::enquiry::Enquiry;
use portcullis::lease::CallId;
use portcullis::memory::{Memory, Source};
use portcullis::need::{Ask, Leave};
use portcullis::record::Record;
use portcullis::ticket::Ticket;

use super::deployment::{LEASE, gate, keys};

#[test]
fn a_lease_asked_for_by_another_clock_is_not_kept() {
    let gate = gate(&LEASE);
    let key = &keys()[0];
    let row = key.document(None).row(gate.keyring().newest()).unwrap();
    let row = row.value;
    let know = |memory: &mut Memory, now| {
        memory.observe(now);
        let record = Record::open(gate.keyring(), &key.kid, &[], row.as_bytes()).unwrap();
        memory.learn(key.kid, Some(record), Source::Workspace, now).unwrap();
    };
    for (back, kept) in [(0, true), (5_000, false)] {
        let mut memory = Memory::default();
        let sent = Now::from_millis(10_000);
        know(&mut memory, sent);
        let ask = Ask::Leave(Leave {
            kid: key.kid,
            coins: 1,
            pool: None,
            alone: false,
            once: None,
            settle: false,
        });
        let id = CallId::new([7; 16]);
        let (enquiry, _) = Enquiry::new(ask, id, &gate, &mut memory, sent);
        know(&mut memory, Now::from_millis(10_010 - back));
        let now = Now::from_millis(10_020 - back);
        let answer = "granted tokens=5 millis=2000";
        enquiry.learn(answer, &gate, &mut memory, &mut Ticket::default(), now).unwrap();
        let told = Enquiry::report(key.kid, &mut memory, Now::from_millis(20_000));
        assert_eq!(told.is_some(), kept, "{back} ms back");
    }
}
