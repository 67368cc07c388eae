//! An explanation as text and as JSON.

use serde_json::{Value, json};

use super::{Check, Explanation, Step, Verdict};

impl Explanation<'_> {
    /// What is missing for a verdict, if anything is.
    #[must_use]
    pub fn missing(&self) -> Option<&'static str> {
        let open = self.steps.iter().find(|step| step.verdict == Verdict::Open).map(missing);
        open.or(self.is_managed.then_some("the management API answers, and asks who it is itself"))
    }

    /// Whether every check was made and passed.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.refused.is_none() && self.missing().is_none()
    }

    /// What becomes of the request, in a line.
    #[must_use]
    pub fn verdict(&self) -> String {
        match (&self.refused, self.missing()) {
            (Some(wire), _) => format!("refused: {} {}: {}", wire.status, wire.code, wire.message),
            (None, Some(missing)) => format!("open: {missing}"),
            (None, None) => "allowed".to_owned(),
        }
    }

    /// A line for each rule on trial that would refuse it.
    #[must_use]
    pub fn trials(&self) -> Vec<String> {
        let tried = self.would_deny.iter();
        tried
            .map(|wire| {
                format!("on trial: would be {} {}: {}", wire.status, wire.code, wire.message)
            })
            .collect()
    }

    /// All of it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let refused = self.refused.as_ref();
        json!({
            "route": self.route.map(|route| json!({
                "methods": route.methods.to_string(), "path": route.path.as_str(),
            })),
            "checks": self.steps.iter().map(|step| json!({
                "check": step.check.as_str(),
                "verdict": step.verdict.as_str(),
                "detail": step.detail,
            })).collect::<Vec<Value>>(),
            "verdict": match (refused, self.missing()) {
                (Some(_), _) => "refused",
                (None, Some(_)) => "open",
                (None, None) => "allowed",
            },
            "status": refused.map(|wire| wire.status),
            "code": refused.map(|wire| wire.code),
            "message": refused.map(|wire| wire.message.clone()),
            "missing": self.missing().filter(|_| refused.is_none()),
            "would_deny": self.would_deny.iter().map(|wire| wire.code).collect::<Vec<_>>(),
        })
    }
}

/// What is missing for a verdict.
fn missing(step: &Step) -> &'static str {
    let own = MISSING.iter().find(|(check, _)| *check == step.check);
    own.map_or("the key's record is not at hand; give its record or its rows", |(_, text)| text)
}

const MISSING: [(Check, &str); 3] = [
    (Check::Leave, "its Workspace knows what is left"),
    (Check::Kind, "the issuer's keys are not at hand, by which a token is verified"),
    (Check::Signature, "the body is not at hand, which is signed too"),
];
