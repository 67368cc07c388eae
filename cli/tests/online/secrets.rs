//! A canary for each secret: it is where it has to be and nowhere else.

use std::fs;
use std::net::TcpListener;

use crate::desk::Desk;

#[test]
fn a_secret_is_in_one_answer_and_in_no_list_error_or_file() {
    let desk = Desk::of("owner");
    let (kid, key) = desk.key("--signature optional --signature-version v2");
    let secret = &key[key.len() - 40..];
    let token = desk.token("owner");
    desk.feed("config set --key api_key", &key).ok();
    for arguments in [
        "keys list".to_owned(),
        "keys list --json".to_owned(),
        format!("keys show {kid} --json"),
        format!("keys usage {kid}"),
        "keys usage".to_owned(),
        "config show".to_owned(),
        "config show --json".to_owned(),
        "config show --key api_key".to_owned(),
        "config show --key token".to_owned(),
        "config profiles".to_owned(),
        "whoami".to_owned(),
        "workspace audit --json".to_owned(),
        "workspace audit export".to_owned(),
        "request /v1/agents".to_owned(),
        // Given where it does not belong, it is not repeated.
        format!("keys show {key}"),
        format!("keys revoke {key}"),
        format!("keys usage {key}"),
        format!("denial {key}"),
        format!("keys list --workspace {key}"),
        format!("keys list --profile {key}"),
        format!("keys list --url {key}"),
        format!("keys create --scope {key}"),
        format!("keys update {kid} --add-ip {key}"),
        format!("request {key}"),
        format!("config use {key}"),
        format!("keys alert {kid} --threshold {key}"),
    ] {
        let ran = desk.run(&arguments);
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{arguments}: {}", ran.err);
        assert!(!ran.out.contains(&token) && !ran.err.contains(&token), "{arguments}");
    }
    let file = fs::read_to_string(desk.path("config/portcullis/config.toml")).unwrap();
    assert!(file.contains(secret) && file.contains(&token), "this is its place");
    desk.revoke(&kid);
}

/// While a command runs, anybody on the machine can read its arguments.
#[test]
fn no_secret_is_in_the_arguments_of_a_process() {
    let desk = Desk::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut command = desk.command(&format!("setup --url {url}"));
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), CANARY.as_bytes()).unwrap();
    let (stream, _) = silent.accept().unwrap();
    let arguments = fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    let arguments = String::from_utf8_lossy(&arguments);
    assert!(arguments.contains(&url) && !arguments.contains(CANARY), "{arguments}");
    drop(stream);
    let ran = child.wait_with_output().unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    assert!(!String::from_utf8_lossy(&said).contains(CANARY));
}

const CANARY: &str = "e30.canary-canary-canary.x";
