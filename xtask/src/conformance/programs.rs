//! What takes more than one request to see.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use portcullis::root::Keyring;
use serde_json::json;

use super::origin::Origin;
use super::raw::Stage;
use super::{
    Bench, TIMEOUT, authority, cases, jose, keysets, leaks, management, observed, panics, people,
    settled, signed, tokens, wycheproof,
};
use crate::http::{Connection, Reply, exchange};

type Program = fn(&mut Bench) -> Result<()>;

const PROGRAMS: &[(&str, Program)] = &[
    ("A08 denials before proof are the same bytes", same_denials),
    ("M02 a redirect is not followed", no_redirect),
    ("M08 the origin is down", origin_down),
    ("M10 no answer for another key", no_shared_answers),
    ("M11 the head comes in time or not at all", head_in_time),
    ("M11 a body may take its time", body_streams),
    ("M11 a broken body breaks, and the next request is served", broken_bodies),
    ("O01 KV fails", kv_fails),
    ("O02 KV lies", kv_lies),
    ("O04 a cached key needs no KV", cached_key),
    ("O07 not fit to decide", unfit),
    ("O08 a trap while others run", panics::trap_at_once),
    ("O08 a trap in a look-up while others run", panics::trap_in_look_up),
    ("O08 a trap in a burst of look-ups", panics::trap_in_a_burst),
    ("O08 a trap in a shared look-up", panics::trap_in_a_shared_look_up),
    ("O08 a trap while origins fail", panics::trap_among_failures),
    ("O08 an exception while others run", panics::exception),
    ("O08 an exception in a look-up while others run", panics::exception_in_look_up),
    ("O08 an exception while a request is made", panics::exception_in_shim),
    ("O08 an exception while a fault is answered", panics::exception_in_fault),
    ("O08 the answer after a trap", panics::form),
    ("O08 a trap in a Workspace", authority::trap),
    ("a lost alarm is found again", authority::lost_alarm),
    ("a Workspace is told nonsense", authority::nonsense),
    ("the Worker of the Workspaces serves the admin host alone", authority::other_hosts),
    ("a gate without the management API", authority::out_of_reach),
    ("a token of each algorithm says whom it speaks for", tokens::accepted),
    ("L07 L08 a token that is not believed", tokens::refused),
    ("L01 no token, an API key, too much", tokens::not_presented),
    ("L01 a key with all scopes manages nothing", management::api_key),
    ("L03 a member, and another workspace's admin", management::roles),
    ("a stranger reaches no Workspace", management::strangers),
    ("a Directory that was not told is told later", management::late_notes),
    ("members whose subjects have marks of URLs", management::subjects),
    ("L05 the 21st key, and 100 at once", management::limit),
    ("L06 fields that nobody may set", management::foreign_fields),
    ("L12 bodies that are read in more than one way", management::bodies),
    ("L14 a secret is told once", management::secret_once),
    ("L15 the same Idempotency-Key twice", management::repeated),
    ("L16 a stale If-Match", management::stale),
    ("a hash that two workspaces import", management::pointers),
    ("a secret scanner finds a key", leaks::reported),
    ("a key that will expire", management::expiring),
    ("keys that are rotated, and a flood of invented ones", tokens::rotated),
    ("an issuer that is down", tokens::down),
    ("an issuer that was never there", tokens::never_there),
    ("many tokens at once on a cold isolate", tokens::crowd),
    ("a trap while a token waits for its issuer", tokens::trap),
    ("bodies are read to their limit", tokens::bodies),
    ("key sets as they should and should not be", keysets::keys),
    ("Wycheproof: signatures as served", wycheproof::signatures),
    ("Wycheproof: web signatures and web keys as served", jose::sets),
    ("people at a gated route", people::accepted),
    ("people who are refused at a gated route", people::refused),
    ("a key at its limit, and people", people::unmetered),
    ("people whose issuer is down", people::down),
    ("people of a cold issuer, many at once", people::crowd),
    ("an origin says what a request has cost", settled::told),
    ("an origin that has not answered says nothing of a cost", settled::without_an_answer),
    ("a settlement is lost", settled::lost),
    ("a trap while an origin has a request to settle", settled::after_a_trap),
    ("O06 a Workspace that is silent about a signed request", signed::silent),
    ("D20 bodies of signed requests that never end", signed::crowded),
    ("each decision is told as it was", observed::told),
    ("Server-Timing for whoever asks", observed::timing),
    ("D15 a body that is cut off is never whole at the origin", cut_off),
];

pub fn run(bench: &mut Bench) -> Result<()> {
    for (id, program) in PROGRAMS {
        bench.forget();
        let outcome = program(bench);
        bench.note(id, outcome);
    }
    Ok(())
}

