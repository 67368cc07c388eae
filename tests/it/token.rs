//! Access tokens: which are read, by which key they have to be verified, and what they must say.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis::clock::Now;
use portcullis::policy::{Policy, TokenKind};
use portcullis::request::Request;
use portcullis::token::{
    Algorithm, COOL_DOWN_MILLIS, FETCH_MILLIS, FRESH_MILLIS, Issuer, KEPT_MILLIS, KeySet, KeySets,
    Look, MAX_TEXT, NotPresented, Presented, RETRY_MILLIS, Subject, Token, Untrusted,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000;

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn text(header: &Value, claims: &Value, signature: usize) -> String {
    let (header, claims) = (encode(header.to_string()), encode(claims.to_string()));
    format!("{header}.{claims}.{}", encode(vec![7; signature]))
}

fn claims(change: Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.test", "sub": "user-1", "aud": "https://admin.test/api",
        "iat": NOW - 10, "exp": NOW + 300, "scope": "keys:read  keys:write",
    });
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn issuer() -> Issuer {
    Issuer {
        name: "https://issuer.test".into(),
        audiences: vec!["https://admin.test/api".into()],
        types: vec!["at+jwt".into()],
        leeway_seconds: 30,
        workspace_claim: Some("workspace".into()),
    }
}

fn keys() -> KeySet {
    let (n, short, x) = (encode([0xAB; 256]), encode([0xAB; 128]), encode([1; 32]));
    let set = json!({"keys": [
        {"kty": "RSA", "kid": "r", "use": "sig", "alg": "RS256", "n": n, "e": "AQAB"},
        {"kty": "EC", "kid": "e", "crv": "P-256", "x": x, "y": x, "key_ops": ["verify"]},
        {"kty": "OKP", "kid": "o", "crv": "Ed25519", "x": x, "alg": "EdDSA"},
        {"kty": "RSA", "kid": "encryption", "use": "enc", "n": n, "e": "AQAB"},
        {"kty": "RSA", "kid": "short", "n": short, "e": "AQAB"},
        {"kty": "RSA", "kid": "exponent", "n": n, "e": "AQ"},
        {"kty": "RSA", "kid": "zeros", "n": encode([&[0; 128][..], &[0xAB; 128]].concat()), "e": "AQAB"},
        {"kty": "RSA", "kid": "other", "alg": "RS512", "n": n, "e": "AQAB"},
        {"kty": "RSA", "kid": "private", "n": n, "e": "AQAB", "d": n},
        {"kty": "EC", "kid": "sign", "crv": "P-256", "x": x, "y": x, "key_ops": ["sign"]},
        {"kty": "EC", "kid": "curve", "crv": "P-384", "x": x, "y": x},
        {"kty": "EC", "kid": "point", "crv": "P-256", "x": x, "y": "AQAB"},
        {"kty": "OKP", "kid": "x", "crv": "X25519", "x": x},
        {"kty": "oct", "kid": "secret", "alg": "HS256", "k": n},
        {"kid": "nothing"}, 7, {"kty": "RSA", "kid": ["r"]},
    ]});
    KeySet::parse(set.to_string().as_bytes()).unwrap()
}

