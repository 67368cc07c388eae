//! Routes: what one says, and that each can be told from the others.

use toml::Spanned;

use super::error::Fault;
use super::raw::{RawRoute, RawShadow};
use super::{check_param, list};
use crate::address::Allowlist;
use crate::policy::{
    Cors, Credential, IssuerRules, Mode, Origin, Product, Route, Shadow, Whose, usage_entry,
};
use crate::route::{Conflict, Entry, Pattern, RouteTable};
use crate::scope::Scope;

/// What a route may refer to.
pub(super) struct Context<'d> {
    pub(super) origins: &'d [Origin],
    pub(super) issuers: &'d [IssuerRules],
    pub(super) products: &'d [Product],
    /// Those of the products, each empty or with its slash at the beginning.
    pub(super) base_paths: &'d [String],
    /// Where a key reads its own use, besides the routes.
    pub(super) usage_path: Option<&'d Spanned<Pattern>>,
    /// More than this no workspace has to spend; `None` if one may spend whatever it likes.
    pub(super) most_coins: Option<u64>,
}

/// Reads the routes, for so many hosts.
pub(super) fn table(
    raw: Vec<RawRoute>,
    context: &Context<'_>,
    hosts: usize,
) -> Result<Vec<Route>, Fault> {
    let mut places: Vec<_> = raw.iter().map(|route| route.path.span()).collect();
    places.extend(context.usage_path.map(Spanned::span));
    let routes =
        raw.into_iter().map(|raw| route(raw, context)).collect::<Result<Vec<Route>, Fault>>()?;
    let usage = context.usage_path.map(usage).transpose()?;
    let entries = routes.iter().map(|route| entry(route, context)).chain(usage);
    let table = RouteTable::new(hosts, entries);
    match table {
        Ok(_) => Ok(routes),
        Err(Conflict { first, second, kind }) => {
            let earlier = routes.get(first).map_or("", |route| route.path.as_str());
            let span = places.get(second).cloned().unwrap_or_default();
            Err(Fault { span, message: format!("conflict with '{earlier}': {kind}") })
        }
    }
}

fn entry<'d>(route: &'d Route, context: &Context<'d>) -> Entry<'d> {
    let product = route.product.and_then(|place| context.products.get(place));
    let hosts = product.map_or([].as_slice(), |product| &product.hosts);
    Entry { pattern: &route.path, methods: route.methods, hosts }
}

fn usage(path: &Spanned<Pattern>) -> Result<Entry<'_>, Fault> {
    match path.get_ref().params().next() {
        Some(_) => Err(Fault::at(path, "a key's own use has one path, without parameters")),
        None => Ok(usage_entry(path.get_ref())),
    }
}

fn route(raw: RawRoute, context: &Context<'_>) -> Result<Route, Fault> {
    let origin = context
        .origins
        .iter()
        .position(|origin| origin.name.as_str() == raw.origin.get_ref())
        .ok_or_else(|| {
            let names = context.origins.iter().map(|origin| origin.name.as_str());
            Fault::of_name(&raw.origin, "origin", names)
        })?;
    let product = raw.product.as_ref().map(|name| product(name, context)).transpose()?;
    check_cost(&raw, product, context)?;
    let scope = scope(&raw)?;
    check_bindings(&raw, context)?;
    check_subject(&raw)?;
    check_settle(&raw)?;
    Ok(Route {
        methods: raw.methods,
        path: path(&raw.path, product, context)?,
        product,
        origin,
        timeout_ms: raw.timeout_ms,
        signed: signed(&raw)?,
        cors: cors(&raw)?,
        shadow: shadow(&raw)?,
        credentials: raw.credentials,
        scope,
        bindings: raw.bindings.into_keys().map(Spanned::into_inner).collect(),
        subject: raw.subject.map(|name| Whose::from(name.into_inner())),
        ips: raw.ips.map(|ips| list(&ips, |texts| Allowlist::parse(texts))).transpose()?,
        mode: raw.mode,
        cost: raw.cost.map_or(1, Spanned::into_inner),
        settle: raw.settle.map(Spanned::into_inner),
        body_limit: raw.body_limit,
        cookies: raw.cookies,
        upgrade: raw.upgrade,
        allow: raw.allow,
    })
}

