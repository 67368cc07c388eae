//! Broken policies, each with the place and the words of its error; and the demo policy.

use portcullis::policy::source::compile;
use portcullis::policy::{Credential, Policy, Upstream};
use portcullis::route::{Lookup, Method};

/// A policy that compiles; each case below replaces one text in it.
const GOOD: &str = r#"version = 1
hosts = ["api.test", "b.test"]
admin_host = "admin.test"
mode = "edge"
root_fingerprints = ["0123456789abcdef"]
docs = "https://docs.test/errors"
kv_timeout_ms = 500
[origins.demo]
service = "ORIGIN"
[origins.other]
url = "https://other.test:8443"
timeout_ms = 5000
[tiers.free]
requests = 100
window_seconds = 60
burst = 10
[static_keys.worker]
workspace = "DEM0WS"
scopes = ["read"]
ips = ["203.0.113.0/24"]
bindings = { agent_id = ["agent-123"] }
[[imports]]
alphabet = "base64"
length = 44
[[routes]]
methods = ["GET"]
path = "/v1/agents/{agent_id}"
origin = "demo"
credentials = ["key"]
scope = "agents:read"
bindings = { project_id = "origin" }
body_limit = 1024
allow = ["trailing_slash"]
[[routes]]
methods = ["POST"]
path = "/v1/agents"
origin = "other"
credentials = ["key", "oauth"]
scope = "none"
[[routes]]
methods = ["GET"]
path = "/v1/public"
origin = "demo"
credentials = ["public"]
"#;

