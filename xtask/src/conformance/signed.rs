//! What signs the requests of the raw cases, at the time they are sent.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use data_encoding::{BASE64, HEXLOWER};
use portcullis::key::Kid;
use portcullis::record::{Document, SignatureMode, kv_name};
use portcullis::root::Keyring;
use portcullis::signature::{ContentDigest, Version, v1, v2};
use serde::Deserialize;
use serde_json::json;

use super::cases::{bytes, expand};
use super::raw::{self, Stage, now};
use super::{Bench, TIMEOUT};
use crate::http::exchange;
use crate::keys;
use crate::seed;
use crate::vectors::{WORKSPACE, World};

/// A signature; what is left out is as an honest signer has it. In `timestamp` and `params`, `{now}`,
/// `{made}`, `{expires}`, `{nonce}` and `{keyid}` stand for what an honest signer would write.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// The key's name.
    key: String,
    method: String,
    target: String,
    #[serde(default = "host")]
    host: String,
    body: Option<String>,
    /// Further headers, which are sent and may be covered.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Seconds since it was signed.
    #[serde(default)]
    age: i64,
    timestamp: Option<String>,
    nonce: Option<String>,
    /// Version 2: what is covered, in this order.
    components: Option<Vec<String>>,
    /// Version 2: what follows them.
    params: Option<String>,
}

/// What stands in a case's texts for the signature `name`: `{name}` for all its header lines,
/// `{name.header}` for the value of one.
pub type Words = BTreeMap<String, String>;

/// Signs.
pub fn words(stage: &dyn Stage, signs: &BTreeMap<String, Sign>, via: &str) -> Result<Words> {
    let mut words = Words::new();
    for (name, sign) in signs {
        let headers = sign.lines(stage, via).with_context(|| format!("signature {name}"))?;
        let lines = headers.iter().map(|(header, value)| format!("{header}: {value}\r\n"));
        words.insert(name.clone(), lines.collect());
        words
            .extend(headers.into_iter().map(|(header, value)| (format!("{name}.{header}"), value)));
    }
    Ok(words)
}

/// Puts them into a text. `{name.header|change}` is the value changed: in upper case, its first
/// digit replaced, its last one cut off, one more, or its bytes in base64.
pub fn fill(words: &Words, text: &str) -> Result<String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let word = after.split_once('}').and_then(|(inside, after)| {
            let (word, change) = inside.split_once('|').unwrap_or((inside, ""));
            Some((words.get(word)?, change, after))
        });
        let Some((value, change, after)) = word else {
            filled.push('{');
            rest = after;
            continue;
        };
        let first = if value.starts_with('0') { "1" } else { "0" };
        filled.push_str(&match change {
            "" => value.clone(),
            "upper" => value.to_uppercase(),
            "first" => format!("{first}{}", &value[1..]),
            "cut" => value[..value.len() - 1].to_owned(),
            "more" => format!("{value}0"),
            "base64" => BASE64.encode(&HEXLOWER.decode(value.as_bytes())?),
            other => anyhow::bail!("no change {other}"),
        });
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