#[test]
fn only_keys_for_verifying_are_kept() {
    assert_eq!((keys().len(), keys().is_empty()), (3, false));
    for text in ["", "[]", "{}", r#"{"keys": {}}"#, r#"{"keys": []} {}"#] {
        assert_eq!(KeySet::parse(text.as_bytes()).err(), Some(Untrusted::Key), "{text}");
    }
    assert!(KeySet::parse(br#"{"keys": []}"#).unwrap().is_empty());
}

#[test]
fn the_key_says_how_to_verify() {
    let keys = keys();
    let cases: &[(Value, usize, Result<Algorithm, Untrusted>)] = &[
        (json!({"alg": "RS256", "kid": "r"}), 256, Ok(Algorithm::Rs256)),
        (json!({"alg": "ES256", "kid": "e"}), 64, Ok(Algorithm::Es256)),
        (json!({"alg": "EdDSA", "kid": "o"}), 64, Ok(Algorithm::EdDsa)),
        (json!({"alg": "Ed25519", "kid": "o"}), 64, Ok(Algorithm::EdDsa)),
        (json!({"alg": "RS256"}), 256, Ok(Algorithm::Rs256)),
        // Signed with the public key as if it were a secret.
        (json!({"alg": "HS256", "kid": "r"}), 32, Err(Untrusted::Algorithm)),
        (json!({"alg": "none"}), 1, Err(Untrusted::Algorithm)),
        (json!({"alg": "rs256", "kid": "r"}), 256, Err(Untrusted::Algorithm)),
        (json!({"alg": "RS512", "kid": "r"}), 256, Err(Untrusted::Algorithm)),
        (json!({"alg": "PS256", "kid": "r"}), 256, Err(Untrusted::Algorithm)),
        (json!({"alg": "ES256", "kid": "r"}), 64, Err(Untrusted::Key)),
        (json!({"alg": "RS256", "kid": "e"}), 256, Err(Untrusted::Key)),
        (json!({"alg": "RS256", "kid": "secret"}), 256, Err(Untrusted::Key)),
        (json!({"alg": "RS256", "kid": "private"}), 256, Err(Untrusted::Key)),
        (json!({"alg": "RS256", "kid": ""}), 256, Err(Untrusted::Key)),
        (json!({"alg": "RS256", "kid": "r"}), 255, Err(Untrusted::Signature)),
        (json!({"alg": "ES256", "kid": "e"}), 70, Err(Untrusted::Signature)),
        (json!({"alg": "ES256", "kid": "e"}), 65, Err(Untrusted::Signature)),
    ];
    for (header, signature, expected) in cases {
        let text = text(header, &claims(json!({})), *signature);
        let token = Token::parse(&text).unwrap();
        let found = keys.find(&token).map(|keys| keys[0].algorithm());
        assert_eq!(found, *expected, "{header}");
    }
}

#[test]
fn a_name_that_different_keys_share_is_none() {
    let named = json!({"alg": "EdDSA", "kid": "o"});
    let of =
        |byte: u8| json!({"kty": "OKP", "kid": "o", "crv": "Ed25519", "x": encode([byte; 32])});
    let point = encode([1; 32]);
    let other = json!({"kty": "EC", "kid": "o", "crv": "P-256", "x": point, "y": point});
    let text = |header: &Value| text(header, &claims(json!({})), 64);
    for (set, header, expected) in [
        (vec![of(1), of(2)], &named, Err(Untrusted::Key)),
        (vec![of(1), other.clone(), of(1), of(2)], &named, Err(Untrusted::Key)),
        (vec![of(1), of(1)], &named, Ok(2)),
        (vec![other, of(1)], &named, Ok(1)),
        (vec![of(1), of(2)], &json!({"alg": "EdDSA"}), Ok(2)),
    ] {
        let keys = KeySet::parse(json!({ "keys": set }).to_string().as_bytes()).unwrap();
        let found = keys.find(&Token::parse(&text(header)).unwrap()).map(|keys| keys.len());
        assert_eq!(found, expected, "{set:?}");
    }
}

#[test]
fn a_key_in_the_header_is_not_used() {
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode([2; 32])});
    let header = json!({"alg": "EdDSA", "kid": "mine", "jwk": jwk, "jku": "https://evil.test"});
    let text = text(&header, &claims(json!({})), 64);
    assert_eq!(keys().find(&Token::parse(&text).unwrap()).err(), Some(Untrusted::Key));
}

#[test]
fn texts_that_are_no_tokens() {
    let good = text(&json!({"alg": "EdDSA", "kid": "o"}), &claims(json!({})), 64);
    assert!(Token::parse(&good).is_ok());
    let (signed, _) = good.rsplit_once('.').unwrap();
    let longest = format!("{signed}.{}", "A".repeat(MAX_TEXT - signed.len() - 1));
    assert!(Token::parse(&longest).is_ok());
    let critical = text(&json!({"alg": "EdDSA", "crit": ["b64"], "b64": false}), &json!({}), 64);
    let cases = [
        (String::new(), Untrusted::Form),
        ("a.b".into(), Untrusted::Form),
        (signed.to_owned(), Untrusted::Form),
        (format!("{signed}."), Untrusted::Form),
        (format!("{good}."), Untrusted::Form),
        (format!("{good}="), Untrusted::Form),
        (format!(" {good}"), Untrusted::Form),
        (format!("{good}\n"), Untrusted::Form),
        (good.replacen('.', "..", 1), Untrusted::Form),
        (format!("{longest}AAAA"), Untrusted::Form),
        (format!("{}.{}.AA", encode("[]"), encode("{}")), Untrusted::Header),
        (format!("{}.{}.AA", encode("{\"alg\":7}"), encode("{}")), Untrusted::Header),
        (
            format!("{}.{}.AA", encode("{\"alg\":\"a\",\"alg\":\"b\"}"), encode("{}")),
            Untrusted::Header,
        ),
        (critical, Untrusted::Critical),
        (text(&json!({"alg": "EdDSA", "crit": null}), &json!({}), 64), Untrusted::Critical),
    ];
    for (text, expected) in cases {
        assert_eq!(Token::parse(&text).err(), Some(expected), "{text}");
    }
}

