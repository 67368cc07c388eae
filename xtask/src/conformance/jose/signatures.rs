//! The kinds of `json_web_signature_test.json`: texts that are tokens, and texts that look like some.

use anyhow::{Result, ensure};
use num_bigint::BigUint;
use serde_json::{Value, json};

use super::Verdict::{Forbidden, Invalid, Valid};
use super::padding::{CHANGES, ELEMENTS, info};
use super::rsa::{Fault, Hash, Place, RsaKey, SHA256, SHA384, SHA512};
use super::{CLAIMS, Kind, SYMMETRIC, Verdict, header, joined, parts, secret, set, signed, token};
use crate::conformance::issuers::Issuers;
use crate::conformance::keysets::changed_text;
use crate::conformance::tokens::changed;
use crate::issuer::key::{SigningKey, encode};

pub fn kinds(issuers: &Issuers) -> Result<Vec<Kind>> {
    let mut kinds = forms(issuers)?;
    let key = RsaKey::usual()?;
    kinds.extend(modified_padding(&key)?);
    kinds.extend(payloads(issuers, &key)?);
    kinds.extend(other_rsa(&key)?);
    kinds.extend(modified_pss(&key)?);
    kinds.extend(other_uses()?);
    kinds.extend(encodings(issuers)?);
    kinds.extend(special_ecdsa(issuers)?);
    Ok(kinds)
}

/// A token that its signature does not fit.
pub fn forged(token: &str) -> Result<String> {
    let [header, payload, signature] = parts(token)?;
    Ok(format!("{header}.{payload}.{}", changed_text(signature)))
}

type Form = fn(&str, [&str; 3]) -> Vec<String>;

/// Valid tokens, of HS256 and of each algorithm that is taken, and what is left of them.
fn forms(issuers: &Issuers) -> Result<Vec<Kind>> {
    let (secret, symmetric) = secret("HS256", 32, "HS256")?;
    let mut each = vec![(set(&[&secret]), symmetric)];
    for (_, key) in issuers.each() {
        each.push((set(&[&key.jwk()]), token(key)?));
    }
    let (one, rest) = each.split_at(1);
    let mut kinds = vec![
        Kind::new("acceptsValid", "1 348 352", SYMMETRIC, one.to_vec()),
        Kind::new("acceptsValid", "18 33", Valid, rest.to_vec()),
        Kind::elsewhere(
            "rejectsNoneAlgorithmAndMissingSignature, algIsNone",
            "16 341-344",
            &[
                "alg \"none\" without a signature",
                "alg \"NONE\" without a signature",
                "alg \"none\" without a signature, no kid",
                "alg \"NONE\" without a signature, no kid",
                "alg \"none\" without a signature, kid none",
            ],
        ),
        Kind::elsewhere(
            "rejectsSymmetryConfusionAttacks",
            "31",
            &[
                "HS256 with the x of es.test",
                "HS256 with the DER of es.test",
                "HS256 with the n of rs.test",
                "HS256 with the PEM of rs.test",
                "HS256 with the x of ed.test",
            ],
        ),
        Kind::elsewhere(
            "rejectsAttackerProvidedEmbeddedJwk",
            "32",
            &["own key by jwk", "own key by jwk and the issuer's kid"],
        ),
    ];
    for (name, numbers, form) in FORMS {
        let mut tokens = Vec::new();
        for (set, token) in &each {
            let forms = form(token, parts(token)?);
            tokens.extend(forms.into_iter().map(|form| (set.clone(), form)));
        }
        kinds.push(Kind::new(name, numbers, Invalid, tokens));
    }
    Ok(kinds)
}

