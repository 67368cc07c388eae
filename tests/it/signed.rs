//! Requests that are signed: what is accepted, and how often.

use std::rc::Rc;

use portcullis::decide::{Decision, decide};
use portcullis::denial::{Denial, Fault};
use portcullis::enquiry::Enquiry;
use portcullis::gate::Gate;
use portcullis::host::HostName;
use portcullis::key::{self, Kid};
use portcullis::memory::Memory;
use portcullis::mint;
use portcullis::need::Need;
use portcullis::policy::Policy;
use portcullis::record::{Document, SecretDocument, SignatureMode};
use portcullis::request::Request;
use portcullis::root::Keyring;
use portcullis::signature::{
    ContentDigest, Generation, Part, Signing, SigningSecret, Version, v1, v2,
};
use portcullis::ticket::{Body, Ticket};
use portcullis::workspace::call::{Answer, Call};
use serde_json::json;

use crate::simulation::deployment::WORKSPACE;
use crate::workspace::{Workspace, at, call_id};

const ROOT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// A body that does not arrive.
const LATE: &[u8] = b"late";
const NONCE: &str = "0123456789abcdef";

/// An isolate, the Workspace, and a key.
struct World {
    gate: Rc<Gate>,
    memory: Memory,
    workspace: Workspace,
    down: bool,
    document: Document,
    bearer: String,
    calls: u64,
    /// How often a body was read.
    read: u64,
}

/// A request, and when it comes: milliseconds after the clock's beginning.
#[derive(Clone)]
struct Sent {
    method: &'static str,
    target: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    millis: u64,
}

/// What came of a request.
enum Decided {
    Allowed,
    Denied(Denial),
    Failed(Fault),
}

impl World {
    fn new(mode: SignatureMode, signing: Signing) -> Self {
        Self::taking(1_048_576, mode, signing)
    }

    /// One whose policy takes so many bytes in a signed body.
    fn taking(bytes: u32, mode: SignatureMode, signing: Signing) -> Self {
        let policy = json!({
            "version": 1, "hosts": ["api.test"], "admin_host": "admin.test", "mode": "lease",
            "kv_timeout_ms": 200, "signed_body_bytes": bytes,
            "root_fingerprints": [Keyring::parse(ROOT).unwrap().newest().fingerprint()],
            "origins": [{"name": "near", "timeout_ms": 1500,
                "upstream": {"service": {"binding": "ORIGIN"}}}],
            "tiers": [], "static_keys": [], "imports": [],
            "routes": [{"credentials": ["key"], "methods": ["GET", "POST"], "origin": 0,
                "path": "/plain"},
                {"credentials": ["key"], "methods": ["GET", "POST"], "origin": 0,
                "path": "/signed", "signed": true}],
        });
        let policy = Policy::from_json(&policy.to_string()).unwrap();
        let gate = Rc::new(Gate::new(policy, ROOT, "", 0).unwrap());
        let root = gate.keyring().newest();
        let number = key::Workspace::parse(WORKSPACE).unwrap();
        let minted = mint::native(root, "ak", number, &[7; 22]).unwrap();
        let secret = SecretDocument::new(0, 1, &minted.digest);
        let document = Document {
            signature: mode,
            signing: Some(signing),
            ..Document::new(&minted.kid, "ak", secret, at(0).seconds())
        };
        let mut workspace = Workspace::open(Rc::clone(&gate));
        let put = Call::Put { document: Box::new(document.clone()), replaces: 0 };
        assert!(matches!(workspace.call(&put, 0), Answer::Written { .. }));
        let bearer = minted.secret.expose().to_owned();
        let memory = Memory::default();
        Self { gate, memory, workspace, down: false, document, bearer, calls: 0, read: 0 }
    }

    fn kid(&self) -> Kid {
        Kid::parse(&self.document.kid).unwrap()
    }

    fn secret(&self, generation: u8) -> SigningSecret {
        SigningSecret::derive(self.gate.keyring().newest(), "ak", self.kid(), generation)
    }

    /// A request of version 1, by key id.
    fn v1(&self, method: &'static str, body: Option<&[u8]>, millis: u64) -> Sent {
        self.v1_of("/plain?a=1", method, body, millis)
    }