/// What is replaced, by what; then line, column and part of the message.
const BROKEN: &[(&str, &str, usize, usize, &str)] = &[
    ("version = 1", "version = 2", 1, 11, "version 1"),
    ("version = 1\n", "", 1, 1, "missing field `version`"),
    ("version = 1", "version = \"1\"", 1, 11, "invalid type"),
    ("version = 1", "version = 1\nversion = 1", 2, 1, "duplicate"),
    ("version = 1", "version = ", 1, 11, ""),
    ("version = 1", "version = 1\ncolour = 2", 2, 1, "unknown field `colour`"),
    ("\"b.test\"", "\"B.test\"", 2, 22, "lower case"),
    ("\"b.test\"", "\"b.test:80\"", 2, 22, "without a port"),
    ("\"b.test\"", "\"b.test.\"", 2, 22, "no dot at the end"),
    ("\"b.test\"", "\"api.test\"", 2, 22, "listed twice"),
    ("\"b.test\"", "\"admin.test\"", 2, 22, "admin host"),
    ("\"b.test\"", "7", 2, 22, "invalid type"),
    ("[\"api.test\", \"b.test\"]", "[]", 2, 9, "at least one host"),
    ("\"admin.test\"", "\"admin test\"", 3, 14, "host name"),
    ("\"edge\"", "\"fast\"", 4, 8, "`edge`"),
    ("\"edge\"", "\"edge\"\nlease_seconds = 0", 5, 17, "lease_seconds is 1 to 60"),
    ("\"edge\"", "\"edge\"\nlease_seconds = 61", 5, 17, "lease_seconds is 1 to 60"),
    ("\"edge\"", "\"edge\"\nworkspace_timeout_ms = 1", 5, 24, "from 20 to 10000"),
    ("\"edge\"", "\"edge\"\non_workspace_down = \"open\"", 5, 21, "`refuse`"),
    (
        "[tiers.free]",
        "[workspaces.DEM0WS]\nlimits = { requests = 0, burst = 1 }\n[tiers.free]",
        14,
        23,
        "at least 1",
    ),
    ("[tiers.free]", "[workspaces.DEMOWS]\nmode = \"lease\"\n[tiers.free]", 13, 13, "6 of 0-9"),
    ("body_limit = 1024", "mode = \"fast\"", 32, 8, "`edge`"),
    ("0123456789abcdef", "0123456789ABCDEF", 5, 22, "lower-case hexadecimal"),
    ("https://docs.test", "http://docs.test", 6, 8, "https://"),
    ("kv_timeout_ms = 500", "kv_timeout_ms = 9", 7, 17, "10 to 10000"),
    ("kv_timeout_ms = 500", "kv_timeout_ms = -1", 7, 17, "invalid value"),
    ("[origins.demo]", "[origins.Demo]", 8, 10, "lower-case letter"),
    ("\"ORIGIN\"", "\"origin\"", 9, 11, "upper-case letter"),
    ("service = \"ORIGIN\"", "service = \"ORIGIN\"\nurl = \"http://a.test\"", 10, 7, "not both"),
    ("service = \"ORIGIN\"\n", "", 8, 10, "'service' or a 'url'"),
    ("service = \"ORIGIN\"", "service = \"ORIGIN\"\nretries = 1", 10, 1, "unknown field `retries`"),
    ("other.test:8443", "other.test/", 11, 7, "only scheme, host and port"),
    ("timeout_ms = 5000", "timeout_ms = 300001", 12, 14, "1 to 300000"),
    ("requests = 100", "requests = 0", 14, 12, "at least 1"),
    ("window_seconds = 60", "window_seconds = 0", 15, 18, "2678400"),
    ("burst = 10", "burst = 101", 16, 9, "not above requests"),
    ("burst = 10", "burst = 0", 16, 9, "at least 1"),
    ("DEM0WS", "DEMOWS", 18, 13, "without I, L, O, U"),
    ("scopes = [\"read\"]", "scopes = [\"read\", \"all\"]", 19, 19, "resource:action"),
    ("scopes = [\"read\"]", "scopes = []", 19, 10, "without a scope"),
    ("203.0.113.0/24", "203.0.113.1/24", 20, 8, "bits set after its prefix"),
    ("203.0.113.0/24", "203.0.113.0/33", 20, 8, "0 to 32"),
    ("203.0.113.0/24", "300.1.1.1", 20, 8, "not an IP address"),
    ("203.0.113.0/24", "::ffff:203.0.113.0/120", 20, 8, "as IPv4"),
    ("[\"203.0.113.0/24\"]", "[]", 20, 7, "leave it out"),
    ("{ agent_id =", "{ Agent =", 21, 14, "a parameter is"),
    ("[\"agent-123\"]", "[]", 21, 25, "without a value"),
    ("[\"agent-123\"]", "[\"a\", \"\"]", 21, 31, "empty value"),
    ("\"base64\"", "\"base32\"", 23, 12, "unknown variant `base32`"),
    ("length = 44", "length = 44\nmin_length = 44", 22, 1, "'min_length' and 'max_length'"),
    ("length = 44", "length = 8", 22, 1, "16 to 256"),
    ("length = 44", "length = 44\nprefix = \"a b\"", 22, 1, "prefix"),
    (
        "[\"GET\"]\npath = \"/v1/agents/",
        "[\"get\"]\npath = \"/v1/agents/",
        26,
        12,
        "unknown variant",
    ),
    ("[\"GET\"]\npath = \"/v1/agents/", "[\"TRACE\"]\npath = \"/v1/agents/", 26, 12, "TRACE"),
    ("[\"GET\"]\npath = \"/v1/agents/", "[]\npath = \"/v1/agents/", 26, 11, "at least one method"),
    ("/v1/agents/{agent_id}", "/v1/agents/{agent_id", 27, 8, "whole segment"),
    ("/v1/agents/{agent_id}", "/v1/agents/*", 27, 8, "{*name}"),
    ("/v1/agents/{agent_id}", "/v1/agents/", 27, 8, "no accepted request path"),
    ("origin = \"demo\"", "origin = \"dem\"", 28, 10, "no origin has this name"),
    ("[\"key\"]", "[\"key\", \"public\"]", 29, 15, "excludes every other"),
    ("[\"key\"]", "[\"key\", \"basic\"]", 29, 23, "unknown variant `basic`"),
    ("[\"key\"]", "[\"key\", \"key\"]", 29, 15, "listed twice"),
    ("[\"key\"]", "[]", 29, 15, "[\"public\"]"),
    ("\"agents:read\"", "\"agents:*\"", 30, 9, "without '*'"),
    ("\"agents:read\"", "\"agents\"", 30, 9, "resource:action"),
    ("scope = \"agents:read\"\n", "", 27, 8, "scope = \"none\""),
    ("{ project_id =", "{ agent_id =", 31, 14, "the gate enforces it"),
    ("= \"origin\" }", "= \"gate\" }", 31, 27, "enforced by the \"origin\""),
    ("body_limit = 1024", "body_limit = -1", 32, 14, "invalid value"),
    ("body_limit = 1024", "price = 1", 32, 1, "unknown field `price`"),
    ("\"trailing_slash\"", "\"nul\"", 33, 10, "unknown variant `nul`"),
    (
        "[\"POST\"]\npath = \"/v1/agents\"",
        "[\"HEAD\"]\npath = \"/v1/agents/{agent_id}\"",
        36,
        8,
        "conflict with '/v1/agents/{agent_id}'",
    ),
    ("\"/v1/agents\"", "\"/v1/agents/{id}\"", 36, 8, "names the parameter"),
    ("[\"public\"]", "[\"public\"]\nscope = \"none\"", 45, 9, "public route has no scope"),
    (
        "[\"public\"]",
        "[\"public\"]\nbindings = { a = \"origin\" }",
        45,
        14,
        "public route has no key",
    ),
];