#[test]
fn claims_are_judged() {
    let cases: &[(Value, Option<Untrusted>)] = &[
        (json!({}), None),
        (json!({"aud": ["x", "https://admin.test/api"]}), None),
        (json!({"exp": NOW - 29}), None),
        (json!({"exp": 1_800_000_000.5}), None),
        (json!({"nbf": NOW + 30, "iat": null}), None),
        (json!({"iss": "https://issuer.test/"}), Some(Untrusted::Issuer)),
        (json!({"iss": "https://other.test"}), Some(Untrusted::Issuer)),
        (json!({"aud": "https://admin.test"}), Some(Untrusted::Audience)),
        (json!({"aud": []}), Some(Untrusted::Audience)),
        (json!({"exp": NOW - 30}), Some(Untrusted::Expired)),
        (json!({"exp": 0}), Some(Untrusted::Expired)),
        (json!({"exp": 1.5e300}), Some(Untrusted::Claims)),
        (json!({"nbf": NOW + 31}), Some(Untrusted::NotYetValid)),
        (json!({"iat": NOW + 31}), Some(Untrusted::NotYetValid)),
        (json!({"sub": ""}), Some(Untrusted::Subject)),
        (json!({"sub": null}), Some(Untrusted::Subject)),
        (json!({"sub": "a\nb"}), Some(Untrusted::Subject)),
        (json!({"sub": "é"}), Some(Untrusted::Subject)),
        (json!({"sub": "s".repeat(256)}), Some(Untrusted::Subject)),
        (json!({"exp": null}), Some(Untrusted::Claims)),
        (json!({"exp": "1800000300"}), Some(Untrusted::Claims)),
        (json!({"exp": -1}), Some(Untrusted::Claims)),
        (json!({"exp": 1e300}), Some(Untrusted::Claims)),
        (json!({"aud": null}), Some(Untrusted::Claims)),
        (json!({"aud": 7}), Some(Untrusted::Claims)),
        (json!({"iss": null}), Some(Untrusted::Claims)),
    ];
    for (change, expected) in cases {
        let text = text(&json!({"alg": "EdDSA", "typ": "at+jwt"}), &claims(change.clone()), 64);
        let told = Token::parse(&text).unwrap().check(&issuer(), NOW);
        assert_eq!(told.err(), *expected, "{change}");
    }
}

#[test]
fn a_subject_has_the_words_of_its_scope() {
    let told = |change| {
        let text = text(&json!({"alg": "EdDSA", "typ": "at+jwt"}), &claims(change), 64);
        Token::parse(&text).unwrap().check(&issuer(), NOW).unwrap()
    };
    let subject = Subject {
        id: "user-1".into(),
        scopes: vec!["keys:read".into(), "keys:write".into()],
        email: None,
        workspace: None,
        until: NOW + 330,
    };
    assert_eq!(told(json!({})), subject);
    assert_eq!(told(json!({"scope": null, "scp": ["a", "b"]})).scopes, ["a", "b"]);
    assert_eq!(told(json!({"scope": null, "scp": "a"})).scopes, ["a"]);
    assert!(told(json!({"scope": null})).scopes.is_empty());
    let number = |claim: &Value| {
        let own = told(json!({"workspace": claim})).workspace;
        own.map(|own| own.as_str().to_owned())
    };
    assert_eq!(number(&json!("DEM0WS")).as_deref(), Some("DEM0WS"));
    for none in [json!(null), json!(7), json!(["DEM0WS"]), json!("dem0ws"), json!({"id": "DEM0WS"})]
    {
        assert_eq!(number(&none), None, "{none}");
    }
}

