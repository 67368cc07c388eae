//! A gate that is not fit to decide answers 503 to everything and says why, without the value.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use data_encoding::BASE64;
use serde_json::json;

use super::progress::Progress;
use super::random::Random;
use super::site::{Gate, Site, TIMEOUT, code, now, request};
use super::upstream::Upstream;
use super::{Bar, Verdict};
use crate::http::{self, Reply};
use crate::keys;
use crate::workerd::Options;

pub(super) const BAR: Bar = Bar {
    name: "unfit",
    goal: "a missing, wrong or malformed root or environment key: 503 to every request, nothing forwarded, the cause logged and no part of the value",
    unit: "rounds over all cases",
    ci: 1,
    full: 5,
    sources: &[],
    run,
};

/// One way to be unfit.
struct Case {
    name: &'static str,
    root: Option<String>,
    static_keys: Option<String>,
    /// What the log must say.
    cause: &'static str,
}

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let origin = Upstream::start(|_, wire| wire.ok(""))?;
    let (key, row) = site.key(0, now()?)?;
    let mut random = Random::new(now()?);
    let mut verdict = Verdict::default();
    let (mut starts, mut answers) = (0, 0);
    for _ in 0..size {
        for case in cases(&site.root, &mut random) {
            let mut options = site.options(origin.address)?;
            options.secrets = [
                case.root.clone().map(|root| ("PORTCULLIS_ROOT", root)),
                case.static_keys.clone().map(|keys| ("PORTCULLIS_STATIC_KEYS", keys)),
            ]
            .into_iter()
            .flatten()
            .collect();
            let gate = site.start("unfit", true, &options)?;
            gate.server.control.put_rows([row.clone()])?;
            let mut said = String::new();
            for (what, bytes) in requests(&key) {
                let reply = http::exchange(gate.address, bytes.as_bytes(), TIMEOUT)?;
                answers += 1;
                unavailable(&mut verdict, &format!("{}, {what}", case.name), &reply);
                said.push_str(&format!("{:?}\n{}\n", reply.headers, reply.text()));
            }
            let log = log_with(&gate, case.cause);
            verdict.require(log.contains(case.cause), || {
                format!("{}: the log does not say `{}`", case.name, case.cause)
            });
            said.push_str(&log);
            let secrets = case.root.iter().chain(&case.static_keys);
            verdict.require(!secrets.into_iter().any(|secret| shows(&said, secret)), || {
                format!("{}: a part of the value is in the log or in an answer", case.name)
            });
            starts += 1;
        }
    }
    let arrived = origin.requests();
    verdict.require(arrived == 0, || format!("{arrived} requests reached the origin"));
    without_kv(site, &origin, &key, &mut verdict)?;
    without_authority(site, &origin, &mut verdict)?;
    verdict.figure("unfit_starts", starts);
    verdict.figure("answers_503", answers);
    verdict.figure("requests_at_the_origin", arrived);
    Ok(verdict)
}

fn cases(root: &str, random: &mut Random) -> Vec<Case> {
    let other = BASE64.encode(&random.bytes::<32>());
    let short = BASE64.encode(&random.bytes::<31>());
    let url_safe = format!("_-{}", BASE64.encode(&random.bytes::<32>()));
    let unpadded = BASE64.encode(&random.bytes::<32>()).trim_end_matches('=').to_owned();
    let of_root = |name, root: Option<String>, cause| Case { name, root, static_keys: None, cause };
    let of_keys = |name, static_keys: String, cause| Case {
        name,
        root: Some(root.to_owned()),
        static_keys: Some(static_keys),
        cause,
    };
    vec![
        of_root("no root", None, "PORTCULLIS_ROOT is missing or empty"),
        of_root("an empty root", Some(String::new()), "PORTCULLIS_ROOT is missing or empty"),
        of_root("a root of blanks", Some("   ".to_owned()), "PORTCULLIS_ROOT is missing or empty"),
        of_root("a short root", Some(short.clone()), "entry 1 is shorter than 32 bytes"),
        of_root("a root of base64url", Some(url_safe), "PORTCULLIS_ROOT: entry 1 is not base64"),
        of_root("a root without padding", Some(unpadded.clone()), "entry 1 is not base64"),
        of_root("another root", Some(other.clone()), "does not have a fingerprint of the policy"),
        of_root("another root before ours", Some(format!("v2:{other},v1:{root}")), "fingerprint"),
        of_root("a bad second root", Some(format!("v2:{root},v1:{short}")), "entry 2 is shorter"),
        of_root("versions in wrong order", Some(format!("v1:{root},v2:{other}")), "newest first"),
        of_root("a bad version", Some(format!("w1:{root}")), "a version that is not v1"),
        of_keys("a key without a name", other.clone(), "STATIC_KEYS: entry 1 is not name:base64"),
        of_keys("an unknown name", format!("stranger-1:{other}"), "a name that the policy does"),
        of_keys("a key not base64", format!("worker:{unpadded}"), "entry 1 is not base64"),
        of_keys("a short key", format!("worker:{short}"), "entry 1 is shorter than 32 bytes"),
        of_keys("a bad second key", format!("worker:{other},worker"), "entry 2 is not name:base64"),
    ]
}

