//! What was not looked at is no success.

use std::io::Write;

use serde_json::Value;

use crate::desk::Desk;

const ROOT: [(&str, &str); 1] =
    [("PORTCULLIS_ROOT", "v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")];

#[test]
fn a_key_without_its_record_is_not_verified() {
    let desk = Desk::new();
    let mint = |rows: &str| {
        let mint = format!("key mint --name n --workspace DEM0WS --scope read --kv {rows}");
        desk.with(&ROOT, &mint, "").ok().out
    };
    let (key, other) = (mint("rows.json"), mint("other.json"));
    let tabbed = desk.with(&ROOT, "verify --kv rows.json", &key).ok().out;
    assert!(tabbed.lines().all(|line| line.contains('\t')), "{tabbed}");
    assert!(!tabbed.contains("DETAIL") && tabbed.ends_with("verdict\tallowed\n"), "{tabbed}");
    let open = desk.with(&ROOT, "verify --kv other.json --json", &key);
    assert_eq!((open.code, &open.json()["verdict"]), (1, &"open".into()));
    let error: Value = serde_json::from_str(open.err.lines().last().unwrap()).unwrap();
    assert!(error["error"]["message"].as_str().unwrap().starts_with("open: "), "{error}");
    let kid = other.rsplit('_').nth(1).unwrap();
    let show = format!("key show other.json --name {kid} --json");
    let record = desk.with(&ROOT, &show, "").ok().out;
    std::fs::write(desk.path("record.json"), record).unwrap();
    desk.with(&ROOT, "verify --record record.json", &other).ok();
    assert_eq!(desk.with(&ROOT, "verify --record record.json", &key).code, 1);
    for ip in ["nonsense", "1.2.3", "203.0.113.0/24"] {
        let verify = format!("verify --kv rows.json --ip {ip}");
        desk.with(&ROOT, &verify, &key).failed(2, "an address as");
    }
    desk.with(&ROOT, "verify --kv rows.json --ip 2001:db8::1", &key).ok();
}

#[test]
fn standard_input_is_not_cut() {
    let desk = Desk::new();
    let mut child = desk.command("key hash").spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mebibyte = vec![b'x'; 1024 * 1024];
    for _ in 0..65 {
        if stdin.write_all(&mebibyte).is_err() {
            break;
        }
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("longer than 64 MiB"));
}
