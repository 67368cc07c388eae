//! Answers that no deployment gives, late or lost ones, and readers that go away.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::desk::Desk;
use crate::server::Server;

#[test]
fn an_answer_of_another_shape_is_no_success() {
    let server = Server::new(|_, _| (200, "", "{}".to_owned()));
    let desk = Desk::of(&server.url);
    for arguments in [
        "whoami",
        "keys create --name n --quiet",
        "keys rotate 00000000000000000000 --quiet",
        "keys list",
        "workspace audit",
        "workspace audit export",
        "login",
    ] {
        assert_eq!(desk.with(&[], arguments, "y").code, 1, "{arguments}");
    }
    let file = std::fs::read_to_string(crate::desk::portcullis_file(&desk)).unwrap();
    assert!(file.contains("token = \"x\""), "the token so far stays");
    let setup = format!("setup --profile b --url {}", server.url);
    desk.with(&[], &setup, "y").failed(1, "not as Portcullis does");
}

#[test]
fn a_page_comes_once_and_a_cursor_is_encoded() {
    let server = Server::new(|_, number| {
        let next = if number % 2 == 0 { "a&b=c+d" } else { "e" };
        (200, "", format!("{{\"keys\":[],\"entries\":[],\"next\":\"{next}\"}}"))
    });
    let desk = Desk::of(&server.url);
    desk.run("keys list").failed(1, "again and again");
    assert!(server.asked()[1].contains("&cursor=a%26b%3Dc%2Bd "), "{:?}", server.asked());
    desk.run("workspace audit export").failed(1, "again and again");
}

#[test]
fn a_lost_answer_is_asked_for_again_under_the_same_name() {
    let server = Server::new(|_, _| (0, "", String::new()));
    let desk = Desk::of(&server.url);
    let ran = desk.run("keys create --name n --retries 1");
    ran.failed(7, "It may have been done all the same");
    let name = |request: &String| {
        let head = request.to_lowercase();
        head.lines().find(|line| line.starts_with("idempotency-key: ")).unwrap().to_owned()
    };
    let names: Vec<_> = server.asked().iter().map(name).collect();
    assert!(names.len() == 2 && names[0] == names[1], "{names:?}");
}

/// No listener, no name, no network, no TLS: nobody was there to do it.
#[test]
fn what_was_not_sent_is_not_done() {
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain_url = format!("https://{}", plain.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in plain.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    for url in [
        "http://127.0.0.1:1",
        "https://127.0.0.1:1",
        "https://no-such-host.invalid",
        "https://[2001:db8::1]",
        "https://255.255.255.255",
        &plain_url,
    ] {
        let nobody = Desk::of(url).run("keys create --name n");
        nobody.failed(7, "is not reached");
        assert!(!nobody.err.contains("may have been"), "{url}: {}", nobody.err);
        assert_eq!(nobody.err.lines().count(), 1, "{url}: {}", nobody.err);
    }
}

#[test]
fn a_request_is_sent_again_if_that_changes_nothing() {
    let busy = |status: u16| {
        Server::new(move |_, number| match number {
            0 => (status, "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\n", String::new()),
            _ => (200, "", "done".to_owned()),
        })
    };
    let sent = |status, flags: &str| {
        let server = busy(status);
        let ran = Desk::new().run(&format!("request {}/ {flags}", server.url));
        (ran.code, server.asked().len(), ran.err)
    };
    let (code, count, err) = sent(429, "--data x");
    // A date that is past: at once, not after the half second of an answer that says nothing.
    assert!(
        (code, count) == (0, 2) && err.contains("again in 0.") && !err.contains("in 0.5"),
        "{err}"
    );
    let (code, count, _) = sent(503, "--method HEAD");
    assert_eq!((code, count), (0, 2));
    for (status, flags) in [(503, "--data x"), (503, "--retries 0"), (429, "--retries 0")] {
        let (code, count, _) = sent(status, flags);
        assert_eq!((code, count), (8, 1), "{status} {flags}");
    }
}

/// Programs find the error where every other one is.
#[test]
fn an_answer_that_is_a_refusal_is_told_as_one() {
    let server = Server::new(|_, _| (404, "", "none".to_owned()));
    let request = format!("request {}/", server.url);
    let ran = Desk::new().run(&format!("{request} --json"));
    assert_eq!(
        (ran.code, &ran.json()["status"], &ran.json()["body"]),
        (6, &404.into(), &"none".into())
    );
    let error: Value = serde_json::from_str(ran.err.lines().last().unwrap()).unwrap();
    let own = serde_json::json!({ "exit": 6, "message": "404 Not Found", "status": 404 });
    assert_eq!(error["error"], own);
    let ran = Desk::new().run(&request);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("none", "404 Not Found\n"));
}

