//! What goes wrong is one line and an exit code.

use std::net::TcpListener;

use serde_json::json;

use crate::desk::Desk;

const NOBODY: &str = "00000000000000000000";

#[test]
fn each_failure_has_its_line_and_its_exit_code() {
    let desk = Desk::of("member");
    desk.run(&format!("keys show {NOBODY}")).failed(6, "404 NOT_FOUND");
    desk.run("keys list --workspace 000000").failed(6, "404 NOT_FOUND");
    desk.run("keys create --name x").failed(5, "403 PERMISSION_DENIED");
    desk.run("denial nothing-of-this-name").failed(5, "PERMISSION_DENIED");
    desk.run("keys list --workspace DEMOWS").failed(2, "--workspace");
    desk.feed("config set --key workspace", "DEMOWS").failed(1, "workspace: a workspace's number");
    let setup = format!("setup --url {}", desk.text("admin_url"));
    let token = desk.token("member");
    desk.feed(&format!("{setup} --workspace demo"), &token).failed(2, "a workspace's number");
    desk.feed(&format!("{setup} --workspace 000000"), &token).failed(6, "404 NOT_FOUND");
    assert!(desk.run("config show --key workspace").ok().out.starts_with("DEM0WS"));
    desk.run("keys list --profile other").failed(2, "no profile of this name");
    desk.run("keys revoke-all").failed(2, "--yes");
    desk.run("request /v1/public").ok();
    desk.run("keys show old-key-id").failed(2, "a key's id is");
    desk.run("keys list --nonsense").failed(2, "'--nonsense'");
    Desk::of("admin").run("keys create --name x --scope Agents").failed(1, "422 VALIDATION_FAILED");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let token = [("PORTCULLIS_TOKEN", "x")];
    desk.with(&token, &format!("keys list --url http://{free}")).failed(7, "is not reached");
    desk.with(&token, "keys list --url http://no-such-host.invalid").failed(2, "use https://");
    desk.with(&token, "keys list --url https://no-such-host.invalid").failed(7, "is not reached");
}

#[test]
fn a_token_that_is_missing_over_or_wrong_is_told() {
    let desk = Desk::new();
    desk.run("whoami").failed(2, "portcullis setup");
    let url = desk.text("admin_url");
    desk.run(&format!("whoami --url {url}")).failed(4, "no token");
    let claims = json!({ "exp": 1_700_000_000 }).to_string();
    let claims = data_encoding::BASE64URL_NOPAD.encode(claims.as_bytes());
    let over = format!("e30.{claims}.x");
    let whoami = format!("whoami --url {url}");
    desk.with(&[("PORTCULLIS_TOKEN", &over)], &whoami).failed(4, "expired at 2023-11-14");
    desk.with(&[("PORTCULLIS_TOKEN", "e30.e30.x")], &whoami).failed(4, "401 INVALID_TOKEN");
    let key = desk.ready["keys"]["full"].as_str().unwrap().to_owned();
    desk.with(&[("PORTCULLIS_TOKEN", &key)], &whoami).failed(5, "403 API_KEY_NOT_ALLOWED");
    desk.feed(&format!("setup --url {url}"), "e30.e30.x").failed(4, "401 INVALID_TOKEN");
    assert!(!desk.path("config/portcullis/config.toml").exists(), "nothing is kept");
}

#[test]
fn a_token_goes_to_the_deployment_it_was_given_for_alone() {
    let desk = Desk::of("admin");
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", other.local_addr().unwrap());
    desk.run(&format!("keys list --url {url}")).failed(4, "no token for");
    desk.feed("config set --key api_key", "ak_of_the_profile").ok();
    let mut asked = desk.start(&format!("request {url}/x"));
    let (mut stream, _) = other.accept().unwrap();
    let mut head = [0; 2048];
    let read = std::io::Read::read(&mut stream, &mut head).unwrap();
    let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
    assert!(head.starts_with("get /x ") && !head.contains("authorization"), "{head}");
    drop(stream);
    asked.wait().unwrap();
}

#[test]
fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::of("admin");
    let file = desk.path("config/portcullis/config.toml");
    let mode =
        |file: &std::path::Path| std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    desk.run("whoami").failed(3, "chmod 600");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let token = desk.token("admin");
    std::fs::write(&file, format!("default = 'x'\n[profiles.x]\ntoken = '{token}' 'oops'\n"))
        .unwrap();
    let broken = desk.run("whoami");
    broken.failed(3, "near line 3");
    assert!(!broken.err.contains(&token[..20]));
}

/// A server of one answer, then of a success.
#[test]
fn what_is_refused_for_now_is_asked_again_as_the_answer_says() {
    use std::io::{Read, Write};
    let desk = Desk::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let mut keys = Vec::new();
        for answer in [
            "503 -\r\nRetry-After: 1\r\nContent-Length: 0",
            "429 -\r\nRetry-After: 1\r\nContent-Length: 0",
            "200 -\r\nIdempotent-Replayed: true\r\nContent-Length: 29",
        ] {
            let (mut stream, _) = server.accept().unwrap();
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap();
            let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
            let key = head.lines().find(|line| line.starts_with("idempotency-key: ")).unwrap();
            keys.push((key.to_owned(), std::time::Instant::now()));
            let body =
                if answer.starts_with('2') { r#"{"id":"00000000000000000000"}"# } else { "" };
            write!(stream, "HTTP/1.1 {answer}\r\nConnection: close\r\n\r\n{body}").unwrap();
        }
        keys
    });
    let ran = desk.with(&[("PORTCULLIS_TOKEN", "x")], &format!("keys create --name x --url {url}"));
    let keys = served.join().unwrap();
    assert!(keys.windows(2).all(|pair| pair[0].0 == pair[1].0), "one name for one change");
    assert!(keys.windows(2).all(|pair| (pair[1].1 - pair[0].1).as_millis() >= 1000));
    assert_eq!((ran.code, ran.out.as_str()), (8, ""), "{}", ran.err);
    assert!(ran.err.contains("answered 503; again in 1."), "{}", ran.err);
    assert!(ran.err.contains("the secret was lost on the way"), "{}", ran.err);
}