    fn v1_of(
        &self,
        target: &'static str,
        method: &'static str,
        body: Option<&[u8]>,
        millis: u64,
    ) -> Sent {
        let timestamp = at(millis).seconds().to_string();
        let key = self.secret(0).mac_key();
        let message = v1::Message {
            method,
            target,
            timestamp: &timestamp,
            nonce: None,
            body: body.unwrap_or_default(),
        };
        let signature = message.sign(&key);
        let headers = vec![
            ("x-key-id", self.document.kid.clone()),
            ("x-timestamp", timestamp),
            ("x-signature", signature),
        ];
        let body = body.map(<[u8]>::to_vec);
        Sent { method, target, headers, body, millis }
    }

    /// A request of version 2, without a secret.
    fn v2(&self, method: &'static str, body: Option<&[u8]>, nonce: &str, millis: u64) -> Sent {
        self.v2_of("/plain?a=1", method, body, nonce, millis)
    }

    fn v2_of(
        &self,
        target: &'static str,
        method: &'static str,
        body: Option<&[u8]>,
        nonce: &str,
        millis: u64,
    ) -> Sent {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let digest = body.map(|body| ContentDigest::of(body).header());
        let covered = v2::Covered {
            method,
            authority: "api.test",
            secure: false,
            path,
            query,
            content_digest: digest.as_deref(),
            content_type: None,
        };
        let made = at(millis).seconds();
        let key = self.secret(0).mac_key();
        let (input, signature) =
            v2::sign(&key, &covered, made, made + 301, nonce, &self.document.kid);
        let mut headers = vec![("signature-input", input), ("signature", signature)];
        headers.extend(digest.map(|digest| ("content-digest", digest)));
        let body = body.map(<[u8]>::to_vec);
        Sent { method, target, headers, body, millis }
    }

    /// `allowed`, or the code of the refusal.
    fn send(&mut self, sent: &Sent) -> String {
        match self.decide(sent) {
            Decided::Allowed => "allowed".to_owned(),
            Decided::Denied(denial) => denial.code().to_owned(),
            Decided::Failed(fault) => fault.wire(0).code.to_owned(),
        }
    }

    fn decide(&mut self, sent: &Sent) -> Decided {
        let has_body = if sent.body.is_some() { " body" } else { "" };
        let mut facts = format!("{}{has_body}\nhttp://api.test{}", sent.method, sent.target);
        for (name, value) in &sent.headers {
            facts.push_str(&format!("\n{name}\n{value}"));
        }
        let request = Request::parse(&facts).unwrap();
        let (gate, mut ticket) = (Rc::clone(&self.gate), Ticket::default());
        for _ in 0..12 {
            let decision = decide(&request, &gate, &mut self.memory, &mut ticket, at(sent.millis));
            ticket.drop_body();
            match decision {
                Decision::Allow(_) => return Decided::Allowed,
                Decision::Deny(denial) => return Decided::Denied(denial),
                Decision::Fault(fault) => return Decided::Failed(fault),
                Decision::Admin | Decision::Usage(_) | Decision::Preflight(_) => {
                    panic!("no request for the admin host")
                }
                Decision::Need(Need::Kv(row)) => {
                    row.learn(None, &gate, &mut self.memory, at(sent.millis)).unwrap();
                }
                Decision::Need(Need::Body(limit)) => {
                    self.read += 1;
                    let body = sent.body.clone().unwrap();
                    let fits = body.len() <= limit as usize;
                    ticket.bring(match fits {
                        _ if body == LATE => Body::Late,
                        true => Body::Read(body),
                        false => Body::TooLong,
                    });
                }
                Decision::Need(Need::KeySet { .. } | Need::Signature) => {
                    panic!("nobody has a token")
                }
                Decision::Need(need @ Need::Workspace(ask)) => {
                    self.calls += 1;
                    let now = at(sent.millis);
                    let (enquiry, text) =
                        Enquiry::new(ask, call_id(self.calls), &gate, &mut self.memory, now);
                    if self.down {
                        enquiry.fail(&mut self.memory);
                        ticket.fail(&need, need.timeout());
                        continue;
                    }
                    let answer = self.workspace.call_text(&text, sent.millis).print();
                    enquiry.learn(&answer, &gate, &mut self.memory, &mut ticket, now).unwrap();
                }
            }
        }
        panic!("asks for ever");
    }
}

