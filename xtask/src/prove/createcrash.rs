//! Keys that are created while the whole runtime is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use portcullis::key::Kid;
use portcullis::record::Document;
use portcullis::workspace::call::{Answer, Call};
use serde_json::json;

use super::desk::{Desk, create, text, until, verify};
use super::progress::Progress;
use super::random::Random;
use super::site::Site;
use super::{Bar, Verdict};

pub(super) const BAR: Bar = Bar {
    name: "create-crash",
    goal: "with workerd killed (SIGKILL) again and again while keys are created: each that was answered \
           works; one whose answer was lost is there whole (listed, recorded, copied) or not at all; \
           the record of changes verifies; KV follows",
    unit: "keys, a kill for every 30",
    ci: 60,
    full: 1000,
    sources: super::roles::SOURCES,
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut random = Random::new(SEED);
    let mut desk = Desk::start(site, "create-crash", 1)?;
    let workspace = desk.workspace()?;
    let number = workspace.rsplit('/').next().unwrap_or_default().to_owned();
    let mut answered: BTreeMap<String, String> = BTreeMap::new();
    let (mut asked, mut kills) = (0_u64, 0_u64);
    while (answered.len() as u64) < size {
        let batch = Batch::run(
            &desk,
            &workspace,
            EACH - CLIENTS as u64 + random.below(CLIENTS * 2) as u64,
        )?;
        asked += batch.asked;
        answered.extend(batch.answered);
        kills += 1;
        desk.restart()?;
        let (intact, _) = verify(&desk.subject("owner")?, &workspace)?;
        verdict.require(intact, || format!("after kill {kills} the chain is broken"));
    }
    let owner = desk.subject("owner")?;
    let listed = owner.all(&format!("{workspace}/api-keys"), "keys")?;
    let listed: BTreeSet<String> =
        listed.iter().map(|key| text(key, "id")).collect::<Result<_>>()?;
    let lost: Vec<_> = answered.keys().filter(|kid| !listed.contains(*kid)).collect();
    verdict.require(lost.is_empty(), || format!("answered and not listed: {lost:?}"));
    let most = asked.saturating_sub(answered.len() as u64);
    let more = listed.len().saturating_sub(answered.len()) as u64;
    verdict.require(more <= most, || format!("{more} keys more than answers, {most} were lost"));
    let entries = owner.all(&format!("{workspace}/audit"), "entries")?;
    let created = entries.iter().filter(|entry| entry["action"] == "key.create");
    let created = created.map(|entry| text(entry, "target")).collect::<Result<Vec<_>>>()?;
    let once: BTreeSet<String> = created.iter().cloned().collect();
    verdict.require(once == listed && once.len() == created.len(), || {
        format!(
            "{} entries of {} keys are no record of {}",
            created.len(),
            once.len(),
            listed.len()
        )
    });
    let shown = owner.done("GET", &workspace, None)?;
    verdict.require(shown["keys"] == json!(listed.len()), || format!("counted: {shown}"));
    let (intact, chained) = verify(&owner, &workspace)?;
    verdict.require(intact && chained == entries.len() as u64, || {
        format!("{chained} of {} entries verify", entries.len())
    });
    for (kid, key) in &answered {
        let reply = desk.gate()?.get("/near/x", Some(key))?;
        verdict
            .require(reply.status == 200, || format!("{kid}: {} {}", reply.status, reply.text()));
    }
    for kid in &listed {
        let followed = until(|| same(&desk, &number, kid))?;
        verdict.require(followed, || format!("KV does not follow {kid}"));
    }
    verdict.figure("answered", answered.len());
    verdict.figure("unanswered", most);
    verdict.figure("unanswered_and_there", more);
    verdict.figure("kills", kills);
    verdict.require(kills > 0 && most > 0, || "no request was under way at a kill".to_owned());
    Ok(verdict)
}

/// Whether KV holds a key as its Workspace does.
fn same(desk: &Desk, number: &str, kid: &str) -> Result<bool> {
    let Some(row) = desk.row(kid)? else { return Ok(false) };
    let call = Call::Record { kid: kid.to_owned() };
    let Answer::Record { value } = desk.gate()?.server.control.workspace(number, &call, false)?
    else {
        return Ok(false);
    };
    let name = Kid::parse(kid).context("kid")?;
    let open = |bytes: &[u8]| -> Result<Document> {
        let opened = Document::open(&desk.site.keyring, &name, bytes);
        opened.map(|(document, _)| document).map_err(|unusable| anyhow!("{unusable:?}"))
    };
    let (copy, record) = (open(&row)?, open(value.as_bytes())?);
    let secrets = |document: &Document| serde_json::to_string(&document.secrets);
    Ok(copy.version == record.version
        && copy.status == record.status
        && secrets(&copy)? == secrets(&record)?)
}

/// What clients were answered until the kill.
struct Batch {
    answered: Vec<(String, String)>,
    asked: u64,
}

impl Batch {
    /// Lets clients create keys and kills the process once `enough` are answered.
    fn run(desk: &Desk, workspace: &str, enough: u64) -> Result<Self> {
        let owner = desk.subject("owner")?;
        let (answered, asked, over) =
            (Mutex::new(Vec::new()), AtomicU64::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| -> Result<()> {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    while !over.load(Ordering::SeqCst) {
                        asked.fetch_add(1, Ordering::SeqCst);
                        match create(&owner, workspace, &json!({ "scopes": ["proof:read"] })) {
                            Ok(key) => answered.lock().map(|mut all| all.push(key)).unwrap_or(()),
                            Err(_) => break,
                        }
                    }
                });
            }
            let count = || answered.lock().map(|all| all.len() as u64).unwrap_or(u64::MAX);
            let reached = until(|| {
                std::thread::sleep(Duration::from_millis(1));
                Ok(count() >= enough)
            });
            let killed = desk.kill();
            over.store(true, Ordering::SeqCst);
            reached?;
            killed
        })?;
        let answered = answered.into_inner().map_err(|_| anyhow!("a client panicked"))?;
        Ok(Self { answered, asked: asked.into_inner() })
    }
}

const CLIENTS: usize = 8;
/// Keys until a kill, on the average.
const EACH: u64 = 30;
const SEED: u64 = 0x63_7265_6174;
