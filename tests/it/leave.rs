//! Leave, by calls: what is lent, what comes back, what is counted, what is forgotten.

use portcullis::key::Kid;
use portcullis::lease::{Granted, Refused, Report, Scope};
use portcullis::workspace::call::{Admit, Answer, Call, Hour, Told};

use crate::simulation::deployment::{self, Rules};
use crate::workspace::{Workspace, admit, at, call_id};

type Triple = (u32, u32, u32);

/// A Workspace whose one key has these limits, of requests, seconds and burst, and shares those.
fn workspace(own: Option<Triple>, shared: Option<Triple>) -> (Workspace, Kid) {
    let rules = Rules { shared, ..deployment::LEASE };
    let mut workspace = Workspace::open(deployment::gate(&rules));
    let kid = workspace.put(1, own.map(deployment::limits), 0);
    (workspace, kid)
}

impl Workspace {
    fn granted(&mut self, call: Admit, millis: u64) -> Granted {
        let answer = self.call(&Call::Admit(call), millis);
        let Answer::Granted(granted) = answer else { panic!("{answer:?}") };
        granted
    }

    fn refused(&mut self, call: Admit, millis: u64) -> Refused {
        let answer = self.call(&Call::Admit(call), millis);
        let Answer::Refused(refused) = answer else { panic!("{answer:?}") };
        refused
    }

    /// What is left in the window after one more request.
    fn remaining(&mut self, id: u64, kid: &Kid, millis: u64) -> u32 {
        self.granted(admit(id, kid, 1), millis).view.unwrap().remaining
    }

    fn report(&mut self, kid: &Kid, lease: u64, spent: u32, closed: bool, millis: u64) {
        let report = Report { lease: call_id(lease), spent, coins: spent.into(), closed };
        let kid = kid.to_string();
        let told = Told { reports: vec![report], ..Told::default() };
        let call = Call::Report { kid, told };
        assert_eq!(self.call(&call, millis), Answer::Done);
    }

    /// All of it, in one hour.
    fn used(&mut self, kid: &Kid, millis: u64) -> Hour {
        let call = Call::Usage { kid: kid.to_string(), from: 0, to: u64::from(u32::MAX) };
        let Answer::Usage { mut hours, .. } = self.call(&call, millis) else { panic!("no usage") };
        assert!(hours.len() < 2, "{hours:?}");
        hours.pop().unwrap_or_default()
    }
}

#[test]
fn what_was_not_spent_comes_back_to_whoever_lent_it() {
    for (own, shared) in [(Some(HUNDRED), None), (None, Some(HUNDRED))] {
        let (mut workspace, kid) = workspace(own, shared);
        assert_eq!(workspace.granted(admit(1, &kid, 40), 0).tokens, 25);
        workspace.report(&kid, 1, 5, true, 1_000);
        assert_eq!(workspace.remaining(2, &kid, 1_000), 100 - 5 - 1, "{own:?}, {shared:?}");
    }
}

#[test]
fn what_was_not_closed_does_not_come_back() {
    let (mut workspace, kid) = workspace(Some(HUNDRED), None);
    workspace.granted(admit(1, &kid, 40), 0);
    workspace.report(&kid, 1, 5, false, 1_000);
    assert_eq!(workspace.remaining(2, &kid, 1_000), 100 - 25 - 1);
}

/// A report of more than was lent, or of less than the answer itself spent, is none to go by.
#[test]
fn a_report_counts_for_what_can_be_so() {
    for (told, spent) in [(u32::MAX, 25), (26, 25), (25, 25), (1, 1), (0, 1)] {
        let (mut workspace, kid) = workspace(Some(HUNDRED), None);
        workspace.granted(admit(1, &kid, 40), 0);
        workspace.report(&kid, 1, told, true, 1_000);
        let used = workspace.used(&kid, 1_000);
        assert_eq!((used.exact, used.at_most), (spent.into(), spent.into()), "told {told}");
        assert_eq!(workspace.remaining(2, &kid, 1_000), 100 - spent - 1, "told {told}");
    }
}

#[test]
fn of_two_exhausted_limits_the_longer_wait_counts() {
    let (long, short) = ((1, 60, 1), (1, 10, 1));
    for (own, shared, by) in [(long, short, Scope::Key), (short, long, Scope::Workspace)] {
        let (mut workspace, kid) = workspace(Some(own), Some(shared));
        workspace.granted(admit(1, &kid, 1), 0);
        let Refused { retry_millis, by: told, .. } = workspace.refused(admit(2, &kid, 1), 1_000);
        assert_eq!((retry_millis, told), (59_000, by));
    }
}

