//! What one isolate of workerd holds in memory, by V8's inspector.
//!
//! A few messages of the Chrome DevTools protocol over a WebSocket (RFC 6455), text frames alone.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::site::TIMEOUT;
use crate::http;

/// A session with the isolate of one Worker.
pub(super) struct Inspector {
    stream: TcpStream,
    calls: u64,
    /// The isolate's global context, once it is enabled.
    context: Option<i64>,
}

/// Bytes that an isolate holds once its garbage is collected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    /// As [`Inspector::heap`].
    pub(super) heap: u64,
    /// Linear memory of WebAssembly; it never shrinks.
    pub(super) wasm: u64,
}

impl Inspector {
    /// Connects to the isolate of this service.
    pub(super) fn open(address: SocketAddr, service: &str) -> Result<Self> {
        let list = http::request(address, "GET", "/json", &[], b"", TIMEOUT)?.json()?;
        let targets = list.as_array().context("no list of isolates")?;
        let target = targets.iter().find(|target| target["id"] == service);
        let target = target.with_context(|| format!("no isolate {service}: {list}"))?;
        let url = target["webSocketDebuggerUrl"].as_str().context("no socket")?;
        let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        let path = path.context("no path")?.1;
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let upgrade = format!(
            "GET /{path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(upgrade.as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).context("the inspector closed")?;
            head.push(byte[0]);
        }
        ensure!(
            head.starts_with(b"HTTP/1.1 101"),
            "the inspector refused: {}",
            String::from_utf8_lossy(&head)
        );
        Ok(Self { stream, calls: 0, context: None })
    }

    /// JavaScript objects, what they own outside the heap, and their buffers; garbage included.
    pub(super) fn heap(&mut self) -> Result<u64> {
        let usage = self.call("Runtime.getHeapUsage", json!({}))?;
        let part = |name: &str| usage[name].as_f64().with_context(|| format!("no {name}"));
        let parts = ["usedSize", "embedderHeapUsedSize", "backingStorageSize"].map(part);
        Ok(parts.into_iter().sum::<Result<f64>>()? as u64)
    }

    /// Collects the garbage; what is left.
    pub(super) fn held(&mut self) -> Result<Held> {
        self.call("Runtime.enable", json!({}))?;
        let context = self.context.context("no context")?;
        // Every memory there is, by its prototype: the module's own is in no global variable.
        // To find them V8 collects all garbage.
        let prototype = self.call(
            "Runtime.evaluate",
            json!({ "expression": "WebAssembly.Memory.prototype", "contextId": context }),
        )?;
        let prototype = &prototype["result"]["objectId"];
        let found = self.call("Runtime.queryObjects", json!({ "prototypeObjectId": prototype }))?;
        let memories = &found["objects"]["objectId"];
        let sum = "function() { return this.reduce((sum, m) => sum + m.buffer.byteLength, 0) }";
        let sum = self.call(
            "Runtime.callFunctionOn",
            json!({ "objectId": memories, "functionDeclaration": sum, "returnByValue": true }),
        )?;
        let wasm = sum["result"]["value"].as_f64().context("no byteLength")? as u64;
        self.call("Runtime.disable", json!({}))?;
        ensure!(wasm > 0, "no WebAssembly memory was found");
        Ok(Held { heap: self.heap()?, wasm })
    }

    fn call(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.calls += 1;
        let id = self.calls;
        let text = json!({ "id": id, "method": method, "params": parameters }).to_string();
        self.send(text.as_bytes())?;
        loop {
            let message: Value = serde_json::from_slice(&self.receive()?)?;
            if message["method"] == "Runtime.executionContextCreated" {
                self.context = message["params"]["context"]["id"].as_i64();
            }
            if message["id"] == id {
                ensure!(message.get("error").is_none(), "{method}: {}", message["error"]);
                return Ok(message["result"].clone());
            }
        }
    }

    /// A whole text frame, masked by zeros as a client's must be by something.
    fn send(&mut self, text: &[u8]) -> Result<()> {
        let length = u16::try_from(text.len()).context("too long a message")?;
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend_from_slice(text);
        self.stream.write_all(&frame).context("cannot send")
    }

    fn receive(&mut self) -> Result<Vec<u8>> {
        let mut message = Vec::new();
        loop {
            let [head, length] = self.take::<2>()?;
            let length = match length {
                126 => u64::from(u16::from_be_bytes(self.take()?)),
                127 => u64::from_be_bytes(self.take()?),
                length => u64::from(length),
            };
            let from = message.len();
            message.resize(from + usize::try_from(length)?, 0);
            self.stream.read_exact(&mut message[from..])?;
            match head & 0x0F {
                0 | 1 if head & 0x80 != 0 => return Ok(message),
                0 | 1 => {}
                8 => bail!("the inspector closed"),
                _ => message.truncate(from),
            }
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).context("the inspector closed")?;
        Ok(bytes)
    }
}