fn product(name: &Spanned<String>, context: &Context<'_>) -> Result<usize, Fault> {
    let place = context.products.iter().position(|own| own.name.as_str() == name.get_ref());
    place.ok_or_else(|| {
        let names = context.products.iter().map(|product| product.name.as_str());
        Fault::of_name(name, "product", names)
    })
}

/// The whole path, under that of the product.
fn path(
    own: &Spanned<Pattern>,
    product: Option<usize>,
    context: &Context<'_>,
) -> Result<Pattern, Fault> {
    let base = product.and_then(|place| context.base_paths.get(place));
    let Some(base) = base.filter(|base| !base.is_empty()) else { return Ok(own.get_ref().clone()) };
    let text = match own.get_ref().as_str() {
        "/" => base.clone(),
        below => format!("{base}{below}"),
    };
    Pattern::parse(&text).map_err(|reason| Fault::at(own, format!("as '{text}': {reason}")))
}

/// What could never be paid is a mistake.
fn check_cost(raw: &RawRoute, product: Option<usize>, context: &Context<'_>) -> Result<(), Fault> {
    let Some(cost) = &raw.cost else { return Ok(()) };
    let own = product.and_then(|place| context.products.get(place)?.budget);
    let most = own.map(|budget| budget.coins.get()).into_iter().chain(context.most_coins).min();
    match most {
        Some(most) if u64::from(*cost.get_ref()) > most => {
            let message = format!("no request could ever pay this: the whole budget is {most}");
            Err(Fault::at(cost, message))
        }
        _ => Ok(()),
    }
}

/// Of a cost that may turn out to be less, each request has to be asked for.
fn check_settle(raw: &RawRoute) -> Result<(), Fault> {
    let Some(settle) = &raw.settle else { return Ok(()) };
    if !raw.credentials.contains(Credential::Key) {
        return Err(Fault::at(settle, "no key may use this route, so there is nothing to settle"));
    }
    if settle.get_ref().as_str().starts_with(OWN_HEADERS) {
        let message = "the gate's own headers begin so: let the origin tell it by another name";
        return Err(Fault::at(settle, message));
    }
    if raw.mode != Some(Mode::Strict) {
        let message = "only what was asked for by itself can be settled: this route needs \
                       mode = \"strict\"";
        return Err(Fault::at(settle, message));
    }
    match &raw.cost {
        Some(cost) if *cost.get_ref() == 0 => {
            Err(Fault::at(settle, "this route costs nothing, so there is nothing to settle"))
        }
        _ => Ok(()),
    }
}

fn scope(raw: &RawRoute) -> Result<Option<Scope>, Fault> {
    match (&raw.scope, raw.credentials.is_public()) {
        (None, true) => Ok(None),
        (Some(scope), true) => Err(Fault::at(scope, "a public route has no scope: leave it out")),
        (None, false) => {
            let message = "this route has no scope; write scope = \"none\" if any key may use it";
            Err(Fault::at(&raw.path, message))
        }
        (Some(scope), false) if scope.get_ref() == "none" => Ok(None),
        (Some(scope), false) => {
            Scope::parse(scope.get_ref()).map(Some).map_err(|reason| Fault::at(scope, reason))
        }
    }
}

