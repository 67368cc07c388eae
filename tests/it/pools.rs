//! How one isolate counts requests of products and against budgets: each pool has leases of its own.

use portcullis::denial::Fault;
use portcullis::workspace::call::{Admit, Answer, Call, Pool, Share};
use serde_json::{Value, json};

use crate::metering::{ALLOWED, Isolate, Outcome, an_hour};
use crate::simulation::deployment::WORKSPACE;

/// An isolate by a policy with two products, of which `maps` has two prices.
fn isolate(mode: &str, more: &Value) -> Isolate {
    let route = |path: &str, product: Option<usize>, cost: u32| {
        let mut route = json!({"credentials": ["key"], "methods": ["GET"], "origin": 0, "path": path,
            "cost": cost});
        if let Some(product) = product {
            route["product"] = json!(product);
        }
        route
    };
    let mut rules = json!({
        "mode": mode,
        "products": [{"name": "maps"}, {"name": "mail"}],
        "routes": [
            route("/plain", None, 1), route("/free", None, 0), route("/maps", Some(0), 2),
            route("/dear", Some(0), 5), route("/mail", Some(1), 2),
        ],
    });
    for (name, value) in more.as_object().unwrap() {
        rules[name] = value.clone();
    }
    Isolate::new(&rules, &json!({}), None)
}

fn budget(coins: u64) -> Value {
    json!({ "budget": { "coins": coins, "period": "week" } })
}

fn maps(coins: u64) -> Value {
    let budget = json!({ "coins": coins, "period": "week" });
    json!({ "products": [{ "name": "maps", "budget": budget }, { "name": "mail" }] })
}

/// What the `number`th call asked for.
fn pool(isolate: &Isolate, number: usize) -> Option<(Option<&str>, u32)> {
    let Admit { pool, .. } = &isolate.asked[number];
    pool.as_ref().map(|Pool { product, cost }| (product.as_deref(), *cost))
}

const EXHAUSTED: Outcome = Outcome::Denied("BUDGET_EXHAUSTED");

#[test]
fn a_budget_of_another_workspace_makes_no_pool() {
    let other = json!({"workspace": "0THERS", "budget": {"coins": 50, "period": "week"}});
    let rules = json!({"workspaces": [{"workspace": WORKSPACE}, other]});
    let mut isolate = isolate("lease", &rules);
    assert_eq!((isolate.get("plain", 0), pool(&isolate, 0)), (ALLOWED, None));
}

#[test]
fn a_route_without_product_and_budget_is_asked_for_as_ever() {
    let mut isolate = isolate("lease", &json!({}));
    for path in ["plain", "free", "maps", "dear", "mail"] {
        assert_eq!(isolate.get(path, 0), ALLOWED);
    }
    let asked: Vec<_> = (0..5).map(|number| pool(&isolate, number)).collect();
    let maps = Some("maps");
    assert_eq!(asked, [None, None, Some((maps, 2)), Some((maps, 5)), Some((Some("mail"), 2))]);
}

#[test]
fn a_budget_of_the_workspace_is_of_all_routes() {
    let mut isolate = isolate("lease", &budget(100));
    for path in ["plain", "free", "maps"] {
        assert_eq!(isolate.get(path, 0), ALLOWED);
    }
    let asked: Vec<_> = (0..3).map(|number| pool(&isolate, number)).collect();
    assert_eq!(asked, [Some((None, 1)), Some((None, 0)), Some((Some("maps"), 2))]);
}

/// What is lent to one product at one price is spent there alone.
#[test]
fn a_token_of_one_pool_is_spent_in_no_other() {
    let mut isolate = isolate("lease", &budget(1_000));
    for path in ["maps", "maps", "maps"] {
        assert_eq!(isolate.get(path, 0), ALLOWED);
    }
    let calls = isolate.calls;
    assert_eq!(isolate.get("maps", 1), ALLOWED);
    assert_eq!(isolate.calls, calls, "by a lease");
    for path in ["dear", "mail", "plain"] {
        let calls = isolate.calls;
        assert_eq!(isolate.get(path, 1), ALLOWED);
        assert_eq!(isolate.calls, calls + 1, "{path}");
    }
}

