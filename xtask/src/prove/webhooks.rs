//! Alerts on their way to a receiver that fails, hangs and recovers, while the whole runtime is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, ensure};
use data_encoding::BASE64;
use portcullis::crypto::MacKey;
use portcullis::management::time;
use serde_json::{Value, json};

use super::desk::{Desk, create, text, until};
use super::progress::Progress;
use super::receiver::{Delivery, Mood, Receiver};
use super::site::{Site, code};
use super::{Bar, Verdict};
use crate::api::Api;
use crate::issuer::{scanner, signing_key};
use crate::signers::counted;
use crate::tools;

pub(super) const BAR: Bar = Bar {
    name: "webhooks",
    goal: "a receiver that fails, hangs, breaks off, moves and recovers, before a workerd that is killed \
           (SIGKILL) again and again, gets every alert, of all five kinds, at least once and none that is not true: \
           each signed (by the library's word and ours), with one id and one body whatever the attempt; at most \
           8 at a time, and copies to KV are made meanwhile",
    unit: "kills",
    ci: 5,
    full: 50,
    sources: &[
        "tests/prove/webhooks.toml",
        "xtask/src/api.rs",
        "xtask/src/issuer/mod.rs",
        "xtask/src/issuer/scanner.rs",
        "xtask/webhooks/verify.mjs",
        "xtask/workerd/outside.mjs",
    ],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let receiver = Receiver::start()?;
    let mut desk = Desk::hooked(site, "webhooks", receiver.address)?;
    let space = desk.workspace()?;
    let hook = json!({ "url": "http://hooks.localhost:81/in?x=1" });
    let made = desk.subject("owner")?.done("PUT", &format!("{space}/webhooks"), Some(&hook))?;
    let mut secrets = vec![text(&made, "secret")?];
    let (mut verified, mut copied_ms) = (0, 0);
    for round in 0..size {
        let mood = MOODS[usize::try_from(round)? % MOODS.len()];
        receiver.set(mood);
        if round == size / 2 {
            let grace = json!({ "grace_seconds": 24 * 3600 });
            let target = format!("{space}/webhooks/rotate");
            let made = desk.subject("owner")?.done("POST", &target, Some(&grace))?;
            secrets.push(text(&made, "secret")?);
        }
        cause(&desk, &space, || {
            if mood == Mood::Hangs {
                copied_ms = copied_ms.max(copied_while_it_hangs(&desk, &space, &receiver)?);
            }
            Ok(())
        })?;
        receiver.forget_sender();
        desk.restart()?;
        let seen = receiver.since(verified);
        verified += seen.len();
        verify(site, &secrets, &seen)?;
    }
    receiver.set(Mood::Takes);
    let truth = truth(&desk.subject("owner")?, &space)?;
    let told = |receiver: &Receiver| -> Result<BTreeSet<Cause>> {
        receiver.since(0).iter().filter(|seen| seen.taken).map(Cause::of).collect()
    };
    let begun = Instant::now();
    while begun.elapsed() < RECOVERY && !truth.is_subset(&told(&receiver)?) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let seen = receiver.since(verified);
    verify(site, &secrets, &seen)?;
    let (told, all) = (told(&receiver)?, receiver.since(0));
    let lost: Vec<_> = truth.difference(&told).collect();
    verdict.require(lost.is_empty(), || format!("{} alerts were lost: {lost:?}", lost.len()));
    let untrue: Vec<_> = told.difference(&truth).collect();
    verdict.require(untrue.is_empty(), || format!("told, and not true: {untrue:?}"));
    let mut of: BTreeMap<Cause, (&str, &str)> = BTreeMap::new();
    for delivery in &all {
        let own = (delivery.id.as_str(), delivery.body.as_str());
        let first = *of.entry(Cause::of(delivery)?).or_insert(own);
        verdict.require(first == own, || format!("{own:?} is {first:?} too"));
        verdict.require(delivery.target == "/in?x=1", || format!("sent to {}", delivery.target));
    }
    let ids: BTreeSet<&str> = of.values().map(|(id, _)| *id).collect();
    verdict.require(ids.len() == of.len(), || "two alerts have one id".to_owned());
    let shown = desk.subject("owner")?.done("GET", &format!("{space}/webhooks"), None)?;
    let emptied = until(|| {
        let shown = desk.subject("owner")?.done("GET", &format!("{space}/webhooks"), None)?;
        Ok(shown["waiting"] == 0)
    })?;
    verdict.require(emptied, || format!("some still wait: {shown}"));
    verdict.require(receiver.most_open() <= 8, || format!("{} at a time", receiver.most_open()));
    verdict.require(size < 3 || copied_ms > 0, || "no copy was made while it hung".to_owned());
    verdict.require(copied_ms < COPIED_MS, || format!("a copy took {copied_ms} ms"));
    let kinds = BTreeSet::from_iter(truth.iter().map(|cause| cause.0.as_str()));
    verdict.require(kinds.len() == KINDS, || format!("not all kinds of alerts: {kinds:?}"));
    let taken = all.iter().filter(|seen| seen.taken).count();
    verdict.figure("alerts", truth.len());
    verdict.figure("attempts", all.len());
    verdict.figure("taken", taken);
    verdict.figure("taken_again", taken.saturating_sub(told.len()));
    verdict.figure("kills", size);
    verdict.figure("most_at_a_time", receiver.most_open());
    verdict.figure("copied_while_it_hangs_ms", copied_ms);
    verdict.figure("recovered_ms", u64::try_from(begun.elapsed().as_millis())?);
    Ok(verdict)
}

