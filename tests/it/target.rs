//! Accepted targets against a slow second opinion that decodes first and looks afterwards.

use portcullis::clock::Now;
use portcullis::decide::{Decision, decide};
use portcullis::denial::Denial;
use portcullis::memory::Memory;
use portcullis::request::Request;
use portcullis::target::{Class, Classes, Target};
use portcullis::ticket::Ticket;
use proptest::prelude::*;

use crate::simulation::deployment;

/// Its paths name people, whatever routes opt in to.
#[test]
fn the_admin_host_takes_every_class_and_what_is_none_of_them_no_more_than_others() {
    let gate = deployment::gate(&deployment::LEASE);
    let decided = |host: &str, path: &str| {
        let facts = format!("GET\nhttp://{host}{path}");
        let (mut memory, mut ticket) = (Memory::default(), Ticket::default());
        let now = Now::from_millis(1_800_000_000_000);
        let request = Request::parse(&facts).unwrap();
        match decide(&request, &gate, &mut memory, &mut ticket, now) {
            Decision::Admin => "admin",
            Decision::Usage(_) => "usage",
            Decision::Preflight(_) => "preflight",
            Decision::Deny(Denial::Target(_)) => "target",
            Decision::Allow(_) | Decision::Deny(_) | Decision::Need(_) | Decision::Fault(_) => {
                "other"
            }
        }
    };
    for path in ["/a%2Fb", "/a%5Cb", "/a%3Bb", "/a;b", "/a%3Fb", "/a%23b", "/a%25", "/a/"] {
        assert_eq!((decided("admin.test", path), decided("api.test", path)), ("admin", "target"));
    }
    for path in ["/a//b", "/a%2F%2Fb", "/..%2Fb", "/%2Ea", "/a%2520b", "/a%00", "/a?"] {
        assert_eq!(decided("admin.test", path), "target", "{path}");
    }
}

/// Bytes from which traps are made.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "/", ".", "..", "/..", "/.", ";", "?", "#", "\\", "%", "a", "v1", "%2F", "%2f", "%5C",
            "%2E", "%25", "%252e", "2E", "%00", "%0A", "%3B", "%3F", "%23", "%7F", "%41", "%20",
            "%C3%A9", "%C3", "%A9", "%E2%82%AC", "%ED%A0%80", "%C0%AF", "\"", "|", "é", " ",
        ]).prop_map(str::to_owned),
        1 => "[ -~]",
        1 => "%[0-9A-F]{2}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn classes() -> impl Strategy<Value = Classes> {
    prop_oneof![
        Just(Classes::NONE),
        Just(Classes::ALL),
        prop::collection::vec(class(), 0..4).prop_map(Classes::from)
    ]
}

fn class() -> impl Strategy<Value = Class> {
    prop::sample::select(Classes::ALL.iter().collect::<Vec<_>>())
}

/// What an accepted path decodes to, by way of text replacement: `None` if that is not text.
fn decode(path: &str) -> Option<String> {
    let mut parts = path.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (hex, rest) = part.split_at_checked(2)?;
        if !hex.chars().all(|c| "0123456789ABCDEF".contains(c)) {
            return None;
        }
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// The rules of an accepted target, looked up one by one in the text.
fn sound(raw: &str, allowed: Classes) -> Result<(), &'static str> {
    let rule = |holds: bool, name| if holds { Ok(()) } else { Err(name) };
    let (path, query) = raw.split_once('?').map_or((raw, None), |(p, q)| (p, Some(q)));
    rule(query != Some(""), "empty query")?;
    rule(raw.chars().all(|c| ('!'..='~').contains(&c) && c != '#'), "visible")?;
    rule(!path.contains(['\\', '"', '<', '>', '^', '`', '{', '|', '}']), "raw characters")?;
    let text = decode(path).ok_or("escapes")?;
    rule(!text.chars().any(|c| c.is_ascii_control()), "controls")?;
    for c in ('a'..='z').chain('A'..='Z').chain('0'..='9').chain("-._~".chars()) {
        rule(!path.contains(&format!("%{:02X}", u32::from(c))), "encoded unreserved")?;
    }
    for (class, construct) in [
        (Class::Semicolon, ";"),
        (Class::EncodedSlash, "%2F"),
        (Class::EncodedBackslash, "%5C"),
        (Class::EncodedPercent, "%25"),
        (Class::EncodedSemicolon, "%3B"),
        (Class::EncodedQuestion, "%3F"),
        (Class::EncodedHash, "%23"),
    ] {
        rule(allowed.contains(class) || !path.contains(construct), "opt-in construct")?;
    }
    rule(decode(&text).is_none_or(|twice| twice == text), "double encoding")?;
    let lower = text.to_lowercase();
    rule(!lower.contains("%2e") && !lower.contains("%2f"), "double encoding of dots, slashes")?;

    let split: Vec<&str> = text.split(['/', '\\', ';', '?', '#']).collect();
    let climbs = text
        .split(['/', '\\'])
        .any(|segment| [".", ".."].contains(&segment.split([';', '?', '#']).next().unwrap_or("")));
    rule(!climbs && split.first() == Some(&""), "dot segments")?;
    let slashes = text.replace('\\', "/");
    rule(!slashes.contains("//"), "empty segments")?;
    rule(!slashes.contains("/;"), "empty segments before parameters")?;
    let trailing = slashes.len() > 1 && slashes.ends_with('/');
    rule(allowed.contains(Class::TrailingSlash) || !trailing, "trailing slash")
}

/// A text in which nothing is wrong.
fn good() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        8 => "[a-zA-Z0-9_~!$&'()*+,=:@-]",
        1 => prop::sample::select(vec!["%20", "%22", "%21", "%40", "%C3%A9", "%F0%9F%94%91"])
            .prop_map(str::to_owned),
    ];
    let segment = prop::collection::vec(character, 1..8).prop_map(|characters| characters.concat());
    let path = prop::collection::vec(segment, 0..6).prop_map(|segments| segments.join("/"));
    (path, prop::option::of("[!-\"$-~]{1,20}")).prop_map(|(path, query)| match query {
        Some(query) => format!("/{path}?{query}"),
        None => format!("/{path}"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn what_is_accepted_breaks_no_rule(raw in hostile(), allowed in classes()) {
        if let Ok(target) = Target::parse(&raw, allowed) {
            prop_assert_eq!(sound(&raw, allowed), Ok(()));
            prop_assert_eq!(target.classes.first_outside(allowed), None);
            prop_assert_eq!(sound(&raw, target.classes), Ok(()), "classes are what was seen");
            prop_assert_eq!(Target::parse(&raw, target.classes), Ok(target));
        }
    }

    #[test]
    fn what_breaks_no_rule_is_accepted_without_classes(raw in hostile()) {
        prop_assert_eq!(
            Target::parse(&raw, Classes::NONE).is_ok(),
            sound(&raw, Classes::NONE).is_ok()
        );
    }

    #[test]
    fn good_targets_are_accepted_as_they_are(raw in good()) {
        let target = Target::parse(&raw, Classes::NONE).unwrap();
        let again = match target.query {
            Some(query) => format!("{}?{query}", target.path),
            None => target.path.to_owned(),
        };
        prop_assert_eq!(again, raw);
    }

    #[test]
    fn any_text_is_read_or_refused(raw in any::<String>()) {
        let _ = Target::parse(&raw, Classes::ALL);
    }
}
