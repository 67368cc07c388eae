//! What holds for every request that reaches the origin.

use anyhow::{Context, Result, bail, ensure};
use data_encoding::BASE64URL_NOPAD;
use portcullis::crypto::{Digest, MacKey};
use portcullis::root::Keyring;
use serde_json::Value;
use sha2::Digest as _;

use super::origin::Seen;

/// Checks a request that the gate let through to the origin `audience`: no credential is in it,
/// each of our headers is there once, and the assertion vouches for exactly this request.
pub fn check(seen: &Seen, audience: &str, keyring: &Keyring, now: u64) -> Result<()> {
    for name in NEVER {
        ensure!(seen.header(name).is_none(), "the origin got {name}");
    }
    for (name, _) in &seen.headers {
        let folded = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let own = folded.starts_with("x-portcullis-") || folded.starts_with("x-forwarded");
        ensure!(!own || OWN.contains(&name.as_str()), "the origin got {name}");
        let count = seen.headers.iter().filter(|(other, _)| other == name).count();
        ensure!(!own || count == 1, "the origin got {name} {count} times");
    }
    ensure!(seen.whole, "the origin got a broken request");
    let own = |name| seen.header(name).with_context(|| format!("the origin got no {name}"));
    let request_id = own("x-request-id")?;
    let claims = verify(own("x-portcullis-assertion")?, audience, keyring)?;
    let target = BASE64URL_NOPAD.encode(&sha2::Sha256::digest(seen.target.as_bytes()));
    let claim = |name: &str, value: Option<&str>| {
        let actual = claims.get(name).and_then(Value::as_str);
        ensure!(actual == value, "the assertion's {name} is {actual:?}, not {value:?}");
        Ok(())
    };
    claim("iss", Some("portcullis"))?;
    claim("aud", Some(audience))?;
    claim("jti", Some(request_id))?;
    claim("htm", Some(&seen.method))?;
    claim("tgt", Some(&target))?;
    claim("ip", seen.header("x-forwarded-for"))?;
    let key = seen.header("x-portcullis-key");
    claim("key", key)?;
    claim("sub", seen.header("x-portcullis-subject").or(key))?;
    claim("workspace", seen.header("x-portcullis-workspace"))?;
    claim("type", seen.header("x-portcullis-type"))?;
    claim("scope", seen.header("x-portcullis-scopes"))?;
    let second = |name: &str| claims.get(name).and_then(Value::as_u64).context("no time");
    let (issued, expires) = (second("iat")?, second("exp")?);
    ensure!(issued.abs_diff(now) <= 5 && expires == issued + 30, "from {issued} to {expires}");
    Ok(())
}

/// The claims of a compact JWS with HS256 (RFC 7515), verified without the gate's own code for it.
fn verify(jws: &str, audience: &str, keyring: &Keyring) -> Result<Value> {
    let (signed, signature) = jws.rsplit_once('.').context("no JWS")?;
    let (header, claims) = signed.split_once('.').context("no JWS")?;
    let key = MacKey::new(&keyring.newest().assertion_key(audience));
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes())?;
    let Ok(signature) = <[u8; 32]>::try_from(signature) else { bail!("no HS256") };
    ensure!(
        key.mac(&[signed.as_bytes()]).matches(&Digest::from_bytes(signature)),
        "the assertion is not signed for {audience}"
    );
    let header: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes())?)?;
    ensure!(header["alg"] == "HS256" && header["typ"] == "JWT", "header {header}");
    ensure!(header["kid"] == format!("v{}", keyring.newest().version()), "header {header}");
    Ok(serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes())?)?)
}

/// Headers that no origin may get from a client by way of the gate.
const NEVER: &[&str] = &[
    "authorization",
    "x-api-key",
    "x-key-id",
    "x-signature",
    "x-timestamp",
    "x-nonce",
    "signature",
    "signature-input",
    "forwarded",
    "x-real-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method-override",
    "proxy-authorization",
];

/// Those of a reserved form that are the gate's.
const OWN: &[&str] = &[
    "x-portcullis-key",
    "x-portcullis-workspace",
    "x-portcullis-type",
    "x-portcullis-scopes",
    "x-portcullis-subject",
    "x-portcullis-assertion",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-for",
];
