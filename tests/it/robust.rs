//! What a Workspace makes of damaged rows, calls that are none, and limits that change.

use portcullis::clock::Now;
use portcullis::workspace::call::{Answer, Call};

use crate::simulation::deployment::{self, Key, Rules};
use crate::simulation::object::Object;

const T: u64 = 1_700_000_000_000;
const RULES: Rules = deployment::LEASE;

fn call(object: &mut Object, text: &str, at: u64) -> Answer {
    let now = Now::from_millis(T + at);
    let effect = object.call(text, &deployment::gate(&RULES), now);
    object.commit(&effect);
    effect.answer
}

fn put(object: &mut Object, key: &Key, limits: (u32, u32, u32), replaces: u64, at: u64) {
    let document = Box::new(key.document(Some(deployment::limits(limits))));
    let answer = call(object, &Call::Put { document, replaces }.print(), at);
    assert!(matches!(answer, Answer::Written { .. }), "{answer:?}");
}

/// With all three keys.
fn object(limits: (u32, u32, u32)) -> Object {
    let mut object = Object::default();
    assert_eq!(call(&mut object, "open v=1 workspace=DEM0WS", 0), Answer::Done);
    for key in deployment::keys().iter() {
        put(&mut object, key, limits, 0, 1);
    }
    object
}

fn kid(at: usize) -> String {
    deployment::keys()[at].kid.to_string()
}

fn admit(object: &mut Object, id: u32, key: usize, rest: &str, at: u64) -> Answer {
    call(object, &format!("admit v=1 id={id:032x} kid={} {rest} millis=2000", kid(key)), at)
}

fn copies(answer: &Answer) -> Vec<String> {
    let Answer::Due { copies } = answer else { panic!("{answer:?}") };
    copies.iter().map(|copy| copy.kid.clone()).collect()
}

#[test]
fn a_damaged_row_keeps_no_other_from_kv() {
    let mut object = object((10, 60, 10));
    object.rows.insert(format!("key/{}", kid(1)), "garbage".into());
    let mut others = vec![kid(0), kid(2)];
    others.sort();
    assert_eq!(copies(&call(&mut object, "due v=1", 10)), others);
    assert!(matches!(call(&mut object, "revoke-all v=1", 20), Answer::Written { .. }));
    let due = call(&mut object, "due v=1", 30);
    assert_eq!(copies(&due), others);
    let Answer::Due { copies } = &due else { panic!("{due:?}") };
    assert!(copies.iter().all(|copy| copy.value.contains("\"status\":\"revoked\"")));
    let copied: Vec<String> =
        copies.iter().map(|copy| format!("copy={}:{}", copy.kid, copy.version)).collect();
    assert_eq!(call(&mut object, &format!("copied v=1 {}", copied.join(" ")), 40), Answer::Done);
    // Half of seven days later.
    assert_eq!(self::copies(&call(&mut object, "due v=1", 303_000_000)), others);
}

#[test]
fn damaged_dates_and_answers_do_no_harm() {
    let mut object = object((10, 60, 10));
    assert_eq!(copies(&call(&mut object, "due v=1", 10)).len(), 3);
    object.rows.insert(format!("dated/{}", kid(0)), "garbage".into());
    object.rows.insert(format!("outbox/{}", kid(1)), "garbage".into());
    object.rows.insert("call/0000000001/zz".into(), "garbage".into());
    let copied = format!("copied v=1 copy={}:1 copy={}:1", kid(0), kid(1));
    assert_eq!(call(&mut object, &copied, 20), Answer::Done);
    assert!(!object.rows.contains_key(&format!("outbox/{}", kid(1))));
    // At the beginning of a minute old answers are forgotten.
    assert_eq!((T + 40_000) % 60_000, 0);
    let answer = admit(&mut object, 1, 0, "version=1 want=1", 40_000);
    assert!(matches!(answer, Answer::Granted(_)), "{answer:?}");
    assert!(!object.rows.contains_key("call/0000000001/zz"));
}

#[test]
fn a_damaged_lease_is_named() {
    let mut object = object((10, 60, 10));
    let lease = format!("lease/{}/{:032x}", kid(0), 7);
    object.rows.insert(lease.clone(), "lease tokens=1 spent=5 until=9 hour=1".into());
    let text = format!("report v=1 kid={} report={:032x}:1:1:1", kid(0), 7);
    assert_eq!(call(&mut object, &text, 10), Answer::Broken { row: lease });
}

