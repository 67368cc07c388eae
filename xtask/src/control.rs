//! A client of the control service (`xtask/workerd/control.mjs`): KV rows, counts, faults.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use data_encoding::BASE64;
use portcullis::workspace::call::{Answer, Call};
use serde_json::{Value, json};

use crate::http::{Reply, request};

/// The control service of one workerd.
#[derive(Debug, Clone, Copy)]
pub struct Control {
    address: SocketAddr,
}

impl Control {
    /// The control service at this address.
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Stores rows, as many transactions as it takes; nothing is counted and no fault applies.
    pub fn put_rows(&self, rows: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<()> {
        let mut batch = String::new();
        for (key, value) in rows {
            batch.push_str(&json!({ "key": key, "value": BASE64.encode(&value) }).to_string());
            batch.push('\n');
            if batch.len() > BATCH {
                self.call("POST", "/kv", batch.as_bytes())?;
                batch.clear();
            }
        }
        if !batch.is_empty() {
            self.call("POST", "/kv", batch.as_bytes())?;
        }
        Ok(())
    }

    /// How often KV (and, with `--chaos`, the origin) was asked since the last reset.
    pub fn counts(&self) -> Result<Value> {
        self.call("GET", "/counts?keys=1", b"")?.json()
    }

    /// Sets all counts to 0.
    pub fn reset_counts(&self) -> Result<()> {
        self.call("POST", "/counts/reset", b"").map(drop)
    }

    /// Sets faults: `{"kv": …, "origin": …}`.
    pub fn set_faults(&self, faults: &Value) -> Result<()> {
        self.call("PUT", "/faults", faults.to_string().as_bytes()).map(drop)
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) -> Result<()> {
        self.call("DELETE", "/faults", b"").map(drop)
    }

    /// A row, if it is there.
    pub fn row(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let reply = request(self.address, "GET", &format!("/kv/{key}"), &[], b"", TIMEOUT)?;
        Ok((reply.status == 200).then_some(reply.body))
    }

    /// Removes a row.
    pub fn delete_row(&self, key: &str) -> Result<()> {
        self.call("DELETE", &format!("/kv/{key}"), b"").map(drop)
    }

    /// Makes a call to a Workspace; its answer. `wait` until a change is in effect everywhere.
    pub fn workspace(&self, number: &str, call: &Call, wait: bool) -> Result<Answer> {
        let query = if wait { "?wait=1" } else { "" };
        let reply = self.workspace_text(&format!("{number}{query}"), &call.print())?;
        Answer::parse(&reply).ok().with_context(|| format!("no answer of a Workspace: {reply}"))
    }

    /// Sends a Workspace any text; what it answers.
    pub fn workspace_text(&self, number: &str, text: &str) -> Result<String> {
        Ok(self.call("POST", &format!("/workspace/{number}"), text.as_bytes())?.text())
    }

    /// What a Workspace was asked since the last reset.
    pub fn workspace_counts(&self, number: &str) -> Result<Value> {
        self.call("GET", &format!("/workspace/{number}/counts"), b"")?.json()
    }

    /// Sets them to 0.
    pub fn reset_workspace_counts(&self, number: &str) -> Result<()> {
        self.call("POST", &format!("/workspace/{number}/counts/reset"), b"").map(drop)
    }

    /// Sets a Workspace's faults.
    pub fn set_workspace_faults(&self, number: &str, faults: &Value) -> Result<()> {
        let target = format!("/workspace/{number}/faults");
        self.call("PUT", &target, faults.to_string().as_bytes()).map(drop)
    }

    /// Takes a Workspace's alarm away.
    pub fn forget_alarm(&self, number: &str) -> Result<()> {
        self.call("DELETE", &format!("/workspace/{number}/alarm"), b"").map(drop)
    }

    /// All rows of a Workspace: names and values.
    pub fn workspace_rows(&self, number: &str) -> Result<Value> {
        self.call("GET", &format!("/workspace/{number}/rows"), b"")?.json()
    }

    /// How many tables a Workspace has: none if nothing was ever written.
    pub fn workspace_tables(&self, number: &str) -> Result<Value> {
        self.call("GET", &format!("/workspace/{number}/tables"), b"")?.json()
    }

    /// Takes the points that gates have written: index, blobs and doubles of each.
    pub fn points(&self) -> Result<Value> {
        self.call("GET", "/points", b"")?.json()
    }

    /// A request of the Worker that holds the Workspaces, whatever it answers.
    pub fn authority(&self, method: &str, path: &str, accept: &str) -> Result<Reply> {
        let target = format!("/authority{path}");
        request(self.address, method, &target, &[("Accept", accept)], b"", TIMEOUT)
    }

    fn call(&self, method: &str, target: &str, body: &[u8]) -> Result<Reply> {
        let reply = request(self.address, method, target, &[], body, TIMEOUT)?;
        if reply.status != 200 {
            bail!("control: {method} {target}: {} {}", reply.status, reply.text());
        }
        Ok(reply)
    }
}

/// Bytes of JSON after which a batch is sent.
const BATCH: usize = 4 << 20;
const TIMEOUT: Duration = Duration::from_secs(60);
