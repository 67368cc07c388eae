//! Budgets and the limits of products, by calls: what is taken, what comes back, when it is there again.

use portcullis::clock::Now;
use portcullis::key::Kid;
use portcullis::lease::{Granted, Refused, Report, Scope};
use portcullis::policy::{Budget, Limits};
use portcullis::spending::{Span, Spending};
use portcullis::workspace::call::{Admit, Answer, Call, Hour, Once, Pool, Share, Told};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::simulation::deployment;
use crate::workspace::{Workspace, admit, call_id};

/// A Workspace by such a policy, and its first key.
fn workspace(more: &Value) -> (Workspace, Kid) {
    let mut workspace = Workspace::open(deployment::gate_with(more));
    let kid = workspace.put(1, None, 0);
    (workspace, kid)
}

/// A budget of the workspace for a day.
fn of_workspace(coins: u64) -> Value {
    json!({ "budget": { "coins": coins, "period": "day" } })
}

/// A product with so many coins a day and such limits.
fn of_product(coins: u64, limits: Option<&Limits>) -> Value {
    let mut product = json!({ "name": "maps", "budget": { "coins": coins, "period": "day" } });
    if let Some(limits) = limits {
        product["limits"] = serde_json::to_value(limits).unwrap();
    }
    json!({ "products": [product, { "name": "mail" }] })
}

/// Leave for requests of this price.
fn paid(id: u64, kid: &Kid, product: Option<&str>, cost: u32, want: u32) -> Admit {
    let pool = Some(Pool { product: product.map(str::to_owned), cost });
    Admit { coins: cost, pool, ..admit(id, kid, want) }
}

fn granted(workspace: &mut Workspace, call: Admit, millis: u64) -> Granted {
    let answer = workspace.call(&Call::Admit(call), millis);
    let Answer::Granted(granted) = answer else { panic!("{answer:?}") };
    granted
}

fn refused(workspace: &mut Workspace, call: Admit, millis: u64) -> Refused {
    let answer = workspace.call(&Call::Admit(call), millis);
    let Answer::Refused(refused) = answer else { panic!("{answer:?}") };
    refused
}

fn close(workspace: &mut Workspace, kid: &Kid, lease: u64, spent: u32, coins: u64, millis: u64) {
    let report = Report { lease: call_id(lease), spent, coins, closed: true };
    let told = Told { reports: vec![report], ..Told::default() };
    let call = Call::Report { kid: kid.to_string(), told };
    assert_eq!(workspace.call(&call, millis), Answer::Done);
}

/// How many requests of this price get leave, one by one.
fn usable(
    workspace: &mut Workspace,
    kid: &Kid,
    product: Option<&str>,
    cost: u32,
    millis: u64,
) -> u64 {
    let from = 1_000_000 + millis * 1_000;
    let grants = |id: &u64| {
        let call = Call::Admit(paid(*id, kid, product, cost, 1));
        matches!(workspace.call(&call, millis), Answer::Granted(_))
    };
    (from..from + 1_000).take_while(grants).count() as u64
}

fn hours(workspace: &mut Workspace, kid: &Kid, millis: u64) -> Vec<Hour> {
    let call = Call::Usage { kid: kid.to_string(), from: 0, to: u64::from(u32::MAX) };
    let Answer::Usage { hours, .. } = workspace.call(&call, millis) else { panic!("no usage") };
    hours
}

#[test]
fn a_budget_of_fifty_admits_fifty() {
    for (more, product) in [(of_workspace(50), None), (of_product(50, None), Some("maps"))] {
        let (mut workspace, kid) = workspace(&more);
        assert_eq!(usable(&mut workspace, &kid, product, 1, 0), 50);
        let refusal = refused(&mut workspace, paid(1, &kid, product, 1, 1), 1);
        let by = if product.is_some() { Scope::ProductBudget } else { Scope::WorkspaceBudget };
        assert_eq!((refusal.by, refusal.view), (by, None));
        assert_eq!(hours(&mut workspace, &kid, 1)[0].denied("BUDGET_EXHAUSTED"), 2);
    }
}

