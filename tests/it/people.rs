//! Sessions and OAuth tokens on gated routes: what is asked of whom, and what the origin is told.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis::crypto::MacKey;
use portcullis::decide::{Decision, decide};
use portcullis::denial::{Denial, Fault};
use portcullis::forward;
use portcullis::gate::Gate;
use portcullis::lookup::{Came, Errand, LookUp, Trouble};
use portcullis::memory::Memory;
use portcullis::need::Need;
use portcullis::observation::{self, TEXTS};
use portcullis::policy::Policy;
use portcullis::request::Request;
use portcullis::root::Keyring;
use portcullis::ticket::Ticket;
use serde_json::{Value, json};

use crate::workspace::{at, call_id};

/// An isolate; its clock begins with [`at`].
struct Isolate {
    gate: Gate,
    memory: Memory,
    /// What the issuers publish, by place; `None` while one is down.
    published: [Option<String>; 2],
    /// Whether the platform can verify.
    verifies: bool,
    fetches: usize,
    verified: usize,
    troubles: Vec<Trouble>,
    /// What was told of the last that was allowed.
    observed: String,
}

#[derive(Debug, PartialEq)]
enum Outcome {
    /// The plan.
    Allowed(String),
    Denied(&'static str),
    Fault(Fault),
    /// It would have to wait for whoever fetches.
    Waits,
}

const NOT_BELIEVED: Outcome = Outcome::Denied("INVALID_TOKEN");
const UNAVAILABLE: Outcome = Outcome::Fault(Fault::IssuerUnavailable);

impl Isolate {
    fn new() -> Self {
        Self::believing(2)
    }

    /// Of a policy with the first so many issuers.
    fn believing(issuers: usize) -> Self {
        let route = |path: &str, credentials: &[&str], scope: Option<&str>| {
            let mut route = json!({
                "credentials": credentials, "methods": ["GET", "POST"], "origin": 0, "path": path,
            });
            if let Some(scope) = scope {
                route["scope"] = scope.into();
            }
            route
        };
        let mut own = route("/people/{person}/agents", &["session", "oauth"], None);
        own["subject"] = "person".into();
        let tasks = route("/workspaces/{workspace_id}/tasks", &["session", "oauth"], None);
        let mut limited = route("/limited", &["session"], None);
        limited["body_limit"] = 4.into();
        let mut tried = route("/tried", &["session", "oauth"], None);
        tried["shadow"] = json!({"scope": "agents:write", "ips": ["203.0.113.0/24"]});
        let mut policy = json!({
            "version": 1, "hosts": ["api.test"], "admin_host": "admin.test", "mode": "edge",
            "kv_timeout_ms": 200,
            "root_fingerprints": [Keyring::parse(ROOT).unwrap().newest().fingerprint()],
            "origins": [{"name": "near", "timeout_ms": 1500,
                "upstream": {"service": {"binding": "ORIGIN"}}}],
            "tiers": [], "static_keys": [], "imports": [], "observe": {"analytics": true},
            "routes": [
                route("/all", &["key", "session", "oauth"], Some("agents:read")),
                route("/oauth", &["oauth"], Some("agents:read")),
                route("/any-oauth", &["oauth"], None),
                route("/session", &["session"], Some("agents:read")),
                route("/key", &["key"], None),
                route("/public", &["public"], None),
                limited, own, tasks, tried,
            ],
            "issuers": [
                {"name": "auth", "issuer": "https://auth.test", "jwks": "https://auth.test/jwks",
                 "audiences": ["api"], "credential": "oauth", "types": ["at+jwt"], "workspace_claim": "ws"},
                {"name": "access", "issuer": "https://access.test", "jwks": "https://access.test/certs",
                 "audiences": ["aud"], "credential": "session", "header": "x-access-jwt"},
            ],
        });
        policy["issuers"].as_array_mut().unwrap().truncate(issuers);
        let policy = Policy::from_json(&policy.to_string()).unwrap();
        Self {
            gate: Gate::new(policy, ROOT, "", 0).unwrap(),
            memory: Memory::default(),
            published: [Some(set(&[1])), Some(set(&[2]))],
            verifies: true,
            fetches: 0,
            verified: 0,
            troubles: Vec::new(),
            observed: String::new(),
        }
    }

    fn bearer(&mut self, path: &str, token: &str, millis: u64) -> Outcome {
        self.get(path, &format!("authorization\nBearer {token}"), millis)
    }

