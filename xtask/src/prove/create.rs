//! Keys that are created: no more than may be, and their secrets told once.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Value, json};

use super::desk::{Desk, code, text, until};
use super::progress::Progress;
use super::site::Site;
use super::{Bar, Verdict};
use crate::api::Api;

pub(super) const BAR: Bar = Bar {
    name: "create",
    goal: "100 keys created at once leave exactly 20, the others and the 21st are 409 KEY_LIMIT; of \
           keys without that limit no 10 characters of a secret, or of a signing secret, are in any other answer, in KV or in \
           the objects' files",
    unit: "keys without a limit",
    ci: 100,
    full: 1000,
    sources: super::roles::SOURCES,
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    limited(site, &mut verdict)?;
    secrets(site, size, &mut verdict)?;
    Ok(verdict)
}

fn limited(site: &Site, verdict: &mut Verdict) -> Result<()> {
    let desk = Desk::product(site, "create-limited")?;
    let (workspace, owner) = (desk.workspace()?, desk.subject("owner")?);
    let keys = format!("{workspace}/api-keys");
    let body = json!({ "name": "proof", "scopes": ["agents:read"] });
    let replies = std::thread::scope(|scope| {
        let asking: Vec<_> =
            (0..AT_ONCE).map(|_| scope.spawn(|| owner.ask("POST", &keys, Some(&body)))).collect();
        asking
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
            .collect::<Result<Vec<_>>>()
    })?;
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for reply in &replies {
        *told.entry(format!("{} {}", reply.status, code(reply))).or_default() += 1;
    }
    let expected =
        BTreeMap::from([("201 ".to_owned(), MOST), ("409 KEY_LIMIT".to_owned(), AT_ONCE - MOST)]);
    verdict.require(told == expected, || format!("{AT_ONCE} at once: {told:?}"));
    let listed = owner.all(&keys, "keys")?;
    let active = listed.iter().filter(|key| key["status"] == "active").count();
    verdict.require((listed.len(), active) == (MOST, MOST), || format!("{active} are active"));
    let next = owner.ask("POST", &keys, Some(&body))?;
    verdict.require(next.status == 409 && code(&next) == "KEY_LIMIT", || {
        format!("the 21st: {} {}", next.status, next.text())
    });
    // The limit is of active keys: one that ends makes room for one.
    let kid = text(&listed[0], "id")?;
    owner.done("DELETE", &format!("{keys}/{kid}"), None)?;
    let room: Vec<u16> =
        (0..2).map(|_| Ok(owner.ask("POST", &keys, Some(&body))?.status)).collect::<Result<_>>()?;
    verdict.require(room == [201, 409], || format!("after a revocation: {room:?}"));
    verdict.figure("at_once", json!(told));
    Ok(())
}

fn secrets(site: &Site, size: u64, verdict: &mut Verdict) -> Result<()> {
    let mut desk = Desk::start(site, "create", 1)?;
    let (workspace, owner) = (desk.workspace()?, desk.subject("owner")?);
    let keys = format!("{workspace}/api-keys");
    let (mut kids, mut pieces, mut repeated) = (Vec::new(), Pieces::default(), Vec::new());
    for number in 0..size {
        let body = json!({ "name": "proof", "scopes": ["*:*"], "signature": "optional" });
        if number % 10 != 0 {
            kids.push(pieces.take(&owner.done("POST", &keys, Some(&body))?, &SECRETS)?);
            continue;
        }
        let (once, body) = (format!("proof-{number}"), body.to_string());
        let send = || owner.send("POST", &keys, &[("Idempotency-Key", &once)], body.as_bytes());
        let kid = pieces.take(&send()?.json()?, &SECRETS)?;
        let again = send()?;
        let same = again.status == 201 && again.json()?["id"] == kid.as_str();
        verdict.require(same && again.header("idempotent-replayed") == Some("true"), || {
            format!("the same request again: {} {}", again.status, again.text())
        });
        repeated.push(again.text());
        kids.push(kid);
    }
    // Rotations: their secrets too are told once.
    let rotate = format!("{keys}/{}/rotate", kids.last().context("no keys")?);
    for (of, secret) in ["key", "signing"].into_iter().zip(SECRETS) {
        let body = json!({ "of": of, "grace_seconds": 60 });
        pieces.take(&owner.done("POST", &rotate, Some(&body))?, &[secret])?;
    }
    let answers = answers(&owner, &workspace, &kids)?;
    for answer in answers.iter().chain(&repeated) {
        verdict.require(!pieces.are_in(answer.as_bytes()), || format!("told again: {answer}"));
    }
    let whole = answers.concat();
    let told = kids.iter().all(|kid| whole.contains(kid.as_str()));
    verdict.require(told, || "some keys are in no answer".to_owned());
    let copied = until(|| {
        let mut rows = kids.iter().map(|kid| desk.row(kid));
        Ok(rows.by_ref().collect::<Result<Option<Vec<_>>>>()?.is_some())
    })?;
    verdict.require(copied, || "copies do not reach KV".to_owned());
    for kid in &kids {
        let row = desk.row(kid)?.unwrap_or_default();
        verdict.require(!pieces.are_in(&row), || format!("KV's copy of {kid} holds a secret"));
    }
    // As they are under way, after a kill and after the start that tidies up.
    let mut read = 0;
    for time in ["running", "killed", "started again"] {
        match time {
            "killed" => desk.kill()?,
            "started again" => desk.restart()?,
            _ => {}
        }
        let mut files = Vec::new();
        bytes(&desk.folder()?, &mut files)?;
        let sought = kids.last().context("no keys")?.as_bytes();
        let all = files.iter().any(|(_, bytes)| bytes.windows(sought.len()).any(|b| b == sought));
        verdict.require(all, || format!("{time}: not even a kid is in the files"));
        for (name, bytes) in &files {
            read += bytes.len();
            verdict.require(!pieces.are_in(bytes), || format!("{time}: a secret is in {name}"));
        }
    }
    verdict.figure("created", size);
    verdict.figure("answers_searched", answers.len() + repeated.len());
    verdict.figure("megabytes_searched", read / 1_000_000);
    Ok(())
}