fn signing(version: Version) -> Signing {
    let hosts = vec![HostName::parse("api.test").unwrap()];
    let secrets = vec![Generation { generation: 0, root: 1, expires: None }];
    Signing { version, hosts, nonce: false, debug_until: None, secrets }
}

#[test]
fn a_signed_change_is_admitted_once_and_a_signed_read_again() {
    for version in [Version::V1, Version::V2] {
        let mut world = World::new(SignatureMode::Only, signing(version));
        let sent = |world: &World, method, body, millis| match version {
            Version::V1 => world.v1(method, body, millis),
            Version::V2 => world.v2(method, body, &format!("{NONCE}{millis}"), millis),
        };
        let post = sent(&world, "POST", Some(b"{}"), 0);
        assert_eq!(world.send(&post), "allowed");
        for millis in [0, 1, 100_000, 299_000] {
            assert_eq!(world.send(&Sent { millis, ..post.clone() }), "REPLAYED_REQUEST");
        }
        assert_eq!(world.send(&Sent { millis: 301_000, ..post }), "STALE_TIMESTAMP");
        let next = sent(&world, "POST", Some(b"{}"), 1_000);
        assert_eq!(world.send(&next), "allowed");
        let get = sent(&world, "GET", None, 2_000);
        assert_eq!(world.send(&get), "allowed");
        let again = if version == Version::V1 { "allowed" } else { "REPLAYED_REQUEST" };
        assert_eq!(world.send(&get), again);
    }
}

/// A build without nonces reads what does not ask for them.
#[test]
fn a_nonce_is_stored_where_one_is_demanded() {
    for (nonce, stored) in [(false, json!(null)), (true, json!(true))] {
        let text = json!(Signing { nonce, ..signing(Version::V1) });
        assert_eq!(text["nonce"], stored);
        assert_eq!(serde_json::from_value::<Signing>(text).unwrap().nonce, nonce);
    }
}

/// The call for leave comes after the body, which nobody holds meanwhile.
#[test]
fn a_body_is_read_and_hashed_once() {
    for version in [Version::V1, Version::V2] {
        let mut world = World::new(SignatureMode::Only, signing(version));
        let sent = match version {
            Version::V1 => world.v1("POST", Some(b"{}"), 0),
            Version::V2 => world.v2("POST", Some(b"{}"), NONCE, 0),
        };
        assert_eq!((world.send(&sent).as_str(), world.read), ("allowed", 1));
    }
}

#[test]
fn a_nonce_is_used_once_whatever_it_signs_and_when() {
    let mut world = World::new(SignatureMode::Only, signing(Version::V2));
    let first = world.v2("POST", Some(b"{}"), NONCE, 0);
    assert_eq!(world.send(&first), "allowed");
    for seconds in [1, 60, 200, 300, 359] {
        let again = world.v2("POST", Some(b"other"), NONCE, seconds * 1000);
        assert_eq!(world.send(&again), "REPLAYED_REQUEST", "{seconds} s later");
    }
    // Those of other keys are other nonces, and after a while nobody remembers.
    let later = world.v2("POST", Some(b"{}"), NONCE, 1_200_000);
    assert_eq!(world.send(&later), "allowed");
}

#[test]
fn a_read_with_a_body_is_refused_after_its_signature() {
    for version in [Version::V1, Version::V2] {
        let mut world = World::new(SignatureMode::Only, signing(version));
        let sent = match version {
            Version::V1 => world.v1("GET", Some(b"x"), 0),
            Version::V2 => world.v2("GET", Some(b"x"), NONCE, 0),
        };
        assert_eq!(world.send(&sent), "BAD_REQUEST");
        let other = Sent { target: "/plain?a=2", ..sent };
        assert_eq!(world.send(&other), "INVALID_SIGNATURE");
    }
}

