//! Requests that nobody has sent, explained by what the management API tells of policy and key.

use portcullis::clock::Now;
use portcullis::explanation::case::{Asked, Case};
use portcullis::explanation::question;
use portcullis::key::{Kid, Workspace};
use portcullis::management::time;
use portcullis::policy::{Document as PolicyDocument, MemberId};
use portcullis::record::Document;
use portcullis::root::Keyring;
use serde_json::{Value, json};

use crate::vectors;

fn now() -> Now {
    Now::from_millis(vectors::world()["now"].as_u64().unwrap() * 1000)
}

fn policy() -> PolicyDocument {
    serde_json::from_value(vectors::world()["policy"].clone()).unwrap()
}

/// The policy as a workspace tells it.
fn told(document: &PolicyDocument) -> Value {
    let mut told: Value = serde_json::from_str(&document.tell()).unwrap();
    told["workspace"] = json!({"mode": document.mode, "limits": document.workspace_limits,
        "budget": document.budget, "on_workspace_down": document.on_workspace_down});
    told
}

/// A key as the management API tells it.
fn told_key(document: &Document) -> Value {
    let time = |second: Option<u64>| second.map(time::print);
    json!({
        "id": document.kid, "name": document.name, "type": document.kind,
        "subject": document.subject, "prefix": document.prefix,
        "not_before": time(document.not_before), "expires": time(document.expires),
        "status": document.status, "scopes": document.scopes,
        "bindings": Some(&document.bindings).filter(|own| !own.is_empty()), "ips": document.ips,
        "tier": document.tier, "limits": document.limits, "signature": document.signature,
        "version": document.version, "secrets": [], "signing": null,
    })
}

/// The records of the world, those of no use aside.
fn records() -> Vec<Document> {
    let world = vectors::world();
    let ring = Keyring::parse(world["root"].as_str().unwrap()).unwrap();
    let rows = world["kv"].as_object().unwrap().iter();
    let kid = |name: &str| Kid::parse(name.strip_prefix("k1:")?);
    rows.filter_map(|(name, value)| {
        let value = value.as_str()?.as_bytes();
        Document::open(&ring, &kid(name)?, value).ok().map(|(document, _)| document)
    })
    .filter(|document| Case::of_record(policy(), document, now()).is_ok())
    .collect()
}

/// What is asked in the vectors, credentials aside.
fn requests() -> Vec<Asked> {
    let cases: Vec<Value> = serde_json::from_str(vectors::DECISIONS).unwrap();
    let requests = cases.iter().filter_map(|case| {
        let text = |name: &str| case["request"][name].as_str().map(str::to_owned);
        let headers: Vec<(String, String)> =
            serde_json::from_value(case["request"]["headers"].clone()).ok()?;
        let is_told = |(name, value): &(String, String)| {
            !value.contains(['{', '\n']) && !name.eq_ignore_ascii_case("authorization")
        };
        let url = format!("https://{}{}", text("host")?, text("target")?);
        let headers = headers.into_iter().filter(is_told).collect();
        Some(Asked { method: text("method")?, url, headers })
    });
    let mut requests: Vec<Asked> = requests.collect();
    requests.sort_by_key(|asked| format!("{asked:?}"));
    requests.dedup_by_key(|asked| format!("{asked:?}"));
    requests
}

fn ask(policy: &Value, asked: &Asked, of: &Value) -> Result<Value, String> {
    let Asked { method, url, headers } = asked;
    let question = json!({"method": method, "url": url, "headers": headers, "of": of});
    let answer = question::answer(&policy.to_string(), &question.to_string(), now())?;
    Ok(serde_json::from_str(&answer).unwrap())
}

/// By the whole policy, but for where requests go.
fn by_all(mut case: Case, asked: &Asked) -> Result<Value, String> {
    let explanation = case.explain(asked, &|_| None, now());
    let mut json = explanation.map_err(|impossible| impossible.to_string())?.to_json();
    for check in json["checks"].as_array_mut().unwrap() {
        let detail = check["detail"].as_str().unwrap();
        let detail = detail.split(", to origin ").next().unwrap().to_owned();
        check["detail"] = detail.into();
    }
    Ok(json)
}

