//! Does the steps of a case.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use data_encoding::{BASE64, HEXLOWER};
use portcullis::crypto::MacKey;
use serde_json::Value;

use super::case::{Alert, Ask, Clock, Seen, Step};
use super::expected;
use super::stage::Stage;
use super::words::Words;
use crate::conformance::forwarded;
use crate::conformance::now;
use crate::http::{Reply, exchange};

/// Does a step and checks what came of it.
pub fn step(stage: &mut Stage<'_>, words: &mut Words, step: &Step) -> Result<()> {
    match step {
        Step::Ask(ask) => {
            let kept = asked(stage, words, ask).with_context(|| ask.ask.clone())?;
            kept.into_iter().for_each(|(name, text)| words.keep(&name, text));
            Ok(())
        }
        Step::Wait(millis) => {
            sleep(Duration::from_millis(*millis));
            Ok(())
        }
        Step::Deploy(deploy) => {
            let environment = deploy.environment.as_deref();
            let environment =
                environment.map(|text| words.fill(text, &stage.people)).transpose()?;
            stage.deploy(&deploy.policy, environment)
        }
        Step::Clock(clock) => {
            let clock = match clock {
                Clock::Ahead(seconds) => (seconds * 1000).to_string(),
                Clock::Stands { monday_ms } => {
                    format!("={}", stage.monday.checked_add_signed(*monday_ms).context("clock")?)
                }
            };
            let head = format!(
                "GET /api/v1/me HTTP/1.1\r\nHost: {}\r\n",
                stage.policy.admin_host.as_str()
            );
            let bytes = format!("{head}X-Clock: {clock}\r\n\r\n");
            exchange(stage.address, bytes.as_bytes(), TIMEOUT).map(drop)
        }
        Step::Alert(alert) => {
            alerted(stage, words, alert).with_context(|| format!("alert {}", alert.alert))
        }
    }
}

