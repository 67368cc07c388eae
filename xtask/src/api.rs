//! A client of the management API: the gate's port with the admin host's name, and a bearer token.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::http::{Reply, exchange};

/// Somebody who asks.
#[derive(Clone)]
pub struct Api {
    address: SocketAddr,
    host: String,
    bearer: Option<String>,
}

impl std::fmt::Debug for Api {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Api({} ..)", self.address)
    }
}

impl Api {
    /// Asks the gate at this address, with this bearer token (a JWT or an API key) if there is one.
    #[must_use]
    pub fn new(address: SocketAddr, bearer: Option<String>) -> Self {
        Self { address, host: HOST.to_owned(), bearer }
    }

    /// The same on another host.
    #[must_use]
    pub fn on_host(&self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self.clone() }
    }

    /// One request on a connection of its own, with a body of JSON or none.
    pub fn ask(&self, method: &str, target: &str, body: Option<&Value>) -> Result<Reply> {
        let body = body.map(Value::to_string).unwrap_or_default();
        self.send(method, target, &[], body.as_bytes())
    }

    /// One request with these headers and this body, whatever it is.
    pub fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Reply> {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.host);
        if let Some(bearer) = &self.bearer {
            head.push_str(&format!("Authorization: Bearer {bearer}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            head.push_str("Content-Type: application/json\r\n");
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        exchange(self.address, &[head.as_bytes(), body].concat(), TIMEOUT)
    }

    /// A request that has to succeed: the body of its answer.
    pub fn done(&self, method: &str, target: &str, body: Option<&Value>) -> Result<Value> {
        let reply = self.ask(method, target, body)?;
        let well = (200..300).contains(&reply.status);
        ensure!(well, "{method} {target}: {} {}", reply.status, reply.text());
        reply.json()
    }

    /// All items of a list that comes in pages.
    pub fn all(&self, target: &str, items: &str) -> Result<Vec<Value>> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.done("GET", &format!("{target}?limit=100{cursor}"), None)?;
            all.extend(page[items].as_array().with_context(|| format!("no {items}"))?.clone());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(all),
            }
        }
    }
}

/// The `admin_host` of policy.toml and of the policies of tests.
pub const HOST: &str = "portcullis.localhost";
const TIMEOUT: Duration = Duration::from_secs(20);