#[test]
fn whatever_is_changed_is_refused() {
    let mut world = World::new(SignatureMode::Only, signing(Version::V1));
    let (good, other) =
        (world.v1("POST", Some(b"{}"), 0), World::new(SignatureMode::Only, signing(Version::V1)));
    let with = |name: &'static str, value: &str| {
        let mut sent = good.clone();
        sent.headers.retain(|(own, _)| *own != name);
        sent.headers.push((name, value.to_owned()));
        sent
    };
    let signature = good.headers[2].1.clone();
    let stale = (at(0).seconds() - 301).to_string();
    for (sent, code) in [
        (Sent { method: "GET", ..good.clone() }, "INVALID_SIGNATURE"),
        (Sent { target: "/plain?a=2", ..good.clone() }, "INVALID_SIGNATURE"),
        (Sent { target: "/plain", ..good.clone() }, "INVALID_SIGNATURE"),
        (Sent { body: Some(b"{ }".to_vec()), ..good.clone() }, "INVALID_SIGNATURE"),
        (Sent { body: None, ..good.clone() }, "INVALID_SIGNATURE"),
        (with("x-timestamp", &(at(0).seconds() + 1).to_string()), "INVALID_SIGNATURE"),
        (with("x-timestamp", &stale), "STALE_TIMESTAMP"),
        (with("x-timestamp", ""), "STALE_TIMESTAMP"),
        (with("x-timestamp", &format!("+{}", at(0).seconds())), "STALE_TIMESTAMP"),
        (with("signature-input", "sig=()"), "AMBIGUOUS_CREDENTIALS"),
        (with("x-signature", &signature.to_uppercase()), "INVALID_SIGNATURE"),
        (with("x-signature", &format!("{signature}, {signature}")), "INVALID_SIGNATURE"),
        (with("x-signature", ""), "SIGNATURE_REQUIRED"),
        (with("x-key-id", "0DEM0WS7K2M9QXTAG120"), "INVALID_SIGNATURE"),
        (with("authorization", &format!("Bearer {}", other.bearer)), "AMBIGUOUS_CREDENTIALS"),
    ] {
        assert_eq!(world.send(&sent), code, "{:?}", sent.headers);
    }
    // None of it has used it up.
    assert_eq!(world.send(&good), "allowed");
}

#[test]
fn two_key_ids_are_one_or_no_signature() {
    let mut world = World::new(SignatureMode::Only, signing(Version::V2));
    let good = world.v2("POST", Some(b"{}"), NONCE, 0);
    let with = |kid: &str| {
        let mut sent = good.clone();
        sent.headers.push(("x-key-id", kid.to_owned()));
        sent
    };
    let minted = mint::kid(world.gate.keyring().newest(), world.kid().workspace(), [9; 5]);
    for other in [minted.as_str(), "0DEM0WS7K2M9QXTAG120"] {
        // Nobody is asked, nor is a body's length looked at.
        let mut other = with(other);
        other.headers.push(("content-length", "9999999".to_owned()));
        assert_eq!(world.send(&other), "INVALID_SIGNATURE");
        assert_eq!((world.calls, world.read), (0, 0));
    }
    assert_eq!(world.send(&with(&world.document.kid.clone())), "allowed");
}

#[test]
fn a_body_that_is_not_the_digested_one_is_refused_after_the_signature() {
    let mut world = World::new(SignatureMode::Only, signing(Version::V2));
    let good = world.v2("POST", Some(b"{}"), NONCE, 0);
    let sent = Sent { body: Some(b"[]".to_vec()), ..good.clone() };
    assert_eq!(world.send(&sent), "DIGEST_MISMATCH");
    let sent = Sent { body: None, ..good.clone() };
    assert_eq!(world.send(&sent), "INVALID_SIGNATURE");
    assert_eq!(world.send(&good), "allowed");
    let late = world.v2("POST", Some(LATE), "another-nonce-of-15", 0);
    assert_eq!(world.send(&late), "BAD_REQUEST");
    let long = world.v2("POST", Some(&[b'x'; 1024 * 1024 + 1]), "another-nonce-of-16", 0);
    assert_eq!(world.send(&long), "BODY_TOO_LARGE");
    let mut world = World::taking(3, SignatureMode::Only, signing(Version::V1));
    for (body, told) in [(b"abc".as_slice(), "allowed"), (b"abcd", "BODY_TOO_LARGE")] {
        let sent = world.v1("POST", Some(body), 0);
        assert_eq!(world.send(&sent), told, "the policy's bound");
    }
}

