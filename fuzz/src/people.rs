//! Tokens, key sets, cookies.

use portcullis::clock::Now;
use portcullis::session::{Session, Transaction};
use portcullis::token::{Issuer, KeySet, Token};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::{lines, text, world};

/// A token that is believed says what another reader of JSON finds in it, and is in time.
pub fn token(data: &[u8]) {
    let Some((choice, text)) = text(data) else { return };
    let (first, rest) = lines(text);
    // Bare JSON is wrapped, as no fuzzer finds base64url of JSON by itself.
    let wrapped = format!("{}.{}.{}", encode(first), encode(rest), encode(SIGNATURE));
    let token = if choice % 2 == 0 { wrapped.as_str() } else { first };
    if let Ok(token) = Token::parse(token) {
        let _ = token.check_algorithm();
        let _ = token.claimed_issuer();
        let issuer = Issuer {
            name: "https://issuer.test".into(),
            audiences: vec!["api".into()],
            types: vec!["at+jwt".into()],
            leeway_seconds: 30,
            workspace_claim: Some("workspace".into()),
        };
        if token.check(&issuer, world::NOW).is_ok() && choice % 2 == 0 {
            serde_json::from_str::<IgnoredAny>(rest).expect("what is no JSON");
            // A number that nobody asks for may be too large for this reader.
            if let Ok(claims) = serde_json::from_str::<Value>(rest) {
                assert_eq!(claims["iss"], "https://issuer.test");
                let ends = claims["exp"].as_f64().expect("no end");
                assert!(ends + 30.0 >= world::NOW as f64, "over: {rest}");
            }
        }
        if let Ok(set) = KeySet::parse(KEYS.as_bytes()) {
            assert!(set.find(&token).is_err() || token.check_algorithm().is_ok());
        }
    }
    if let Ok(set) = KeySet::parse(text.as_bytes()) {
        assert!(serde_json::from_str::<Value>(text).is_ok() && set.len() <= 64);
    }
    let _ = KeySet::parse_published(text.as_bytes());
}

/// No cookie is believed that was not made here.
pub fn session(data: &[u8]) {
    let Some((_, text)) = text(data) else { return };
    let gate = world::gate();
    let now = Now::from_millis(world::NOW * 1000);
    assert!(Session::parse(text, gate, now).is_none());
    if let Some(own) = Transaction::parse(text, gate.keyring(), now) {
        assert_eq!(own.print(gate.keyring()), text);
    }
    let own = Transaction { id: text.replace([' ', '\n'], "-"), until: world::NOW + 1 };
    let printed = own.print(gate.keyring());
    if let Some(read) = Transaction::parse(&printed, gate.keyring(), now) {
        assert_eq!(read, own);
    }
    let flipped =
        printed.replacen(&printed[4..5], if &printed[4..5] == "A" { "B" } else { "A" }, 1);
    assert!(flipped == printed || Transaction::parse(&flipped, gate.keyring(), now).is_none());
}

fn encode(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            encoded.push(char::from(LETTERS[(bits >> (18 - 6 * at) & 63) as usize]));
        }
    }
    encoded
}

const SIGNATURE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const KEYS: &str = r#"{"keys": [{"kty": "OKP", "kid": "o", "crv": "Ed25519",
    "x": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}]}"#;