/// Every way in.
fn requests(key: &str) -> Vec<(&'static str, String)> {
    let admin =
        |target: &str| format!("GET {target} HTTP/1.1\r\nHost: portcullis.localhost\r\n\r\n");
    vec![
        ("a good key", request("GET", "/near/x", Some(key))),
        ("a good key, by URL", request("GET", "/far/x", Some(key))),
        ("no key", request("GET", "/near/x", None)),
        ("a public route", request("GET", "/v1/public", None)),
        ("no route", request("GET", "/nowhere", None)),
        ("a bad target", request("GET", "/near/../x", None)),
        ("admin health", admin("/healthz")),
        ("admin root", admin("/")),
        ("another host", "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n".to_owned()),
    ]
}

fn unavailable(verdict: &mut Verdict, what: &str, reply: &Reply) {
    let wait = reply.header("retry-after").and_then(|wait| wait.parse::<u8>().ok());
    let as_said = reply.status == 503
        && code(reply) == "AUTH_UNAVAILABLE"
        && wait.is_some_and(|wait| (1..=3).contains(&wait));
    verdict.require(as_said, || format!("{what}: {} {} {wait:?}", reply.status, reply.text()));
}

/// The log, once it says this or has had time to.
fn log_with(gate: &Gate, cause: &str) -> String {
    let deadline = Instant::now() + LOG_TIMEOUT;
    loop {
        let log = gate.server.log();
        if log.contains(cause) || Instant::now() > deadline {
            return log;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether any 8 characters of a secret stand in the text.
fn shows(text: &str, secret: &str) -> bool {
    let symbols: Vec<_> = secret.chars().collect();
    symbols.windows(8).any(|piece| {
        let piece: String = piece.iter().collect();
        !piece.trim().is_empty() && text.contains(&piece)
    })
}

/// KV that is not bound, errs, hangs or holds garbage: a key that is not in memory gets 503; what
/// needs no KV is answered as ever.
fn without_kv(site: &Site, origin: &Upstream, key: &str, verdict: &mut Verdict) -> Result<()> {
    let faults = [
        ("no binding KEYS", None),
        ("KV errs", Some(json!({ "kind": "error", "status": 500 }))),
        ("KV is refused", Some(json!({ "kind": "error", "status": 429 }))),
        ("KV hangs", Some(json!({ "kind": "hang" }))),
        ("KV holds garbage", Some(json!({ "kind": "garbage" }))),
        ("KV has a flipped bit", Some(json!({ "kind": "flip" }))),
        ("KV has half a row", Some(json!({ "kind": "truncate" }))),
    ];
    let row = site.key(0, now()?)?.1;
    for (name, fault) in &faults {
        let options = Options { without_keys: fault.is_none(), ..site.options(origin.address)? };
        let gate = site.start("unfit", true, &options)?;
        gate.server.control.put_rows([row.clone()])?;
        if let Some(fault) = fault {
            gate.server.control.set_faults(&json!({ "kv": fault }))?;
        }
        let before = origin.requests();
        for _ in 0..3 {
            unavailable(verdict, name, &gate.get("/near/x", Some(key))?);
        }
        verdict.require(origin.requests() == before, || format!("{name}: forwarded"));
        let missing = gate.get("/near/x", None)?;
        verdict.require(missing.status == 401, || format!("{name}, no key: {}", missing.status));
        let public = gate.get("/v1/public", None)?;
        verdict.require(public.status == 200, || format!("{name}, public: {}", public.status));
        let log = log_with(&gate, "portcullis: KV");
        verdict.require(log.contains("portcullis: KV"), || format!("{name}: no line in the log"));
        let secret = key.rsplit_once('_').context("no key")?.1;
        verdict.require(!shows(&log, secret), || format!("{name}: a key is in the log"));
        if !options.without_keys {
            gate.server.control.clear_faults()?;
            let start = Instant::now();
            let reply = gate.get("/near/x", Some(key))?;
            verdict.require(reply.status == 200 && start.elapsed() < RECOVERY, || {
                format!("{name}, once it is over: {} after {:?}", reply.status, start.elapsed())
            });
        }
    }
    verdict.figure("kv_faults", faults.len());
    Ok(())
}

/// Workspaces that are not fit to decide, before a gate that is: the keys that need their leave get
/// 503, and others are answered as ever.
fn without_authority(site: &Site, origin: &Upstream, verdict: &mut Verdict) -> Result<()> {
    let options = Options { without_authority: true, ..site.options(origin.address)? };
    let gate = site.start("unfit", true, &options)?;
    let before = origin.requests();
    for workspace in ["1EASE0", "STR1CT"] {
        let (key, document) = site.key_of(workspace, 0, now()?)?;
        gate.server.control.put_rows([keys::sealed(site.keyring.newest(), &document)?])?;
        for _ in 0..3 {
            let reply = gate.get("/near/x", Some(&key))?;
            unavailable(verdict, &format!("unfit Workspaces, {workspace}"), &reply);
        }
    }
    verdict.require(origin.requests() == before, || "unfit Workspaces: forwarded".to_owned());
    let own = gate.server.control.authority("GET", "/", "*/*")?;
    unavailable(verdict, "unfit Workspaces, asked themselves", &own);
    let cause = "answering no call: PORTCULLIS_ROOT is missing or empty";
    let log = log_with(&gate, cause);
    verdict.require(log.contains(cause), || format!("unfit Workspaces: no `{cause}`"));
    let (key, row) = site.key(0, now()?)?;
    gate.server.control.put_rows([row])?;
    let edge = gate.get("/near/x", Some(&key))?;
    verdict.require(edge.status == 200, || format!("unfit Workspaces, edge: {}", edge.status));
    Ok(())
}

const LOG_TIMEOUT: Duration = Duration::from_secs(2);
/// An outage is forgotten within 2 seconds.
const RECOVERY: Duration = Duration::from_secs(2);
