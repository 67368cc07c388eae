//! Costs that origins tell: what is reserved, what comes back of it, and that nothing comes back twice.

use std::collections::BTreeMap;

use portcullis::key::{self, Kid};
use portcullis::lease::CallId;
use portcullis::lookup::{Chore, Errand, Trouble};
use portcullis::policy::HeaderName;
use portcullis::reservation::{BadCost, Reservation};
use portcullis::workspace::call::{Admit, Answer, Call, Hour, Pool, Share};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::metering::{ALLOWED, Isolate, Outcome};
use crate::simulation::deployment::{self, WORKSPACE};
use crate::workspace::{Workspace, admit, at, call_id};

/// A Workspace with so many coins a day for a product, and for all, and its first key.
fn workspace(of_product: u64, of_all: u64) -> (Workspace, Kid) {
    let budget = |coins| json!({ "coins": coins, "period": "day" });
    let more = json!({
        "budget": budget(of_all),
        "products": [{ "name": "maps", "budget": budget(of_product) }, { "name": "mail" }],
    });
    let mut workspace = Workspace::open(deployment::gate_with(&more));
    let kid = workspace.put(1, None, 0);
    (workspace, kid)
}

/// Leave for one request whose origin will say what it has cost.
fn reserving(id: u64, kid: &Kid, cost: u32) -> Call {
    let pool = Some(Pool { product: Some("maps".to_owned()), cost });
    Call::Admit(Admit { coins: cost, pool, settle: true, ..admit(id, kid, 1) })
}

fn settling(id: u64, kid: &Kid, coins: u32) -> Call {
    Call::Settle { id: call_id(id), kid: kid.to_string(), coins }
}

impl Workspace {
    fn reserve(&mut self, id: u64, kid: &Kid, cost: u32, millis: u64) -> bool {
        let answer = self.call(&reserving(id, kid, cost), millis);
        if let Answer::Granted(granted) = &answer {
            return granted.tokens == 1;
        }
        assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
        false
    }

    fn settle(&mut self, id: u64, kid: &Kid, coins: u32, millis: u64) {
        assert_eq!(self.call(&settling(id, kid, coins), millis), Answer::Done);
    }

    /// What the budgets say was spent, of the workspace and of the product.
    fn spent(&self) -> [u64; 2] {
        ["account/", "account/product:maps"].map(|name| {
            let row = self.object.rows.get(name).map(String::as_str).unwrap_or_default();
            let used = row.split(' ').find_map(|field| field.strip_prefix("coins_used="));
            used.map_or(0, |used| used.parse().unwrap())
        })
    }

    fn hours(&mut self, kid: &Kid, millis: u64) -> Vec<Hour> {
        let call = Call::Usage { kid: kid.to_string(), from: 0, to: u64::from(u32::MAX) };
        let Answer::Usage { hours, .. } = self.call(&call, millis) else { panic!("no usage") };
        hours
    }

    fn reserved(&self) -> usize {
        self.object.rows.keys().filter(|name| name.starts_with("reserved/")).count()
    }
}

#[test]
fn what_was_too_much_comes_back_to_budgets_and_use() {
    let (mut workspace, kid) = workspace(30, 100);
    assert!(workspace.reserve(1, &kid, 10, 0));
    assert_eq!(workspace.spent(), [10, 10], "before the origin has answered");
    workspace.settle(1, &kid, 3, 1);
    assert_eq!((workspace.spent(), workspace.reserved()), ([3, 3], 0));
    let hour = &workspace.hours(&kid, 2)[0];
    let share = Share { product: "maps".to_owned(), requests: 1, coins: 3 };
    assert_eq!((hour.exact, hour.at_most, hour.coins), (1, 1, 3));
    assert_eq!(hour.products, [share]);
    let passed = (10..20).filter(|id| workspace.reserve(*id, &kid, 10, 3)).count();
    assert_eq!((passed, workspace.spent()), (2, [23, 23]), "30 a day");
}