fn check_bindings(raw: &RawRoute, context: &Context<'_>) -> Result<(), Fault> {
    let public = raw.credentials.is_public();
    let open = unheld(raw, context);
    if let Some(issuer) = open
        && !raw.bindings.keys().any(|name| name.get_ref() == Route::WORKSPACE)
    {
        let message = format!(
            "nothing holds tokens of issuer '{issuer}' to their {{workspace_id}}: give the issuer a \
             'workspace_claim', or say bindings = {{ workspace_id = \"origin\" }} if the origin does"
        );
        return Err(Fault::at(&raw.path, message));
    }
    for (name, enforcer) in &raw.bindings {
        check_param(name)?;
        if public {
            return Err(Fault::at(
                name,
                "a public route has no key, so no bindings: leave them out",
            ));
        }
        let is_open = open.is_some() && name.get_ref() == Route::WORKSPACE;
        if !is_open && raw.path.get_ref().params().any(|param| param == name.get_ref()) {
            return Err(Fault::at(
                name,
                "this parameter is in the path, where the gate enforces it: leave it out here",
            ));
        }
        if enforcer.get_ref() != "origin" {
            return Err(Fault::at(enforcer, "a binding is enforced by the \"origin\""));
        }
    }
    Ok(())
}

/// An issuer whose tokens the route takes, although nobody knows of whose workspace they are.
fn unheld<'d>(raw: &RawRoute, context: &Context<'d>) -> Option<&'d str> {
    let mut params = raw.path.get_ref().params();
    if !params.any(|name| name == Route::WORKSPACE) {
        return None;
    }
    let taken = &raw.credentials;
    let mut issuers = context.issuers.iter();
    let open = issuers.find(|issuer| {
        taken.contains(issuer.credential.credential()) && issuer.workspace_claim.is_none()
    });
    open.map(|issuer| issuer.name.as_str())
}

fn check_subject(raw: &RawRoute) -> Result<(), Fault> {
    let Some(name) = &raw.subject else { return Ok(()) };
    if raw.credentials.is_public() {
        return Err(Fault::at(name, "a public route has no caller, so no subject: leave it out"));
    }
    let is_named = raw.path.get_ref().params().any(|param| param == name.get_ref());
    match (name.get_ref() == Whose::ORIGIN, is_named) {
        (true, true) => {
            let message =
                "\"origin\" says that the origin enforces it: call the parameter otherwise";
            Err(Fault::at(name, message))
        }
        (true, false) | (false, true) => Ok(()),
        (false, false) => {
            Err(Fault::of_name(name, "parameter of the path", raw.path.get_ref().params()))
        }
    }
}

fn signed(raw: &RawRoute) -> Result<bool, Fault> {
    match &raw.signature {
        Some(demand) if raw.credentials.is_public() => Err(Fault::at(
            demand,
            "a public route has no key, by which a request is signed: leave it out",
        )),
        Some(demand) if demand.get_ref() != "required" => {
            Err(Fault::at(demand, "expected \"required\": all else is up to the key"))
        }
        demand => Ok(demand.is_some()),
    }
}

fn cors(raw: &RawRoute) -> Result<Option<Cors>, Fault> {
    let Some(texts) = &raw.cors else { return Ok(None) };
    let cors = list(texts, |texts| Cors::parse(texts))?;
    if cors == Cors::Any && raw.cookies {
        let message = "browsers send no cookies where \"*\" is allowed: list the pages' origins";
        return Err(Fault::at(texts, message));
    }
    Ok(Some(cors))
}

fn shadow(raw: &RawRoute) -> Result<Shadow, Fault> {
    let Some(shadow) = &raw.shadow else { return Ok(Shadow::default()) };
    if raw.credentials.is_public() {
        return Err(Fault::at(
            shadow,
            "a public route has no caller, of whom a shadow could be told: leave it out",
        ));
    }
    let RawShadow { scope, ips } = shadow.get_ref();
    let scope = scope
        .as_ref()
        .map(|text| Scope::parse(text.get_ref()).map_err(|reason| Fault::at(text, reason)));
    let ips = ips.as_ref().map(|ips| list(ips, |texts| Allowlist::parse(texts)));
    let rules = Shadow { scope: scope.transpose()?, ips: ips.transpose()? };
    if rules.is_empty() {
        return Err(Fault::at(shadow, "a shadow has a 'scope', 'ips' or both"));
    }
    Ok(rules)
}

/// What the names of the headers that the gate gives to origins and clients begin with.
const OWN_HEADERS: &str = "x-portcullis-";
