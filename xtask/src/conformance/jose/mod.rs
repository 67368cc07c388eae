//! Project Wycheproof's sets for JSON Web Signature and JSON Web Key, made again for the verifier as it is served.
//!
//! The files `testvectors_v1/json_web_signature_test.json` (401 cases) and `json_web_key_test.json` (26) of C2SP/wycheproof
//! are in no package. So each kind of their cases is made here with keys of our own: for the algorithm that the
//! file has, and where it is one that is not taken, for those that are taken too. Each [`Kind`] says for which
//! numbers (`tcId`) it stands, and the program checks that no number is left out.

mod keys;
mod padding;
pub mod rsa;
mod signatures;

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use ring::hmac;
use serde_json::{Value, json};

use super::verdicts::{CLAIMS, Case, ask};
use super::{Bench, keysets, tokens};
use crate::checkout::say;
use crate::issuer::key::{SigningKey, encode};

/// One kind of the file's cases, and ours for it.
#[derive(Debug)]
struct Kind {
    /// The file's comment, or what several have in common.
    name: String,
    /// As `1 4-6`.
    numbers: String,
    result: Verdict,
    cases: Vec<Case>,
    /// Cases of the programs `tokens::refused` and `keysets::keys`, by their names.
    elsewhere: &'static [&'static str],
}

/// What the file says, and what is said here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// As the file says.
    Valid,
    /// As the file says.
    Invalid,
    /// Valid in the file and refused here, for this reason.
    Forbidden(&'static str),
}

/// Nothing is accepted but what is valid in the files and of an algorithm that is taken, and that is.
pub fn sets(bench: &mut Bench) -> Result<()> {
    let mut cases = Vec::new();
    let known: BTreeSet<String> = keysets::refused(bench)?
        .into_iter()
        .chain(tokens::unbelievable(&bench.issuers)?.into_iter().map(|(what, _)| what))
        .collect();
    for (file, count, valid, kinds) in [
        ("json_web_signature", 401, VALID_SIGNATURES, signatures::kinds(&bench.issuers)?),
        ("json_web_key", 26, VALID_KEYS, keys::kinds(&bench.issuers)?),
    ] {
        let (mut held, valid) = (BTreeSet::new(), numbers(valid)?);
        for kind in &kinds {
            let numbers = numbers(&kind.numbers)?;
            for name in kind.elsewhere {
                ensure!(known.contains(*name), "{file}, {}: no case {name}", kind.name);
            }
            let is_there = !kind.cases.is_empty() || !kind.elsewhere.is_empty();
            ensure!(is_there && !numbers.is_empty(), "{file}, {}: nothing", kind.name);
            let is_valid = kind.result != Verdict::Invalid;
            let is_so = numbers.iter().all(|number| valid.contains(number) == is_valid);
            ensure!(is_so, "{file}, {}: another verdict than the file's", kind.name);
            held.extend(numbers);
        }
        ensure!(held == (1..=count).collect(), "{file}: only {held:?}");
        let forbidden = kinds.iter().filter(|kind| matches!(kind.result, Verdict::Forbidden(_)));
        say(format!(
            "Wycheproof {file}: {count} numbers in {} kinds, {} of them stricter here",
            kinds.len(),
            forbidden.count()
        ));
        cases.extend(kinds.into_iter().flat_map(|kind| kind.cases));
    }
    let (accepted, refused) = ask(bench, &cases)?;
    say(format!("Wycheproof JOSE: {accepted} accepted, {refused} refused, as they should be"));
    Ok(())
}

fn numbers(text: &str) -> Result<BTreeSet<u16>> {
    let mut all = BTreeSet::new();
    for part in text.split_whitespace() {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        all.extend(first.parse::<u16>()?..=last.parse()?);
    }
    Ok(all)
}

