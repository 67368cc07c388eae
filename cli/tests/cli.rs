//! The built command, run as an operator runs it.

#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a test stops where something is wrong"
)]

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use portcullis::key::{KeyText, Kid};
use portcullis::record::{Document, Record, Status};
use portcullis::root::Keyring;
use serde_json::Value;
use tempfile::TempDir;

const ROOT: &str = "v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "v1:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const BOTH: &str = "v2:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=,\
                    v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const IMPORT: &str = "qL8R4QIcQ/ZsRqOAbeRfcZhilN/MksRtDaErMA0+Wc4=";
const MINT: &str = "key mint --name ci-production --workspace DEM0WS";

/// What a command did.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.err);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }

    /// That it failed so, saying this, and nothing on standard output.
    fn failed(&self, code: i32, saying: &str) {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.err);
        assert!(self.err.contains(saying), "{:?} lacks {saying:?}", self.err);
    }
}

/// A folder to work in, and a root secret in the environment.
struct Desk {
    folder: TempDir,
    root: &'static str,
}

impl Desk {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), root: ROOT }
    }

    fn with(root: &'static str) -> Self {
        Self { root, ..Self::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &str) -> Ran {
        self.feed(arguments, "")
    }

    /// Runs a command, `stdin` on its standard input.
    fn feed(&self, arguments: &str, stdin: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.current_dir(&self.folder).env_clear().write_stdin(stdin);
        if !self.root.is_empty() {
            command.env("PORTCULLIS_ROOT", self.root);
        }
        let output = command.args(arguments.split(' ')).output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A new key that is in `keys.json`, as JSON.
    fn minted(&self) -> Value {
        self.run(&format!("{MINT} --scope read --json --kv keys.json")).ok().json()
    }

    fn rows(&self, name: &str) -> Vec<(String, String)> {
        let rows: Value = serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap();
        let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
        rows.as_array().unwrap().iter().map(|row| (text(row, "key"), text(row, "value"))).collect()
    }
}

/// The record in a KV value, which the gate takes.
fn opened(value: &str, kid: &str) -> Document {
    let (keyring, kid) = (Keyring::parse(ROOT).unwrap(), Kid::parse(kid).unwrap());
    Record::open(&keyring, &kid, &[], value.as_bytes()).unwrap();
    Document::open(&keyring, &kid, value.as_bytes()).unwrap().0
}

#[test]
fn a_new_root_is_taken_and_has_the_fingerprint_it_was_printed_with() {
    let desk = Desk::with("");
    let new = desk.run("root new --version 3").ok();
    assert!(new.out.starts_with("v3:") && new.err.starts_with("fingerprint "));
    let told = desk.feed("root fingerprint", &new.out).ok();
    assert_eq!(told.out.split(' ').next(), new.err.trim().strip_prefix("fingerprint "));
    let json = desk.run("root new --json").ok();
    assert!(Keyring::parse(json.json()["root"].as_str().unwrap()).is_ok());
    assert_ne!(new.out, desk.run("root new --version 3").out);
    desk.run("root new --version 0").failed(2, "0 is not in 1..");
}

#[test]
fn a_root_that_is_wrong_is_named_by_its_rule_and_never_shown() {
    let desk = Desk::with("");
    for (root, saying) in [
        ("", "expected on standard input"),
        ("c2hvcnQ=", "entry 1 is shorter than 32 bytes"),
        ("not-base64-at-all-not-base64-at-all", "entry 1 is not base64"),
    ] {
        let ran = desk.feed("root fingerprint", root);
        ran.failed(1, saying);
        assert!(root.is_empty() || !ran.err.contains(root));
    }
    Desk::with("c2hvcnQ=").run(&format!("{MINT} --kv f")).failed(1, "shorter than 32 bytes");
}

#[test]
fn a_minted_key_is_the_one_in_the_rows() {
    let desk = Desk::new();
    let ran = desk
        .run(&format!(
            "{MINT} --prefix ra_live --scope agents:read --scope read --binding agent_id=a=1 \
             --binding agent_id=b --ip 203.0.113.0/24 --requests 100 --burst 10 --expires 90d \
             --not-before 2026-01-01T00:00:00Z --kv keys.json"
        ))
        .ok();
    let key = ran.out.trim_end();
    let text = KeyText::recognise(key).unwrap().unwrap();
    assert!(text.is_ours(&Keyring::parse(ROOT).unwrap()));
    let rows = desk.rows("keys.json");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].0, format!("k1:{}", text.kid()));
    let record = opened(&rows[0].1, text.kid().as_str());
    assert_eq!((record.name.as_str(), record.prefix.as_str()), ("ci-production", "ra_live"));
    assert_eq!(record.scopes.to_string(), "agents:read read");
    assert_eq!(record.bindings["agent_id"], ["a=1", "b"]);
    assert_eq!(record.not_before, Some(1_767_225_600));
    assert_eq!(record.expires, Some(record.created + 90 * 86_400));
    assert_eq!(record.fresh_until, record.created + 365 * 86_400);
    assert_eq!(record.limits.unwrap().window_seconds, 3600);
    assert!(ran.err.contains(text.kid().as_str()) && !ran.err.contains(key));
    let file = fs::read_to_string(desk.path("keys.json")).unwrap();
    assert!(!file.contains(&key[key.len() - 40..]), "the file holds no secret");

    desk.run(&format!("{MINT} --scope read --kv keys.json")).ok();
    assert_eq!(desk.rows("keys.json").len(), 2, "a second key is added");
}

