//! What is to be done for requests step by step, and what becomes of those for which nobody comes back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::management::desk::{Brought, Desk, Turn};
use serde_json::{Value, json};

use super::desk;
use crate::workspace::at;

const ISSUER: &str = "http://127.0.0.1:8788";

struct Isolate {
    desk: Desk,
    gate: std::rc::Rc<portcullis::gate::Gate>,
    begun: u8,
}

/// The lines of a step, but for the word and the empty one.
#[derive(Debug)]
struct Told {
    word: String,
    lines: Vec<String>,
    trouble: Option<String>,
}

impl From<Turn> for Told {
    fn from(turn: Turn) -> Self {
        let mut lines = turn.told.split('\n').map(str::to_owned);
        let word = lines.next().unwrap();
        assert_eq!(lines.next().as_deref(), Some(""));
        Self { word, lines: lines.collect(), trouble: turn.trouble }
    }
}

impl Told {
    fn number(&self) -> u32 {
        self.lines[0].parse().unwrap()
    }

    fn status(&self) -> u16 {
        assert_eq!(self.word, "answer", "{self:?}");
        self.lines[0].parse().unwrap()
    }

    fn body(&self) -> Value {
        let headers: usize = self.lines[1].parse().unwrap();
        serde_json::from_str(&self.lines[2 + headers..].join("\n")).unwrap()
    }
}

impl Isolate {
    fn new() -> Self {
        Self { desk: Desk::default(), gate: desk::gate(&desk::policy()), begun: 0 }
    }

    fn begin(&mut self, facts: &str, millis: u64) -> Told {
        self.begun = self.begun.wrapping_add(1);
        let id = format!("{:032x}", self.begun);
        self.desk.begin(facts, id, [self.begun; 32], Some(&self.gate), at(millis)).into()
    }

