//! Runs the language-neutral cases of this directory. A mismatch panics with the case's id.

mod decisions;
mod signatures;

use std::fmt::Debug;

use portcullis::address::{Allowlist, ClientAddress};
use portcullis::host::same_host;
use portcullis::route::{Entry, Lookup, Method, Methods, Pattern, RouteTable};
use portcullis::scope::{Grants, Scope};
use portcullis::target::{Classes, Target};
use serde_json::{Map, Value, json};

#[cfg(not(target_arch = "wasm32"))]
pub use decisions::{DECISIONS, snake_case};
pub use decisions::{decisions, facts_of, gate, world};
pub use signatures::signatures;

/// `target.json`: what a target is read as, or the rule it breaks.
pub fn target() {
    for case in cases(&parse(include_str!("target.json"))) {
        let allowed = match case.get("allowed") {
            None => Classes::NONE,
            Some(Value::String(all)) if all == "all" => Classes::ALL,
            Some(list) => serde_json::from_value(list.clone()).unwrap(),
        };
        let actual = match Target::parse(text(case, "input"), allowed) {
            Ok(Target { raw, path, query, classes }) => {
                check(case, raw, text(case, "input"));
                json!({"path": path, "query": query, "classes": classes})
            }
            Err(reason) => json!({"refused": reason.name()}),
        };
        check(case, &actual, &case["expect"]);
    }
}

/// `host.json`: whether an authority names a host.
pub fn host() {
    for case in cases(&parse(include_str!("host.json"))) {
        let actual = same_host(text(case, "authority"), text(case, "host"));
        check(case, json!(actual), case["expect"].clone());
    }
}

/// `address.json`: addresses, allowlists, and which list holds which address.
pub fn address() {
    let file = parse(include_str!("address.json"));
    for case in cases(&file["addresses"]) {
        let actual = ClientAddress::parse(text(case, "input")).map(|address| address.to_string());
        check(case, json!(actual), case["expect"].clone());
    }
    for case in cases(&file["lists"]) {
        let actual = Allowlist::parse(texts(case, "input")).ok();
        check(case, json!(actual), case["expect"].clone());
    }
    for case in cases(&file["contains"]) {
        let list = Allowlist::parse(texts(case, "list")).unwrap();
        let address = ClientAddress::parse(text(case, "address")).unwrap();
        check(case, json!(list.contains(address)), case["expect"].clone());
    }
}

/// `scope.json`: scopes, grants, and which grants cover what.
pub fn scope() {
    let file = parse(include_str!("scope.json"));
    for case in cases(&file["scopes"]) {
        check(case, json!(Scope::parse(text(case, "input")).is_ok()), case["expect"].clone());
    }
    for case in cases(&file["grants"]) {
        let actual = Grants::parse(texts(case, "input")).ok().map(|grants| grants.to_string());
        check(case, json!(actual), case["expect"].clone());
    }
    for case in cases(&file["allow"]) {
        let grants = Grants::parse(texts(case, "grants")).unwrap();
        let scope = Scope::parse(text(case, "scope")).unwrap();
        check(case, json!(grants.allow(&scope)), case["expect"].clone());
    }
    for case in cases(&file["subset"]) {
        let [inner, outer] = ["inner", "outer"].map(|key| Grants::parse(texts(case, key)).unwrap());
        check(case, json!(inner.subset_of(&outer)), case["expect"].clone());
    }
}

/// `route.json`: tables, each with the look-ups in it.
pub fn route() {
    for group in cases(&parse(include_str!("route.json"))) {
        let routes: Vec<(Pattern, Methods)> = group["routes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| {
                let methods = pair[0].as_str().unwrap().split(',').map(method).map(Methods::of);
                let pattern = Pattern::parse(pair[1].as_str().unwrap()).unwrap();
                (pattern, methods.reduce(Methods::union).unwrap())
            })
            .collect();
        let table = RouteTable::new(1, routes.iter().map(entry)).unwrap();
        for case in cases(&group["cases"]) {
            let actual = match table.find(0, text(case, "path"), method(text(case, "method"))) {
                Lookup::Found { route, params } => {
                    let params: Map<String, Value> =
                        params.iter().map(|(name, raw)| (name.into(), raw.into())).collect();
                    json!({"route": route, "params": params})
                }
                Lookup::WrongMethod(methods) => json!({"allow": methods.to_string()}),
                Lookup::NotFound => Value::Null,
            };
            check(case, &actual, &case["expect"]);
        }
    }
}

fn entry((pattern, methods): &(Pattern, Methods)) -> Entry<'_> {
    Entry { pattern, methods: *methods, hosts: &[] }
}

fn method(text: &str) -> Method {
    Method::parse(text).unwrap()
}

pub fn parse(file: &str) -> Value {
    serde_json::from_str(file).unwrap()
}

/// The cases of a list, which has at least one.
pub fn cases(list: &Value) -> &[Value] {
    let cases = list.as_array().unwrap();
    assert!(!cases.is_empty());
    cases
}

pub fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{case}: {key}"))
}

fn texts<'a>(case: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    case[key].as_array().unwrap().iter().map(|item| item.as_str().unwrap())
}

#[track_caller]
fn check<T: PartialEq + Debug>(case: &Value, actual: T, expected: T) {
    assert_eq!(actual, expected, "case {}", case["id"]);
}
