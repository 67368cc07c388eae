//! Who is found where: strangers, members, and what becomes of a Directory that was not told.

use portcullis::management::exchange::Object;
use serde_json::{Value, json};

use super::world::{Sent, World, get, with};

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

/// The Directory names four: two of the member's, one of which does not answer, one that was left, one
/// that was never opened.
#[test]
fn workspaces_that_do_not_answer_or_were_left_are_passed_over() {
    let mut world = World::new();
    let spaces = ["one", "two", "left"].map(|name| world.open(name));
    for space in &spaces {
        let member = format!("{space}/members/dev:other");
        assert_eq!(world.send(&with("PUT", "root", &member, json!({"role": "admin"}))).status, 200);
    }
    let left = number(&spaces[2]);
    let named = world.directories["dev:other"].clone();
    let leaving = format!("{}/members/dev:other", spaces[2]);
    assert_eq!(world.send(&with("DELETE", "other", &leaving, Value::Null)).status, 200);
    world.directories.insert("dev:other".to_owned(), named);
    world.directories.get_mut("dev:other").unwrap().insert("in/0N0B0D".to_owned(), "1".to_owned());
    let list = |world: &mut World| {
        let listed = world.send(&get("other", "/api/v1/workspaces"));
        assert_eq!(listed.status, 200);
        let spaces = listed.body["workspaces"].as_array().unwrap().clone();
        let names = spaces.iter().map(|space| space["name"].as_str().unwrap().to_owned());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    let current = |world: &mut World, sent: &Sent<'_>| {
        let reply = world.send(sent);
        (reply.status, reply.body["id"].as_str().map(str::to_owned))
    };
    let read = get("other", "/api/v1/workspaces/current");
    assert_eq!(list(&mut world), ["one", "two"]);
    assert_eq!(current(&mut world, &read), (404, None), "two of them");
    world.silent.push(Object::Workspace(number(&spaces[0])));
    assert_eq!(list(&mut world), ["two"]);
    assert_eq!(current(&mut world, &read), (503, None), "it may be the one that is meant");
    world.silent.clear();
    let member = format!("{}/members/dev:other", spaces[0]);
    assert_eq!(world.send(&with("DELETE", "other", &member, Value::Null)).status, 200);
    let two = number(&spaces[1]);
    assert_eq!(current(&mut world, &read), (200, Some(two.clone())));
    // A change is asked of the one that is found, once.
    let patch = Sent {
        headers: &[("idempotency-key", "x"), ("if-match", "\"1\"")],
        ..with("PATCH", "root", "/api/v1/workspaces/current", json!({"name": "x"}))
    };
    assert_eq!(world.send(&patch).status, 404, "three of them");
    let new =
        with("POST", "other", "/api/v1/workspaces/current/api-keys", json!({"scopes": ["read"]}));
    assert_eq!(world.send(&new).status, 201);
    assert!(world.workspaces[&two].rows.keys().any(|name| name.starts_with("key/")));
    assert!(!world.workspaces[&left].rows.keys().any(|name| name.starts_with("key/")));
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