/// Whatever the second one says, and though the admission is repeated in between.
#[test]
fn a_second_settlement_changes_nothing() {
    let (mut workspace, kid) = workspace(100, 100);
    assert!(workspace.reserve(1, &kid, 10, 0));
    assert!(workspace.reserve(2, &kid, 10, 0));
    workspace.settle(1, &kid, 4, 1);
    let before = workspace.object.rows.clone();
    for coins in [0, 4, 9, 10] {
        workspace.settle(1, &kid, coins, 2);
        assert!(workspace.reserve(1, &kid, 10, 3), "the same answer");
        assert_eq!(workspace.object.rows, before, "{coins}");
    }
    assert_eq!(workspace.spent(), [14, 14]);
}

#[test]
fn a_settlement_of_nothing_that_is_known_changes_nothing() {
    let (mut workspace, kid) = workspace(100, 100);
    let other = workspace.put(2, None, 0);
    assert!(workspace.reserve(1, &kid, 10, 0));
    let plain = Admit { coins: 7, ..admit(2, &kid, 1) };
    assert!(matches!(workspace.call(&Call::Admit(plain), 0), Answer::Granted(_)));
    let before = workspace.object.rows.clone();
    // No such call, one of another key, and one that reserved nothing.
    for (id, kid) in [(9, &kid), (1, &other), (2, &kid)] {
        workspace.settle(id, kid, 0, 1);
        assert_eq!(workspace.object.rows, before, "{id}");
    }
    let never = key::Workspace::parse(WORKSPACE).unwrap();
    let gate = std::rc::Rc::clone(&workspace.gate);
    let nobody = portcullis::mint::kid(gate.keyring().newest(), never, [9; 5]);
    workspace.settle(1, &nobody, 0, 1);
    assert_eq!(workspace.object.rows, before);
}

/// A gate says no such thing.
#[test]
fn more_than_was_reserved_takes_no_more() {
    let (mut workspace, kid) = workspace(100, 100);
    assert!(workspace.reserve(1, &kid, 10, 0));
    workspace.settle(1, &kid, u32::MAX, 1);
    assert_eq!(workspace.spent(), [10, 10]);
}

/// The day ends 16 hours after the clock of these tests begins.
#[test]
fn coins_of_a_day_that_is_over_come_back_into_no_other() {
    let (mut workspace, kid) = workspace(100, 100);
    assert!(workspace.reserve(1, &kid, 10, MIDNIGHT - 1_000));
    assert!(workspace.reserve(2, &kid, 20, MIDNIGHT));
    workspace.settle(1, &kid, 0, MIDNIGHT + 1);
    assert_eq!(workspace.spent(), [20, 20]);
    // What the key has used in that hour is known better all the same.
    let coins: Vec<u64> =
        workspace.hours(&kid, MIDNIGHT + 2).iter().map(|hour| hour.coins).collect();
    assert_eq!(coins, [0, 20]);
}

/// Origins have 300 s at most; what they never say is forgotten.
#[test]
fn a_reservation_is_kept_for_as_long_as_an_origin_may_take() {
    for second in [0, 111, 112, 300, 511] {
        let begun = second * 1_000;
        let (mut workspace, kid) = workspace(100, 100);
        assert!(workspace.reserve(1, &kid, 10, begun));
        workspace.run_alarm(begun + 400_000);
        assert_eq!(workspace.reserved(), 1, "{second}");
        workspace.settle(1, &kid, 0, begun + 400_000);
        assert_eq!(workspace.spent(), [0, 0], "{second}");

        assert!(workspace.reserve(2, &kid, 10, begun + 400_001));
        workspace.run_alarm(begun + 400_001 + 1_024_000);
        assert_eq!(workspace.reserved(), 0, "{second}");
        workspace.settle(2, &kid, 0, begun + 400_001 + 1_024_000);
        assert_eq!(workspace.spent(), [10, 10], "{second}");
    }
}

