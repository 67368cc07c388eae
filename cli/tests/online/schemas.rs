//! What `--json` prints, against the schemas of docs/openapi.json.

use serde_json::{Value, json};

use crate::desk::{Desk, Ran};

fn document(name: &str) -> Value {
    let path = format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Whether a value is what docs/openapi.json calls `name`.
pub(crate) fn check(name: &str, value: &Value) {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": format!("#/components/schemas/{name}"),
        "components": document("openapi.json")["components"],
    });
    check_by(&schema, name, value);
}

/// Whether a value is what docs/cli.json calls `name`.
pub(crate) fn check_own(name: &str, value: &Value) {
    let mut schema = document("cli.json");
    schema["$ref"] = format!("#/$defs/{name}").into();
    check_by(&schema, name, value);
}

fn check_by(schema: &Value, name: &str, value: &Value) {
    let schema = jsonschema::validator_for(schema).unwrap();
    if let Err(error) = schema.validate(value) {
        panic!("{name}: {error}: {value}");
    }
}

#[test]
fn json_is_what_the_document_says() {
    let desk = Desk::of("owner");
    let (kid, _) = desk.key("--scope agents:read --tier free");
    for (arguments, name) in [
        ("whoami", "Me"),
        ("keys list", "Keys"),
        ("keys list --limit 1", "Keys"),
        ("keys list --project-id none", "Keys"),
        ("keys show KID", "Key"),
        ("keys update KID --description x", "ChangedKey"),
        ("keys update KID --ttl 1h --scope read --binding agent_id=a", "ChangedKey"),
        ("keys alert KID --threshold 80 --threshold 100", "KeyAlerts"),
        ("keys alert KID --off", "KeyAlerts"),
        ("keys usage KID", "Usage"),
        ("keys rotate KID", "KeyWithSecret"),
        ("keys disable KID", "Changed"),
        ("keys enable KID", "Changed"),
        ("keys revoke KID", "Revoked"),
        ("workspace list", "Workspaces"),
        ("workspace show", "Workspace"),
        ("workspace limits", "Workspace"),
        ("workspace usage", "WorkspaceUsage"),
        ("workspace members", "Members"),
        ("workspace members set dev:alice member", "Member"),
        ("workspace members remove dev:alice", "Removed"),
        ("workspace audit --limit 3", "Audit"),
        ("workspace audit verify", "Chain"),
        ("keys create --name project --project-id p-1 --scope read", "KeyWithSecret"),
        ("keys create --name short --type temporary --ttl 1h --environment test", "KeyWithSecret"),
        ("keys create --name mine --type personal", "KeyWithSecret"),
    ] {
        let ran = desk.run(&format!("{} --json", arguments.replace("KID", &kid))).ok();
        check(name, &ran.json());
        if name == "KeyWithSecret" && arguments.contains("create") {
            desk.revoke(ran.json()["id"].as_str().unwrap());
        }
    }
    for check in [check, check_own] {
        let can_fail = std::panic::catch_unwind(|| check("Me", &json!({ "subject": 1 })));
        assert!(can_fail.is_err());
    }
}