impl Kind {
    /// Tokens with the sets by which they are to be verified.
    fn new(name: &str, numbers: &str, result: Verdict, tokens: Vec<(Value, String)>) -> Self {
        let cases = tokens.into_iter().map(|(set, token)| case(name, numbers, result, &set, token));
        let (name, numbers, cases) = (name.to_owned(), numbers.to_owned(), cases.collect());
        Self { name, numbers, result, cases, elsewhere: &[] }
    }

    /// Refused, and in another program.
    fn elsewhere(name: &str, numbers: &str, elsewhere: &'static [&'static str]) -> Self {
        Self { elsewhere, ..Self::new(name, numbers, Verdict::Invalid, Vec::new()) }
    }

    /// Signatures over texts that are no tokens, as WebCrypto is given them in the place of one's own.
    fn of_texts(
        name: &str,
        numbers: &str,
        set: &Value,
        texts: Vec<(Value, String, Vec<u8>)>,
    ) -> Self {
        let cases = texts.into_iter().map(|(header, text, signature)| {
            let token = joined(&header, CLAIMS.as_bytes(), &signature);
            let case = case(name, numbers, Verdict::Valid, set, token);
            Case { text: Some(text.into_bytes()), ..case }
        });
        let cases = cases.collect();
        Self { cases, ..Self::new(name, numbers, Verdict::Valid, Vec::new()) }
    }
}

fn case(name: &str, numbers: &str, result: Verdict, set: &Value, token: String) -> Case {
    let reason = match result {
        Verdict::Valid | Verdict::Invalid => String::new(),
        Verdict::Forbidden(reason) => format!(", refused because {reason}"),
    };
    Case {
        what: format!("{name} ({numbers}){reason}"),
        set: set.to_string(),
        token,
        text: None,
        is_accepted: result == Verdict::Valid,
    }
}

/// A set of these keys.
fn set(keys: &[&Value]) -> Value {
    json!({ "keys": keys })
}

fn header(key: &SigningKey) -> Value {
    json!({ "alg": key.algorithm(), "kid": key.kid })
}

/// A good token.
fn token(key: &SigningKey) -> Result<String> {
    signed(&header(key), CLAIMS.as_bytes(), |text| key.sign(text))
}

/// A token whose signature is made so.
fn signed(
    header: &Value,
    payload: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>>,
) -> Result<String> {
    let text = format!("{}.{}", encode(header.to_string()), encode(payload));
    Ok(format!("{text}.{}", encode(sign(text.as_bytes())?)))
}

fn joined(header: &Value, payload: &[u8], signature: &[u8]) -> String {
    format!("{}.{}.{}", encode(header.to_string()), encode(payload), encode(signature))
}

/// The three parts of a token.
fn parts(token: &str) -> Result<[&str; 3]> {
    token.split('.').collect::<Vec<_>>().try_into().ok().context("three parts")
}

/// A secret of so many bytes as a key, and its good token.
fn secret(algorithm: &str, bytes: u8, named: &str) -> Result<(Value, String)> {
    let secret: Vec<u8> = (0..bytes).collect();
    let jwk = json!({
        "kty": "oct", "use": "sig", "kid": "secret", "alg": named, "k": encode(&secret),
    });
    let hash = match algorithm {
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    let key = hmac::Key::new(hash, &secret);
    let header = json!({ "alg": algorithm, "kid": "secret" });
    let token =
        signed(&header, CLAIMS.as_bytes(), |text| Ok(hmac::sign(&key, text).as_ref().to_vec()))?;
    Ok((jwk, token))
}

/// The numbers whose `result` in the file is `valid`; that of all others is `invalid`.
const VALID_SIGNATURES: &str =
    "1 18 33 259-275 287 288 320-323 325-328 345-352 357-359 372 373 376-378";
const VALID_KEYS: &str = "2 5 13-15";
/// Of what HS256 and its like would have verified.
const SYMMETRIC: Verdict = Verdict::Forbidden("no token is signed with a secret");
