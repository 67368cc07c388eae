//! Plays the cases of `tests/conformance/*.json`.

use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail, ensure};
use portcullis::root::Keyring;

use super::cases::{self, Case, Expect, Expected, Part, Send, bytes, expand, latin};
use super::origin::Seen;
use super::signed::{self, Words};
use super::{fault, forwarded};
use crate::checkout::{Checkout, say};
use crate::http::{Connection, Reply};
use crate::vectors::World;

/// What cases are played on: a gate, what it knows, and what is seen of it.
pub trait Stage {
    /// What there is.
    fn world(&self) -> &World;

    /// The world's root.
    fn keyring(&self) -> &Keyring;

    /// The gate's host, which is [`HOST`] in the cases.
    fn host(&self) -> &str;

    /// A connection to the gate.
    fn connect(&self) -> Result<Connection>;

    /// Whether this case cannot be played here; counts it.
    fn leaves_out(&mut self, case: &Case, via: &str) -> bool;

    /// Nothing is left of the case before.
    fn begin(&self) -> Result<()>;

    /// What the origin got by the time of this answer; if `ended`, to the end of each request.
    fn seen(&self, reply: Option<&Reply>, ended: bool) -> Result<Vec<Seen>>;

    /// That no row was read but these, as far as it can be seen.
    fn check_rows(&self, allowed: &[&String]) -> Result<()>;

    /// Counts what came of a case.
    fn note(&mut self, id: &str, outcome: Result<()>);
}

/// Plays all of them.
pub fn run(checkout: &Checkout, stage: &mut dyn Stage) -> Result<()> {
    for (name, cases) in cases::read(checkout)? {
        for case in &cases {
            let is_twofold = case.send.parts().iter().any(|text| text.contains("{via}"));
            let ways = if is_twofold { &[" near", " far"][..] } else { &[""] };
            for way in ways {
                let via = way.trim_start();
                if !stage.leaves_out(case, via) {
                    let outcome = one(stage, case, via);
                    stage.note(&format!("{name}: {}{way}", case.id), outcome);
                }
            }
        }
        say(format!("{name}: {} raw cases", cases.len()));
    }
    Ok(())
}

fn one(stage: &dyn Stage, case: &Case, via: &str) -> Result<()> {
    stage.begin()?;
    let words = signed::words(stage, &case.sign, via)?;
    let scene = &Scene { stage, words, via };
    let mut connection = stage.connect()?;
    let head = case.send.parts().first().is_some_and(|text| text.starts_with("HEAD "));
    let parts = match &case.send {
        Send::Whole(text) => &[Part::Text(text.clone())][..],
        Send::Parts(parts) => parts,
    };
    let mut expect = &case.expect;
    for part in parts {
        match part {
            // A server may answer and close before it has read all.
            Part::Text(text) => drop(connection.send(&bytes(&scene.fill(text)?))),
            Part::Pause(millis) => sleep(Duration::from_millis(*millis)),
            Part::Answer(()) => {
                scene.answer(&mut connection, expect, head)?;
                expect = expect.then.as_deref().context("an answer more than expected")?;
            }
        }
    }
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
        let late = stage.seen(None, false)?;
        ensure!(late.is_empty(), "then the origin got {late:?}");
    }
    let allowed = expect.kv.as_ref().or(case.expect.kv.as_ref());
    if let Some(allowed) = allowed {
        let rows = allowed.iter().map(|row| stage.world().rows.get(row));
        stage.check_rows(&rows.collect::<Option<Vec<_>>>().context("no such row")?)?;
    }
    Ok(())
}

/// What the texts of a case speak of.
struct Scene<'a> {
    stage: &'a dyn Stage,
    words: Words,
    via: &'a str,
}

impl Scene<'_> {
    fn answer(&self, connection: &mut Connection, expect: &Expect, head: bool) -> Result<()> {
        let stage = self.stage;
        let reply = connection.receive(head);
        if expect.broken || expect.status.is_none() {
            match &reply {
                Ok(reply) => bail!("a whole answer: {}", told(reply)),
                Err(error) => {
                    let text = format!("{error:#}");
                    ensure!(text.contains("body") == expect.broken, "{text}");
                }
            }
        } else {
            let reply = reply.as_ref().map_err(|error| anyhow!("{error:#}"))?;
            ensure!(Some(reply.status) == expect.status, "{}", told(reply));
            if let Some(code) = &expect.code {
                let actual = fault::check(stage.world(), reply, head, Some(fault::DOCS))?;
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
                ensure!(holds, "the body: {}", told(reply));
            }
        }
        let none = Vec::new();
        let expected = match (&expect.origin, &expect.code) {
            (Some(expected), _) => expected,
            (None, Some(_)) => &none,
            (None, None) if expect.status.is_none() || expect.status == Some(400) => &none,
            (None, None) => bail!("the case does not say what the origin sees"),
        };
        let cut = expected.iter().any(|expected| expected.broken);
        let seen = stage.seen(reply.as_ref().ok(), cut)?;
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
        forwarded::check(seen, audience, self.stage.keyring(), now()?)
    }

    fn fill(&self, text: &str) -> Result<String> {
        let text = text.replace("{via}", self.via).replace(HOST, self.stage.host());
        expand(&self.stage.world().fill(&signed::fill(&self.words, &text)?)?)
    }
}

/// Unix seconds.
pub fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

fn told(reply: &Reply) -> String {
    format!("{} {:?} {}", reply.status, reply.headers, reply.text())
}

/// The gate's host as the cases have it.
pub const HOST: &str = "api.test";
/// How long nothing must come.
const QUIET: Duration = Duration::from_millis(150);