#[test]
fn json_has_everything_a_script_needs() {
    let desk = Desk::new();
    let minted = desk.minted();
    let (kid, key) = (minted["kid"].as_str().unwrap(), minted["key"].as_str().unwrap());
    assert!(key.contains(kid));
    assert_eq!(minted["rows"][0]["key"], format!("k1:{kid}"));
    assert_eq!(minted["rows"][0]["value"], desk.rows("keys.json")[0].1.as_str());
    let bare = desk.run(&format!("{MINT} --scope read --json")).ok().json();
    opened(bare["rows"][0]["value"].as_str().unwrap(), bare["kid"].as_str().unwrap());
    let text = desk.run(MINT).ok().out;
    let (key, rows) = text.split_once('\n').unwrap();
    assert!(KeyText::recognise(key).is_some());
    assert!(serde_json::from_str::<Value>(rows).unwrap()[0]["value"].is_string());
}

#[test]
fn attributes_are_checked_before_anything_is_made() {
    let desk = Desk::new();
    fs::write(desk.path("policy.toml"), POLICY).unwrap();
    for (arguments, saying) in [
        ("--scope agents", "--scope: a scope is written 'resource:action'"),
        ("--binding agent_id", "--binding: PARAMETER=VALUE"),
        ("--binding Agent=1", "--binding: PARAMETER=VALUE"),
        ("--ip 10.0.0.1/8", "--ip: the address has bits set after its prefix"),
        ("--ip 300.1.1.1", "--ip: not an IP address"),
        ("--ip 1.2.3.4/33", "--ip: the prefix length is 0 to 32"),
        ("--ip 0.0.0.0/0", "0.0.0.0/0 holds every address"),
        ("--ip ::/0", "::/0 holds every address"),
        ("--expires 90", "expected a span as 90d"),
        ("--expires 2020-01-01T00:00:00Z", "would end before it begins"),
        ("--type personal", "needs --subject"),
        ("--subject bob", "for --type personal only"),
        ("--type project", "needs --binding project_id"),
        ("--type temporary", "needs --expires"),
        ("--tier gold", "the policy has no such tier"),
        ("--requests 5", "--burst"),
        ("--requests 5 --burst 6", "burst may not be above requests"),
        ("--tier free --requests 5 --burst 1", "cannot be used with"),
        ("--prefix A", "--prefix"),
    ] {
        desk.run(&format!("{MINT} --kv keys.json {arguments}")).failed(2, saying);
    }
    desk.run("key mint --name n --workspace DEMOWS --kv keys.json").failed(2, "without I, L, O, U");
    assert!(!desk.path("keys.json").exists());
    desk.run(&format!("{MINT} --kv keys.json --ip 0.0.0.0/0 --yes --tier free")).ok();
    desk.run(&format!("{MINT} --kv keys.json --type personal --subject u|1 --scope read")).ok();
}