/// Requests that cost less may still pass, those that cost nothing always do.
#[test]
fn what_is_left_pays_for_what_it_can() {
    let (mut workspace, kid) = workspace(&of_workspace(10));
    assert_eq!(usable(&mut workspace, &kid, None, 4, 0), 2);
    assert_eq!(usable(&mut workspace, &kid, None, 2, 1), 1);
    assert_eq!(usable(&mut workspace, &kid, None, 1, 2), 0);
    assert_eq!(usable(&mut workspace, &kid, None, 0, 3), 1_000);
}

/// The day ends 16 hours after the clock of these tests begins.
#[test]
fn coins_are_there_again_at_the_end_of_the_day_in_utc() {
    for (more, product) in [(of_workspace(7), None), (of_product(7, None), Some("maps"))] {
        let (mut workspace, kid) = workspace(&more);
        assert_eq!(usable(&mut workspace, &kid, product, 1, 0), 7);
        let refusal = refused(&mut workspace, paid(1, &kid, product, 1, 1), MIDNIGHT - 1);
        assert_eq!(refusal.retry_millis, 1);
        assert_eq!(usable(&mut workspace, &kid, product, 1, MIDNIGHT), 7);
    }
}

#[test]
fn weeks_begin_on_monday_and_months_on_the_first() {
    // The clock begins on Friday, 15 January 2027, 08:00.
    for (period, days) in [("week", 3), ("month", 17)] {
        let (mut workspace, kid) =
            workspace(&json!({ "budget": { "coins": 3, "period": period } }));
        let reset = days * DAY - 8 * HOUR;
        assert_eq!(usable(&mut workspace, &kid, None, 1, 0), 3);
        let refusal = refused(&mut workspace, paid(1, &kid, None, 1, 1), 5);
        assert_eq!(refusal.retry_millis, reset - 5, "{period}");
        assert_eq!(usable(&mut workspace, &kid, None, 1, reset - 1), 0);
        assert_eq!(usable(&mut workspace, &kid, None, 1, reset), 3);
    }
}

#[test]
fn all_of_it_or_nothing_is_taken() {
    let few = Limits::new(1, 3600, 1).unwrap();
    let mut more = of_product(10, Some(&few));
    more["budget"] = json!({ "coins": 100, "period": "week" });
    let (mut workspace, kid) = workspace(&more);
    granted(&mut workspace, paid(1, &kid, Some("maps"), 2, 1), 0);
    // The product's limit refuses, so nothing of either budget is taken.
    let before = workspace.object.rows.clone();
    let refusal = refused(&mut workspace, paid(2, &kid, Some("maps"), 2, 1), 1);
    assert_eq!(refusal.by, Scope::Product);
    for row in ["account/", "account/product:maps"] {
        assert_eq!(workspace.object.rows[row], before[row]);
    }
    // Another product has no limits; the workspace's budget is one for both.
    assert_eq!(usable(&mut workspace, &kid, Some("mail"), 2, 2), 49);
}

#[test]
fn a_product_s_limits_are_shared_by_all_keys() {
    let ten = Limits::new(10, 3600, 10).unwrap();
    let (mut workspace, first) = workspace(&of_product(1000, Some(&ten)));
    let second = workspace.put(2, None, 0);
    for id in 0..10 {
        granted(
            &mut workspace,
            paid(id, [&first, &second][id as usize % 2], Some("maps"), 1, 1),
            0,
        );
    }
    assert_eq!(refused(&mut workspace, paid(90, &first, Some("maps"), 1, 1), 1).by, Scope::Product);
    assert_eq!(
        refused(&mut workspace, paid(91, &second, Some("maps"), 1, 1), 1).by,
        Scope::Product
    );
    assert_eq!(granted(&mut workspace, paid(92, &second, Some("mail"), 1, 1), 1).view, None);
}

