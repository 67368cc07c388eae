//! Broken policies, each with the place and the words of its error; and the demo policy.

use std::fs;
use std::path::Path;

use portcullis::key::is_prefix;
use portcullis::policy::source::{check, compile, read};
use portcullis::policy::{
    Cors, Credential, KeyPrefix, Limits, Observe, Period, Policy, TokenKind, Upstream, Whose,
};
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
[management]
key_prefix = "acme"
max_active_keys = 50
temporary_max_days = 30
expiry_notice_days = 0
bootstrap_owners = ["auth:user|1"]
dashboard_origins = ["https://admin.test:8443", "http://localhost:5173"]
[issuers.access]
issuer = "https://team.cloudflareaccess.test"
jwks = "https://team.cloudflareaccess.test/cdn-cgi/access/certs"
audiences = ["0123456789abcdef"]
credential = "session"
header = "cf-access-jwt-assertion"
[issuers.auth]
issuer = "https://auth.test/"
jwks = "https://auth.test/jwks.json"
audiences = ["https://admin.test/api", "two"]
credential = "oauth"
types = ["at+jwt"]
leeway_seconds = 5
[budget]
coins = 1000
period = "month"
[products.billing]
base_path = "/billing"
hosts = ["b.test"]
limits = { requests = 10, burst = 5, shadow = { requests = 4, burst = 2 } }
budget = { coins = 500, period = "week" }
[[routes]]
methods = ["GET"]
path = "/people/{user_id}"
product = "billing"
origin = "demo"
timeout_ms = 100
credentials = ["key", "session"]
scope = "bills:read"
cost = 5
subject = "user_id"
ips = ["10.0.0.0/8"]
cors = ["https://app.test"]
shadow = { scope = "bills:admin", ips = ["10.1.0.0/16"] }
[management.sign_in]
issuer = "auth"
client_id = "dash"
scopes = ["openid", "email"]
hours = 8
"#;

