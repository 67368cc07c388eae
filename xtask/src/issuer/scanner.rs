//! A secret scanner that signs as GitHub's partner programme does.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::key::SigningKey;
use crate::api::Api;
use crate::http::Reply;

/// Its keys, as they are published.
#[must_use]
pub fn published(keys: &[&SigningKey]) -> Value {
    let keys = keys
        .iter()
        .map(|key| json!({ "key_identifier": key.kid, "key": pem(key), "is_current": true }));
    json!({ "public_keys": keys.collect::<Vec<_>>() })
}

/// A public key in PEM (RFC 7468).
#[must_use]
pub fn pem(key: &SigningKey) -> String {
    let spki = BASE64.encode(&key.spki());
    let lines: Vec<_> = spki.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

/// A signature over a body by a P-256 key: DER in base64.
pub fn sign(key: &SigningKey, body: &[u8]) -> Result<String> {
    let raw = key.sign(body)?;
    ensure!(raw.len() == 64, "no P-256 key");
    let numbers = [number(&raw[..32]), number(&raw[32..])].concat();
    Ok(BASE64.encode(&element(0x30, &numbers)))
}

/// Reports texts at a gate, whose policy believes the key.
pub fn report(gate: SocketAddr, key: &SigningKey, texts: &[&str]) -> Result<Reply> {
    let found = texts.iter().map(|text| {
        json!({ "token": text, "type": "portcullis_key", "source": "content",
            "url": "https://example.test/leaked.txt" })
    });
    let body = Value::Array(found.collect()).to_string();
    let signature = sign(key, body.as_bytes())?;
    let headers = [(KEY, key.kid.as_str()), (SIGNATURE, signature.as_str())];
    let reply = Api::new(gate, None).send("POST", "/api/v1/leaks", &headers, body.as_bytes());
    reply.context("the gate does not answer")
}

/// The shortest form of a number (X.690 §8.3).
fn number(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
    let digits = &bytes[start..];
    let sign: &[u8] = if digits[0] >= 0x80 { &[0] } else { &[] };
    element(0x02, &[sign, digits].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    // At most 72 bytes.
    let length = u8::try_from(content.len()).unwrap_or(u8::MAX);
    [&[tag, length], content].concat()
}

/// The header that names the key.
pub const KEY: &str = "Github-Public-Key-Identifier";
/// The header with the signature.
pub const SIGNATURE: &str = "Github-Public-Key-Signature";
