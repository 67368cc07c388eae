//! Rules that are in order and do nothing, which is seldom what was meant.

use crate::policy::{Credential, Document, Mode, Route};

/// What of a policy has no effect, or less than it seems to have: a line for each reason.
#[must_use]
pub fn idle(policy: &Document) -> Vec<String> {
    if policy.routes.is_empty() {
        return vec!["routes: there is none, so every request is refused".to_owned()];
    }
    let case = Case::new(policy);
    let mut notes = Vec::new();
    for reason in [NO_KEYS, NO_TOTALS] {
        let names = case.totals().into_iter().filter(|(_, own)| *own == Some(reason));
        notes.extend(note(names.map(|(name, _)| name).collect(), reason));
    }
    if case.reason(None, &case.modes) == Some(NO_TOTALS) {
        let tiers = policy.tiers.iter().map(|tier| format!("tiers.{}", tier.name));
        notes.extend(note(tiers.collect(), NO_WINDOW));
    }
    for route in &policy.routes {
        let own = case.of_route(route).into_iter().chain(case.unpaid(route));
        notes.extend(own.map(|text| format!("{} {}: {text}", route.methods, route.path)));
    }
    notes
}

struct Case<'p> {
    policy: &'p Document,
    /// Those of all workspaces.
    modes: Vec<Mode>,
}

impl<'p> Case<'p> {
    fn new(policy: &'p Document) -> Self {
        let own = policy.workspaces.iter().filter_map(|rules| rules.mode);
        Self { policy, modes: core::iter::once(policy.mode).chain(own).collect() }
    }

    /// Whatever is counted in a Workspace, and why it is not.
    fn totals(&self) -> Vec<(String, Option<&'static str>)> {
        let policy = self.policy;
        let mut totals = Vec::new();
        let mut put = |name: String, reason, budget: bool, limits: bool| {
            totals.extend(budget.then(|| (format!("{name}budget"), reason)));
            totals.extend(limits.then(|| (format!("{name}limits"), reason)));
        };
        let reason = self.reason(None, &self.modes);
        put(String::new(), reason, policy.budget.is_some(), false);
        let limits = policy.workspace_limits.is_some() || policy.workspace_shadow.is_some();
        put("workspace_".to_owned(), reason, false, limits);
        for (place, own) in policy.products.iter().enumerate() {
            let reason = self.reason(Some(place), &self.modes);
            let limits = own.limits.is_some() || own.shadow.is_some();
            put(format!("products.{}.", own.name), reason, own.budget.is_some(), limits);
        }
        for own in &policy.workspaces {
            let reason = self.reason(None, &[own.mode.unwrap_or(policy.mode)]);
            let limits = own.limits.is_some() || own.shadow.is_some();
            let name = format!("workspaces.{}.", own.workspace.as_str());
            put(name, reason, own.budget.is_some(), limits);
        }
        let tried = policy.tiers.iter().filter(|tier| tier.shadow.is_some());
        totals.extend(tried.map(|tier| (format!("tiers.{}.shadow", tier.name), reason)));
        totals
    }

    /// Why nothing is counted of the requests to a product, or to any, in workspaces of these modes.
    fn reason(&self, product: Option<usize>, modes: &[Mode]) -> Option<&'static str> {
        let routes = self.policy.routes.iter();
        let mut routes = routes
            .filter(|route| takes_keys(route) && (product.is_none() || route.product == product))
            .peekable();
        if routes.peek().is_none() {
            return Some(NO_KEYS);
        }
        routes.all(|route| is_edge(route, modes)).then_some(NO_TOTALS)
    }

    fn of_route(&self, route: &Route) -> Vec<String> {
        let has_cost = (route.cost != 1).then_some("cost");
        let has_shadow = (!route.shadow.is_empty()).then_some("shadow");
        if !takes_keys(route) {
            let mode = route.mode.map(|_| "mode");
            let bindings = (!route.bindings.is_empty()).then_some("bindings");
            let signature = route.signed.then_some("signature");
            let names = [has_cost, mode, bindings, signature, has_shadow].into_iter().flatten();
            let names = names.map(str::to_owned).collect();
            return note(names, "no key may use this route").into_iter().collect();
        }
        let in_edge = [(has_cost, NO_TOTALS), (has_shadow, NO_TRIAL)].into_iter();
        let in_edge = in_edge.filter(|_| is_edge(route, &self.modes));
        let unsigned = takes_tokens(route).then_some("signature").filter(|_| route.signed);
        let named = in_edge.chain([(unsigned, NO_SIGNATURE)]);
        named.filter_map(|(name, reason)| Some(format!("{}: {reason}", name?))).collect()
    }

    /// Whose whole budget is less than what the route costs, although that of others is not.
    fn unpaid(&self, route: &Route) -> Option<String> {
        let policy = self.policy;
        let is_less = |coins: u64| takes_keys(route) && coins < u64::from(route.cost);
        let default = policy.budget.filter(|own| is_less(own.coins.get()));
        let default = default.map(|_| "budget".to_owned());
        let own = policy.workspaces.iter().filter_map(|rules| {
            rules.budget.filter(|own| is_less(own.coins.get()))?;
            Some(format!("workspaces.{}.budget", rules.workspace.as_str()))
        });
        let names: Vec<String> = default.into_iter().chain(own).collect();
        let cost = route.cost;
        (!names.is_empty()).then(|| format!("costs {cost}, more than all of {}", names.join(", ")))
    }
}

fn takes_keys(route: &Route) -> bool {
    route.credentials.contains(Credential::Key)
}

fn takes_tokens(route: &Route) -> bool {
    [Credential::Session, Credential::Oauth].iter().any(|kind| route.credentials.contains(*kind))
}

fn is_edge(route: &Route, modes: &[Mode]) -> bool {
    modes.iter().all(|mode| route.mode.unwrap_or(*mode) == Mode::Edge)
}

fn note(names: Vec<String>, reason: &str) -> Option<String> {
    (!names.is_empty()).then(|| format!("{}: {reason}", names.join(", ")))
}

const NO_KEYS: &str = "no effect: no key may use a route that this is for";
const NO_TOTALS: &str = "no effect but on signed requests: in mode \"edge\" nobody keeps totals";
const NO_TRIAL: &str = "no effect: in mode \"edge\" nobody counts what it would refuse";
const NO_SIGNATURE: &str = "no effect on tokens: who has one cannot sign, and is not held to it";
const NO_WINDOW: &str =
    "in mode \"edge\" each isolate bounds bursts by itself, and no window is kept";
