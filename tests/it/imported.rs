//! Keys of other shapes, where nobody has a key of the environment.

use portcullis::decide::{Decision, decide};
use portcullis::denial::{Denial, Invalid};
use portcullis::gate::Gate;
use portcullis::imported::{Pointer, PointerId};
use portcullis::key::{Kid, Workspace};
use portcullis::memory::Memory;
use portcullis::mint;
use portcullis::need::{Ask, KvRow, Need};
use portcullis::policy::Policy;
use portcullis::record::{Document, SecretDocument};
use portcullis::request::Request;
use portcullis::root::Keyring;
use portcullis::ticket::Ticket;
use serde_json::json;

use crate::simulation::deployment::WORKSPACE;
use crate::workspace::at;

const ROOT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// Of the shape that the policy takes.
const TEXT: &str = "0123456789abcdef0123456789abcdef01234567";

fn gate(mode: &str) -> Gate {
    let policy = json!({
        "version": 1, "hosts": ["api.test"], "admin_host": "admin.test", "mode": mode,
        "kv_timeout_ms": 200,
        "root_fingerprints": [Keyring::parse(ROOT).unwrap().newest().fingerprint()],
        "origins": [{"name": "near", "timeout_ms": 1500,
            "upstream": {"service": {"binding": "ORIGIN"}}}],
        "tiers": [], "static_keys": [],
        "imports": [{"prefix": "", "alphabet": "hex", "min_length": 40, "max_length": 40}],
        "routes": [{"credentials": ["key"], "methods": ["GET"], "origin": 0, "path": "/plain"}],
    });
    Gate::new(Policy::from_json(&policy.to_string()).unwrap(), ROOT, "", 0).unwrap()
}

fn ask<'g>(gate: &'g Gate, memory: &mut Memory, text: &str) -> Decision<'g> {
    let facts = format!("GET\nhttp://api.test/plain\nx-api-key\n{text}");
    let request = Request::parse(&facts).unwrap();
    decide(&request, gate, memory, &mut Ticket::default(), at(0))
}

/// A key whose secret is another than the text that leads to it.
fn foreign(gate: &Gate, memory: &mut Memory) -> Kid {
    let root = gate.keyring().newest();
    let number = Workspace::parse(WORKSPACE).unwrap();
    let minted = mint::native(root, "ak", number, &[7; 22]).unwrap();
    let secret = SecretDocument::new(0, 1, &minted.digest);
    let record = Document::new(&minted.kid, "ak", secret, at(0).seconds()).row(root).unwrap();
    let id = PointerId::of(root, TEXT);
    let pointer = Pointer { kid: minted.kid }.seal(root, &id);
    for (row, value) in [(KvRow::Pointer(id), pointer), (KvRow::Record(minted.kid), record.value)] {
        row.learn(Some(value.as_bytes()), gate, memory, at(0)).unwrap();
    }
    minted.kid
}

#[test]
fn what_fits_a_shape_is_looked_up_and_nothing_else() {
    let (gate, mut memory) = (gate("edge"), Memory::default());
    let row = KvRow::Pointer(PointerId::of(gate.keyring().newest(), TEXT));
    let fits = ask(&gate, &mut memory, TEXT);
    assert!(matches!(fits, Decision::Need(Need::Kv(own)) if own == row), "{fits:?}");
    let other = ask(&gate, &mut memory, &TEXT[1..]);
    assert!(matches!(other, Decision::Deny(Denial::Invalid(Invalid::Malformed))), "{other:?}");
}

#[test]
fn a_secret_that_is_not_the_record_s_is_refused_once_the_workspace_confirms_it() {
    let (edge, lease) = (gate("edge"), gate("lease"));
    let mut memory = Memory::default();
    foreign(&edge, &mut memory);
    let alone = ask(&edge, &mut memory, TEXT);
    assert!(matches!(alone, Decision::Deny(Denial::Invalid(Invalid::Secret))), "{alone:?}");
    let mut memory = Memory::default();
    let kid = foreign(&lease, &mut memory);
    let asked = ask(&lease, &mut memory, TEXT);
    let Decision::Need(Need::Workspace(Ask::Record(of))) = asked else { panic!("{asked:?}") };
    assert_eq!(of, kid);
}
