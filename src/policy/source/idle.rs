//! Rules that are in order and do nothing, or less than they seem to, which is seldom what was meant.

use super::places::Places;
use crate::policy::{
    Credential, Document, Limits, Mode, Route, TokenKind, Upstream, WorkspaceRules,
};

/// What of a policy has no effect, or less than it seems to have: where, and why, in the order of the policy.
pub(super) fn idle(policy: &Document, places: &Places) -> Vec<(usize, String)> {
    let mut notes = Notes { places, found: Vec::new() };
    if policy.routes.is_empty() {
        notes.put("", "routes", "there is none, so every request is refused");
        return notes.found;
    }
    let case = Case::new(policy);
    for total in &case.totals {
        if let Some(reason) = total.idle {
            notes.put(&total.table, &total.name, reason);
        }
    }
    for tier in &policy.tiers {
        let name = format!("tiers.{}", tier.name);
        match case.reason(None, &case.modes) {
            Some(NO_TOTALS) => notes.put(&name, &name, NO_WINDOW),
            Some(reason) => notes.put(&name, &name, reason),
            None => {}
        }
    }
    for (place, product) in policy.products.iter().enumerate() {
        if !policy.routes.iter().any(|route| route.product == Some(place)) {
            let name = format!("products.{}", product.name);
            notes.put(&name, &name, "no route belongs to it");
        }
    }
    for (place, origin) in policy.origins.iter().enumerate() {
        let name = format!("origins.{}", origin.name);
        if !policy.routes.iter().any(|route| route.origin == place) {
            notes.put(&name, &name, "no route leads to it");
        } else if is_own_host_by_port(&origin.upstream, policy) {
            notes.put(&name, &name, OWN_PORT);
        }
    }
    for (workspace, passed) in case.edge_workspaces() {
        let text = format!("its keys pass by {passed}: {TOTALS}");
        notes.put(&workspace, &format!("{workspace}.mode"), &text);
    }
    for (place, route) in policy.routes.iter().enumerate() {
        for text in case.of_route(route) {
            let name = format!("{} {}", route.methods, route.path);
            notes.put(&format!("routes.{place}"), &name, &text);
        }
    }
    notes.found.sort_by_key(|(at, _)| *at);
    notes.found
}

struct Notes<'p> {
    places: &'p Places,
    found: Vec<(usize, String)>,
}

impl Notes<'_> {
    fn put(&mut self, table: &str, name: &str, text: &str) {
        self.found.push((self.places.find(table), format!("{name}: {text}")));
    }
}

/// Whatever is counted in a Workspace.
struct Total {
    /// Where it stands.
    table: String,
    name: String,
    /// Why nothing is counted.
    idle: Option<&'static str>,
    /// Of which product's requests; `None` of all.
    product: Option<usize>,
    /// Whether it is of one workspace alone.
    is_own: bool,
}

struct Case<'p> {
    policy: &'p Document,
    /// Those of all workspaces.
    modes: Vec<Mode>,
    totals: Vec<Total>,
}

impl<'p> Case<'p> {
    fn new(policy: &'p Document) -> Self {
        let own = policy.workspaces.iter().filter_map(|rules| rules.mode);
        let modes = core::iter::once(policy.mode).chain(own).collect();
        let mut case = Self { policy, modes, totals: Vec::new() };
        case.totals = case.all_totals();
        case
    }

    fn all_totals(&self) -> Vec<Total> {
        let policy = self.policy;
        let limited = |limits: Option<Limits>, shadow: Option<Limits>| limits.or(shadow).is_some();
        let all = self.reason(None, &self.modes);
        let mut totals = Vec::new();
        let mut put = |table: &str, fields: &[(&str, bool)], idle, product, is_own| {
            for (field, _) in fields.iter().filter(|(_, is_there)| *is_there) {
                let (table, name) = (table.to_owned(), format!("{table}{field}"));
                totals.push(Total { table, name, idle, product, is_own });
            }
        };
        put("budget", &[("", policy.budget.is_some())], all, None, false);
        let shared = limited(policy.workspace_limits, policy.workspace_shadow);
        put("workspace_limits", &[("", shared)], all, None, false);
        for (place, own) in policy.products.iter().enumerate() {
            let limits = limited(own.limits, own.shadow);
            let fields = [(".budget", own.budget.is_some()), (".limits", limits)];
            let reason = self.reason(Some(place), &self.modes);
            put(&format!("products.{}", own.name), &fields, reason, Some(place), false);
        }
        for own in &policy.workspaces {
            let limits = limited(own.limits, own.shadow);
            let fields = [(".budget", own.budget.is_some()), (".limits", limits)];
            let reason = self.reason(None, &[own.mode.unwrap_or(policy.mode)]);
            put(&format!("workspaces.{}", own.workspace.as_str()), &fields, reason, None, true);
        }
        for own in &policy.tiers {
            let fields = [(".shadow", own.shadow.is_some())];
            put(&format!("tiers.{}", own.name), &fields, all, None, true);
        }
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
        let mut notes: Vec<String> = Vec::new();
        if takes_keys(route) {
            let is_edge = is_edge(route, &self.modes);
            notes.extend(has_cost.filter(|_| is_edge).map(|name| format!("{name}: {NO_TOTALS}")));
            notes.extend(self.passed(route).map(|names| format!("passes by {names}: {TOTALS}")));
            let unsigned = takes_tokens(route).then_some("signature").filter(|_| route.signed);
            notes.extend(unsigned.map(|name| format!("{name}: {NO_SIGNATURE}")));
            notes.extend(self.unpaid(route));
        } else {
            let mode = route.mode.map(|_| "mode");
            let bindings = (!route.bindings.is_empty()).then_some("bindings");
            let signature = route.signed.then_some("signature");
            let names = [has_cost, mode, bindings, signature].into_iter().flatten();
            let names: Vec<&str> = names.collect();
            let is_idle = !names.is_empty();
            notes.extend(is_idle.then(|| format!("{}: {NO_KEY}", names.join(", "))));
        }
        for kind in [TokenKind::Session, TokenKind::Oauth] {
            let mut issuers = self.policy.issuers.iter();
            if takes(route, kind) && !issuers.any(|issuer| issuer.credential == kind) {
                notes.push(format!("{}: {NO_ISSUER}", kind.as_str()));
            }
        }
        if route.shadow.scope.is_some() && route.shadow.scope == route.scope {
            notes.push(format!("shadow.scope: {SAME_SCOPE}"));
        }
        let is_scopeless = !takes_keys(route) && !takes(route, TokenKind::Oauth);
        if route.shadow.scope.is_some() && is_scopeless {
            notes.push(format!("shadow.scope: {NO_SCOPE}"));
        }
        notes.extend(
            has_shadow.and_then(|name| self.untold(route).map(|why| format!("{name}: {why}"))),
        );
        notes
    }