/// What is kept of the last answer.
fn asked(stage: &Stage<'_>, words: &Words, ask: &Ask) -> Result<Vec<(String, String)>> {
    let deadline = Instant::now() + Duration::from_millis(ask.within_ms);
    loop {
        stage.origin.take();
        let replies = send(stage, words, ask)?;
        match judge(stage, words, ask, &replies) {
            Ok(()) => return kept(ask, &replies),
            Err(_) if Instant::now() < deadline => sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
}

fn send(stage: &Stage<'_>, words: &Words, ask: &Ask) -> Result<Vec<Reply>> {
    let mut replies = Vec::with_capacity(ask.times);
    while replies.len() < ask.times {
        let count = ask.at_once.min(ask.times - replies.len());
        let requests: Vec<_> =
            (0..count).map(|_| bytes(stage, words, ask)).collect::<Result<_>>()?;
        let address = stage.address;
        let crowd = std::thread::scope(|scope| {
            let threads: Vec<_> = requests
                .iter()
                .map(|bytes| scope.spawn(move || exchange(address, bytes, TIMEOUT)))
                .collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Reply>>| {
                thread.join().map_err(|_| anyhow!("a thread panicked"))?
            };
            threads.into_iter().map(join).collect::<Result<Vec<_>>>()
        })?;
        replies.extend(crowd);
    }
    Ok(replies)
}

/// The request as it is sent.
fn bytes(stage: &Stage<'_>, words: &Words, ask: &Ask) -> Result<Vec<u8>> {
    let fill = |text: &str| words.fill(text, &stage.people);
    let (method, target) = ask.ask.split_once(' ').context("METHOD TARGET")?;
    let target = fill(target)?;
    let host = match ask.host.as_deref() {
        None => stage.host()?,
        Some("admin") => stage.policy.admin_host.as_str(),
        Some(other) => other,
    };
    let body = match (&ask.json, &ask.text) {
        (Some(json), _) => words.fill_value(json, &stage.people)?.to_string(),
        (None, text) => fill(text.as_deref().unwrap_or_default())?,
    };
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
    let mut line = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
    line("CF-Connecting-IP", &ask.from);
    if let Some(person) = &ask.person {
        line("Authorization", &format!("Bearer {}", stage.people.token(person, words)?));
    }
    if let Some(key) = &ask.key {
        line("Authorization", &format!("Bearer {}", fill(key)?));
    }
    for (name, value) in &ask.headers {
        line(name, &fill(value)?);
    }
    if let Some(sign) = &ask.sign {
        let timestamp = now()?.checked_add_signed(-sign.age).context("age")?;
        let over = sign.over.as_deref().unwrap_or(&body);
        let message = format!("{method}\n{target}\n{timestamp}\n{over}");
        let mac = MacKey::new(fill(&sign.secret)?.as_bytes()).mac(&[message.as_bytes()]);
        line("X-Timestamp", &timestamp.to_string());
        line("X-Signature", &HEXLOWER.encode(mac.as_bytes()));
    }
    if ask.json.is_some() {
        line("Content-Type", "application/json");
    }
    if !body.is_empty() {
        line("Content-Length", &body.len().to_string());
    }
    Ok(format!("{head}\r\n{body}").into_bytes())
}

/// Whether the answers are those expected, and the origins saw what they should.
fn judge(stage: &Stage<'_>, words: &Words, ask: &Ask, replies: &[Reply]) -> Result<()> {
    let seen = stage.origin.take();
    if let Some(expected) = &ask.outcomes {
        let mut outcomes = BTreeMap::new();
        for reply in replies {
            *outcomes.entry(outcome(reply)).or_insert(0) += 1;
        }
        ensure!(outcomes == *expected, "{outcomes:?}");
    }
    for reply in replies {
        let told = || format!("{} {:?} {}", reply.status, reply.headers, reply.text());
        judge_one(stage, words, ask, reply).with_context(told)?;
    }
    let passed = replies.iter().filter(|reply| reply.status < 300).count();
    let is_own = ask.own || ask.host.as_deref() == Some("admin");
    let expected = if is_own { 0 } else { passed };
    ensure!(seen.len() == expected, "the origin got {} requests, not {expected}", seen.len());
    let nothing = Seen { to: None, headers: BTreeMap::new() };
    let Seen { to, headers } = ask.origin.as_ref().unwrap_or(&nothing);
    for seen in &seen {
        let audience = to.as_deref().map_or_else(|| stage.only_origin(), Ok)?;
        forwarded::check(seen, audience, &stage.keyring, now()?)?;
        for (name, value) in headers {
            let actual = seen.header(name).map(Value::from);
            let value = words.fill_value(value, &stage.people)?;
            expected::check(actual.as_ref(), &value)
                .with_context(|| format!("the origin got {name}"))?;
        }
    }
    Ok(())
}

fn judge_one(stage: &Stage<'_>, words: &Words, ask: &Ask, reply: &Reply) -> Result<()> {
    if reply.status >= 400 {
        own_error(reply)?;
    }
    if ask.outcomes.is_none() {
        let status = ask.status.context("the step expects no status")?;
        ensure!(reply.status == status, "not {status}");
        ensure!(ask.code.as_deref() == code(reply).as_deref(), "not {:?}", ask.code);
    }
    for (name, value) in &ask.has {
        let actual = reply.header(name).map(Value::from);
        let value = words.fill_value(value, &stage.people)?;
        expected::check(actual.as_ref(), &value).with_context(|| name.clone())?;
    }
    let json = if ask.body.is_empty() { Value::Null } else { reply.json()? };
    for (pointer, value) in &ask.body {
        let value = words.fill_value(value, &stage.people)?;
        expected::check(json.pointer(pointer), &value).with_context(|| pointer.clone())?;
    }
    Ok(())
}

/// What holds for every refusal: its form, that nobody stores it, and its challenge.
fn own_error(reply: &Reply) -> Result<()> {
    let json = reply.json()?;
    let error = &json["error"];
    ensure!(error["status"] == reply.status, "another status in the body");
    for member in ["code", "message", "request_id"] {
        ensure!(error[member].is_string(), "no {member} in the body");
    }
    ensure!(reply.header("cache-control") == Some("no-store"), "it may be stored");
    let wait = reply.header("retry-after").map(str::parse::<u64>).transpose()?;
    ensure!(error["retry_after"].as_u64() == wait, "another retry_after in the body");
    ensure!(reply.status != 429 || wait.is_some_and(|wait| wait > 0), "429 without a wait");
    let is_challenged = reply.header("www-authenticate").is_some();
    ensure!(reply.status != 401 || is_challenged, "401 without a challenge");
    Ok(())
}

fn code(reply: &Reply) -> Option<String> {
    let json = (reply.status >= 400).then(|| reply.json().ok()).flatten()?;
    json["error"]["code"].as_str().map(str::to_owned)
}

fn outcome(reply: &Reply) -> String {
    let status = reply.status.to_string();
    code(reply).map_or(status.clone(), |code| format!("{status} {code}"))
}

fn kept(ask: &Ask, replies: &[Reply]) -> Result<Vec<(String, String)>> {
    let Some(reply) = replies.last().filter(|_| !ask.keep.is_empty()) else {
        return Ok(Vec::new());
    };
    let json = reply.json()?;
    let keep = |(name, pointer): (&String, &String)| {
        let text = json.pointer(pointer).and_then(Value::as_str);
        Ok((name.clone(), text.with_context(|| format!("no {pointer}"))?.to_owned()))
    };
    ask.keep.iter().map(keep).collect()
}

/// Waits for an alert, and verifies it by the webhook's secret.
fn alerted(stage: &Stage<'_>, words: &Words, alert: &Alert) -> Result<()> {
    let secret = words.fill(&alert.secret, &stage.people)?;
    let secret = secret.strip_prefix("whsec_").context("no secret of a webhook")?;
    let secret = MacKey::new(&BASE64.decode(secret.as_bytes())?);
    let deadline = Instant::now() + TIMEOUT;
    loop {
        for seen in stage.receiver.take() {
            let json: Value = serde_json::from_slice(&seen.body)?;
            if json["type"] != alert.alert {
                continue;
            }
            let header = |name| seen.header(name).with_context(|| format!("no {name}"));
            let signed = format!("{}.{}.", header("webhook-id")?, header("webhook-timestamp")?);
            let mac = secret.mac(&[signed.as_bytes(), &seen.body]);
            let own = format!("v1,{}", BASE64.encode(mac.as_bytes()));
            ensure!(header("webhook-signature")? == own, "another signature");
            for (pointer, value) in &alert.body {
                let value = words.fill_value(value, &stage.people)?;
                expected::check(json.pointer(pointer), &value)
                    .with_context(|| format!("{pointer} of {json}"))?;
            }
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("it does not come");
        }
        sleep(PAUSE);
    }
}

const TIMEOUT: Duration = Duration::from_secs(10);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);