    fn bring(&mut self, told: &Told, facts: &str, brought: Brought<'_>, millis: u64) -> Told {
        let turn = self.desk.resume(told.number(), facts, brought, Some(&self.gate), at(millis));
        turn.unwrap().into()
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Of two keys. As the token names none, only verifications tell.
fn keys() -> String {
    let key = |byte: u8| json!({"kty": "OKP", "crv": "Ed25519", "kid": format!("k{byte}"), "x": encode([byte; 32])});
    json!({"keys": [key(1), key(2)]}).to_string()
}

fn token() -> String {
    let header = json!({"alg": "EdDSA", "typ": "at+jwt"});
    let until = at(0).seconds() + 300;
    let claims = json!({"iss": ISSUER, "aud": "portcullis", "sub": "ann", "exp": until});
    format!("{}.{}.{}", encode(header.to_string()), encode(claims.to_string()), encode([7; 64]))
}

/// Asks who asks.
fn me() -> String {
    format!("GET\nhttp://admin.test/api/v1/me\nauthorization\nBearer {}", token())
}

/// Makes a workspace, which takes a body.
fn open() -> String {
    me().replace(
        "GET\nhttp://admin.test/api/v1/me",
        "POST body\nhttp://admin.test/api/v1/workspaces",
    ) + "\ncontent-type\napplication/json"
}

#[test]
fn a_token_is_verified_by_key_after_key() {
    let (mut isolate, facts) = (Isolate::new(), me());
    let fetch = isolate.begin(&facts, 0);
    assert_eq!(fetch.word, "fetch");
    let jwks = format!("{ISSUER}/jwks.json");
    assert_eq!(fetch.lines[1..], ["2000", "65536", jwks.as_str()]);
    let first = isolate.bring(&fetch, &facts, Brought::Text(&keys()), 0);
    assert_eq!(first.word, "verify");
    let token = token();
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert_eq!((first.lines[2].as_str(), first.lines[5].as_str()), ("EdDSA", signed));
    let second = isolate.bring(&first, &facts, Brought::Text("false"), 0);
    assert_eq!(second.word, "verify");
    assert_ne!(first.lines[3], second.lines[3]);
    let answer = isolate.bring(&second, &facts, Brought::Text("true"), 0);
    assert_eq!((answer.status(), &answer.body()["subject"]), (200, &json!("dev:ann")));
    assert!(isolate.desk.is_empty());
    // The set is known from now on.
    let next = isolate.begin(&facts, 1);
    let next = isolate.bring(&next, &facts, Brought::Text("false"), 1);
    let refused = isolate.bring(&next, &facts, Brought::Text("false"), 1);
    assert_eq!(refused.status(), 401);
    // Nobody can say.
    let next = isolate.begin(&facts, 2);
    assert_eq!(isolate.bring(&next, &facts, Brought::Nothing, 2).status(), 503);
}

#[test]
fn one_fetches_and_the_others_wait() {
    let (mut isolate, facts) = (Isolate::new(), me());
    let fetch = isolate.begin(&facts, 0);
    let wait = isolate.begin(&facts, 1);
    assert_eq!((wait.word.as_str(), wait.lines[1].as_str()), ("wait", "20"));
    let wait = isolate.bring(&wait, &facts, Brought::Nothing, 21);
    assert_eq!(wait.word, "wait");
    assert_eq!(isolate.bring(&fetch, &facts, Brought::Text(&keys()), 30).word, "verify");
    assert_eq!(isolate.bring(&wait, &facts, Brought::Nothing, 41).word, "verify");
}

#[test]
fn an_issuer_without_keys_is_told_and_asked_again() {
    for (brought, is_text) in [(Brought::Nothing, false), (Brought::Text("{}"), true)] {
        let (mut isolate, facts) = (Isolate::new(), me());
        let fetch = isolate.begin(&facts, 0);
        let answer = isolate.bring(&fetch, &facts, brought, 100);
        assert_eq!(answer.status(), 503, "{is_text}");
        let trouble = answer.trouble.unwrap();
        assert_eq!(trouble, "keys of the issuer dev: none that can be read");
        assert_eq!(isolate.begin(&facts, 1099).status(), 503);
        assert_eq!(isolate.begin(&facts, 1100).word, "fetch");
    }
}

#[test]
fn a_number_is_good_once() {
    let (mut isolate, facts) = (Isolate::new(), me());
    let fetch = isolate.begin(&facts, 0);
    isolate.bring(&fetch, &facts, Brought::Text(&keys()), 0);
    for number in [fetch.number(), 77] {
        let again =
            isolate.desk.resume(number, &facts, Brought::Nothing, Some(&isolate.gate), at(0));
        assert_eq!(again, None);
    }
}

#[test]
fn what_nobody_comes_back_for_is_forgotten() {
    let (mut isolate, facts) = (Isolate::new(), me());
    for _ in 0..5000 {
        isolate.begin(&facts, 0);
    }
    assert_eq!(isolate.desk.len(), 4096);
    // All but the one wait for it to fetch: 20 ms, and the grace.
    isolate.begin(&facts, 5019);
    assert_eq!(isolate.desk.len(), 4096);
    isolate.begin(&facts, 5020);
    assert_eq!(isolate.desk.len(), 2);
}

#[test]
fn bodies_that_wait_have_a_bound() {
    let mut isolate = Isolate::new();
    let facts = "POST body\nhttp://admin.test/api/v1/leaks\ncontent-type\napplication/json\n\
        github-public-key-identifier\nk\ngithub-public-key-signature\nMAYCAQECAQE=";
    let body = "x".repeat(1 << 20);
    for _ in 0..100 {
        let text = isolate.begin(facts, 0);
        assert_eq!((text.word.as_str(), text.lines[2].as_str()), ("text", "1048576"));
        let next = isolate.bring(&text, facts, Brought::Text(&body), 0);
        assert!(["fetch", "wait"].contains(&next.word.as_str()), "{next:?}");
    }
    // Each is there twice: as the body, and as what is signed.
    assert!((10..=17).contains(&isolate.desk.len()), "{}", isolate.desk.len());
    let text = isolate.begin(facts, 0);
    assert_eq!(isolate.bring(&text, facts, Brought::NoRoom, 0).status(), 503);
}

#[test]
fn a_body_that_is_none_is_told() {
    for (brought, status) in [
        (Brought::TooLong, 413),
        (Brought::NotUtf8, 400),
        (Brought::Nothing, 400),
        // Of a body there is no row.
        (Brought::NoRow, 400),
    ] {
        let (mut isolate, facts) = (Isolate::new(), open());
        let fetch = isolate.begin(&facts, 0);
        let verify = isolate.bring(&fetch, &facts, Brought::Text(&keys()), 0);
        let refused = isolate.bring(&verify, &facts, Brought::Text("true"), 0);
        // Owners alone make workspaces; members change them.
        assert_eq!(refused.status(), 403);
        let path = format!("{}/members/dev:eve", desk::SPACE);
        let facts = facts.replace("POST", "PUT").replace("/api/v1/workspaces", &path);
        let verify = isolate.begin(&facts, 0);
        let body = isolate.bring(&verify, &facts, Brought::Text("true"), 0);
        assert_eq!((body.word.as_str(), body.lines[2].as_str()), ("text", "65536"));
        assert_eq!(isolate.bring(&body, &facts, brought, 0).status(), status, "{brought:?}");
    }
}

#[test]
fn a_deployment_that_is_not_fit_answers_503_wherever_a_request_is() {
    let facts = me();
    let mut isolate = Isolate::new();
    let unfit: Told = isolate.desk.begin(&facts, String::new(), [0; 32], None, at(0)).into();
    assert_eq!(unfit.status(), 503);
    let fetch = isolate.begin(&facts, 0);
    let keys = keys();
    let turn = isolate.desk.resume(fetch.number(), &facts, Brought::Text(&keys), None, at(0));
    assert_eq!(Told::from(turn.unwrap()).status(), 503);
}

#[test]
fn a_file_is_answered_by_its_headers_or_by_none() {
    let mut isolate = Isolate::new();
    let facts = "GET\nhttp://admin.test/assets/gone.js";
    let file = isolate.begin(facts, 0);
    assert_eq!((file.word.as_str(), file.lines[0].as_str()), ("file", "assets/gone.js"));
    let headers: usize = file.lines[2].parse().unwrap();
    assert_eq!(file.lines.len(), 3 + headers + 1);
    assert!(isolate.desk.is_empty());
    for (is_missing, status) in [(true, 404), (false, 500)] {
        let gate = Some(&*isolate.gate);
        let turn = isolate.desk.no_file(facts, String::new(), [0; 32], is_missing, gate, at(0));
        assert_eq!(Told::from(turn).status(), status);
    }
}