#[test]
fn types_are_told_apart() {
    let any = Issuer { types: Vec::new(), ..issuer() };
    for (typ, takes, takes_any) in [
        (json!("at+jwt"), true, true),
        (json!("application/AT+JWT"), true, true),
        (json!("JWT"), false, true),
        (json!("logout+jwt"), false, true),
        (Value::Null, false, true),
    ] {
        let header = json!({"alg": "EdDSA", "typ": typ});
        let text = text(&header, &claims(json!({})), 64);
        let token = Token::parse(&text).unwrap();
        assert_eq!(token.check(&issuer(), NOW).is_ok(), takes, "{typ}");
        assert_eq!(token.check(&any, NOW).is_ok(), takes_any, "{typ}");
    }
}

proptest! {
    #[test]
    fn nothing_that_is_read_panics(text in "[A-Za-z0-9_.=-]{0,120}", set in any::<Vec<u8>>()) {
        let keys = KeySet::parse(&set).unwrap_or_default();
        if let Ok(token) = Token::parse(&text) {
            prop_assert!(keys.find(&token).is_err());
            let _ = token.check(&issuer(), NOW);
        }
    }
}

/// A key set with one key of this id.
fn set(kid: &str) -> String {
    json!({"keys": [{"kty": "OKP", "kid": kid, "crv": "Ed25519", "x": encode([1; 32])}]})
        .to_string()
}

fn signed_by(kid: &str) -> String {
    text(&json!({"alg": "EdDSA", "kid": kid}), &claims(json!({})), 64)
}

/// What a look comes to, in a word.
fn look(sets: &mut KeySets, kid: &str, patient: bool, millis: u64) -> &'static str {
    let text = signed_by(kid);
    let token = Token::parse(&text).unwrap();
    match sets.look(0, &|set| set.find(&token), patient, Now::from_millis(millis)) {
        Look::Keys(_) => "keys",
        Look::Fetch => "fetch",
        Look::Wait => "wait",
        Look::Refuse(Untrusted::Key) => "refuse",
        Look::Refuse(_) => "refuse for something else",
        Look::Unavailable => "unavailable",
    }
}

fn learn(sets: &mut KeySets, text: Option<&str>, millis: u64) -> bool {
    let keys = text.and_then(|text| KeySet::parse(text.as_bytes()).ok());
    let is_of_use = keys.is_some();
    sets.learn(0, keys, Now::from_millis(millis));
    is_of_use
}

#[test]
fn a_key_set_is_fetched_once_and_believed_for_ten_minutes() {
    let mut sets = KeySets::default();
    assert_eq!(look(&mut sets, "a", true, START), "fetch");
    assert_eq!(look(&mut sets, "a", true, START + 5), "wait");
    assert_eq!(look(&mut sets, "a", false, START + 5), "unavailable", "who has waited long enough");
    assert!(learn(&mut sets, Some(&set("a")), START + 100));
    assert_eq!(look(&mut sets, "a", true, START + 100), "keys");
    assert_eq!(look(&mut sets, "a", true, START + FRESH_MILLIS - 1), "keys");
    // It is as old as its fetch is long ago, not its arrival.
    assert_eq!(look(&mut sets, "a", true, START + FRESH_MILLIS), "fetch");
    assert_eq!(
        look(&mut sets, "a", true, START + FRESH_MILLIS),
        "keys",
        "nobody waits for a newer"
    );
    assert!(learn(&mut sets, Some(&set("b")), START + FRESH_MILLIS + 1));
    assert_eq!(look(&mut sets, "a", true, START + FRESH_MILLIS + 2), "refuse", "it was withdrawn");
    assert_eq!(look(&mut sets, "b", true, START + FRESH_MILLIS + 2), "keys");
}

/// No key makes it good; whether one fits is asked of a fresh set.
#[test]
fn a_signature_that_fits_no_key_is_refused_while_the_set_is_fresh() {
    let short = text(&json!({"alg": "EdDSA", "kid": "a"}), &claims(json!({})), 63);
    let short = Token::parse(&short).unwrap();
    let mut sets = KeySets::default();
    look(&mut sets, "a", true, START);
    learn(&mut sets, Some(&set("a")), START);
    let mut look = |millis| {
        let now = Now::from_millis(START + millis);
        sets.look(0, &|set| set.find(&short), true, now)
    };
    assert!(matches!(look(FRESH_MILLIS - 1), Look::Refuse(Untrusted::Signature)));
    assert!(matches!(look(FRESH_MILLIS), Look::Fetch));
}

