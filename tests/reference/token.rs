//! Tokens of people (docs/tokens.md).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::world::{Issuer, Policy};

/// What a token that is believed says.
#[derive(Debug)]
pub struct Person {
    pub issuer: usize,
    pub sub: String,
    pub scopes: Vec<String>,
    /// Whether the issuer's set has a key for it.
    pub has_key: bool,
}

/// Everything but the signature; `of` is the issuer in whose header it came.
pub fn read(text: &str, policy: &Policy, of: Option<usize>, now: u64) -> Option<Person> {
    let parts: Vec<&str> = text.split('.').collect();
    let [header, claims, signature] = parts[..] else { return None };
    let object = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object)
    };
    let (header, claims) = (object(header)?, object(claims)?);
    let known = ["RS256", "ES256", "EdDSA"].iter().any(|own| header["alg"] == *own);
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    if text.len() > 8192 || header.get("crit").is_some() || !known || signature.len() != 64 {
        return None;
    }
    let at = policy.issuers.iter().position(|own| claims["iss"] == own.iss)?;
    let issuer = &policy.issuers[at];
    if of.is_some_and(|of| of != at) || !has_type(issuer, &header) {
        return None;
    }
    let audience = |value: &Value| value == issuer.audience;
    let named = match claims["aud"].as_array() {
        Some(all) => all.iter().any(audience),
        None => audience(&claims["aud"]),
    };
    let second = |name: &str| claims.get(name).map(|value| value.as_u64().ok_or(()));
    let expires = second("exp")?.ok()?;
    let begins = second("nbf").unwrap_or(Ok(0)).ok()?;
    let made = second("iat").unwrap_or(Ok(0)).ok()?;
    if !named || now >= expires + LEEWAY || now + LEEWAY < begins || now + LEEWAY < made {
        return None;
    }
    let sub = claims["sub"].as_str()?;
    let visible = sub.bytes().all(|byte| (0x21..=0x7E).contains(&byte));
    if !(1..=255).contains(&sub.len()) || !visible {
        return None;
    }
    // The issuer's set has one key: Ed25519, named `key`.
    let named = header.get("kid").is_none_or(|kid| kid == "key");
    let has_key = named && header["alg"] == "EdDSA";
    let scopes = claims["scope"].as_str().unwrap_or_default();
    let scopes = scopes.split(' ').map(str::to_owned).collect();
    Some(Person { issuer: at, sub: sub.to_owned(), scopes, has_key })
}

fn has_type(issuer: &Issuer, header: &Value) -> bool {
    let Some(wanted) = issuer.typ else { return true };
    let own = header["typ"].as_str().unwrap_or_default().to_ascii_lowercase();
    own.strip_prefix("application/").unwrap_or(&own) == wanted
}

pub fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

const LEEWAY: u64 = 30;
