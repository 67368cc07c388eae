//! The vectors of signatures: `tests/vectors/signatures-v1.json` and `signatures-v2.json`.
//!
//! Messages, signature bases, digests and MACs are put together here by hand and computed by `ring`: nothing
//! of the core's signing or deciding has a part in them, nor in the verdicts. Only the keys, their sealed
//! rows and the texts of the signing secrets are the core's.
//!
//! A file speaks of one second, `now`. The served gate has the clock of the day: [`cases`] makes the same cases, with
//! the same names and verdicts, of any other second.

mod keys;
mod v1;
mod v2;

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use ring::{digest, hmac};
use serde::Serialize;

use crate::checkout::Checkout;
pub use keys::Keys;

/// A version of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// RunAgent's message.
    V1,
    /// The profile of RFC 9421.
    V2,
}

/// A request and what becomes of it.
#[derive(Debug, Clone, Serialize)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// The name of the key by which it was made.
    pub key: &'static str,
    /// What is sent.
    pub request: Request,
    /// `allow`, or the code of the refusal.
    pub expect: &'static str,
    /// Why it cannot be had over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_only: Option<&'static str>,
    /// Whether it is about one second, so that a clock may not tick meanwhile.
    #[serde(skip_serializing_if = "is_false")]
    pub exact: bool,
    /// Of a request that is allowed for its signature: how it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
}

/// A request.
#[derive(Debug, Clone, Serialize)]
pub struct Request {
    /// The method.
    pub method: String,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The `Host`.
    pub host: String,
    /// Path and query.
    pub target: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body, if there is one.
    #[serde(serialize_with = "base64", skip_serializing_if = "Option::is_none")]
    pub body: Option<Vec<u8>>,
}

/// What a signer was given and what it made of it.
#[derive(Debug, Clone, Serialize)]
pub struct Signed {
    /// Whether a signer by the documents, given the same, sends these headers byte for byte.
    pub reproducible: bool,
    /// The signing secret, whose ASCII bytes are the HMAC key.
    pub secret: String,
    /// What is signed, in base64: the message of version 1, the signature base of version 2.
    #[serde(serialize_with = "base64_of")]
    pub message: Vec<u8>,
    /// When.
    pub created: u64,
    /// Version 2: until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// If there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The headers that the signer adds, the credential aside.
    pub headers: Vec<(String, String)>,
}

#[derive(Serialize)]
struct File<'a> {
    about: &'static [&'static str],
    version: Version,
    now: u64,
    root: String,
    keys: &'a BTreeMap<&'static str, keys::Key>,
    kv: BTreeMap<String, String>,
    cases: Vec<Case>,
}

impl Version {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// The file's path in the repository.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::V1 => "tests/vectors/signatures-v1.json",
            Self::V2 => "tests/vectors/signatures-v2.json",
        }
    }
}

/// The cases of a version at a second, by keys that were made for the same or an earlier one.
#[must_use]
pub fn cases(version: Version, keys: &Keys, now: u64) -> Vec<Case> {
    match version {
        Version::V1 => v1::cases(keys, now),
        Version::V2 => v2::cases(keys, now),
    }
}

/// The text of a file.
pub(super) fn make(version: Version) -> Result<String> {
    let keys = Keys::new(version, super::NOW)?;
    let cases = cases(version, &keys, super::NOW);
    check(&cases)?;
    let (root, kv) = (super::root(), keys.rows()?);
    let file = File { about: ABOUT, version, now: super::NOW, root, keys: &keys.all, kv, cases };
    Ok(serde_json::to_string_pretty(&file)? + "\n")
}

/// That the committed files are those made here.
pub fn check_committed(checkout: &Checkout) -> Result<()> {
    for version in Version::ALL {
        let path = version.path();
        let text = fs::read_to_string(checkout.path(path)).context(path)?;
        ensure!(text == make(version)?, "{path} is not up to date: run cargo xtask vectors");
    }
    Ok(())
}

/// Enough of them, each with a name of its own, and about half of them refused.
fn check(cases: &[Case]) -> Result<()> {
    let names: std::collections::BTreeSet<_> = cases.iter().map(|case| &case.id).collect();
    ensure!(names.len() == cases.len(), "two cases have one name");
    let allowed = cases.iter().filter(|case| case.expect == "allow").count();
    ensure!(cases.len() >= 250, "{} cases", cases.len());
    ensure!((40..=60).contains(&(allowed * 100 / cases.len())), "{allowed} of {}", cases.len());
    Ok(())
}

/// The cases as they are added.
struct Cases<'k> {
    keys: &'k Keys,
    now: u64,
    all: Vec<Case>,
}