const FORMS: &[(&str, &str, Form)] = &[
    ("rejectsModifiedSignature", "2 19 34", |_, [h, p, s]| {
        vec![format!("{h}.{p}.{}", changed_text(s))]
    }),
    ("rejectsMissingSignature", "3 20 35", |_, [h, p, _]| vec![format!("{h}.{p}.")]),
    ("rejectsMissingSignatureAndSeparator", "4 21 36", |_, [h, p, _]| vec![format!("{h}.{p}")]),
    ("rejectsModifiedPayload", "5 22 37", |_, [h, _, s]| {
        vec![format!("{h}.{}.{s}", encode(CLAIMS.replace("case", "root")))]
    }),
    ("rejectsMissingPayload", "6 23 38", |_, [h, _, s]| vec![format!("{h}..{s}")]),
    ("rejectsMissingPayloadAndSeparator", "7 24 39", |_, [h, _, s]| vec![format!("{h}.{s}")]),
    ("rejectsModifiedHeader", "8 25 40", |_, [h, p, s]| {
        let header = data_encoding::BASE64URL_NOPAD.decode(h.as_bytes()).unwrap_or_default();
        let header = String::from_utf8_lossy(&header).into_owned();
        let other_kid = header.replace("\"kid\":\"", "\"kid\":\"X");
        let another_member = header.replace('{', "{\"typ\":\"JWT\",");
        [other_kid, another_member].map(|header| format!("{}.{p}.{s}", encode(header))).to_vec()
    }),
    ("rejectsMissingHeader", "9 26 41", |_, [_, p, s]| vec![format!(".{p}.{s}")]),
    ("rejectsMissingHeaderAndSeparator", "10 27 42", |_, [_, p, s]| vec![format!("{p}.{s}")]),
    ("rejectsMissingHeaderAndSignature", "11 28 43", |_, [_, p, _]| vec![format!(".{p}.")]),
    ("rejectsMissingHeaderSignatureAndSeparators", "12 29 44", |_, [_, p, _]| vec![p.to_owned()]),
    ("rejectsEmptyString", "13 30 45", |_, _| vec![String::new()]),
    ("rejectsExtraEmptyComponent", "14", |token, _| vec![format!("{token}.")]),
    ("rejectsExtraComponent", "15", |token, _| {
        vec![format!("{token}.foo"), format!("{token}.e30")]
    }),
    ("rejectsValidJsonSerialization", "17", |_, [h, p, s]| {
        let general = json!({ "payload": p, "signatures": [{ "protected": h, "signature": s }] });
        let flattened = json!({ "payload": p, "protected": h, "signature": s });
        vec![general.to_string(), flattened.to_string()]
    }),
];

/// PKCS #1 with DER that is not the one that must be there.
fn modified_padding(key: &RsaKey) -> Result<Vec<Kind>> {
    let set = set(&[&key.jwk("RS256")]);
    let header = json!({ "alg": "RS256", "kid": "rsa" });
    let sign = |info: &dyn Fn(&[u8]) -> Vec<u8>| {
        signed(&header, CLAIMS.as_bytes(), |text| Ok(key.pkcs1(&info(text))))
    };
    let good = sign(&|text| info(text, super::padding::Element::Null, |_, _| vec![5, 0]))?;
    let mut kinds = vec![Kind::new("acceptsValid", "33", Valid, vec![(set.clone(), good)])];
    for (name, numbers, change) in CHANGES {
        for (element, numbers) in ELEMENTS.iter().zip(numbers) {
            let count = super::numbers(numbers)?.len();
            let mut tokens = Vec::new();
            for variant in 0..count {
                let changed =
                    |tag, own: &[u8]| change(tag, own).get(variant).cloned().unwrap_or_default();
                tokens.push((set.clone(), sign(&|text| info(text, *element, changed))?));
                ensure!(change(0x30, &[0; 40]).len() == count, "{name}: not {count} variants");
            }
            if count > 0 {
                let name = format!("ModifiedPadding, {element:?}: {name}");
                kinds.push(Kind::new(&name, numbers, Invalid, tokens));
            }
        }
    }
    Ok(kinds)
}

/// What is signed by RS256 may be anything.
fn payloads(issuers: &Issuers, key: &RsaKey) -> Result<Vec<Kind>> {
    let header = json!({ "alg": "RS256", "kid": "rsa" });
    let own = set(&[&key.jwk("RS256")]);
    let mut kinds = Vec::new();
    for (name, numbers, payload) in PAYLOADS {
        let text = format!("{}.{}", encode(header.to_string()), encode(payload));
        let signature = key.signed(&SHA256, text.as_bytes());
        kinds.push(Kind::of_texts(name, numbers, &own, vec![(header.clone(), text, signature)]));
    }
    let rs = &issuers.rs;
    let verify = changed(rs.jwk(), &json!({ "use": null, "key_ops": ["verify"] }));
    for (name, number, jwk) in [("rfc7520", "345", rs.jwk()), ("rfc7520WithKeyOps", "349", verify)]
    {
        let header = super::header(rs);
        let text =
            format!("{}.{}", encode(header.to_string()), encode("“It’s a dangerous business …”"));
        let signature = rs.sign(text.as_bytes())?;
        kinds.push(Kind::of_texts(name, number, &set(&[&jwk]), vec![(header, text, signature)]));
    }
    Ok(kinds)
}