#[test]
fn a_message_of_a_server_is_one_line() {
    let body = "{\"error\":{\"code\":\"X\",\"message\":\"a\\nerror: b\\u202ec\"}}";
    let server = Server::new(move |_, _| (400, "", body.to_owned()));
    let ran = Desk::of(&server.url).run("keys list");
    ran.failed(1, "a error: b\u{fffd}c");
    assert_eq!(ran.err.lines().count(), 1);
}

/// Another token is of no use to whoever asks with a key.
#[test]
fn who_is_not_known_is_told_what_helps() {
    let body = "{\"error\":{\"code\":\"INVALID_API_KEY\",\"message\":\"m\"}}";
    let server = Server::new(move |_, _| (401, "", body.to_owned()));
    let desk = Desk::of(&server.url);
    desk.run("keys list").failed(4, "portcullis login");
    let ran = desk.with(&[("PORTCULLIS_API_KEY", "k")], "keys usage", "");
    ran.failed(4, "portcullis config set --key api_key");
    assert!(!ran.err.contains("login"), "{}", ran.err);
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let entries = format!("[{}1]", "1,".repeat(100_000));
    let server = Server::new(move |_, number| {
        (200, "", format!("{{\"entries\":{entries},\"next\":\"{number}\"}}"))
    });
    let desk = Desk::of(&server.url);
    for arguments in ["workspace audit export", "completions bash", "--help"] {
        let mut child = desk.command(arguments).spawn().unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments}: {err}");
        assert!(!err.contains("error:"), "{arguments}: {err}");
    }
}

/// Isolates tell of what they refused seconds after it; meanwhile the way may be closed.
#[test]
fn what_is_told_late_is_shown_once_and_a_lost_look_is_no_end() {
    let told = r#"{"request_id":"own","time":"2099-01-01T00:00:00.000Z"}"#;
    let late = late_denial();
    let server = Server::new(move |_, number| match number {
        0 | 2 => (200, "", r#"{"denials":[]}"#.to_owned()),
        1 | 5 => (0, "", String::new()),
        3 | 4 => (200, "", format!("{{\"denials\":[{told},{late}]}}")),
        _ => (404, "", String::new()),
    });
    let desk = Desk::of(&server.url);
    let ran = desk.run("tail --since 1s --every 1 --retries 1");
    assert_eq!(ran.code, 6, "{}", ran.err);
    let ids: Vec<_> = ran.out.lines().map(|line| line.rsplit('\t').next().unwrap()).collect();
    assert_eq!(ids, ["late", "own"], "{}", ran.out);
    let lost = Server::new(|_, _| (0, "", String::new()));
    assert_eq!(Desk::of(&lost.url).run("tail --once --retries 1").code, 7);
    assert_eq!(lost.asked().len(), 2);
}

/// One of the second in which it is asked for, which by the fourth answer is 2 s ago.
#[expect(clippy::disallowed_methods, reason = "the command asks the same clock")]
fn late_denial() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let time = portcullis::management::time::print_millis(u64::try_from(now.as_millis()).unwrap());
    format!("{{\"request_id\":\"late\",\"time\":\"{time}\"}}")
}

#[test]
fn what_is_not_seen_of_a_deployment_is_not_well() {
    let body = "{\"error\":{\"code\":\"UNKNOWN_ROUTE\"}}";
    let server = Server::new(move |_, _| (404, "", body.to_owned()));
    let desk = Desk::of(&server.url);
    let flags = "--origin https://no-such-host.invalid --workers-dev https://no-such-host.invalid";
    let ran = desk.run(&format!("doctor --json --gate {} {flags}", server.url)).json();
    for what in ["gate refuses", "origin refuses", "workers_dev is off", "what keys need"] {
        let checks = ran["checks"].as_array().unwrap();
        let own = checks.iter().find(|own| own["check"].as_str().unwrap().contains(what)).unwrap();
        assert_eq!(own["verdict"], "not seen", "{own}");
    }
}

