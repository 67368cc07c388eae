//! Access tokens: which are read, by which key they have to be verified, and what they must say.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::token::{Algorithm, Issuer, KeySet, MAX_TEXT, Subject, Token, Untrusted};
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
    assert_eq!(keys().len(), 3);
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
        (format!("{good}{}", "A".repeat(MAX_TEXT)), Untrusted::Form),
        (format!("{}.{}.AA", encode("[]"), encode("{}")), Untrusted::Header),
        (format!("{}.{}.AA", encode("{\"alg\":7}"), encode("{}")), Untrusted::Header),
        (
            format!("{}.{}.AA", encode("{\"alg\":\"a\",\"alg\":\"b\"}"), encode("{}")),
            Untrusted::Header,
        ),
        (critical, Untrusted::Critical),
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
        until: NOW + 330,
    };
    assert_eq!(told(json!({})), subject);
    assert_eq!(told(json!({"scope": null, "scp": ["a", "b"]})).scopes, ["a", "b"]);
    assert_eq!(told(json!({"scope": null, "scp": "a"})).scopes, ["a"]);
    assert!(told(json!({"scope": null})).scopes.is_empty());
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