const PAYLOADS: &[(&str, &str, &[u8])] = &[
    ("emptyPayload", "259", b""),
    ("allZeroPayload", "260", &[0; 20]),
    ("oneBytePayload", "261", b"a"),
    ("normalPayload", "262", b"Test"),
    ("normalPayload", "263", &[0xE0, 0xF0, 0xFF]),
];

/// Good signatures of algorithms that are not taken, and such with the name of another.
fn other_rsa(key: &RsaKey) -> Result<Vec<Kind>> {
    let pss = |hash: &Hash, text: &[u8]| key.pss(hash, text, &vec![7; hash.bytes()], None);
    let sign = |algorithm: &str, text: &[u8]| match algorithm {
        "RS256" => key.signed(&SHA256, text),
        "RS384" => key.signed(&SHA384, text),
        "RS512" => key.signed(&SHA512, text),
        "PS256" => pss(&SHA256, text),
        "PS384" => pss(&SHA384, text),
        _ => pss(&SHA512, text),
    };
    let token =
        |made: &str, named: &str, of_key: &str, payload: &[u8]| -> Result<(Value, String)> {
            let header = json!({ "alg": named, "kid": "rsa" });
            let token = signed(&header, payload, |text| Ok(sign(made, text)))?;
            Ok((set(&[&key.jwk(of_key)]), token))
        };
    let mut kinds = Vec::new();
    for (algorithm, numbers) in [
        ("RS384", "264-267"),
        ("RS512", "268-271"),
        ("PS256", "272-275"),
        ("PS384", "320-323"),
        ("PS512", "325-328"),
    ] {
        let mut tokens = vec![token(algorithm, algorithm, algorithm, CLAIMS.as_bytes())?];
        for (_, _, payload) in PAYLOADS {
            tokens.push(token(algorithm, algorithm, algorithm, payload)?);
        }
        // The key would be taken.
        tokens.push(token(algorithm, algorithm, "RS256", CLAIMS.as_bytes())?);
        tokens.push(token(algorithm, "RS256", "RS256", CLAIMS.as_bytes())?);
        let last = tokens.split_off(tokens.len() - 1);
        let name = format!("{algorithm}: payloads");
        kinds.push(Kind::new(&name, numbers, NOT_TAKEN, tokens));
        kinds.push(Kind::new(&format!("{algorithm} as RS256"), "331-340", Invalid, last));
    }
    for (number, key_ops) in [("346", false), ("350", true)] {
        let (mut set, token) = token("PS384", "PS384", "PS256", CLAIMS.as_bytes())?;
        if key_ops {
            set["keys"][0] =
                changed(set["keys"][0].clone(), &json!({ "use": null, "key_ops": ["verify"] }));
        }
        kinds.push(Kind::new("PS384 by a key for PS256", number, NOT_TAKEN, vec![(set, token)]));
    }
    for (made, numbers) in [
        ("RS256", "331 332"),
        ("RS384", "333 334"),
        ("RS512", "335 336"),
        ("PS256", "337 338"),
        ("PS384", "339 340"),
    ] {
        let name = format!("Using{made} with a key for PS512");
        let named = ["PS512", made].map(|named| token(made, named, "PS512", CLAIMS.as_bytes()));
        kinds.push(Kind::new(&name, numbers, Invalid, named.into_iter().collect::<Result<_>>()?));
    }
    Ok(kinds)
}

const NOT_TAKEN: Verdict = Forbidden("the algorithm is none of those that are taken");