/// One row more, and one that goes. The first refusal looks for a webhook and notes that the budget was told of.
#[test]
fn a_reservation_costs_one_row_and_a_refusal_none() {
    let (mut workspace, kid) = workspace(15, 100);
    for (id, rows, fetches, left) in [(1, 5, 1, 1), (2, 3, 2, 0), (3, 2, 1, 0)] {
        let text = reserving(id, &kid, 10).print();
        let effect = workspace.object.call(&text, &workspace.gate, at(20_000));
        assert_eq!(effect.changes.len(), rows, "{:?}", effect.changes);
        assert_eq!(effect.fetches, fetches);
        let reserved = effect.changes.iter().filter(|(name, _)| name.starts_with("reserved/"));
        assert_eq!(reserved.count(), left);
        workspace.object.commit(&effect);
    }
    let text = settling(1, &kid, 1).print();
    let effect = workspace.object.call(&text, &workspace.gate, at(20_001));
    assert_eq!((effect.changes.len(), effect.fetches), (4, 2), "{:?}", effect.changes);
}

/// An object of before keeps what it has taken, and says of the rest that it cannot read it.
#[test]
fn an_older_object_keeps_what_it_has_taken() {
    let (mut workspace, kid) = workspace(100, 100);
    let text = reserving(1, &kid, 10).print();
    assert!(text.contains(" v=3 ") && text.ends_with(" settle=1"), "{text}");
    workspace.call_text(text.trim_end_matches(" settle=1"), 0);
    let before = workspace.object.rows.clone();
    workspace.settle(1, &kid, 0, 1);
    assert_eq!((&workspace.object.rows, workspace.spent()), (&before, [10, 10]));
}

/// Half of a refund would be one that can be had again, or never.
#[test]
fn a_row_that_cannot_be_read_undoes_all_of_it() {
    for row in ["account/", "account/product:maps"] {
        let (mut workspace, kid) = workspace(100, 100);
        assert!(workspace.reserve(1, &kid, 10, 0));
        workspace.object.rows.insert(row.to_owned(), "account coins_used=-1".to_owned());
        let before = workspace.object.rows.clone();
        let answer = workspace.call(&settling(1, &kid, 1), 1);
        assert_eq!(answer, Answer::Broken { row: row.to_owned() });
        assert_eq!(workspace.object.rows, before);
    }
}

/// An isolate with a route whose origin says what it has cost, and one beside it at the same price.
fn isolate(more: &Value) -> Isolate {
    let route = |path: &str, mode: &str| {
        json!({"credentials": ["key"], "methods": ["GET"], "origin": 0,
        "path": path, "cost": 10, "mode": mode})
    };
    let mut settled = route("/settled", "strict");
    settled["settle"] = json!("x-cost");
    let mut rules = json!({
        "mode": "lease", "budget": { "coins": 1000, "period": "week" },
        "routes": [settled, route("/strict", "strict"), route("/lease", "lease")],
    });
    for (name, value) in more.as_object().unwrap() {
        rules[name] = value.clone();
    }
    Isolate::new(&rules, &json!({}), None)
}

#[test]
fn each_request_of_such_a_route_reserves_by_a_call_of_its_own() {
    let mut isolate = isolate(&json!({}));
    for _ in 0..5 {
        assert_eq!(isolate.get("lease", 0), ALLOWED);
        assert_eq!(isolate.reserved, None);
    }
    let calls = isolate.calls;
    for number in 1..4 {
        assert_eq!(isolate.get("settled", 0), ALLOWED);
        let asked = isolate.asked.last().unwrap();
        assert!(asked.settle && asked.want == 1, "{asked:?}");
        let reserved = isolate.reserved.clone().unwrap();
        assert_eq!((&reserved.call, reserved.coins), (&asked.id, 10));
        assert_eq!((reserved.header.as_str(), reserved.millis), ("x-cost", 1500));
        assert_eq!(isolate.calls, calls + number);
    }
    assert_eq!(isolate.get("strict", 0), ALLOWED);
    assert!(isolate.reserved.is_none() && !isolate.asked.last().unwrap().settle);
}

