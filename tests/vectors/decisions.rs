//! `decisions.json`: what becomes of a request in the world of `world.json`.

use portcullis::answer::{self, Answer};
use portcullis::clock::Now;
use portcullis::cors;
use portcullis::decide::{Decision, decide};
use portcullis::denial::{Denial, Fault, Wire};
use portcullis::forward;
use portcullis::gate::Gate;
use portcullis::memory::Memory;
use portcullis::need::Need;
use portcullis::policy::Policy;
use portcullis::request::Request;
use portcullis::ticket::Ticket;
use serde_json::Value;

use super::{cases, parse, text};

/// Runs every case in a memory of its own.
pub fn decisions() {
    let world = world();
    let gate = gate(&world);
    for case in cases(&parse(DECISIONS)) {
        let mut isolate = Isolate { world: &world, gate: &gate, memory: Memory::default() };
        let now = case["now"].as_u64().or(world["now"].as_u64()).unwrap();
        let now = Now::from_millis(now * 1000);
        for earlier in case["before"].as_array().into_iter().flatten() {
            isolate.run(&facts(&world, earlier), now);
        }
        let facts = match case["facts"].as_str() {
            Some(facts) => facts.to_owned(),
            None => facts(&world, &case["request"]),
        };
        for _ in 0..case["repeat"].as_u64().unwrap_or(0) {
            let outcome = isolate.run(&facts, now);
            assert!(outcome.plan.is_some(), "case {}: an earlier request is refused", case["id"]);
        }
        let asked_before = case["repeat"].is_u64() || case["before"].is_array();
        let outcome = isolate.run(&facts, now);
        check(case, &world, &outcome, asked_before);
    }
}

/// The cases, for what is checked of them as a whole.
pub const DECISIONS: &str = include_str!("decisions.json");

/// The world, parsed.
pub fn world() -> Value {
    parse(include_str!("world.json"))
}

/// The world's gate.
pub fn gate(world: &Value) -> Gate {
    let policy = Policy::from_json(&world["policy"].to_string()).unwrap();
    Gate::new(policy, text(world, "root"), text(world, "static_keys"), 0).unwrap()
}

struct Isolate<'w> {
    world: &'w Value,
    gate: &'w Gate,
    memory: Memory,
}

/// What came out.
struct Outcome {
    status: u16,
    code: &'static str,
    reason: String,
    headers: Vec<(String, String)>,
    lookups: Vec<String>,
    plan: Option<String>,
    admin: bool,
}

impl Outcome {
    fn of(wire: Wire, reason: String) -> Self {
        let retry_after = wire.retry_after.map(|seconds| seconds.to_string());
        let headers = [
            ("www-authenticate", wire.challenge),
            ("allow", wire.allow),
            ("retry-after", retry_after),
        ];
        let headers =
            headers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Self {
            status: wire.status,
            code: wire.code,
            reason,
            headers: headers.collect(),
            ..Self::none()
        }
    }

    fn none() -> Self {
        Self {
            status: 200,
            code: "",
            reason: String::new(),
            headers: Vec::new(),
            lookups: Vec::new(),
            plan: None,
            admin: false,
        }
    }
}