#[test]
fn a_status_is_changed_by_a_newer_record_and_a_revocation_is_final() {
    let desk = Desk::new();
    let minted = desk.minted();
    let kid = minted["kid"].as_str().unwrap();
    let set = |status: &str| {
        desk.run(&format!("key set-status {kid} {status} --from keys.json --kv keys.json"))
    };
    for (status, expected) in [
        ("disabled", Status::Disabled),
        ("active", Status::Active),
        ("quarantined", Status::Quarantined),
        ("revoked", Status::Revoked),
    ] {
        let ran = set(status).ok();
        assert!(ran.err.contains("typically 60–120 s") && ran.err.contains("without a guarantee"));
        assert_eq!(opened(&desk.rows("keys.json")[0].1, kid).status, expected);
    }
    assert_eq!(opened(&desk.rows("keys.json")[0].1, kid).version, 5);
    assert_eq!(desk.rows("keys.json").len(), 1);
    set("active").failed(1, "stays revoked");
    let value = minted["rows"][0]["value"].as_str().unwrap();
    desk.feed(&format!("key set-status {kid} revoked --kv other.json"), &format!("{value}\n")).ok();
    assert_eq!(opened(&desk.rows("other.json")[0].1, kid).version, 2);
    let damaged = value.replacen("\"read\"", "\"*:*\"", 1);
    assert_ne!(damaged, value);
    desk.feed(&format!("key set-status {kid} active --kv f"), &damaged)
        .failed(1, "MAC does not hold");
}

#[test]
fn a_rotation_keeps_the_kid_and_ends_the_old_secret() {
    let desk = Desk::new();
    let minted = desk.minted();
    let kid = minted["kid"].as_str().unwrap();
    let rotate = format!("key rotate {kid} --from keys.json --kv keys.json --grace 1h");
    let new = desk.run(&rotate).ok();
    let text = KeyText::recognise(new.out.trim_end()).unwrap().unwrap();
    assert_eq!(text.kid().as_str(), kid);
    assert!(text.is_ours(&Keyring::parse(ROOT).unwrap()));
    assert_ne!(new.out.trim_end(), minted["key"]);
    let record = opened(&desk.rows("keys.json")[0].1, kid);
    let [old, fresh] = record.secrets.as_slice() else { panic!("{:?}", record.secrets) };
    assert_eq!((old.generation, fresh.generation, record.version), (0, 1, 2));
    assert!(old.expires.is_some() && fresh.expires.is_none());
    assert!(!new.err.contains(new.out.trim_end()));
}

#[test]
fn renewal_moves_records_to_the_newest_root_and_leaves_pointers() {
    let desk = Desk::new();
    desk.run(&format!("{MINT} --scope read --kv keys.json --fresh 1d")).ok();
    desk.feed("key import --name old --workspace DEM0WS --scope read --kv keys.json", IMPORT).ok();
    let before = desk.rows("keys.json");
    let both = Desk { root: BOTH, ..desk };
    assert!(both.run("key renew keys.json --fresh 30d").ok().out.starts_with("2 records until 20"));
    let after = both.rows("keys.json");
    assert_eq!(after.len(), 3);
    for ((name, old), (_, new)) in before.iter().zip(&after) {
        assert_eq!(name.starts_with("h1:"), old == new, "{name}");
        assert!(name.starts_with("h1:") || new.starts_with("2."), "{name}");
    }
    let first = Desk { root: ROOT, ..both };
    first.run("key renew keys.json").failed(1, "MAC does not hold");
    assert_eq!(first.rows("keys.json"), after, "nothing is written then");
}

