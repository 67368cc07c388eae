//! Key sets as issuers publish them, and as they should not: which keys verify a token as served.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Bench;
use super::jose::rsa::INFO_256;
use super::tokens::{changed, token};
use super::verdicts::{Case, HOST, ask};
use crate::issuer::key::{SigningKey, encode};

/// Each set with a token that one of its keys, or what looks like one, has signed.
pub fn keys(bench: &mut Bench) -> Result<()> {
    let cases = cases(bench)?;
    ask(bench, &cases).map(drop)
}

/// The names of those that are refused.
pub fn refused(bench: &Bench) -> Result<Vec<String>> {
    let refused = cases(bench)?.into_iter().filter(|case| !case.is_accepted);
    Ok(refused.map(|case| case.what).collect())
}

fn cases(bench: &Bench) -> Result<Vec<Case>> {
    let issuers = &bench.issuers;
    let (es, rs, ed) = (&issuers.es, &issuers.rs, &issuers.ed);
    let mut cases = Vec::new();
    let mut case = |what: &str, set: Vec<Value>, token: String, is_accepted| {
        let set = json!({ "keys": set }).to_string();
        cases.push(Case { what: what.to_owned(), set, token, text: None, is_accepted });
    };
    for (name, key) in [("ES256", es), ("RS256", rs), ("EdDSA", ed)] {
        let token = signed(key, &json!({}))?;
        for (what, change, is_accepted) in [
            ("as it should be", json!({}), true),
            ("with members of others", json!({ "x5t": "a", "ext": true, "iat": 7 }), true),
            ("without alg, use and key_ops", json!({ "alg": null, "use": null }), true),
            ("to verify", json!({ "key_ops": ["verify"] }), true),
            ("to sign", json!({ "key_ops": ["sign"] }), false),
            ("to encrypt", json!({ "key_ops": ["encrypt"], "alg": null, "use": null }), false),
            ("for encryption", json!({ "use": "enc" }), false),
            ("for encryption, without alg", json!({ "use": "enc", "alg": null }), false),
            ("for HS256", json!({ "alg": "HS256" }), false),
            ("for PS256", json!({ "alg": "PS256" }), false),
            ("for RS512", json!({ "alg": "RS512" }), false),
            ("for ES384", json!({ "alg": "ES384" }), false),
            ("without a kid", json!({ "kid": null }), false),
            ("with another kid", json!({ "kid": "other" }), false),
            ("with a kid that is a number", json!({ "kid": 7 }), false),
            ("with its private part", json!({ "d": "AQAB" }), false),
            ("of no type", json!({ "kty": null }), false),
            ("of another type", json!({ "kty": "oct", "k": "AQAB" }), false),
            ("of another curve", json!({ "crv": "P-384" }), false),
        ] {
            let jwk = changed(key.jwk(), &change);
            case(&format!("{name} {what}"), vec![jwk], token.clone(), is_accepted);
        }
        for member in ["n", "e", "x", "y"] {
            let Some(text) = key.jwk()[member].as_str().map(str::to_owned) else { continue };
            for (what, text) in [
                ("padded", format!("{text}=")),
                ("cut", text[..text.len() / 2].to_owned()),
                ("empty", String::new()),
                ("in hex", "00".repeat(32)),
                ("changed", changed_text(&text)),
            ] {
                let jwk = changed(key.jwk(), &json!({ member: text }));
                case(&format!("{name}, {member} {what}"), vec![jwk], token.clone(), false);
            }
        }
    }
    let token = signed(es, &json!({}))?;
    let broken = [json!(7), json!({}), json!(null), json!({ "kty": "EC" }), json!([])];
    let mut among = broken.to_vec();
    among.extend([rs.jwk(), es.jwk()]);
    case("among what is no key", among, token.clone(), true);
    case("the same key twice", vec![es.jwk(), es.jwk()], token.clone(), true);
    let namesake = changed(rs.jwk(), &json!({ "kid": es.kid }));
    case("two algorithms with one kid", vec![namesake, es.jwk()], token, true);
    // Tokens that name no key are tried with four.
    let nameless = signed(es, &json!({ "kid": null }))?;
    for (others, is_accepted) in [(3, true), (4, false)] {
        let mut set = Vec::new();
        for _ in 0..others {
            set.push(SigningKey::es256()?.jwk());
        }
        set.push(es.jwk());
        case(
            &format!("the token names no key, {others} others"),
            set,
            nameless.clone(),
            is_accepted,
        );
    }
    // With the exponent 1 a signature is the padded text itself: anybody makes it.
    let jwk = changed(rs.jwk(), &json!({ "e": "AQ" }));
    case("RS256 with the exponent 1", vec![jwk], unpadded(rs)?, false);
    Ok(cases)
}

/// A good token for as long as the clock may go.
fn signed(key: &SigningKey, header: &Value) -> Result<String> {
    token(key, HOST, header, &json!({ "exp": 4_102_444_800_u64 }))
}

/// A token whose signature is its padded digest (RFC 8017 §9.2).
fn unpadded(key: &SigningKey) -> Result<String> {
    let good = signed(key, &json!({}))?;
    let (text, _) = good.rsplit_once('.').context("a token")?;
    let info = [INFO_256, &Sha256::digest(text)].concat();
    let mut padded = vec![0xFF; 256 - info.len()];
    padded[..2].copy_from_slice(&[0, 1]);
    if let Some(last) = padded.last_mut() {
        *last = 0;
    }
    padded.extend(info);
    Ok(format!("{text}.{}", encode(padded)))
}

/// Another text of the same form: its first character is another.
pub fn changed_text(text: &str) -> String {
    let first = if text.starts_with('B') { "C" } else { "B" };
    format!("{first}{}", &text[1..])
}
