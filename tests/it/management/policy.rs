//! What the policy says to the members of a workspace.

use std::rc::Rc;

use portcullis::gate::Gate;
use portcullis::management::answer::POLICY;
use portcullis::management::schema::{Field, Kind};
use portcullis::policy::{Fingerprint, Policy, source};
use portcullis::root::Keyring;
use serde_json::{Value, json};

use super::desk::{Desk, ROOT, SPACE};

const OWN: &str = include_str!("../../../policy.toml");

/// The policy of a gate that was compiled from this text, as a member is told it.
fn told(text: &str) -> Value {
    let mut document = source::compile(text).unwrap();
    let ring = Keyring::parse(ROOT).unwrap();
    document.root_fingerprints.push(Fingerprint::parse(ring.newest().fingerprint()).unwrap());
    document.told = document.tell();
    let mut desk = Desk::open();
    let policy = Policy::try_from(document).unwrap();
    desk.gate = Rc::new(Gate::new(policy, ROOT, "", 0).unwrap());
    let reply = desk.ask("dev:member", "GET", &format!("{SPACE}/policy"), &Value::Null);
    assert_eq!(reply.status, 200);
    reply.body
}

#[test]
fn members_are_told_what_a_request_has_to_be() {
    let more = "[workspaces.DEM0WS]\nmode = \"strict\"\n[products.billing]\nbase_path = \"/billing\"\nhosts = [\"api.test\"]\n\
         limits = { requests = 10, burst = 5 }\nbudget = { coins = 7, period = \"week\" }\n";
    let route = "[[routes]]\nmethods = [\"PUT\"]\npath = \"/{project_id}\"\n\
         product = \"billing\"\norigin = \"demo\"\ncredentials = [\"key\"]\nscope = \"billing:write\"\n\
         signature = \"required\"\nips = [\"203.0.113.0/24\"]\nmode = \"strict\"\ncost = 3\nbody_limit = 9\n";
    let policy = told(&format!("{OWN}\n{more}{route}"));
    let limits = json!({"requests": 10, "window_seconds": 3600, "burst": 5});
    assert_eq!(
        policy["products"],
        json!([{"name": "billing", "hosts": ["api.test"], "limits": limits,
            "budget": {"coins": 7, "period": "week"}}])
    );
    let routes = policy["routes"].as_array().unwrap();
    assert_eq!(
        routes.last(),
        Some(&json!({
            "methods": ["PUT"], "path": "/billing/{project_id}", "hosts": ["api.test"],
            "product": "billing", "credentials": ["key"], "scope": "billing:write", "bindings": [],
            "subject": null, "signature": "required", "ips": ["203.0.113.0/24"], "cors": null,
            "mode": "strict", "cost": 3, "settle": null, "body_limit": 9, "allow": [],
            "upgrade": false, "plain_query": false, "shadow": null,
        }))
    );
    assert_eq!(policy["tiers"][0]["name"], "free");
    assert_eq!(policy["workspace"]["mode"], "strict");
}

#[test]
fn nobody_is_told_where_requests_go_nor_of_others() {
    let policy = told(OWN);
    let text = policy.to_string();
    // Origin, binding, environment key, issuer, owner, scanner, fingerprint.
    for untold in ["demo", "ORIGIN", "worker", "issuer", "8788", "dev:", "fingerprint"] {
        assert!(!text.contains(untold), "{untold}");
    }
}

#[test]
fn the_document_names_what_is_told_and_no_more() {
    let policy = told(OWN);
    same(POLICY.fields, &policy);
}

fn same(fields: &[Field], value: &Value) {
    let mut declared: Vec<_> = fields.iter().map(|field| field.name).collect();
    let mut own: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    declared.sort_unstable();
    own.sort_unstable();
    assert_eq!(declared, own);
    for field in fields {
        if let Kind::List(Kind::Object(object), _) = field.kind {
            value[field.name].as_array().unwrap().iter().for_each(|one| same(object.fields, one));
        } else if let Kind::Object(object) = field.kind {
            same(object.fields, &value[field.name]);
        }
    }
}