#[test]
fn an_imported_text_gives_the_same_pointer_as_its_digest() {
    let desk = Desk::new();
    let import = "key import --name worker --workspace DEM0WS --scope agents:read --json";
    let hex = desk.feed("key hash", &format!("{IMPORT}\n")).ok().out;
    let by_text = desk.feed(import, IMPORT).ok();
    let by_hex = desk.run(&format!("{import} --sha256 {}", hex.trim_end())).ok();
    let pointer = |ran: &Ran| ran.json()["rows"][1]["key"].clone();
    assert_eq!(pointer(&by_text), pointer(&by_hex));
    assert_ne!(by_text.json()["kid"], by_hex.json()["kid"]);
    assert!(!by_text.out.contains(IMPORT) && !by_text.err.contains(IMPORT));

    fs::write(desk.path("policy.toml"), POLICY).unwrap();
    let import = "key import --name worker --workspace DEM0WS --kv f --policy policy.toml";
    desk.feed(import, &IMPORT[..43]).failed(1, "no shape of the policy's [[imports]]");
    desk.feed(import, "short").failed(1, "16 to 256 visible");
    desk.feed(&format!("{import} --sha256 {IMPORT}0"), "").failed(2, "--sha256");
    let minted = desk.run(&format!("{MINT} --kv keys.json")).ok().out;
    desk.feed(import, &minted).failed(1, "the form of a native key");
    desk.feed(import, IMPORT).ok();
}

#[test]
fn inspect_tells_what_a_text_is_and_not_the_text() {
    let desk = Desk::new();
    let key = desk.run(&format!("{MINT} --kv keys.json")).ok().out;
    let key = key.trim_end();
    let ran = desk.feed("key inspect --json", key).ok();
    let facts = ran.json();
    assert_eq!((&facts["kind"], &facts["tags"]), (&"native".into(), &true.into()));
    assert_eq!((&facts["prefix"], &facts["workspace"]), (&"ak".into(), &"DEM0WS".into()));
    assert!(!ran.out.contains(&key[key.len() - 40..]));

    let ran = Desk::with(OTHER).feed("key inspect", key);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("tags hold\tNO"));
    assert!(!Desk::with("").feed("key inspect", key).ok().out.contains("tags"));
    let last = if key.ends_with('0') { '1' } else { '0' };
    let mistyped = format!("{}{last}", &key[..key.len() - 1]);
    assert_eq!(desk.feed("key inspect", &mistyped).code, 1);
    assert!(desk.feed("key inspect", IMPORT).ok().out.contains("length\t44"));
}

#[test]
fn show_opens_a_value_under_its_own_name_only() {
    let desk = Desk::new();
    let minted = desk.minted();
    let kid = minted["kid"].as_str().unwrap();
    let value = minted["rows"][0]["value"].as_str().unwrap();
    fs::write(desk.path("value"), value).unwrap();
    for arguments in
        [format!("key show keys.json --name {kid}"), format!("key show value --name k1:{kid}")]
    {
        assert_eq!(desk.run(&arguments).ok().json()["kid"], kid, "{arguments}");
    }
    assert_eq!(desk.feed(&format!("key show - --name {kid}"), value).ok().json()["kid"], kid);
    desk.run("key show value --name k1:00000000000000000000").failed(1, "MAC does not hold");
    desk.run("key show keys.json --name k1:00000000000000000000").failed(1, "no row");
    desk.run(&format!("key show absent --name {kid}")).failed(3, "absent");
}

#[test]
fn no_secret_appears_in_an_error() {
    let desk = Desk::new();
    let key = desk.run(&format!("{MINT} --kv keys.json")).ok().out;
    let key = key.trim_end();
    let secret = &key[key.len() - 40..];
    for arguments in [
        format!("key inspect {key}"),
        format!("key import {key} --name n --workspace DEM0WS"),
        format!("key import --name n --workspace {key} --kv f"),
        format!("key import --name n --workspace DEM0WS --kv f --sha256 {key}"),
        format!("key import --name n --workspace DEM0WS --kv f --sha256={key}"),
        format!("key set-status {key} revoked --from keys.json --kv keys.json"),
        format!("key rotate {key} --from keys.json --kv keys.json"),
        format!("key show keys.json --name {key}"),
        format!("--root={key} root new"),
        key.to_owned(),
        format!("key mint --name n --workspace DEM0WS --kv f --scope {key}"),
        format!("assertion-key {key}"),
    ] {
        let ran = desk.run(&arguments);
        assert_ne!(ran.code, 0, "{arguments}");
        assert!(!ran.err.contains(secret) && !ran.out.contains(secret), "{}", ran.err);
    }
    for (arguments, secret) in [
        (format!("key inspect {IMPORT}"), IMPORT),
        (format!("root new {ROOT}"), &ROOT[3..]),
        (format!("root fingerprint --root={ROOT}"), &ROOT[3..]),
    ] {
        let ran = desk.run(&arguments);
        assert!(ran.code == 2 && !ran.err.contains(secret), "{}", ran.err);
    }
}