impl Cases<'_> {
    fn seconds(&self, offset: i64) -> u64 {
        self.now.saturating_add_signed(offset)
    }

    /// Text that no other case and no other second has.
    fn nonce(&self, id: &str, length: usize) -> String {
        let text = |number: u8| {
            let mac = mac(b"nonce", format!("{id} {} {number}", self.now).as_bytes());
            BASE64URL_NOPAD.encode(&mac)
        };
        let mut text: String = (0..4).map(text).collect();
        text.truncate(length);
        text
    }

    /// The last case is about one second.
    fn exact(&mut self) {
        self.last(|case| case.exact = true);
    }

    /// The last case cannot be had over HTTP.
    fn native_only(&mut self, because: &'static str) {
        self.last(|case| case.native_only = Some(because));
    }

    fn last(&mut self, change: impl FnOnce(&mut Case)) {
        if let Some(case) = self.all.last_mut() {
            change(case);
        }
    }
}

impl Request {
    /// As it goes over the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.target, self.host);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let empty = matches!(self.method.as_str(), "POST" | "PUT" | "PATCH").then_some(0);
        let is_told = !self.header("content-length").is_empty();
        if let Some(length) = self.body.as_ref().map(Vec::len).or(empty).filter(|_| !is_told) {
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        [head.as_bytes(), b"\r\n", self.body.as_deref().unwrap_or_default()].concat()
    }

    /// The value of a header, put in its place or at the end.
    fn set(&mut self, name: &str, value: &str) {
        match self.headers.iter_mut().find(|(own, _)| own == name) {
            Some((_, own)) => value.clone_into(own),
            None => self.add(name, value),
        }
    }

    fn add(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    fn remove(&mut self, name: &str) {
        self.headers.retain(|(own, _)| own != name);
    }

    fn header(&self, name: &str) -> String {
        let value = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        value.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    fn edit(&mut self, name: &str, change: impl FnOnce(&str) -> String) {
        let value = change(&self.header(name));
        self.set(name, &value);
    }
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

/// Bodies of many kinds: a name and the bytes.
fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("json", br#"{"name":"x","tools":[1,2.50,null]}"#.to_vec()),
        ("one-byte", b"x".to_vec()),
        ("line-feed", b"\n".to_vec()),
        ("crlf", b"a\r\nb\r\n".to_vec()),
        ("leading-line", b"\n{}".to_vec()),
        ("like-a-message", b"POST\n/near/x\n1700000000\n{}".to_vec()),
        ("utf-8", "{\"name\":\"café ✓ 日本\"}".as_bytes().to_vec()),
        ("mark", b"\xef\xbb\xbf{}".to_vec()),
        ("not-utf-8", vec![0xff, 0xfe, 0x00, 0xc3, 0x28]),
        ("every-byte", (0..=255).collect()),
        ("nul", vec![0]),
        ("long", b"0123456789abcdef".repeat(256)),
    ]
}

/// What comes after `/near/NAME` in targets: a name and the text.
const TAILS: [(&str, &str); 19] = [
    ("plain", ""),
    ("segments", "/a/b/c"),
    ("query", "?a=1"),
    ("query-two", "?b=2&a=1"),
    ("query-same", "?a=1&a=1"),
    ("query-bare", "?a"),
    ("query-no-value", "?a="),
    ("query-plus", "?q=a+b"),
    ("query-escape", "?q=a%20b"),
    ("query-utf-8", "?q=%C3%A9"),
    ("query-mark", "?a=?b"),
    ("query-slash", "?a=/b/c"),
    ("query-ampersands", "?&&a=1&"),
    ("query-colon", "?t=12:30@x"),
    ("path-escape", "/a%20b"),
    ("path-utf-8", "/%E2%9C%93"),
    ("path-colon", "/agent:run"),
    ("path-marks", "/a-b_c.d~e!f$g'h(i)j*k+l,m=n@o"),
    (
        "long",
        "/0123456789012345678901234567890123456789?01234567890123456789012345678901234567890123456789",
    ),
];

/// Methods that the routes of the policy take; each once with a body where it has one.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

fn base64<S: serde::Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&BASE64.encode(bytes.as_deref().unwrap_or_default()))
}

fn base64_of<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&BASE64.encode(bytes))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// In hex, as version 1 sends a MAC.
fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

const ABOUT: &[&str] = &[
    "Requests and what Portcullis makes of them: see docs/signatures.md and xtask/src/vectors/signatures.",
    "The clock stands at `now`. `expect` is `allow`, or the code of the refusal; no request was sent before.",
    "A request is one of a signature's making if it has `signed`: with the secret, method, host, target, body, created, \
     expires and nonce a signer whose case is `reproducible` sends just the headers of `signed`.",
    "`root` and `kv` are what the gate verifies by; its policy is that of world.json. The secrets are of nothing but \
     these vectors.",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_files_are_those_made_here() {
        check_committed(&Checkout::find().unwrap()).unwrap();
    }

    #[test]
    fn another_second_changes_no_name_and_no_verdict() {
        for version in Version::ALL {
            let of = |now| {
                let cases = cases(version, &Keys::new(version, now).unwrap(), now).into_iter();
                cases.map(|case| (case.id, case.expect)).collect::<Vec<_>>()
            };
            assert_eq!(of(super::super::NOW), of(1_900_000_000));
        }
    }
}
