//! A workspace as the management API meets it.

use std::rc::Rc;

use portcullis::gate::Gate;
use portcullis::policy::Policy;
use portcullis::root::Keyring;
use portcullis::workspace::call::{Answer, Call, Manage, Managed};
use serde_json::{Value, json};

use crate::simulation::object::Object;
use crate::workspace::at;

/// A workspace, somebody who asks, and a clock.
pub struct Desk {
    pub gate: Rc<Gate>,
    pub object: Object,
    pub millis: u64,
    asked: u64,
}

/// An answer, read.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Value,
    pub managed: Managed,
    /// How often the object fetched rows.
    pub fetches: usize,
}

impl Reply {
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The fields that are wrong.
    pub fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["field"].as_str()).collect()
    }
}

impl Desk {
    /// Opened by `dev:owner`, with an admin and a member.
    pub fn open() -> Self {
        let mut desk = Self::empty();
        let opened = desk.ask("dev:owner", "POST", "/api/v1/workspaces", &json!({"name": "Demo"}));
        assert_eq!(opened.status, 201, "{opened:?}");
        for (member, role) in [("dev:admin", "admin"), ("dev:member", "member")] {
            let path = format!("{SPACE}/members/{member}");
            let put = desk.ask("dev:owner", "PUT", &path, &json!({ "role": role }));
            assert_eq!(put.status, 200, "{put:?}");
        }
        desk
    }

    pub fn empty() -> Self {
        let gate = gate(&policy());
        Self { gate, object: Object::default(), millis: 0, asked: 0 }
    }

    pub fn ask(&mut self, actor: &str, method: &str, path: &str, body: &Value) -> Reply {
        self.ask_with(actor, method, path, body, |_| ())
    }

    pub fn ask_with(
        &mut self,
        actor: &str,
        method: &str,
        path: &str,
        body: &Value,
        change: impl FnOnce(&mut Manage),
    ) -> Reply {
        self.asked += 1;
        let mut entropy = [7; 32];
        entropy[..8].copy_from_slice(&self.asked.to_be_bytes());
        let mut manage = Manage {
            actor: actor.to_owned(),
            workspace: WORKSPACE.to_owned(),
            address: "203.0.113.5".to_owned(),
            request_id: format!("{:032x}", self.asked),
            method: method.to_owned(),
            target: path.to_owned(),
            entropy,
            body: if body.is_null() { String::new() } else { body.to_string() },
            ..Manage::default()
        };
        change(&mut manage);
        let text = Call::Manage(Box::new(manage)).print();
        let effect = self.object.call(&text, &self.gate, at(self.millis));
        let Answer::Managed(managed) = effect.answer.clone() else { panic!("{:?}", effect.answer) };
        assert!(
            managed.status < 400 || effect.changes.is_empty(),
            "refused, and changed something"
        );
        self.object.commit(&effect);
        // As it comes over the wire.
        assert_eq!(Answer::parse(&effect.answer.print()), Ok(effect.answer));
        let body = serde_json::from_str(&managed.body).unwrap();
        Reply { status: managed.status, body, managed, fetches: effect.fetches }
    }

    /// A new key's kid and secret.
    pub fn key(&mut self, fields: &Value) -> (String, String) {
        let created = self.ask("dev:admin", "POST", KEYS, fields);
        assert_eq!(created.status, 201, "{created:?}");
        let text = |name: &str| created.body[name].as_str().unwrap().to_owned();
        (text("id"), text("secret"))
    }

    pub fn call(&mut self, call: &Call) -> Answer {
        let effect = self.object.call(&call.print(), &self.gate, at(self.millis));
        self.object.commit(&effect);
        effect.answer
    }
}

pub fn gate(policy: &Value) -> Rc<Gate> {
    let policy = Policy::from_json(&policy.to_string()).unwrap();
    Rc::new(Gate::new(policy, ROOT, "", 0).unwrap())
}

pub fn policy() -> Value {
    let ring = Keyring::parse(ROOT).unwrap();
    json!({
        "version": 1, "hosts": ["api.test"], "admin_host": "admin.test", "mode": "lease",
        "root_fingerprints": [ring.newest().fingerprint()], "kv_timeout_ms": 100,
        "workspace_limits": {"requests": 1000, "window_seconds": 3600, "burst": 100},
        "origins": [{"name": "near", "timeout_ms": 1500,
            "upstream": {"service": {"binding": "ORIGIN"}}}],
        "tiers": [{"name": "free", "limits": {"requests": 100, "window_seconds": 3600, "burst": 10}}],
        "static_keys": [], "imports": [{"prefix": "", "alphabet": "base64", "min_length": 44, "max_length": 44}],
        "routes": [{"credentials": ["key"], "methods": ["GET"], "origin": 0, "path": "/plain",
            "scope": "agents:read"}],
        "issuers": [{"name": "dev", "issuer": "http://127.0.0.1:8788", "audiences": ["portcullis"],
            "jwks": "http://127.0.0.1:8788/jwks.json", "credential": "oauth", "types": [],
            "leeway_seconds": 30}],
        "leak_reports": {"keys_url": "http://127.0.0.1:8788/public_keys.json"},
        "management": {"bootstrap_owners": ["dev:root"], "dashboard_origins": ["https://dash.example"],
            "sign_in": {"issuer": "dev", "client_id": "dashboard", "scopes": ["openid", "email"]}},
    })
}

pub const ROOT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub const WORKSPACE: &str = "DEM0WS";
pub const SPACE: &str = "/api/v1/workspaces/DEM0WS";
pub const KEYS: &str = "/api/v1/workspaces/DEM0WS/api-keys";
