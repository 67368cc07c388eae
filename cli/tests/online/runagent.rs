//! RunAgent's documented commands, with `portcullis` for `runagent`.

use std::time::{Duration, Instant};

use crate::desk::Desk;

#[test]
fn every_command_of_runagents_page_works_as_it_stands() {
    let desk = Desk::new();
    let url = desk.text("admin_url");
    // runagent setup
    let mut setup = desk.command("setup");
    setup.env("PORTCULLIS_URL", &url);
    let mut child = setup.spawn().unwrap();
    let token = desk.token("admin");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), token.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());

    // runagent keys create --name "production-2024"
    let production = desk.run("keys create --name \"production-2024\"").ok();
    assert!(production.line().starts_with("ak_") && production.err.contains("key 0"));
    let kid = production.line().rsplit('_').nth(1).unwrap().to_owned();
    // runagent keys create --scope read --name "monitoring"
    let monitoring = desk.run("keys create --scope read --name \"monitoring\" --quiet").ok();
    assert!(monitoring.line().starts_with("ak_") && monitoring.err.is_empty());
    // runagent keys create --agent-id agent-123 --name "agent-specific"
    let agent = desk.run("keys create --agent-id agent-123 --name \"agent-specific\"").ok();
    let gate = desk.text("url");
    let ask = |target: &str| {
        let key = [("PORTCULLIS_API_KEY", agent.line())];
        desk.with(&key, &format!("request {gate}{target}"))
    };
    ask("/v1/agents/agent-123").ok();
    let elsewhere = ask("/v1/agents/agent-456");
    assert!(elsewhere.code == 5 && elsewhere.out.contains("WRONG_RESOURCE"), "{}", elsewhere.out);

    // runagent config show --key api_key
    desk.feed("config set --key api_key", production.line()).ok();
    let shown = desk.run("config show --key api_key").ok();
    assert_eq!(shown.line(), format!("ak_{kid}_[redacted]"));
    let revealed = desk.run("config show --key api_key --reveal").ok();
    assert_eq!(revealed.line(), production.line());

    // runagent keys update <key-id> --add-ip 192.168.1.1
    desk.run(&format!("keys update {kid} --add-ip 192.168.1.1")).ok();
    // runagent keys show <key-id>
    let shown = desk.run(&format!("keys show {kid}")).ok();
    assert!(shown.out.lines().any(|line| line == "ips\t192.168.1.1/32"), "{}", shown.out);
    // runagent keys usage <key-id>
    assert!(desk.run(&format!("keys usage {kid}")).ok().err.contains("0 requests"));
    // runagent keys alert <key-id> --threshold 80
    let limited = desk.run(&format!("keys update {kid} --tier free")).ok();
    assert!(limited.out.contains("tier\tfree"), "{}", limited.out);
    let alert = desk.run(&format!("keys alert {kid} --threshold 80")).ok();
    assert_eq!(alert.line(), "thresholds\t80");
    // GET …/keys/usage with the key itself, which may not come from elsewhere
    desk.run("keys usage").failed(5, "IP_NOT_ALLOWED");
    desk.run(&format!("keys update {kid} --clear ips --wait")).ok();
    desk.run("keys usage").ok();
    // runagent keys revoke "old-key-id"
    desk.run(&format!("keys revoke \"{kid}\" --wait")).ok();
    // What a key is told of itself may be a second old.
    let end = Instant::now() + Duration::from_secs(5);
    while desk.run("keys usage").code == 0 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(100));
    }
    desk.run("keys usage").failed(4, "REVOKED_API_KEY");
    for text in [agent.line(), monitoring.line()] {
        desk.revoke(text.rsplit('_').nth(1).unwrap());
    }
}

#[test]
fn networks_are_added_and_taken_away_and_the_list_never_becomes_empty_unseen() {
    let desk = Desk::of("admin");
    let (kid, _) = desk.key("--add-ip 203.0.113.0/24");
    let ips = |flags: &str| {
        let ran = desk.run(&format!("keys update {kid} {flags} --json")).ok();
        ran.json()["ips"].clone()
    };
    let both = serde_json::json!(["203.0.113.0/24", "192.168.1.1/32"]);
    assert_eq!(ips("--add-ip 192.168.1.1"), both);
    assert_eq!(ips("--add-ip 192.168.1.1/32"), both, "once is enough");
    assert_eq!(ips("--remove-ip 203.0.113.0/24"), serde_json::json!(["192.168.1.1/32"]));
    let update = format!("keys update {kid}");
    desk.run(&format!("{update} --remove-ip 192.168.1.1")).failed(1, "none would be left");
    desk.run(&format!("{update} --remove-ip 10.0.0.1")).failed(1, "not in the list");
    desk.run(&format!("{update} --add-ip nonsense")).failed(2, "network");
    desk.run(&format!("{update} --add-ip 0.0.0.0/0")).failed(1, "VALIDATION_FAILED");
    desk.run(&update).failed(2, "nothing to change");
    desk.run(&format!("{update} --name x --if-version 1")).failed(1, "VERSION_CONFLICT");
    assert_eq!(ips("--clear ips"), serde_json::Value::Null);
    desk.revoke(&kid);
}

#[test]
fn a_key_is_held_back_let_go_on_and_given_another_secret() {
    let desk = Desk::of("admin");
    let (kid, first) = desk.key("--scope agents:read");
    let gate = desk.text("url");
    let ask = |key: &str| {
        let key = [("PORTCULLIS_API_KEY", key)];
        desk.with(&key, &format!("request {gate}/v1/agents")).code
    };
    assert_eq!(ask(&first), 0);
    let second = desk.run(&format!("keys rotate {kid} --grace 1h --quiet")).ok();
    assert_eq!((ask(second.line()), ask(&first)), (0, 0));
    let third = desk.run(&format!("keys rotate {kid} --grace 0 --quiet --wait")).ok();
    assert_eq!((ask(third.line()), ask(&first)), (0, 4));
    desk.run(&format!("keys disable {kid} --wait")).ok();
    assert_eq!(ask(third.line()), 4);
    desk.run(&format!("keys enable {kid} --wait")).ok();
    assert_eq!(ask(third.line()), 0);
    desk.revoke(&kid);
}