/// Type, key or product and, of a threshold, its per cent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cause(String, String, u64);

impl Cause {
    fn of(delivery: &Delivery) -> Result<Self> {
        let body: Value = serde_json::from_str(&delivery.body).context("no JSON")?;
        let data = &body["data"];
        let percent = data["threshold"].as_u64().unwrap_or(0);
        let of = if data["kid"].is_string() { "kid" } else { "product" };
        Ok(Self(text(&body, "type")?, text(data, of)?, percent))
    }
}

/// What has to be told, by what the workspace says of its keys and budgets.
fn truth(owner: &Api, space: &str) -> Result<BTreeSet<Cause>> {
    let (mut all, mut is_refused) = (BTreeSet::new(), false);
    // A report of a lease comes seconds after its end; here there are none, but denials are told like it.
    std::thread::sleep(Duration::from_secs(3));
    for key in owner.all(&format!("{space}/api-keys"), "keys")? {
        let kid = text(&key, "id")?;
        let mut add = |event: &str, percent| {
            all.insert(Cause(event.to_owned(), kid.clone(), percent));
        };
        if key["expires"].is_string() {
            add("key.expiring", 0);
        }
        if key["status"] == "quarantined" {
            add("key.leaked", 0);
        }
        let used = owner.done("GET", &format!("{space}/api-keys/{kid}/usage"), None)?;
        let (mut admitted, mut most_denied) = (0, 0);
        for hour in used["hours"].as_array().context("no hours")? {
            admitted += hour["exact"].as_u64().unwrap_or(0);
            let counts = hour["denied"].as_object().context("no denials")?;
            is_refused |= counts.contains_key("BUDGET_EXHAUSTED");
            let count = counts.values().filter_map(Value::as_u64).sum::<u64>();
            most_denied = most_denied.max(count);
        }
        for part in key["alerts"].as_array().context("no alerts")? {
            let part = part.as_u64().context("no per cent")?;
            if admitted * 100 >= LIMIT * part {
                add("key.threshold", part);
            }
        }
        if most_denied >= ANOMALY {
            add("denials.anomaly", 0);
        }
    }
    let budgets = owner.done("GET", &format!("{space}/usage"), None)?;
    for budget in budgets["budgets"].as_array().context("no budgets")? {
        let number = |name: &str| budget[name].as_u64().with_context(|| format!("no {name}"));
        let (coins, used, left) = (number("coins")?, number("used")?, number("left")?);
        let refuses = is_refused && left < PRICE;
        let is_reached = |part: u64| used * 100 >= coins * part || (refuses && part == 100);
        let product = text(budget, "product")?;
        all.extend(
            PARTS
                .into_iter()
                .filter(|part| is_reached(*part))
                .map(|part| Cause("budget.threshold".to_owned(), product.clone(), part)),
        );
    }
    Ok(all)
}

/// Lets clients cause alerts, then looks at something, then kills the process.
fn cause(desk: &Desk, space: &str, look: impl FnOnce() -> Result<()>) -> Result<()> {
    let (over, caused) = (AtomicBool::new(false), AtomicU64::new(0));
    let failed = Mutex::new(None);
    let scanner = signing_key(&desk.folder()?)?;
    std::thread::scope(|scope| -> Result<()> {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let one = use_key(desk, space, &scanner);
                    match one {
                        Ok(()) => caused.fetch_add(1, Ordering::SeqCst),
                        Err(error) => {
                            if !over.load(Ordering::SeqCst)
                                && let Ok(mut failed) = failed.lock()
                            {
                                *failed = Some(error);
                            }
                            break;
                        }
                    };
                }
            });
        }
        let reached = until(|| Ok(caused.load(Ordering::SeqCst) >= EACH));
        let looked = look();
        over.store(true, Ordering::SeqCst);
        let killed = desk.kill();
        ensure!(reached?, "no alerts: {:?}", failed.lock().map(|mut failed| failed.take()));
        looked?;
        killed
    })
}

