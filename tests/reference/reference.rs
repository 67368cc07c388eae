//! The decision, slow and obvious: from DESIGN, THREATS and the documents, in the order of ARCHITECTURE's steps.

use std::collections::{BTreeMap, BTreeSet};

use crate::credential::{self, Credential};
use crate::meter::Meter;
use crate::request::Sent;
use crate::rules::{self, Found};
use crate::spell::Root;
use crate::target;
use crate::token;
use crate::world::{Key, Policy, Route, Row};

/// All there is.
#[derive(Debug)]
pub struct World {
    pub policy: Policy,
    /// Newest first.
    pub roots: Vec<Root>,
    /// As their Workspaces have them.
    pub keys: BTreeMap<String, Key>,
    /// Workspaces that were opened.
    pub opened: BTreeSet<String>,
    pub kv: BTreeMap<String, Row>,
}

/// What does not answer while a request is decided.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub kv: bool,
    pub workspace: bool,
    pub issuer: bool,
    /// What WebCrypto says of a token's signature.
    pub forged: bool,
}

/// One decision.
#[derive(Debug)]
pub struct Case<'w> {
    pub world: &'w World,
    pub sent: &'w Sent,
    pub faults: Faults,
    /// Milliseconds.
    pub now: u64,
    /// Whether the Workspace was asked in the end and knows the key better than KV.
    pub is_settled: bool,
}

/// The verdict where there is no code.
pub const ALLOW: &str = "allow";
pub const ADMIN: &str = "admin host";
pub const USAGE: &str = "usage path";
pub const PREFLIGHT: &str = "preflight";
pub const UNAVAILABLE: &str = "AUTH_UNAVAILABLE";
pub const INVALID: &str = "INVALID_API_KEY";

/// `Err` says why it goes no further.
pub type Checked<T> = Result<T, &'static str>;