#[test]
fn what_names_no_key_names_no_row() {
    let mut object = object((10, 60, 10));
    let before = object.rows.clone();
    for kid in [
        "",
        "nobody",
        "a\tb\t5",
        "0DEM0WS7K2M9QXTAG1",
        "0dem0ws7k2m9qxtag12a",
        "../../meta",
        "0DEM0WS7K2M9QXTAG12\n",
    ] {
        for text in [
            format!("record v=1 kid={kid}"),
            format!("admit v=1 id={:032x} kid={kid} version=1 want=1 millis=2000", 1),
            format!("report v=1 kid={kid} denied=X:1"),
            format!("status v=1 kid={kid} status=revoked"),
            format!("usage v=1 kid={kid} from=0 to=9"),
            format!("copied v=1 copy={kid}:1"),
        ] {
            assert_eq!(
                call(&mut object, &text, 10),
                Answer::Broken { row: String::new() },
                "{text:?}"
            );
        }
    }
    for number in ["", "DEM0W", "DEM0WSX", "dem0ws", "DEM\t0W"] {
        let text = format!("open v=1 workspace={number}");
        assert_eq!(call(&mut object, &text, 10), Answer::Broken { row: String::new() }, "{text:?}");
    }
    assert_eq!(object.rows, before);
}

#[test]
fn limits_that_are_changed_are_noticed() {
    let day = (100, 86_400, 100);
    let mut object = object(day);
    for id in 0..100 {
        let answer = admit(&mut object, id, 0, "version=1 want=1", 10);
        assert!(matches!(answer, Answer::Granted(_)), "{id}: {answer:?}");
    }
    assert!(matches!(admit(&mut object, 100, 0, "version=1 want=1", 20), Answer::Refused(_)));
    let key = &deployment::keys()[0];
    put(&mut object, key, (1000, 3600, 100), 1, 30);
    // By an empty bucket of the new limits: 3.6 s a request.
    let refused = admit(&mut object, 101, 0, "version=2 want=1", 40);
    let Answer::Refused(refused) = refused else { panic!("{refused:?}") };
    assert!(refused.retry_millis <= 3600, "{refused:?}");
    let answer = admit(&mut object, 102, 0, "version=2 want=1", 40 + refused.retry_millis);
    assert!(matches!(answer, Answer::Granted(_)), "{answer:?}");
}

#[test]
fn a_clock_that_is_set_back_locks_nobody_out() {
    let mut object = object((10, 60, 10));
    let ahead = 86_400_000;
    for id in 0..10 {
        admit(&mut object, id, 0, "version=1 want=1", ahead);
    }
    let refused = admit(&mut object, 10, 0, "version=1 want=1", 10);
    let Answer::Refused(refused) = refused else { panic!("{refused:?}") };
    assert!(refused.retry_millis <= 60_000, "{refused:?}");
}

#[test]
fn all_leases_count_as_possibly_used() {
    let mut object = object((1_000_000, 3600, 1_000_000));
    for id in 0..1000 {
        let answer = admit(&mut object, id, 0, "version=1 want=10", 10);
        assert!(matches!(answer, Answer::Granted(granted) if granted.tokens == 10), "{answer:?}");
    }
    let answer = call(&mut object, &format!("usage v=1 kid={} from=0 to=9999999", kid(0)), 20);
    let Answer::Usage { hours, .. } = &answer else { panic!("{answer:?}") };
    assert_eq!(
        hours.iter().map(|hour| (hour.exact, hour.at_most)).collect::<Vec<_>>(),
        [(1000, 10_000)]
    );
}

#[test]
fn more_hours_than_fit_are_asked_for_in_turn() {
    let mut object = object((1_000_000, 3600, 1_000_000));
    for id in 0..900 {
        admit(&mut object, id, 0, "version=1 want=1", 3_600_000 * u64::from(id));
    }
    let (mut from, mut hours) = (0, Vec::new());
    loop {
        let text = format!("usage v=1 kid={} from={from} to=9999999", kid(0));
        let Answer::Usage { hours: part, .. } = call(&mut object, &text, 3_600_000 * 899) else {
            panic!("no usage");
        };
        let Some(last) = part.last() else { break };
        from = last.hour + 1;
        hours.extend(part.iter().map(|hour| hour.hour));
    }
    let first = T / 3_600_000;
    assert_eq!(hours, (first..first + 900).collect::<Vec<_>>());
}

#[test]
fn a_report_of_endless_coins_is_bounded() {
    let mut object = object((100, 60, 100));
    admit(&mut object, 1, 0, "version=1 want=5", 10);
    let text = format!("report v=1 kid={} report={:032x}:3:{}:0", kid(0), 1, u64::MAX);
    assert_eq!(call(&mut object, &text, 20), Answer::Done);
    let Answer::Usage { hours, .. } =
        call(&mut object, &format!("usage v=1 kid={} from=0 to=9999999", kid(0)), 30)
    else {
        panic!("no usage");
    };
    assert!(hours[0].coins <= 2 * u64::from(u32::MAX), "{hours:?}");
}