#[test]
fn an_error_says_where_and_what() {
    let mut wrong = Vec::new();
    for (from, to, line, column, message) in BROKEN {
        assert!(GOOD.contains(from), "{from}");
        let found = match compile(&GOOD.replacen(from, to, 1)) {
            Ok(_) => "no error".to_owned(),
            Err(error) if error.message.contains(message) => error.to_string(),
            Err(error) => format!("other words: {error}"),
        };
        if !found.starts_with(&format!("{line}:{column}: ")) {
            wrong.push(format!("{to}\n  expected {line}:{column}: …{message}…\n  found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn columns_count_characters() {
    let text = GOOD.replace("service = \"ORIGIN\"", "\"é\" = 1");
    assert_eq!(compile(&text).unwrap_err().line, 9);
    let text = GOOD.replace("[\"read\"]", "[\"é\", \"read\"]").replace("\"é\", ", "\"a:é\", ");
    let error = compile(&text).unwrap_err();
    assert_eq!((error.line, error.column), (19, 11));
    let text = GOOD.replace("\"agent-123\"]", "\"ééé\", \"\"]");
    let error = compile(&text).unwrap_err();
    assert_eq!((error.line, error.column), (21, 33));
}

#[test]
fn what_compiles_is_a_policy() {
    let document = compile(GOOD).unwrap();
    let policy = Policy::from_json(&document.to_json().unwrap()).unwrap();
    assert_eq!(policy.origins[1].timeout_ms.get(), 5000);
    assert!(matches!(&policy.origins[1].upstream,
        Upstream::Url { base } if base.as_str() == "https://other.test:8443"));
    let Lookup::Found { route, params } = policy.table.find("/v1/agents/7", Method::Get) else {
        panic!("no route")
    };
    assert_eq!(params.get("agent_id"), Some("7"));
    assert_eq!(policy.routes[route].bindings, ["project_id"]);
    assert_eq!(policy.routes[route].allow, policy.allowed_classes);
    assert!(policy.imports[0].matches(&"A".repeat(44)));
    assert!(policy.routes[1].scope.is_none() && !policy.routes[1].credentials.is_public());
}

#[test]
fn a_document_is_checked_again_when_it_is_read() {
    let json = compile(GOOD).unwrap().to_json().unwrap();
    for (from, to) in [
        (r#""version":1"#, r#""version":2"#),
        (r#""origin":1"#, r#""origin":2"#),
        (r#""admin_host":"admin.test""#, r#""admin_host":"api.test""#),
        (r#"["POST"],"path":"/v1/agents""#, r#"["GET"],"path":"/v1/public""#),
        (r#""mode":"edge""#, r#""mode":"lax""#),
        (r#""mode":"edge""#, r#""mode":"edge","more":1"#),
        (r#"["public"]"#, r#"["public","key"]"#),
        (r#""min_length":44"#, r#""min_length":4"#),
    ] {
        assert!(json.contains(from), "{from} in {json}");
        assert!(Policy::from_json(&json.replace(from, to)).is_err(), "{to}");
    }
}

#[test]
fn the_policy_of_this_repository_gates_the_demo() {
    let document = compile(include_str!("../../policy.toml")).unwrap();
    let policy = Policy::try_from(document).unwrap();
    for (method, path, scope) in [
        (Method::Get, "/v1/agents", Some("agents:read")),
        (Method::Post, "/v1/agents", Some("agents:write")),
        (Method::Get, "/v1/agents/agent-123", Some("agents:read")),
        (Method::Delete, "/v1/agents/agent-123", Some("agents:write")),
        (Method::Get, "/v1/simulations", Some("simulations:read")),
        (Method::Post, "/v1/simulations", Some("simulations:write")),
        (Method::Get, "/v1/admin/keys", Some("admin:read")),
        (Method::Post, "/v1/admin/keys/1", Some("admin:write")),
        (Method::Get, "/v1/public", None),
    ] {
        let Lookup::Found { route, .. } = policy.table.find(path, method) else {
            panic!("{method} {path}")
        };
        let route = &policy.routes[route];
        assert_eq!(route.scope.as_ref().map(ToString::to_string).as_deref(), scope, "{path}");
        assert_eq!(route.credentials.contains(Credential::Key), scope.is_some(), "{path}");
    }
}
