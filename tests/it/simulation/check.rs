//! What has to be true of a schedule that is over.

use std::collections::BTreeMap;

use portcullis::denial::Denial;
use portcullis::policy::{Limits, Period};
use portcullis::record::Status;
use portcullis::workspace::call::{Answer, Call};

use super::deployment::{PRICE, Path, limits};
use super::ledger::{Admission, Grant};
use super::plan::START;
use super::world::World;

impl World {
    /// Panics with what is wrong.
    pub fn check(&self) {
        for key in 0..self.plan.limits.len() {
            let own = |admission: &&Admission| admission.key == key;
            let admitted = self.ledger.admissions.iter().filter(own).cloned().collect();
            if let Some(limits) = self.plan.limits[key].map(limits) {
                let kid = self.kid(key);
                let whose = format!("key {key}");
                self.check_bounds(&whose, limits, |grant| grant.key == kid, admitted);
            }
            self.check_usage(key);
            self.check_kept(key);
        }
        if let Some(limits) = self.plan.rules.shared.map(limits) {
            self.check_bounds("workspace", limits, |_| true, self.ledger.admissions.clone());
        }
        if let Some((own, coins)) = self.plan.rules.product {
            let paid = self.admitted(|admission| admission.path == Path::Paid);
            self.check_bounds("product", limits(own), |grant| grant.product, paid.clone());
            self.check_budget("product", Period::Day, coins, &paid);
        }
        if let Some(coins) = self.plan.rules.budget {
            self.check_budget("workspace", Period::Week, coins, &self.ledger.admissions);
        }
        self.check_revocations();
        self.check_refusals();
        self.check_probes();
    }

    /// Invariant 2: no more than `requests` in a window, whichever isolate admits, and no more
    /// than `burst + rate × (w + T)` in any span `w`.
    fn check_bounds(
        &self,
        whose: &str,
        limits: Limits,
        own: impl Fn(&Grant) -> bool,
        mut of: Vec<Admission>,
    ) {
        let millis = u64::from(limits.window_seconds) * 1000;
        let granted = self.ledger.grants.values();
        let mut grants: Vec<u64> =
            granted.filter(|grant| own(grant)).map(|grant| grant.at).collect();
        grants.sort_unstable();
        let mut windows: Vec<(u64, u32)> = Vec::new();
        for at in grants {
            if windows.last().is_none_or(|(start, _)| start + millis <= at) {
                windows.push((at, 0));
            }
        }
        of.sort_by_key(|admission| admission.at);
        let at_once = self.plan.rules.strict;
        let spare = if at_once { 0 } else { self.plan.rules.lease_millis() };
        let rate = f64::from(limits.requests) / (millis as f64);
        let most = f64::from(limits.burst) + rate * (spare as f64) + 1e-6;
        let (mut level, mut last) = (0.0_f64, START);
        for Admission { at, arrived, leased, .. } in &of {
            let window = windows.iter_mut().rev().find(|(start, _)| start <= at);
            let window = window.filter(|(start, _)| *at < start + millis);
            let (at, arrived) = (at - START, arrived - START);
            let Some((start, count)) = window else {
                panic!("{whose}: admitted at {at} (lease: {leased}, {arrived}) outside any window");
            };
            *count += 1;
            assert!(
                *count <= limits.requests,
                "{whose}: {count} admissions of {} by {at} in the window of {}",
                limits.requests,
                *start - START,
            );
            let gone = (at + START - last) as f64;
            level = (level - gone * rate).max(0.0) + 1.0;
            last = at + START;
            assert!(level <= most, "{whose}: a burst of {level:.2} by {at}, {most:.2} is the most");
        }
    }

    /// No more coins in a period of the calendar than there are, whichever isolate admits.
    fn check_budget(&self, whose: &str, period: Period, coins: u64, of: &[Admission]) {
        let mut spent: BTreeMap<u64, u64> = BTreeMap::new();
        for Admission { at, path, call, .. } in of {
            let used = spent.entry(period.start(at / 1000)).or_default();
            let grant = call.as_ref().map(|call| &self.ledger.grants[call]);
            *used += grant.map_or(path.cost(), Grant::spent);
            assert!(*used <= coins, "{whose}: {used} of {coins} coins by {}", at - START);
        }
    }

    fn admitted(&self, which: impl Fn(&Admission) -> bool) -> Vec<Admission> {
        self.ledger.admissions.iter().filter(|admission| which(admission)).cloned().collect()
    }

