//! How budgets stand, as the API tells it.

use portcullis::key::Kid;
use portcullis::workspace::call::{Admit, Answer, Call, Pool};
use serde_json::{Value, json};

use super::desk::{Desk, KEYS, SPACE, gate, policy};
use crate::workspace::admit;

/// A workspace with 100 coins a day, 40 of them a week for `maps`, and a key. It is Friday, 08:00.
fn desk() -> (Desk, Kid) {
    let mut desk = Desk::open();
    let mut policy = policy();
    policy["budget"] = json!({ "coins": 100, "period": "day" });
    policy["products"] = json!([
        { "name": "mail" },
        { "name": "maps", "budget": { "coins": 40, "period": "week" } },
    ]);
    desk.gate = gate(&policy);
    let (kid, _) = desk.key(&json!({ "name": "one", "scopes": ["agents:read"] }));
    (desk, Kid::parse(&kid).unwrap())
}

fn spend(desk: &mut Desk, id: u64, kid: &Kid, product: Option<&str>, cost: u32, want: u32) {
    let pool = Some(Pool { product: product.map(str::to_owned), cost });
    let call = Call::Admit(Admit { pool, ..admit(id, kid, want) });
    let answer = desk.call(&call);
    assert!(matches!(answer, Answer::Granted(_)), "{answer:?}");
}

fn usage(desk: &mut Desk) -> Value {
    let reply = desk.ask("dev:member", "GET", &format!("{SPACE}/usage"), &Value::Null);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body
}

#[test]
fn each_budget_is_told_with_what_is_used_left_and_to_be_expected() {
    let (mut desk, kid) = desk();
    spend(&mut desk, 1, &kid, Some("maps"), 5, 1);
    spend(&mut desk, 2, &kid, Some("mail"), 7, 1);
    spend(&mut desk, 3, &kid, None, 2, 1);
    // Two of four are lent.
    spend(&mut desk, 4, &kid, Some("maps"), 5, 2);
    let of_all = json!({
        "product": null, "coins": 100, "period": "day",
        "start": "2027-01-15T00:00:00Z", "reset": "2027-01-16T00:00:00Z",
        "used": 19, "left": 81, "forecast": 57,
    });
    let of_maps = json!({
        "product": "maps", "coins": 40, "period": "week",
        "start": "2027-01-11T00:00:00Z", "reset": "2027-01-18T00:00:00Z",
        "used": 10, "left": 30, "forecast": 17,
    });
    let told = usage(&mut desk);
    assert_eq!(told["budgets"], json!([of_all, of_maps]));
    let hour = &told["hours"][0];
    assert_eq!(hour["coins"], 19);
    assert_eq!(
        hour["products"],
        json!({ "maps": { "requests": 2, "coins": 10 }, "mail": { "requests": 1, "coins": 7 } })
    );
    let own = desk.ask("dev:member", "GET", &format!("{KEYS}/{kid}/usage"), &Value::Null);
    assert_eq!(own.body["hours"][0], *hour, "of its one key");
    assert!(own.body.get("budgets").is_none());
}

#[test]
fn a_budget_that_nobody_used_is_whole_and_so_is_one_of_a_new_period() {
    let (mut desk, kid) = desk();
    let untouched = |told: &Value| {
        told["budgets"]
            .as_array()
            .unwrap()
            .iter()
            .all(|own| own["used"] == 0 && own["left"] == own["coins"])
    };
    assert!(untouched(&usage(&mut desk)));
    spend(&mut desk, 1, &kid, Some("maps"), 5, 1);
    assert!(!untouched(&usage(&mut desk)));
    desk.millis = 64 * 3_600_000;
    let told = usage(&mut desk);
    assert!(untouched(&told), "Monday, midnight: {told}");
    assert_eq!(told["budgets"][1]["forecast"], Value::Null, "nothing to go by yet");
}

#[test]
fn without_budgets_none_is_told() {
    let mut desk = Desk::open();
    let nothing = json!({ "hours": [], "last_used": null, "keys_left_out": 0, "budgets": [] });
    assert_eq!(usage(&mut desk), nothing);
}