/// One key with all that is told of it. Its requests may be cut off anywhere.
fn use_key(desk: &Desk, space: &str, scanner: &crate::issuer::key::SigningKey) -> Result<()> {
    let owner = desk.subject("owner")?;
    let soon = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + 3 * 24 * 3600;
    let limits = json!({ "requests": LIMIT, "burst": LIMIT });
    let fields = json!({
        "scopes": ["proof:read"], "limits": limits, "expires": time::print(soon),
    });
    let (kid, key) = create(&owner, space, &fields)?;
    let thresholds = json!({ "thresholds": [50, 100] });
    owner.done("PUT", &format!("{space}/api-keys/{kid}/alerts"), Some(&thresholds))?;
    let gate = desk.gate()?;
    for _ in 0..ANOMALY {
        ensure!(gate.get("/other/x", Some(&key))?.status == 403, "not denied");
    }
    let mut admitted = 0;
    for paid in ["/small/x", "/large/x"] {
        let reply = gate.get(paid, Some(&key))?;
        ensure!(reply.status == 200 || code(&reply) == "BUDGET_EXHAUSTED", "{}", reply.text());
        admitted += u64::from(reply.status == 200);
    }
    for _ in admitted..LIMIT {
        ensure!(gate.get("/near/x", Some(&key))?.status == 200, "not admitted");
    }
    ensure!(gate.get("/near/x", Some(&key))?.status == 429, "admitted beyond the limit");
    let reply = scanner::report(gate.address, scanner, &[&key])?;
    ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
    Ok(())
}

/// How long a copy to KV takes while as many deliveries hang as may, in milliseconds.
fn copied_while_it_hangs(desk: &Desk, space: &str, receiver: &Receiver) -> Result<u64> {
    ensure!(until(|| Ok(receiver.open() >= 8))?, "{} deliveries hang", receiver.open());
    let begun = Instant::now();
    let (kid, _) = create(&desk.subject("owner")?, space, &json!({ "scopes": ["proof:read"] }))?;
    ensure!(until(|| Ok(desk.row(&kid)?.is_some()))?, "no copy is made");
    Ok(u64::try_from(begun.elapsed().as_millis())?.max(1))
}

/// Whether each delivery is signed: by the library's word, and by our own arithmetic.
fn verify(site: &Site, secrets: &[String], deliveries: &[Delivery]) -> Result<()> {
    for delivery in deliveries {
        let Delivery { id, timestamp, signatures, body, .. } = delivery;
        let signed = format!("{id}.{timestamp}.{body}");
        let signatures: Vec<&str> = signatures.split(' ').collect();
        ensure!((1..=secrets.len()).contains(&signatures.len()), "{delivery:?}");
        for (signature, secret) in signatures.iter().rev().zip(secrets) {
            let secret = secret.strip_prefix("whsec_").context("no secret")?;
            let mac = MacKey::new(&BASE64.decode(secret.as_bytes())?).mac(&[signed.as_bytes()]);
            let expected = format!("v1,{}", BASE64.encode(mac.as_bytes()));
            ensure!(*signature == expected, "{delivery:?} is not signed");
        }
    }
    let input = json!({
        "secrets": secrets, "deliveries": deliveries.iter().map(Delivery::to_json).collect::<Vec<_>>(),
    });
    let mut node = site.checkout.command(tools::npm_bin(&site.checkout, "node"));
    node.arg(site.checkout.path("xtask/webhooks/verify.mjs"));
    let count = counted("standardwebhooks", &mut node, &input.to_string())?;
    if count == deliveries.len() {
        Ok(())
    } else {
        Err(anyhow!("{count} of {} verify", deliveries.len()))
    }
}

/// In turn.
const MOODS: [Mood; 5] = [Mood::Fails, Mood::Hangs, Mood::Takes, Mood::Breaks, Mood::Moves];
const CLIENTS: usize = 4;
/// Keys between two kills.
const EACH: u64 = 6;
/// Requests of a key in an hour.
const LIMIT: u64 = 4;
/// Coins of a request to a product.
const PRICE: u64 = 3;
/// Parts of budgets that are told of, as the policy says.
const PARTS: [u64; 10] = [1, 2, 5, 10, 15, 20, 30, 40, 80, 100];
/// Of alerts.
const KINDS: usize = 5;
/// Denials that are one, as the policy says.
const ANOMALY: u64 = 6;
const COPIED_MS: u64 = 5_000;
/// Longest wait for a receiver that has recovered to get all.
const RECOVERY: Duration = Duration::from_secs(120);