#[test]
fn a_secret_alone_or_beside_it_counts_as_the_record_says() {
    let bearer = |world: &World, signed: bool| {
        let mut sent = world.v1("GET", None, 0);
        sent.headers.retain(|(name, _)| signed && *name != "x-key-id");
        sent.headers.push(("authorization", format!("Bearer {}", world.bearer)));
        sent
    };
    for (mode, alone, both, signed) in [
        (SignatureMode::None, "allowed", "allowed", "INVALID_SIGNATURE"),
        (SignatureMode::Optional, "allowed", "allowed", "INVALID_SIGNATURE"),
        (SignatureMode::Required, "SIGNATURE_REQUIRED", "allowed", "INVALID_SIGNATURE"),
        (SignatureMode::Only, "SIGNATURE_REQUIRED", "SIGNATURE_REQUIRED", "allowed"),
    ] {
        let mut world = World::new(mode, signing(Version::V1));
        let sent = bearer(&world, false);
        assert_eq!(world.send(&sent), alone, "{mode:?}");
        let sent = bearer(&world, true);
        assert_eq!(world.send(&sent), both, "{mode:?}");
        let sent = world.v1("GET", None, 0);
        assert_eq!(world.send(&sent), signed, "{mode:?}");
    }
}

#[test]
fn a_route_may_demand_what_the_record_does_not() {
    for (mode, alone, both, wrong) in [
        (SignatureMode::None, "SIGNATURE_REQUIRED", "SIGNATURE_REQUIRED", "SIGNATURE_REQUIRED"),
        (SignatureMode::Optional, "SIGNATURE_REQUIRED", "allowed", "INVALID_SIGNATURE"),
        (SignatureMode::Required, "SIGNATURE_REQUIRED", "allowed", "INVALID_SIGNATURE"),
        (SignatureMode::Only, "SIGNATURE_REQUIRED", "SIGNATURE_REQUIRED", "SIGNATURE_REQUIRED"),
    ] {
        let mut world = World::new(mode, signing(Version::V1));
        let bearer = |world: &World| ("authorization", format!("Bearer {}", world.bearer));
        let mut sent = world.v1_of("/signed", "POST", Some(b"{}"), 0);
        sent.headers.retain(|(name, _)| *name != "x-key-id");
        sent.headers.push(bearer(&world));
        let elsewhere = Sent { target: "/signed?b=1", ..sent.clone() };
        assert_eq!(world.send(&elsewhere), wrong, "{mode:?}");
        assert_eq!(world.send(&sent), both, "{mode:?}");
        if both == "allowed" {
            assert_eq!(world.send(&sent), "REPLAYED_REQUEST", "{mode:?}");
        }
        sent.headers = vec![bearer(&world)];
        assert_eq!(world.send(&sent), alone, "{mode:?}");
        // Before its secret is proved nothing is told of it.
        sent.headers = vec![("authorization", format!("{}x", bearer(&world).1))];
        assert_eq!(world.send(&sent), "INVALID_API_KEY", "{mode:?}");
    }
    let mut world = World::new(SignatureMode::Only, signing(Version::V1));
    let sent = world.v1_of("/signed", "GET", None, 0);
    assert_eq!(world.send(&sent), "allowed");
}

#[test]
fn what_may_be_admitted_once_is_not_admitted_while_the_workspace_is_silent() {
    let mut world = World::new(SignatureMode::Only, signing(Version::V1));
    let get = world.v1("GET", None, 0);
    assert_eq!(world.send(&get), "allowed");
    world.down = true;
    let post = world.v1("POST", Some(b"{}"), 100);
    assert_eq!(world.send(&post), "AUTH_UNAVAILABLE");
    world.down = false;
    assert_eq!(world.send(&post), "allowed");
}