#[test]
fn json_of_the_command_itself_is_what_its_document_says() {
    let desk = Desk::of("owner");
    check_own("Doctor", &desk.run("doctor --path /v1/agents --json").json());
    check_own("Error", &last(&desk.run("doctor --path /v1/agents --json")));
    check_own("Answer", &desk.run("request /v1/public --json").ok().json());
    let hash = format!("{:064x}", 1);
    check_own("Import", &desk.feed("keys import - --json", "").ok().json());
    let row = format!("{{\"sha256\":\"{hash}\",\"tier\":\"none\"}}\n");
    let refused = desk.feed("keys import - --json", &row);
    assert_eq!(refused.code, 1);
    check_own("Import", &refused.json());
    check_own("Error", &last(&refused));
    check_own("Error", &last(&desk.run("request /v1/nothing --json")));
    let counts = desk.run("tail --once --counts --json").ok();
    for line in counts.out.lines() {
        check_own("Count", &serde_json::from_str(line).unwrap());
    }
    let nobody = "00000000000000000000";
    for (arguments, exit) in [
        (format!("keys show {nobody} --json"), 6),
        ("keys create --name x --scope Agents --json".to_owned(), 1),
        ("keys list --nonsense --json".to_owned(), 2),
        ("keys --json".to_owned(), 2),
        ("keys list --profile other --json".to_owned(), 2),
        ("doctor --config absent.toml --json".to_owned(), 3),
        ("keys list --url https://no-such-host.invalid --json".to_owned(), 4),
    ] {
        let ran = desk.run(&arguments);
        assert_eq!((ran.code, ran.out.as_str()), (exit, ""), "{arguments}: {}", ran.err);
        let error: Value = serde_json::from_str(&ran.err).unwrap_or_else(|_| panic!("{}", ran.err));
        check_own("Error", &error);
        assert_eq!(error["error"]["exit"], exit, "{arguments}");
    }
    let absent = desk.run(&format!("keys show {nobody} --json"));
    let error: Value = serde_json::from_str(&absent.err).unwrap();
    assert_eq!(
        (&error["error"]["code"], &error["error"]["status"]),
        (&"NOT_FOUND".into(), &404.into())
    );
    assert!(error["error"]["request_id"].is_string());
    let by_variable = desk.with(&[("PORTCULLIS_JSON", "1")], "keys list --nonsense");
    check_own("Error", &serde_json::from_str(&by_variable.err).unwrap());
}

/// The line that standard error ends with.
fn last(ran: &Ran) -> Value {
    serde_json::from_str(ran.err.lines().last().unwrap()).unwrap_or_else(|_| panic!("{}", ran.err))
}

#[test]
fn json_of_commands_without_a_deployment_is_what_its_document_says() {
    let desk = Desk::new();
    let root = [("PORTCULLIS_ROOT", "v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")];
    let mint = "keys mint --name n --workspace DEM0WS --scope read --json";
    let minted = desk.with(&root, &format!("{mint} --kv rows.json")).ok().json();
    check_own("Minted", &minted);
    desk.with(&root, &format!("{mint} --kv other.json")).ok();
    for (rows, code, verdict) in [("rows.json", 0, "allowed"), ("other.json", 1, "open")] {
        let mut verify = desk.command(&format!("verify --kv {rows} --json"));
        verify.envs(root);
        let ran = desk.finish(verify, minted["key"].as_str().unwrap());
        assert_eq!((ran.code, &ran.json()["verdict"]), (code, &verdict.into()), "{}", ran.err);
        check_own("Explanation", &ran.json());
        if code == 1 {
            check_own("Error", &last(&ran));
        }
    }
    let policy = format!("{}/../policy.toml", env!("CARGO_MANIFEST_DIR"));
    let explain = format!("policy explain {policy} --url http://127.0.0.1/v1/agents --json");
    let refused = desk.run(&explain);
    assert_eq!((refused.code, &refused.json()["verdict"]), (1, &"refused".into()));
    check_own("Explanation", &refused.json());
    check_own("Error", &last(&refused));
}

#[test]
fn a_pipe_gets_tabs_and_the_export_lines() {
    let desk = Desk::of("owner");
    let (kid, _) = desk.key("");
    let listed = desk.run("keys list").ok();
    let line = listed.out.lines().find(|line| line.starts_with(&kid)).unwrap();
    assert_eq!(line, format!("{kid}\ttest\tservice\tactive\tread\t-\t-"));
    let exported = desk.run("workspace audit export").ok();
    let entries: Vec<Value> =
        exported.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<u64> =
        entries.iter().map(|entry| entry["sequence"].as_u64().unwrap()).collect();
    assert!(numbers.iter().enumerate().all(|(place, number)| place as u64 + 1 == *number));
    assert!(entries.iter().any(|entry| entry["target"] == kid.as_str()));
    let verified = desk.run("workspace audit verify").ok();
    assert!(verified.out.starts_with("intact: "), "{}", verified.out);
    desk.revoke(&kid);
}

#[test]
fn limits_of_a_workspace_are_set_and_left_to_the_policy() {
    let desk = Desk::of("owner");
    let set = desk.run("workspace limits --requests 1000000 --burst 1000000").ok();
    assert!(set.out.contains("requests\t1000000"), "{}", set.out);
    let clear = desk.run("workspace limits --clear").ok();
    assert_eq!(clear.line(), "limits\tas the policy says");
    Desk::of("admin").run("workspace limits --clear").failed(5, "needs the role owner");
}