/// A quarter of what is left, in requests of its price; at least one.
#[test]
fn a_lease_is_no_larger_than_a_quarter_of_what_can_be_paid() {
    for (more, product) in [(of_workspace(100), None), (of_product(100, None), Some("maps"))] {
        let (mut workspace, kid) = workspace(&more);
        assert_eq!(granted(&mut workspace, paid(1, &kid, product, 5, 40), 0).tokens, 5);
        assert_eq!(granted(&mut workspace, paid(2, &kid, product, 5, 40), 1).tokens, 3);
        assert_eq!(granted(&mut workspace, paid(3, &kid, product, 10, 40), 2).tokens, 1);
        assert_eq!(granted(&mut workspace, paid(4, &kid, product, 50, 40), 3).tokens, 1);
        assert_eq!(usable(&mut workspace, &kid, product, 1, 4), 0);
    }
}

/// One that costs nothing is of none.
#[test]
fn a_lease_ends_with_the_period_of_its_coins() {
    let (mut workspace, kid) = workspace(&of_workspace(100));
    for (id, cost, millis) in [(1, 1, 500), (2, 0, 2_000)] {
        let lent = granted(&mut workspace, paid(id, &kid, None, cost, 8), MIDNIGHT - 500);
        assert_eq!(lent.millis, millis, "{cost} coins");
    }
}

#[test]
fn what_was_not_spent_comes_back_into_the_same_period_only() {
    for (more, product) in [(of_workspace(100), None), (of_product(100, None), Some("maps"))] {
        let (mut workspace, kid) = workspace(&more);
        let late = MIDNIGHT - 3_000;
        assert_eq!(granted(&mut workspace, paid(1, &kid, product, 2, 40), late).tokens, 12);
        close(&mut workspace, &kid, 1, 5, 10, late + 1_000);
        assert_eq!(usable(&mut workspace, &kid, product, 1, late + 1_000), 90);

        let (mut workspace, kid) = self::workspace(&more);
        let lease = granted(&mut workspace, paid(1, &kid, product, 2, 40), MIDNIGHT - 500);
        assert_eq!((lease.tokens, lease.millis), (12, 500), "cut at the end of the day");
        granted(&mut workspace, paid(2, &kid, product, 30, 1), MIDNIGHT);
        close(&mut workspace, &kid, 1, 1, 2, MIDNIGHT + 1);
        assert_eq!(usable(&mut workspace, &kid, product, 1, MIDNIGHT + 1), 70);
    }
}

/// A report of fewer coins than its requests cost gives back no more than was lent.
/// An isolate tells of leases with whatever it asks next.
#[test]
fn what_comes_back_for_one_product_is_told_with_a_request_for_another() {
    let product = |name: &str| json!({ "name": name, "budget": { "coins": 100, "period": "day" } });
    let (mut workspace, kid) =
        workspace(&json!({ "products": [product("maps"), product("mail")] }));
    assert_eq!(granted(&mut workspace, paid(1, &kid, Some("maps"), 1, 40), 0).tokens, 25);
    let report = Report { lease: call_id(1), spent: 5, coins: 5, closed: true };
    let told = Told { reports: vec![report], ..Told::default() };
    granted(&mut workspace, Admit { told, ..paid(2, &kid, Some("mail"), 1, 1) }, 1);
    assert_eq!(usable(&mut workspace, &kid, Some("maps"), 1, 2), 95);
    assert_eq!(usable(&mut workspace, &kid, Some("mail"), 1, 3), 99);
}

#[test]
fn a_report_gives_back_no_more_than_was_lent() {
    let (mut workspace, kid) = workspace(&of_workspace(100));
    granted(&mut workspace, paid(1, &kid, None, 2, 40), 0);
    close(&mut workspace, &kid, 1, u32::MAX, u64::MAX, 1);
    assert_eq!(usable(&mut workspace, &kid, None, 1, 1), 100 - 24);
}

