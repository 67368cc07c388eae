//! The core's part of a warm request, natively: no adapter, no runtime.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark stops where something is wrong"
)]
#![expect(clippy::indexing_slicing, reason = "the world has what it has")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis::clock::Now;
use portcullis::decide::{Decision, decide};
use portcullis::forward;
use portcullis::gate::Gate;
use portcullis::memory::Memory;
use portcullis::need::Need;
use portcullis::policy::Policy;
use portcullis::request::Request;
use portcullis::ticket::Ticket;
use serde_json::Value;

fn decisions(criterion: &mut Criterion) {
    let world: Value = serde_json::from_str(include_str!("../tests/vectors/world.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let policy = Policy::from_json(&world["policy"].to_string()).unwrap();
    let gate = Gate::new(policy, &text(&world["root"]), &text(&world["static_keys"]), 0).unwrap();
    let seconds = world["now"].as_u64().unwrap();
    let now = Now::from_millis(seconds.saturating_mul(1000));
    let mut memory = Memory::default();
    let facts = |key: &str| {
        let key = text(&world["keys"][key]);
        format!(
            "GET\nhttps://api.test/v1/agents?limit=10\naccept\napplication/json\nauthorization\n\
             Bearer {key}\ncf-connecting-ip\n203.0.113.9\nhost\napi.test\nuser-agent\nbench"
        )
    };
    let (bound, forged) = (facts("ip_bound"), facts("bad_secret_tag"));
    let request = Request::parse(&bound).unwrap();
    while let Decision::Need(Need::Kv(need)) =
        decide(&request, &gate, &mut memory, &mut Ticket::default(), now)
    {
        let row = text(&world["kv"][need.kv_name()]);
        need.learn(Some(row.as_bytes()), &gate, &mut memory, now).unwrap();
    }
    criterion.bench_function("bearer", |bencher| {
        bencher.iter(|| {
            let request = Request::parse(black_box(&bound)).unwrap();
            let Decision::Allow(grant) =
                decide(&request, &gate, &mut memory, &mut Ticket::default(), now)
            else {
                panic!("refused")
            };
            grant
        });
    });
    criterion.bench_function("bearer with plan and assertion", |bencher| {
        bencher.iter(|| {
            let request = Request::parse(black_box(&bound)).unwrap();
            let Decision::Allow(grant) =
                decide(&request, &gate, &mut memory, &mut Ticket::default(), now)
            else {
                panic!("refused")
            };
            forward::plan(&request, &grant, &gate, "0123456789abcdef0123456789abcdef", now)
        });
    });
    criterion.bench_function("forged", |bencher| {
        bencher.iter(|| {
            let request = Request::parse(black_box(&forged)).unwrap();
            let Decision::Deny(denial) =
                decide(&request, &gate, &mut memory, &mut Ticket::default(), now)
            else {
                panic!("not refused")
            };
            denial
        });
    });
}

criterion_group!(benches, decisions);
criterion_main!(benches);