#[test]
fn what_is_decided_without_the_workspace_reserves_nothing() {
    let mut isolate = isolate(&json!({ "on_workspace_down": "edge" }));
    isolate.instead = Some("broken row=account/");
    assert_eq!(isolate.get("settled", 0), Outcome::Allowed { degraded: true });
    assert_eq!(isolate.reserved, None);
}

#[test]
fn a_settlement_is_one_call_that_is_not_waited_for() {
    let mut isolate = isolate(&json!({}));
    for (answer, is_heard) in [
        (Some("done"), true),
        (Some("broken row="), false),
        (Some("unopened"), false),
        (None, false),
    ] {
        assert_eq!(isolate.get("settled", 0), ALLOWED);
        let reserved = isolate.reserved.take().unwrap();
        let (kid, call) = (reserved.kid, reserved.call.clone());
        let (next, trouble) = isolate.go_on(Chore::settling(Box::new(reserved)), Some("3"));
        let Some((chore, Errand::Call { workspace, text, .. })) = next else { panic!("{next:?}") };
        assert_eq!((workspace, trouble), (kid.workspace(), None));
        assert_eq!(text, format!("settle v=1 id={} kid={kid} coins=3", call.as_str()));
        let (next, trouble) = isolate.go_on(chore, answer);
        assert!(next.is_none(), "{next:?}");
        assert_eq!(trouble.is_none(), is_heard, "{answer:?}: {trouble:?}");
        assert!(trouble.is_none_or(|own| matches!(own, Trouble::Workspace(..))));
        assert_eq!(isolate.get("settled", 0), ALLOWED, "whatever came of it");
    }
}

/// No call, and a line in the log of what is wrong.
#[test]
fn a_word_that_is_of_no_account_changes_nothing() {
    let mut isolate = isolate(&json!({}));
    for (said, bad) in [
        (None, None),
        (Some("10"), None),
        (Some("11"), Some((BadCost::Excessive, "more was spent than was reserved"))),
        (Some("x"), Some((BadCost::Unreadable, "is no whole number"))),
    ] {
        assert_eq!(isolate.get("settled", 0), ALLOWED);
        let reserved = Box::new(isolate.reserved.take().unwrap());
        let kid = reserved.kid;
        let (next, trouble) = isolate.go_on(Chore::settling(reserved), said);
        assert!(next.is_none(), "{said:?}: {next:?}");
        assert_eq!(trouble, bad.map(|(bad, _)| Trouble::Cost(kid, bad)), "{said:?}");
        let line = trouble.map(|trouble| trouble.to_string()).unwrap_or_default();
        assert!(bad.is_none_or(|(_, words)| line.ends_with(words)), "{said:?}: {line}");
    }
}

#[test]
fn an_origin_s_word_counts_if_it_is_less() {
    let (kid, header) = (deployment::keys()[0].kid, HeaderName::parse("x-cost").unwrap());
    let call = CallId::new([7; 16]);
    let reserved = Reservation { kid, call, coins: 10, header, millis: 1 };
    for (said, less) in
        [(None, None), (Some("10"), None), (Some("0"), Some(0)), (Some("9"), Some(9))]
            .into_iter()
            .chain([(Some("007"), Some(7)), (Some("00000000000000000000000001"), Some(1))])
    {
        assert_eq!(reserved.less(said), Ok(less), "{said:?}");
    }
    for said in ["", " ", "-1", "+1", "1.0", "1e0", "0x1", "1, 1", "1 ", "\u{661}", "NaN"] {
        assert_eq!(reserved.less(Some(said)), Err(BadCost::Unreadable), "{said:?}");
    }
    for said in ["11", "4294967296", "99999999999999999999999999999999"] {
        assert_eq!(reserved.less(Some(said)), Err(BadCost::Excessive), "{said}");
    }
}

