//! A gate and three keys, made once a thread: what a schedule is played with.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use portcullis::gate::Gate;
use portcullis::key::{Kid, Workspace};
use portcullis::mint;
use portcullis::policy::{Limits, Mode, Policy};
use portcullis::record::{Document, SecretDocument};
use portcullis::root::Keyring;
use portcullis::scope::Grants;
use serde_json::{Value, json};

/// What the policy of a schedule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rules {
    pub strict: bool,
    pub lease_seconds: u32,
    /// Requests, seconds, burst.
    pub shared: Option<(u32, u32, u32)>,
    pub workspace_timeout: u32,
    /// Coins of the workspace a week.
    pub budget: Option<u64>,
    /// Of the product: requests, seconds, burst; coins a day.
    pub product: Option<((u32, u32, u32), u64)>,
}

/// Routes of a schedule, by the place of their facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Of the workspace's mode; costs one coin.
    Plain,
    /// The same, always strict.
    Exact,
    /// Of the product; costs [`PRICE`].
    Paid,
    /// Always strict; costs what the origin says of [`RESERVED`] coins.
    Told,
}

impl Path {
    pub fn cost(self) -> u64 {
        match self {
            Self::Plain | Self::Exact => 1,
            Self::Paid => PRICE,
            Self::Told => RESERVED,
        }
    }
}

impl Rules {
    pub fn lease_millis(&self) -> u64 {
        u64::from(self.lease_seconds) * 1000
    }
}

/// A key as its owner has it, and its requests: one to a route of the workspace's mode, one to a
/// route that is always strict.
#[derive(Clone, Debug)]
pub struct Key {
    pub kid: Kid,
    pub facts: [String; 4],
    secret: SecretDocument,
}

impl Key {
    pub fn document(&self, limits: Option<Limits>) -> Document {
        Document {
            limits,
            scopes: Grants::parse(["agents:read"]).unwrap(),
            ..Document::new(&self.kid, "ak", self.secret.clone(), 0)
        }
    }
}

/// The gate of these rules; always the same one in a thread.
pub fn gate(rules: &Rules) -> Rc<Gate> {
    GATES.with_borrow_mut(|gates| {
        Rc::clone(gates.entry(*rules).or_insert_with(|| Rc::new(deploy(rules))))
    })
}

pub fn keys() -> Rc<Vec<Key>> {
    KEYS.with(Rc::clone)
}

pub fn limits((requests, window_seconds, burst): (u32, u32, u32)) -> Limits {
    Limits::new(requests, window_seconds, burst).unwrap()
}

/// The gate of a policy that says `more` besides, lends for two seconds and has no limits by itself.
pub fn gate_with(more: &Value) -> Rc<Gate> {
    let mut policy = policy(&LEASE);
    for (name, value) in more.as_object().unwrap() {
        policy[name] = value.clone();
    }
    Rc::new(Gate::new(Policy::from_json(&policy.to_string()).unwrap(), ROOT, "", 0).unwrap())
}

fn deploy(rules: &Rules) -> Gate {
    Gate::new(Policy::from_json(&policy(rules).to_string()).unwrap(), ROOT, "", 0).unwrap()
}

fn policy(rules: &Rules) -> Value {
    let mode = if rules.strict { Mode::Strict } else { Mode::Lease };
    let route = |path: &str| {
        json!({"credentials": ["key"], "methods": ["GET"], "origin": 0, "path": path,
            "scope": "agents:read"})
    };
    let mut exact = route("/exact");
    exact["mode"] = json!("strict");
    let mut paid = route("/paid");
    (paid["product"], paid["cost"]) = (json!(0), json!(PRICE));
    let mut told = route("/told");
    (told["mode"], told["cost"]) = (json!("strict"), json!(RESERVED));
    told["settle"] = json!("x-cost");
    let mut policy = json!({
        "version": 1, "hosts": ["api.test"], "admin_host": "admin.test", "mode": mode,
        "lease_seconds": rules.lease_seconds, "kv_timeout_ms": KV_TIMEOUT,
        "workspace_timeout_ms": rules.workspace_timeout,
        "root_fingerprints": [keyring().newest().fingerprint()],
        "origins": [{"name": "near", "timeout_ms": 1500,
            "upstream": {"service": {"binding": "ORIGIN"}}}],
        "tiers": [], "static_keys": [], "imports": [],
        "products": [{"name": "paid"}],
        "routes": [route("/plain"), exact, paid, told],
    });
    if let Some(shared) = rules.shared {
        policy["workspace_limits"] = serde_json::to_value(limits(shared)).unwrap();
    }
    if let Some(coins) = rules.budget {
        policy["budget"] = json!({"coins": coins, "period": "week"});
    }
    if let Some((own, coins)) = rules.product {
        let product = &mut policy["products"][0];
        product["limits"] = serde_json::to_value(limits(own)).unwrap();
        product["budget"] = json!({"coins": coins, "period": "day"});
    }
    policy
}

fn mint(n: u8) -> Key {
    let ring = keyring();
    let workspace = Workspace::parse(WORKSPACE).unwrap();
    let minted = mint::native(ring.newest(), "ak", workspace, &[n; 22]).unwrap();
    let secret = minted.secret.expose();
    let facts = ["plain", "exact", "paid", "told"]
        .map(|path| format!("GET\nhttp://api.test/{path}\nx-api-key\n{secret}"));
    Key { kid: minted.kid, facts, secret: SecretDocument::new(0, 1, &minted.digest) }
}

fn keyring() -> Keyring {
    Keyring::parse(ROOT).unwrap()
}

thread_local! {
    static GATES: RefCell<BTreeMap<Rules, Rc<Gate>>> = const { RefCell::new(BTreeMap::new()) };
    static KEYS: Rc<Vec<Key>> = Rc::new((1..=3).map(mint).collect());
}

const ROOT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// Lends for two seconds; no limits but the keys'.
pub const LEASE: Rules = Rules {
    strict: false,
    lease_seconds: 2,
    shared: None,
    workspace_timeout: 250,
    budget: None,
    product: None,
};
pub const PRICE: u64 = 3;
pub const RESERVED: u64 = 4;
pub const WORKSPACE: &str = "DEM0WS";
pub const KV_TIMEOUT: u64 = 200;