#[test]
fn a_secret_that_is_replaced_signs_until_its_end() {
    let end = at(10_000).seconds();
    let secrets = vec![
        Generation { generation: 0, root: 1, expires: Some(end) },
        Generation { generation: 1, root: 1, expires: None },
    ];
    let mut world = World::new(SignatureMode::Only, Signing { secrets, ..signing(Version::V1) });
    let sent = world.v1("GET", None, 9_000);
    assert_eq!(world.send(&sent), "allowed");
    let sent = world.v1("GET", None, 10_000);
    assert_eq!(world.send(&sent), "INVALID_SIGNATURE");
    let elsewhere = vec![HostName::parse("other.test").unwrap()];
    let mut world =
        World::new(SignatureMode::Only, Signing { hosts: elsewhere, ..signing(Version::V1) });
    let sent = world.v1("GET", None, 0);
    assert_eq!(world.send(&sent), "INVALID_SIGNATURE");
}

#[test]
fn a_signature_that_does_not_hold_is_explained_while_the_owner_wants_it() {
    let end = at(10_000).seconds();
    for version in [Version::V1, Version::V2] {
        let rules = Signing { debug_until: Some(end), ..signing(version) };
        let mut world = World::new(SignatureMode::Only, rules);
        for (millis, explained) in [(9_000, true), (10_000, false)] {
            let mut sent = match version {
                Version::V1 => world.v1("POST", Some(b"{}"), millis),
                Version::V2 => world.v2("POST", Some(b"{}"), NONCE, millis),
            };
            sent.target = "/plain?a=2";
            let Decided::Denied(denial) = world.decide(&sent) else { panic!("allowed") };
            let wire = denial.wire();
            assert_eq!(wire.code, "INVALID_SIGNATURE");
            assert_eq!(!wire.signed.is_empty(), explained, "{:?}", wire.signed);
            let (name, value) = match version {
                Version::V1 => ("target", "/plain?a=2"),
                Version::V2 => ("@query", "?a=2"),
            };
            let own = Part::of(name, value.as_bytes());
            assert_eq!(wire.signed.contains(&own), explained);
        }
    }
}

#[test]
fn what_cannot_be_forwarded_as_it_was_signed_is_refused() {
    for version in [Version::V1, Version::V2] {
        let mut world = World::new(SignatureMode::Only, signing(version));
        let get = match version {
            Version::V1 => world.v1("GET", Some(b"{}"), 0),
            Version::V2 => world.v2("GET", Some(b"{}"), NONCE, 0),
        };
        assert_eq!(world.send(&get), "BAD_REQUEST", "a body that cannot be sent on");
    }
    // No query and an empty one are one `@query`.
    let mut world = World::new(SignatureMode::Only, signing(Version::V2));
    let sent = world.v2_of("/plain", "GET", None, NONCE, 0);
    assert_eq!(world.send(&Sent { target: "/plain?", ..sent.clone() }), "BAD_TARGET");
    assert_eq!(world.send(&sent), "allowed");
}

#[test]
fn what_was_admitted_is_remembered_until_it_can_be_accepted_no_more() {
    let mut world = World::new(SignatureMode::Only, signing(Version::V1));
    let remembered =
        |world: &World| format!("{:?}", world.workspace.object.rows).matches("once-only/").count();
    for count in 1..=3 {
        let post = world.v1("POST", Some(b"{}"), count * 1000);
        assert_eq!(world.send(&post), "allowed");
        assert_eq!(remembered(&world), usize::try_from(count).unwrap());
    }
    for (millis, left) in [(361_999, 3), (364_000 + 512_000, 0)] {
        world.workspace.run_alarm(millis);
        assert_eq!(remembered(&world), left, "after {millis} ms");
    }
}

impl World {
    /// Changes the key's record, in the Workspace.
    fn change(&mut self, millis: u64, change: impl FnOnce(&mut Document)) {
        let replaces = self.document.version;
        change(&mut self.document);
        self.document.version = replaces + 1;
        let put = Call::Put { document: Box::new(self.document.clone()), replaces };
        assert!(matches!(self.workspace.call(&put, millis), Answer::Written { .. }));
    }
}

