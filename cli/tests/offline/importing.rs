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

/// An API to which the second key of every batch is wrong.
fn refusing_the_second() -> Server {
    let refusal = r#"{"error":{"code":"VALIDATION_FAILED","message":"m","errors":[{"field":"keys[1].tier","message":"no"}]}}"#;
    Server::new(move |line, _| match line {
        line if is_me(line) => (200, "", ME.to_owned()),
        _ => (422, "", refusal.to_owned()),
    })
}

#[test]
fn a_line_that_is_wrong_is_named() {
    let server = refusing_the_second();
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
fn programs_are_told_the_line_too() {
    let server = refusing_the_second();
    let desk = Desk::of(&server.url);
    let error = |text: &str| {
        let ran = desk.with(&[], "keys import - --json", text);
        assert_eq!(ran.code, 1, "{}", ran.err);
        let error: serde_json::Value =
            serde_json::from_str(ran.err.lines().last().unwrap()).unwrap();
        error["error"]["errors"][0].clone()
    };
    let own = error(&lines(2));
    assert_eq!((&own["line"], &own["field"]), (&2.into(), &"tier".into()));
    // What the API would say of a line is said before anything is sent.
    let before = server.asked().len();
    for (fields, field) in [(r#""nmae":"x""#, "nmae"), (r#""scopes":["agents"]"#, "scopes[0]")] {
        let own = error(&format!("{}{{\"sha256\":\"{:064x}\",{fields}}}\n", lines(49), 50));
        assert_eq!((&own["line"], &own["field"]), (&50.into(), &field.into()));
    }
    assert_eq!(server.asked().len(), before);
}

#[test]
fn hashes_are_taken_as_other_tools_write_them() {
    let server =
        Server::new(|line, _| (200, "", if is_me(line) { ME.to_owned() } else { rows(2, false) }));
    let desk = Desk::of(&server.url);
    let text = format!("\u{feff}{:064X}\r\n{{\"sha256\":\"{:064X}\"}}\r\n", 0xabc, 0xdef);
    desk.with(&[], "keys import -", &text).ok();
    let sent = server.asked().pop().unwrap();
    for hash in [format!("{:064x}", 0xabc), format!("{:064x}", 0xdef)] {
        assert!(sent.contains(&hash), "{sent}");
    }
}

#[test]
fn one_import_of_a_file_runs_at_a_time() {
    // One request after another: the second command is known between the first one's batches.
    let server = Server::new(|line, number| {
        if is_me(line) {
            return (200, "", ME.to_owned());
        }
        if number < 4 {
            std::thread::sleep(std::time::Duration::from_secs(2));
        }
        (200, "", rows(100, false))
    });
    let desk = Desk::of(&server.url);
    fs::write(desk.path("keys.txt"), lines(200)).unwrap();
    let mut first = desk.command("keys import keys.txt --parallel 1").spawn().unwrap();
    while server.asked().len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    desk.run("keys import keys.txt").failed(8, "another import of this file is running");
    assert_eq!(first.wait().unwrap().code(), Some(0));
    desk.run("keys import keys.txt").ok();
}

/// What is refused for want of room is not done, and is no reason to go on asking.
#[test]
fn an_import_stops_where_the_workspace_is_full() {
    let full = r#"{"result":"refused","code":"KEY_LIMIT","message":"The workspace has 20 keys."}"#;
    let server = Server::new(move |line, number| match number {
        _ if is_me(line) => (200, "", ME.to_owned()),
        1 => (200, "", rows(100, true)),
        2 => {
            let all = vec![full; 100].join(",");
            (200, "", format!("{{\"rows\":[{all}]}}"))
        }
        _ => (200, "", rows(100, false)),
    });
    let desk = Desk::of(&server.url);
    fs::write(desk.path("keys.txt"), lines(500)).unwrap();
    let import = "keys import keys.txt --parallel 1 --json";
    let ran = desk.run(import);
    ran.failed(1, "line 101: KEY_LIMIT: The workspace has 20 keys");
    assert!(server.asked().len() <= 4, "{}", server.asked().len());
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    let told = desk.run(import).json();
    assert_eq!((&told["done_before"], &told["created"]), (&100.into(), &400.into()), "{told}");
    assert_eq!(told["refused"].as_array().unwrap().len(), 1, "{told}");
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

#[test]
fn a_note_that_is_torn_or_of_more_than_there_is_skips_no_key() {
    let server = Server::new(|line, number| match number {
        _ if is_me(line) => (200, "", ME.to_owned()),
        2 | 5 => (503, "", String::new()),
        _ => (200, "", rows(100, false)),
    });
    let desk = Desk::of(&server.url);
    fs::write(desk.path("keys.txt"), lines(300)).unwrap();
    let import = "keys import keys.txt --parallel 1 --retries 0 --json";
    desk.run(import).failed(8, "goes on from there");
    let folder = fs::read_dir(desk.path("state/portcullis")).unwrap();
    let note = folder.map(|file| file.unwrap().path()).next().unwrap();
    // What a full disk leaves: the beginning of a number.
    fs::write(&note, "100\n2").unwrap();
    desk.run(import).failed(8, "goes on from there");
    assert_eq!(desk.run(import).ok().json()["done_before"], 200);
    fs::write(&note, "20000\n").unwrap();
    let ran = desk.run(import).ok();
    assert_eq!((&ran.json()["done_before"], &ran.json()["created"]), (&0.into(), &300.into()));
}