/// Nobody learns from a 401 whether a kid exists, or what became of it.
fn same_denials(bench: &mut Bench) -> Result<()> {
    let mut first: Option<(&str, String)> = None;
    for name in [
        "unknown_kid",
        "invented_secret",
        "invented_revoked",
        "invented_expired",
        "rotated_ahead",
        "bad_crc",
        "bad_kid_tag",
        "bad_secret_tag",
        "foreign_root",
        "lower_case",
        "other_prefix",
        "imported_unknown",
        "imported_dangling",
    ] {
        let key = &bench.world.keys[name];
        let mut connection = Connection::open(bench.address, TIMEOUT)?;
        let head = "GET /v1/agents HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n";
        connection.send(format!("{head}Authorization: Bearer {key}\r\n\r\n").as_bytes())?;
        let bytes = String::from_utf8(connection.drain()?)?;
        ensure!(bytes.starts_with("HTTP/1.1 401 "), "{name}: {bytes}");
        let plain = without_ids(&bytes)?;
        match &first {
            None => first = Some((name, plain)),
            Some((other, expected)) => {
                ensure!(plain == *expected, "{name} is told from {other}:\n{plain}\n{expected}");
            }
        }
    }
    nothing_seen(bench)
}

/// The answer with its request id and date, and only these, blanked.
fn without_ids(bytes: &str) -> Result<String> {
    let lower = bytes.to_ascii_lowercase();
    let at = lower.find("x-request-id: ").context("no request id")? + "x-request-id: ".len();
    let id = bytes.get(at..at + 32).context("no request id")?;
    ensure!(bytes.matches(id).count() == 2, "the id stands in the header and the body: {bytes}");
    let lines = bytes.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("date: "));
    Ok(lines.collect::<Vec<_>>().join("\r\n").replace(id, "ID"))
}

fn no_redirect(bench: &mut Bench) -> Result<()> {
    for via in VIA {
        let reply = get(bench, &format!("/{via}/302"), "open")?;
        ensure!(reply.status == 302, "{via}: {}", reply.status);
        ensure!(reply.header("location") == Some("https://evil.example/"), "{:?}", reply.headers);
        let seen = bench.origin()?.take();
        ensure!(seen.len() == 1, "{via}: the origin got {seen:?}");
    }
    Ok(())
}

fn origin_down(bench: &mut Bench) -> Result<()> {
    bench.origin = None;
    // Until the last connection is refused.
    let deadline = Instant::now() + TIMEOUT;
    while std::net::TcpStream::connect(("127.0.0.1", bench.origin_port)).is_ok() {
        ensure!(Instant::now() < deadline, "the origin still listens");
    }
    let replies = VIA.map(|via| get(bench, &format!("/{via}/x"), "open"));
    bench.origin = Some(Origin::start(bench.origin_port)?);
    for reply in replies {
        refused(bench, &reply?, 502, "ORIGIN_UNREACHABLE")?;
    }
    for via in VIA {
        let reply = get(bench, &format!("/{via}/x"), "open")?;
        ensure!(reply.status == 200, "{via}, up again: {}", reply.text());
    }
    Ok(())
}

fn no_shared_answers(bench: &mut Bench) -> Result<()> {
    for via in VIA {
        bench.forget();
        let target = format!("/{via}/cache-public");
        for name in ["full", "second", "full"] {
            let reply = get(bench, &target, name)?;
            let kid = bench.world.fill(&format!("{{kid {name}}}"))?;
            ensure!(reply.json()?["key"] == kid, "{name} got the answer of another key");
            let control = reply.header("cache-control").unwrap_or_default();
            ensure!(control == "private, no-store", "{control}");
        }
        let seen = bench.origin()?.take();
        ensure!(seen.len() == 3, "{via}: {} of 3 requests reached the origin", seen.len());
    }
    Ok(())
}

fn head_in_time(bench: &mut Bench) -> Result<()> {
    for via in VIA {
        for (behaviour, status, code) in [
            ("hang", 504, "ORIGIN_TIMEOUT"),
            ("drip-head", 504, "ORIGIN_TIMEOUT"),
            ("close-head", 502, "ORIGIN_UNREACHABLE"),
            ("cut-head", 502, "ORIGIN_UNREACHABLE"),
            ("garbage", 502, "ORIGIN_UNREACHABLE"),
        ] {
            let start = Instant::now();
            let reply = get(bench, &format!("/{via}/{behaviour}"), "open")?;
            let took = start.elapsed();
            refused(bench, &reply, status, code).with_context(|| behaviour)?;
            let late = status == 504;
            ensure!(!late || took >= ORIGIN_TIMEOUT, "{behaviour}: given up after {took:?}");
            ensure!(took < ORIGIN_TIMEOUT + SLACK, "{behaviour}: {took:?}");
            let next = get(bench, &format!("/{via}/x"), "open")?;
            ensure!(next.status == 200, "after {behaviour}: {}", next.text());
        }
    }
    Ok(())
}