    fn get(&mut self, path: &str, headers: &str, millis: u64) -> Outcome {
        self.run("GET", path, headers, &mut Ticket::default(), millis)
    }

    /// Decides as a Worker does: fetches, verifies, never waits.
    fn run(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        ticket: &mut Ticket,
        millis: u64,
    ) -> Outcome {
        let facts = format!("{method}\nhttp://api.test{path}\nhost\napi.test\n{headers}");
        let (request, now) = (Request::parse(&facts).unwrap(), at(millis));
        for _ in 0..12 {
            match decide(&request, &self.gate, &mut self.memory, ticket, now) {
                Decision::Allow(grant) => {
                    assert!(grant.kid().is_none());
                    assert!(grant.ahead(&self.gate, &mut self.memory, now).is_none());
                    let told =
                        observation::of_grant(&request, &grant, false, ticket, &self.gate, "id");
                    self.observed = told.unwrap_or_default();
                    let plan = forward::plan(&request, &grant, &self.gate, "id", None, now);
                    return Outcome::Allowed(plan);
                }
                Decision::Deny(denial) => return Outcome::Denied(told(&denial)),
                Decision::Fault(fault) => return Outcome::Fault(fault),
                Decision::Need(need @ (Need::KeySet { .. } | Need::Signature)) => {
                    let (gate, memory) = (&self.gate, &mut self.memory);
                    let begun = LookUp::begin(need, ticket, call_id(1), gate, memory, now);
                    let Some((look_up, errand)) = begun else { continue };
                    let Some(came) = self.errand(&errand) else { return Outcome::Waits };
                    let came = came.as_deref().map_or(Came::Nothing, Came::Text);
                    let trouble = look_up.end(came, ticket, &self.gate, &mut self.memory, now);
                    self.troubles.extend(trouble);
                }
                decision @ (Decision::Need(_)
                | Decision::Admin
                | Decision::Usage(_)
                | Decision::Preflight(_)) => {
                    panic!("{decision:?}")
                }
            }
        }
        panic!("asks for ever")
    }