#[test]
fn a_published_key_is_found_by_its_name() {
    // P-256, and a point that is none of its curve, which is for the platform to see.
    let head = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
    let body = format!("{head}{}", STANDARD.encode([1; 64]));
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
    let set = json!({"public_keys": [
        {"key_identifier": "one", "key": pem, "is_current": true},
        {"key_identifier": "two", "key": "none"},
    ]});
    let set = KeySet::parse_published(set.to_string().as_bytes()).unwrap();
    assert_eq!(set.len(), 1);
    let one = set.named("one").unwrap();
    let number = encode([1; 32]);
    let jwk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{number}","y":"{number}"}}"#);
    assert_eq!((one.len(), one[0].algorithm(), one[0].jwk()), (1, Algorithm::Es256, &*jwk));
    assert_eq!(set.named("two").err(), Some(Untrusted::Key));
}

#[test]
fn an_unknown_key_is_asked_for_once_a_cool_down() {
    let mut sets = KeySets::default();
    look(&mut sets, "a", true, START);
    learn(&mut sets, Some(&set("a")), START);
    for millis in [1, 1000, COOL_DOWN_MILLIS - 1] {
        assert_eq!(look(&mut sets, "new", true, START + millis), "refuse", "{millis}");
    }
    let later = START + COOL_DOWN_MILLIS;
    assert_eq!(look(&mut sets, "new", true, later), "fetch");
    assert_eq!(look(&mut sets, "new", true, later + 1), "wait");
    assert_eq!(look(&mut sets, "a", true, later + 1), "keys", "known keys wait for nobody");
    learn(&mut sets, Some(&set("new")), later + 50);
    assert_eq!(look(&mut sets, "new", true, later + 50), "keys");
    assert_eq!(look(&mut sets, "newer", true, later + 51), "refuse");
}

#[test]
fn a_failed_fetch_keeps_what_was_known_for_a_day() {
    let mut sets = KeySets::default();
    look(&mut sets, "a", true, START);
    learn(&mut sets, Some(&set("a")), START);
    let mut now = START + FRESH_MILLIS;
    let mut fetches = 0;
    while now < START + KEPT_MILLIS {
        if look(&mut sets, "a", true, now) == "fetch" {
            fetches += 1;
            assert!(!learn(&mut sets, [None, Some("<html>")][fetches % 2], now));
        }
        assert_eq!(look(&mut sets, "a", true, now), "keys", "{now}");
        assert_eq!(look(&mut sets, "new", true, now), "unavailable", "not refused: who knows");
        now += 10_000;
    }
    let most = usize::try_from(KEPT_MILLIS / COOL_DOWN_MILLIS).unwrap();
    assert!((most / 2..=most).contains(&fetches), "{fetches}");
    let end = START + KEPT_MILLIS + COOL_DOWN_MILLIS;
    assert_eq!(look(&mut sets, "a", true, end), "fetch");
    learn(&mut sets, None, end);
    assert_eq!(look(&mut sets, "a", true, end), "unavailable");
}

#[test]
fn who_could_not_ask_refuses_nobody() {
    let mut sets = KeySets::default();
    look(&mut sets, "a", true, START);
    learn(&mut sets, Some(&set("a")), START);
    let later = START + COOL_DOWN_MILLIS;
    assert_eq!(look(&mut sets, "new", true, later), "fetch");
    assert!(!learn(&mut sets, None, later));
    assert_eq!(look(&mut sets, "a", true, later), "keys");
    assert_eq!(look(&mut sets, "new", true, later), "unavailable", "it may be good");
    let later = later + COOL_DOWN_MILLIS;
    assert_eq!(look(&mut sets, "new", true, later), "fetch");
    learn(&mut sets, Some(&set("a")), later);
    assert_eq!(look(&mut sets, "new", true, later), "refuse");
}

#[test]
fn keys_that_were_never_to_be_had_refuse_nobody() {
    let mut sets = KeySets::default();
    for round in 0..3 {
        let now = START + round * RETRY_MILLIS;
        assert_eq!(look(&mut sets, "a", true, now), "fetch", "{round}");
        assert!(!learn(&mut sets, None, now));
        assert_eq!(look(&mut sets, "a", true, now + RETRY_MILLIS - 1), "unavailable");
    }
}

