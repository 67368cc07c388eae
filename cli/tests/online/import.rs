//! Imports: hashed here or there, broken off and gone on with.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use portcullis::crypto::sha256;
use serde_json::Value;

use crate::desk::Desk;

/// Texts of the demo policy's shape, others for each `of`.
fn texts(of: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| BASE64.encode(&sha256(format!("{of} {number}").as_bytes()))).collect()
}

#[test]
fn lines_are_hashes_objects_or_texts() {
    let desk = Desk::of("owner");
    let (once, _) = desk.key("--scope read");
    let [a, b, c] = <[String; 3]>::try_from(texts(&once, 3)).unwrap();
    desk.revoke(&once);
    let hash = |text: &str| HEXLOWER.encode(&sha256(text.as_bytes()));
    let lines = format!(
        "{}\n\n{{\"sha256\":\"{}\",\"name\":\"own\",\"scopes\":[\"agents:*\"]}}\n",
        hash(&a),
        hash(&b)
    );
    fs::write(desk.path("keys.txt"), lines).unwrap();
    let ran = desk.run("keys import keys.txt --name given --scope agents:read").ok();
    assert_eq!(ran.line(), "2 created, 0 there already, 0 refused");
    assert_eq!(
        desk.run("keys import keys.txt").ok().line(),
        "0 created, 2 there already, 0 refused"
    );
    let ran = desk.feed("keys import - --texts --json", &format!("{c}\n")).ok();
    assert_eq!(ran.json()["created"], 1);
    let listed = desk.run("keys list --json").ok().json();
    let keys = listed["keys"].as_array().unwrap();
    let named = |name: &str| keys.iter().find(|key| key["name"] == name).unwrap();
    assert_eq!(named("given")["scopes"], serde_json::json!(["agents:read"]));
    assert_eq!(named("own")["scopes"], serde_json::json!(["agents:*"]));

    desk.feed("keys import - --json", &format!("{c}\n")).failed(1, "line 1: no SHA-256");
    assert!(!desk.feed("keys import -", &format!("x{c}\n")).err.contains(&c));
    desk.feed("keys import -", "{\"sha256\":\n").failed(1, "line 1: no JSON");
    let wrong =
        format!("{{\"sha256\":\"{}\",\"scopes\":[\"read\"],\"tier\":\"none\"}}\n", hash("x"));
    let refused = desk.feed("keys import -", &wrong);
    assert_eq!((refused.code, refused.line()), (1, "0 created, 0 there already, 1 refused"));
    assert!(refused.err.contains("line 1: tier"), "{}", refused.err);
    for key in keys.iter().filter(|key| key["prefix"] == "") {
        if ["given", "own", ""].contains(&key["name"].as_str().unwrap()) {
            desk.revoke(key["id"].as_str().unwrap());
        }
    }
}

/// `PORTCULLIS_IMPORT` many keys, into a workspace that holds nothing else: killed on the way, run again.
#[test]
fn a_killed_import_goes_on_and_makes_no_key_twice() {
    let size: usize = std::env::var("PORTCULLIS_IMPORT").unwrap().parse().unwrap();
    let desk = Desk::of("owner");
    let opened = desk.run("workspace create --name import --json").ok().json();
    let number = opened["id"].as_str().unwrap();
    let mut lines = String::new();
    for text in texts(number, size) {
        let _ = writeln!(lines, "{}", HEXLOWER.encode(&sha256(text.as_bytes())));
    }
    fs::write(desk.path("keys.txt"), lines).unwrap();
    let import = format!("keys import keys.txt --scope proof:read --workspace {number}");
    let (started, cpu) = (std::time::Instant::now(), cpu_of_server());
    let mut killed = 0;
    for _ in 0..3 {
        // Few keys are under way when it is killed, so that some are left for the next.
        let mut child = desk.start(&format!("{import} --parallel 1"));
        let before = noted(&desk);
        while noted(&desk) <= before && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        killed += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(killed, 3, "it was over before it could be killed");
    let ran = desk.run(&format!("{import} --json")).ok();
    let told = ran.json();
    let (spent, cpu) = (started.elapsed(), cpu_of_server() - cpu);
    assert!(told["done_before"].as_u64() > Some(0) && ran.err.contains("an earlier run"), "{told}");
    let listed = desk.run(&format!("keys list --json --workspace {number}")).ok().json();
    let mut kids: Vec<&str> =
        listed["keys"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap()).collect();
    kids.sort_unstable();
    kids.dedup();
    assert_eq!((kids.len(), &listed["next"]), (size, &Value::Null));
    let whole = desk.run(&format!("{import} --restart --json")).ok().json();
    assert_eq!((&whole["created"], &whole["exists"]), (&0.into(), &size.into()));
    let verified = desk.run(&format!("workspace audit verify --workspace {number}")).ok();
    assert!(verified.out.contains(&format!("{} entries", size + 1)), "{}", verified.out);
    let rate = size as f64 / spent.as_secs_f64();
    let each = cpu.as_micros() as f64 / size as f64;
    println!(
        "FIGURE {rate:.0} keys a second, {each:.0} us of the server's CPU a key, {killed} kills"
    );
}

/// The CPU time that the server has taken so far, in hundredths of a second (proc(5)).
fn cpu_of_server() -> Duration {
    let server = std::env::var("PORTCULLIS_SERVER").unwrap();
    let stat = fs::read_to_string(format!("/proc/{server}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).map_or(0, |own| own.parse::<u64>().unwrap());
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// How far the import says that it is.
fn noted(desk: &Desk) -> usize {
    let files = fs::read_dir(desk.path("state/portcullis")).into_iter().flatten();
    let texts = files.filter_map(|file| fs::read_to_string(file.unwrap().path()).ok());
    texts.filter_map(|text| text.lines().last()?.parse().ok()).max().unwrap_or(0)
}
