//! The route table against a linear search through the texts of the patterns.

use portcullis::route::{Entry, Lookup, Method, Methods, Pattern, RouteTable};
use proptest::prelude::*;

/// One name for each depth, so that the tables have few conflicts.
fn pattern() -> impl Strategy<Value = String> {
    let kind = prop_oneof![4 => Just("a"), 4 => Just("b"), 1 => Just("!"), 4 => Just("{"), 1 => Just("{*")];
    prop::collection::vec(kind, 0..5).prop_map(|kinds| {
        let mut text = String::new();
        for (depth, kind) in kinds.into_iter().enumerate() {
            match kind {
                "{" => text.push_str(&format!("/{{p{depth}}}")),
                "{*" => {
                    text.push_str(&format!("/{{*t{depth}}}"));
                    break;
                }
                literal => text.push_str(&format!("/{literal}")),
            }
        }
        if text.is_empty() { "/".to_owned() } else { text }
    })
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![Just("a"), Just("b"), Just("!"), Just("%21"), Just("c"), Just("%20")];
    prop::collection::vec(segment, 0..6).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![Just(Method::Get), Just(Method::Head), Just(Method::Post)]
}

fn segments(text: &str) -> Vec<&str> {
    text.split('/').filter(|segment| !segment.is_empty()).collect()
}

type Captures = Vec<(String, String)>;

/// How specific a match is, greater for more: for each segment 2 for a literal, 1 for a parameter,
/// 0 for the tail; and what the parameters matched.
fn naive(pattern: &str, path: &str) -> Option<(Vec<u8>, Captures)> {
    let (pattern, path) = (segments(pattern), segments(path));
    let (mut rank, mut params) = (Vec::new(), Vec::new());
    for (depth, part) in pattern.iter().enumerate() {
        let segment = path.get(depth)?;
        if let Some(name) = part.strip_prefix("{*") {
            rank.push(0);
            params.push((name.trim_end_matches('}').to_owned(), path[depth..].join("/")));
            return Some((rank, params));
        }
        if let Some(name) = part.strip_prefix('{') {
            rank.push(1);
            params.push((name.trim_end_matches('}').to_owned(), (*segment).to_owned()));
        } else if part.replace("%21", "!") == segment.replace("%21", "!") {
            rank.push(2);
        } else {
            return None;
        }
    }
    (pattern.len() == path.len()).then_some((rank, params))
}

fn entry((pattern, methods): &(Pattern, Methods)) -> Entry<'_> {
    Entry { pattern, methods: *methods, hosts: &[] }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn finds_what_a_linear_search_finds(
        texts in prop::collection::vec((pattern(), method()), 0..10),
        path in path(),
        method in method(),
    ) {
        let mut routes: Vec<(Pattern, Methods)> = Vec::new();
        for (text, method) in texts {
            let mut next = routes.clone();
            next.push((Pattern::parse(&text).unwrap(), Methods::of(method)));
            if RouteTable::new(1, next.iter().map(entry)).is_ok() {
                routes = next;
            }
        }
        let table = RouteTable::new(1, routes.iter().map(entry)).unwrap();

        let matches: Vec<_> = routes
            .iter()
            .enumerate()
            .filter_map(|(index, (pattern, methods))| {
                let (rank, params) = naive(pattern.as_str(), &path)?;
                Some((rank, params, index, *methods))
            })
            .collect();
        let best = matches.iter().map(|(rank, ..)| rank).max();
        let best: Vec<_> = matches.iter().filter(|(rank, ..)| Some(rank) == best).collect();

        match table.find(0, &path, method) {
            Lookup::Found { route, params } => {
                let (_, expected, ..) = best
                    .iter()
                    .find(|(_, _, index, methods)| *index == route && methods.contains(method))
                    .unwrap();
                let params: Vec<_> =
                    params.iter().map(|(name, raw)| (name.to_owned(), raw.to_owned())).collect();
                prop_assert_eq!(&params, expected);
            }
            Lookup::WrongMethod(allow) => {
                let methods = best.iter().map(|(.., methods)| *methods).reduce(Methods::union);
                prop_assert_eq!(Some(allow), methods);
                prop_assert!(!allow.contains(method));
            }
            Lookup::NotFound => prop_assert!(best.is_empty()),
        }
    }
}