    /// What comes of an errand, if it is not to wait.
    fn errand(&mut self, errand: &Errand) -> Option<Option<String>> {
        match errand {
            Errand::Fetch { url, limit, millis } => {
                assert_eq!((*limit, *millis), (65_536, 2000));
                self.fetches += 1;
                let issuer = usize::from(url != "https://auth.test/jwks");
                Some(self.published[issuer].clone())
            }
            Errand::Verify { algorithm, jwk, signature, signed } => {
                self.verified += 1;
                assert!(*algorithm == "EdDSA" && signed.matches('.').count() == 1);
                // Key number n signs by n, 64 times.
                let signature = STANDARD.decode(signature).unwrap();
                let holds = jwk.contains(&encode([signature[0]; 32]));
                Some(self.verifies.then(|| holds.to_string()))
            }
            Errand::Wait { .. } => None,
            Errand::Read { .. } | Errand::Call { .. } | Errand::Body { .. } => {
                panic!("{errand:?}")
            }
        }
    }
}

/// The code on the wire, if the rest of the answer is as it has to be.
fn told(denial: &Denial) -> &'static str {
    let wire = denial.wire();
    let challenge = wire.challenge.unwrap_or_default();
    match wire.code {
        "INVALID_TOKEN" => {
            assert!(wire.status == 401 && challenge.contains("error=\"invalid_token\""));
        }
        "PERMISSION_DENIED" => {
            assert!(wire.status == 403, "{}", wire.status);
            assert!(challenge.contains("error=\"insufficient_scope\", scope=\"agents:read\""));
        }
        _ => {}
    }
    wire.code
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn set(keys: &[u8]) -> String {
    let key = |number: &u8| json!({"kty": "OKP", "crv": "Ed25519", "kid": format!("k{number}"), "x": encode([*number; 32])});
    json!({"keys": keys.iter().map(key).collect::<Vec<_>>()}).to_string()
}

/// A token signed by the key of this number; null takes a member away.
fn token(number: u8, header: &Value, claims: &Value) -> String {
    let merged = |mut own: Value, changes: &Value| {
        for (name, value) in changes.as_object().unwrap() {
            own[name] = value.clone();
        }
        own.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        encode(own.to_string())
    };
    let header =
        merged(json!({"alg": "EdDSA", "typ": "at+jwt", "kid": format!("k{number}")}), header);
    let now = at(0).seconds();
    let claims = merged(
        json!({"iss": "https://auth.test", "aud": "api", "sub": "user-1", "exp": now + 300,
            "scope": "openid agents:read"}),
        claims,
    );
    format!("{header}.{claims}.{}", encode([number; 64]))
}

fn oauth(claims: &Value) -> String {
    token(1, &json!({}), claims)
}

fn session() -> String {
    let claims = json!({"iss": "https://access.test", "aud": ["aud"], "scope": null});
    token(2, &json!({"typ": "JWT"}), &claims)
}

fn allowed(outcome: Outcome) -> String {
    let Outcome::Allowed(plan) = outcome else { panic!("{outcome:?}") };
    plan
}

/// The headers that the origin gets, as far as they tell of the caller, and the claims of its assertion.
fn origin(plan: &str) -> (Vec<(&'static str, String)>, Value) {
    let values = plan.split('\n').skip(4);
    let mut pairs: Vec<_> =
        forward::OWN.into_iter().zip(values.map(str::to_owned)).skip(4).collect();
    let (_, assertion) = pairs.pop().unwrap();
    let (signed, mac) = assertion.rsplit_once('.').unwrap();
    let key = MacKey::new(&Keyring::parse(ROOT).unwrap().newest().assertion_key("near"));
    assert_eq!(mac, URL_SAFE_NO_PAD.encode(key.mac(&[signed.as_bytes()]).as_bytes()));
    let claims = URL_SAFE_NO_PAD.decode(signed.split('.').nth(1).unwrap()).unwrap();
    pairs.retain(|(_, value)| !value.is_empty());
    (pairs, serde_json::from_slice(&claims).unwrap())
}

#[test]
fn the_origin_is_told_who_calls() {
    let mut isolate = Isolate::new();
    let plan = allowed(isolate.bearer("/all", &oauth(&json!({})), 0));
    assert_eq!(plan.split('\n').nth(3), Some("k"), "no shared cache keeps the answer");
    assert!(plan.ends_with("\nauthorization"), "{plan}");
    let (headers, claims) = origin(&plan);
    let expected = [
        ("x-portcullis-type", "oauth"),
        ("x-portcullis-scopes", "agents:read"),
        ("x-portcullis-subject", "auth:user-1"),
    ];
    assert_eq!(headers, expected.map(|(name, value)| (name, value.to_owned())));
    assert_eq!(claims["sub"], "auth:user-1");
    assert_eq!((&claims["type"], &claims["scope"]), (&json!("oauth"), &json!("agents:read")));
    for absent in ["key", "workspace", "bindings"] {
        assert_eq!(claims[absent], Value::Null, "{absent}");
    }
    let (headers, claims) = origin(&allowed(isolate.bearer("/session", &session(), 0)));
    let expected = [("x-portcullis-type", "session"), ("x-portcullis-subject", "access:user-1")];
    assert_eq!(headers, expected.map(|(name, value)| (name, value.to_owned())));
    assert_eq!((&claims["type"], &claims["scope"]), (&json!("session"), &Value::Null));
}

/// No Workspace keeps an account of people. A session is held to no scope, nor to one on trial.
#[test]
fn what_rules_on_trial_would_refuse_of_tokens_is_observed() {
    let mut isolate = Isolate::new();
    // Destination and timing are told besides.
    let place = TEXTS.iter().position(|name| *name == "would_deny").unwrap() + 2;
    let mut tried = |token: &str, address: &str| {
        let headers = format!("authorization\nBearer {token}\ncf-connecting-ip\n{address}");
        allowed(isolate.get("/tried", &headers, 0));
        isolate.observed.split('\t').nth(place).unwrap().to_owned()
    };
    let (reads, writes) = (oauth(&json!({})), oauth(&json!({"scope": "agents:write"})));
    let (inside, outside) = ("203.0.113.9", "198.51.100.9");
    assert_eq!(
        [tried(&reads, inside), tried(&reads, outside)],
        ["PERMISSION_DENIED", "IP_NOT_ALLOWED PERMISSION_DENIED"]
    );
    assert_eq!([tried(&writes, inside), tried(&writes, outside)], ["", "IP_NOT_ALLOWED"]);
    assert_eq!([tried(&session(), inside), tried(&session(), outside)], ["", "IP_NOT_ALLOWED"]);
}

/// Of those of the second issuer, which names none, the policy says that the origin sees to it.
#[test]
fn a_token_reaches_the_workspace_that_it_names() {
    let mut isolate = Isolate::new();
    let mut reaches = |token: &str, named: &str| {
        let path = format!("/workspaces/{named}/tasks");
        let outcome = isolate.bearer(&path, token, 0);
        if let Outcome::Allowed(plan) = outcome {
            return Some(origin(&plan).1["workspace"].clone());
        }
        assert_eq!(outcome, Outcome::Denied("WRONG_RESOURCE"), "{named}");
        None
    };
    let one = oauth(&json!({"ws": "DEM0WS"}));
    assert_eq!(reaches(&one, "DEM0WS"), Some(json!("DEM0WS")));
    assert_eq!(reaches(&one, "current"), Some(json!("DEM0WS")), "the origin is told which");
    for named in ["0THER0", "dem0ws", "DEM0WSX", "Current"] {
        assert_eq!(reaches(&one, named), None);
    }
    for none in [json!({}), json!({"ws": 7}), json!({"ws": ["DEM0WS"]}), json!({"ws": "nobody's"})]
    {
        let token = oauth(&none);
        assert_eq!((reaches(&token, "current"), reaches(&token, "DEM0WS")), (None, None), "{none}");
    }
    assert_eq!(reaches(&session(), "0THER0"), Some(Value::Null));
}

#[test]
fn a_known_token_is_decided_from_memory_for_a_minute() {
    let mut isolate = Isolate::new();
    let token = oauth(&json!({}));
    for (millis, fetches, verified) in [(0, 1, 1), (1, 1, 1), (59_999, 1, 1), (60_000, 1, 2)] {
        allowed(isolate.bearer("/all", &token, millis));
        assert_eq!((isolate.fetches, isolate.verified), (fetches, verified), "{millis}");
    }
    // Another spelling of it, another signature under it: another token.
    allowed(isolate.bearer("/all", &oauth(&json!({"x": 1})), 60_000));
    assert_eq!(isolate.verified, 3);
    let (signed, _) = token.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", encode([9; 64]));
    for verified in [4, 5] {
        assert_eq!(isolate.bearer("/all", &forged, 60_000), NOT_BELIEVED);
        assert_eq!(isolate.verified, verified, "a refusal is not remembered");
    }
}

#[test]
fn a_known_token_ends_with_its_time() {
    let mut isolate = Isolate::new();
    let token = oauth(&json!({"exp": at(0).seconds() + 5}));
    // With the leeway of half a minute.
    allowed(isolate.bearer("/all", &token, 0));
    allowed(isolate.bearer("/all", &token, 34_999));
    assert_eq!(isolate.verified, 1);
    assert_eq!(isolate.bearer("/all", &token, 35_000), NOT_BELIEVED);
    assert_eq!(isolate.verified, 1, "nothing is verified for one that has ended");
}

#[test]
fn a_clock_that_goes_back_forgets_people_and_keys() {
    let mut isolate = Isolate::new();
    let token = oauth(&json!({}));
    allowed(isolate.bearer("/all", &token, 1000));
    allowed(isolate.bearer("/all", &token, 999));
    assert_eq!((isolate.fetches, isolate.verified), (2, 2));
}

#[test]
fn a_route_takes_what_it_names() {
    let (oauth, session) = (oauth(&json!({})), session());
    for (path, token, is_taken) in [
        ("/all", &oauth, true),
        ("/all", &session, true),
        ("/oauth", &oauth, true),
        ("/oauth", &session, false),
        ("/session", &oauth, false),
        ("/session", &session, true),
        ("/key", &oauth, false),
        ("/key", &session, false),
    ] {
        let mut isolate = Isolate::new();
        let cold = isolate.bearer(path, token, 0);
        assert_eq!(matches!(cold, Outcome::Allowed(_)), is_taken, "{path}: {cold:?}");
        if !is_taken {
            assert_eq!(cold, NOT_BELIEVED, "{path}");
            assert_eq!(isolate.fetches, 0, "{path}: nothing is fetched for it");
        }
        allowed(isolate.bearer("/all", token, 0));
        let warm = isolate.bearer(path, token, 0);
        assert_eq!(matches!(warm, Outcome::Allowed(_)), is_taken, "{path}, warm: {warm:?}");
    }
}

#[test]
fn an_oauth_token_is_held_to_its_scope_and_a_session_is_not() {
    let mut isolate = Isolate::new();
    let of = |claims: Value| oauth(&claims);
    for (claims, is_enough) in [
        (json!({"scope": "agents:read"}), true),
        (json!({"scope": "openid  profile agents:read"}), true),
        (json!({"scope": "read"}), true),
        (json!({"scope": "agents:*"}), true),
        (json!({"scope": "*:*"}), true),
        (json!({"scope": null, "scp": ["agents:read", "x"]}), true),
        (json!({"scope": null, "scp": "agents:read"}), true),
        (json!({"scope": "agents:write"}), false),
        (json!({"scope": "agents:read:all"}), false),
        (json!({"scope": "Agents:read"}), false),
        (json!({"scope": ""}), false),
        (json!({"scope": null}), false),
        // One of the two counts: `scope`, if it is there.
        (json!({"scope": "openid", "scp": ["agents:read"]}), false),
    ] {
        let outcome = isolate.bearer("/oauth", &of(claims.clone()), 0);
        if is_enough {
            allowed(outcome);
        } else {
            assert_eq!(outcome, Outcome::Denied("PERMISSION_DENIED"), "{claims}");
            allowed(isolate.bearer("/any-oauth", &of(claims), 0));
        }
    }
    allowed(isolate.bearer("/session", &session(), 0));
}

#[test]
fn one_thing_wrong_with_each() {
    let mut isolate = Isolate::new();
    let good = oauth(&json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let none = format!("{}.{}.", encode(r#"{"alg":"none"}"#), signed.split_once('.').unwrap().1);
    let now = at(0).seconds();
    let header = |change: Value| token(1, &change, &json!({}));
    for wrong in [
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{signed}."),
        none,
        header(json!({"alg": "none"})),
        header(json!({"alg": "HS256"})),
        header(json!({"alg": "RS256"})),
        header(json!({"typ": "JWT"})),
        header(json!({"crit": ["exp"]})),
        header(json!({"kid": "k7"})),
        token(7, &json!({"kid": "k1"}), &json!({})),
        token(
            7,
            &json!({"jwk": {"kty": "OKP", "crv": "Ed25519", "x": encode([7; 32])}}),
            &json!({}),
        ),
        oauth(&json!({"aud": "other"})),
        oauth(&json!({"iss": "https://auth.test/"})),
        oauth(&json!({"iss": "https://access.test"})),
        oauth(&json!({"exp": now - 31})),
        oauth(&json!({"exp": null})),
        oauth(&json!({"nbf": now + 31})),
        oauth(&json!({"sub": "a\nb"})),
        oauth(&json!({"sub": null})),
    ] {
        assert_eq!(isolate.bearer("/all", &wrong, 0), NOT_BELIEVED, "{wrong}");
        assert_eq!(isolate.bearer("/oauth", &wrong, 0), NOT_BELIEVED, "{wrong}");
        assert_eq!(isolate.bearer("/key", &wrong, 0), NOT_BELIEVED, "{wrong}");
    }
    // Wherever else it stands it is no token.
    assert_eq!(
        isolate.get("/all", &format!("x-api-key\n{good}"), 0),
        Outcome::Denied("INVALID_API_KEY")
    );
    assert_eq!(
        isolate.get("/all", &format!("cookie\nsession={good}"), 0),
        Outcome::Denied("MISSING_API_KEY")
    );
    allowed(isolate.bearer("/public", "x.y.z", 0));
}

#[test]
fn an_issuers_own_header_brings_its_tokens_and_is_not_passed_on() {
    let mut isolate = Isolate::new();
    let (oauth, session) = (oauth(&json!({})), session());
    let own = format!("x-access-jwt\n{session}");
    let plan = allowed(isolate.get("/all", &own, 0));
    assert!(plan.ends_with("\nx-access-jwt"), "{plan}");
    // A credential of the client's own comes first; the proxy's is dropped all the same.
    let plan = allowed(isolate.get("/all", &format!("authorization\nBearer {oauth}\n{own}"), 0));
    assert!(
        plan.contains("\noauth\n") && plan.ends_with("\nauthorization\nx-access-jwt"),
        "{plan}"
    );
    let plan = allowed(isolate.get("/public", &format!("x_access_jwt\n{session}\n{own}"), 0));
    assert!(plan.ends_with("\nx_access_jwt\nx-access-jwt"), "{plan}");
    // Where no token is taken, none was sent.
    assert_eq!(isolate.get("/key", &own, 0), Outcome::Denied("MISSING_API_KEY"));
    assert_eq!(isolate.get("/oauth", &own, 0), NOT_BELIEVED);
    // That of another issuer, known or not.
    for _ in 0..2 {
        assert_eq!(isolate.get("/all", &format!("x-access-jwt\n{oauth}"), 0), NOT_BELIEVED);
        allowed(isolate.bearer("/all", &oauth, 0));
    }
    let twice = format!("x-access-jwt\n{session}, {session}");
    assert_eq!(isolate.get("/all", &twice, 0), Outcome::Denied("AMBIGUOUS_CREDENTIALS"));
    assert_eq!(isolate.get("/all", "x-access-jwt\n", 0), Outcome::Denied("MISSING_API_KEY"));
}

#[test]
fn one_credential() {
    let mut isolate = Isolate::new();
    let token = oauth(&json!({}));
    for more in ["x-api-key\nk".to_owned(), "x-key-id\nk".to_owned(), format!("x-api-key\n{token}")]
    {
        let headers = format!("authorization\nBearer {token}\n{more}");
        assert_eq!(isolate.get("/all", &headers, 0), Outcome::Denied("AMBIGUOUS_CREDENTIALS"));
    }
    let twice = format!("authorization\nBearer {token}, Bearer {token}");
    assert_eq!(isolate.get("/all", &twice, 0), Outcome::Denied("AMBIGUOUS_CREDENTIALS"));
}

#[test]
fn keys_are_refused_where_only_tokens_are_taken() {
    let mut isolate = Isolate::new();
    for path in ["/oauth", "/session"] {
        for headers in ["x-api-key\nk", "authorization\nBearer k", "x-key-id\nk\nx-signature\n00"] {
            let outcome = isolate.get(path, headers, 0);
            assert_eq!(outcome, Outcome::Denied("API_KEY_NOT_ALLOWED"), "{path} {headers}");
        }
        assert_eq!(isolate.get(path, "accept\n*/*", 0), Outcome::Denied("MISSING_API_KEY"));
    }
}

#[test]
fn an_issuer_that_is_down_refuses_nobody() {
    let mut isolate = Isolate::new();
    let known = oauth(&json!({}));
    isolate.published[0] = None;
    assert_eq!(isolate.bearer("/all", &known, 0), UNAVAILABLE);
    assert_eq!(isolate.bearer("/all", &known, 10), UNAVAILABLE);
    assert_eq!(isolate.fetches, 1, "one attempt a second");
    let trouble = isolate.troubles.pop().unwrap().to_string();
    assert_eq!(trouble, "issuer auth: no key set, or no answer in time");
    // What is wrong whoever signed it is told all the same, and other issuers' tokens are taken.
    assert_eq!(isolate.bearer("/all", &oauth(&json!({"aud": "x"})), 20), NOT_BELIEVED);
    allowed(isolate.bearer("/all", &session(), 20));
    isolate.published[0] = Some("<html>".to_owned());
    assert_eq!(isolate.bearer("/all", &known, 1100), UNAVAILABLE);
    isolate.published[0] = Some(set(&[1]));
    allowed(isolate.bearer("/all", &known, 2200));
    // With keys at hand it may go away: for an unknown one nobody can tell.
    isolate.published[0] = None;
    allowed(isolate.bearer("/all", &oauth(&json!({"x": 1})), 40_000));
    let unknown = token(3, &json!({}), &json!({}));
    assert_eq!(isolate.bearer("/all", &unknown, 40_000), UNAVAILABLE);
    isolate.published[0] = Some(set(&[1, 3]));
    assert_eq!(isolate.bearer("/all", &unknown, 40_100), UNAVAILABLE);
    allowed(isolate.bearer("/all", &unknown, 70_100));
}

#[test]
fn an_unknown_key_is_asked_for_once_in_half_a_minute() {
    let mut isolate = Isolate::new();
    allowed(isolate.bearer("/all", &oauth(&json!({})), 0));
    let unknown = token(3, &json!({}), &json!({}));
    for millis in [1, 10_000, 29_999] {
        assert_eq!(isolate.bearer("/all", &unknown, millis), NOT_BELIEVED);
    }
    assert_eq!(isolate.fetches, 1);
    isolate.published[0] = Some(set(&[1, 3]));
    allowed(isolate.bearer("/all", &unknown, 30_000));
    assert_eq!(isolate.fetches, 2);
}

#[test]
fn a_crowd_has_the_keys_fetched_once() {
    let mut isolate = Isolate::new();
    let (token, now) = (oauth(&json!({})), at(0));
    let header = format!("authorization\nBearer {token}");
    let facts = format!("GET\nhttp://api.test/all\n{header}");
    let request = Request::parse(&facts).unwrap();
    let mut first = Ticket::default();
    let need = decide(&request, &isolate.gate, &mut isolate.memory, &mut first, now);
    let Decision::Need(need) = need else { panic!("{need:?}") };
    assert_eq!(need, Need::KeySet { issuer: 0, mine: true });
    let (gate, memory) = (&isolate.gate, &mut isolate.memory);
    let (fetching, _) = LookUp::begin(need, &mut first, call_id(1), gate, memory, now).unwrap();
    let mut others: Vec<_> = (0..4).map(|_| Ticket::default()).collect();
    for ticket in &mut others {
        assert_eq!(isolate.run("GET", "/all", &header, ticket, 0), Outcome::Waits);
    }
    // One of them has waited for long enough.
    let waited = (0..).find_map(|_| {
        let outcome = isolate.run("GET", "/all", &header, &mut others[3], 0);
        (outcome != Outcome::Waits).then_some(outcome)
    });
    assert_eq!(waited, Some(UNAVAILABLE));
    let published = set(&[1]);
    let (gate, memory) = (&isolate.gate, &mut isolate.memory);
    let trouble = fetching.end(Came::Text(&published), &mut first, gate, memory, now);
    assert_eq!(trouble, None);
    for ticket in others[..3].iter_mut().chain([&mut first]) {
        allowed(isolate.run("GET", "/all", &header, ticket, 1));
    }
    assert_eq!((isolate.fetches, isolate.verified), (0, 1), "the others are known by then");
}

#[test]
fn a_platform_that_cannot_verify_refuses_nobody() {
    let mut isolate = Isolate::new();
    isolate.verifies = false;
    assert_eq!(isolate.bearer("/all", &oauth(&json!({})), 0), UNAVAILABLE);
    isolate.verifies = true;
    allowed(isolate.bearer("/all", &oauth(&json!({})), 0));
}

#[test]
fn a_token_without_a_key_id_is_tried_by_each_key() {
    let mut isolate = Isolate::new();
    isolate.published[0] = Some(set(&[5, 6, 1, 7]));
    allowed(isolate.bearer("/all", &token(1, &json!({"kid": null}), &json!({})), 0));
    assert_eq!(isolate.verified, 3);
    let unknown = token(9, &json!({"kid": null}), &json!({}));
    assert_eq!(isolate.bearer("/all", &unknown, 0), NOT_BELIEVED);
    assert_eq!(isolate.verified, 7);
}

#[test]
fn people_reach_what_is_their_own() {
    // `user-1` of one issuer need not be `user-1` of another.
    for issuers in [1, 2] {
        let mut isolate = Isolate::believing(issuers);
        let people = [(oauth(&json!({})), "auth"), (session(), "access")];
        for (token, issuer) in people.into_iter().take(issuers) {
            for (person, is_own) in [
                ("user-1", issuers == 1),
                (&*format!("{issuer}:user-1"), true),
                ("other:user-1", false),
                ("user-2", false),
                ("USER-1", false),
            ] {
                let outcome = isolate.bearer(&format!("/people/{person}/agents"), &token, 0);
                assert_eq!(matches!(outcome, Outcome::Allowed(_)), is_own, "{person}: {outcome:?}");
                if !is_own {
                    assert_eq!(outcome, Outcome::Denied("WRONG_RESOURCE"), "{person}");
                }
            }
        }
    }
}

#[test]
fn bodies_of_people_are_bounded_as_those_of_keys() {
    let mut isolate = Isolate::new();
    for (length, is_taken) in [(4, true), (5, false)] {
        let headers = format!("authorization\nBearer {}\ncontent-length\n{length}", session());
        let outcome = isolate.run("POST body", "/limited", &headers, &mut Ticket::default(), 0);
        assert_eq!(matches!(outcome, Outcome::Allowed(_)), is_taken, "{outcome:?}");
    }
}

const ROOT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