#[test]
fn every_coin_of_a_budget_is_usable_one_by_one() {
    for mode in ["lease", "strict"] {
        for (more, path) in [(budget(50), "plain"), (maps(100), "maps"), (budget(250), "dear")] {
            let mut isolate = isolate(mode, &more);
            let mut admitted = 0;
            while isolate.get(path, 100 * admitted) == ALLOWED {
                admitted += 1;
            }
            assert_eq!(admitted, 50, "{mode}, {path}");
            assert_eq!(isolate.get(path, 100 * admitted), EXHAUSTED);
        }
    }
}

/// It is told to whoever costs as much; who costs less asks.
#[test]
fn an_exhausted_budget_is_remembered_by_product_and_price() {
    for mode in ["lease", "strict"] {
        let mut isolate = isolate(mode, &budget(4));
        assert_eq!(isolate.get("dear", 0), EXHAUSTED);
        let calls = isolate.calls;
        assert_eq!([isolate.get("dear", 1), isolate.get("dear", 2)], [EXHAUSTED, EXHAUSTED]);
        assert_eq!(isolate.calls, calls, "remembered");
        assert_eq!(isolate.get("maps", 3), ALLOWED);
        assert_eq!(isolate.get("free", 3), ALLOWED);
        assert_eq!(isolate.get("dear", 1_999), EXHAUSTED);
        assert_eq!(isolate.get("dear", 2_000), EXHAUSTED);
        assert!(isolate.calls > calls + 2, "for a lease's time, not for a week");
    }
}

/// A limit on requests holds whatever they cost.
#[test]
fn an_exhausted_limit_is_remembered_whatever_the_price() {
    let mut isolate = isolate("lease", &json!({ "workspace_limits": an_hour(1).unwrap() }));
    assert_eq!(isolate.get("maps", 0), ALLOWED);
    assert_eq!(isolate.get("dear", 1), Outcome::Denied("RATE_LIMITED"));
    let calls = isolate.calls;
    for path in ["maps", "mail", "plain"] {
        assert_eq!(isolate.get(path, 2), Outcome::Denied("RATE_LIMITED"), "{path}");
    }
    assert_eq!(isolate.calls, calls);
}

/// Of before budgets, or by a policy that lacks the product: nothing is forwarded on its word.
#[test]
fn an_object_that_does_not_understand_the_pool_decides_nothing() {
    for mode in ["lease", "strict"] {
        let mut isolate = isolate(mode, &json!({}));
        for answer in ["version newest=2", "broken row=account/product:maps"] {
            isolate.instead = Some(answer);
            assert_eq!(isolate.get("maps", 0), Outcome::Fault(Fault::WorkspaceUnavailable));
            isolate.instead = None;
            assert_eq!(isolate.get("plain", 0), ALLOWED);
        }
    }
}

/// A crowd in one isolate is lent what it needs, in its pool.
#[test]
fn a_busy_pool_asks_seldom() {
    let mut isolate = isolate("lease", &budget(100_000));
    for millis in 0..1_000 {
        assert_eq!(isolate.get("maps", millis), ALLOWED);
    }
    assert!(isolate.calls <= 12, "{} calls", isolate.calls);
}

#[test]
fn what_was_spent_of_each_pool_is_told() {
    let mut isolate = isolate("lease", &budget(1_000));
    for millis in 0..12 {
        let path = if millis < 6 { "maps" } else { "plain" };
        assert_eq!(isolate.get(path, millis), ALLOWED);
    }
    let (_, call) = isolate.report(2_000).unwrap();
    isolate.workspace.call(&call, 2_000);
    let usage = Call::Usage { kid: isolate.document.kid.clone(), from: 0, to: u64::MAX };
    let Answer::Usage { hours, .. } = isolate.workspace.call(&usage, 2_000) else { panic!() };
    let [hour] = hours.as_slice() else { panic!("{hours:?}") };
    assert_eq!((hour.exact, hour.at_most, hour.coins), (12, 12, 6 * 2 + 6));
    let maps = Share { product: "maps".to_owned(), requests: 6, coins: 12 };
    assert_eq!(hour.products, [maps]);
}
