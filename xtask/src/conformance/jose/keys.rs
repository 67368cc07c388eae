//! The kinds of `json_web_key_test.json`: sets of keys, and a token for each.

use anyhow::Result;
use serde_json::{Value, json};

use super::Verdict::{Invalid, Valid};
use super::rsa::{RsaKey, SHA256};
use super::signatures::forged;
use super::{CLAIMS, Kind, SYMMETRIC, secret, set, signed, token};
use crate::conformance::issuers::Issuers;
use crate::conformance::tokens::changed;
use crate::issuer::key::SigningKey;

pub fn kinds(issuers: &Issuers) -> Result<Vec<Kind>> {
    let Issuers { es, rs, ed, .. } = issuers;
    let (oct, symmetric) = secret("HS256", 32, "HS256")?;
    let other = changed(oct.clone(), &json!({ "kid": "other", "k": "AAAA" }));
    let twin = changed(other.clone(), &json!({ "kid": "secret" }));
    let mut kinds = vec![
        Kind::new(
            "mixed set, rejectsValid",
            "1",
            Invalid,
            vec![(set(&[&oct, &es.jwk()]), symmetric.clone())],
        ),
        Kind::new(
            "set of two, acceptsValid",
            "2",
            SYMMETRIC,
            vec![(set(&[&oct, &other]), symmetric.clone())],
        ),
        Kind::new(
            "rejectsDuplicateKid",
            "4",
            Invalid,
            vec![
                (set(&[&oct, &twin]), symmetric.clone()),
                (set(&[&twin, &oct]), symmetric.clone()),
            ],
        ),
        Kind::new(
            "rejectsWrongUse: for RSA1_5",
            "6",
            Invalid,
            vec![(
                set(&[&changed(rs.jwk(), &json!({ "alg": "RSA1_5", "use": "enc" }))]),
                token(rs)?,
            )],
        ),
    ];
    for (key, another) in [
        (es, SigningKey::es256()?.jwk()),
        (ed, SigningKey::eddsa()?.jwk()),
        (rs, RsaKey::usual()?.jwk("RS256")),
    ] {
        let own = set(&[&key.jwk(), &another]);
        let twin = changed(another, &json!({ "kid": key.kid }));
        let token = token(key)?;
        kinds.extend([
            Kind::new("set of two, acceptsValid", "2", Valid, vec![(own.clone(), token.clone())]),
            Kind::new("rejectsModifiedSignature", "3", Invalid, vec![(own, forged(&token)?)]),
            Kind::new(
                "rejectsDuplicateKid",
                "4",
                Invalid,
                vec![
                    (set(&[&key.jwk(), &twin]), token.clone()),
                    (set(&[&twin, &key.jwk()]), token),
                ],
            ),
        ]);
    }
    kinds.push(Kind::new("acceptsValid", "5", Valid, vec![(set(&[&rs.jwk()]), token(rs)?)]));
    for (name, number, key) in [
        ("rejectsKeyWithRocaVulnerability", "7", RsaKey::roca()?),
        ("rejects1024bitRsaKey", "8", RsaKey::short()?),
    ] {
        kinds.push(Kind::new(name, number, Invalid, vec![of_rsa(&key)?]));
    }
    kinds.push(Kind::elsewhere("rejectsPublicExponent1", "9", &["RS256 with the exponent 1"]));
    for (algorithm, bytes, numbers) in [
        ("HS256", [31, 65, 0], ["10", "13", "16"]),
        ("HS384", [47, 65, 0], ["11", "14", "17"]),
        ("HS512", [63, 65, 0], ["12", "15", "18"]),
    ] {
        let of = |name, at: usize, result| -> Result<Kind> {
            let (jwk, token) = secret(algorithm, bytes[at], algorithm)?;
            Ok(Kind::new(name, numbers[at], result, vec![(set(&[&jwk]), token)]))
        };
        kinds.push(of("key_too_short", 0, Invalid)?);
        kinds.push(of("long_key", 1, SYMMETRIC)?);
        kinds.push(of("empty_key", 2, Invalid)?);
    }
    let spoiled = |name: &str, number: &str, change: Value| -> Result<Kind> {
        Ok(Kind::new(
            name,
            number,
            Invalid,
            vec![(set(&[&changed(es.jwk(), &change)]), token(es)?)],
        ))
    };
    kinds.push(spoiled("mismatchedAlgAndCurve", "19", json!({ "alg": "ES521" }))?);
    kinds.push(spoiled("mismatchedAlgAndCurve", "20", json!({ "alg": "ES224" }))?);
    kinds.push(Kind::elsewhere("invalid_use", "21", &["ES256 for encryption"]));
    kinds.push(Kind::elsewhere("invalid_point", "22", &["ES256, x changed", "ES256, y changed"]));
    kinds.push(Kind::elsewhere("wrong_curve", "23", &["ES256 of another curve"]));
    kinds.push(spoiled("wrong_kty", "24", json!({ "kty": "RSA" }))?);
    for (number, cipher) in [("25", "A256GCM"), ("26", "A256KW")] {
        let (jwk, token) = secret("HS256", 32, cipher)?;
        kinds.push(Kind::new("rejectsAesKey", number, Invalid, vec![(set(&[&jwk]), token)]));
    }
    Ok(kinds)
}

/// A key with its good token.
fn of_rsa(key: &RsaKey) -> Result<(Value, String)> {
    let header = json!({ "alg": "RS256", "kid": "rsa" });
    let token = signed(&header, CLAIMS.as_bytes(), |text| Ok(key.signed(&SHA256, text)))?;
    Ok((set(&[&key.jwk("RS256")]), token))
}
