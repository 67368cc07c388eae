//! Whatever has limits or a budget: tiers, workspaces, products.

use toml::Spanned;

use super::error::Fault;
use super::raw::{RawBudget, RawLimits, RawProduct, RawShared, RawTier, RawWorkspace};
use crate::host::HostName;
use crate::policy::{
    BadLimits, Budget, Limits, Name, Product, Tier, WorkspaceNumber, WorkspaceRules,
};
use crate::route::Pattern;

pub(super) fn tier((name, raw): (Spanned<Name>, RawTier)) -> Result<Tier, Fault> {
    let RawTier { requests, window_seconds, burst, shadow } = raw;
    Ok(Tier {
        name: name.into_inner(),
        limits: limits(RawLimits { requests, window_seconds, burst })?,
        shadow: shadow.map(limits).transpose()?,
    })
}

pub(super) fn workspace(
    (number, raw): (Spanned<WorkspaceNumber>, RawWorkspace),
) -> Result<WorkspaceRules, Fault> {
    let (limits, shadow) = shared(raw.limits)?;
    Ok(WorkspaceRules {
        workspace: number.into_inner(),
        mode: raw.mode,
        limits,
        shadow,
        budget: raw.budget.map(budget),
        on_workspace_down: raw.on_workspace_down,
    })
}

/// A product, and what stands before the paths of its routes.
pub(super) fn product(
    name: Spanned<Name>,
    raw: RawProduct,
    hosts: &[HostName],
) -> Result<(Product, String), Fault> {
    let base_path = raw.base_path.map(base_path).transpose()?;
    let mut places = Vec::new();
    for text in raw.hosts.iter().flat_map(Spanned::get_ref) {
        let place = hosts.iter().position(|host| host.as_str() == text.get_ref());
        let place = place.ok_or_else(|| {
            let known: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
            Fault::at(text, format!("this is none of the policy's 'hosts': {}", known.join(", ")))
        })?;
        if places.contains(&place) {
            return Err(Fault::at(text, "this host is listed twice"));
        }
        places.push(place);
    }
    if let Some(raw) = raw.hosts.filter(|_| places.is_empty()) {
        let message = "a product without a host would answer nowhere; leave 'hosts' out for all";
        return Err(Fault::at(&raw, message));
    }
    places.sort_unstable();
    let (limits, shadow) = shared(raw.limits)?;
    let budget = raw.budget.map(budget);
    let product = Product { name: name.into_inner(), hosts: places, limits, shadow, budget };
    Ok((product, base_path.unwrap_or_default()))
}

fn base_path(raw: Spanned<String>) -> Result<String, Fault> {
    let path = Pattern::parse(raw.get_ref()).map_err(|reason| Fault::at(&raw, reason))?;
    if path.params().next().is_some() || raw.get_ref() == "/" {
        return Err(Fault::at(&raw, "a base path is one or more literal segments, as '/billing'"));
    }
    Ok(raw.into_inner())
}

/// Limits that hold, and limits on trial.
pub(super) fn shared(
    raw: Option<Spanned<RawShared>>,
) -> Result<(Option<Limits>, Option<Limits>), Fault> {
    let Some(raw) = raw else { return Ok((None, None)) };
    let message = "limits have 'requests' and 'burst'; 'shadow' may stand beside them or alone";
    let incomplete = Fault::at(&raw, message);
    let RawShared { requests, window_seconds, burst, shadow } = raw.into_inner();
    let own = match (requests, window_seconds, burst) {
        (Some(requests), window_seconds, Some(burst)) => {
            Some(limits(RawLimits { requests, window_seconds, burst })?)
        }
        (None, None, None) if shadow.is_some() => None,
        _ => return Err(incomplete),
    };
    Ok((own, shadow.map(limits).transpose()?))
}

pub(super) fn budget(RawBudget { coins, period }: RawBudget) -> Budget {
    Budget { coins, period }
}

fn limits(raw: RawLimits) -> Result<Limits, Fault> {
    let RawLimits { requests, window_seconds, burst } = raw;
    let window = window_seconds.as_ref().map_or(Limits::HOUR, |window| *window.get_ref());
    let limits = Limits::new(*requests.get_ref(), window, *burst.get_ref());
    limits.map_err(|reason| match (reason, window_seconds) {
        (BadLimits::Window, Some(window)) => Fault::at(&window, reason),
        (BadLimits::Zero, _) if *requests.get_ref() == 0 => Fault::at(&requests, reason),
        _ => Fault::at(&burst, reason),
    })
}
