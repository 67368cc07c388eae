//! Random deployments: policies, roots, keys, what KV has of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::random::Random;
use crate::reference::World;
use crate::spell::Root;
use crate::world::{
    Budget, Issuer, Key, Limits, Meaning, Mode, Own, Policy, Product, Route, Row, Secret, Signing,
    StaticKey,
};

/// A world, and what a generator of requests has to know of it.
#[derive(Debug)]
pub struct Deployment {
    pub world: World,
    /// Its first second.
    pub start: u64,
    /// Whether limits or budgets are such that good requests run into them.
    pub is_tight: bool,
    /// Whether one isolate answers all requests; else each has a new one.
    pub is_kept: bool,
    /// The keys, by what is odd about each.
    pub by_trait: BTreeMap<&'static str, String>,
    /// Names of rows of KV that are as they ought to be.
    pub right: BTreeSet<String>,
    /// Kids of keys that are no longer what their trait says.
    pub changed: BTreeSet<String>,
}

impl Deployment {
    pub fn make(random: &mut Random) -> Self {
        let start = random.pick(&STARTS) - random.between(0, 60);
        let (is_tight, is_kept) = (random.chance(250), random.chance(400));
        let is_kept = is_kept && !is_tight;
        let roots: Vec<Root> = (1..=random.between(1, 2))
            .rev()
            .map(|version| {
                let secret = (0..32).map(|_| random.bits().to_le_bytes()[0]).collect();
                Root::new(u16::try_from(version).unwrap(), secret)
            })
            .collect();
        let policy = policy(random, start, is_tight);
        let world = World {
            policy,
            roots,
            keys: BTreeMap::new(),
            opened: BTreeSet::new(),
            kv: BTreeMap::new(),
        };
        let (by_trait, right, changed) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let mut own = Self { world, start, is_tight, is_kept, by_trait, right, changed };
        for trait_ in TRAITS {
            let key = own.key(trait_, random);
            own.copy(&key, random);
            if key.is_imported {
                let root = &own.world.roots[random.below(own.world.roots.len())];
                let name = root.pointer(&key.secrets[0].text);
                let json =
                    format!(r#"{{"v":1,"workspace":"{}","kid":"{}"}}"#, key.workspace(), key.kid);
                let broken = !own.is_kept && random.chance(50);
                let text = root.seal(if broken { "h1:" } else { &name }, &json);
                let meaning =
                    if broken { Meaning::Broken } else { Meaning::Pointer(key.kid.clone()) };
                if !broken {
                    own.right.insert(name.clone());
                }
                own.world.kv.insert(name, Row { text, meaning });
            }
            own.by_trait.insert(trait_, key.kid.clone());
            if key.workspace() != NOWHERE {
                own.world.opened.insert(key.workspace().to_owned());
            }
            own.world.keys.insert(key.kid.clone(), key);
        }
        own
    }

    /// Puts into KV what it might have of a key.
    pub fn copy(&mut self, key: &Key, random: &mut Random) {
        let (name, newest) = (key.name(), &self.world.roots[0]);
        let json = key.json(&self.world.roots, &self.world.policy);
        let text = newest.seal(&name, &json);
        let right = Row { text, meaning: Meaning::Record(Box::new(key.clone())) };
        let broken = |text: String| Some(Row { text, meaning: Meaning::Broken });
        self.right.remove(&name);
        let row = match random.below(if self.is_kept { 1 } else { 20 }) {
            0..=13 => {
                self.right.insert(name.clone());
                Some(right)
            }
            14 => None,
            15 => broken(right.text.replacen("\"v\":1", "\"v\":2", 1)),
            16 => broken(newest.seal("k1:elsewhere", &json)),
            17 => broken(right.text[..right.text.len() - 1].to_owned()),
            18 => broken(newest.seal(&name, &json.replacen("\"name\":\"x\"", "\"nome\":\"x\"", 1))),
            _ => {
                let fresh_until = self.start + random.between(0, 60);
                let key = Key { fresh_until, ..key.clone() };
                let json = key.json(&self.world.roots, &self.world.policy);
                let text = newest.seal(&name, &json);
                Some(Row { text, meaning: Meaning::Record(Box::new(key)) })
            }
        };
        match row {
            Some(row) => drop(self.world.kv.insert(name, row)),
            None => drop(self.world.kv.remove(&name)),
        }
    }

    fn key(&self, trait_: &'static str, random: &mut Random) -> Key {
        let soon = |random: &mut Random| self.start + random.between(0, 60);
        let workspace = match trait_ {
            "nowhere" => NOWHERE,
            _ => random.pick(&WORKSPACES),
        };
        let root = random.below(self.world.roots.len());
        let roots = &self.world.roots;
        let kid = roots[root].kid(workspace, random);
        let prefix = random.pick(&["ak", "ak", "rk_live", "x9_test"]);
        let secret = |generation: u8, expires, random: &mut Random| {
            let text = roots[root].key(prefix, &kid, generation, random);
            Secret { generation, root, text, expires }
        };
        let mut key = Key {
            secrets: vec![secret(0, None, random)],
            kid: kid.clone(),
            prefix,
            kind: "service",
            subject: None,
            status: "active",
            not_before: None,
            expires: None,
            scopes: vec!["*:*"],
            bindings: BTreeMap::new(),
            ips: vec![],
            tier: None,
            limits: None,
            signature: "none",
            signing: None,
            version: 1,
            fresh_until: 4_102_444_800,
            is_imported: false,
        };
        let signing = |is_v2: bool, random: &mut Random| Signing {
            is_v2,
            hosts: if is_v2 { vec![] } else { vec!["api.test", "localhost"] },
            nonce: !is_v2 && random.chance(500),
            secrets: vec![(0, root, Some(self.start + random.between(0, 60))), (1, root, None)],
        };
        match trait_ {
            "scoped" => {
                key.scopes = vec![random.pick(&["agents:read", "read", "agents:*", "*:read"])]
            }
            "narrow" => {
                key.scopes =
                    vec![random.pick(&["agent:read", "agents:rea", "write", "agents:write"])]
            }
            "bare" => key.scopes = vec![],
            "bound" => drop(key.bindings.insert("agent_id", vec!["agent-1", "agent:2"])),
            "project" => {
                key.kind = "project";
                key.bindings.insert("project_id", vec!["apollo"]);
            }
            "fenced" => key.ips = vec!["203.0.113.0/24", "2001:db8::/32", "198.51.100.7/32"],
            "temporary" => (key.kind, key.expires) = ("temporary", Some(soon(random))),
            "dated" => {
                (key.not_before, key.expires) = (Some(soon(random)), Some(soon(random) + 20))
            }
            "revoked" | "disabled" | "quarantined" => {
                key.status = trait_;
                key.expires = random.chance(300).then(|| soon(random));
            }
            "rotated" => {
                let (first, second) = (soon(random), soon(random));
                key.secrets[0].expires = Some(first);
                key.secrets.push(secret(1, Some(second), random));
                key.secrets.push(secret(2, None, random));
            }
            "personal" => (key.kind, key.subject) = ("personal", Some("people:ada")),
            "imported" => {
                let bytes: Vec<u8> = (0..32).map(|_| random.bits().to_le_bytes()[0]).collect();
                key.secrets[0].text = data_encoding::BASE64.encode(&bytes);
                key.is_imported = true;
            }
            "tier" => key.tier = Some(0),
            "limited" => key.limits = Some(limits(random, self.is_tight)),
            "only-v1" | "only-v2" => {
                (key.signature, key.signing) = ("only", Some(signing(trait_ == "only-v2", random)));
            }
            "signs" => {
                let version = random.chance(500);
                key.signature = random.pick(&["optional", "required"]);
                key.signing = Some(signing(version, random));
            }
            _ => {}
        }
        if self.is_tight && key.tier.is_none() && key.limits.is_none() && random.chance(300) {
            key.limits = Some(limits(random, true));
        }
        key
    }
}

fn limits(random: &mut Random, is_tight: bool) -> Limits {
    if !is_tight {
        return Limits { requests: 100_000, window: 3600, burst: 100_000 };
    }
    let requests = random.between(1, 4);
    Limits { requests, window: random.between(1, 6), burst: random.between(1, requests) }
}

fn budget(random: &mut Random, is_tight: bool) -> Budget {
    let coins = if is_tight { random.between(3, 9) } else { 1_000_000_000 };
    Budget { coins, period: random.pick(&["day", "week", "month"]) }
}

fn policy(random: &mut Random, start: u64, is_tight: bool) -> Policy {
    let modes = [Mode::Strict, Mode::Lease, Mode::Edge];
    let mut workspaces = BTreeMap::new();
    for name in WORKSPACES {
        if random.chance(500) {
            let own = Own {
                mode: random.chance(300).then(|| random.pick(&modes)),
                limits: random.chance(300).then(|| limits(random, is_tight)),
                budget: random.chance(300).then(|| budget(random, is_tight)),
                degrades: random.chance(300).then(|| random.chance(500)),
            };
            workspaces.insert(name.to_owned(), own);
        }
    }
    let base64 = |random: &mut Random| {
        let bytes: Vec<u8> = (0..32).map(|_| random.bits().to_le_bytes()[0]).collect();
        data_encoding::BASE64.encode(&bytes)
    };
    let product = |random: &mut Random, hosts: Vec<usize>| Product {
        hosts,
        limits: random.chance(400).then(|| limits(random, is_tight)),
        budget: random.chance(600).then(|| budget(random, is_tight)),
    };
    let people = Issuer {
        name: "people",
        iss: "https://people.test",
        audience: "api",
        is_session: false,
        typ: random.chance(500).then_some("at+jwt"),
        header: None,
    };
    let access = Issuer {
        name: "access",
        iss: "https://access.test",
        audience: "aud",
        is_session: true,
        typ: None,
        header: Some("x-access-token"),
    };
    let fenced = StaticKey {
        name: "fenced",
        text: base64(random),
        scopes: vec!["agents:read", "open:any"],
        ips: vec!["203.0.113.0/24"],
        bindings: BTreeMap::from([("agent_id", vec!["agent-1"])]),
    };
    let worker =
        StaticKey { name: "worker", ips: vec![], bindings: BTreeMap::new(), ..fenced.clone() };
    let texts = [base64(random), base64(random)];
    let mut static_keys = vec![fenced];
    static_keys.extend(texts.map(|text| StaticKey { text, ..worker.clone() }));
    Policy {
        hosts: vec!["api.test", "localhost"],
        admin_host: "admin.test",
        usage_path: random.chance(500).then_some("/v1/keys/usage"),
        mode: random.pick(&modes),
        lease_seconds: random.between(1, 5),
        degrades: random.chance(300),
        signed_bytes: 64,
        shared: random.chance(250).then(|| limits(random, is_tight)),
        budget: random.chance(250).then(|| budget(random, is_tight)),
        products: vec![product(random, vec![]), product(random, vec![1])],
        workspaces,
        tiers: vec![("pro", limits(random, is_tight))],
        static_keys,
        issuers: if random.chance(500) { vec![access, people] } else { vec![people] },
        routes: routes(random),
        built: if random.chance(20) { start + random.between(0, 90) } else { 0 },
    }
}

fn routes(random: &mut Random) -> Vec<Route> {
    let read = Route {
        methods: vec!["GET", "HEAD"],
        credentials: vec!["key"],
        scope: Some("open:any"),
        cost: 1,
        ..Route::default()
    };
    let write = Route { methods: vec!["POST", "PUT"], ..read.clone() };
    let all = Route { methods: vec!["GET", "HEAD", "POST", "DELETE"], ..read.clone() };
    let at = |path: &str, of: &Route| Route { path: path.to_owned(), ..of.clone() };
    let everyone = vec!["key", "session", "oauth"];
    let classes = [
        "trailing_slash",
        "semicolon",
        "encoded_slash",
        "encoded_backslash",
        "encoded_percent",
        "encoded_semicolon",
        "encoded_question",
        "encoded_hash",
    ];
    let allow = classes.into_iter().filter(|_| random.chance(400)).collect();
    let agents =
        Route { scope: Some("agents:read"), credentials: everyone.clone(), ..read.clone() };
    let public = Route { scope: None, credentials: vec!["public"], ..read.clone() };
    let mut routes = vec![
        at("/v1/agents", &agents),
        at("/v1/agents/{agent_id}", &agents),
        Route {
            scope: Some("agents:write"),
            credentials: everyone.clone(),
            ..at("/v1/agents", &write)
        },
        Route { scope: Some("admin:read"), ..at("/v1/admin/{*rest}", &read) },
        at("/v1/public", &public),
        Route {
            body_limit: Some(16),
            ..at("/v1/public", &Route { methods: vec!["POST"], ..public.clone() })
        },
        Route { by_url: true, ..at("/far/{*rest}", &all) },
        Route { scope: None, ..at("/any", &all) },
        at("/workspaces/{workspace_id}/items", &read),
        Route {
            subject: Some("user_id"),
            credentials: everyone.clone(),
            ..at("/people/{user_id}", &read)
        },
        Route { subject: Some("origin"), ..at("/mine", &all) },
        Route { ips: vec!["203.0.113.0/24"], ..at("/network", &read) },
        Route { ips: vec!["203.0.113.0/24"], ..at("/network/public", &public) },
        Route { cors: vec!["https://app.test", "http://localhost:3000"], ..at("/pages", &all) },
        Route { cors: vec!["*"], ..at("/pages/any", &public) },
        Route { body_limit: Some(32), ..at("/limited", &write) },
        Route { allow, ..at("/classes/{*rest}", &read) },
        Route { bindings: vec!["project_id"], ..at("/reports", &read) },
        at("/projects/{project_id}", &read),
        Route { credentials: vec!["oauth"], ..at("/oauth", &read) },
        Route { product: Some(0), cost: random.between(0, 3), ..at("/maps/{tile}", &all) },
        Route { product: Some(1), cost: random.between(0, 3), ..at("/bills/{*rest}", &all) },
        Route { mode: Some(Mode::Strict), ..at("/strict", &all) },
        Route { mode: Some(Mode::Lease), ..at("/lease", &all) },
        Route { mode: Some(Mode::Edge), ..at("/edge", &all) },
        Route { upgrade: true, ..at("/upgrade", &read) },
        Route { is_signed: true, credentials: everyone, ..at("/signed", &all) },
    ];
    for route in &mut routes {
        if route.mode.is_none() && random.chance(100) {
            route.mode = Some(random.pick(&[Mode::Strict, Mode::Lease, Mode::Edge]));
        }
    }
    routes
}

/// What is odd about a key, one of each.
pub const TRAITS: [&str; 21] = [
    "plain",
    "scoped",
    "narrow",
    "bare",
    "bound",
    "project",
    "fenced",
    "temporary",
    "dated",
    "revoked",
    "disabled",
    "quarantined",
    "rotated",
    "personal",
    "imported",
    "tier",
    "limited",
    "only-v1",
    "only-v2",
    "signs",
    "nowhere",
];
/// Never opened.
const NOWHERE: &str = "N0WHER";
const WORKSPACES: [&str; 2] = ["DEM0WS", "TEST00"];
/// About the ends of a day, a week and a month, and of none.
const STARTS: [u64; 4] =
    [1_800_000_030, 1_800_057_600 + 30, 1_800_230_400 + 30, 1_801_440_000 + 30];