    /// Invariant 8: `exact` ≤ truth ≤ `at_most`. A request that the Workspace debited counts as
    /// used, although its answer may have been lost.
    fn check_usage(&self, key: usize) {
        let kid = self.kid(key);
        let of_key = self.ledger.grants.values().filter(|grant| grant.key == kid);
        let debited: u64 = of_key.map(|grant| u64::from(grant.at_once)).sum();
        let admitted = self.ledger.admissions.iter();
        let leased = admitted.filter(|admission| admission.key == key && admission.leased);
        let truth = debited + leased.count() as u64;
        let call = Call::Usage { kid: kid.clone(), from: 0, to: 10_000_000 }.print();
        let now = portcullis::clock::Now::from_millis(self.now);
        let Answer::Usage { hours, .. } = self.object.call(&call, &self.gate, now).answer else {
            panic!("no usage");
        };
        let exact: u64 = hours.iter().map(|hour| hour.exact).sum();
        let most: u64 = hours.iter().map(|hour| hour.at_most).sum();
        assert!(
            exact <= truth && truth <= most,
            "key {key}: {exact} <= {truth} <= {most}: {hours:?}"
        );
        let coins: u64 = hours.iter().map(|hour| hour.coins).sum();
        let shares = hours.iter().flat_map(|hour| &hour.products);
        let paid: u64 = shares.map(|share| share.requests).sum();
        let of_key = self.ledger.grants.values().filter(|grant| grant.key == kid);
        let told = of_key.filter(|grant| grant.told.is_some());
        let (count, spent) =
            told.fold((0, 0), |(count, sum), grant| (count + 1, sum + grant.spent()));
        let due = exact + paid * (PRICE - 1) + spent - count;
        assert_eq!(
            coins, due,
            "key {key}: {paid} requests cost {PRICE} coins, {count} in all {spent}, the others one"
        );
        assert!(debited <= exact, "key {key}: {exact} are exact, {debited} were debited at once");
    }

    /// Invariant 8: what was acknowledged is there, and KV holds it too.
    fn check_kept(&self, key: usize) {
        let Some(stored) = self.stored(key) else { panic!("key {key} is lost") };
        assert_eq!(Some(stored.status), self.ledger.status[key], "key {key}");
        assert!(stored.version >= self.ledger.versions[key], "key {key}: its version fell");
        let copy = self.kv.at(&format!("k1:{}", stored.kid), self.now).unwrap();
        let copy = self.opened(key, copy);
        assert_eq!((copy.version, copy.status), (stored.version, stored.status), "key {key}: KV");
        assert_eq!(copy.name, stored.name, "key {key}: KV");
    }

    /// Invariant 3: none that came after `effective_by`, and strictly none that came after the
    /// change.
    fn check_revocations(&self) {
        for Admission { key, arrived, at, path, leased, .. } in &self.ledger.admissions {
            let exact = matches!(path, Path::Exact | Path::Told) || self.plan.rules.strict;
            for dead in self.ledger.dead.iter().filter(|dead| dead.key == *key) {
                let from = if exact { dead.from } else { dead.effective_by };
                assert!(
                    *arrived <= from || *at >= dead.until,
                    "key {key}: arrived at {} (lease: {leased}), admitted at {}, must not from {}",
                    arrived - START,
                    at - START,
                    from - START,
                );
            }
            assert!(!(exact && *leased), "key {key}: a strict request admitted by a lease");
        }
    }

    /// A key is never called bad that has been good for longer than a lease: not knowing is 503.
    fn check_refusals(&self) {
        let late: u64 = self.plan.steps.iter().map(|(_, _, millis)| millis).sum();
        let rules = &self.plan.rules;
        let slack = rules.lease_millis() * 21 / 20 + u64::from(rules.workspace_timeout) + late;
        for refusal in &self.ledger.refusals {
            if matches!(refusal.denial, Denial::RateLimited(_) | Denial::Budget(_)) {
                continue;
            }
            let since = refusal.arrived.saturating_sub(slack);
            let bad = |dead: &&super::ledger::Dead| {
                dead.key == refusal.key && dead.from <= refusal.at && since <= dead.until
            };
            assert!(
                self.ledger.dead.iter().any(|dead| bad(&dead)),
                "key {}: a good key, at {} refused: {:?}",
                refusal.key,
                refusal.at - START,
                refusal.denial,
            );
        }
    }

    /// Whether so much was lent of the week's budget that there may be nothing left.
    fn is_spent(&self) -> bool {
        let week = |at: u64| Period::Week.start(at / 1000);
        let now = week(self.now);
        let lent = self.ledger.grants.values().filter(|grant| week(grant.at) == now);
        let lent: u64 = lent.map(|grant| u64::from(grant.tokens) * grant.cost).sum();
        self.plan.rules.budget.is_some_and(|coins| lent >= coins)
    }

    /// Once nothing goes wrong any more, a good key is admitted and a bad one called what it is.
    fn check_probes(&self) {
        assert_eq!(self.ledger.probes.len(), self.plan.limits.len() * self.isolates.len());
        for (key, told) in &self.ledger.probes {
            let expected = match self.ledger.status[*key] {
                Some(Status::Active) => "admitted",
                Some(Status::Disabled) => "DISABLED_API_KEY",
                Some(Status::Revoked) => "REVOKED_API_KEY",
                other => panic!("key {key}: {other:?}"),
            };
            let poor = told == "BUDGET_EXHAUSTED" && expected == "admitted" && self.is_spent();
            assert!(told == expected || poor, "key {key}: a probe: {told}, not {expected}");
        }
    }
}
