//! `tests/products/*.json`: what each product asks of its keys, and the requests that show it.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

/// The cases of one product.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// What a reader should know of all of them.
    #[serde(rename = "note")]
    _note: Option<String>,
    /// What the product asks for, by short names.
    pub clauses: BTreeMap<String, String>,
    /// Who has tokens.
    pub people: BTreeMap<String, Person>,
    /// Texts that are made at random: `base64` of 32 bytes, or `ak_32`.
    #[serde(default)]
    pub texts: BTreeMap<String, String>,
    /// `PORTCULLIS_STATIC_KEYS` at first.
    #[serde(default)]
    pub environment: String,
    /// What is there before the first case.
    pub setup: Vec<Step>,
    pub cases: Vec<Case>,
}

/// Some steps, and the clauses that they show.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    pub shows: Vec<String>,
    /// What a reader would not see at once.
    #[serde(rename = "note")]
    _note: Option<String>,
    pub steps: Vec<Step>,
}

/// Somebody whose tokens an issuer signs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The issuer's name in the policy.
    pub issuer: String,
    pub sub: String,
    /// Of OAuth tokens.
    pub scope: Option<String>,
    /// What else its tokens say.
    #[serde(default)]
    pub claims: BTreeMap<String, Value>,
    /// Seconds that a token lasts; those of a negative number are over.
    #[serde(default = "five_minutes")]
    pub lasts: i64,
    /// Whether somebody else signs them.
    #[serde(default)]
    pub forged: bool,
}

/// One step. In its texts `{name}` stands for what was kept by that name or made, `{token PERSON}`, `{sha256 NAME}`,
/// and for times as the management API writes them `{in SECONDS}`, `{monday}`, `{monday after}`.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
pub enum Step {
    /// A request, or many.
    Ask(Box<Ask>),
    /// So many milliseconds.
    Wait(u64),
    /// The deployment changes, and its isolates are new.
    Deploy(Deploy),
    /// The clock of the Workspaces is another from now on.
    Clock(Clock),
    /// The receiver of webhooks gets this, signed.
    Alert(Alert),
}

/// How the clock of the Workspaces goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Clock {
    /// So many seconds ahead.
    Ahead(u64),
    /// It stands, so many milliseconds after a Monday begins in UTC, or before it.
    Stands { monday_ms: i64 },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Method and target.
    pub ask: String,
    /// `admin` for the admin host; without it the first of the policy's.
    pub host: Option<String>,
    /// Whose token is sent.
    #[serde(rename = "as")]
    pub person: Option<String>,
    /// What is sent as `Authorization: Bearer`.
    pub key: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The client's address.
    #[serde(default = "somewhere")]
    pub from: String,
    pub json: Option<Value>,
    pub text: Option<String>,
    /// Signs as version 1.
    pub sign: Option<Sign>,
    /// One after the other.
    #[serde(default = "once")]
    pub times: usize,
    /// As many at a time.
    #[serde(default = "once")]
    pub at_once: usize,
    /// For so long another answer is no failure, but a reason to ask again.
    #[serde(default)]
    pub within_ms: u64,
    /// Of each answer; or how many there are by status and code: `"429 RATE_LIMITED": 3`.
    pub status: Option<u16>,
    pub code: Option<String>,
    pub outcomes: Option<BTreeMap<String, usize>>,
    /// Headers of the answer; `null`: none of that name.
    #[serde(default)]
    pub has: BTreeMap<String, Value>,
    /// Members of the body by JSON pointer; `null`: none there.
    #[serde(default)]
    pub body: BTreeMap<String, Value>,
    /// What the origin sees of a request that gets there.
    pub origin: Option<Seen>,
    /// Whether the gate answers itself, though it refuses nothing.
    #[serde(default)]
    pub own: bool,
    /// Members of the body that later steps use.
    #[serde(default)]
    pub keep: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    pub secret: String,
    /// Seconds since.
    #[serde(default)]
    pub age: i64,
    /// Over another body than is sent.
    pub over: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The origin's name in the policy, if there are several.
    pub to: Option<String>,
    /// Headers; `null`: none of that name.
    #[serde(default)]
    pub headers: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deploy {
    /// Texts of the policy, each of which is there once, and others in their place.
    #[serde(default)]
    pub policy: BTreeMap<String, String>,
    pub environment: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    pub alert: String,
    pub secret: String,
    #[serde(default)]
    pub body: BTreeMap<String, Value>,
}

impl TryFrom<Value> for Step {
    type Error = anyhow::Error;

    fn try_from(value: Value) -> Result<Self> {
        let of = |name: &str| value.get(name).cloned();
        let number = |value: Value| value.as_u64().ok_or_else(|| anyhow!("{value}: no number"));
        if of("ask").is_some() {
            return Ok(Self::Ask(serde_json::from_value(value)?));
        }
        if of("alert").is_some() {
            return Ok(Self::Alert(serde_json::from_value(value)?));
        }
        ensure!(value.as_object().is_some_and(|members| members.len() == 1), "no step: {value}");
        match (of("wait_ms"), of("deploy"), of("clock")) {
            (Some(millis), ..) => Ok(Self::Wait(number(millis)?)),
            (_, Some(deploy), _) => Ok(Self::Deploy(serde_json::from_value(deploy)?)),
            (.., Some(clock)) => Ok(Self::Clock(serde_json::from_value(clock)?)),
            _ => bail!("no step: {value}"),
        }
    }
}

impl Product {
    /// That no clause is without a case, and no case without a clause.
    pub fn check(&self) -> Result<()> {
        for clause in self.clauses.keys() {
            let is_shown = self.cases.iter().any(|case| case.shows.contains(clause));
            ensure!(is_shown, "no case shows {clause}");
        }
        for Case { name, shows, .. } in &self.cases {
            ensure!(!shows.is_empty(), "{name} shows nothing");
            let unknown = shows.iter().find(|clause| !self.clauses.contains_key(*clause));
            ensure!(unknown.is_none(), "{name} shows {unknown:?}, which is no clause");
        }
        Ok(())
    }
}

const fn once() -> usize {
    1
}

const fn five_minutes() -> i64 {
    300
}

fn somewhere() -> String {
    "198.51.100.7".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_clause_has_a_case_and_a_case_has_clauses() {
        let check = |clauses: Value, shows: Value| {
            let case = json!({ "name": "a case", "shows": shows, "steps": [] });
            let product = json!({ "clauses": clauses, "people": {}, "setup": [], "cases": [case] });
            serde_json::from_value::<Product>(product).unwrap().check()
        };
        assert!(check(json!({ "a": "…" }), json!(["a"])).is_ok());
        assert!(check(json!({ "a": "…", "b": "…" }), json!(["a"])).is_err());
        assert!(check(json!({ "a": "…" }), json!(["a", "b"])).is_err());
        assert!(check(json!({}), json!([])).is_err());
    }

    #[test]
    fn a_step_is_what_it_says_and_no_more() {
        let step = |step: Value| serde_json::from_value::<Step>(step);
        assert!(matches!(step(json!({ "wait_ms": 5 })), Ok(Step::Wait(5))));
        assert!(matches!(step(json!({ "ask": "GET /", "status": 200 })), Ok(Step::Ask(_))));
        for wrong in [
            json!({}),
            json!({ "wait_ms": 5, "clock": 5 }),
            json!({ "ask": "GET /", "stauts": 200 }),
            json!({ "wait": 5 }),
            json!({ "clock": { "sunday_ms": 5 } }),
        ] {
            assert!(step(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
