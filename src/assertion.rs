//! Assertions: the gate's word to an origin that it let this request through.
//!
//! A compact JWS (RFC 7515) with HS256, under a key of the origin's own, so that
//! no origin can make one for another.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;

use crate::clock::Now;
use crate::crypto::{self, MacKey};
use crate::policy::Policy;
use crate::record::Record;
use crate::root::Keyring;

/// The keys and headers with which assertions are made, one key an origin.
#[derive(Debug)]
pub(crate) struct Assertions {
    header: String,
    origins: Vec<Signer>,
}

#[derive(Debug)]
struct Signer {
    name: String,
    key: MacKey,
}

/// What an assertion says of a request.
pub(crate) struct Subject<'a> {
    pub(crate) key: Option<&'a Record>,
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) address: Option<&'a str>,
    pub(crate) request_id: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'static str,
    aud: &'a str,
    iat: u64,
    exp: u64,
    jti: &'a str,
    /// Method (RFC 9449 §4.2).
    htm: &'a str,
    /// Base64url of the SHA-256 of the request target.
    tgt: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<&'a str>,
    #[serde(flatten)]
    key: Option<KeyClaims<'a>>,
}

#[derive(Serialize)]
struct KeyClaims<'a> {
    sub: &'a str,
    key: &'a str,
    workspace: &'a str,
    r#type: &'a str,
    /// Separated by spaces (RFC 8693 §4.2).
    scope: &'a str,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    bindings: &'a std::collections::BTreeMap<String, Vec<String>>,
}

impl Assertions {
    pub(crate) fn new(policy: &Policy, keyring: &Keyring) -> Self {
        let root = keyring.newest();
        let header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"v{}"}}"#, root.version());
        let signer = |name: &str| Signer {
            name: name.to_owned(),
            key: MacKey::new(&root.assertion_key(name)),
        };
        Self {
            header: BASE64URL_NOPAD.encode(header.as_bytes()),
            origins: policy.origins.iter().map(|origin| signer(origin.name.as_str())).collect(),
        }
    }

    /// Appends the assertion for the policy's `origin`th origin to `out`.
    pub(crate) fn write(&self, out: &mut String, origin: usize, subject: &Subject<'_>, now: Now) {
        let Some(signer) = self.origins.get(origin) else { return };
        let target = BASE64URL_NOPAD.encode(&crypto::sha256(subject.target.as_bytes()));
        let claims = Claims {
            iss: ISSUER,
            aud: &signer.name,
            iat: now.seconds(),
            exp: now.seconds().saturating_add(LIFETIME_SECONDS),
            jti: subject.request_id,
            htm: subject.method,
            tgt: &target,
            ip: subject.address,
            key: subject.key.map(|key| KeyClaims {
                sub: key.subject.as_deref().unwrap_or(&key.id),
                key: &key.id,
                workspace: key.workspace.as_str(),
                r#type: key.kind.as_str(),
                scope: &key.scopes,
                bindings: &key.bindings,
            }),
        };
        let from = out.len();
        out.push_str(&self.header);
        out.push('.');
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        BASE64URL_NOPAD.encode_append(&claims, out);
        let mac = signer.key.mac(&[out.as_bytes().get(from..).unwrap_or_default()]);
        out.push('.');
        BASE64URL_NOPAD.encode_append(mac.as_bytes(), out);
    }
}

const ISSUER: &str = "portcullis";
const LIFETIME_SECONDS: u64 = 30;
