//! What `--json` prints, against the schemas of docs/openapi.json.

use serde_json::{Value, json};

use crate::desk::Desk;

/// Whether a value is what the document calls `name`.
fn check(name: &str, value: &Value) {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json"));
    let document: Value = serde_json::from_str(&text.unwrap()).unwrap();
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": format!("#/components/schemas/{name}"),
        "components": document["components"],
    });
    let schema = jsonschema::validator_for(&schema).unwrap();
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
    let schema_can_fail = std::panic::catch_unwind(|| check("Me", &json!({ "subject": 1 })));
    assert!(schema_can_fail.is_err());
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
