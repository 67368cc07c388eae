//! Calls and answers as text: what is written is read, and nothing that is read panics.

use portcullis::account::View;
use portcullis::lease::{CallId, Granted, Refused, Report, Scope};
use portcullis::policy::Limits;
use portcullis::record::Status;
use portcullis::workspace::call::{
    Admit, Answer, Call, Copy, Hour, Manage, Once, Pool, Share, Told,
};
use portcullis::workspace::rows::Missing;
use proptest::collection::vec;
use proptest::prelude::*;

fn report() -> impl Strategy<Value = Report> {
    let id = any::<[u8; 16]>().prop_map(CallId::new);
    (id, any::<u32>(), any::<u64>(), any::<bool>())
        .prop_map(|(lease, spent, coins, closed)| Report { lease, spent, coins, closed })
}

fn view() -> impl Strategy<Value = View> {
    (any::<(u32, u32, u32)>(), any::<(u32, u64, u32)>()).prop_map(|(limits, rest)| View {
        limits: Limits { requests: limits.0, window_seconds: limits.1, burst: limits.2 },
        remaining: rest.0,
        window_end: rest.1,
        burst_remaining: rest.2,
    })
}

fn call() -> impl Strategy<Value = Call> {
    let word = || "[0-9A-HJKMNP-TV-Z]{20}";
    let counts = || vec(("[A-Z_]{1,9}", any::<u32>()), 0..3);
    let told = || {
        let incidents = vec("[!-~]{1,40}", 0..3);
        (vec(report(), 0..4), counts(), counts(), vec(any::<(u8, u64)>(), 0..3), incidents)
            .prop_map(|(reports, denied, would_deny, replaced, incidents)| Told {
                reports,
                denied,
                would_deny,
                replaced,
                incidents,
            })
    };
    let pool = (prop::option::of("[a-z][a-z0-9-]{0,9}"), any::<u32>())
        .prop_map(|(product, cost)| Pool { product, cost });
    let numbers = any::<(u64, u32, u32, bool, u64, [u8; 16])>();
    prop_oneof![
        word().prop_map(|kid| Call::Record { kid }),
        (word(), numbers, prop::option::of(pool), told()).prop_map(|(kid, n, pool, told)| {
            let (version, coins, want, ahead, millis, id) = n;
            let id = CallId::new(id);
            Call::Admit(Admit {
                id,
                kid,
                version,
                coins,
                pool,
                want,
                ahead,
                millis,
                told,
                once: (version % 2 == 1).then_some(Once { mark: [7; 16], until: version }),
                settle: coins % 2 == 1,
            })
        }),
        (word(), any::<[u8; 16]>(), any::<u32>()).prop_map(|(kid, id, coins)| Call::Settle {
            id: CallId::new(id),
            kid,
            coins
        }),
        (word(), told()).prop_map(|(kid, told)| Call::Report { kid, told }),
        (vec("[!-~]{1,20}", 6), any::<Option<u64>>(), any::<[u8; 32]>(), "[ -~\n]{0,40}").prop_map(
            |(words, version, entropy, body)| {
                let [actor, workspace, address, request_id, method, target] =
                    words.try_into().unwrap();
                let scopes = version.map(|_| vec!["a:b".to_owned(), "*:*".to_owned()]);
                let once = Some("00".repeat(32)).filter(|_| body.is_empty());
                Call::Manage(Box::new(Manage {
                    actor,
                    scopes,
                    workspace,
                    address,
                    request_id,
                    method,
                    target,
                    version,
                    once,
                    entropy,
                    body,
                }))
            }
        ),
        "[0-9A-HJKMNP-TV-Z]{6}".prop_map(|workspace| Call::Open { workspace }),
        word().prop_map(|kid| Call::SetStatus { kid, status: Status::Quarantined }),
        Just(Call::RevokeAll),
        (word(), any::<u64>(), any::<u64>()).prop_map(|(kid, from, to)| Call::Usage {
            kid,
            from,
            to
        }),
        Just(Call::Due),
        (vec((word(), any::<u64>()), 0..4), any::<bool>())
            .prop_map(|(copies, failed)| Call::Copied { copies, failed }),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    let line = "[ -~]{1,40}";
    let counts = || vec(("[A-Z_]{1,9}", any::<u64>()), 0..3);
    let share = ("[a-z][a-z0-9-]{0,9}", any::<u64>(), any::<u64>())
        .prop_map(|(product, requests, coins)| Share { product, requests, coins });
    let hour = (any::<(u64, u64, u64, u64)>(), vec(share, 0..3), counts(), counts());
    let hour = hour.prop_map(|((hour, exact, at_most, coins), products, denied, would_deny)| {
        Hour { hour, exact, at_most, coins, products, denied, would_deny }
    });
    let copy = ("[0-9A-HJKMNP-TV-Z]{20}", any::<u64>(), "k1:[0-9A-Z]{20}", line)
        .prop_map(|(kid, version, name, value)| Copy { kid, version, name, value });
    prop_oneof![
        line.prop_map(|value| Answer::Record { value }),
        line.prop_map(|value| Answer::Changed { value }),
        (1..u32::MAX, any::<u64>(), prop::option::of(view()))
            .prop_map(|(tokens, millis, view)| Answer::Granted(Granted { tokens, millis, view })),
        (any::<u64>(), prop::sample::select(&SCOPES), prop::option::of(view()), view()).prop_map(
            |(retry_millis, by, some, view)| {
                let view = if by.is_budget() { some } else { Some(view) };
                Answer::Refused(Refused { retry_millis, by, view })
            }
        ),
        any::<(u64, u64)>()
            .prop_map(|(version, effective_by)| Answer::Written { version, effective_by }),
        (vec(hour, 0..4), prop::option::of(1..u64::MAX))
            .prop_map(|(hours, last_used)| Answer::Usage { hours, last_used }),
        vec(copy, 0..4).prop_map(|copies| Answer::Due { copies }),
        any::<u8>().prop_map(|newest| Answer::Version { newest }),
        Just(Answer::Unknown),
        Just(Answer::Done),
        Just(Answer::Unopened),
    ]
}

const SCOPES: [Scope; 5] =
    [Scope::Key, Scope::Workspace, Scope::Product, Scope::WorkspaceBudget, Scope::ProductBudget];

proptest! {
    #[test]
    fn a_call_is_read_as_it_was_written(call in call()) {
        let text = call.print();
        // `Debug` does not show all of a call.
        prop_assert_eq!(Call::parse(&text).map(|call| call.print()), Ok(text.clone()));
        prop_assert_eq!(format!("{:?}", Call::parse(&text)), format!("{:?}", Ok::<_, ()>(call)));
    }

    #[test]
    fn an_answer_is_read_as_it_was_written(answer in answer()) {
        prop_assert_eq!(Answer::parse(&answer.print()), Ok(answer));
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "(?s).{0,200}", call in call(), at in any::<prop::sample::Index>()) {
        let _ = (Call::parse(&text), Answer::parse(&text), Missing::parse(&text));
        let spoilt = call.print();
        let (head, tail) = spoilt.split_at(at.index(spoilt.len()));
        let _ = (Call::parse(head), Call::parse(tail), Call::parse(&format!("{head}{text}{tail}")));
    }
}
