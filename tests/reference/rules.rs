//! Networks, scopes and paths (DESIGN §10, docs/policy.md).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use crate::target::decode;
use crate::world::{Policy, Route};

/// Whether an address is in one of these networks. What is no single address is in none.
pub fn is_inside(address: Option<&str>, networks: &[&str]) -> bool {
    let Some(address) = address.and_then(|text| text.parse::<IpAddr>().ok()) else { return false };
    let address = match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4),
        v4 => v4,
    };
    networks.iter().any(|network| {
        let (base, length) = network.split_once('/').unwrap();
        let (base, length) = (base.parse::<IpAddr>().unwrap(), length.parse::<u32>().unwrap());
        let (own, width) = bits(address);
        let (base, base_width) = bits(base);
        width == base_width && (length == 0 || own >> (width - length) == base >> (width - length))
    })
}

fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(v4) => (u32::from(v4).into(), 32),
        IpAddr::V6(v6) => (Ipv6Addr::to_bits(v6), 128),
    }
}

/// Whether one of these grants covers a scope. What is no grant is passed over.
pub fn covers<'g>(mut grants: impl Iterator<Item = &'g str>, scope: &str) -> bool {
    let (resource, action) = scope.split_once(':').unwrap();
    grants.any(|grant| match grant.split_once(':') {
        Some((r, a)) => (r == "*" || r == resource) && (a == "*" || a == action),
        None => grant == action && matches!(grant, "read" | "write"),
    })
}

/// What a path leads to on a host.
#[derive(Debug)]
pub enum Found<'p> {
    Nothing,
    /// With the path's parameters, as they are sent.
    Route(&'p Route, BTreeMap<String, String>),
    OtherMethod,
}

/// The most specific path decides, segment by segment; the method is looked at last.
pub fn find<'p>(policy: &'p Policy, host: &str, path: &str, method: &str) -> Found<'p> {
    let path = path.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(path);
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let answers = |route: &&Route| {
        let Some(product) = route.product else { return true };
        let hosts = &policy.products[product].hosts;
        hosts.is_empty() || hosts.iter().any(|at| policy.hosts[*at] == host)
    };
    let all: Vec<&Route> = policy.routes.iter().filter(answers).collect();
    let fitting = all.iter().filter(|route| fits(&route.path, &segments).is_some());
    let Some(best) = fitting.map(|route| rank(&route.path)).min() else { return Found::Nothing };
    let of_path =
        |route: &&&Route| fits(&route.path, &segments).is_some() && rank(&route.path) == best;
    let found = all.iter().filter(of_path).find(|route| {
        let gets = route.methods.contains(&"GET") && method == "HEAD";
        route.methods.contains(&method) || gets
    });
    match found {
        Some(route) => Found::Route(route, fits(&route.path, &segments).unwrap()),
        None => Found::OtherMethod,
    }
}

/// A literal before `{name}` before `{*name}`.
fn rank(pattern: &str) -> Vec<u8> {
    let kind = |segment: &str| match segment {
        tail if tail.starts_with("{*") => 2,
        one if one.starts_with('{') => 1,
        _ => 0,
    };
    pattern.split('/').skip(1).map(kind).collect()
}

fn fits(pattern: &str, segments: &[&str]) -> Option<BTreeMap<String, String>> {
    let pattern: Vec<&str> = pattern.split('/').skip(1).collect();
    let mut parameters = BTreeMap::new();
    for (at, part) in pattern.iter().enumerate() {
        if let Some(name) = part.strip_prefix("{*").and_then(|name| name.strip_suffix('}')) {
            let rest = segments.get(at..).filter(|rest| !rest.is_empty())?;
            parameters.insert(name.to_owned(), rest.join("/"));
            return Some(parameters);
        }
        let segment = segments.get(at)?;
        match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => drop(parameters.insert(name.to_owned(), (*segment).to_owned())),
            None if decode(part) == decode(segment) => {}
            None => return None,
        }
    }
    (pattern.len() == segments.len()).then_some(parameters)
}