fn body_streams(bench: &mut Bench) -> Result<()> {
    for via in VIA {
        for (behaviour, body) in [("drip-body", "........"), ("sse", "data: 1\n\ndata: 2\n\n")] {
            let request = request(bench, &format!("/{via}/{behaviour}"), "open")?;
            let mut connection = Connection::open(bench.address, TIMEOUT)?;
            let start = Instant::now();
            connection.send(&request)?;
            let early = connection.more(Duration::from_millis(250))?;
            let head = String::from_utf8_lossy(&early).into_owned();
            ensure!(head.starts_with("HTTP/1.1 200 "), "{behaviour}: nothing yet: {head}");
            ensure!(!head.contains("\r\n0\r\n"), "{behaviour}: all at once");
            let reply = exchange(bench.address, &request, TIMEOUT)?;
            ensure!(reply.text() == body, "{behaviour}: {}", reply.text());
            let long = behaviour == "drip-body";
            ensure!(!long || start.elapsed() > ORIGIN_TIMEOUT, "the origin was too quick");
        }
    }
    Ok(())
}

fn broken_bodies(bench: &mut Bench) -> Result<()> {
    for via in VIA {
        for behaviour in ["close-body", "bad-chunk", "cut-chunk"] {
            let request = request(bench, &format!("/{via}/{behaviour}"), "open")?;
            match exchange(bench.address, &request, TIMEOUT) {
                Ok(reply) => bail!("{via}/{behaviour}: a whole answer: {}", reply.text()),
                Err(error) => {
                    let broken = error.to_string().contains("body");
                    ensure!(broken, "{via}/{behaviour}: {error:#}");
                }
            }
            let next = get(bench, &format!("/{via}/x"), "open")?;
            ensure!(next.status == 200, "after {behaviour}: {}", next.text());
        }
    }
    Ok(())
}

/// Whatever became of the client, the origin must not take a part of its body for the whole.
fn cut_off(bench: &mut Bench) -> Result<()> {
    for via in VIA {
        for (framing, part) in
            [("Content-Length: 10", "hello"), ("Transfer-Encoding: chunked", "5\r\nhello\r\n")]
        {
            bench.forget();
            let text = format!(
                "POST /{via}/x HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {{key open}}\r\n{framing}\r\n\r\n{part}"
            );
            let mut connection = Connection::open(bench.address, TIMEOUT)?;
            connection.send(&cases::bytes(&bench.world.fill(&text)?))?;
            let deadline = Instant::now() + TIMEOUT;
            while bench.origin()?.arrived() == 0 {
                ensure!(Instant::now() < deadline, "{via}, {framing}: nothing arrived");
                std::thread::sleep(Duration::from_millis(5));
            }
            // Some of the body is under way.
            std::thread::sleep(Duration::from_millis(50));
            drop(connection);
            let seen = bench.origin()?.take_ended();
            ensure!(seen.len() == 1, "{via}, {framing}: the origin got {seen:?}");
            ensure!(!seen[0].whole, "{via}, {framing}: the origin got {:?}", seen[0].body);
        }
    }
    Ok(())
}

fn kv_fails(bench: &mut Bench) -> Result<()> {
    for fault in [
        json!({ "kind": "error" }),
        json!({ "kind": "error", "status": 503 }),
        json!({ "kind": "error", "status": 429 }),
        json!({ "kind": "error", "status": 302 }),
        json!({ "kind": "hang" }),
        json!({ "kind": "delay", "delay_ms": 2000 }),
    ] {
        unavailable(bench, &fault).with_context(|| fault.to_string())?;
    }
    Ok(())
}

fn kv_lies(bench: &mut Bench) -> Result<()> {
    let mut faults = vec![json!({ "kind": "garbage" }), json!({ "kind": "truncate" })];
    faults.extend([0, 2, 20, 60, 200].map(|at| json!({ "kind": "flip", "at": at })));
    for fault in faults {
        unavailable(bench, &fault).with_context(|| fault.to_string())?;
    }
    Ok(())
}

/// With this fault a key that is not cached gets 503, and once it is over 200.
fn unavailable(bench: &mut Bench, fault: &serde_json::Value) -> Result<()> {
    bench.restart()?;
    bench.control()?.set_faults(&json!({ "kv": fault }))?;
    for name in ["full", "imported"] {
        let start = Instant::now();
        let reply = get(bench, "/v1/agents", name)?;
        refused(bench, &reply, 503, "AUTH_UNAVAILABLE").with_context(|| name)?;
        let wait: u64 = reply.header("retry-after").context("no Retry-After")?.parse()?;
        ensure!((1..=3).contains(&wait), "Retry-After: {wait}");
        ensure!(start.elapsed() < KV_TIMEOUT + SLACK, "{name}: {:?}", start.elapsed());
    }
    // What was never a key costs no look-up, and so is refused as ever.
    let reply = get(bench, "/v1/agents", "bad_kid_tag")?;
    refused(bench, &reply, 401, "INVALID_API_KEY")?;
    let reply = get(bench, "/v1/agents", "environment")?;
    ensure!(reply.status == 200, "an environment key: {}", reply.text());
    bench.forget();
    bench.control()?.clear_faults()?;
    for name in ["full", "imported"] {
        let reply = get(bench, "/v1/agents", name)?;
        ensure!(reply.status == 200, "after the fault, {name}: {}", reply.text());
    }
    Ok(())
}

