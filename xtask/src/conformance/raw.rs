//! `tests/conformance/*.json`: bytes in; status, code, headers and what the origin saw out.

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::origin::Seen;
use super::signed::{self, Sign, Words};
use super::{Bench, TIMEOUT, decisions, forwarded};
use crate::checkout::{Checkout, say};
use crate::http::{Connection, Reply};

/// One case. In its texts `{key NAME}` and `{kid NAME}` stand for those of `world.json`, `{*N C}`
/// for N times the character C, and U+0080 to U+00FF for the bytes 0x80 to 0xFF. With `{via}` a
/// case runs twice: by service binding (`near`) and by URL (`far`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    /// What a reader would not see at once.
    #[serde(rename = "note")]
    _note: Option<String>,
    /// Signatures by their names in the texts; see [`signed`].
    #[serde(default)]
    sign: BTreeMap<String, Sign>,
    send: Send,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Send {
    Whole(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Part {
    Text(String),
    /// Milliseconds.
    Pause(u64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// Absent if the connection ends without an answer.
    status: Option<u16>,
    /// A code: then the answer is the gate's own, and the origin sees nothing unless said.
    code: Option<String>,
    /// Parts of header values.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Whole header values.
    #[serde(default)]
    header_is: BTreeMap<String, String>,
    #[serde(default)]
    header_absent: Vec<String>,
    /// A part of the body.
    body: Option<String>,
    /// The head arrives and the body breaks off.
    #[serde(default)]
    broken: bool,
    /// What the origin sees, in order, by the time of this answer.
    origin: Option<Vec<Expected>>,
    /// Which rows KV is asked for at most.
    kv: Option<Vec<String>>,
    /// The next answer on the same connection.
    then: Option<Box<Expect>>,
    /// Whether no further answer may follow.
    #[serde(default)]
    last: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    method: String,
    target: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    body: String,
    /// Whether the client broke off inside the body.
    #[serde(default)]
    broken: bool,
}

pub fn run(checkout: &Checkout, bench: &mut Bench) -> Result<()> {
    let mut files: Vec<_> = fs::read_dir(checkout.path("tests/conformance"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    for path in files {
        let name = path.file_stem().unwrap_or_default().display().to_string();
        let cases: Vec<Case> =
            serde_json::from_slice(&fs::read(&path)?).with_context(|| name.clone())?;
        for case in &cases {
            if case.send.parts().iter().any(|text| text.contains("{via}")) {
                for via in ["near", "far"] {
                    let outcome = one(bench, case, via);
                    bench.note(&format!("{name}: {} {via}", case.id), outcome);
                }
            } else {
                let outcome = one(bench, case, "");
                bench.note(&format!("{name}: {}", case.id), outcome);
            }
        }
        say(format!("{name}: {} raw cases", cases.len()));
    }
    Ok(())
}

fn one(bench: &mut Bench, case: &Case, via: &str) -> Result<()> {
    nothing_left(bench)?;
    bench.control()?.reset_counts()?;
    let words = signed::words(bench, &case.sign, via)?;
    let scene = &Scene { bench, words, via };
    let mut connection = Connection::open(bench.address, TIMEOUT)?;
    let head = case.send.parts().first().is_some_and(|text| text.starts_with("HEAD "));
    let parts = match &case.send {
        Send::Whole(text) => &[Part::Text(text.clone())][..],
        Send::Parts(parts) => parts,
    };
    for part in parts {
        match part {
            // A server may answer and close before it has read all.
            Part::Text(text) => drop(connection.send(&bytes(&scene.fill(text)?))),
            Part::Pause(millis) => sleep(Duration::from_millis(*millis)),
        }
    }
    let mut expect = &case.expect;
    loop {
        scene.answer(&mut connection, expect, head)?;
        match &expect.then {
            Some(next) => expect = next,
            None => break,
        }
    }
    if expect.last {
        let more = connection.more(QUIET)?;
        ensure!(more.is_empty(), "and then: {}", String::from_utf8_lossy(&more));
        let late = bench.origin()?.take();
        ensure!(late.is_empty(), "then the origin got {late:?}");
    }
    let allowed = expect.kv.as_ref().or(case.expect.kv.as_ref());
    if let Some(allowed) = allowed {
        let rows = allowed.iter().map(|row| bench.world.rows.get(row));
        let rows: Vec<_> = rows.collect::<Option<_>>().context("no such row")?;
        let read = decisions::rows_read(bench)?;
        let surplus: Vec<_> = read
            .iter()
            .filter(|row| !rows.contains(row) && !bench.may_read.contains(*row))
            .collect();
        ensure!(surplus.is_empty(), "KV was asked for {surplus:?}");
    }
    Ok(())
}

/// What the texts of a case speak of.
struct Scene<'a> {
    bench: &'a Bench,
    words: Words,
    via: &'a str,
}

impl Scene<'_> {
    fn answer(&self, connection: &mut Connection, expect: &Expect, head: bool) -> Result<()> {
        let bench = self.bench;
        let reply = connection.receive(head);
        if expect.broken || expect.status.is_none() {
            if let Ok(reply) = &reply {
                bail!("a whole answer: {}", told(reply));
            }
            let text = format!("{:#}", reply.err().context("whole")?);
            let started = text.contains("body");
            ensure!(started == expect.broken, "{text}");
        } else {
            let reply = reply?;
            ensure!(Some(reply.status) == expect.status, "{}", told(&reply));
            if let Some(code) = &expect.code {
                let actual = bench.check_own_answer(&reply, head)?;
                ensure!(head || actual == *code, "{actual}, not {code}");
            }
            for (name, part) in &expect.headers {
                let value = reply.header(name).with_context(|| format!("no {name}"))?;
                ensure!(value.contains(part.as_str()), "{name}: {value}");
            }
            for (name, value) in &expect.header_is {
                ensure!(reply.header(name) == Some(value), "{name}: {:?}", reply.header(name));
            }
            for name in &expect.header_absent {
                ensure!(reply.header(name).is_none(), "{name}: {:?}", reply.header(name));
            }
            if let Some(part) = &expect.body {
                let part = self.fill(part)?;
                let holds = latin(&reply.body).contains(&part);
                ensure!(holds, "the body: {}", told(&reply));
            }
        }
        let none = Vec::new();
        let expected = match (&expect.origin, &expect.code) {
            (Some(expected), _) => expected,
            (None, Some(_)) => &none,
            (None, None) if expect.status.is_none() || expect.status == Some(400) => &none,
            (None, None) => bail!("the case does not say what the origin sees"),
        };
        let origin = bench.origin()?;
        let cut = expected.iter().any(|expected| expected.broken);
        let seen = if cut { origin.take_ended() } else { origin.take() };
        ensure!(seen.len() == expected.len(), "the origin got {seen:?}");
        for (seen, expected) in seen.iter().zip(expected) {
            self.compare(seen, expected)?;
        }
        Ok(())
    }

    fn compare(&self, seen: &Seen, expected: &Expected) -> Result<()> {
        let target = self.fill(&expected.target)?;
        ensure!(seen.target == target, "the origin got {}, not {target}", seen.target);
        ensure!(seen.method == expected.method, "the origin got a {}", seen.method);
        let body = self.fill(&expected.body)?;
        if expected.broken {
            ensure!(!seen.whole, "the origin got a whole body");
            return Ok(());
        }
        ensure!(latin(&seen.body) == body, "the origin got the body {:?}", latin(&seen.body));
        for (name, value) in &expected.headers {
            let value = self.fill(value)?;
            let fields = seen.headers.iter().filter(|(own, _)| own == name);
            let actual = fields.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ");
            ensure!(actual == value, "the origin got {name}: {actual:?}, not {value}");
        }
        for name in &expected.absent {
            ensure!(seen.header(name).is_none(), "the origin got {name}: {:?}", seen.header(name));
        }
        let audience = if target.starts_with("/far") { "far" } else { "near" };
        forwarded::check(seen, audience, &self.bench.keyring, now()?)
    }

    fn fill(&self, text: &str) -> Result<String> {
        let text = signed::fill(&self.words, &text.replace("{via}", self.via))?;
        expand(&self.bench.world.fill(&text)?)
    }
}

/// No request may reach the origin after the case it belongs to.
pub fn nothing_left(bench: &Bench) -> Result<()> {
    let seen = bench.origin()?.take();
    ensure!(seen.is_empty(), "after the case before, the origin got {seen:?}");
    Ok(())
}

/// Unix seconds.
pub fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

impl Send {
    fn parts(&self) -> Vec<&str> {
        match self {
            Self::Whole(text) => vec![text],
            Self::Parts(parts) => parts.iter().filter_map(Part::text).collect(),
        }
    }
}

impl Part {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Pause(_) => None,
        }
    }
}

/// Writes `{*N C}` out.
pub fn expand(text: &str) -> Result<String> {
    let mut text = text.to_owned();
    while let Some((before, rest)) = text.split_once("{*") {
        let (inside, after) = rest.split_once('}').context("{*N C}")?;
        let (count, what) = inside.split_once(' ').context("{*N C}")?;
        text = format!("{before}{}{after}", what.repeat(count.parse()?));
    }
    Ok(text)
}

/// U+0000 to U+00FF as the bytes they stand for.
pub fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn told(reply: &Reply) -> String {
    format!("{} {:?} {}", reply.status, reply.headers, reply.text())
}

/// How long nothing must come.
const QUIET: Duration = Duration::from_millis(150);