#[test]
fn a_fetch_that_was_given_up_blocks_nobody() {
    let mut sets = KeySets::default();
    assert_eq!(look(&mut sets, "a", true, START), "fetch");
    let end = START + u64::from(FETCH_MILLIS);
    assert_eq!(look(&mut sets, "a", true, end - 1), "wait");
    assert_eq!(look(&mut sets, "a", true, end), "fetch");
    // The first comes after all.
    assert!(learn(&mut sets, Some(&set("a")), end + 10));
    assert_eq!(look(&mut sets, "a", true, end + 10), "keys");
}

#[test]
fn a_clock_that_goes_back_forgets() {
    let mut sets = KeySets::default();
    look(&mut sets, "a", true, START);
    learn(&mut sets, Some(&set("a")), START);
    assert_eq!(look(&mut sets, "a", true, START), "keys");
    assert_eq!(look(&mut sets, "a", true, START - 1), "fetch");
}

#[test]
fn issuers_do_not_share_keys() {
    let mut sets = KeySets::default();
    look(&mut sets, "a", true, START);
    learn(&mut sets, Some(&set("a")), START);
    let text = signed_by("a");
    let token = Token::parse(&text).unwrap();
    let other = sets.look(1, &|set| set.find(&token), true, Now::from_millis(START));
    assert!(matches!(other, Look::Fetch), "{other:?}");
}

#[derive(Clone, Debug)]
enum Event {
    Look(bool, bool),
    Answer(Option<bool>),
    Wait(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (any::<bool>(), any::<bool>()).prop_map(|(known, patient)| Event::Look(known, patient)),
        2 => any::<Option<bool>>().prop_map(Event::Answer),
        1 => (0_u64..5000).prop_map(Event::Wait),
        1 => (0_u64..KEPT_MILLIS).prop_map(Event::Wait),
    ]
}

proptest! {
    /// Whatever happens: fetches keep their distance, keys are no older than a day, and nobody is refused
    /// but by a set that is fresh.
    #[test]
    fn key_sets_keep_their_bounds(events in prop::collection::vec(event(), 1..200)) {
        let mut sets = KeySets::default();
        let mut now = START;
        let mut asked: Option<u64> = None;
        let mut learnt: Option<u64> = None;
        for event in events {
            match event {
                Event::Wait(millis) => now += millis,
                Event::Answer(answer) => if let Some(at) = asked {
                    let good = set("known");
                    let text = answer.map(|is_set| if is_set { good.as_str() } else { "{}" });
                    if learn(&mut sets, text, now) {
                        learnt = Some(at);
                    }
                },
                Event::Look(known, patient) => {
                    let kid = if known { "known" } else { "unknown" };
                    let age = learnt.map(|at| now - at);
                    match look(&mut sets, kid, patient, now) {
                        "fetch" => {
                            let held = age.is_some_and(|age| age < KEPT_MILLIS);
                            let pause = if held { COOL_DOWN_MILLIS } else { RETRY_MILLIS };
                            prop_assert!(asked.is_none_or(|at| now - at >= pause));
                            prop_assert!(!known || age.is_none_or(|age| age >= FRESH_MILLIS));
                            asked = Some(now);
                        }
                        "keys" => prop_assert!(known && age.is_some_and(|age| age < KEPT_MILLIS)),
                        "refuse" => {
                            prop_assert!(!known && age.is_some_and(|age| age < FRESH_MILLIS));
                        }
                        "wait" => prop_assert!(patient),
                        "unavailable" => prop_assert!(age.is_none_or(|age| age >= FRESH_MILLIS) || !known),
                        other => prop_assert!(false, "{other}"),
                    }
                }
            }
        }
    }
}

fn policy() -> Policy {
    let policy = json!({
        "version": 1, "hosts": ["api.test"], "admin_host": "admin.test", "mode": "edge",
        "root_fingerprints": [], "kv_timeout_ms": 500, "origins": [], "tiers": [], "static_keys": [],
        "imports": [{"prefix": "", "alphabet": "hex", "min_length": 40, "max_length": 40}],
        "routes": [],
        "issuers": [
            {"name": "auth", "issuer": "https://issuer.test", "jwks": "https://issuer.test/jwks",
             "audiences": ["https://admin.test/api"], "credential": "oauth", "types": ["at+jwt"]},
            {"name": "access", "issuer": "https://access.test", "jwks": "https://access.test/certs",
             "audiences": ["aud"], "credential": "session", "header": "cf-access-jwt-assertion"},
        ],
    });
    Policy::from_json(&policy.to_string()).unwrap()
}

/// Names and values.
type Headers<'a> = &'a [(&'a str, &'a str)];

