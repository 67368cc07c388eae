//! Assertions: the gate's word to an origin that it let this request through.
//!
//! A compact JWS (RFC 7515) with HS256, under a key of the origin's own, so that
//! no origin can make one for another. What it says of the caller stands first and
//! is encoded and hashed once for a record or a person; what it says of the request follows.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::caller::Caller;
use crate::clock::Now;
use crate::crypto::{self, MacKey, RunningMac};
use crate::encoding;
use crate::policy::Policy;
use crate::root::Keyring;

/// The keys with which assertions are made, one an origin.
#[derive(Debug)]
pub(crate) struct Assertions {
    /// The encoded JOSE header and a dot.
    header: String,
    origins: Vec<Signer>,
}

#[derive(Debug)]
struct Signer {
    name: String,
    key: MacKey,
    anonymous: Preamble,
}

/// The encoded header and first claims of an assertion, and its MAC so far.
#[derive(Debug)]
pub(crate) struct Preamble {
    text: String,
    mac: RunningMac,
}

/// What an assertion says of a request.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) address: Option<&'a str>,
    pub(crate) request_id: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'static str,
    aud: &'a str,
    #[serde(flatten)]
    caller: Option<CallerClaims<'a>>,
}

#[derive(Serialize)]
struct CallerClaims<'a> {
    sub: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    key: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    workspace: &'a str,
    r#type: &'a str,
    /// Separated by spaces (RFC 8693 §4.2).
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bindings: Option<&'a BTreeMap<String, Vec<String>>>,
}

impl Assertions {
    pub(crate) fn new(policy: &Policy, keyring: &Keyring) -> Self {
        let root = keyring.newest();
        let header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"v{}"}}"#, root.version());
        let header = format!("{}.", encoding::base64url(header.as_bytes()));
        let signer = |name: &str| {
            let key = MacKey::new(&root.assertion_key(name));
            let anonymous = Preamble::new(&header, name, &key, &Caller::Anyone);
            Signer { name: name.to_owned(), key, anonymous }
        };
        let origins = policy.origins.iter().map(|origin| signer(origin.name.as_str())).collect();
        Self { header, origins }
    }

    /// Appends the assertion for the policy's `origin`th origin to `out`.
    pub(crate) fn write(&self, out: &mut String, origin: usize, subject: &Subject<'_>, now: Now) {
        let Some(signer) = self.origins.get(origin) else { return };
        let caller = subject.caller;
        let preambles = match caller {
            Caller::Anyone => return signer.anonymous.finish(out, subject, now),
            Caller::Key(record) => &record.preambles,
            Caller::Person(person) => &person.preambles,
        };
        let make = || Preamble::new(&self.header, &signer.name, &signer.key, caller);
        if let Some(preamble) = preambles.of(origin, self.origins.len(), make) {
            preamble.finish(out, subject, now);
        }
    }
}

/// The beginnings of assertions about one caller, one for each origin.
#[derive(Debug, Default)]
pub(crate) struct Preambles(OnceCell<Box<[OnceCell<Box<Preamble>>]>>);

impl Preambles {
    /// That for the `origin`th of so many, made when it is first used.
    fn of(
        &self,
        origin: usize,
        origins: usize,
        make: impl FnOnce() -> Preamble,
    ) -> Option<&Preamble> {
        let all = self.0.get_or_init(|| (0..origins).map(|_| OnceCell::new()).collect());
        all.get(origin).map(|own| &**own.get_or_init(|| Box::new(make())))
    }
}

impl Preamble {
    fn new(header: &str, audience: &str, key: &MacKey, caller: &Caller) -> Self {
        let told = caller.told();
        let claims = Claims {
            iss: ISSUER,
            aud: audience,
            caller: (!caller.is_anyone()).then(|| CallerClaims {
                sub: if told.subject.is_empty() { told.key } else { told.subject },
                key: told.key,
                workspace: told.workspace,
                r#type: told.kind,
                scope: told.scopes,
                bindings: caller.key().map(|key| &key.bindings).filter(|own| !own.is_empty()),
            }),
        };
        let mut claims = serde_json::to_string(&claims).unwrap_or_default();
        claims.pop();
        claims.push(',');
        // Three bytes are four characters of base64: a whole number of them can be encoded apart.
        while !claims.len().is_multiple_of(3) {
            claims.push(' ');
        }
        let mut text = header.to_owned();
        encoding::append_base64url(claims.as_bytes(), &mut text);
        let mut mac = key.begin();
        mac.update(text.as_bytes());
        Self { text, mac }
    }

    /// Appends the whole assertion. The values need no escaping: hex, a known
    /// method, base64url and an address.
    fn finish(&self, out: &mut String, subject: &Subject<'_>, now: Now) {
        let iat = now.seconds();
        let exp = iat.saturating_add(LIFETIME_SECONDS);
        let (jti, htm) = (subject.request_id, subject.method);
        let mut claims = String::with_capacity(CLAIMS_BYTES);
        claims.push_str(r#""iat":"#);
        encoding::append_decimal(iat, &mut claims);
        claims.push_str(r#","exp":"#);
        encoding::append_decimal(exp, &mut claims);
        for part in [r#","jti":""#, jti, r#"","htm":""#, htm, r#"","tgt":""#] {
            claims.push_str(part);
        }
        let target = crypto::sha256(subject.target.as_bytes());
        encoding::append_base64url(&target, &mut claims);
        if let Some(address) = subject.address {
            claims.push_str(r#"","ip":""#);
            claims.push_str(address);
        }
        claims.push_str("\"}");
        out.push_str(&self.text);
        let from = out.len();
        encoding::append_base64url(claims.as_bytes(), out);
        let mut mac = self.mac.clone();
        mac.update(out.as_bytes().get(from..).unwrap_or_default());
        out.push('.');
        encoding::append_base64url(mac.finish().as_bytes(), out);
    }
}

const ISSUER: &str = "portcullis";
const LIFETIME_SECONDS: u64 = 30;
const CLAIMS_BYTES: usize = 256;