impl Isolate<'_> {
    /// Decides as the Worker does: from memory, else from KV.
    fn run(&mut self, facts: &str, now: Now) -> Outcome {
        let Some(request) = Request::parse(facts) else {
            return Outcome::of(Denial::Unreadable.wire(), reason(&Denial::Unreadable));
        };
        let mut lookups = Vec::new();
        let mut ticket = Ticket::default();
        loop {
            let outcome = match decide(&request, self.gate, &mut self.memory, &mut ticket, now) {
                Decision::Allow(grant) => {
                    let plan = forward::plan(&request, &grant, self.gate, REQUEST_ID, None, now);
                    let dropped = 4 + forward::OWN.len() + forward::TOLD.len();
                    let behind = plan.lines().skip(dropped).skip_while(|name| !name.is_empty());
                    let headers = pairs(behind.skip(1));
                    Outcome { plan: Some(plan), headers, ..Outcome::none() }
                }
                Decision::Deny(denial) => Outcome::of(denial.wire(), reason(&denial)),
                Decision::Admin => Outcome { admin: true, ..Outcome::none() },
                Decision::Usage(url) => Outcome { reason: url, ..Outcome::none() },
                Decision::Preflight(granted) => {
                    let Answer { status, headers, .. } = answer::preflight(&granted, REQUEST_ID);
                    Outcome { status, headers: pairs(headers.lines()), ..Outcome::none() }
                }
                Decision::Fault(fault) => Outcome::of(fault.wire(0), format!("{fault:?}")),
                Decision::Need(Need::Workspace(ask)) => {
                    panic!("a world without Workspaces: {ask:?}")
                }
                Decision::Need(Need::Body(_)) => panic!("nobody signs here"),
                Decision::Need(Need::KeySet { .. } | Need::Signature) => {
                    panic!("no issuer has published its keys")
                }
                Decision::Need(Need::Kv(need)) => {
                    let name = need.kv_name();
                    let value = self.world["kv"][&name].as_str().map(str::as_bytes);
                    assert!(lookups.len() < 8, "asks for ever: {lookups:?}");
                    lookups.push(name);
                    match need.learn(value, self.gate, &mut self.memory, now) {
                        Ok(()) => continue,
                        Err(unusable) => Outcome::of(
                            Fault::RecordUnusable.wire(0),
                            format!("record/{}", snake_case(&format!("{unusable:?}"))),
                        ),
                    }
                }
            };
            let mut outcome = Outcome { lookups, ..outcome };
            if outcome.status >= 400 {
                let pages = cors::leave_of_answer(&request, self.gate.policy());
                outcome.headers.extend(pairs(pages.lines()));
            }
            return outcome;
        }
    }
}

/// Names and values, in turn.
fn pairs<'a>(mut lines: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    std::iter::from_fn(|| Some((lines.next()?.to_owned(), lines.next()?.to_owned()))).collect()
}

fn check(case: &Value, world: &Value, outcome: &Outcome, asked_before: bool) {
    let (id, expect) = (&case["id"], &case["expect"]);
    let admin = expect["admin"].as_bool().unwrap_or(false);
    assert_eq!(outcome.admin, admin, "case {id}: admin");
    if admin {
        // Its answer is the adapter's: checked over HTTP.
        return;
    }
    let reason = expect["reason"].as_str().unwrap_or_default();
    assert_eq!(outcome.reason, reason, "case {id}: reason");
    assert_eq!(outcome.status, expect["status"].as_u64().unwrap() as u16, "case {id}: status");
    assert_eq!(outcome.code, expect["code"].as_str().unwrap_or_default(), "case {id}: code");
    if !asked_before {
        let name = |row: &Value| text(&world["rows"], row.as_str().unwrap()).to_owned();
        let expected: Vec<_> =
            expect["lookups"].as_array().into_iter().flatten().map(name).collect();
        assert_eq!(outcome.lookups, expected, "case {id}: look-ups");
    }
    for (name, part) in expect["headers"].as_object().into_iter().flatten() {
        let value = outcome.headers.iter().find(|(own, _)| own == name);
        let value = value.unwrap_or_else(|| panic!("case {id}: no {name}"));
        assert!(value.1.contains(part.as_str().unwrap()), "case {id}: {name}: {}", value.1);
    }
    for name in expect["absent"].as_array().into_iter().flatten() {
        let is_there = outcome.headers.iter().any(|(own, _)| own == name.as_str().unwrap());
        assert!(!is_there, "case {id}: {name}");
    }
    match (&outcome.plan, expect["forward"].is_object()) {
        (Some(plan), true) => check_plan(case, world, plan),
        (None, false) => {}
        (plan, _) => panic!("case {id}: forwarded: {}", plan.is_some()),
    }
}

