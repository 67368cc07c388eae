//! Signing secrets: made, shown once, replaced.

use portcullis::key::Kid;
use portcullis::signature::SigningSecret;
use serde_json::{Value, json};

use super::desk::{Desk, KEYS};
use super::document;

/// The text of a generation, and that the key's record has it.
fn secret(desk: &mut Desk, kid: &str, generation: u8) -> String {
    let document = document(desk, kid);
    let signing = document.signing.unwrap();
    assert!(signing.secrets.iter().any(|own| own.generation == generation), "{signing:?}");
    let (root, kid) = (desk.gate.keyring().newest(), Kid::parse(kid).unwrap());
    SigningSecret::derive(root, &document.prefix, kid, generation).expose().to_owned()
}

#[test]
fn a_signing_secret_is_shown_by_the_answer_that_made_it_and_stored_nowhere() {
    let mut desk = Desk::open();
    let fields = json!({"scopes": ["read"], "signature": "only"});
    let created = desk.ask("dev:admin", "POST", KEYS, &fields);
    let kid = created.body["id"].as_str().unwrap().to_owned();
    let first = secret(&mut desk, &kid, 0);
    assert_eq!(created.body["signing_secret"], first);
    let signing = json!({
        "version": "v2", "hosts": [], "nonce": false, "debug_until": null,
        "secrets": [{"generation": 0, "root": 1, "expires": null}],
    });
    assert_eq!(created.body["signing"], signing);
    let path = format!("{KEYS}/{kid}");
    let changed = desk.ask("dev:admin", "PATCH", &path, &json!({"signature": "required"}));
    assert_eq!((changed.status, changed.body.get("signing_secret")), (200, None));
    let (rotate, grace) = (format!("{path}/rotate"), json!({"grace_seconds": 60, "of": "signing"}));
    let rotated = desk.ask("dev:admin", "POST", &rotate, &grace);
    let second = secret(&mut desk, &kid, 1);
    assert_eq!((rotated.status, &rotated.body["signing_secret"]), (200, &json!(second)));
    assert_eq!(rotated.body.get("secret"), None, "the key's own stays");
    assert_eq!(rotated.body["secrets"], created.body["secrets"]);
    let states = rotated.body["signing"]["secrets"].as_array().unwrap();
    assert!(states[0]["expires"].is_string() && states[1]["expires"].is_null(), "{states:?}");
    let shown = desk.ask("dev:member", "GET", &path, &Value::Null);
    let (shown, rows) = (shown.managed.body, format!("{:?}", desk.object.rows));
    for text in [first, second] {
        let tail = text.rsplit('_').next().unwrap();
        assert!(!shown.contains(tail) && !rows.contains(&tail[..10]), "stored or shown again");
    }
}

#[test]
fn a_key_gets_a_signing_secret_when_signatures_are_first_asked_for() {
    let mut desk = Desk::open();
    let (kid, _) = desk.key(&json!({"scopes": ["read"]}));
    let path = format!("{KEYS}/{kid}");
    let rotate = desk.ask(
        "dev:admin",
        "POST",
        &format!("{path}/rotate"),
        &json!({"grace_seconds": 0, "of": "signing"}),
    );
    assert_eq!((rotate.status, rotate.fields()), (422, vec!["of"]));
    let rules =
        json!({"signature": "optional", "signing": {"version": "v1", "hosts": ["api.test"]}});
    let changed = desk.ask("dev:admin", "PATCH", &path, &rules);
    let first = secret(&mut desk, &kid, 0);
    assert_eq!((changed.status, &changed.body["signing_secret"]), (200, &json!(first)));
    let debug = json!({"name": "x", "signing": {"debug_until": null}});
    let changed = desk.ask("dev:admin", "PATCH", &path, &debug);
    assert_eq!(changed.body["signing"]["hosts"], json!(["api.test"]), "what is not named stays");
    assert_eq!((changed.status, changed.body.get("signing_secret")), (200, None));
    // By other rules a signature could be read in another way.
    for (generation, rules, hosts) in [
        (1, json!({"nonce": true}), json!(["api.test"])),
        (2, json!({"version": "v2"}), json!([])),
        (3, json!({"version": "v1", "hosts": ["api.test"]}), json!(["api.test"])),
    ] {
        let changed = desk.ask("dev:admin", "PATCH", &path, &json!({ "signing": rules }));
        assert_eq!(
            (changed.status, &changed.body["signing"]["hosts"]),
            (200, &hosts),
            "{changed:?}"
        );
        let next = secret(&mut desk, &kid, generation);
        assert_eq!(changed.body["signing_secret"], next);
        let left = json!([{"generation": generation, "root": 1, "expires": null}]);
        assert_eq!(changed.body["signing"]["secrets"], left);
    }
}

#[test]
fn rules_of_signatures_are_checked() {
    let mut desk = Desk::open();
    for (signing, wrong) in [
        (json!({"version": "v3"}), "signing.version"),
        (json!({"version": "v1"}), "signing.hosts"),
        (json!({"version": "v1", "hosts": ["other.test"]}), "signing.hosts"),
        (json!({"version": "v1", "hosts": ["API.test"]}), "signing.hosts[0]"),
        (json!({"version": "v1", "hosts": []}), "signing.hosts"),
        (json!({"hosts": ["api.test"]}), "signing.hosts"),
        (json!({"nonce": true}), "signing.nonce"),
        (json!({"debug_until": "2100-01-01T00:00:00Z"}), "signing.debug_until"),
        (json!({"secrets": []}), "signing.secrets"),
    ] {
        let fields = json!({"scopes": ["read"], "signature": "required", "signing": signing});
        let refused = desk.ask("dev:admin", "POST", KEYS, &fields);
        assert_eq!((refused.status, refused.fields()), (422, vec![wrong]), "{fields}");
    }
}
