//! Imports that are refused, broken off and gone on with.

use std::fmt::Write;
use std::fs;

use crate::desk::Desk;
use crate::server::Server;

fn lines(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let _ = writeln!(text, "{number:064x}");
    }
    text
}

fn rows(count: usize, refused: bool) -> String {
    let mut rows = vec![r#"{"result":"created"}"#.to_owned(); count];
    if refused {
        rows[1] = r#"{"result":"refused","message":"why"}"#.to_owned();
    }
    format!("{{\"rows\":[{}]}}", rows.join(","))
}

const ME: &str = r#"{"subject":"dev:alice"}"#;

fn is_me(line: &str) -> bool {
    line.contains("/api/v1/me ")
}

#[test]
fn a_run_that_goes_on_tells_of_what_was_refused_before_it() {
    // The first hundred has a refusal; the second is busy at first.
    let server = Server::new(|line, number| match number {
        _ if is_me(line) => (200, "", ME.to_owned()),
        1 => (200, "", rows(100, true)),
        2 => (503, "", String::new()),
        _ => (200, "", rows(100, false)),
    });
    let desk = Desk::of(&server.url);
    fs::write(desk.path("keys.txt"), lines(200)).unwrap();
    let import = "keys import keys.txt --parallel 1 --retries 0 --json";
    desk.run(import).failed(8, "goes on from there");
    let ran = desk.run(import);
    let told = ran.json();
    assert_eq!((ran.code, &told["done_before"]), (1, &100.into()), "{}", ran.err);
    assert_eq!(
        (&told["refused"][0]["line"], &told["refused"][0]["message"]),
        (&2.into(), &"why".into())
    );
}

#[test]
fn what_one_member_has_done_at_one_deployment_is_of_no_other() {
    let broken = |me: &'static str| {
        Server::new(move |line, number| match number {
            _ if is_me(line) => (200, "", me.to_owned()),
            1 => (200, "", rows(100, false)),
            _ => (503, "", String::new()),
        })
    };
    let (one, other) = (broken(ME), broken(ME));
    let desk = Desk::of(&one.url);
    fs::write(desk.path("keys.txt"), lines(200)).unwrap();
    let import = "keys import keys.txt --parallel 1 --retries 0";
    assert_eq!(desk.run(import).code, 8);
    let elsewhere = format!("{import} --url {}", other.url);
    let ran = desk.with(&[("PORTCULLIS_TOKEN", "y")], &elsewhere, "");
    assert!(!ran.err.contains("an earlier run"), "{}", ran.err);
    assert!(desk.run(import).err.contains("an earlier run has done 100"));
}

#[test]
fn a_line_that_is_wrong_is_named() {
    let refusal = r#"{"error":{"code":"VALIDATION_FAILED","message":"m","errors":[{"field":"keys[1].tier","message":"no"}]}}"#;
    let server = Server::new(move |line, _| match line {
        line if is_me(line) => (200, "", ME.to_owned()),
        _ => (422, "", refusal.to_owned()),
    });
    let desk = Desk::of(&server.url);
    // With an empty line between, as files have them.
    let text = lines(2).replacen('\n', "\n\n", 1);
    fs::write(desk.path("keys.txt"), text).unwrap();
    let ran = desk.run("keys import keys.txt");
    ran.failed(1, "line 3.tier: no");
    assert!(ran.err.contains("has to be changed") && !ran.err.contains("goes on"), "{}", ran.err);
    // Base64 of 32 bytes might be a key's own text.
    let text = r#"{"sha256":"qL8R4QIcQ/ZsRqOAbeRfcZhilN/MksRtDaErMA0+Wc4="}"#;
    let before = server.asked().len();
    let ran = desk.with(&[], "keys import -", text);
    ran.failed(1, "line 1: no SHA-256 in hex");
    assert!(server.asked()[before..].iter().all(|request| request.starts_with("GET ")));
}

#[test]
fn an_answer_about_fewer_keys_is_none() {
    for rows in [rows(1, false), "{}".to_owned()] {
        let server = Server::new(move |line, _| {
            (200, "", if is_me(line) { ME.to_owned() } else { rows.clone() })
        });
        let desk = Desk::of(&server.url);
        fs::write(desk.path("keys.txt"), lines(2)).unwrap();
        desk.run("keys import keys.txt").failed(1, "of 2 keys that were sent");
    }
}