#[test]
fn use_is_counted_by_product() {
    let (mut workspace, kid) = workspace(&of_product(100, None));
    granted(&mut workspace, paid(1, &kid, Some("maps"), 2, 40), 0);
    granted(&mut workspace, paid(2, &kid, Some("mail"), 3, 1), 1);
    granted(&mut workspace, admit(3, &kid, 1), 2);
    close(&mut workspace, &kid, 1, 4, 8, 3);
    let hour = &hours(&mut workspace, &kid, 4)[0];
    let share =
        |product: &str, requests, coins| Share { product: product.to_owned(), requests, coins };
    assert_eq!((hour.exact, hour.coins), (6, 8 + 3 + 1));
    assert_eq!(hour.products, [share("maps", 4, 8), share("mail", 1, 3)]);
}

/// With every limit and budget that there is, and a signed request.
#[test]
fn a_strict_admission_writes_four_rows_and_five_with_a_nonce() {
    let limits = Limits::new(100, 3600, 100).unwrap();
    let mut more = of_product(1000, Some(&limits));
    more["budget"] = json!({ "coins": 1000, "period": "week" });
    more["workspace_limits"] = serde_json::to_value(limits).unwrap();
    let (mut workspace, kid) = workspace(&more);
    for (once, rows) in [(None, 4), (Some(Once { mark: [1; 16], until: 1_800_000_030 }), 5)] {
        let call = Admit { once, ..paid(1 + rows as u64, &kid, Some("maps"), 2, 1) };
        let now = crate::workspace::at(20_000);
        let effect = workspace.object.call(&Call::Admit(call).print(), &workspace.gate, now);
        assert!(matches!(effect.answer, Answer::Granted(_)), "{:?}", effect.answer);
        assert_eq!(effect.changes.len(), rows, "{:?}", effect.changes);
        assert_eq!(effect.fetches, 1);
        workspace.object.commit(&effect);
    }
}

/// What an older policy's gate, or an older gate, does not say is not guessed at.
#[test]
fn a_call_that_names_no_price_is_lent_nothing() {
    let (mut workspace, kid) = workspace(&of_workspace(10));
    let one = granted(&mut workspace, Admit { coins: 4, ..admit(1, &kid, 40) }, 0);
    assert_eq!(one.tokens, 1, "the request that waits, at its price");
    assert_eq!(usable(&mut workspace, &kid, None, 1, 1), 6);
    let ahead = Admit { ahead: true, coins: 0, ..admit(2, &kid, 40) };
    let before = workspace.object.rows.clone();
    assert_eq!(workspace.call(&Call::Admit(ahead), 2), Answer::Version { newest: 3 });
    assert_eq!(workspace.object.rows, before);
}

#[test]
fn a_product_that_the_policy_lacks_is_a_fault() {
    let (mut workspace, kid) = workspace(&of_product(10, None));
    let before = workspace.object.rows.clone();
    let answer = workspace.call(&Call::Admit(paid(1, &kid, Some("other"), 1, 1)), 0);
    assert_eq!(answer, Answer::Broken { row: "account/product:other".to_owned() });
    assert_eq!(workspace.object.rows, before);
}

/// What an object of before budgets would do with such a call.
#[test]
fn a_call_of_a_pool_is_of_a_version_of_its_own() {
    let kid = deployment::keys()[0].kid;
    let text = Call::Admit(paid(1, &kid, Some("maps"), 0, 1)).print();
    assert!(text.contains(" v=3 ") && text.contains(" cost=0 product=maps"), "{text}");
    for version in ["v=1", "v=2", "v=4"] {
        assert!(Call::parse(&text.replace("v=3", version)).is_err(), "{version}");
    }
    let of_no_price = text.replace(" cost=0 product=maps", "");
    assert!(Call::parse(&of_no_price).is_err());
    for name in ["Maps", "a/b", ""] {
        assert!(Call::parse(&text.replace("maps", name)).is_err(), "{name}");
    }
}

fn budget(coins: u64, period: &str) -> Budget {
    serde_json::from_value(json!({ "coins": coins, "period": period })).unwrap()
}

fn at(second: u64) -> Now {
    Now::from_millis(second * 1000)
}