/// Of a deployment of which everything is as it has to be, what has not been seen is told, and is no success.
#[test]
fn only_what_was_seen_is_well() {
    let date: &'static str = Box::leak(format!("Date: {}\r\n", date()).into_boxed_str());
    let server = Server::new(move |line, _| match line.split(' ').nth(1).unwrap() {
        "/healthz" => (200, date, String::new()),
        "/api/v1/workspaces" => (200, "", r#"{"workspaces":[{"id":"DEM0WS"}]}"#.to_owned()),
        keys if keys.starts_with("/api/v1/workspaces/DEM0WS/api-keys?") => {
            let secret = r#"{"id":"K","status":"active","secrets":[{"root":1}]}"#;
            (200, "", format!("{{\"keys\":[{secret}]}}"))
        }
        _ => (401, "", r#"{"error":{"code":"MISSING_API_KEY"}}"#.to_owned()),
    });
    let desk = Desk::of(&server.url);
    let root = "v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let root = [("PORTCULLIS_ROOT", root)];
    let fingerprint = desk.with(&root, "root fingerprint", "").ok().out;
    let fingerprint = fingerprint.split(' ').next().unwrap();
    let policy = format!("root_fingerprints = [\"{fingerprint}\"]\n{POLICY}");
    std::fs::write(desk.path("policy.toml"), policy).unwrap();
    let doctor = format!("doctor --gate {}", server.url);
    let outcome = |variables: &[(&str, &str)], flags: &str| {
        let ran = desk.with(variables, &format!("{doctor}{flags}"), "");
        let json = desk.with(variables, &format!("{doctor}{flags} --json"), "");
        assert_eq!(ran.code, json.code);
        let verdict = json.json()["verdict"].as_str().unwrap().to_owned();
        let last = json.err.lines().last().unwrap().to_owned();
        (ran.code, verdict, ran.err.trim_end().to_owned(), last)
    };
    let (code, verdict, said, last) = outcome(&root, " --fails-closed");
    assert_eq!((code, verdict.as_str()), (0, "ok"), "{said}");
    assert!(said == last && said.starts_with("all of "), "{said}");
    let (code, verdict, said, last) = outcome(&root, "");
    assert_eq!((code, verdict.as_str()), (9, "not seen"));
    assert!(said.ends_with("nothing that was seen is wrong: route fails closed"), "{said}");
    let error: Value = serde_json::from_str(&last).unwrap();
    assert_eq!((&error["error"]["exit"], &error["error"]["message"]), (&9.into(), &said.into()));
    assert_eq!(outcome(&[], " --fails-closed").0, 9, "nobody knows what the root is");
    let other = [("PORTCULLIS_ROOT", "v2:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=")];
    let (code, verdict, said, _) = outcome(&other, "");
    assert_eq!((code, verdict.as_str()), (1, "WRONG"));
    assert!(said.ends_with("fingerprints, root has what keys need"), "{said}");
    std::fs::write(desk.path("policy.toml"), "version = 1").unwrap();
    let (code, _, said, _) = outcome(&root, "");
    assert!(
        code == 1 && said.ends_with("fingerprints"),
        "what is wrong in a policy is a finding: {said}"
    );
}

const POLICY: &str = "version = 1\nhosts = [\"a.test\"]\nadmin_host = \"b.test\"\nmode = \"edge\"\n\
    [origins.o]\nservice = \"O\"\n\
    [[routes]]\nmethods = [\"GET\"]\npath = \"/\"\norigin = \"o\"\ncredentials = [\"key\"]\nscope = \"none\"\n";

/// Of now, as answers have it.
fn date() -> String {
    let now = time::OffsetDateTime::now_utc();
    now.format(&time::format_description::well_known::Rfc2822).unwrap()
}

#[test]
fn a_switch_is_turned_by_its_variable_and_an_empty_one_is_none() {
    let desk = Desk::of("http://127.0.0.1:1");
    for (value, json) in [("1", true), ("true", true), ("0", false), ("", false)] {
        let out = desk.with(&[("PORTCULLIS_JSON", value)], "config path", "").ok().out;
        assert_eq!(out.starts_with('{'), json, "{value}: {out}");
    }
    // One that is off is not given.
    let alert = "keys alert 00000000000000000000 --threshold 80";
    for (value, code) in [("0", 7), ("false", 7), ("1", 2)] {
        let ran = desk.with(&[("PORTCULLIS_KEYS_ALERT_OFF", value)], alert, "");
        assert_eq!(ran.code, code, "{value}: {}", ran.err);
    }
    let empty = [("PORTCULLIS_PROFILE", ""), ("PORTCULLIS_URL", ""), ("PORTCULLIS_RETRIES", "")];
    desk.with(&empty, "config show", "").ok();
    desk.with(&empty, "keys list", "").failed(7, "is not reached");
}

#[test]
fn a_printed_line_sends_what_was_signed() {
    let desk = Desk::new();
    let secret =
        [("PORTCULLIS_SIGNING_SECRET", "ak_sign_00000000000000000000_0_secretsecretsecret")];
    let line = |rest: &str| desk.with(&secret, &format!("sign --curl {rest}"), "").ok().out;
    let posted = line("http://127.0.0.1:1/a/../b[1] --data x");
    assert!(posted.starts_with("curl -i --globoff --path-as-is -X 'POST' '"), "{posted}");
    std::fs::write(desk.path("at"), "@secret-file").unwrap();
    assert!(line("http://127.0.0.1:1/ --data @at").contains(" --data-raw '@secret-file'"));
    let head = line("http://127.0.0.1:1/ -X HEAD");
    assert!(head.contains(" --head ") && !head.contains("-X"), "{head}");
}

#[test]
fn bytes_go_and_come_as_they_are() {
    let body = [0xff, 0, 0x1b, b'[', b'2', b'J', b'\r'];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let mut heard = Vec::new();
        for stream in listener.incoming().take(2) {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(&body) {
                let mut part = [0; 1024];
                let read = stream.read(&mut part).unwrap();
                request.extend_from_slice(&part[..read]);
            }
            stream.write_all(b"HTTP/1.1 200 -\r\nContent-Length: 7\r\n\r\n").unwrap();
            stream.write_all(&body).unwrap();
            heard.push(String::from_utf8_lossy(&request).to_lowercase());
        }
        heard
    });
    let desk = Desk::new();
    std::fs::write(desk.path("body"), body).unwrap();
    let send = format!("request {url} --data @body");
    let plain = desk.command(&send).output().unwrap();
    assert_eq!((plain.status.code(), plain.stdout.as_slice()), (Some(0), &body[..]));
    let json = desk.run(&format!("{send} --json -H content-type:image/png")).ok().json();
    assert_eq!((&json["body_base64"], &json["body"]), (&"/wAbWzJKDQ==".into(), &Value::Null));
    let heard = served.join().unwrap();
    let types = |request: &String| request.matches("content-type:").count();
    assert_eq!(heard.iter().map(types).collect::<Vec<_>>(), [1, 1]);
    assert!(heard[0].contains("content-type: application/json\r\n"), "{}", heard[0]);
    assert!(heard[1].contains("content-type: image/png\r\n"), "{}", heard[1]);
    let twice = format!("{send} -H Content-Type:a/b -H content-type:c/d");
    desk.run(&twice).failed(2, "Content-Type is given twice");
}

/// An issuer that names endpoints with a query and a slash at the end, and wants to be asked in a year.
#[test]
fn an_issuer_is_asked_where_it_says_and_nobody_waits_for_ever() {
    let place = Arc::new(OnceLock::<String>::new());
    let own = Arc::clone(&place);
    let server = Server::new(move |line, _| {
        let at = own.get().unwrap();
        if line.contains("/.well-known/") {
            let ends = format!("\"token_endpoint\":\"{at}/token/?tenant=a\",");
            let ends = format!("{ends}\"device_authorization_endpoint\":\"{at}/device/?tenant=a\"");
            return (200, "", format!("{{\"issuer\":\"{at}\",{ends}}}"));
        }
        let asked = "\"device_code\":\"d\",\"user_code\":\"U\",\"verification_uri\":\"http://x/\"";
        (200, "", format!("{{{asked},\"interval\":{},\"expires_in\":99999999999}}", u64::MAX))
    });
    place.set(server.url.clone()).unwrap();
    let desk = Desk::of(&server.url);
    desk.run(&format!("login --issuer {} --device", server.url)).failed(4, "the code has expired");
    assert!(server.asked()[1].starts_with("POST /device/?tenant=a "), "{:?}", server.asked());
}