impl Sign {
    fn lines(&self, stage: &dyn Stage, via: &str) -> Result<Vec<(String, String)>> {
        let document = document(stage.world(), stage.keyring(), &self.key)?;
        let key =
            keys::signing(stage.keyring().newest(), &document).context("no secret")?.mac_key();
        let version = document.signing.as_ref().context("not signed")?.version;
        let text = |text: &str| expand(&stage.world().fill(&text.replace("{via}", via))?);
        let host = self.host.replace(raw::HOST, stage.host());
        let (target, now) = (text(&self.target)?, now()?);
        let made = now.checked_add_signed(-self.age).context("age")?;
        let random = HEXLOWER.encode(&seed::entropy::<16>()?);
        let nonce = self.nonce.as_ref().unwrap_or(&random);
        let honest = |text: &str| {
            let times =
                text.replace("{now}", &now.to_string()).replace("{made}", &made.to_string());
            let times = times.replace("{expires}", &(made + LASTS).to_string());
            times.replace("{nonce}", nonce).replace("{keyid}", &document.kid)
        };
        let body =
            self.body.as_deref().map(|body| text(body).map(|body| bytes(&body))).transpose()?;
        let mut headers = self.headers.clone();
        let mut lines = Vec::new();
        match version {
            Version::V1 => {
                let made = honest(self.timestamp.as_deref().unwrap_or("{made}"));
                let uses_nonce = document.signing.as_ref().is_some_and(|signing| signing.nonce);
                let nonce = uses_nonce.then_some(nonce.as_str());
                let body = body.unwrap_or_default();
                let (method, target) = (self.method.as_str(), target.as_str());
                let message = v1::Message { method, target, timestamp: &made, nonce, body: &body };
                let mac = message.sign(&key);
                if document.signature == SignatureMode::Only {
                    lines.push(("x-key-id".to_owned(), document.kid.clone()));
                }
                lines.push(("x-timestamp".to_owned(), made));
                lines.extend(nonce.map(|nonce| ("x-nonce".to_owned(), nonce.to_owned())));
                lines.push(("x-signature".to_owned(), mac));
            }
            Version::V2 => {
                if let Some(body) = &body {
                    let digest = ContentDigest::of(body).header();
                    headers.entry("content-digest".to_owned()).or_insert(digest);
                }
                let (path, query) = target.split_once('?').unwrap_or((&target, ""));
                let query = format!("?{query}");
                let fixed = [
                    ("@method", self.method.as_str()),
                    ("@authority", &host),
                    ("@path", path),
                    ("@query", &query),
                ];
                let all =
                    fixed.into_iter().chain(headers.iter().map(|(n, v)| (n.as_str(), v.as_str())));
                let all: BTreeMap<&str, &str> = all.collect();
                let ordinary = || {
                    let last = ["content-digest", "content-type"].into_iter();
                    let last = last.filter(|name| all.contains_key(name));
                    fixed.iter().map(|(name, _)| *name).chain(last).map(str::to_owned).collect()
                };
                let names: Vec<String> = self.components.clone().unwrap_or_else(ordinary);
                let covered = names.iter().map(|name| {
                    (name.as_str(), all.get(name.as_str()).copied().unwrap_or_default())
                });
                let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
                let params = honest(self.params.as_deref().unwrap_or(PARAMS));
                let params = format!("({}){params}", quoted.join(" "));
                let mac = key.mac(&[v2::base(covered, &params).as_bytes()]);
                lines.push(("signature-input".to_owned(), format!("sig={params}")));
                let mac = BASE64.encode(mac.as_bytes());
                lines.push(("signature".to_owned(), format!("sig=:{mac}:")));
            }
        }
        lines.extend(headers);
        Ok(lines)
    }
}

/// A Workspace that does not remember a request, or cannot say so, keeps it from the origin.
pub fn silent(bench: &mut Bench) -> Result<()> {
    let outcome = [("hang", 200, "", 1), ("lost", 401, "REPLAYED_REQUEST", 0)]
        .into_iter()
        .try_for_each(|(kind, status, code, forwarded)| {
            let target = format!("/near/x?O06-{kind}");
            let read = signed(bench, "GET", &target, None)?;
            let change = signed(bench, "POST", &target, None)?;
            let send = |request: &str| exchange(bench.address, request.as_bytes(), TIMEOUT);
            let control = bench.control()?;
            control.set_workspace_faults(WORKSPACE, &json!({ "kind": kind, "ops": ["admit"] }))?;
            let begun = Instant::now();
            let reply = send(&change)?;
            let took = begun.elapsed();
            let told = bench.check_own_answer(&reply, false)?;
            ensure!((reply.status, told.as_str()) == (503, "AUTH_UNAVAILABLE"), "{}", reply.text());
            ensure!(took < WORKSPACE_TIMEOUT + SLACK, "{kind}: after {took:?}");
            let seen = bench.origin()?.take();
            ensure!(seen.is_empty(), "{kind}: the origin got {seen:?}");
            // What may be repeated needs nobody's word, in mode edge.
            let reply = send(&read)?;
            ensure!(reply.status == 200, "{kind}: a read: {}", reply.text());
            ensure!(bench.origin()?.take().len() == 1, "{kind}: a read at the origin");
            control.set_workspace_faults(WORKSPACE, &json!([]))?;
            let reply = send(&change)?;
            let told = reply.json()?["error"]["code"].as_str().unwrap_or_default().to_owned();
            ensure!((reply.status, told.as_str()) == (status, code), "{kind}: {}", reply.text());
            let seen = bench.origin()?.take().len();
            ensure!(seen == forwarded, "{kind}: {seen} at the origin in the end");
            anyhow::Ok(())
        });
    bench.control()?.set_workspace_faults(WORKSPACE, &json!([]))?;
    outcome
}