#[test]
fn a_policy_is_checked_with_file_line_and_column() {
    let desk = Desk::new();
    fs::write(desk.path("policy.toml"), POLICY).unwrap();
    let checked = desk.run("policy check").ok().err;
    assert!(checked.contains("policy.toml: 1 routes, no errors"), "{checked}");
    assert!(!checked.contains("on this machine"), "{checked}");
    let issuers = "\n[issuers.dev]\nissuer = \"x\"\njwks = \"http://127.0.0.1:8788/jwks\"\n\
                   audiences = [\"a\"]\ncredential = \"oauth\"\n\
                   [issuers.auth]\nissuer = \"y\"\njwks = \"https://auth.test/jwks\"\n\
                   audiences = [\"a\"]\ncredential = \"oauth\"\n";
    fs::write(desk.path("local.toml"), format!("{POLICY}{issuers}")).unwrap();
    let checked = desk.run("policy check local.toml").ok().err;
    assert!(checked.contains("note: issuers.dev: its keys are on this machine"), "{checked}");
    assert!(!checked.contains("issuers.auth"), "{checked}");
    let compiled = desk.run("policy compile").ok().out;
    let policy = portcullis::policy::Policy::from_json(&compiled).unwrap();
    assert_eq!(policy.routes.len(), 1);
    desk.run("policy compile absent.toml").failed(3, "absent.toml");
    let shown = desk.run("policy show").ok().out;
    assert!(shown.starts_with("GET, HEAD\t/v1/agents/{agent_id}\tkey\t"), "{shown}");
    assert!(shown.contains("body≤1000 trailing_slash"), "{shown}");
    fs::write(desk.path("bad.toml"), POLICY.replace("agents:read", "agents")).unwrap();
    desk.run("policy check bad.toml").failed(1, "bad.toml:25:9: a scope is written");
    let json = desk.run("policy check bad.toml --json");
    assert_eq!(json.code, 1);
    assert_eq!((&json.json()["line"], &json.json()["column"]), (&25.into(), &9.into()));
    desk.run("policy show bad.toml").failed(1, "bad.toml:25:9:");
    desk.run("policy check absent.toml").failed(3, "absent.toml");
}

