//! A request, and what is to be told of it.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Bench, send};
use crate::vectors::WORKSPACE;

/// A request and what is to be told of it.
pub struct Case {
    method: &'static str,
    target: &'static str,
    headers: String,
    status: u16,
    told_method: &'static str,
    workspace: &'static str,
    route: &'static str,
    product: &'static str,
    outcome: &'static str,
    kind: &'static str,
    mode: &'static str,
    decided: &'static str,
    key: Option<&'static str>,
    coins: u32,
    would_deny: &'static str,
}

pub fn case(method: &'static str, target: &'static str, headers: &str, status: u16) -> Case {
    Case {
        method,
        target,
        headers: headers.to_owned(),
        status,
        told_method: method,
        workspace: "",
        route: "",
        product: "",
        outcome: "allow",
        kind: "",
        mode: "",
        decided: "warm",
        key: None,
        coins: 0,
        would_deny: "",
    }
}

impl Case {
    pub fn name(&self) -> String {
        format!("{} {} {}", self.method, self.target, self.headers)
    }

    pub fn method(self, told_method: &'static str) -> Self {
        Self { told_method, ..self }
    }

    pub fn route(self, route: &'static str) -> Self {
        Self { route, ..self }
    }

    pub fn product(self, product: &'static str) -> Self {
        Self { product, ..self }
    }

    pub fn outcome(self, outcome: &'static str) -> Self {
        Self { outcome, ..self }
    }

    pub fn kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// With a key of the world, that is proved.
    pub fn key(self, name: &'static str, mode: &'static str) -> Self {
        Self { key: Some(name), mode, workspace: WORKSPACE, kind: "service", ..self }
    }

    pub fn coins(self, coins: u32) -> Self {
        Self { coins, ..self }
    }

    pub fn tried(self, would_deny: &'static str) -> Self {
        Self { would_deny, ..self }
    }

    pub fn cold(self) -> Self {
        Self { decided: "cold", ..self }
    }

    pub fn check(&self, bench: &mut Bench) -> Result<()> {
        let reply = send(bench, self.method, self.target, &self.headers)?;
        ensure!(reply.status == self.status, "{} {}", reply.status, reply.text());
        let id = reply.header("x-request-id").context("no request id")?.to_owned();
        let server = bench.server.as_ref().context("no server")?;
        let (point, line) = bench.told.of(server, &id)?;
        let key = match self.key {
            Some("environment") => "env:worker".to_owned(),
            Some(name) => bench.world.fill(&format!("{{kid {name}}}"))?,
            None => String::new(),
        };
        let blobs = json!([
            self.outcome,
            self.told_method,
            self.route,
            self.product,
            self.kind,
            self.mode,
            self.decided,
            key,
            id,
            self.would_deny
        ]);
        ensure!(point["index"] == self.workspace, "{point}");
        ensure!(point["blobs"] == blobs, "{point}, not {blobs}");
        ensure!(point["doubles"][0] == f64::from(self.status), "{point}");
        ensure!(point["doubles"][1] == f64::from(self.coins), "{point}");
        let waited = |place: usize| point["doubles"][place].as_f64().unwrap_or(-1.0);
        let late = if self.status == 504 { 1500.0 } else { 0.0 };
        ensure!((late..5000.0).contains(&waited(3)), "{point}");
        ensure!((0.0..5000.0).contains(&waited(2)), "{point}");
        ensure!(self.decided == "cold" || waited(2) == 0.0, "a look-up of nothing: {point}");
        same(&point, &line)
    }
}

/// A line has the names of what a point has by places.
fn same(point: &Value, line: &Value) -> Result<()> {
    let texts = [
        "outcome",
        "workspace",
        "method",
        "route",
        "product",
        "kind",
        "mode",
        "decided",
        "key",
        "request_id",
        "would_deny",
    ];
    let numbers = ["status", "coins", "look_up_ms", "origin_ms"];
    let mut blobs: Vec<&Value> = point["blobs"].as_array().into_iter().flatten().collect();
    blobs.insert(1, &point["index"]);
    let mut expected = json!({ "event": "decision" });
    for (name, value) in texts.into_iter().zip(blobs) {
        expected[name] = value.clone();
    }
    for (place, name) in numbers.into_iter().enumerate() {
        expected[name] = point["doubles"][place].clone();
    }
    let whole = |value: &Value| {
        let mut value = value.clone();
        for name in numbers {
            value[name] = json!(value[name].as_f64());
        }
        value
    };
    ensure!(whole(line) == whole(&expected), "{line}, not {expected}");
    Ok(())
}