#[test]
fn a_signature_stays_used_when_the_nonce_setting_changes() {
    let mut world = World::new(SignatureMode::Only, signing(Version::V1));
    let sent = world.v1("POST", Some(b"0123456789abcdef\n{\"evil\":1}"), 0);
    assert_eq!(world.send(&sent), "allowed");
    // As the management API does it: with another secret.
    world.change(1000, |document| {
        let signing = document.signing.as_mut().unwrap();
        signing.nonce = true;
        signing.secrets = vec![Generation { generation: 1, root: 1, expires: None }];
    });
    let mut again = Sent { body: Some(b"{\"evil\":1}".to_vec()), millis: 5000, ..sent };
    again.headers.push(("x-nonce", "0123456789abcdef".to_owned()));
    assert_ne!(world.send(&again), "allowed", "one MAC, forwarded twice");
}

#[test]
fn a_grant_is_not_called_a_replay_when_the_record_changes_meanwhile() {
    let mut world = World::new(SignatureMode::Only, signing(Version::V2));
    let warm = world.v2("POST", Some(b"{}"), "warm-0123456789abcdef", 0);
    assert_eq!(world.send(&warm), "allowed");
    let sent = world.v2("POST", Some(b"{}"), NONCE, 100);
    let mut facts = format!("POST body\nhttp://api.test{}", sent.target);
    for (name, value) in &sent.headers {
        facts.push_str(&format!("\n{name}\n{value}"));
    }
    let request = Request::parse(&facts).unwrap();
    let (gate, mut ticket) = (Rc::clone(&world.gate), Ticket::default());
    ticket.bring(Body::Read(b"{}".to_vec()));
    let Decision::Need(Need::Workspace(ask)) =
        decide(&request, &gate, &mut world.memory, &mut ticket, at(100))
    else {
        panic!("asks")
    };
    let (enquiry, text) = Enquiry::new(ask, call_id(900), &gate, &mut world.memory, at(100));
    let answer = world.workspace.call_text(&text, 100).print();
    world.change(200, |document| document.signing.as_mut().unwrap().debug_until = Some(1));
    let other = world.v2("POST", Some(b"{}"), "other-0123456789abcdef", 300);
    assert_eq!(world.send(&other), "allowed");
    enquiry.learn(&answer, &gate, &mut world.memory, &mut ticket, at(400)).unwrap();
    for call in 901.. {
        match decide(&request, &gate, &mut world.memory, &mut ticket, at(400)) {
            Decision::Allow(_) => return,
            Decision::Need(Need::Workspace(ask)) => {
                let (enquiry, text) =
                    Enquiry::new(ask, call_id(call), &gate, &mut world.memory, at(400));
                let answer = world.workspace.call_text(&text, 400).print();
                enquiry.learn(&answer, &gate, &mut world.memory, &mut ticket, at(400)).unwrap();
            }
            decision @ (Decision::Deny(_)
            | Decision::Need(_)
            | Decision::Fault(_)
            | Decision::Admin
            | Decision::Usage(_)
            | Decision::Preflight(_)) => panic!("the first and only copy: {decision:?}"),
        }
    }
}

#[test]
fn one_signature_in_one_header() {
    let world = World::new(SignatureMode::Only, signing(Version::V2));
    let sent = world.v2("POST", Some(b"{}"), NONCE, 0);
    let header = |name: &str| &sent.headers.iter().find(|(own, _)| *own == name).unwrap().1;
    let (input, signature) = (header("signature-input"), header("signature"));
    assert!(v2::Presented::parse(input, signature).is_ok());
    let two = format!("sig=:{}=:, {signature}", "A".repeat(43));
    assert!(v2::Presented::parse(input, &two).is_err(), "two signatures of one label");
    let two = format!("sig=(\"@method\");created=1, {input}");
    assert!(v2::Presented::parse(&two, signature).is_err(), "two inputs of one label");
    let two = input.replace(";created", ";created=5;created");
    assert!(v2::Presented::parse(&two, signature).is_err(), "a parameter twice");
}