/// What is replaced, by what; then line, column and part of the message.
const BROKEN: &[(&str, &str, usize, usize, &str)] = &[
    ("version = 1", "version = 2", 1, 11, "version 1"),
    ("version = 1\n", "", 1, 1, "missing field `version`, as version = 1"),
    ("\"b.test\"", "\"*.test\"", 2, 22, "there are no wildcards"),
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
    ("\"edge\"", "\"edge\"\nlease_seconds = 0", 5, 17, "from 1 to 60"),
    ("\"edge\"", "\"edge\"\nlease_seconds = 61", 5, 17, "from 1 to 60"),
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
    ("kv_timeout_ms = 500", "signed_body_bytes = 0", 7, 21, "1 to 33554432"),
    ("[origins.demo]", "[origins.Demo]", 8, 10, "lower-case letter"),
    ("\"ORIGIN\"", "\"origin\"", 9, 11, "upper-case letter"),
    ("service = \"ORIGIN\"", "service = \"ORIGIN\"\nurl = \"http://a.test\"", 10, 7, "not both"),
    ("service = \"ORIGIN\"\n", "", 8, 10, "'service' or a 'url'"),
    ("service = \"ORIGIN\"", "service = \"ORIGIN\"\nretries = 1", 10, 1, "unknown field `retries`"),
    ("other.test:8443", "other.test/", 11, 7, "only scheme, host and port"),
    ("timeout_ms = 5000", "timeout_ms = 300001", 12, 14, "1 to 300000"),
    ("requests = 100", "requests = 0", 14, 12, "at least 1"),
    ("window_seconds = 60", "window_seconds = 0", 15, 18, "2678400"),
    ("burst = 10", "burst = 101", 16, 9, "may not be above requests"),
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
    ("\"acme\"", "\"acme_live\"", 46, 14, "a key prefix is"),
    ("keys = 50", "keys = 0", 47, 19, "from 1 to 1000000"),
    ("keys = 50", "keys = 1000001", 47, 19, "from 1 to 1000000"),
    ("= 30", "= 3651", 48, 22, "from 1 to 3650"),
    ("notice_days = 0", "notice_days = 366", 49, 22, "from 0 to 365"),
    ("notice_days = 0", "notice = 0", 49, 1, "unknown field `expiry_notice`"),
    ("auth:user|1", "user|1", 50, 21, "an issuer's name, ':'"),
    ("auth:user|1", "auth0:user|1", 50, 21, "no issuer has this name"),
    ("auth:user|1", "auth:user 1", 50, 21, "visible characters"),
    ("http://localhost:5173", "http://a.test", 51, 49, "https://"),
    ("https://admin.test:8443", "https://admin.test/", 51, 22, "only scheme, host and port"),
    ("https://admin.test:8443", "https://admin.test:443", 51, 22, "leave it out"),
    ("issuer = \"auth\"", "issuer = \"other\"", 87, 10, "no issuer has this name"),
    ("client_id = \"dash\"\n", "", 86, 1, "missing field `client_id`"),
    ("\"openid\", \"email\"", "\"openid email\"", 89, 11, "visible characters"),
    ("hours = 8", "hours = 25", 90, 9, "from 1 to 24"),
    ("hours = 8", "minutes = 8", 90, 1, "unknown field `minutes`"),
    ("[issuers.access]", "[issuers.Access]", 52, 10, "lower-case letter"),
    ("flareaccess.test\"", "flareaccess.test \"", 53, 10, "visible characters"),
    ("https://auth.test/\"", "https://team.cloudflareaccess.test\"", 59, 10, "has this 'issuer'"),
    ("\"https://auth.test/jwks", "\"http://auth.test/jwks", 60, 8, "https://"),
    ("[\"0123456789abcdef\"]\ncred", "[]\ncred", 55, 13, "at least one audience"),
    ("\"two\"", "\"\"", 61, 40, "visible characters"),
    ("\"session\"", "\"key\"", 56, 14, "unknown variant `key`"),
    ("cf-access-jwt-assertion", "authorization", 57, 10, "with another use"),
    ("cf-access-jwt-assertion", "Cf-Access", 57, 10, "a header's name"),
    ("types = [", "header = \"cf-access-jwt-assertion\"\ntypes = [", 63, 10, "has this 'header'"),
    ("at+jwt", "at jwt", 63, 10, "visible characters"),
    ("leeway_seconds = 5", "leeway_seconds = 301", 64, 18, "from 0 to 300"),
    ("leeway_seconds = 5", "key = 5", 64, 1, "unknown field `key`"),
    ("coins = 1000", "coins = 0", 66, 9, "from 1 to 1000000000000"),
    ("coins = 1000", "coins = 1000000000001", 66, 9, "from 1 to 1000000000000"),
    ("coins = 1000\n", "", 65, 1, "missing field `coins`"),
    ("\"month\"", "\"year\"", 67, 10, "`month`"),
    ("products.billing", "products.Billing", 68, 11, "lower-case letter"),
    ("\"/billing\"", "\"billing\"", 69, 13, "to start with '/'"),
    ("\"/billing\"", "\"/{x}\"", 69, 13, "literal segments"),
    ("\"/billing\"", "\"/\"", 69, 13, "literal segments"),
    ("\"/billing\"", "\"/billing/\"", 69, 13, "no accepted request path"),
    ("hosts = [\"b.test\"]", "hosts = [\"c.test\"]", 70, 10, "none of the policy's 'hosts'"),
    ("hosts = [\"b.test\"]", "hosts = [\"b.test\", \"b.test\"]", 70, 20, "listed twice"),
    ("hosts = [\"b.test\"]", "hosts = []", 70, 9, "leave 'hosts' out"),
    ("requests = 10, burst = 5, ", "requests = 10, ", 71, 10, "'requests' and 'burst'"),
    (
        "{ requests = 10, burst = 5, shadow = { requests = 4, burst = 2 } }",
        "{}",
        71,
        10,
        "'requests' and 'burst'",
    ),
    ("requests = 4, burst = 2", "requests = 4, burst = 5", 71, 71, "may not be above requests"),
    ("requests = 4, burst = 2", "requests = 4", 71, 47, "missing field `burst`"),
    ("coins = 500", "coin = 500", 72, 12, "unknown field `coin`"),
    ("product = \"billing\"", "product = \"bills\"", 76, 11, "no product has this name"),
    ("timeout_ms = 100", "timeout_ms = 0", 78, 14, "1 to 300000"),
    ("cost = 5", "cost = 501", 81, 8, "the whole budget is 500"),
    ("\"user_id\"", "\"user\"", 82, 11, "no parameter of the path has this name"),
    ("10.0.0.0/8", "10.0.0.1/8", 83, 8, "bits set after its prefix"),
    ("[\"https://app.test\"]", "[\"app.test\"]", 84, 9, "https://"),
    ("[\"https://app.test\"]", "[\"https://app.test/\"]", 84, 9, "only scheme, host and port"),
    ("[\"https://app.test\"]", "[]", 84, 8, "leave 'cors' out"),
    ("[\"https://app.test\"]", "[\"*\", \"https://app.test\"]", 84, 8, "stands alone"),
    ("[\"https://app.test\"]", "[\"*\"]\ncookies = true", 84, 8, "list the pages' origins"),
    ("scope = \"bills:admin\", ips", "scope = \"none\", ips", 85, 20, "resource:action"),
    ("10.1.0.0/16", "10.1.0.0/33", 85, 42, "0 to 32"),
    (
        "{ scope = \"bills:admin\", ips = [\"10.1.0.0/16\"] }",
        "{}",
        85,
        10,
        "a 'scope', 'ips' or both",
    ),
    (
        "[\"key\", \"session\"]\nscope = \"bills:read\"",
        "[\"public\"]",
        81,
        11,
        "a public route has no caller",
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

/// The errors of `tests/policy/broken/*.toml`, as the command prints them, against `broken.txt`.
#[test]
fn each_broken_file_has_an_error_to_act_on() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy");
    compile(&fs::read_to_string(folder.join("whole.toml")).unwrap()).unwrap();
    let files = fs::read_dir(folder.join("broken")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<String> = files
        .map(|file| {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            match read(&fs::read(&file).unwrap()) {
                Ok(_) => format!("{name}: no error"),
                Err(error) => format!("{name}:{error}"),
            }
        })
        .collect();
    found.sort();
    assert!(found.len() >= 40, "{}", found.len());
    let text = fs::read_to_string(folder.join("broken.txt")).unwrap();
    let expected: Vec<&str> = text.lines().collect();
    let missing = expected.iter().filter(|line| !found.iter().any(|own| own == *line));
    let surplus = found.iter().filter(|line| !expected.contains(&line.as_str()));
    let differences: Vec<String> = missing
        .map(|line| format!("- {line}"))
        .chain(surplus.map(|line| format!("+ {line}")))
        .collect();
    assert!(differences.is_empty(), "tests/policy/broken.txt:\n{}", differences.join("\n"));
}

/// Else serde takes a list of its fields' values, too: see the files `*-as-a-list.toml`.
#[test]
fn whatever_has_fields_is_read_from_a_table_alone() {
    for text in [
        include_str!("../../src/policy/source/raw.rs"),
        include_str!("../../src/policy/source/observe.rs"),
    ] {
        let derived = text.matches("Deserialize)]").count();
        assert_eq!(text.matches("deny_unknown_fields, remote = \"Self\")]").count(), derived);
    }
}

/// Line, column and words of what is noted of a policy.
fn noted(text: &str) -> Vec<String> {
    let (_, notes) = check(text.as_bytes()).unwrap();
    notes.iter().map(ToString::to_string).collect()
}

/// The words alone.
fn told(text: &str) -> Vec<String> {
    let (_, notes) = check(text.as_bytes()).unwrap();
    notes.into_iter().map(|note| note.message).collect()
}

#[test]
fn rules_that_do_nothing_are_told() {
    let totals = "no effect but on signed requests: in mode \"edge\" nobody keeps totals";
    let shared = "[workspace_limits]\nrequests = 9\nburst = 9\n[workspaces.DEM0WS]\nbudget = \
                  { coins = 7, period = \"day\" }\n";
    let edge = format!("{GOOD}{shared}");
    let route = "GET, HEAD /billing/people/{user_id}";
    assert_eq!(noted(&edge), [
        "13:8: tiers.free: in mode \"edge\" each isolate bounds bursts by itself, and no window is kept"
            .to_owned(),
        format!("65:1: budget: {totals}"),
        format!("68:11: products.billing.budget: {totals}"),
        format!("68:11: products.billing.limits: {totals}"),
        format!("75:8: {route}: cost: {totals}"),
        format!(
            "75:8: {route}: shadow: no effect: nobody counts what it would refuse here; [observe] could \
             tell of it"
        ),
        format!("91:1: workspace_limits: {totals}"),
        format!("94:13: workspaces.DEM0WS.budget: {totals}"),
    ]);
    let tried = edge.replace("burst = 10\n", "burst = 10\nshadow = { requests = 9, burst = 9 }\n");
    assert!(told(&tried).contains(&format!("tiers.free.shadow: {totals}")), "{:?}", told(&tried));
    // Counted at least where there is a Workspace.
    let lease = "mode = \"lease\"";
    let of_tokens = format!(
        "{route}: shadow: counts keys alone: of tokens only [observe] tells what it would refuse"
    );
    assert_eq!(told(&edge.replace("mode = \"edge\"", lease)), [of_tokens.as_str()]);
    let workspace = edge.replace("[workspaces.DEM0WS]", &format!("[workspaces.DEM0WS]\n{lease}"));
    assert_eq!(told(&workspace), [of_tokens.as_str()]);
    let elsewhere = format!("{edge}[workspaces.0THER0]\n{lease}\n");
    let nothing = format!("workspaces.DEM0WS.budget: {totals}");
    assert_eq!(told(&elsewhere), [of_tokens.clone(), nothing]);
    // Of tokens, which sign nothing.
    let signed = GOOD
        .replace("mode = \"edge\"", lease)
        .replace("cost = 5", "cost = 5\nsignature = \"required\"");
    let unsigned = "signature: no effect on tokens: who has one cannot sign, and is not held to it";
    assert_eq!(told(&signed), [format!("{route}: {unsigned}"), of_tokens]);
    assert!(told(&signed.replace("[\"key\", \"session\"]", "[\"key\"]")).is_empty());
    // Of keys, where there are none.
    let sessions = GOOD
        .replace("mode = \"edge\"", lease)
        .replace("[\"key\", \"session\"]", "[\"session\"]")
        .replace(
            "cost = 5",
            "cost = 5\nmode = \"strict\"\nsignature = \"required\"\nbindings = { a = \"origin\" }",
        );
    let no_keys = "no effect: no key may use a route that this is for";
    assert_eq!(
        told(&sessions)[..3],
        [
            format!("products.billing.budget: {no_keys}"),
            format!("products.billing.limits: {no_keys}"),
            format!("{route}: cost, mode, bindings, signature: no key may use this route"),
        ]
    );
    let none = &GOOD[..GOOD.find("[[routes]]").unwrap()];
    assert_eq!(noted(none), ["1:1: routes: there is none, so every request is refused"]);
}

/// A shadow of a scope is for keys and OAuth tokens, one of networks for whoever calls.
#[test]
fn a_trial_that_somebody_is_not_counted_by_is_told() {
    let text = GOOD.replace("mode = \"edge\"", "mode = \"lease\"");
    let both = "shadow = { scope = \"bills:admin\", ips = [\"10.1.0.0/16\"] }";
    let of = |credentials: &str, shadow: &str| {
        let text = text.replace("[\"key\", \"session\"]", credentials).replace(both, shadow);
        assert_ne!(text, GOOD);
        let is_told = !told(&text).is_empty();
        assert!(told(&format!("{text}[observe]\nanalytics = true\n")).is_empty(), "{shadow}");
        is_told
    };
    let (scope, ips) =
        ("shadow = { scope = \"bills:admin\" }", "shadow = { ips = [\"10.1.0.0/16\"] }");
    assert_eq!([of("[\"key\"]", scope), of("[\"key\"]", ips)], [false, false]);
    let session = "[\"key\", \"session\"]";
    assert_eq!([of(session, scope), of(session, ips)], [false, true]);
    let oauth = "[\"key\", \"oauth\"]";
    assert_eq!([of(oauth, scope), of(oauth, ips)], [true, true]);
    let sessions =
        GOOD.replace("[\"key\", \"session\"]", "[\"session\"]") + "[observe]\nanalytics = true\n";
    let none = "shadow.scope: no effect: a session is held to no scope, nor to one on trial";
    assert!(told(&sessions).iter().any(|note| note.ends_with(none)), "{:?}", told(&sessions));
    assert!(
        !told(&sessions.replace("scope = \"bills:admin\", ", ""))
            .iter()
            .any(|note| note.ends_with(none))
    );
}

#[test]
fn what_nobody_could_bring_is_told() {
    let text =
        GOOD.replace("mode = \"edge\"", "mode = \"lease\"") + "[observe]\nanalytics = true\n";
    let both = text.replace("[\"key\", \"session\"]", "[\"key\", \"session\", \"oauth\"]");
    assert!(told(&both).is_empty());
    let told = told(&both.replace("credential = \"session\"", "credential = \"oauth\""));
    let none = "no issuer of this policy gives such tokens, so nobody has one";
    assert_eq!(told, [format!("GET, HEAD /billing/people/{{user_id}}: session: {none}")]);
}

#[test]
fn a_scope_on_trial_that_is_in_force_is_told() {
    let text =
        GOOD.replace("mode = \"edge\"", "mode = \"lease\"") + "[observe]\nanalytics = true\n";
    let same = "shadow.scope: no effect: it is the scope that is in force";
    let route = "GET, HEAD /billing/people/{user_id}";
    assert_eq!(told(&text.replace("bills:admin", "bills:read")), [format!("{route}: {same}")]);
}

/// While others are counted.
#[test]
fn who_passes_by_a_total_is_told() {
    let text =
        GOOD.replace("mode = \"edge\"", "mode = \"lease\"") + "[observe]\nanalytics = true\n";
    assert!(told(&text).is_empty());
    let totals = "in mode \"edge\" nobody keeps totals";
    let route = "[[routes]]\nmethods = [\"GET\"]\npath = \"/fast\"\nproduct = \"billing\"\norigin = \"demo\"\n\
        credentials = [\"key\"]\nscope = \"bills:read\"\nmode = \"edge\"\n";
    assert_eq!(
        noted(&format!("{text}{route}")),
        [format!(
            "95:8: GET, HEAD /billing/fast: passes by budget, products.billing.budget, products.billing.limits: {totals}"
        )]
    );
    // Not by those of a product that it is none of.
    let plain = route.replace("product = \"billing\"\n", "");
    assert_eq!(
        told(&format!("{text}{plain}")),
        [format!("GET, HEAD /fast: passes by budget: {totals}")]
    );
    assert!(told(&format!("{text}{}", plain.replace("[\"key\"]", "[\"session\"]"))).len() == 1);
    let workspace = "[workspaces.DEM0WS]\nmode = \"edge\"\n";
    assert_eq!(
        noted(&format!("{text}{workspace}")),
        [format!(
            "93:13: workspaces.DEM0WS.mode: its keys pass by budget, products.billing.budget, \
         products.billing.limits: {totals}"
        )]
    );
}

#[test]
fn what_nothing_leads_to_is_told() {
    let text =
        GOOD.replace("mode = \"edge\"", "mode = \"lease\"") + "[observe]\nanalytics = true\n";
    let idle = "[origins.old]\nservice = \"OLD\"\n[products.maps]\nbase_path = \"/maps\"\n";
    assert_eq!(
        noted(&format!("{text}{idle}")),
        [
            "93:10: origins.old: no route leads to it",
            "95:11: products.maps: no route belongs to it",
        ]
    );
}

#[test]
fn an_origin_is_not_the_gate() {
    let error =
        |from: &str, to: &str| compile(&GOOD.replace(from, to)).err().map(|own| own.to_string());
    for own in ["https://api.test", "http://api.test", "https://api.test:443", "https://admin.test"]
    {
        let error = error("https://other.test:8443", own).unwrap();
        assert!(
            error.starts_with("11:7: this is a host of the gate, which would call itself"),
            "{error}"
        );
    }
    for other in ["https://other.test", "https://api.test.", "https://xapi.test"] {
        let error = error("https://other.test:8443", other).unwrap_or_default();
        assert!(!error.contains("call itself"), "{other}: {error}");
    }
    // At another port there may be another server.
    let port = GOOD.replace("https://other.test:8443", "https://api.test:8443");
    let noted = noted(&port);
    assert!(
        noted[0].starts_with("10:10: origins.other: this is a host of the gate, at another port"),
        "{noted:?}"
    );
    // On this machine ports tell servers apart.
    let here = GOOD.replace("\"b.test\"]", "\"b.test\", \"127.0.0.1\", \"a.localhost\"]");
    for own in ["http://127.0.0.1:9000", "http://127.0.0.1", "http://a.localhost:8787"] {
        let here = here.replace("https://other.test:8443", own);
        assert!(told(&here).iter().all(|note| !note.contains("origins.")), "{own}");
    }
    for taken in
        ["KEYS", "WORKSPACE", "MANAGEMENT", "PORTCULLIS_ANALYTICS", "PORTCULLIS_ROOT", "POLICY"]
    {
        let error = error("\"ORIGIN\"", &format!("\"{taken}\"")).unwrap();
        assert!(error.starts_with("9:11: the gate uses this binding itself"), "{error}");
    }
    assert_eq!(error("\"ORIGIN\"", "\"KEYSTONE\""), None);
}

/// TOML takes what follows a table's head for a part of that table.
#[test]
fn a_field_under_another_table_is_told_where_it_belongs() {
    let end = |line: &str| compile(&format!("{GOOD}{line}\n")).unwrap_err().to_string();
    let top =
        "here: it stands at the top, above the first '[…]', as what follows a '[table]' is in it";
    assert_eq!(end("lease_seconds = 2"), format!("91:1: unknown field `lease_seconds` {top}"));
    assert_eq!(end("mode = \"edge\""), format!("91:1: unknown field `mode` {top}"));
    let of_a_route = GOOD.replace("cost = 5", "cost = 5\nkv_timeout_ms = 50");
    let error = compile(&of_a_route).unwrap_err().to_string();
    assert_eq!(error, format!("82:1: unknown field `kv_timeout_ms` {top}"));
    assert_eq!(
        end("max_active_keys = 2"),
        "91:1: unknown field `max_active_keys` here: it stands in [management]"
    );
    let early = compile(&format!("cookies = true\n{GOOD}")).unwrap_err().to_string();
    assert_eq!(early, "1:1: unknown field `cookies` here: it stands in [[routes]]");
    // It is a field of the route as well.
    let moved =
        GOOD.replace("mode = \"edge\"\n", "").replace("cost = 5", "cost = 5\nmode = \"edge\"");
    let error = compile(&moved).unwrap_err().to_string();
    assert_eq!(
        error,
        "1:1: missing field `mode`, as mode = \"lease\", at the top, above the first '[…]'"
    );
}

/// What no workspace could pay is an error, what some could not may be meant.
#[test]
fn a_budget_that_a_route_is_above_is_told() {
    let text = GOOD.replace("mode = \"edge\"", "mode = \"lease\"");
    let text = format!("{text}[observe]\nanalytics = true\n");
    let poor = "[workspaces.DEM0WS]\nbudget = { coins = 3, period = \"day\" }\n";
    let costs = "GET, HEAD /billing/people/{user_id}: costs 5, more than all of";
    assert_eq!(told(&format!("{text}{poor}")), [format!("{costs} workspaces.DEM0WS.budget")]);
    let other = poor.replace("= 3", "= 5");
    let rich = format!("{text}{other}").replace("coins = 1000", "coins = 4");
    assert_eq!(told(&rich), [format!("{costs} budget")]);
    let nobody = format!("{text}{poor}").replace("coins = 1000", "coins = 4");
    assert!(compile(&nobody).unwrap_err().message.contains("the whole budget is 4"));
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
    let Lookup::Found { route, params } = policy.table.find(0, "/v1/agents/7", Method::Get) else {
        panic!("no route")
    };
    assert_eq!(params.get("agent_id"), Some("7"));
    assert_eq!(policy.routes[route].bindings, ["project_id"]);
    assert_eq!(policy.routes[route].allow, policy.allowed_classes);
    assert!(policy.imports[0].matches(&"A".repeat(44)));
    assert!(policy.routes[1].scope.is_none() && !policy.routes[1].credentials.is_public());
    let management = &policy.management;
    assert_eq!((management.key_prefix.as_str(), management.max_active_keys.get()), ("acme", 50));
    assert_eq!(management.temporary_max_days.get(), 30);
    assert_eq!(policy.expiry_notice_seconds, 0);
    assert_eq!(management.bootstrap_owners[0].as_str(), "auth:user|1");
    assert_eq!(management.dashboard_origins[1].as_str(), "http://localhost:5173");
    let [access, auth] = policy.issuers.as_slice() else { panic!("{:?}", policy.issuers) };
    assert_eq!((access.name.as_str(), access.credential), ("access", TokenKind::Session));
    assert_eq!((access.leeway_seconds.get(), access.types.len()), (30, 0));
    assert_eq!(access.header.as_ref().unwrap().as_str(), "cf-access-jwt-assertion");
    assert_eq!((auth.leeway_seconds.get(), auth.types[0].as_str()), (5, "at+jwt"));
    assert_eq!(auth.audiences.len(), 2);
}

#[test]
fn a_product_has_paths_hosts_limits_and_a_budget() {
    let document = compile(GOOD).unwrap();
    let policy = Policy::from_json(&document.to_json().unwrap()).unwrap();
    let found = |host| policy.table.find(host, "/billing/people/7", Method::Get);
    assert!(matches!(found(0), Lookup::NotFound));
    let Lookup::Found { route, params } = found(1) else { panic!("no route") };
    assert_eq!(params.get("user_id"), Some("7"));
    let route = &policy.routes[route];
    assert_eq!(route.path.as_str(), "/billing/people/{user_id}");
    assert_eq!((route.cost, route.timeout_ms.unwrap().get()), (5, 100));
    assert_eq!(route.subject, Some(Whose::Parameter("user_id".to_owned())));
    assert!(
        matches!(&route.cors, Some(Cors::Listed(pages)) if pages[0].as_str() == "https://app.test")
    );
    assert_eq!(route.shadow.scope.as_ref().unwrap().to_string(), "bills:admin");
    assert!(route.ips.is_some() && route.shadow.ips.is_some() && route.ips != route.shadow.ips);
    let product = policy.product(route).unwrap();
    assert_eq!((product.name.as_str(), product.hosts.as_slice()), ("billing", [1].as_slice()));
    assert_eq!(product.limits, Some(Limits::new(10, 3600, 5).unwrap()));
    assert_eq!(product.shadow, Some(Limits::new(4, 3600, 2).unwrap()));
    let budget = product.budget.unwrap();
    assert_eq!((budget.coins.get(), budget.period), (500, Period::Week));
    assert!(policy.product(&policy.routes[0]).is_none());
}

#[test]
fn tokens_are_held_to_a_workspace_by_their_issuer_or_by_the_origin() {
    let route = "[[routes]]\nmethods = [\"GET\"]\npath = \"/{workspace_id}/tasks\"\norigin = \"demo\"\n\
        credentials = [\"key\", \"oauth\"]\nscope = \"tasks:read\"\n";
    let binding = "bindings = { workspace_id = \"origin\" }\n";
    let held = GOOD.replace("leeway_seconds = 5", "leeway_seconds = 5\nworkspace_claim = \"ws\"");
    assert_ne!(held, GOOD);
    let error = |text: String| compile(&text).err().map(|error| error.message);
    let open = error(format!("{GOOD}{route}")).unwrap();
    assert!(open.starts_with("nothing holds tokens of issuer 'auth'"), "{open}");
    assert_eq!(error(format!("{GOOD}{route}{binding}")), None);
    assert_eq!(error(format!("{held}{route}")), None);
    assert!(error(format!("{held}{route}{binding}")).unwrap().contains("the gate enforces it"));
    // Of the other issuer's kind, which names no workspaces.
    let sessions = route.replace("oauth", "session");
    assert!(error(format!("{held}{sessions}")).unwrap().contains("issuer 'access'"));
    assert_eq!(error(format!("{GOOD}{}", route.replace(", \"oauth\"", ""))), None);
}

#[test]
fn shares_are_fractions_there_and_millionths_here() {
    let observe = |text: &str| compile(&format!("{GOOD}[observe]\n{text}\n")).unwrap().observe;
    let none = Observe::default();
    assert_eq!((compile(GOOD).unwrap().observe, none.writes()), (none, false));
    let shares = |text: &str| {
        let own = observe(&format!("logs = {{ {text} }}"));
        [own.log_allowed, own.log_denied, own.log_faults].map(u32::from)
    };
    assert_eq!(shares(""), [0; 3]);
    assert_eq!(shares("allowed = 0, denied = 0.3333337, faults = 1"), [0, 333_334, 1_000_000]);
    assert_eq!(shares("allowed = 0.000001, denied = 0.29, faults = 1.0"), [1, 290_000, 1_000_000]);
    let all = observe("analytics = true\nserver_timing = true");
    assert!(all.analytics && all.server_timing && all.writes());
    // What is read from a build is what was compiled into it.
    let document = compile(&format!("{GOOD}[observe]\nlogs = {{ faults = 0.5 }}\n")).unwrap();
    let policy = Policy::from_json(&document.to_json().unwrap()).unwrap();
    assert_eq!(policy.observe, document.observe);
}

#[test]
fn a_product_may_take_its_base_path_itself() {
    let text = GOOD.replace("/people/{user_id}", "/").replace("subject = \"user_id\"\n", "");
    let policy = Policy::try_from(compile(&text).unwrap()).unwrap();
    assert_eq!(policy.routes.last().unwrap().path.as_str(), "/billing");
}

#[test]
fn routes_of_other_hosts_are_no_conflict() {
    let other = "[[routes]]\nmethods = [\"GET\"]\npath = \"/billing/people/{user}\"\norigin = \"other\"\n\
        credentials = [\"public\"]\n";
    let product = "[products.other]\nhosts = [\"api.test\"]\n";
    let on_host = other.replace("origin", "product = \"other\"\norigin");
    assert!(compile(&format!("{GOOD}{product}{on_host}")).is_ok());
    let error = compile(&format!("{GOOD}{other}")).unwrap_err();
    assert_eq!((error.line, error.column), (93, 8));
    assert!(error.message.starts_with("conflict with '/billing/people/{user_id}'"), "{error}");
}

#[test]
fn a_workspace_has_the_policys_budget_and_limits_or_its_own() {
    let shared = "[workspace_limits]\nshadow = { requests = 9, burst = 9 }\n\
        [workspaces.DEM0WS]\nbudget = { coins = 7, period = \"day\" }\n\
        [workspaces.0THER0]\nlimits = { requests = 3, burst = 2 }\n";
    let policy = Policy::try_from(compile(&format!("{GOOD}{shared}")).unwrap()).unwrap();
    let of = |number| {
        let own = policy.workspace(number);
        let requests = |limits: Option<Limits>| limits.map(|limits| limits.requests);
        let budget = own.budget.unwrap();
        (requests(own.limits), requests(own.shadow), budget.coins.get(), budget.period)
    };
    assert_eq!(of("AAAAAA"), (None, Some(9), 1000, Period::Month));
    assert_eq!(of("DEM0WS"), (None, Some(9), 7, Period::Day));
    assert_eq!(of("0THER0"), (Some(3), None, 1000, Period::Month));
}

#[test]
fn a_tier_has_limits_and_may_try_others() {
    let tried = GOOD.replace("burst = 10\n", "burst = 10\nshadow = { requests = 50, burst = 5 }\n");
    let policy = Policy::try_from(compile(&tried).unwrap()).unwrap();
    let tier = policy.tier("free").unwrap();
    assert_eq!((tier.limits.requests, tier.shadow.unwrap().requests), (100, 50));
    let alone = GOOD
        .replace("requests = 100\n", "")
        .replace("burst = 10\n", "shadow = { requests = 50, burst = 5 }\n");
    assert!(compile(&alone).unwrap_err().message.contains("missing field `requests`"));
}

#[test]
fn a_policy_without_management_has_its_defaults() {
    let without = GOOD.split_once("[management]").unwrap().0;
    let json = compile(without).unwrap().to_json().unwrap();
    assert!(!json.contains("management") && !json.contains("issuers"), "{json}");
    let policy = Policy::from_json(&json).unwrap();
    assert!(policy.management.is_default() && policy.issuers.is_empty());
    assert_eq!(policy.management.key_prefix.as_str(), "ak");
    assert_eq!(policy.management.max_active_keys.get(), 20);
    assert_eq!(policy.management.temporary_max_days.get(), 90);
    assert_eq!(policy.expiry_notice_seconds, 14 * 24 * 3600);
}

/// What a policy takes before the environment is what a key may begin with.
#[test]
fn a_key_prefix_of_a_policy_is_one_of_a_key() {
    for text in ["ak", "abcdefghijkl", "a1"] {
        let prefix = KeyPrefix::parse(text).unwrap();
        for environment in ["", "_live", "_test"] {
            assert!(is_prefix(&format!("{prefix}{environment}")), "{text}{environment}");
        }
    }
    for text in ["a", "abcdefghijklm", "Ak", "ak_live"] {
        assert!(KeyPrefix::parse(text).is_err(), "{text}");
    }
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
        (r#""issuer":"https://auth.test/""#, r#""issuer":"https://team.cloudflareaccess.test""#),
        (r#""name":"auth""#, r#""name":"access""#),
        (r#"["auth:user|1"]"#, r#"["other:user|1"]"#),
        (r#"["0123456789abcdef"]"#, "[]"),
        (r#""max_active_keys":50"#, r#""max_active_keys":0"#),
        (r#""jwks":"https://auth.test"#, r#""jwks":"http://auth.test"#),
        (r#""product":0"#, r#""product":1"#),
        (r#""hosts":[1]"#, r#""hosts":[2]"#),
        (r#""coins":1000"#, r#""coins":0"#),
        (r#"["https://app.test"]"#, r#"["https://app.test/"]"#),
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
        let Lookup::Found { route, .. } = policy.table.find(0, path, method) else {
            panic!("{method} {path}")
        };
        let route = &policy.routes[route];
        assert_eq!(route.scope.as_ref().map(ToString::to_string).as_deref(), scope, "{path}");
        assert_eq!(route.credentials.contains(Credential::Key), scope.is_some(), "{path}");
    }
}