    /// What others are counted by and this route's requests are not, as they are decided without a Workspace.
    fn passed(&self, route: &Route) -> Option<String> {
        let is_passed = |total: &&Total| {
            let concerns = total.product.is_none() || total.product == route.product;
            total.idle.is_none() && !total.is_own && concerns
        };
        let names: Vec<&str> =
            self.totals.iter().filter(is_passed).map(|total| total.name.as_str()).collect();
        (is_edge(route, &self.modes) && !names.is_empty()).then(|| names.join(", "))
    }

    /// Workspaces in mode `edge`, and by what of others their keys pass.
    fn edge_workspaces(&self) -> Vec<(String, String)> {
        let of = |rules: &WorkspaceRules| {
            let routes = self.policy.routes.iter().filter(|route| takes_keys(route));
            let is_passing = rules.mode == Some(Mode::Edge)
                && routes.clone().any(|route| route.mode.is_none() && !is_edge(route, &self.modes));
            let names = self.totals.iter().filter(|total| total.idle.is_none() && !total.is_own);
            let names: Vec<&str> = names.map(|total| total.name.as_str()).collect();
            let table = format!("workspaces.{}", rules.workspace.as_str());
            (is_passing && !names.is_empty()).then(|| (table, names.join(", ")))
        };
        self.policy.workspaces.iter().filter_map(of).collect()
    }

    /// Why nobody is told of what rules on trial would refuse, of some callers or of all.
    fn untold(&self, route: &Route) -> Option<&'static str> {
        if self.policy.observe.writes() {
            return None;
        }
        let is_counted = takes_keys(route) && !is_edge(route, &self.modes);
        // A session is held to no scope.
        let is_tried = route.shadow.ips.is_some() && takes_tokens(route)
            || route.shadow.scope.is_some() && takes(route, TokenKind::Oauth);
        match (is_counted, is_tried) {
            (true, false) => None,
            (true, true) => Some(NO_TRIAL_OF_TOKENS),
            (false, _) => Some(NO_TRIAL),
        }
    }

    /// Whose whole budget is less than what the route costs, although that of others is not.
    fn unpaid(&self, route: &Route) -> Option<String> {
        let policy = self.policy;
        let is_less = |coins: u64| coins < u64::from(route.cost);
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

fn takes(route: &Route, kind: TokenKind) -> bool {
    route.credentials.contains(kind.credential())
}

fn takes_tokens(route: &Route) -> bool {
    takes(route, TokenKind::Session) || takes(route, TokenKind::Oauth)
}

fn is_edge(route: &Route, modes: &[Mode]) -> bool {
    modes.iter().all(|mode| route.mode.unwrap_or(*mode) == Mode::Edge)
}

/// Whether an origin is a host of the gate at another port; at its own it would be an error.
fn is_own_host_by_port(upstream: &Upstream, policy: &Document) -> bool {
    let Upstream::Url { base } = upstream else { return false };
    let own = policy.hosts.iter().chain([&policy.admin_host]);
    !base.is_here() && own.into_iter().any(|host| host.matches(base.authority()))
}

const NO_KEYS: &str = "no effect: no key may use a route that this is for";
const NO_KEY: &str = "no key may use this route";
const TOTALS: &str = "in mode \"edge\" nobody keeps totals";
const NO_TOTALS: &str = "no effect but on signed requests: in mode \"edge\" nobody keeps totals";
const NO_TRIAL: &str =
    "no effect: nobody counts what it would refuse here; [observe] could tell of it";
const NO_TRIAL_OF_TOKENS: &str =
    "counts keys alone: of tokens only [observe] tells what it would refuse";
const NO_SCOPE: &str = "no effect: a session is held to no scope, nor to one on trial";
const SAME_SCOPE: &str = "no effect: it is the scope that is in force";
const NO_ISSUER: &str = "no issuer of this policy gives such tokens, so nobody has one";
const NO_SIGNATURE: &str = "no effect on tokens: who has one cannot sign, and is not held to it";
const NO_WINDOW: &str =
    "in mode \"edge\" each isolate bounds bursts by itself, and no window is kept";
const OWN_PORT: &str =
    "this is a host of the gate, at another port: if the gate answers there too, it calls itself";
