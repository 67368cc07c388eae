//! The wallet of one key in one isolate: when it asks for more, what it remembers, what it tells.

use portcullis::account::View;
use portcullis::lease::{CallId, Granted, Pool, Refused, Report, Scope, Wallet};
use portcullis::policy::Limits;

use crate::workspace::{at, call_id};

/// Has seen so many requests and holds a lease of 9 that began at 0, of which so many are spent.
fn wallet(requests: u32, spent: u32) -> Wallet {
    let mut wallet = Wallet::default();
    wallet.expect(requests, LEASE_MILLIS, at(0));
    wallet.granted(None, lease(), &granted(9), 0, 1, at(0));
    for _ in 0..spent {
        assert!(wallet.spend(None, 1, at(0)).is_some());
    }
    wallet
}

fn lease() -> CallId {
    call_id(1)
}

fn granted(tokens: u32) -> Granted {
    Granted { tokens, millis: LEASE_MILLIS, view: None }
}

fn report(spent: u32, closed: bool) -> Report {
    Report { lease: lease(), spent, coins: spent.into(), closed }
}

/// The first millisecond in which more is asked for ahead of need.
fn renewed(wallet: &Wallet) -> Option<u64> {
    (0..LEASE_MILLIS).find(|millis| wallet.renewal_due(None, LEASE_MILLIS, at(*millis)))
}

#[test]
fn a_lease_is_renewed_when_little_is_left_but_not_at_once() {
    assert_eq!(renewed(&wallet(12, 6)), Some(70 * 1_950 / 100), "a third is left");
    assert_eq!(renewed(&wallet(12, 7)), Some(100), "less is left");
}

#[test]
fn a_lease_is_renewed_when_most_of_its_time_is_over() {
    assert_eq!(renewed(&wallet(12, 0)), Some(70 * 1_950 / 100));
    assert!(!wallet(12, 0).renewal_due(None, LEASE_MILLIS, at(1_950)), "it is over");
}

/// A newer lease that has only just come is waited for as well.
#[test]
fn a_renewal_is_given_time_to_settle() {
    let mut wallet = wallet(12, 9);
    wallet.granted(None, call_id(2), &granted(4), 4, 1, at(50));
    assert_eq!(renewed(&wallet), Some(100), "an answer that is spent at once is no lease");
    wallet.granted(None, call_id(3), &granted(4), 3, 1, at(60));
    assert_eq!(renewed(&wallet), Some(160));
}

#[test]
fn a_key_of_little_use_is_not_renewed() {
    assert_eq!(renewed(&wallet(3, 8)), None);
    let mut small = Wallet::default();
    small.expect(12, LEASE_MILLIS, at(0));
    small.granted(None, lease(), &granted(3), 0, 1, at(0));
    assert_eq!(renewed(&small), None);
}

#[test]
fn a_refusal_is_remembered_for_its_wait_but_no_longer_than_a_lease() {
    for (retry_millis, remembered) in [(500, 500), (2_000, 2_000), (3_600_000, 2_000)] {
        let limits = Limits::new(1, 3600, 1).unwrap();
        let view = View { limits, remaining: 0, window_end: 0, burst_remaining: 0 };
        let mut wallet = Wallet::default();
        let refused = Refused { retry_millis, by: Scope::Key, view: Some(view) };
        wallet.refuse(None, refused, LEASE_MILLIS, at(0));
        let last = wallet.refused(None, at(remembered - 1)).map(|refused| refused.retry_millis);
        assert_eq!(last, Some(retry_millis - (remembered - 1)));
        assert_eq!(wallet.refused(None, at(remembered)), None, "of {retry_millis} ms");
    }
}

/// A clock that was set back would else make the wait longer.
#[test]
fn a_refusal_is_not_remembered_before_it_was_given() {
    let mut wallet = Wallet::default();
    let refused = Refused { retry_millis: 500, by: Scope::WorkspaceBudget, view: None };
    wallet.refuse(None, refused, LEASE_MILLIS, at(100));
    assert_eq!(wallet.refused(None, at(99)), None);
    assert_eq!(wallet.refused(None, at(100)), Some(refused));
    assert_eq!(wallet.refused(None, at(101)), Some(Refused { retry_millis: 499, ..refused }));
}