#[test]
fn a_request_is_explained_check_by_check() {
    let desk = Desk::new();
    fs::write(desk.path("policy.toml"), POLICY).unwrap();
    let url = "--url http://api.test/v1/agents/a1";
    let mint = format!("{MINT} --scope agents:read --ip 203.0.113.0/24 --kv rows.json --json");
    let key = desk.run(&mint).ok().json()["key"].as_str().unwrap().to_owned();
    // By the key itself, and the rows of KV.
    let explain = format!("policy explain {url} --key --kv rows.json --json");
    let allowed = desk.feed(&format!("{explain} --ip 203.0.113.9"), &key).ok().json();
    assert_eq!((&allowed["verdict"], &allowed["code"]), (&"allowed".into(), &Value::Null));
    assert_eq!(allowed["route"]["path"], "/v1/agents/{agent_id}");
    let elsewhere = desk.feed(&explain, &key);
    assert_eq!((elsewhere.code, &elsewhere.json()["code"]), (1, &"IP_NOT_ALLOWED".into()));
    let verdict = |ran: &Ran, check: &str| {
        let json = ran.json();
        let steps = json["checks"].as_array().unwrap().iter();
        steps.clone().find(|step| step["check"] == check).unwrap()["verdict"].clone()
    };
    assert_eq!(verdict(&elsewhere, "secret"), "passed");
    assert_eq!(verdict(&elsewhere, "key's networks"), "refused");
    assert_eq!(verdict(&elsewhere, "scope"), "not reached");
    let secret = key.trim();
    assert!(!elsewhere.out.contains(&secret[24..]) && !elsewhere.err.contains(&secret[24..]));
    // Without its row it cannot be told.
    let open = desk.feed(&format!("policy explain {url} --key --json"), &key).ok();
    assert_eq!(open.json()["verdict"], "open");
    // By its record alone, without any root.
    let kid = secret.rsplit('_').nth(1).unwrap();
    let record = desk.run(&format!("key show rows.json --name {kid} --json")).ok().out;
    fs::write(desk.path("record.json"), record).unwrap();
    let bare = Desk { folder: desk.folder, root: "" };
    let by_record = format!("policy explain {url} --key-record record.json");
    let shown = bare.run(&format!("{by_record} --ip 203.0.113.9")).ok();
    assert!(shown.err.contains(kid) && shown.err.contains("taken to be right"), "{}", shown.err);
    let line = shown.out.lines().find(|line| line.starts_with("scope")).unwrap();
    assert!(line.contains("passed") && line.contains("needs agents:read"), "{line}");
    assert!(shown.out.ends_with("allowed\n"), "{}", shown.out);
    let other = bare.run(&format!("{by_record} --ip 203.0.113.9 --method POST"));
    assert_eq!((other.code, other.out.contains("405 METHOD_NOT_ALLOWED")), (1, true));
    // Without a key, and what is no request.
    let nobody = bare.run(&format!("policy explain {url}"));
    assert!(nobody.out.contains("refused: 401 MISSING_API_KEY"), "{}", nobody.out);
    for (wrong, message) in [
        ("api.test/v1", "begins with its scheme"),
        ("/v1/agents", "begins with its scheme"),
        ("ftp://api.test/", "begins with https:// or http://"),
        ("http://api.test", "has no path; clients send '/' then"),
        ("http://api.test?a=1", "has no path"),
        ("http:///v1/agents", "names no host"),
        ("http://api.test/v1/agents/a1#top", "what follows '#' stays with the client"),
        ("http://api.test#top", "what follows '#' stays with the client"),
    ] {
        bare.run(&format!("policy explain --url {wrong}")).failed(2, message);
    }
    bare.run(&format!("policy explain {url} --kv rows.json")).failed(2, "--key");
    bare.run(&format!("policy explain {url} --key")).failed(1, "PORTCULLIS_ROOT");
    // A key in the URL is in no output.
    let leaked = bare.run(&format!("policy explain {url}?k={secret}"));
    assert!(leaked.out.contains("KEY_IN_URL") && !leaked.out.contains(&secret[24..]));
}

