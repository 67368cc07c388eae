//! One world: its requests in turn, judged by both.

use std::collections::BTreeMap;
use std::fmt;

use crate::REQUESTS;
use crate::core::Core;
use crate::deploy::Deployment;
use crate::generate::Maker;
use crate::meter::Meter;
use crate::mutate;
use crate::random::Random;
use crate::reference::{ALLOW, Case, Faults};
use crate::request::Sent;
use crate::world::Key;

/// What came of all cases.
#[derive(Debug, Default)]
pub struct Tally {
    pub cases: u64,
    /// Accepted by construction.
    pub good: u64,
    pub verdicts: BTreeMap<&'static str, u64>,
    /// The first of each kind, and how many there are.
    pub disagreements: BTreeMap<String, (String, u64)>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cases, good, verdicts, .. } = self;
        let own = serde_json::json!({"cases": cases, "good": good, "verdicts": verdicts});
        write!(f, "REFERENCE {own}")
    }
}

impl Tally {
    /// That nothing was left out.
    pub fn check(&self) {
        assert!(self.good * 2 >= self.cases, "less than half are accepted by construction: {self}");
        let missing: Vec<_> =
            CODES.iter().filter(|code| !self.verdicts.contains_key(*code)).collect();
        assert!(missing.is_empty(), "not reached: {missing:?}: {self}");
    }
}

pub fn world(seed: u64, tally: &mut Tally) {
    let mut random = Random::new(seed);
    let mut deployment = Deployment::make(&mut random);
    let mut now = deployment.start * 1000 + random.between(0, 999);
    let mut core = Core::new(&deployment.world, now);
    let (mut meter, mut latest) = (Meter::default(), None::<Sent>);
    for number in 0..REQUESTS {
        now = next(&deployment, now, &mut random);
        if !deployment.is_kept {
            core.forget();
            meter.bursts.clear();
            change(&mut deployment, &mut core, now, &mut random);
        }
        let (sent, faults, is_good) = request(&deployment, now, latest.as_ref(), &mut random);
        let world = &deployment.world;
        let case = Case { world, sent: &sent, faults, now, is_settled: false };
        let expected = case.decide(&mut meter);
        let found = core.decide(&case);
        tally.cases += 1;
        tally.good += u64::from(is_good);
        *tally.verdicts.entry(expected).or_default() += 1;
        let wrong = if is_good && expected != ALLOW { "a good request is refused" } else { "" };
        if found != expected || !wrong.is_empty() {
            let facts = sent.facts();
            let kind = format!("core {found}, reference {expected} {wrong}");
            let kept = deployment.is_kept;
            let told =
                format!("seed {seed} request {number} {faults:?} kept {kept} now {now}\n{facts}");
            tally.disagreements.entry(kind).or_insert((told, 0)).1 += 1;
            return;
        }
        if expected == ALLOW && (sent.has("signature") || sent.has("x-signature")) {
            latest = Some(sent);
        }
    }
}

/// A moment later; sometimes the very millisecond in which something of a key begins or ends, or that before.
fn next(deployment: &Deployment, now: u64, random: &mut Random) -> u64 {
    let edges = deployment.world.keys.values().flat_map(Key::edges).map(|second| second * 1000);
    let soon = edges.filter(|edge| (now + 1..now + 5000).contains(edge)).min();
    match soon.filter(|_| random.chance(100)) {
        Some(edge) => edge - random.between(0, 1),
        None => now + random.pick(&STEPS),
    }
}

/// A request, what does not answer it, and whether it is good by construction.
fn request(
    deployment: &Deployment,
    now: u64,
    latest: Option<&Sent>,
    random: &mut Random,
) -> (Sent, Faults, bool) {
    let maker = Maker { deployment, now: now / 1000, takes_ended: false };
    let mut draft = loop {
        if let Some(draft) = maker.good(random) {
            break draft;
        }
    };
    if random.chance(if deployment.is_tight { 600 } else { 750 }) {
        let is_good = !deployment.is_tight && maker.now >= deployment.world.policy.built;
        return (maker.finish(draft), Faults::default(), is_good);
    }
    if random.chance(250) {
        let maker = Maker { takes_ended: true, ..maker };
        if let Some(edge) = maker.at_edge(random) {
            return (maker.finish(edge), Faults::default(), false);
        }
    }
    if let Some(latest) = latest.filter(|_| random.chance(60)) {
        return (latest.clone(), Faults::default(), false);
    }
    let mut faults = Faults::default();
    let mut tampers = 0;
    for _ in 0..if random.chance(150) { 2 } else { 1 } {
        match random.below(8) {
            0 if !deployment.is_kept => faults = mutate::faults(random),
            1 => faults.forged = true,
            2..=4 => tampers += 1,
            _ => maker.spoil(&mut draft, random),
        }
    }
    let mut sent = maker.finish(draft);
    for _ in 0..tampers {
        maker.tamper(&mut sent, random);
    }
    (sent, faults, false)
}

/// Sometimes an owner changes a key, of which KV hears or not.
fn change(deployment: &mut Deployment, core: &mut Core, now: u64, random: &mut Random) {
    if !random.chance(20) {
        return;
    }
    let kids: Vec<_> = deployment.world.keys.keys().cloned().collect();
    let mut key = deployment.world.keys[&kids[random.below(kids.len())]].clone();
    if key.status == "revoked" {
        return;
    }
    key.version += 1;
    deployment.changed.insert(key.kid.clone());
    match random.below(3) {
        0 => key.status = random.pick(&["active", "disabled", "quarantined"]),
        1 => key.scopes = random.pick(&[["agents:read"], ["*:*"], ["write"]]).to_vec(),
        _ => key.expires = Some(now / 1000 + random.between(0, 30)),
    }
    core.put(&deployment.world, &key, now);
    if random.chance(500) {
        deployment.copy(&key, random);
    } else {
        deployment.right.remove(&key.name());
    }
    deployment.world.keys.insert(key.kid.clone(), key);
}

/// Milliseconds between two requests.
const STEPS: [u64; 10] = [0, 0, 1, 5, 200, 250, 500, 999, 1000, 1001];
/// Every code that a decision has.
const CODES: [&str; 33] = [
    "allow",
    "admin host",
    "usage path",
    "preflight",
    "BAD_TARGET",
    "AMBIGUOUS_CREDENTIALS",
    "KEY_IN_URL",
    "BAD_REQUEST",
    "MISSING_API_KEY",
    "INVALID_API_KEY",
    "EXPIRED_API_KEY",
    "REVOKED_API_KEY",
    "DISABLED_API_KEY",
    "KEY_NOT_YET_VALID",
    "SIGNATURE_REQUIRED",
    "INVALID_SIGNATURE",
    "STALE_TIMESTAMP",
    "DIGEST_MISMATCH",
    "REPLAYED_REQUEST",
    "INVALID_TOKEN",
    "PERMISSION_DENIED",
    "IP_NOT_ALLOWED",
    "API_KEY_NOT_ALLOWED",
    "WRONG_RESOURCE",
    "KEY_QUARANTINED",
    "CROSS_SITE",
    "UNKNOWN_ROUTE",
    "METHOD_NOT_ALLOWED",
    "BODY_TOO_LARGE",
    "UNKNOWN_HOST",
    "RATE_LIMITED",
    "BUDGET_EXHAUSTED",
    "AUTH_UNAVAILABLE",
];