/// Bodies that never end take no more than their room, and give it back.
pub fn crowded(bench: &mut Bench) -> Result<()> {
    let long = "x".repeat(LONG);
    let request = |number: usize| signed(bench, "POST", &format!("/near/x?{number}"), Some(&long));
    let unsigned = bench.world.fill(
        "POST /near/x HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {key open}\r\nContent-Length: 2\r\n\r\n[]",
    )?;
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        let mut stream = TcpStream::connect(bench.address)?;
        let request = request(number)?;
        stream.write_all(request.get(..request.len() - 1).context("a body")?.as_bytes())?;
        stream.set_read_timeout(Some(Duration::from_millis(20)))?;
        crowd.push(stream);
    }
    let deadline = Instant::now() + TIMEOUT;
    let mut refused = 0;
    while refused < CROWD - ROOM / LONG {
        ensure!(Instant::now() < deadline, "{refused} of {CROWD} refused: there was more room");
        crowd.retain_mut(|stream| {
            let mut answer = [0; 4096];
            let told = stream.read(&mut answer).unwrap_or(0);
            let is_refused = answer[..told].starts_with(b"HTTP/1.1 503 ");
            refused += usize::from(is_refused);
            !is_refused
        });
    }
    let send = |text: &str| exchange(bench.address, text.as_bytes(), TIMEOUT);
    ensure!(send(&unsigned)?.status == 200, "a body that is not signed needs no room");
    drop(crowd);
    // One after the other, more than there is room for at a time.
    let deadline = Instant::now() + FORGOTTEN;
    for number in CROWD..2 * CROWD {
        while send(&request(number)?)?.status != 200 {
            ensure!(Instant::now() < deadline, "the room was not given back, at {number}");
            std::thread::sleep(Duration::from_millis(250));
        }
    }
    Ok(())
}

/// A request signed in the place of a secret, version 1.
fn signed(bench: &Bench, method: &str, target: &str, body: Option<&str>) -> Result<String> {
    let sign = Sign {
        key: "signed_only".to_owned(),
        method: method.to_owned(),
        target: target.to_owned(),
        host: host(),
        body: body.map(str::to_owned),
        headers: BTreeMap::new(),
        age: 0,
        timestamp: None,
        nonce: None,
        components: None,
        params: None,
    };
    let lines = sign.lines(bench, "")?;
    let lines = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let length = body.map(|body| format!("Content-Length: {}\r\n", body.len()));
    let (lines, length) = (lines.collect::<String>(), length.unwrap_or_default());
    let head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n{lines}{length}", host());
    Ok(format!("{head}\r\n{}", body.unwrap_or_default()))
}

/// The record of a key of the world.
fn document(world: &World, keyring: &Keyring, name: &str) -> Result<Document> {
    let kid = Kid::parse(&world.fill(&format!("{{kid {name}}}"))?).context("kid")?;
    let row = world.kv.get(&kv_name(&kid)).context("no row")?;
    let opened = Document::open(keyring, &kid, row.as_bytes());
    opened.map(|(document, _)| document).map_err(|unusable| anyhow::anyhow!("{unusable:?}"))
}

/// The records of the keys whose requests are signed: their Workspace has to know them.
pub fn documents(world: &World, keyring: &Keyring) -> Result<Vec<Document>> {
    let names = world.keys.keys().filter(|name| name.starts_with("signed_"));
    names.map(|name| document(world, keyring, name)).collect()
}

fn host() -> String {
    raw::HOST.to_owned()
}

/// As the policy has it by default.
const WORKSPACE_TIMEOUT: Duration = Duration::from_millis(1500);
/// All that an isolate holds of signed bodies.
const ROOM: usize = 32 * LONG;
/// The longest body that may be signed.
const LONG: usize = 1024 * 1024;
/// Requests at a time.
const CROWD: usize = 40;
/// Less than the half minute after which a body does not count any more, whatever became of it.
const FORGOTTEN: Duration = Duration::from_secs(20);
/// On a machine that has other work.
const SLACK: Duration = Duration::from_millis(350);
const PARAMS: &str =
    r#";created={made};expires={expires};nonce="{nonce}";keyid="{keyid}";tag="portcullis""#;
/// Seconds, longer than a signature is accepted anyway.
const LASTS: u64 = 400;
