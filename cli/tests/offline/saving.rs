//! `--save`: into the profile of this deployment, or nothing is made.

use std::fs;
use std::process::Stdio;

use crate::desk::{Desk, mode, portcullis_file};
use crate::server::Server;

const MADE: &str = r#"{"id":"00000000000000000000","secret":"ak_of_a_test"}"#;

#[test]
fn what_cannot_be_kept_is_not_asked_for() {
    let server = Server::new(|_, _| (201, "", MADE.to_owned()));
    let url = &server.url;
    let token = [("PORTCULLIS_TOKEN", "x")];
    for command in ["keys create --name n", "keys rotate 00000000000000000000"] {
        let nobody = Desk::new();
        nobody
            .with(&token, &format!("{command} --save --url {url}"), "")
            .failed(2, "no profile yet");
        let other = Desk::of("http://127.0.0.1:1");
        let ran = other.with(&token, &format!("{command} --save --url {url}"), "");
        ran.failed(2, "profile a is of http://127.0.0.1:1");
        let closed = Desk::of(url);
        let file = portcullis_file(&closed);
        mode(&file, 0o644);
        closed.run(&format!("{command} --save")).failed(3, "can be read by others");
    }
    assert_eq!(server.asked(), Vec::<String>::new());
    let desk = Desk::of(url);
    let ran = desk.run("keys create --name n --save").ok();
    assert!(!ran.out.contains("ak_of") && !ran.err.contains("ak_of"));
    assert!(fs::read_to_string(portcullis_file(&desk)).unwrap().contains("ak_of_a_test"));
}

#[test]
fn what_could_not_be_kept_after_all_is_printed() {
    let desk = std::sync::Arc::new(std::sync::OnceLock::<std::path::PathBuf>::new());
    let file = std::sync::Arc::clone(&desk);
    // While it is being made the file becomes one that others can read.
    let server = Server::new(move |_, _| {
        mode(file.get().unwrap(), 0o644);
        (201, "", MADE.to_owned())
    });
    let own = Desk::of(&server.url);
    desk.set(portcullis_file(&own)).unwrap();
    let ran = own.run("keys create --name n --save --quiet");
    assert_eq!((ran.code, ran.out.as_str()), (3, "ak_of_a_test\n"), "{}", ran.err);
    assert!(ran.err.contains("not kept"), "{}", ran.err);
}

/// A pipe that nobody reads.
fn gone() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Stdio::from(writer)
}

fn full() -> Stdio {
    Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap())
}

/// There is a key now, which has to be named.
#[test]
fn a_secret_that_cannot_be_printed_is_told_of() {
    let server = Server::new(|_, _| (201, "", MADE.to_owned()));
    let desk = Desk::of(&server.url);
    for command in ["keys create --name n", "keys rotate 00000000000000000000 --grace 0"] {
        for (stdout, quiet) in [(gone(), " --quiet"), (full(), " --quiet"), (gone(), " --json")] {
            let mut child = desk.command(&format!("{command}{quiet}"));
            let ran = child.stdout(stdout).output().unwrap();
            let err = String::from_utf8(ran.stderr).unwrap();
            assert_eq!(ran.status.code(), Some(3), "{err}");
            assert!(err.contains("key 00000000000000000000 is made"), "{err}");
            assert!(!err.contains("ak_of"), "{err}");
        }
    }
}

#[test]
fn so_is_one_that_was_made_here() {
    let desk = Desk::new();
    let root = ("PORTCULLIS_ROOT", "v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    let mint = "keys mint --name n --workspace DEM0WS --scope read";
    let key = desk.with(&[root], &format!("{mint} --kv rows.json"), "").ok().out;
    let kid = key.rsplit('_').nth(1).unwrap();
    let rotate = format!("key rotate {kid} --from rows.json --kv rows.json");
    for (command, saying) in [
        (mint, "nobody has the secret of key"),
        (&format!("{mint} --kv rows.json"), "is in rows.json, and nobody has its secret"),
        (&format!("{mint} --kv rows.json --json"), "is in rows.json, and nobody has its secret"),
        (&rotate, "a secret now that nobody has"),
        ("root new", "nobody has the root"),
    ] {
        for stdout in [gone(), full()] {
            let ran = desk.command(command).env(root.0, root.1).stdout(stdout).output().unwrap();
            let err = String::from_utf8(ran.stderr).unwrap();
            assert_eq!(ran.status.code(), Some(3), "{command}: {err}");
            assert!(err.contains(saying), "{command}: {err}");
        }
    }
}

#[test]
fn what_is_no_value_of_a_field_is_not_kept() {
    let desk = Desk::of("http://127.0.0.1:1");
    for key in ["client_id", "api_key"] {
        let set = format!("config set --key {key}");
        desk.with(&[], &set, "a\nb").failed(1, "not one line");
        desk.run(&format!("config show --key {key}")).failed(6, "has no");
    }
}

#[test]
fn no_change_of_the_file_undoes_another() {
    let desk = Desk::of("http://127.0.0.1:1");
    std::thread::scope(|scope| {
        for (key, value) in [("gate", "http://127.0.0.1:2"), ("client_id", "c"), ("api_key", "k")] {
            let desk = &desk;
            scope.spawn(move || {
                for _ in 0..20 {
                    desk.with(&[], &format!("config unset --key {key}"), "").ok();
                    desk.with(&[], &format!("config set --key {key}"), value).ok();
                }
            });
        }
    });
    let shown = desk.run("config show").ok();
    for line in ["gate\thttp://127.0.0.1:2", "client_id\tc", "api_key\t"] {
        assert!(shown.out.contains(line), "{}", shown.out);
    }
}