#[test]
fn what_is_told_of_the_policy_explains_as_all_of_it_does() {
    let (document, records, requests) = (policy(), records(), requests());
    let policy = told(&document);
    assert!(records.len() > 20 && requests.len() > 100, "{} {}", records.len(), requests.len());
    let mut verdicts: Vec<String> = Vec::new();
    let mut same = |of: &Value, asked: &Asked, case: Case| {
        let told = ask(&policy, asked, of);
        assert_eq!(told, by_all(case, asked), "{of} {asked:?}");
        let told = told.unwrap_or_default();
        verdicts.extend([&told["verdict"], &told["code"]].map(ToString::to_string));
    };
    // All with all would take minutes: each request is asked by two, in turn.
    let (keys, issuers) = (records.len(), document.issuers.len());
    let callers = keys + issuers + 1;
    for (at, asked) in requests.iter().enumerate() {
        for caller in [at % callers, (11 * at + 5) % callers] {
            if let Some(record) = records.get(caller) {
                let case = Case::of_record(document.clone(), record, now()).unwrap();
                same(&json!({ "key": told_key(record) }), asked, case);
            } else if let Some(issuer) = document.issuers.get(caller - keys) {
                let member = format!("{}:somebody", issuer.name);
                let scopes = vec!["agents:read".to_owned()];
                let of =
                    json!({"person": {"member": member, "scopes": scopes, "workspace": "TEST00"}});
                let (member, own) = (MemberId::parse(&member).unwrap(), Workspace::parse("TEST00"));
                let case = Case::of_person(document.clone(), &member, scopes, own, now()).unwrap();
                same(&of, asked, case);
            } else {
                same(&json!("nobody"), asked, Case::without_key(document.clone()).unwrap());
            }
        }
    }
    verdicts.sort();
    verdicts.dedup();
    for told in [
        "allowed",
        "refused",
        "BAD_TARGET",
        "WRONG_RESOURCE",
        "PERMISSION_DENIED",
        "IP_NOT_ALLOWED",
        "DISABLED_API_KEY",
        "EXPIRED_API_KEY",
        "REVOKED_API_KEY",
        "BAD_REQUEST",
        "API_KEY_NOT_ALLOWED",
        "INVALID_TOKEN",
        "MISSING_API_KEY",
        "UNKNOWN_ROUTE",
        "UNKNOWN_HOST",
    ] {
        assert!(verdicts.contains(&format!("\"{told}\"")), "{told} is not among {verdicts:?}");
    }
}

fn detail<'a>(told: &'a Value, check: &str) -> Option<&'a str> {
    let mut checks = told["checks"].as_array().unwrap().iter();
    checks.find(|own| own["check"] == check)?["detail"].as_str()
}

#[test]
fn a_person_is_told_by_his_token_and_meets_no_check_of_keys() {
    let policy = json!({
        "hosts": ["api.test"], "admin_host": "admin.test", "usage_path": null, "lease_seconds": 2,
        "key_prefix": "ak", "temporary_max_days": 90, "default_scopes": null, "imports": false,
        "people": [{"name": "dev", "credential": "oauth", "header": null, "names_workspace": true},
            {"name": "web", "credential": "session", "header": null, "names_workspace": false}],
        "tiers": [], "products": [],
        "routes": [{"methods": ["GET"], "path": "/of/{workspace_id}/{user}", "hosts": ["api.test"],
            "product": null, "credentials": ["key", "session", "oauth"], "scope": "agents:read",
            "bindings": ["workspace_id"], "subject": "user", "signature": null, "ips": null,
            "cors": null, "mode": null, "cost": 1, "settle": null, "body_limit": null, "allow": [],
            "upgrade": false, "plain_query": true, "shadow": null}],
        "workspace": {"mode": "lease", "limits": null, "budget": null, "on_workspace_down": "refuse"},
    });
    let asked = |path: &str| Asked {
        method: "GET".to_owned(),
        url: format!("https://api.test{path}"),
        headers: Vec::new(),
    };
    let of = |member: &str, scopes: &[&str]| {
        json!({"person": {"member": member, "scopes": scopes,
        "workspace": "TEST00"}})
    };
    let own = asked("/of/TEST00/dev:me");
    let allowed = ask(&policy, &own, &of("dev:me", &["agents:read"])).unwrap();
    assert_eq!(allowed["verdict"], "allowed", "{allowed}");
    assert_eq!(detail(&allowed, "credential"), Some("takes key, session, oauth; this is oauth"));
    assert_eq!(detail(&allowed, "scope"), Some("needs agents:read; the token has agents:read"));
    let held = "workspace_id is TEST00 or current; user is dev:me";
    assert_eq!(detail(&allowed, "resource"), Some(held));
    for of_keys in ["key", "secret", "status and dates", "key's networks", "signature", "limits"] {
        assert_eq!(detail(&allowed, of_keys), None, "{of_keys}");
    }
    let refused = ask(&policy, &own, &of("dev:me", &[])).unwrap();
    assert_eq!(refused["code"], "PERMISSION_DENIED");
    assert_eq!(detail(&refused, "scope"), Some("needs agents:read; the token has none"));
    let other = ask(&policy, &own, &of("dev:you", &["agents:read"])).unwrap();
    assert_eq!(other["code"], "WRONG_RESOURCE");
    let elsewhere = ask(&policy, &asked("/of/0THERS/dev:me"), &of("dev:me", &["agents:read"]));
    assert_eq!(elsewhere.unwrap()["code"], "WRONG_RESOURCE");
    let session = ask(&policy, &asked("/of/0THERS/web:me"), &of("web:me", &[])).unwrap();
    assert_eq!(session["verdict"], "allowed", "{session}");
    let note = "needs agents:read; a session is not held to it";
    assert_eq!(detail(&session, "scope"), Some(note));
    assert_eq!(detail(&session, "resource"), Some("user is web:me"));
    let query = ask(&policy, &asked("/of/TEST00/dev:me?a='"), &json!("nobody")).unwrap();
    assert_eq!(query["code"], "BAD_TARGET");
    let unknown = ask(&policy, &own, &of("it:me", &[]));
    assert_eq!(unknown.unwrap_err(), "the policy names no such issuer");
    let nobody = ask(&policy, &own, &of("me", &[])).unwrap_err();
    assert!(nobody.starts_with("a member is an issuer's name"), "{nobody}");
}