/// What happens to a Workspace.
#[derive(Clone, Debug)]
enum Step {
    /// A request at this cost; with how many of its calls that the object dies before it has written them.
    Reserve { cost: u32, deaths: u8 },
    /// The origin of an earlier request says this much; the call is made so often, and so often in vain.
    Settle { of: prop::sample::Index, coins: u32, times: u8, deaths: u8 },
    /// Time goes by, in seconds.
    Pause(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..20_u32, 0..3_u8).prop_map(|(cost, deaths)| Step::Reserve { cost, deaths }),
        4 => (any::<prop::sample::Index>(), 0..25_u32, 1..3_u8, 0..3_u8)
            .prop_map(|(of, coins, times, deaths)| Step::Settle { of, coins, times, deaths }),
        2 => (0..300_u64).prop_map(Step::Pause),
        1 => (1_100..50_000_u64).prop_map(Step::Pause),
    ]
}

/// A request as a ledger has it.
#[derive(Debug)]
struct Entry {
    id: u64,
    at: u64,
    coins: u64,
    is_settled: bool,
}

impl Entry {
    /// Days since the clock of these tests began.
    const fn day(&self) -> u64 {
        (self.at + DAY - MIDNIGHT) / DAY
    }
}

proptest! {
    /// Against a ledger that sums up what each request has cost in the end.
    #[test]
    fn budgets_and_use_are_what_the_ledger_says(
        of_product in 10..200_u64,
        of_all in 10..200_u64,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let (mut workspace, kid) = workspace(of_product, of_all);
        let (mut ledger, mut now) = (Vec::<Entry>::new(), 0);
        for (number, step) in steps.into_iter().enumerate() {
            let today = Entry { id: 0, at: now, coins: 0, is_settled: false }.day();
            let spent = |ledger: &[Entry]| -> u64 {
                ledger.iter().filter(|entry| entry.day() == today).map(|entry| entry.coins).sum()
            };
            match step {
                Step::Pause(seconds) => now += seconds * 1_000,
                Step::Reserve { cost, deaths } => {
                    let (id, before) = (number as u64 + 1, spent(&ledger));
                    for _ in 0..deaths {
                        workspace.object.call(&reserving(id, &kid, cost).print(), &workspace.gate, at(now));
                    }
                    let is_granted = workspace.reserve(id, &kid, cost, now);
                    prop_assert_eq!(is_granted, before + u64::from(cost) <= of_product.min(of_all));
                    // Its answer was lost: the same call again.
                    prop_assert_eq!(workspace.reserve(id, &kid, cost, now), is_granted);
                    if is_granted {
                        ledger.push(Entry { id, at: now, coins: cost.into(), is_settled: false });
                    }
                }
                Step::Settle { of, coins, times, deaths } if !ledger.is_empty() => {
                    let place = of.index(ledger.len());
                    let entry = &mut ledger[place];
                    let age = now - entry.at;
                    // When in between it is forgotten is nobody's business.
                    if age > 400_000 && age < 1_024_000 {
                        continue;
                    }
                    for _ in 0..deaths {
                        workspace.object.call(&settling(entry.id, &kid, coins).print(), &workspace.gate, at(now));
                    }
                    for _ in 0..times {
                        workspace.settle(entry.id, &kid, coins, now);
                    }
                    if age <= 400_000 && !entry.is_settled {
                        entry.coins = entry.coins.min(coins.into());
                        entry.is_settled = true;
                    }
                }
                Step::Settle { .. } => {}
            }
            let latest = ledger.last().map(Entry::day);
            let sum: u64 = ledger.iter().filter(|own| Some(own.day()) == latest).map(|own| own.coins).sum();
            // A period begins with the first call in it, a refused one too.
            if latest == Some(today) {
                prop_assert_eq!(workspace.spent(), [sum, sum]);
            }
            prop_assert!(sum <= of_product.min(of_all));
        }
        let mut by_hour = BTreeMap::<u64, u64>::new();
        for entry in &ledger {
            *by_hour.entry(at(entry.at).seconds() / 3600).or_default() += entry.coins;
        }
        let told: BTreeMap<u64, u64> = workspace
            .hours(&kid, now)
            .iter()
            .filter(|hour| hour.exact > 0)
            .map(|hour| (hour.hour, hour.coins))
            .collect();
        prop_assert_eq!(told, by_hour);
    }
}

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
const MIDNIGHT: u64 = 16 * HOUR;