#[test]
fn a_crowd_is_expected_to_go_on_and_single_requests_are_not() {
    let want = |times: &[u64]| {
        let mut wallet = Wallet::default();
        times.iter().for_each(|millis| wallet.note_demand(None, LEASE_MILLIS, at(*millis)));
        wallet.want(None, LEASE_MILLIS, at(*times.last().unwrap()))
    };
    assert_eq!(want(&[0]), 1);
    assert_eq!(want(&[0, 0]), 2 * 64, "for all of them to come as close would be too much");
    assert_eq!(want(&[0, 50]), 2 * (2_000 / 50), "as many in each of the next 50 ms");
    assert_eq!(want(&[0, 51]), 2, "too far apart");
    let steady: Vec<u64> = (0..=2_000).step_by(20).collect();
    assert_eq!(want(&steady[..51]), 51 * 2, "half of the time is over");
    assert_eq!(want(&steady), 101, "all of it is");
    assert_eq!(want(&[0, 4_000, 4_000]), 2 * 64, "after a pause of two leases it begins anew");
    let mut wallet = Wallet::default();
    for millis in [0, 2_000] {
        wallet.note_demand(None, LEASE_MILLIS, at(millis));
    }
    assert_eq!(wallet.want(None, LEASE_MILLIS, at(4_000)), 1, "the older half is over");
}

#[test]
fn a_lease_is_spent_until_its_end_and_not_in_it() {
    let mut wallet = wallet(12, 0);
    assert_eq!((wallet.left(None, at(1_949)), wallet.left(None, at(1_950))), (9, 0));
    assert!(wallet.spend(None, 1, at(1_950)).is_none());
    assert!(wallet.spend(None, 1, at(1_949)).is_some());
}

#[test]
fn what_the_workspace_has_is_not_told_again() {
    let mut wallet = wallet(12, 3);
    assert_eq!(wallet.reports(at(10)), [report(3, false)]);
    assert!(wallet.is_owing_soon());
    wallet.acknowledge(&[report(3, false)]);
    assert_eq!(wallet.reports(at(20)), []);
    assert!(wallet.spend(None, 1, at(30)).is_some());
    assert_eq!(wallet.reports(at(30)), [report(4, false)]);
    assert_eq!(wallet.reports(at(LEASE_MILLIS)), [report(4, true)]);
    wallet.acknowledge(&[report(4, true)]);
    assert!(wallet.reports(at(LEASE_MILLIS)).is_empty() && !wallet.is_owing_soon());
}

#[test]
fn the_last_use_of_a_secret_that_is_being_replaced_is_told_until_it_is_known() {
    let mut wallet = Wallet::default();
    wallet.note_replaced(0, 10);
    wallet.note_replaced(1, 11);
    wallet.note_replaced(0, 12);
    assert!(wallet.is_owing_soon());
    let untold = wallet.take_untold();
    assert_eq!(untold.replaced, [(0, 12), (1, 11)]);
    assert!(!wallet.is_owing_soon());
    wallet.note_replaced(1, 20);
    wallet.untell(untold);
    assert_eq!(wallet.take_untold().replaced, [(1, 20), (0, 12)]);
}

#[test]
fn a_lease_that_cannot_be_reported_is_given_up_after_a_minute() {
    let mut wallet = wallet(12, 3);
    let end = LEASE_MILLIS - 50;
    wallet.forget(at(end + 59_999));
    assert_eq!(wallet.reports(at(end + 59_999)), [report(3, true)]);
    wallet.forget(at(end + 60_000));
    assert!(wallet.reports(at(end + 60_000)).is_empty() && !wallet.is_owing_soon());
}

/// Requests of one pool too many are asked for one by one.
#[test]
fn there_are_never_more_than_64_pools() {
    let mut wallet = Wallet::default();
    let pools = (1..=65).map(|cost| Some(Pool { product: None, cost }));
    for pool in pools.clone() {
        wallet.granted(pool, lease(), &granted(9), 0, 1, at(0));
    }
    let left: Vec<u32> = pools.map(|pool| wallet.left(pool, at(0))).collect();
    assert_eq!((&left[..64], left[64]), (&[9; 64][..], 0));
}

#[test]
fn a_call_has_an_id_of_32_digits_in_one_spelling() {
    let text = "0123456789abcdef0123456789abcdef";
    assert_eq!(CallId::parse(text).unwrap().as_str(), text);
    for other in
        ["", &text[1..], &format!("{text}0"), &text.replace('a', "A"), &text.replace('a', ":")]
    {
        assert!(CallId::parse(other).is_err(), "{other}");
    }
}

const LEASE_MILLIS: u64 = 2_000;