#[test]
fn no_lease_lasts_longer_than_a_minute() {
    let (mut workspace, kid) = workspace(None, None);
    for (asked, lent) in [(u64::MAX, 60_000), (60_001, 60_000), (60_000, 60_000), (59_999, 59_999)]
    {
        let call = Admit { millis: asked, ..admit(asked, &kid, 10) };
        assert_eq!(workspace.granted(call, 0).millis, lent);
    }
}

/// For a minute after its end a lease may still be reported; then nobody knows what was spent of it.
#[test]
fn a_lease_that_is_not_closed_is_given_up_after_a_minute() {
    let lent = || {
        let (mut workspace, kid) = workspace(None, None);
        assert_eq!(workspace.granted(admit(1, &kid, 40), 0).tokens, 40);
        (workspace, kid)
    };
    let (mut workspace, kid) = lent();
    workspace.granted(admit(2, &kid, 8), 62_000);
    workspace.report(&kid, 1, 10, true, 62_000);
    let used = workspace.used(&kid, 62_000);
    assert_eq!((used.exact, used.at_most), (10 + 1, 10 + 8), "in time");

    let (mut workspace, kid) = lent();
    workspace.granted(admit(2, &kid, 8), 62_001);
    let used = workspace.used(&kid, 62_001);
    assert_eq!((used.exact, used.at_most), (1 + 1, 40 + 8), "given up");
    workspace.report(&kid, 1, 10, true, 62_001);
    assert_eq!(workspace.used(&kid, 62_001), used, "too late");
}

/// Leases are looked at where one may be made or is told of, old answers at the beginning of a minute.
#[test]
fn a_call_reads_once_and_no_more_than_it_is_about() {
    let (workspace, kid) = workspace(Some(HUNDRED), None);
    let report = Report { lease: call_id(9), spent: 1, coins: 1, closed: true };
    let told = Told { reports: vec![report], ..Told::default() };
    let telling = Admit { told: told.clone(), ..admit(1, &kid, 1) };
    for (call, millis, names, ranges) in [
        (Call::Admit(admit(1, &kid, 1)), 10_000, 7, 0),
        (Call::Admit(admit(1, &kid, 1)), 9_999, 7, 1),
        (Call::Admit(admit(1, &kid, 2)), 10_000, 7, 1),
        (Call::Admit(telling), 10_000, 7, 1),
        (Call::Report { kid: kid.to_string(), told }, 0, 3, 1),
    ] {
        let (text, now) = (call.print(), at(millis));
        let asked = portcullis::workspace::needs(&text, now);
        assert_eq!((asked.names.len(), asked.ranges.len()), (names, ranges), "{text}");
        assert_eq!(workspace.object.call(&text, &workspace.gate, now).fetches, 1, "{text}");
    }
}

#[test]
fn a_refusal_is_a_denial_if_a_request_waits_for_it() {
    let (mut workspace, kid) = workspace(Some((1, 60, 1)), None);
    workspace.granted(admit(1, &kid, 1), 0);
    workspace.refused(Admit { ahead: true, ..admit(2, &kid, 8) }, 1);
    assert_eq!(workspace.used(&kid, 1).denied("RATE_LIMITED"), 0);
    workspace.refused(admit(3, &kid, 1), 2);
    assert_eq!(workspace.used(&kid, 2).denied("RATE_LIMITED"), 1);
}

/// Repeated within a minute a call is answered as before; in the long run no answer is kept.
#[test]
fn answers_are_kept_for_a_minute_and_not_for_ever() {
    let (mut workspace, kid) = workspace(Some((1000, 3600, 1000)), None);
    for second in 0..600_u64 {
        let remaining = workspace.remaining(second, &kid, second * 1_000);
        assert_eq!(u64::from(remaining), 999 - second);
        if let Some(before) = second.checked_sub(59) {
            let again = u64::from(workspace.remaining(before, &kid, second * 1_000));
            assert_eq!(again, 999 - before, "the call of second {before}");
        }
        let kept = workspace.object.rows.keys().filter(|name| name.starts_with("call/")).count();
        assert!(kept <= 3 * 60, "{kept} answers after {second} s");
    }
}

const HUNDRED: Triple = (100, 60, 100);
