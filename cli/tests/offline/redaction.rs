//! A secret that was put where none belongs is in no error.

use crate::desk::Desk;
use crate::server::Server;

const KEY: &str = "ak_00000000000000000000_c4naryc4naryc4naryc4naryc4naryc4naryc4nar";
const SIGNING: &str = "ak_sign_00000000000000000000_0_c4nary-c4nary_c4nary";
const WEBHOOK: &str = "whsec_c4nary/c4nary+c4naryc4naryc4nary==";
const ROOT: &str = "v1:C4naryC4nary/C4naryC4nary+C4naryC4naryC4nary0=";
const IMPORTED: &str = "qL8R4QIcQ/ZsRqOAc4nary/ilN/MksRtDaErMA0+Wc4=";
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJhIjoiYzRuYXJ5In0.c4nary";
const SECRETS: [&str; 6] = [KEY, SIGNING, WEBHOOK, ROOT, IMPORTED, TOKEN];

fn hidden(secret: &str, said: &str, what: &str) {
    let last = &secret[secret.len() - 12..];
    assert!(!said.contains(last) && !said.to_lowercase().contains("c4nary"), "{what}: {said}");
}

#[test]
fn in_the_place_of_a_file_a_path_or_an_address() {
    let desk = Desk::of("http://127.0.0.1:1");
    for secret in SECRETS {
        for arguments in [
            format!("keys import {secret}"),
            format!("policy check {secret}"),
            format!("policy explain --url http://x/ --key-record {secret}"),
            format!("verify --kv {secret}"),
            format!("verify --record {secret}"),
            format!("keys inspect --policy {secret}"),
            format!("request --data @{secret} http://127.0.0.1:1/"),
            format!("doctor --config {secret}"),
            format!("doctor --path /{secret} --gate http://127.0.0.1:1"),
            format!("doctor --origin {secret}"),
            format!("manual {secret}"),
            format!("key show {secret} --name 00000000000000000000"),
        ] {
            let root = [("PORTCULLIS_ROOT", "v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")];
            let ran = desk.with(&root, &arguments, "x");
            assert_ne!(ran.code, 0, "{arguments}");
            hidden(secret, &ran.err, &arguments);
            hidden(secret, &ran.out, &arguments);
        }
    }
    assert!(!desk.path(KEY).exists(), "no folder of this name is made");
}

#[test]
fn in_the_variable_of_a_flag() {
    let desk = Desk::of("http://127.0.0.1:1");
    for secret in [KEY, SIGNING, ROOT, IMPORTED] {
        for (name, arguments) in [
            ("PORTCULLIS_URL", "keys list"),
            ("PORTCULLIS_RETRIES", "keys list"),
            ("PORTCULLIS_PROFILE", "keys list"),
            ("PORTCULLIS_KEYS_CREATE_TTL", "keys create"),
            ("PORTCULLIS_VERIFY_IP", "verify --kv x"),
        ] {
            let ran = desk.with(&[(name, secret)], arguments, "");
            assert_ne!(ran.code, 0, "{name}");
            hidden(secret, &ran.err, name);
        }
    }
}

#[test]
fn and_what_is_no_secret_is_told() {
    let desk = Desk::of("http://127.0.0.1:1");
    for name in [
        "absent-policy-of-the-production-deployment-2026.toml",
        "some/folder/2026/Absent_Policy/policy.toml",
        "./00000000000000000000",
    ] {
        desk.run(&format!("policy check {name}")).failed(3, name);
    }
}

#[test]
fn a_secret_of_the_environment_has_no_form() {
    const OPAQUE: &str = "c4narytoken-of-no-form";
    let echo =
        format!(r#"{{"error":{{"code":"X","message":"{OPAQUE}","request_id":"{OPAQUE}"}}}}"#);
    let server = Server::new(move |_, _| (403, "", echo.clone()));
    let desk = Desk::of(&server.url);
    for arguments in ["whoami", "whoami --json"] {
        let ran = desk.with(&[("PORTCULLIS_TOKEN", OPAQUE)], arguments, "");
        assert!(ran.err.contains("[redacted]"), "{arguments}: {}", ran.err);
        assert!(
            !ran.err.contains("c4nary") && !ran.out.contains("c4nary"),
            "{arguments}: {}",
            ran.err
        );
    }
}