#[test]
fn what_cannot_be_asked_is_said() {
    let policy = told(&policy());
    let asked = |url: &str, headers: &[(&str, &str)]| Asked {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
    };
    let nobody = json!("nobody");
    let url = "https://api.test/v1/agents";
    assert_eq!(ask(&policy, &asked(url, &[]), &nobody).unwrap()["code"], "MISSING_API_KEY");
    let told = ask(&policy, &asked("api.test/v1", &[]), &nobody).unwrap_err();
    assert_eq!(told, "begins with its scheme, as https://api.example.com/v1/items");
    let told = ask(&policy, &asked(url, &[("a", "b\nc")]), &nobody).unwrap_err();
    assert_eq!(told, "a request has no line feed in it");
    let key = json!({"key": told_key(&Document { kid: "no".to_owned(), ..records().remove(0) })});
    let told = ask(&policy, &asked(url, &[]), &key).unwrap_err();
    assert_eq!(told, "the record's kid or prefix is none of a key");
    assert!(ask(&json!({}), &asked(url, &[]), &nobody).is_err());
    let mut astray = policy.clone();
    astray["routes"][0]["product"] = "unheard-of".into();
    let told = ask(&astray, &asked(url, &[]), &nobody).unwrap_err();
    assert_eq!(told, "the policy names what it does not have");
    let secret = &vectors::world()["keys"]["full"];
    let leaked = format!("{url}?k={}", secret.as_str().unwrap());
    let told = ask(&policy, &asked(&leaked, &[]), &nobody).unwrap();
    assert_eq!(told["code"], "KEY_IN_URL");
    assert!(!told.to_string().contains(secret.as_str().unwrap()));
}

#[test]
fn dates_of_a_key_are_told_as_the_api_writes_them() {
    let record = records().into_iter().find(|own| own.status.as_str() == "active").unwrap();
    let mut key = told_key(&record);
    (key["not_before"], key["expires"]) =
        ("2020-01-01T00:00:00Z".into(), "2099-12-31T23:59:59Z".into());
    let asked = Asked {
        method: "GET".to_owned(),
        url: "https://api.test/v1/agents".to_owned(),
        headers: Vec::new(),
    };
    let told = ask(&told(&policy()), &asked, &json!({ "key": key })).unwrap();
    let dates = "active, from 2020-01-01T00:00:00Z, until 2099-12-31T23:59:59Z";
    assert_eq!(detail(&told, "status and dates"), Some(dates));
}

#[test]
fn an_imported_key_needs_no_prefix() {
    let policy = told(&policy());
    let mut key = told_key(records().iter().find(|own| own.prefix == "ak").unwrap());
    let asked = Asked {
        method: "GET".to_owned(),
        url: "https://api.test/v1/agents".to_owned(),
        headers: Vec::new(),
    };
    let native = ask(&policy, &asked, &json!({ "key": key })).unwrap();
    key["prefix"] = "".into();
    assert_eq!(ask(&policy, &asked, &json!({ "key": key })).unwrap(), native);
}