#[test]
fn a_forecast_is_in_proportion_to_the_time_gone() {
    let budget = budget(1_000, "day");
    let mut spending = Spending::default();
    spending.hold_to(&budget, at(MONDAY));
    spending.take(30);
    for (second, forecast) in
        [(0, None), (863, None), (864, Some(3_000)), (43_200, Some(60)), (86_399, Some(31))]
    {
        assert_eq!(spending.forecast(at(MONDAY + second)), forecast, "{second}");
    }
}

/// Both ways no period is opened twice.
#[test]
fn a_clock_that_is_set_back_opens_no_period_again() {
    let budget = budget(10, "week");
    let mut spending = Spending::default();
    spending.hold_to(&budget, at(MONDAY - 1));
    spending.take(10);
    spending.hold_to(&budget, at(MONDAY));
    spending.take(4);
    spending.hold_to(&budget, at(MONDAY - 1));
    assert_eq!(spending.left(&budget), 6, "the new week goes on");
    spending.hold_to(&budget, at(MONDAY + 1));
    assert_eq!(spending.left(&budget), 6);
    // By a clock that was wrong by months nobody waits for months.
    spending.hold_to(&budget, at(MONDAY + 300 * DAY / 1000));
    spending.take(10);
    spending.hold_to(&budget, at(MONDAY + 2));
    assert_eq!((spending.left(&budget), spending.reset()), (0, (MONDAY + 7 * DAY / 1000) * 1000));
}

#[test]
fn another_period_in_the_policy_takes_over_what_was_spent() {
    let (week, day) = (budget(10, "week"), budget(10, "day"));
    let mut spending = Spending::default();
    spending.hold_to(&day, at(MONDAY + DAY / 1000));
    spending.take(4);
    spending.hold_to(&week, at(MONDAY + DAY / 1000 + 1));
    assert_eq!(spending.left(&week), 6);
    spending.hold_to(&day, at(MONDAY + 2 * DAY / 1000));
    assert_eq!(spending.left(&day), 6, "what of a week was spent today is not known");
    spending.hold_to(&day, at(MONDAY + 3 * DAY / 1000));
    assert_eq!(spending.left(&day), 10);
}

proptest! {
    /// Against a log of what was taken and put back, by the first second of each period.
    #[test]
    fn what_is_left_is_what_the_log_says(
        coins in 1..200_u64,
        period in prop::sample::select(&["day", "week", "month"]),
        takes in prop::collection::vec((0..30_000_u64, 0..90_u64, 0..=90_u64, 0..200_000_u64), 1..60),
    ) {
        let budget = budget(coins, period);
        let (mut spending, mut now) = (Spending::default(), MONDAY);
        // Each with its period, what of it was kept or is still out, and when the rest comes back.
        let mut log: Vec<(u64, u64)> = Vec::new();
        let mut out: Vec<(u64, Span, usize, u64)> = Vec::new();
        for (pause, want, keep, hold) in takes {
            now += pause;
            out.sort_by_key(|(until, ..)| *until);
            while let Some((_, span, place, rest)) = out.first().copied().filter(|(until, ..)| *until <= now) {
                spending.hold_to(&budget, at(now));
                spending.put_back(span, rest);
                log[place].1 -= rest;
                out.remove(0);
            }
            spending.hold_to(&budget, at(now));
            let start = budget.period.start(now);
            let used: u64 = log.iter().filter(|(own, _)| *own == start).map(|(_, used)| used).sum();
            prop_assert_eq!(spending.used(), used);
            prop_assert_eq!(spending.left(&budget), coins - used);
            if want > 0 && want <= spending.left(&budget) {
                let span = spending.take(want);
                prop_assert_eq!((span.start, span.end), (start, budget.period.end(now)));
                log.push((start, want));
                out.push((now + hold, span, log.len() - 1, want - keep.min(want)));
            }
        }
    }
}

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
const MIDNIGHT: u64 = 16 * HOUR;
/// 2027-01-18T00:00:00Z.
const MONDAY: u64 = 1_800_230_400;