impl<'w> Case<'w> {
    pub fn decide(&self, meter: &mut Meter) -> &'static str {
        self.check(meter).err().unwrap_or(ALLOW)
    }

    pub fn second(&self) -> u64 {
        self.now / 1000
    }

    pub fn check(&self, meter: &mut Meter) -> Checked<()> {
        let (policy, sent) = (&self.world.policy, self.sent);
        if self.second() < policy.built {
            return Err(UNAVAILABLE);
        }
        let host = sent.name();
        let is_admin = host == policy.admin_host;
        let classes = target::classes(&sent.target).ok_or("BAD_TARGET")?;
        let somewhere = |class: &&str| policy.routes.iter().any(|own| own.allow.contains(class));
        if !is_admin && !classes.iter().all(somewhere) {
            return Err("BAD_TARGET");
        }
        if is_admin {
            return Err(ADMIN);
        }
        if !policy.hosts.contains(&host.as_str()) {
            return Err("UNKNOWN_HOST");
        }
        if !METHODS.contains(&sent.method.as_str()) {
            return Err("METHOD_NOT_ALLOWED");
        }
        let credential = credential::find(sent).map_err(|()| "AMBIGUOUS_CREDENTIALS")?;
        if credential::in_url(&sent.target) {
            return Err("KEY_IN_URL");
        }
        self.preflight(&host)?;
        if policy.usage_path == Some(sent.path()) {
            return Err(if sent.method == "GET" || sent.method == "HEAD" {
                USAGE
            } else {
                "METHOD_NOT_ALLOWED"
            });
        }
        let (route, parameters) = match rules::find(policy, &host, sent.path(), &sent.method) {
            Found::Nothing => return Err("UNKNOWN_ROUTE"),
            Found::OtherMethod => return Err("METHOD_NOT_ALLOWED"),
            Found::Route(route, parameters) => (route, parameters),
        };
        self.form(route, &classes)?;
        if route.credentials == ["public"] {
            return self.length(route);
        }
        let takes_keys = route.credentials.contains(&"key");
        match credential {
            Credential::Nothing => match self.token_of_header(route)? {
                Some((text, issuer)) => self.person(route, &parameters, &text, Some(issuer)),
                None => Err("MISSING_API_KEY"),
            },
            Credential::Token(text) => self.person(route, &parameters, &text, None),
            Credential::Key(_) | Credential::Signed if !takes_keys => Err("API_KEY_NOT_ALLOWED"),
            Credential::Key(text) => self.key(route, &parameters, &text, meter),
            Credential::Signed => self.signed(route, &parameters, meter),
        }
    }

    /// A page's question, which a route with `cors` has answered for it.
    fn preflight(&self, host: &str) -> Checked<()> {
        let sent = self.sent;
        let (Some(page), Some(method)) =
            (sent.header("origin"), sent.header("access-control-request-method"))
        else {
            return Ok(());
        };
        if sent.method != "OPTIONS" {
            return Ok(());
        }
        match rules::find(&self.world.policy, host, sent.path(), &method) {
            Found::Route(route, _) if !route.cors.is_empty() => {
                let listed = route.cors.contains(&"*") || route.cors.contains(&page.as_str());
                Err(if listed { PREFLIGHT } else { "CROSS_SITE" })
            }
            Found::Nothing | Found::OtherMethod | Found::Route(..) => Ok(()),
        }
    }

    fn form(&self, route: &Route, classes: &[&str]) -> Checked<()> {
        let sent = self.sent;
        if !classes.iter().all(|class| route.allow.contains(class)) {
            return Err("BAD_TARGET");
        }
        let rewritten = sent.query().is_some_and(|query| query.contains(['"', '\'', '<', '>']));
        if route.by_url && rewritten {
            return Err("BAD_TARGET");
        }
        let length = sent.header("content-length");
        let is_number = |text: &String| text.bytes().all(|b| b.is_ascii_digit()) && text.len() < 16;
        if sent.has("upgrade") && !route.upgrade || length.is_some_and(|text| !is_number(&text)) {
            return Err("BAD_REQUEST");
        }
        let address = self.address();
        if !route.ips.is_empty() && !rules::is_inside(address.as_deref(), &route.ips) {
            return Err("IP_NOT_ALLOWED");
        }
        Ok(())
    }

    pub fn address(&self) -> Option<String> {
        self.sent.header("cf-connecting-ip")
    }

    pub fn length(&self, route: &Route) -> Checked<()> {
        let Some(limit) = route.body_limit else { return Ok(()) };
        // A length beside it counts for nothing (RFC 9112 §6.3).
        if self.sent.header("transfer-encoding").is_some() {
            return Err("BODY_TOO_LARGE");
        }
        match self.declared() {
            Some(length) if length > limit => Err("BODY_TOO_LARGE"),
            None if self.sent.body.is_some() => Err("BODY_TOO_LARGE"),
            _ => Ok(()),
        }
    }

    pub fn declared(&self) -> Option<u64> {
        self.sent.header("content-length").map(|text| text.parse().unwrap())
    }

    /// A token in an issuer's own header, where the route takes tokens.
    fn token_of_header(&self, route: &Route) -> Checked<Option<(String, usize)>> {
        if !route.credentials.iter().any(|kind| ["session", "oauth"].contains(kind)) {
            return Ok(None);
        }
        for (at, issuer) in self.world.policy.issuers.iter().enumerate() {
            if let Some(text) = issuer.header.and_then(|name| self.sent.header(name)) {
                let is_one = !text.contains(',');
                return if is_one { Ok(Some((text, at))) } else { Err("AMBIGUOUS_CREDENTIALS") };
            }
        }
        Ok(None)
    }

    fn person(
        &self,
        route: &Route,
        parameters: &BTreeMap<String, String>,
        text: &str,
        of: Option<usize>,
    ) -> Checked<()> {
        let policy = &self.world.policy;
        let person = token::read(text, policy, of, self.second()).ok_or("INVALID_TOKEN")?;
        let is_session = policy.issuers[person.issuer].is_session;
        let kind = if is_session { "session" } else { "oauth" };
        if !route.credentials.contains(&kind) {
            return Err("INVALID_TOKEN");
        }
        if self.faults.issuer {
            return Err(UNAVAILABLE);
        }
        if self.faults.forged || !person.has_key {
            return Err("INVALID_TOKEN");
        }
        let grants = person.scopes.iter().map(String::as_str);
        if !is_session && route.scope.is_some_and(|scope| !rules::covers(grants, scope)) {
            return Err("PERMISSION_DENIED");
        }
        let whole = format!("{}:{}", policy.issuers[person.issuer].name, person.sub);
        self.subject(route, parameters, &whole)?;
        self.length(route)
    }

    pub fn subject(
        &self,
        route: &Route,
        parameters: &BTreeMap<String, String>,
        whole: &str,
    ) -> Checked<()> {
        // "origin": that is the origin's to do.
        let Some(own) = route.subject.filter(|own| *own != "origin") else { return Ok(()) };
        let value = target::decode(&parameters[own]);
        let (_, sub) = whole.split_once(':').unwrap_or(("", whole));
        let alone = self.world.policy.issuers.len() < 2 && value == sub.as_bytes();
        if alone || value == whole.as_bytes() { Ok(()) } else { Err("WRONG_RESOURCE") }
    }
}

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