/// PSS with something else than must be there; with the name PS256, and as if it were RS256.
fn modified_pss(key: &RsaKey) -> Result<Vec<Kind>> {
    let mut kinds = Vec::new();
    let mut kind =
        |name: &str, numbers: &str, result, sign: &dyn Fn(&[u8], u16) -> Vec<u8>| -> Result<()> {
            let mut tokens = Vec::new();
            for (variant, _) in (0..).zip(super::numbers(numbers)?) {
                for algorithm in ["PS256", "RS256"] {
                    let header = json!({ "alg": algorithm, "kid": "rsa" });
                    let token = signed(&header, CLAIMS.as_bytes(), |text| Ok(sign(text, variant)))?;
                    tokens.push((set(&[&key.jwk(algorithm)]), token));
                }
            }
            kinds.push(Kind::new(name, numbers, result, tokens));
            Ok(())
        };
    for (name, numbers, faults) in FAULTS {
        ensure!(super::numbers(numbers)?.len() == faults.len(), "{name}: {}", faults.len());
        kind(name, numbers, Invalid, &|text, variant| {
            let (place, at, bits) = faults[usize::from(variant)];
            key.pss(&SHA256, text, &[7; 32], Some(Fault { place, at, bits }))
        })?;
    }
    let lengths = [0, 1, 20, 31, 33, 222];
    kind("SaltLenChanged", "281-286", Invalid, &|text, variant| {
        key.pss(&SHA256, text, &vec![7; lengths[usize::from(variant)]], None)
    })?;
    kind("saltIsAll0", "287", NOT_TAKEN, &|text, _| key.pss(&SHA256, text, &[0; 32], None))?;
    kind("saltIsAll1", "288", NOT_TAKEN, &|text, _| key.pss(&SHA256, text, &[0xFF; 32], None))?;
    let n = key.modulus();
    let good = |text: &[u8]| key.pss(&SHA256, text, &[7; 32], None);
    let one = BigUint::from(1u8);
    kind("SignatureIs0", "312", Invalid, &|_, _| vec![0; key.bytes()])?;
    kind("SignatureIs1", "313", Invalid, &|_, _| key.number(&one))?;
    kind("SignatureIsNsub1", "314", Invalid, &|_, _| key.number(&(n - &one)))?;
    kind("SignatureIsn", "315", Invalid, &|_, _| key.number(n))?;
    kind("SignatureIsnotReduced", "316", Invalid, &|text, _| {
        key.number(&(BigUint::from_bytes_be(&good(text)) + n))
    })?;
    kind("prependingZerosToSignature", "317", Invalid, &|text, _| {
        [vec![0; 2], good(text)].concat()
    })?;
    kind("appendingZerosToSignature", "318", Invalid, &|text, _| {
        [good(text), vec![0; 2]].concat()
    })?;
    kind("truncatedSignature", "319", Invalid, &|text, _| good(text)[..key.bytes() - 2].to_vec())?;
    // The same of RS256, and of the hashes of PS384 and PS512.
    for (name, numbers, hash, named, fault) in [
        ("PS384: modifiedSignature", "324", &SHA384, "PS384", 0),
        ("PS512: FirstByteOfMhashModified", "329", &SHA512, "PS512", 0),
        ("PS512: LastByteOfMhashModified", "330", &SHA512, "PS512", -1),
    ] {
        let header = json!({ "alg": named, "kid": "rsa" });
        let fault = Fault { place: Place::Digest, at: fault, bits: 1 };
        let token = signed(&header, CLAIMS.as_bytes(), |text| {
            Ok(key.pss(hash, text, &vec![7; hash.bytes()], Some(fault)))
        })?;
        kinds.push(Kind::new(name, numbers, Invalid, vec![(set(&[&key.jwk(named)]), token)]));
    }
    kinds.push(numbers_of_rs256(key)?);
    Ok(kinds)
}

type Change = fn(&RsaKey, Vec<u8>) -> Vec<u8>;

/// What [`modified_pss`] has of numbers in the place of signatures, of signatures that were good.
fn numbers_of_rs256(key: &RsaKey) -> Result<Kind> {
    let header = json!({ "alg": "RS256", "kid": "rsa" });
    let own = set(&[&key.jwk("RS256")]);
    let changes: [Change; 4] = [
        |key, good| key.number(&(BigUint::from_bytes_be(&good) + key.modulus())),
        |_, good| [vec![0; 2], good].concat(),
        |_, good| [good, vec![0; 2]].concat(),
        |_, good| good[..good.len() - 2].to_vec(),
    ];
    let mut tokens = Vec::new();
    for change in changes {
        let sign = |text: &[u8]| Ok(change(key, key.signed(&SHA256, text)));
        tokens.push((own.clone(), signed(&header, CLAIMS.as_bytes(), sign)?));
    }
    Ok(Kind::new("… the last four, of RS256", "316-319", Invalid, tokens))
}