/// Reads the lines of [`forward::plan`].
fn check_plan(case: &Value, world: &Value, plan: &str) {
    let (id, expect) = (&case["id"], &case["expect"]["forward"]);
    let lines: Vec<_> = plan.split('\n').collect();
    let [binding, url, millis, flags, rest @ ..] = &lines[..] else { panic!("case {id}: {plan}") };
    let expected = expect["millis"].as_u64().unwrap_or(1500);
    assert_eq!(millis.parse(), Ok(expected), "case {id}: milliseconds");
    let (values, dropped) = rest.split_at(forward::OWN.len());
    let pairs: Vec<_> = forward::OWN
        .into_iter()
        .zip(values.iter().copied())
        .filter(|pair| !pair.1.is_empty())
        .collect();
    assert_eq!(values[0], REQUEST_ID, "case {id}");
    match text(expect, "origin") {
        "near" => assert_eq!((*binding, *url), ("ORIGIN", ""), "case {id}"),
        _ => {
            let target = text(&case["request"], "target");
            assert_eq!((*binding, *url), ("", &*format!("http://far.test{target}")), "case {id}");
        }
    }
    let keyed = pairs.iter().any(|(name, _)| *name == "x-portcullis-key");
    assert_eq!(flags.contains('k'), keyed, "case {id}: flags {flags}");
    for (name, value) in expect["set"].as_object().into_iter().flatten() {
        let value = fill(world, value.as_str().unwrap());
        assert!(pairs.contains(&(name.as_str(), &value)), "case {id}: {name}: {value}: {pairs:?}");
    }
    let is_dropped = |name: &Value| dropped.contains(&name.as_str().unwrap());
    for name in expect["dropped"].as_array().into_iter().flatten() {
        assert!(is_dropped(name), "case {id}: {name} is forwarded");
    }
    for name in expect["kept"].as_array().into_iter().flatten() {
        assert!(!is_dropped(name), "case {id}: {name} is dropped");
    }
}

/// The adapter's text of a case's request.
fn facts(world: &Value, request: &Value) -> String {
    facts_of(request, "http", false, |text| fill(world, text))
}

/// The adapter's text of a request whose target and values are to be filled in.
pub fn facts_of(
    request: &Value,
    scheme: &str,
    has_body: bool,
    fill: impl Fn(&str) -> String,
) -> String {
    let (method, host) = (text(request, "method"), text(request, "host"));
    let target = fill(text(request, "target"));
    let mut headers = vec![("host".to_owned(), host.to_owned())];
    for pair in request["headers"].as_array().unwrap() {
        let name = pair[0].as_str().unwrap().to_lowercase();
        let value = fill(pair[1].as_str().unwrap()).trim_matches([' ', '\t']).to_owned();
        match headers.iter_mut().find(|(own, _)| *own == name) {
            Some((_, joined)) => *joined = format!("{joined}, {value}"),
            None => headers.push((name, value)),
        }
    }
    let body = if has_body { " body" } else { "" };
    let mut facts = format!("{method}{body}\n{scheme}://{host}{target}");
    for (name, value) in headers {
        facts = format!("{facts}\n{name}\n{value}");
    }
    facts
}

/// Puts keys and kids in the place of `{key name}` and `{kid name}`.
fn fill(world: &Value, text: &str) -> String {
    let mut filled = text.to_owned();
    for (name, key) in world["keys"].as_object().unwrap() {
        let key = key.as_str().unwrap();
        filled = filled.replace(&format!("{{key {name}}}"), key);
        if let Some(kid) = key.rsplit('_').nth(1) {
            filled = filled.replace(&format!("{{kid {name}}}"), kid);
        }
    }
    assert!(!filled.contains("{key") && !filled.contains("{kid"), "{filled}");
    filled
}

/// A denial's name in the cases: that of its variant, and of what is in it.
fn reason(denial: &Denial) -> String {
    let debug = format!("{denial:?}");
    let variant = snake_case(debug.split(['(', ' ']).next().unwrap());
    if let Denial::Target(reason) = denial {
        format!("{variant}/{}", reason.name())
    } else if let Denial::Invalid(reason) = denial {
        format!("{variant}/{}", snake_case(&format!("{reason:?}")))
    } else {
        variant
    }
}

/// `KeyInUrl` as `key_in_url`.
pub fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

const REQUEST_ID: &str = "00112233445566778899aabbccddeeff";
