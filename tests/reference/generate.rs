//! Requests that are good by construction, and what they are made of before they are signed.

use serde_json::json;

use crate::deploy::{Deployment, TRAITS};
use crate::random::Random;
use crate::request::Sent;
use crate::signature;
use crate::token;
use crate::world::{Key, Mode};

/// A request, not signed yet.
#[derive(Clone, Debug)]
pub struct Draft {
    pub sent: Sent,
    /// Whose key it has.
    pub kid: Option<String>,
    pub sign: Option<Plan>,
}

/// How it is to be signed.
#[derive(Clone, Debug)]
pub struct Plan {
    pub is_v2: bool,
    pub generation: u8,
    pub made: u64,
    pub expires: u64,
    /// Of version 1 only if the key's record wants one.
    pub nonce: Option<String>,
    pub label: &'static str,
}

/// The second, and where chance comes from.
pub struct Maker<'d> {
    pub deployment: &'d Deployment,
    pub now: u64,
    /// Whether a secret may be one that has ended.
    pub takes_ended: bool,
}

impl Maker<'_> {
    /// A request that ought to be forwarded, if limits allow; `None` if the trait that chance picked
    /// cannot have one now.
    pub fn good(&self, random: &mut Random) -> Option<Draft> {
        match random.below(20) {
            0 => Some(self.public(random)),
            1 => Some(self.environment(random)),
            2 | 3 => Some(self.person(random)),
            _ => self.keyed(random.pick(&TRAITS), random),
        }
    }

    fn sent(&self, method: &str, target: &str, random: &mut Random) -> Sent {
        let host = random.pick(&["api.test", "api.test", "API.Test", "api.test:8443", "localhost"]);
        let host = if target.starts_with("/bills") { "localhost" } else { host };
        let (secure, method) = (random.chance(500), method.to_owned());
        let query = random.pick(&["", "", "", "?a=1", "?x=a+b", "?x=%zz/../%2e", "?{}|^`;=//?"]);
        let target = format!("{target}{query}");
        let (headers, host) = (vec![], host.to_owned());
        Sent { method, secure, host, target, headers, body: None }
    }

    fn public(&self, random: &mut Random) -> Draft {
        let (method, path) = random.pick(&[
            ("GET", "/v1/public"),
            ("HEAD", "/v1/public"),
            ("GET", "/network/public"),
            ("POST", "/v1/public"),
            ("GET", "/pages/any"),
        ]);
        let mut sent = self.sent(method, path, random);
        if path.starts_with("/network") {
            sent.set("cf-connecting-ip", random.pick(&INSIDE));
        }
        if method == "POST" {
            let length = random.between(0, 16);
            sent.body = Some(vec![b'x'; usize::try_from(length).unwrap()]);
            sent.set("content-length", length.to_string());
        }
        if random.chance(200) {
            // On such a route no credential is looked at.
            sent.set("x-api-key", "nonsense");
        }
        Draft { sent, kid: None, sign: None }
    }

    fn environment(&self, random: &mut Random) -> Draft {
        let keys = &self.deployment.world.policy.static_keys;
        let own = &keys[random.below(keys.len())];
        let path = if own.bindings.is_empty() { "/v1/agents" } else { "/v1/agents/agent-1" };
        let mut sent = self.sent("GET", path, random);
        sent.set("cf-connecting-ip", "203.0.113.9");
        Self::put_key(&mut sent, &own.text, random);
        Draft { sent, kid: None, sign: None }
    }

    fn person(&self, random: &mut Random) -> Draft {
        let issuers = &self.deployment.world.policy.issuers;
        let at = random.below(issuers.len());
        let issuer = &issuers[at];
        let whole = format!("/people/{}:user-1", issuer.name);
        let alone = if issuers.len() == 1 { "/people/user-1" } else { whole.as_str() };
        let oauth = if issuer.is_session { "/v1/agents" } else { "/oauth" };
        let path =
            random.pick(&["/v1/agents", "/v1/agents/x", whole.as_str(), alone, oauth, "/signed"]);
        let mut sent = self.sent("GET", path, random);
        let now = self.now;
        let expires = random.pick(&[now + 300, now + 1, now - 29]);
        let begins = random.pick(&[now, now + 30, now - 100]);
        let mut claims = json!({
            "iss": issuer.iss, "sub": "user-1", "aud": issuer.audience, "exp": expires,
            "nbf": begins, "iat": now, "jti": random.bits(),
            "scope": random.pick(&["*:*", "openid agents:read open:any", "read *:any"]),
        });
        if random.chance(300) {
            claims["aud"] = json!(["other", issuer.audience]);
        }
        let mut header = json!({"alg": "EdDSA", "kid": "key"});
        if let Some(typ) = issuer.typ {
            header["typ"] = json!(random.pick(&[typ, "application/at+jwt", "AT+JWT"]));
        }
        let signature = "A".repeat(86);
        let text = format!("{}.{}.{signature}", token::encode(&header), token::encode(&claims));
        match issuer.header.filter(|_| random.chance(500)) {
            Some(name) => sent.set(name, text),
            None => sent.set("authorization", format!("Bearer {text}")),
        }
        Draft { sent, kid: None, sign: None }
    }

    fn keyed(&self, trait_: &'static str, random: &mut Random) -> Option<Draft> {
        let world = &self.deployment.world;
        let key = &world.keys[&self.deployment.by_trait[trait_]];
        let is_live = key.status == "active"
            && key.expires.is_none_or(|end| self.now < end)
            && key.not_before.is_none_or(|begin| begin <= self.now);
        let (method, path) = match trait_ {
            "narrow" | "nowhere" => return None,
            "bare" => random.pick(&[("GET", "/any"), ("DELETE", "/any"), ("POST", "/any")]),
            "scoped" => ("GET", "/v1/agents"),
            "bound" => {
                let paths = ["/v1/agents/agent-1", "/v1/agents/agent:2", "/v1/agents/agent%3A2"];
                (random.pick(&["GET", "HEAD"]), random.pick(&paths))
            }
            "project" => ("GET", random.pick(&["/projects/apollo", "/reports"])),
            "personal" => {
                let alone = world.policy.issuers.len() == 1;
                let people = if alone { "/people/ada" } else { "/people/people:ada" };
                ("GET", random.pick(&[people, "/people/people:ada", "/mine"]))
            }
            _ => random.pick(&OPEN),
        };
        let cannot_sign = key.signature == "none" && path == "/signed";
        if !is_live || cannot_sign || self.deployment.changed.contains(&key.kid) {
            return None;
        }
        let mut draft = self.with_key(key, method, path, random)?;
        self.fit(&mut draft.sent, key, random);
        self.may_be_known(key, &draft).then_some(draft)
    }

    /// A request with a key for which this second is the first or the last of something.
    pub fn at_edge(&self, random: &mut Random) -> Option<Draft> {
        let near = |second: u64| second.abs_diff(self.now) <= 1;
        let keys: Vec<_> = self.deployment.world.keys.values().collect();
        let edges = keys.iter().filter(|key| key.edges().any(near)).collect::<Vec<_>>();
        let key = edges.get(random.below(edges.len().max(1)))?;
        let path =
            if key.subject.is_some() { "/any" } else { random.pick(&["/v1/agents", "/any"]) };
        let method = random.pick(&["GET", "POST"]);
        let mut draft = self.with_key(key, method, path, random)?;
        self.fit(&mut draft.sent, key, random);
        Some(draft)
    }

    /// What the route wants besides.
    fn fit(&self, sent: &mut Sent, key: &Key, random: &mut Random) {
        if sent.path().starts_with("/upgrade") {
            sent.set("upgrade", "websocket");
        }
        let fenced = !key.ips.is_empty();
        if fenced || sent.path().starts_with("/network") {
            let inside = if fenced && !sent.path().starts_with("/network") {
                random.pick(&FENCED)
            } else {
                random.pick(&INSIDE)
            };
            sent.set("cf-connecting-ip", inside);
        }
    }

    /// A request with this key, by its secret or signed.
    pub fn with_key(
        &self,
        key: &Key,
        method: &str,
        path: &str,
        random: &mut Random,
    ) -> Option<Draft> {
        let path = path.replace("{workspace}", key.workspace());
        let mut sent = self.sent(method, &path, random);
        let writes = !matches!(method, "GET" | "HEAD");
        if writes && (random.chance(700) || path == "/limited" || key.signing.is_some()) {
            // Two equal ones in a second would be one signature.
            let least = if key.signing.is_some() { 16 } else { 0 };
            let length = usize::try_from(random.between(least, 32)).unwrap();
            let body: Vec<u8> = (0..length).map(|_| random.bits().to_le_bytes()[0]).collect();
            sent.set("content-length", body.len().to_string());
            sent.body = (!body.is_empty()).then_some(body);
        }
        if random.chance(300) {
            sent.set("content-type", "application/json");
        }
        let signs = match key.signature {
            "only" | "required" => true,
            "optional" => path == "/signed" || random.chance(500),
            _ => false,
        };
        let sign = if signs { Some(self.plan(key, random)?) } else { None };
        if key.signature == "only" {
            if sign.as_ref().is_some_and(|plan| !plan.is_v2) || random.chance(200) {
                sent.set("x-key-id", key.kid.clone());
            }
        } else {
            let live = |end: Option<u64>| self.takes_ended || end.is_none_or(|end| self.now < end);
            let secrets: Vec<_> = key.secrets.iter().filter(|own| live(own.expires)).collect();
            let text = &secrets[random.below(secrets.len())].text;
            Self::put_key(&mut sent, text, random);
        }
        Some(Draft { sent, kid: Some(key.kid.clone()), sign })
    }

    fn plan(&self, key: &Key, random: &mut Random) -> Option<Plan> {
        let signing = key.signing.as_ref()?;
        let live = |end: Option<u64>| self.takes_ended || end.is_none_or(|end| self.now < end);
        let secrets: Vec<_> = signing.secrets.iter().filter(|(.., end)| live(*end)).collect();
        let (generation, ..) = secrets[random.below(secrets.len())];
        let made = random.pick(&[self.now, self.now, self.now - 300, self.now + 60, self.now - 1]);
        let length = random.pick(&[16, 22, 64]);
        let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~+/=";
        let nonce: String =
            (0..length).map(|_| char::from(letters[random.below(letters.len())])).collect();
        Some(Plan {
            is_v2: signing.is_v2,
            generation: *generation,
            made,
            expires: self.now + random.pick(&[1, 60, 400]),
            nonce: (signing.is_v2 || signing.nonce).then_some(nonce),
            label: random.pick(&["sig", "sig1", "a-b_c.*"]),
        })
    }

    /// Whether the gate gets to see what there is of the key.
    fn may_be_known(&self, key: &Key, draft: &Draft) -> bool {
        let Deployment { world, right, .. } = self.deployment;
        let root = |own: &crate::spell::Root| right.contains(&own.pointer(&key.secrets[0].text));
        if key.is_imported && !world.roots.iter().any(root) {
            return false;
        }
        let (path, method) = (draft.sent.path(), &draft.sent.method);
        let host = draft.sent.name();
        let mode = match crate::rules::find(&world.policy, &host, path, method) {
            crate::rules::Found::Route(route, _) => route.mode,
            crate::rules::Found::Nothing | crate::rules::Found::OtherMethod => None,
        };
        let own = world.policy.workspaces.get(key.workspace()).and_then(|own| own.mode);
        mode.or(own).unwrap_or(world.policy.mode) != Mode::Edge || right.contains(&key.name())
    }

    pub fn put_key(sent: &mut Sent, text: &str, random: &mut Random) {
        match random.below(4) {
            0 => sent.set("x-api-key", text),
            1 => sent.set("authorization", format!("bearer {text}")),
            2 => sent.set("authorization", format!("BEARER {text} ")),
            _ => sent.set("authorization", format!("Bearer {text}")),
        }
    }

    /// Signs, if it is to be signed.
    pub fn finish(&self, draft: Draft) -> Sent {
        let Draft { mut sent, kid, sign } = draft;
        let (Some(plan), Some(kid)) = (sign, kid) else { return sent };
        let world = &self.deployment.world;
        let key = &world.keys[&kid];
        let signing = key.signing.as_ref();
        let own = signing.and_then(|own| own.secrets.iter().find(|own| own.0 == plan.generation));
        let root = &world.roots[own.map_or(0, |own| own.1)];
        let secret = root.signing_secret(key.prefix, &kid, plan.generation);
        let body = sent.body.clone().unwrap_or_default();
        if !plan.is_v2 {
            let (method, target, made) = (&sent.method, &sent.target, plan.made);
            let mut message = format!("{method}\n{target}\n{made}\n");
            message.extend(plan.nonce.iter().map(|nonce| format!("{nonce}\n")));
            let own = signature::sign_v1(&[message.as_bytes(), &body].concat(), &secret);
            sent.set("x-timestamp", plan.made.to_string());
            sent.set("x-signature", own);
            if let Some(nonce) = plan.nonce {
                sent.set("x-nonce", nonce);
            }
            return sent;
        }
        let mut components = vec!["@method", "@authority", "@path", "@query"];
        if sent.body.is_some() {
            components.push("content-digest");
            sent.set("content-digest", signature::digest(&body));
        }
        if sent.header("content-type").is_some() {
            components.push("content-type");
        }
        let list: Vec<_> = components.iter().map(|name| format!("\"{name}\"")).collect();
        let (made, expires) = (plan.made, plan.expires);
        let (nonce, list) = (plan.nonce.unwrap_or_default(), list.join(" "));
        let params = format!(
            "({list});created={made};expires={expires};nonce=\"{nonce}\";keyid=\"{kid}\";tag=\"portcullis\""
        );
        let base = signature::base(&sent, &components, &params).unwrap_or_default();
        let own = crate::spell::mac(secret.as_bytes(), &[base.as_bytes()]);
        let label = plan.label;
        sent.set("signature-input", format!("{label}={params}"));
        sent.set("signature", format!("{label}=:{}:", data_encoding::BASE64.encode(&own)));
        sent
    }
}