type Faults = (&'static str, &'static str, &'static [(Place, isize, u8)]);

const FAULTS: &[Faults] = &[
    (
        "MhashModified",
        "276-279",
        &[
            (Place::Digest, 0, 1),
            (Place::Digest, 0, 0x80),
            (Place::Digest, 8, 1),
            (Place::Digest, 16, 0xFF),
        ],
    ),
    ("lastByteOfMhashModified", "280", &[(Place::Digest, -1, 1)]),
    (
        "ZeroPaddingModified",
        "289-291",
        &[(Place::Zeros, 0, 1), (Place::Zeros, 3, 0x80), (Place::Zeros, -1, 1)],
    ),
    (
        "ModifiedHash",
        "292-299",
        &[
            (Place::Hash, 0, 1),
            (Place::Hash, 0, 0x80),
            (Place::Hash, 3, 1),
            (Place::Hash, 7, 0x80),
            (Place::Hash, 8, 1),
            (Place::Hash, 16, 1),
            (Place::Hash, -1, 1),
            (Place::Hash, -1, 0x80),
        ],
    ),
    (
        "PSModified",
        "300-305",
        &[
            (Place::Data, 0, 1),
            (Place::Data, 1, 0x80),
            (Place::Data, 7, 1),
            (Place::Data, 100, 0xFF),
            (Place::Data, -34, 1),
            (Place::Data, -33, 3),
        ],
    ),
    ("SaltModified", "306 307", &[(Place::Data, -32, 1), (Place::Data, -1, 1)]),
    ("MaskedDbChanged", "308", &[(Place::Masked, 50, 1)]),
    (
        "EmModified",
        "309-311",
        &[(Place::Padded, -1, 1), (Place::Padded, -1, 0xFF), (Place::Padded, 0, 0x80)],
    ),
];

/// Keys for something else, and a curve that is not taken.
fn other_uses() -> Result<Vec<Kind>> {
    let mut kinds = vec![
        Kind::elsewhere(
            "rejectWrongUse",
            "353 354",
            &[
                "RS256 for encryption, without alg",
                "ES256 for encryption, without alg",
                "EdDSA for encryption, without alg",
            ],
        ),
        Kind::elsewhere(
            "rejectWrongKeyOps",
            "355 356",
            &["RS256 to encrypt", "ES256 to encrypt", "EdDSA to encrypt"],
        ),
    ];
    let header = json!({ "alg": "ES512", "kid": "p521" });
    let signature = data_encoding::BASE64URL_NOPAD.decode(P521_SIGNATURE.as_bytes())?;
    let token = joined(&header, CLAIMS.as_bytes(), &signature);
    let jwk = json!({
        "kty": "EC", "crv": "P-521", "alg": "ES521", "kid": "p521", "x": P521_X, "y": P521_Y,
    });
    for (number, change) in
        [("347", json!({ "use": "sig" })), ("351", json!({ "key_ops": ["verify"] }))]
    {
        let set = set(&[&changed(jwk.clone(), &change)]);
        kinds.push(Kind::new("ES512", number, NOT_TAKEN, vec![(set, token.clone())]));
    }
    Ok(kinds)
}

/// base64url as it should not be, and JSON as it may be.
fn encodings(issuers: &Issuers) -> Result<Vec<Kind>> {
    ensure!(encode(CLAIMS).ends_with("fQ"), "claims that end within three bytes");
    let mut kinds = Vec::new();
    let (jwk, symmetric) = secret("HS256", 32, "HS256")?;
    kinds.push(Kind::new("ValidMac", "357-359", SYMMETRIC, vec![(set(&[&jwk]), symmetric)]));
    let es = set(&[&issuers.es.jwk()]);
    for (numbers, first, spoiled) in [("358", 'A', "363"), ("359", '_', "364")] {
        let token = beginning_with(&issuers.es, first)?;
        let [header, payload, signature] = parts(&token)?;
        let other = format!("{header}.{payload}.?{}", &signature[1..]);
        kinds.push(Kind::new("ValidEdgeCase", numbers, Valid, vec![(es.clone(), token.clone())]));
        let name = "rejectsInvalidCharacter in a place of all 0s or 1s";
        kinds.push(Kind::new(name, spoiled, Invalid, vec![(es.clone(), other)]));
    }
    for (name, numbers, result, form) in ENCODINGS {
        let mut tokens = Vec::new();
        for (_, key) in issuers.each() {
            let (header, payload) = (encode(header(key).to_string()), encode(CLAIMS));
            for [signed, sent] in form(&header, &payload) {
                let signature = encode(key.sign(signed.as_bytes())?);
                tokens.push((set(&[&key.jwk()]), sent.replace("SIGNATURE", &signature)));
            }
        }
        kinds.push(Kind::new(name, numbers, *result, tokens));
    }
    for (name, number, from, to) in [
        ("ValidSpacesInJsonHeader", "376", ":", " : "),
        ("ValidWhiteSpaceInJsonHeader", "377", ",", ",\n\t"),
    ] {
        let mut tokens = Vec::new();
        for (_, key) in issuers.each() {
            let header = header(key).to_string().replace(from, to);
            let text = format!("{}.{}", encode(header), encode(CLAIMS));
            let token = format!("{text}.{}", encode(key.sign(text.as_bytes())?));
            tokens.push((set(&[&key.jwk()]), token));
        }
        kinds.push(Kind::new(name, number, Valid, tokens));
    }
    Ok(kinds)
}

/// What is signed and what is sent, for a header and a payload in base64url.
type Encoding = fn(&str, &str) -> Vec<[String; 2]>;

const ENCODINGS: &[(&str, &str, Verdict, Encoding)] = &[
    ("rejectsSpacesInMac", "360", Invalid, |h, p| original(h, p, ["{h}.{p}.    SIGNATURE"])),
    ("rejectsInvalidCharacterInsertedInMac", "361 362", Invalid, |h, p| {
        original(h, p, ["{h}.{p}.?SIGNATURE", "{h}.{p}.SIGNATURE?"])
    }),
    ("spacesInHeader", "365", Invalid, |h, p| as_sent(h, p, ["{h}    .{p}"])),
    ("invalidCharactersInHeader", "366", Invalid, |h, p| as_sent(h, p, ["{h}####.{p}"])),
    // In the file these two are the text of 357: their padding is lost.
    ("invalidBase64Padding", "367", Invalid, |h, p| as_sent(h, p, ["{h}=.{p}", "{h}==.{p}"])),
    ("invalidBase64PaddingInPayload", "370", Invalid, |h, p| {
        as_sent(h, p, ["{h}.{p}=", "{h}.{p}=="])
    }),
    ("spacesInPayload", "368", Invalid, |h, p| as_sent(h, p, ["{h}.    {p}"])),
    ("invalidCharactersInPayload", "369 371", Invalid, |h, p| {
        as_sent(h, p, ["{h}.####{p}", "{h}.?{p}"])
    }),
    ("InvalidCharacterInsertedInHeader", "372", NO_OTHER_CHARACTERS, |h, p| {
        let (start, end) = h.split_at(h.len() - 1);
        let sent = format!("{start}?{end}.{p}.SIGNATURE");
        vec![[format!("{h}.{p}"), sent]]
    }),
    ("InvalidCharacterInsertedInPayload", "373", NO_OTHER_CHARACTERS, |h, p| {
        original(h, p, ["{h}.{p}?.SIGNATURE"])
    }),
    // The last character of the payload stands for bits that are not there.
    ("ModifiedUnusedBitsInPayload", "374", Invalid, |h, p| {
        let sent = format!("{h}.{}", with_unused_bits(p));
        vec![[sent.clone(), format!("{sent}.SIGNATURE")]]
    }),
    ("MacOfIncorrectlyEncodedMessage", "375", Invalid, |h, p| {
        vec![[format!("{h}.{p}"), format!("{h}.{}.SIGNATURE", with_unused_bits(p))]]
    }),
];

/// RFC 7515 §2: base64url without other characters.
const NO_OTHER_CHARACTERS: Verdict = Forbidden("`?` is no character of base64url");

/// The signature is the good token's.
fn original<const N: usize>(header: &str, payload: &str, sent: [&str; N]) -> Vec<[String; 2]> {
    let fill = |text: &str| text.replace("{h}", header).replace("{p}", payload);
    sent.map(|sent| [fill("{h}.{p}"), fill(sent)]).to_vec()
}

/// The signature is of what is sent.
fn as_sent<const N: usize>(header: &str, payload: &str, signed: [&str; N]) -> Vec<[String; 2]> {
    let fill = |text: &str| text.replace("{h}", header).replace("{p}", payload);
    signed.map(|signed| [fill(signed), format!("{}.SIGNATURE", fill(signed))]).to_vec()
}

/// Four bits of its last character are not used, as [`encodings`] checks.
fn with_unused_bits(payload: &str) -> String {
    format!("{}R", payload.trim_end_matches('Q'))
}

/// A token whose signature begins so.
fn beginning_with(key: &SigningKey, first: char) -> Result<String> {
    loop {
        let token = token(key)?;
        if parts(&token)?[2].starts_with(first) {
            return Ok(token);
        }
    }
}

/// Two numbers in the place of an ES256 signature.
fn special_ecdsa(issuers: &Issuers) -> Result<Vec<Kind>> {
    let key = &issuers.es;
    let order = BigUint::from_bytes_be(P256_ORDER);
    let two_to_256 = BigUint::from(1u8) << 256u32;
    let of = |sign: &dyn Fn(BigUint, BigUint) -> Vec<u8>| -> Result<Vec<(Value, String)>> {
        let token = signed(&header(key), CLAIMS.as_bytes(), |text| {
            let signature = key.sign(text)?;
            let (r, s) = signature.split_at(32);
            Ok(sign(BigUint::from_bytes_be(r), BigUint::from_bytes_be(s)))
        })?;
        Ok(vec![(set(&[&key.jwk()]), token)])
    };
    let both = |r: &BigUint, s: &BigUint, bytes| [padded(r, bytes), padded(s, bytes)].concat();
    let mut kinds = vec![
        Kind::new("valid, the other s", "378", Valid, of(&|r, s| both(&r, &(&order - s), 32))?),
        Kind::new("SignatureTooLong", "379", Invalid, of(&|r, s| both(&r, &s, 33))?),
        Kind::new(
            "TrailingZeros",
            "380",
            Invalid,
            of(&|r, s| [padded(&r, 32), vec![0], padded(&s, 32), vec![0]].concat())?,
        ),
        Kind::new("RisTooBig", "381", Invalid, of(&|r, s| both(&(r + &order), &s, 33))?),
        Kind::new("SisTooBig", "382", Invalid, of(&|r, s| both(&r, &(s + &order), 33))?),
        Kind::new("IntegerOverflow", "383", Invalid, of(&|r, s| both(&(r + &two_to_256), &s, 33))?),
        Kind::new("IntegerOverflow", "384", Invalid, of(&|r, s| both(&r, &(s + &two_to_256), 33))?),
        Kind::new("BufferOverflow", "385", Invalid, of(&|r, s| both(&r, &s, 256))?),
    ];
    let one = BigUint::from(1u8);
    let names = ["Zero", "One", "Nminus1", "N"];
    let values = [BigUint::ZERO, one.clone(), &order - &one, order.clone()];
    let mut number = 386;
    for (r_name, r) in names.iter().zip(&values) {
        for (s_name, s) in names.iter().zip(&values) {
            let name = format!("rIs{r_name}_sIs{s_name}");
            let tokens = of(&|_, _| both(r, s, 32))?;
            kinds.push(Kind::new(&name, &number.to_string(), Invalid, tokens));
            number += 1;
        }
    }
    Ok(kinds)
}

fn padded(number: &BigUint, bytes: usize) -> Vec<u8> {
    let number = number.to_bytes_be();
    [vec![0; bytes.saturating_sub(number.len())], number].concat()
}

/// The order of P-256 (FIPS 186-5).
const P256_ORDER: &[u8] = &[
    0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6,
    0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];
/// A key that OpenSSL made, and its signature over a good token with the header of [`other_uses`]: ring has not that curve.
const P521_X: &str =
    "AIk5tJ3Qr9bowgHogSBY8jTaeL2s07wb4CGVC88rLsfu-_Jf99gy62PTFf8k4khN2hAW_xzRZU9rbr6Z8wHalKQf";
const P521_Y: &str =
    "ACnIWFlKtP7WTZrrXpmqqbsUBTKSo-Jkz92vmRJJYOyFpLr5ILXnzMFmvzGNMMQpi2NnmpR5XJd86TZI6pqbiq2G";
const P521_SIGNATURE: &str = "AKoiwKs-i8mOdEA_TaaeuIIlP9F41PN7Aygxp0cdrbh1QlvpayXO2tPWXsEPTVp_eDXfc6GOtyyeRrUGrYshydkyAV_gzN1i0OEXAx5XgPGEAEbwIQNf0rUyY74uKkht8PFgkEQ57bzLKSAOayufrRhPtCLJ7RvabNMgPodJWkU0acIF";