#[test]
fn what_the_gate_does_not_decide_is_open() {
    let desk = Desk::new();
    let managed = "[management]\nusage_path = \"/v1/keys/usage\"\n\
                   [issuers.auth]\nissuer = \"https://auth.test\"\njwks = \"https://auth.test/jwks\"\n\
                   audiences = [\"api\"]\ncredential = \"session\"\nheader = \"x-token\"\n";
    let policy = POLICY.replace("[\"key\"]", "[\"key\", \"session\"]");
    fs::write(desk.path("policy.toml"), format!("{policy}{managed}")).unwrap();
    for url in
        ["http://api.test/v1/keys/usage", "http://admin.test/", "http://admin.test/api/v1/me"]
    {
        let shown = desk.run(&format!("policy explain --url {url}"));
        assert!(shown.out.contains("open: the management API answers"), "{}", shown.out);
        let json = desk.run(&format!("policy explain --url {url} --json")).json();
        assert_eq!(json["verdict"], "open");
    }
    // A token is no key, and has no record.
    let part = |json: &str| data_encoding::BASE64URL_NOPAD.encode(json.as_bytes());
    let claims = r#"{"iss":"https://auth.test","sub":"u","aud":"api","exp":4102444800,"iat":1}"#;
    let token = [part(r#"{"alg":"ES256","kid":"k"}"#), part(claims), part("none")].join(".");
    let url = "--url http://api.test/v1/agents/a1";
    let shown = desk.run(&format!("policy explain {url} --header x-token:{token}"));
    assert!(shown.out.contains("open: the issuer's keys are not at hand"), "{}", shown.out);
    assert!(!shown.out.contains("--kv"), "{}", shown.out);
}

/// As on the wire, where what is repeated is one list.
#[test]
fn a_repeated_header_is_explained_as_the_gate_gets_it() {
    let desk = Desk::new();
    fs::write(desk.path("policy.toml"), POLICY).unwrap();
    let explain = "policy explain --url http://api.test/v1/agents/a1 --header X-API-Key:a";
    let once = desk.run(explain);
    assert!(once.out.contains("refused: 401 INVALID_API_KEY"), "{}", once.out);
    let twice = desk.run(&format!("{explain} --header x-api-key:b"));
    assert!(twice.out.contains("refused: 400 AMBIGUOUS_CREDENTIALS"), "{}", twice.out);
}

/// What `Host` names is what is asked for, whatever the URL says.
#[test]
fn a_host_header_is_explained_as_the_gate_gets_it() {
    let desk = Desk::new();
    fs::write(desk.path("policy.toml"), POLICY).unwrap();
    let explain = "policy explain --url http://api.test/v1/agents/a1?a=1";
    for header in ["Host:evil", "host:api.test/x", "HOST:api.test@evil"] {
        let shown = desk.run(&format!("{explain} --header {header}"));
        assert!(shown.out.contains("refused: 421 UNKNOWN_HOST"), "{}", shown.out);
    }
    let same = desk.run(&format!("{explain} --header Host:api.test:8443"));
    assert!(same.out.contains("refused: 401 MISSING_API_KEY"), "{}", same.out);
    let elsewhere = "policy explain --url http://other.test/v1/agents/a1 --header Host:api.test";
    let shown = desk.run(elsewhere);
    assert!(shown.out.contains("refused: 401 MISSING_API_KEY"), "{}", shown.out);
}

#[test]
fn a_policy_without_fingerprints_is_explained_with_a_note() {
    let desk = Desk::new();
    let explain = "policy explain --url http://api.test/v1/agents/a1";
    fs::write(desk.path("policy.toml"), POLICY).unwrap();
    let noted = desk.run(explain).err;
    assert!(noted.contains("note: root_fingerprints is empty"), "{noted}");
    let fit = format!("root_fingerprints = [\"0123456789abcdef\"]\n{POLICY}");
    fs::write(desk.path("policy.toml"), fit).unwrap();
    let noted = desk.run(explain).err;
    assert!(!noted.contains("root_fingerprints"), "{noted}");
}

/// A route that demands a signature.
#[test]
fn a_demand_for_a_signature_is_explained() {
    let desk = Desk::new();
    let signed = POLICY.replace("body_limit = 1000", "signature = \"required\"");
    fs::write(desk.path("policy.toml"), signed).unwrap();
    let mint = format!("{MINT} --scope agents:read --kv rows.json --json");
    let key = desk.run(&mint).ok().json()["key"].as_str().unwrap().to_owned();
    let kid = key.trim().rsplit('_').nth(1).unwrap();
    let mut record = desk.run(&format!("key show rows.json --name {kid} --json")).ok().json();
    fs::write(desk.path("record.json"), record.to_string()).unwrap();
    let explain = "policy explain --url http://api.test/v1/agents/a1 --key-record record.json";
    let refused = desk.run(explain);
    assert!(refused.out.contains("none; the route demands one"), "{}", refused.out);
    assert!(refused.out.contains("refused: 401 SIGNATURE_REQUIRED"), "{}", refused.out);
    record["signature"] = "required".into();
    fs::write(desk.path("record.json"), record.to_string()).unwrap();
    let taken = desk.run(explain).ok();
    assert!(taken.err.contains("its signature is not looked at"), "{}", taken.err);
    let shown = desk.run("policy show").ok().out;
    assert!(shown.contains("\tsignature"), "{shown}");
}

/// Where nobody keeps totals, none are told of as passed; where they are kept, they are open.
#[test]
fn in_mode_edge_no_budget_is_explained() {
    let desk = Desk::new();
    let shared = "[budget]\ncoins = 50\nperiod = \"day\"\n";
    let policy = POLICY.replace("scope = ", "shadow = { scope = \"agents:other\" }\nscope = ");
    let policy = format!("{policy}{shared}");
    fs::write(desk.path("policy.toml"), &policy).unwrap();
    let lease = policy.replace("mode = \"edge\"", "mode = \"lease\"");
    fs::write(desk.path("lease.toml"), lease).unwrap();
    let mint = format!("{MINT} --scope agents:read --tier free --kv rows.json --json");
    let key = desk.run(&mint).ok().json()["key"].as_str().unwrap().to_owned();
    let asked = "--url http://api.test/v1/agents/a1 --key --kv rows.json";
    let edge = desk.feed(&format!("policy explain {asked}"), &key).ok().out;
    assert!(
        edge.contains("mode edge: costs nothing, no totals are kept; key: 10 at once"),
        "{edge}"
    );
    assert!(!edge.contains("coins") && !edge.contains("on trial"), "{edge}");
    assert!(edge.ends_with("allowed\n"), "{edge}");
    let lease = desk.feed(&format!("policy explain lease.toml {asked}"), &key).out;
    assert!(lease.contains("budget of the workspace: 50 coins a day"), "{lease}");
    assert!(lease.contains("key: 100 in 3600 s, 10 at once"), "{lease}");
    assert!(lease.contains("open: its Workspace") && lease.contains("on trial"), "{lease}");
    // And `check` says so beforehand.
    let checked = desk.run("policy check").ok().err;
    assert!(checked.contains(": note: budget: no effect but on signed requests"), "{checked}");
    let notes = desk.run("policy check --json").ok().json()["notes"].clone();
    let line = policy.lines().position(|line| line == "[budget]").unwrap() + 1;
    let of_budget = notes.as_array().unwrap().iter().find(|note| note["line"] == line).unwrap();
    assert_eq!(of_budget["column"], 1);
    assert!(checked.contains(&format!("policy.toml:{line}:1: note: budget: ")), "{checked}");
    assert_eq!(
        desk.run("policy check lease.toml --json").ok().json()["notes"],
        Value::Array(vec![])
    );
    fs::write(desk.path("latin.toml"), b"version = 1\nhosts = [\"\xff\"]\n").unwrap();
    desk.run("policy show latin.toml").failed(1, "latin.toml:2:11: this is not UTF-8");
    desk.run("policy check latin.toml").failed(1, "latin.toml:2:11: this is not UTF-8");
}

#[test]
fn an_assertion_key_is_the_one_the_gate_uses() {
    let desk = Desk::new();
    let expected = Keyring::parse(ROOT).unwrap().newest().assertion_key("demo");
    let hex = desk.run("assertion-key demo --encoding hex").ok().out;
    assert_eq!(hex.trim_end(), data_encoding::HEXLOWER.encode(&expected));
    let plain = desk.run("assertion-key demo").ok().out;
    assert_eq!(plain.trim_end(), data_encoding::BASE64URL_NOPAD.encode(&expected));
    assert_eq!(desk.run("assertion-key demo --json").ok().json()["kid"], "v1");
    desk.run("assertion-key demo --version 2").failed(1, "no version v2");
    desk.run("assertion-key Demo").failed(1, "a name is a lower-case letter");
}

#[test]
fn completions_and_help_are_data() {
    let desk = Desk::with("");
    assert!(desk.run("completions bash").ok().out.contains("portcullis"));
    assert!(desk.run("--help").ok().out.contains("Exit codes"));
}

const POLICY: &str = r#"version = 1
hosts = ["api.test"]
admin_host = "admin.test"
mode = "edge"

[origins.demo]
service = "ORIGIN"

[tiers.free]
requests = 100
burst = 10

[[imports]]
alphabet = "base64"
length = 44

[[routes]]
methods = ["GET"]
path = "/v1/agents/{agent_id}"
origin = "demo"
credentials = ["key"]
body_limit = 1000
allow = ["trailing_slash"]
# The scope.
scope = "agents:read"
"#;
