//! Requests: how they are read, how they are signed, what becomes of them.

use portcullis::clock::Now;
use portcullis::decide::{Decision, decide as decision};
use portcullis::enquiry::Enquiry;
use portcullis::forward;
use portcullis::lease::{CallId, Granted};
use portcullis::memory::Memory;
use portcullis::need::Need;
use portcullis::request::Request;
use portcullis::signature::{ContentDigest, v1, v2};
use portcullis::ticket::{Body, Ticket};
use portcullis::token::Presented;
use portcullis::workspace::call::Answer;

use crate::{lines, text, world};

/// Nothing of a request is lost or made up.
pub fn request(data: &[u8]) {
    let Some((_, text)) = text(data) else { return };
    let Some(request) = Request::parse(text) else { return };
    let (scheme, authority, target) = (request.scheme(), request.authority(), request.target());
    let (first, rest) = lines(text);
    assert_eq!(lines(rest).0, format!("{scheme}://{authority}{target}"));
    assert!(first.starts_with(request.method()));
    let headers: Vec<String> =
        request.headers().map(|(name, value)| format!("{name}\n{value}")).collect();
    // A name without a value is none.
    let (told, all) = (headers.join("\n"), lines(rest).1);
    assert!(all.starts_with(&told), "{text}");
    let left = all[told.len()..].trim_start_matches('\n');
    assert!(!left.contains('\n'), "{text}");
    let _ = Presented::find(&request, world::gate().policy());
}

/// What is accepted is in its canonical spelling.
pub fn signature(data: &[u8]) {
    let Some((_, text)) = text(data) else { return };
    let (input, signature) = lines(text);
    if let Ok(own) = v2::Presented::parse(input, signature) {
        let (label, rest) = input.split_once('=').unwrap();
        assert!(signature.starts_with(&format!("{label}=:")) && signature.ends_with(":"));
        let (components, _) = rest.split_once(')').unwrap();
        assert!(components.starts_with("(\"") && !components.contains("  "), "{own:?}");
    }
    if let Some(digest) = ContentDigest::parse(input) {
        let again = ContentDigest::parse(&digest.header());
        assert_eq!(again.map(|own| own.header()), Some(digest.header()));
    }
    if v1::parse_mac(input).is_some() {
        assert!(input.len() == 64 && input.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
    }
    assert!(!v1::is_nonce(input) || (16..=64).contains(&input.len()));
}

/// The whole decision: it ends, and lets nobody pass who does not show a key of the world.
pub fn decide(data: &[u8]) {
    let Some((choice, facts)) = text(data) else { return };
    let Some(request) = Request::parse(facts) else { return };
    let gate = world::gate();
    let now = Now::from_millis(world::NOW * 1000);
    let (mut memory, mut ticket) = (Memory::default(), Ticket::default());
    for _ in 0..24 {
        let need = match decision(&request, gate, &mut memory, &mut ticket, now) {
            Decision::Allow(grant) => {
                let shown = |key: &String| facts.contains(key.as_str());
                assert!(grant.kid().is_none() || world::keys().iter().any(shown), "{facts}");
                let plan = forward::plan(&request, &grant, gate, ID, None, now);
                let service = plan.lines().nth(1) == Some("");
                let target = request.target();
                assert!(service || plan.lines().nth(1).is_some_and(|url| url.ends_with(target)));
                return;
            }
            Decision::Deny(denial) => {
                let wire = denial.wire();
                assert!((400..500).contains(&wire.status) && !wire.message.contains('\n'));
                let leaked = |key: &String| wire.message.contains(key.as_str());
                assert!(!world::keys().iter().any(leaked));
                return;
            }
            Decision::Fault(fault) => return assert_eq!(fault.wire(0).status, 503),
            Decision::Admin | Decision::Usage(_) | Decision::Preflight(_) => return,
            Decision::Need(need) => need,
        };
        let fault = need.timeout();
        match need {
            Need::Kv(row) if choice % 4 != 0 => {
                let value = world::row(&row.kv_name());
                if row.learn(value.as_deref().map(str::as_bytes), gate, &mut memory, now).is_err() {
                    ticket.fail(&need, fault);
                }
            }
            Need::Workspace(ask) if choice % 3 != 0 => {
                let (enquiry, _) = Enquiry::new(ask, CallId::new([7; 16]), gate, &mut memory, now);
                let granted = Answer::Granted(Granted { tokens: 1, millis: 1000, view: None });
                if enquiry.learn(&granted.print(), gate, &mut memory, &mut ticket, now).is_err() {
                    ticket.fail(&need, fault);
                }
            }
            Need::Body(_) => ticket.bring(Body::Read(b"{}".to_vec())),
            need => ticket.fail(&need, fault),
        }
    }
    panic!("asks for ever: {facts}");
}

const ID: &str = "00112233445566778899aabbccddeeff";