/// Whatever tells of keys.
fn answers(owner: &Api, workspace: &str, kids: &[String]) -> Result<Vec<String>> {
    let mut answers = Vec::new();
    for (target, items) in [("api-keys", "keys"), ("audit", "entries"), ("members", "members")] {
        let items = if target == "members" {
            vec![owner.done("GET", &format!("{workspace}/members"), None)?]
        } else {
            owner.all(&format!("{workspace}/{target}"), items)?
        };
        answers.extend(items.iter().map(ToString::to_string));
    }
    let some = kids.iter().take(20).chain(kids.last());
    let keys = some.map(|kid| format!("{workspace}/api-keys/{kid}"));
    for target in keys.chain([workspace.to_owned(), format!("{workspace}/usage")]) {
        let reply = owner.ask("GET", &target, None)?;
        ensure!(reply.status == 200, "{target}: {}", reply.text());
        answers.push(format!("{:?} {}", reply.headers, reply.text()));
    }
    Ok(answers)
}

/// Every file below a folder, but those that workerd is started with.
fn bytes(folder: &Path, files: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            bytes(&path, files)?;
        } else {
            files.push((path.display().to_string(), fs::read(&path)?));
        }
    }
    Ok(())
}

/// Pieces of secrets.
#[derive(Default)]
struct Pieces(HashSet<[u8; PIECE]>);

impl Pieces {
    /// Takes the secrets of an answer; the key's id.
    fn take(&mut self, answer: &Value, secrets: &[&str]) -> Result<String> {
        let kid = text(answer, "id")?;
        secrets.iter().try_for_each(|secret| self.add(&kid, &text(answer, secret)?))?;
        Ok(kid)
    }

    /// Takes what follows the kid.
    fn add(&mut self, kid: &str, key: &str) -> Result<()> {
        let (_, secret) = key.split_once(kid).context("a key without its kid")?;
        ensure!(secret.len() > 30, "a secret of {} characters", secret.len());
        let pieces = secret.as_bytes().windows(PIECE);
        self.0.extend(pieces.filter_map(|piece| <[u8; PIECE]>::try_from(piece).ok()));
        Ok(())
    }

    fn are_in(&self, bytes: &[u8]) -> bool {
        // Most of a file is no text.
        let is_text = |piece: &&[u8]| piece.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
        bytes
            .windows(PIECE)
            .filter(is_text)
            .any(|piece| <[u8; PIECE]>::try_from(piece).is_ok_and(|piece| self.0.contains(&piece)))
    }
}

/// In answers.
const SECRETS: [&str; 2] = ["secret", "signing_secret"];
const AT_ONCE: usize = 100;
/// `max_active_keys` in policy.toml.
const MOST: usize = 20;
/// Characters.
const PIECE: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_characters_of_a_secret_are_found_and_nine_are_not() {
        let kid = "0DEM0WS040G208JZ5HKK";
        let secret = "_0123456789ABCDEFGHJKMNPQRSTVWXYZ0";
        let mut pieces = Pieces::default();
        pieces.add(kid, &format!("ak_{kid}{secret}")).unwrap();
        assert!(pieces.are_in(b"\0\x01ABCDEFGHJK\xff"));
        assert!(!pieces.are_in(b"\0\x01ABCDEFGHJ\xff"));
        assert!(!pieces.are_in(kid.as_bytes()));
    }
}