#[test]
fn a_token_is_found_where_it_may_be() {
    let policy = policy();
    let jwt = text(&json!({"alg": "EdDSA", "typ": "at+jwt"}), &claims(json!({})), 64);
    let native = "ak_000000AAAAAAAA000000_000000000000000000000000000000000000000000";
    let (own, bearer) = ("cf-access-jwt-assertion", format!("Bearer {jwt}"));
    let cases: &[(Headers<'_>, Result<(), NotPresented>)] = &[
        (&[], Err(NotPresented::Missing)),
        (&[("authorization", "")], Err(NotPresented::Missing)),
        (&[("authorization", "Basic dTpw")], Err(NotPresented::Missing)),
        (&[("authorization", &bearer)], Ok(())),
        (&[(own, &jwt)], Ok(())),
        (&[("authorization", &bearer), (own, "x")], Ok(())),
        (&[("authorization", "Basic dTpw"), (own, &jwt)], Ok(())),
        (&[("authorization", &bearer), ("x-api-key", "k")], Err(NotPresented::Ambiguous)),
        (&[("authorization", "Bearer a.b.c, Bearer d.e.f")], Err(NotPresented::Ambiguous)),
        (&[("x-api-key", &jwt)], Err(NotPresented::ApiKey)),
        (&[("x-api-key", "k")], Err(NotPresented::ApiKey)),
        (&[("x-api-key", native), (own, &jwt)], Err(NotPresented::ApiKey)),
        (&[("x-key-id", "k")], Err(NotPresented::ApiKey)),
        (
            &[("authorization", "Bearer 0123456789abcdef0123456789abcdef01234567")],
            Err(NotPresented::ApiKey),
        ),
        (
            &[("authorization", "Bearer QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=")],
            Err(NotPresented::ApiKey),
        ),
        (&[("authorization", "Bearer gho_something")], Err(NotPresented::Malformed)),
        (&[("authorization", "Bearer a.b.c.")], Err(NotPresented::Malformed)),
        (&[("authorization", "Bearer  a.b.c")], Err(NotPresented::Malformed)),
        (&[("x-other", &jwt)], Err(NotPresented::Missing)),
    ];
    for (headers, expected) in cases {
        let lines: String =
            headers.iter().map(|(name, value)| format!("\n{name}\n{value}")).collect();
        let facts = format!("GET\nhttps://admin.test/api/v1/me{lines}");
        let found = Presented::find(&Request::parse(&facts).unwrap(), &policy);
        assert_eq!(found.map(drop), *expected, "{headers:?}");
    }
    assert!(NotPresented::Missing.wire().message.contains("an access token"));
}

#[test]
fn a_token_is_of_the_issuer_that_it_names_and_whose_header_it_came_in() {
    let policy = policy();
    let parse = |header: &str, change: Value| {
        let jwt = text(&json!({"alg": "EdDSA", "typ": "at+jwt"}), &claims(change), 64);
        let facts = format!("GET\nhttps://admin.test/api/v1/me\n{header}{jwt}");
        let presented = Presented::find(&Request::parse(&facts).unwrap(), &policy).unwrap();
        let now = Now::from_millis(NOW * 1000);
        let parsed = presented.parse(&policy, now).map(|(place, _)| place);
        let accepted = presented.accept(&policy, now);
        assert_eq!(parsed.err(), accepted.as_ref().err().copied());
        accepted
    };
    let (bearer, own) = ("authorization\nBearer ", "cf-access-jwt-assertion\n");
    let access = json!({"iss": "https://access.test", "aud": ["aud"]});
    let told = parse(bearer, json!({})).unwrap();
    assert_eq!((told.issuer, told.member.as_str()), (0, "auth:user-1"));
    assert_eq!(told.credential, TokenKind::Oauth);
    assert_eq!(parse(own, access.clone()).unwrap().member, "access:user-1");
    assert_eq!(parse(bearer, access).unwrap().credential, TokenKind::Session);
    assert_eq!(parse(own, json!({})), Err(Untrusted::Issuer), "in another's header");
    assert_eq!(parse(bearer, json!({"iss": "https://nobody.test"})), Err(Untrusted::Issuer));
    assert_eq!(parse(bearer, json!({"iss": "https://access.test"})), Err(Untrusted::Audience));
    assert_eq!(parse(bearer, json!({"exp": 1})), Err(Untrusted::Expired));
}

const START: u64 = NOW * 1000;
