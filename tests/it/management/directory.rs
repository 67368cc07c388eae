//! Who is found where: strangers, members, and what becomes of a Directory that was not told.

use portcullis::management::exchange::Object;
use serde_json::{Value, json};

use super::world::{World, get, with};

fn number(space: &str) -> String {
    space.rsplit('/').next().unwrap().to_owned()
}

fn directory(who: &str) -> Object {
    Object::Directory(format!("dev:{who}"))
}

#[test]
fn a_stranger_reaches_no_workspace() {
    let mut world = World::new();
    let space = world.open("one");
    let nothing = "/api/v1/workspaces/0N0B0D".to_owned();
    world.asked.clear();
    for path in [space.clone(), nothing.clone()] {
        for sent in [
            get("other", &path),
            get("other", &format!("{path}/api-keys")),
            with("PUT", "other", &format!("{path}/members/dev:other"), json!({"role": "owner"})),
            with("POST", "other", &format!("{path}/api-keys"), json!({"scopes": ["read"]})),
        ] {
            let reply = world.send(&sent);
            assert_eq!(
                (reply.status, reply.code()),
                (404, "NOT_FOUND"),
                "{} {}",
                sent.method,
                sent.path
            );
        }
    }
    assert!(world.asked.is_empty() && world.workspaces.len() == 1, "{:?}", world.asked);
    assert!(world.directories["dev:other"].is_empty(), "a stranger's Directory stores nothing");
    // Without the Directory nobody can tell.
    world.silent.push(directory("other"));
    assert_eq!(world.send(&get("other", &space)).status, 503);
}

/// Whoever the policy names stands in where there is no owner, so is found by no Directory.
#[test]
fn a_bootstrap_owner_needs_no_directory() {
    let mut world = World::new();
    let space = world.open("one");
    world
        .workspaces
        .get_mut(&number(&space))
        .unwrap()
        .rows
        .retain(|name, _| !name.starts_with("member/"));
    world.directories.clear();
    world.silent.push(directory("root"));
    assert_eq!(world.send(&get("root", &space)).body["role"], json!("owner"));
}

/// The workspace has the membership; whoever was to tell the Directory died or found it silent.
#[test]
fn what_a_directory_was_not_told_the_alarm_tells_it() {
    let mut world = World::new();
    let space = world.open("one");
    let number = number(&space);
    let member = format!("{space}/members/dev:other");
    let put = |world: &mut World, role| {
        world.send(&with("PUT", "root", &member, json!({ "role": role }))).status
    };
    world.silent.push(directory("other"));
    assert_eq!(put(&mut world, "member"), 503);
    world.silent.clear();
    assert_eq!(world.send(&get("other", &space)).status, 404);
    assert!(world.workspaces[&number].alarm.is_some());
    world.alarm(&number);
    assert_eq!(world.send(&get("other", &space)).body["role"], json!("member"));
    let waiting = |world: &World| {
        world.workspaces[&number].rows.keys().filter(|name| name.starts_with("outbox/d1:")).count()
    };
    assert_eq!(waiting(&world), 0);
    // The same the other way round. A Directory that names one too many lets nobody in.
    world.silent.push(directory("other"));
    assert_eq!(world.send(&with("DELETE", "root", &member, Value::Null)).status, 503);
    world.silent.clear();
    assert_eq!(world.send(&get("other", &space)).status, 404);
    assert_eq!(world.directories["dev:other"].len(), 1);
    world.alarm(&number);
    assert!(world.directories["dev:other"].is_empty());
    // Whoever repeats the request tells it too.
    world.silent.push(directory("other"));
    assert_eq!(put(&mut world, "admin"), 503);
    world.silent.clear();
    assert_eq!(put(&mut world, "admin"), 200);
    assert_eq!(world.send(&get("other", &space)).body["role"], json!("admin"));
}

/// What the alarm has yet to tell of a membership is how it stands, not how it stood.
#[test]
fn a_late_note_of_an_earlier_change_locks_nobody_out() {
    let mut world = World::new();
    let space = world.open("one");
    let member = format!("{space}/members/dev:other");
    for (method, body) in [
        ("PUT", json!({"role": "member"})),
        ("DELETE", Value::Null),
        ("PUT", json!({"role": "member"})),
    ] {
        assert_eq!(world.send(&with(method, "root", &member, body)).status, 200);
    }
    world.alarm(&number(&space));
    assert_eq!(world.send(&get("other", &space)).status, 200);
}