fn cached_key(bench: &mut Bench) -> Result<()> {
    bench.restart()?;
    ensure!(get(bench, "/v1/agents", "full")?.status == 200, "before the fault");
    bench.control()?.set_faults(&json!({ "kv": { "kind": "error" } }))?;
    bench.control()?.reset_counts()?;
    for _ in 0..20 {
        let reply = get(bench, "/v1/agents", "full")?;
        ensure!(reply.status == 200, "{}", reply.text());
    }
    let reads = bench.control()?.counts()?["kv"]["reads"].clone();
    bench.control()?.clear_faults()?;
    ensure!(reads == 0, "{reads} reads of KV");
    Ok(())
}

/// Without its root secret, or with another, the gate answers 503 to everything.
fn unfit(bench: &mut Bench) -> Result<()> {
    let good = bench.options.secrets.clone();
    let other = data_encoding::BASE64.encode(&[7; 32]);
    let root = &bench.world.root;
    let keys = &bench.world.static_keys;
    ensure!(Keyring::parse(&other).is_ok(), "a root, but not this policy's");
    let deployments = [
        ("no root", String::new(), keys.clone()),
        ("another root", other, keys.clone()),
        ("half a root", root[..20].to_owned(), keys.clone()),
        ("an environment key of no name", root.clone(), "nobody:AAAA".to_owned()),
        ("a short environment key", root.clone(), "worker:AAAA".to_owned()),
    ];
    let outcome = deployments.into_iter().try_for_each(|(what, root, keys)| {
        bench.options.secrets = vec![("PORTCULLIS_ROOT", root), ("PORTCULLIS_STATIC_KEYS", keys)];
        bench.restart()?;
        for (host, target) in [
            ("api.test", "/v1/agents"),
            ("api.test", "/v1/public"),
            ("api.test", "/nowhere"),
            ("portcullis.localhost", "/healthz"),
        ] {
            let key = &bench.world.keys["full"];
            let text = format!(
                "GET {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n"
            );
            let reply = exchange(bench.address, text.as_bytes(), TIMEOUT)?;
            ensure!(reply.status == 503, "{what}: {host}{target}: {}", reply.status);
            ensure!(reply.json()?["error"]["code"] == "AUTH_UNAVAILABLE", "{what}");
            ensure!(reply.header("retry-after").is_some(), "{what}: no Retry-After");
        }
        let server = bench.server.as_ref().context("no server")?;
        let deadline = Instant::now() + TIMEOUT;
        while !server.log().contains("answering 503 to every request: ") {
            ensure!(Instant::now() < deadline, "{what}: the log has no cause");
            std::thread::sleep(Duration::from_millis(20));
        }
        nothing_seen(bench).with_context(|| what)
    });
    bench.options.secrets = good;
    bench.restart()?;
    outcome?;
    ensure!(get(bench, "/v1/agents", "full")?.status == 200, "fit again");
    Ok(())
}

fn nothing_seen(bench: &Bench) -> Result<()> {
    let seen = bench.origin()?.take();
    ensure!(seen.is_empty(), "the origin got {seen:?}");
    Ok(())
}

pub fn refused(bench: &Bench, reply: &Reply, status: u16, code: &str) -> Result<()> {
    ensure!(reply.status == status, "{}, not {status}: {}", reply.status, reply.text());
    let actual = bench.check_own_answer(reply, false)?;
    ensure!(actual == code, "{actual}, not {code}");
    Ok(())
}

pub fn get(bench: &Bench, target: &str, key: &str) -> Result<Reply> {
    exchange(bench.address, &request(bench, target, key)?, TIMEOUT)
}

fn request(bench: &Bench, target: &str, key: &str) -> Result<Vec<u8>> {
    let text =
        format!("GET {target} HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {{key {key}}}\r\n\r\n");
    Ok(cases::bytes(&bench.world.fill(&text)?))
}

pub const VIA: [&str; 2] = ["near", "far"];
/// As in the policy.
const ORIGIN_TIMEOUT: Duration = Duration::from_millis(1500);
const KV_TIMEOUT: Duration = Duration::from_millis(500);
/// For two busy cores.
const SLACK: Duration = Duration::from_millis(1500);
