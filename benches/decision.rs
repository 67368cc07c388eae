//! The core's part of a warm request, natively: no adapter, no runtime.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark stops where something is wrong"
)]
#![expect(clippy::indexing_slicing, reason = "the world has what it has")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use portcullis::clock::Now;
use portcullis::decide::{Decision, decide};
use portcullis::forward;
use portcullis::gate::Gate;
use portcullis::key::Workspace;
use portcullis::memory::Memory;
use portcullis::mint;
use portcullis::need::{Ask, KvRow, Need};
use portcullis::policy::Policy;
use portcullis::record::{self, Document, SecretDocument, SignatureMode};
use portcullis::request::Request;
use portcullis::route::{Entry, Lookup, Method, Methods, Pattern, RouteTable};
use portcullis::seal;
use portcullis::signature::{Generation, Signing, SigningSecret, Version, v1};
use portcullis::ticket::{Body, Ticket};
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
            forward::plan(&request, &grant, &gate, "0123456789abcdef0123456789abcdef", None, now)
        });
    });
    signed(criterion, &gate, &mut memory, now);
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

/// A secret with a signature of version 1 over 200 bytes, up to the question whether it came before.
fn signed(criterion: &mut Criterion, gate: &Gate, memory: &mut Memory, now: Now) {
    let root = gate.keyring().newest();
    let workspace = Workspace::parse("DEM0WS").unwrap();
    let minted = mint::native(root, "ak", workspace, &[7; 22]).unwrap();
    let secret = SecretDocument::new(0, root.version(), &minted.digest);
    let signing = Signing {
        version: Version::V1,
        hosts: gate.policy().hosts.clone(),
        nonce: false,
        debug_until: None,
        secrets: vec![Generation { generation: 0, root: root.version(), expires: None }],
    };
    let document = Document {
        scopes: serde_json::from_value(serde_json::json!(["*:*"])).unwrap(),
        signature: SignatureMode::Required,
        signing: Some(signing),
        fresh_until: u64::MAX,
        ..Document::new(&minted.kid, "ak", secret, now.seconds())
    };
    let name = record::kv_name(&minted.kid);
    let row = seal::seal(root, &name, &serde_json::to_string(&document).unwrap());
    KvRow::Record(minted.kid).learn(Some(row.as_bytes()), gate, memory, now).unwrap();
    let (body, timestamp) = ([b'x'; 200], now.seconds().to_string());
    let (method, target) = ("POST", "/v1/agents?limit=10");
    let message = v1::Message { method, target, timestamp: &timestamp, nonce: None, body: &body };
    let key = SigningSecret::derive(root, "ak", minted.kid, 0).mac_key();
    let facts = format!(
        "{method} body\nhttps://api.test{target}\nauthorization\nBearer {}\ncf-connecting-ip\n\
         203.0.113.9\nhost\napi.test\nuser-agent\nbench\nx-signature\n{}\nx-timestamp\n{timestamp}",
        minted.secret.expose(),
        message.sign(&key),
    );
    criterion.bench_function("bearer with signature v1", |bencher| {
        bencher.iter_batched(
            || {
                let mut ticket = Ticket::default();
                ticket.bring(Body::Read(body.to_vec()));
                ticket
            },
            |mut ticket| {
                let request = Request::parse(black_box(&facts)).unwrap();
                let decision = decide(&request, gate, memory, &mut ticket, now);
                let Decision::Need(Need::Workspace(Ask::Leave(leave))) = decision else {
                    panic!("{decision:?}")
                };
                assert!(leave.once.is_some());
                ticket
            },
            BatchSize::SmallInput,
        );
    });
}

/// Finding one route among few and many, on one host and on five with an origin each, by paths of one to
/// sixteen segments.
fn routes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route");
    for (count, hosts) in [(1, 1), (1000, 1), (1000, 5)] {
        let patterns: Vec<_> = (0..count)
            .map(|place| Pattern::parse(&format!("/v1/r{place}/{{id}}/items")).unwrap())
            .collect();
        let methods = Methods::of(Method::Get);
        let of_host: Vec<[usize; 1]> = (0..hosts).map(|host| [host]).collect();
        let entries = patterns.iter().enumerate().map(|(place, pattern)| {
            let hosts = of_host[place.checked_rem(hosts).unwrap()].as_slice();
            Entry { pattern, methods, hosts }
        });
        let table = RouteTable::new(hosts, entries).unwrap();
        let last = patterns.len().saturating_sub(1);
        let (host, path) = (last.checked_rem(hosts).unwrap(), format!("/v1/r{last}/7/items"));
        group.bench_function(format!("{count} routes, {hosts} hosts"), |bencher| {
            bencher.iter(|| {
                let found = table.find(host, black_box(&path), Method::Get);
                assert!(matches!(found, Lookup::Found { .. }));
            });
        });
    }
    for segments in [1, 2, 4, 8, 16] {
        let path = |tail: &str| format!("/{}{tail}", vec!["segment"; segments].join("/"));
        let beside: Vec<_> =
            (0..999).map(|place| Pattern::parse(&path(&format!("-{place}"))).unwrap()).collect();
        let own = Pattern::parse(&path("")).unwrap();
        let methods = Methods::of(Method::Get);
        let entries = beside.iter().chain([&own]);
        let entries = entries.map(|pattern| Entry { pattern, methods, hosts: &[] });
        let table = RouteTable::new(1, entries).unwrap();
        let path = path("");
        group.bench_function(format!("1000 routes, {segments} segments"), |bencher| {
            bencher.iter(|| {
                let found = table.find(0, black_box(&path), Method::Get);
                assert!(matches!(found, Lookup::Found { .. }));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decisions, routes);
criterion_main!(benches);
