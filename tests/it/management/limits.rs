//! Limits that change while they are used: what was taken stays taken, and no old rate lingers.

use portcullis::key::Kid;
use portcullis::lease::{Refused, Report, Scope};
use portcullis::workspace::call::{Admit, Answer, Call, Pool, Told};
use serde_json::{Value, json};

use super::desk::{Desk, KEYS, gate, policy};
use crate::workspace::{admit, call_id};

/// A workspace with a product, whose limits these are, and a key with those.
struct Changing {
    desk: Desk,
    kid: Kid,
    version: u64,
    asked: u64,
}

impl Changing {
    fn new(key: &Value, product: &Value) -> Self {
        let mut desk = Desk::open();
        desk.gate = gate(&deployed(product, &Value::Null));
        let mut fields = json!({ "scopes": ["agents:read"] });
        if !key.is_null() {
            fields["limits"] = key.clone();
        }
        let (kid, _) = desk.key(&fields);
        Self { desk, kid: Kid::parse(&kid).unwrap(), version: 1, asked: 0 }
    }

    /// Another policy, and the rows that there are.
    fn deploy(&mut self, product: &Value) {
        self.desk.gate = gate(&deployed(product, &Value::Null));
    }

    fn patch(&mut self, limits: &Value) {
        let path = format!("{KEYS}/{}", self.kid);
        let patched = self.desk.ask("dev:admin", "PATCH", &path, &json!({ "limits": limits }));
        assert_eq!(patched.status, 200, "{patched:?}");
        self.version += 1;
    }

    fn ask(&mut self, want: u32) -> Answer {
        self.asked += 1;
        let pool = Some(Pool { product: Some("maps".to_owned()), cost: 1 });
        let call = Admit { version: self.version, pool, ..admit(self.asked, &self.kid, want) };
        self.desk.call(&Call::Admit(call))
    }

    /// How many requests are admitted, one by one, and the refusal of the next.
    fn admitted(&mut self) -> (u32, Refused) {
        let mut count = 0;
        loop {
            let answer = self.ask(1);
            if let Answer::Refused(refused) = answer {
                return (count, refused);
            }
            assert!(matches!(answer, Answer::Granted(_)), "{answer:?}");
            count += 1;
        }
    }

    /// What an object leaves that knows no paces.
    fn forget_paces(&mut self) {
        let less = |row: &str| {
            let known =
                row.split(' ').filter(|own| !PACES.iter().any(|name| own.starts_with(name)));
            known.collect::<Vec<_>>().join(" ")
        };
        self.desk.object.rows.values_mut().for_each(|row| *row = less(row));
    }
}

fn deployed(product: &Value, shadow: &Value) -> Value {
    let mut policy = policy();
    policy["workspace_limits"] = Value::Null;
    policy["products"] = json!([{ "name": "maps" }]);
    for (name, limits) in [("limits", product), ("shadow", shadow)] {
        if !limits.is_null() {
            policy["products"][0][name] = limits.clone();
        }
    }
    policy
}

fn hourly(requests: u32, burst: u32) -> Value {
    json!({ "requests": requests, "window_seconds": 3600, "burst": burst })
}

#[test]
fn a_key_that_has_used_ten_of_ten_has_ninety_of_a_hundred() {
    let mut world = Changing::new(&hourly(10, 10), &Value::Null);
    assert_eq!(world.admitted().0, 10);
    world.desk.millis = 1000;
    assert_eq!(world.admitted().0, 0);
    world.patch(&hourly(100, 100));
    let (admitted, refused) = world.admitted();
    assert_eq!((admitted, refused.by), (90, Scope::Key));
    assert_eq!(refused.retry_millis, 3_600_000 - 1000, "the window is full");
}

#[test]
fn a_product_that_was_given_more_has_it_at_once() {
    let mut world = Changing::new(&Value::Null, &hourly(10, 10));
    assert_eq!(world.admitted().0, 10);
    world.deploy(&hourly(100, 50));
    let (admitted, refused) = world.admitted();
    assert_eq!((admitted, refused.by), (40, Scope::Product));
    assert_eq!(refused.retry_millis, 36_000, "the bucket is empty, at the new rate");
}

#[test]
fn lower_limits_count_what_was_taken_before() {
    let mut world = Changing::new(&hourly(3600, 10), &hourly(3600, 10));
    for _ in 0..5 {
        assert!(matches!(world.ask(1), Answer::Granted(_)));
    }
    world.patch(&hourly(36, 10));
    let (admitted, refused) = world.admitted();
    assert_eq!((admitted, refused.by, refused.retry_millis), (5, Scope::Key, 100_000));
    world.deploy(&hourly(36, 4));
    world.patch(&Value::Null);
    let (admitted, refused) = world.admitted();
    assert_eq!((admitted, refused.by, refused.retry_millis), (0, Scope::Product, 100_000));
}

/// What a lease brings back may have been forgiven by lower limits before.
#[test]
fn nothing_goes_into_a_bucket_that_has_changed() {
    let mut world = Changing::new(&Value::Null, &hourly(1000, 100));
    let Answer::Granted(lease) = world.ask(20) else { panic!() };
    assert_eq!(lease.tokens, 20);
    world.deploy(&hourly(1000, 10));
    assert_eq!(world.admitted().0, 0);
    let reports = vec![Report { lease: call_id(1), spent: 1, coins: 1, closed: true }];
    let told = Told { reports, ..Told::default() };
    world.desk.call(&Call::Report { kid: world.kid.to_string(), told });
    let (admitted, refused) = world.admitted();
    assert_eq!((admitted, refused.view.unwrap().remaining), (0, 999), "the window has them back");
}

/// Rows of an object that did not keep the rate, and such an object's after this one.
#[test]
fn a_row_that_knows_no_pace_goes_by_the_limits_at_hand() {
    let mut world = Changing::new(&hourly(10, 10), &hourly(10, 10));
    assert_eq!(world.admitted().0, 10);
    let before = world.admitted();
    world.forget_paces();
    assert_eq!(world.admitted(), before, "as if nothing had been");
    world.patch(&hourly(100, 100));
    world.deploy(&hourly(100, 100));
    assert_eq!(world.admitted().0, 90);
}

#[test]
fn limits_on_trial_are_raised_as_others() {
    let mut world = Changing::new(&Value::Null, &Value::Null);
    world.desk.gate = gate(&deployed(&Value::Null, &hourly(10, 10)));
    for count in 0..120 {
        if count == 20 {
            world.desk.gate = gate(&deployed(&Value::Null, &hourly(100, 100)));
        }
        assert!(matches!(world.ask(1), Answer::Granted(_)));
    }
    let call = Call::Usage { kid: world.kid.to_string(), from: 0, to: u64::from(u32::MAX) };
    let Answer::Usage { hours, .. } = world.desk.call(&call) else { panic!("no usage") };
    let denied: Vec<u64> = hours[0].would_deny.iter().map(|(_, count)| *count).collect();
    assert_eq!(denied, [20], "ten before, ten after");
}

const PACES: [&str; 2] = ["pace=", "trial_pace="];