/// For keys that may do anything.
pub const OPEN: [(&str, &str); 30] = [
    ("GET", "/v1/agents"),
    ("HEAD", "/v1/agents"),
    ("POST", "/v1/agents"),
    ("GET", "/v1/agents/caf%C3%A9"),
    ("GET", "/v1/admin/a/b"),
    ("GET", "/far/a%20b"),
    ("DELETE", "/far/a"),
    ("GET", "/any"),
    ("POST", "/any"),
    ("GET", "/workspaces/current/items"),
    ("GET", "/workspaces/{workspace}/items"),
    ("GET", "/mine"),
    ("GET", "/network"),
    ("GET", "/pages"),
    ("POST", "/limited"),
    ("GET", "/reports"),
    ("GET", "/projects/apollo"),
    ("GET", "/maps/1"),
    ("POST", "/maps/2"),
    ("GET", "/bills/a/b"),
    ("POST", "/bills/a"),
    ("GET", "/strict"),
    ("POST", "/strict"),
    ("GET", "/lease"),
    ("POST", "/lease"),
    ("GET", "/edge"),
    ("GET", "/upgrade"),
    ("GET", "/signed"),
    ("POST", "/signed"),
    ("DELETE", "/signed"),
];
pub const INSIDE: [&str; 4] = ["203.0.113.0", "203.0.113.255", "::ffff:203.0.113.7", "203.0.113.9"];
const FENCED: [&str; 6] = [
    "203.0.113.0",
    "203.0.113.255",
    "2001:db8::",
    "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
    "198.51.100.7",
    "::ffff:cb00:71ff",
];
