//! Signed requests, sent and printed, and keys that are verified without a deployment.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::desk::Desk;

/// A name of the demo workspace's keys that sign, and the words for how.
const SIGNERS: [(&str, &str); 3] = [
    ("signed_v1", "--signature required --signature-version v1"),
    ("signed_v2", "--signature only"),
    ("signed_only", "--signature only --signature-version v1"),
];

fn secrets(desk: &Desk, name: &str) -> [(&'static str, String); 2] {
    let text = |part: &str| desk.ready[part][name].as_str().unwrap().to_owned();
    [("PORTCULLIS_API_KEY", text("keys")), ("PORTCULLIS_SIGNING_SECRET", text("signing"))]
}

#[test]
fn signed_requests_pass_the_gate() {
    let desk = Desk::of("member");
    for (name, flags) in SIGNERS {
        let secrets = secrets(&desk, name);
        let secrets: Vec<_> = secrets.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let ask = |rest: &str| desk.with(&secrets, &format!("request {flags} {rest}"));
        let read = ask("/v1/agents?page=2 --json").ok().json();
        let seen: Value = serde_json::from_str(read["body"].as_str().unwrap()).unwrap();
        assert_eq!((&read["status"], &seen["target"]), (&200.into(), &"/v1/agents?page=2".into()));
        let written = ask("/v1/agents --data {\"a\":1} -i").ok();
        assert!(written.out.starts_with("HTTP/1.1 200"), "{name}: {}", written.out);
    }
    let unsigned = secrets(&desk, "signed_v1");
    let refused = desk.with(&[("PORTCULLIS_API_KEY", &unsigned[0].1)], "request /v1/agents");
    assert_eq!(refused.code, 4, "{}", refused.out);
    assert!(refused.out.contains("SIGNATURE_REQUIRED") && refused.err.starts_with("401"));
    desk.run("request /v1/agents --signature only").failed(1, "no signing secret");
    let mistaken = [("PORTCULLIS_SIGNING_SECRET", unsigned[0].1.as_str())];
    desk.with(&mistaken, "request /v1/agents --signature only").failed(1, "is it the key?");
}

#[test]
fn a_printed_curl_line_is_answered_by_the_gate() {
    let desk = Desk::of("member");
    for (name, flags) in SIGNERS {
        let secrets = secrets(&desk, name);
        let variables: Vec<_> = secrets.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let sign = format!("sign {flags} /v1/agents --data it's");
        let line = desk.with(&variables, &format!("{sign} --curl")).ok();
        for (_, secret) in &secrets {
            assert!(!line.out.contains(secret.as_str()), "{name}");
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{} -s", line.line())]).envs(variables.iter().copied());
        let answer = String::from_utf8(shell.output().unwrap().stdout).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{name}: {answer}");
        let headers = desk.with(&variables, &sign).ok();
        assert!(headers.out.to_lowercase().contains("signature: "), "{}", headers.out);
    }
}

/// Anybody on the machine can read the arguments of what runs.
#[test]
fn a_printed_curl_line_shows_its_key_to_no_other_process() {
    let desk = Desk::of("member");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let key = format!("ak_{}_{}", "0".repeat(20), "C4NARY".repeat(7).get(..40).unwrap());
    let secret = "ak_sign_00000000000000000000_0_secretsecretsecret";
    let variables = [("PORTCULLIS_API_KEY", key.as_str()), ("PORTCULLIS_SIGNING_SECRET", secret)];
    let sign = format!("sign --signature required --signature-version v1 --curl {url}");
    let line = desk.with(&variables, &sign).ok();
    let mut shell = Command::new("sh");
    shell.args(["-c", line.line()]).envs(variables).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = shell.spawn().unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let mut head = [0; 4096];
    let length = stream.read(&mut head).unwrap();
    let sent = String::from_utf8_lossy(&head[..length]).into_owned();
    assert!(sent.contains(&format!("Authorization: Bearer {key}\r\n")), "{sent}");
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    for process in processes {
        let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&arguments).contains("C4NARY"), "{}", process.display());
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn a_new_signing_key_is_handed_over_and_kept() {
    let desk = Desk::of("admin");
    let made = desk.run("keys create --name s --scope agents:* --signature only --save").ok();
    let kid = made.line().to_owned();
    assert!(!made.err.contains("_sign_"), "{}", made.err);
    desk.run("request /v1/agents --signature only").ok();
    let rotated = desk.run(&format!("keys rotate {kid} --signing --quiet")).ok();
    assert!(rotated.line().contains("_sign_"), "the new one signs");
    desk.revoke(&kid);
}
