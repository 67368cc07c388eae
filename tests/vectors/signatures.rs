//! `signatures-v1.json` and `signatures-v2.json`: what becomes of signed requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis::clock::Now;
use portcullis::decide::{Decision, decide};
use portcullis::enquiry::Enquiry;
use portcullis::gate::Gate;
use portcullis::lease::{CallId, Granted};
use portcullis::memory::Memory;
use portcullis::need::Need;
use portcullis::request::Request;
use portcullis::ticket::{Body, Ticket};
use portcullis::workspace::call::Answer;
use serde_json::Value;

use super::{cases, facts_of, gate, parse, text, world};

/// Runs every case of both versions in a memory of its own.
pub fn signatures() {
    let gate = gate(&world());
    for file in [include_str!("signatures-v1.json"), include_str!("signatures-v2.json")] {
        let file = parse(file);
        let now = Now::from_millis(file["now"].as_u64().unwrap() * 1000);
        let wrong: Vec<_> = cases(&file["cases"])
            .iter()
            .filter_map(|case| {
                let (expected, actual) = (text(case, "expect"), verdict(&file, case, &gate, now));
                (actual != expected).then(|| format!("{}: {actual}, not {expected}", case["id"]))
            })
            .collect();
        assert!(wrong.is_empty(), "{}: {} wrong: {wrong:#?}", file["version"], wrong.len());
    }
}

/// `allow` or the code of the refusal. The Workspace grants whatever it is asked for.
fn verdict(file: &Value, case: &Value, gate: &Gate, now: Now) -> String {
    let sent = &case["request"];
    let body = sent["body"].as_str().map(|body| STANDARD.decode(body).unwrap());
    let facts = facts_of(sent, text(sent, "scheme"), body.is_some(), str::to_owned);
    let request = Request::parse(&facts).unwrap();
    let (mut memory, mut ticket) = (Memory::default(), Ticket::default());
    for _ in 0..8 {
        match decide(&request, gate, &mut memory, &mut ticket, now) {
            Decision::Allow(_) => return "allow".to_owned(),
            Decision::Deny(denial) => return denial.code().to_owned(),
            Decision::Fault(fault) => return fault.wire(0).code.to_owned(),
            Decision::Admin | Decision::Usage(_) | Decision::Preflight(_) => {
                panic!("{}: not decided", case["id"])
            }
            Decision::Need(Need::Kv(row)) => {
                let value = file["kv"][row.kv_name()].as_str().map(str::as_bytes);
                row.learn(value, gate, &mut memory, now).unwrap();
            }
            Decision::Need(Need::Body(limit)) => {
                let body = body.clone().unwrap();
                assert!(body.len() <= limit as usize, "{}", case["id"]);
                ticket.bring(Body::Read(body));
            }
            Decision::Need(Need::KeySet { .. } | Need::Signature) => {
                panic!("{}: nobody has a token", case["id"])
            }
            Decision::Need(Need::Workspace(ask)) => {
                let (enquiry, _) = Enquiry::new(ask, CallId::new([7; 16]), gate, &mut memory, now);
                let granted = Answer::Granted(Granted { tokens: 1, millis: 1000, view: None });
                enquiry.learn(&granted.print(), gate, &mut memory, &mut ticket, now).unwrap();
            }
        }
    }
    panic!("{}: asks for ever", case["id"]);
}
