//! Keys, targets, scopes, networks: one spelling each.

use portcullis::address::{Allowlist, ClientAddress};
use portcullis::host::{HostName, same_host};
use portcullis::imported::PointerId;
use portcullis::key::{KeyText, Kid, Workspace, is_prefix, occurs_in};
use portcullis::scope::{Grants, Scope};
use portcullis::target::{Classes, Target};

use crate::{lines, text, world};

/// What is read is what was written; a key that is recognised is found in any text around it.
pub fn key(data: &[u8]) {
    let Some((_, text)) = text(data) else { return };
    if let Some(kid) = Kid::parse(text) {
        assert_eq!(kid.as_str(), text);
        assert!(Workspace::parse(kid.workspace().as_str()).is_some());
    }
    if let Some(workspace) = Workspace::parse(text) {
        assert_eq!(workspace.as_str(), text);
    }
    if let Some(id) = PointerId::from_kv_name(text) {
        assert_eq!(id.kv_name(), text);
    }
    let recognised = KeyText::recognise(text);
    if recognised.is_some() {
        assert!(occurs_in(&format!("/?k={text}&x")), "{text}");
    }
    if let Some(Ok(key)) = recognised {
        let kid = key.kid();
        assert!(is_prefix(key.prefix()));
        assert!(text.starts_with(&format!("{}_{}_", key.prefix(), kid.as_str())));
        // The seeds are of this root; to forge a tag of 30 bits twice is not what fuzzers can do.
        let ours = key.is_ours(world::gate().keyring());
        assert!(!ours || world::keys().iter().any(|own| own == text), "{text}");
    }
}

/// A target is taken as it is or refused, and a wider rule never reads one otherwise.
pub fn target(data: &[u8]) {
    let Some((choice, raw)) = text(data) else { return };
    let everything = Target::parse(raw, Classes::ALL);
    let Ok(target) = Target::parse(raw, if choice % 2 == 0 { Classes::ALL } else { Classes::NONE })
    else {
        return;
    };
    assert_eq!(target.raw, raw);
    let Ok(wide) = everything else { panic!("refused by the wider rule: {raw}") };
    assert_eq!((wide.path, wide.query, wide.classes), (target.path, target.query, target.classes));
    assert!(target.permit(target.classes).is_ok() && target.permit(Classes::ALL).is_ok());
    match target.query {
        Some(query) => assert_eq!(format!("{}?{query}", target.path), raw),
        None => assert_eq!(target.path, raw),
    }
    let mut decoded = decode(target.path);
    for _ in 0..2 {
        let separated = decoded.replace('\\', "/");
        // Behind what begins a query or a fragment there is no path any more.
        let path = separated.split('/').map(|own| own.split(['?', '#']).next().unwrap_or(own));
        for segment in path.flat_map(|own| own.split(';')) {
            assert!(segment != "." && segment != "..", "climbs: {raw}");
        }
        decoded = decode(&decoded);
    }
    assert!(!target.path.starts_with("//") && raw.bytes().all(|byte| byte.is_ascii_graphic()));
}

/// Grants mean the same however often they are written; what is within others never allows more.
pub fn scope(data: &[u8]) {
    let Some((_, text)) = text(data) else { return };
    let (first, rest) = lines(text);
    let (second, scope) = lines(rest);
    let read = |line: &str| Grants::parse(line.split(' ').filter(|word| !word.is_empty())).ok();
    let (Some(inner), Some(outer)) = (read(first), read(second)) else { return };
    let again: Grants = serde_json::from_value(serde_json::to_value(&inner).unwrap()).unwrap();
    assert_eq!(again, inner);
    assert!(inner.subset_of(&inner) && read("").unwrap().subset_of(&inner));
    let written = inner.to_string();
    assert_eq!(read(&written).as_ref().map(ToString::to_string), Some(written));
    let Ok(scope) = Scope::parse(scope) else { return };
    assert!(!inner.subset_of(&outer) || !inner.allow(&scope) || outer.allow(&scope));
    assert!(Grants::parse(["*:*"]).unwrap().allow(&scope));
}

/// An address has one meaning; a network holds its own.
pub fn address(data: &[u8]) {
    let Some((_, text)) = text(data) else { return };
    let (first, second) = lines(text);
    let address = ClientAddress::parse(first);
    if let Some(address) = address {
        assert_eq!(ClientAddress::parse(&address.to_string()), Some(address));
        assert!(first.parse::<std::net::IpAddr>().is_ok());
    }
    if let Ok(list) = Allowlist::parse(second.split(' ')) {
        let written: Vec<String> = list.networks().map(|network| network.to_string()).collect();
        assert_eq!(Allowlist::parse(written.iter().map(String::as_str)).ok().as_ref(), Some(&list));
        let holds = |address: ClientAddress| list.networks().any(|own| own.contains(&address.ip()));
        assert!(address.is_none_or(|address| list.contains(address) == holds(address)));
    }
    if let Ok(host) = HostName::parse(first) {
        assert_eq!(host.as_str(), first);
        assert!(host.matches(first) && host.matches(&first.to_ascii_uppercase()));
        assert_eq!(same_host(second, first), host.matches(second));
    }
}

/// Percent-decoding as anybody behind the gate might do it.
fn decode(text: &str) -> String {
    let (bytes, mut decoded, mut at) = (text.as_bytes(), Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        let digits = text.get(at + 1..at + 3).filter(|_| *byte == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(own) => (decoded.push(own), at += 3).1,
            None => (decoded.push(*byte), at += 1).1,
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
