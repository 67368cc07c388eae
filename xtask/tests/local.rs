//! The local KV, control service and origins, as a Worker sees them through workerd's bindings.
//!
//! Needs the npm packages: `cargo xtask test` sees to that.
//!
//! The gate here is a few lines of JavaScript that run one operation per request.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by them")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xtask::checkout::Checkout;
use xtask::http::{Reply, request};
use xtask::tools;
use xtask::workerd::{Options, Server, State};

/// Runs `(env, request) => …`, the request's body, and answers the outcome as JSON.
const GATE: &str = r#"
import { DurableObject } from "cloudflare:workers";
const run = {
  get: (env, a) => env.KEYS.getWithMetadata(a.key, { cacheTtl: 60 }),
  many: async (env, a) => Object.fromEntries(await env.KEYS.get(a.keys)),
  put: (env, a) => env.KEYS.put(a.key, a.value, a.options),
  delete: (env, a) => env.KEYS.delete(a.key),
  list: (env, a) => env.KEYS.list(a.options),
  bindings: (env) => ({ root: env.PORTCULLIS_ROOT, keys: env.PORTCULLIS_STATIC_KEYS }),
  origin: async (env, a) => {
    const init = { method: a.method ?? "GET", headers: a.headers, body: a.body, redirect: "manual" };
    const answer = await (a.global ? fetch : env.ORIGIN.fetch.bind(env.ORIGIN))(a.url, init);
    return { status: answer.status, location: answer.headers.get("location"), text: await answer.text() };
  },
};
export class Workspace extends DurableObject {
  answer(text) {
    return "heard " + text;
  }
  async fetch(request) {
    return new Response(await this.answer(await request.text()));
  }
}
export class Directory extends DurableObject {}
export default {
  async fetch(request, env) {
    const [name, argument] = await request.json();
    try {
      return Response.json({ ok: (await run[name](env, argument)) ?? null });
    } catch (error) {
      return Response.json({ error: String(error) });
    }
  },
};
"#;

struct Local {
    folder: PathBuf,
    options: Options,
    state: State,
    server: Option<Server>,
    _lock: fs::File,
}

impl Local {
    /// Serves what is above from a folder of this name.
    fn start(name: &str, options: Options) -> Self {
        let checkout = Checkout::find().unwrap();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        let lock = xtask::checkout::lock_now(&folder.join("test.lock")).unwrap();
        for worker in ["gate", "workspace"].map(|name| folder.join("workers").join(name)) {
            fs::create_dir_all(&worker).unwrap();
            fs::write(worker.join("index.js"), GATE).unwrap();
            fs::write(worker.join("index_bg.wasm"), b"\0asm\x01\0\0\0").unwrap();
        }
        let options = Options {
            workers: folder.join("workers"),
            isolates: options.isolates.max(1),
            guard: Some(env!("CARGO_BIN_EXE_xtask").into()),
            ..options
        };
        let state = State::open(&folder.join("state"), true).unwrap();
        let server = Server::start(&tools::workerd(&checkout).unwrap(), &state, &options).unwrap();
        Self { folder, options, state, server: Some(server), _lock: lock }
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    fn restart(&mut self) {
        let workerd = tools::workerd(&Checkout::find().unwrap()).unwrap();
        self.server = None;
        self.server = Some(Server::start(&workerd, &self.state, &self.options).unwrap());
    }

    /// The outcome of an operation on a gate: `{"ok": …}` or `{"error": …}`.
    fn run_on(&self, gate: u16, name: &str, argument: Value) -> Value {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.options.port + gate));
        let body = json!([name, argument]).to_string();
        request(address, "POST", "/", &[], body.as_bytes(), TIMEOUT).unwrap().json().unwrap()
    }

    fn run(&self, name: &str, argument: Value) -> Value {
        self.run_on(0, name, argument)
    }

    fn ok(&self, name: &str, argument: Value) -> Value {
        let outcome = self.run(name, argument);
        outcome.get("ok").unwrap_or_else(|| panic!("{outcome}")).clone()
    }

    fn control(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let address = self.server().control_address;
        request(address, method, target, headers, body.as_bytes(), TIMEOUT).unwrap()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.server = None;
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A run of free ports.
fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn value(outcome: &Value) -> &Value {
    &outcome["value"]
}

#[test]
fn kv_stores_what_the_binding_sends() {
    let mut local = Local::start("kv", Options { port: port(), ..Options::default() });
    assert_eq!(*value(&local.ok("get", json!({ "key": "a" }))), Value::Null);
    let odd = "k1:ä/?&=%20#x";
    local.ok("put", json!({ "key": odd, "value": "one", "options": { "metadata": { "v": 1 } } }));
    let read = local.ok("get", json!({ "key": odd }));
    assert_eq!((value(&read), &read["metadata"]), (&json!("one"), &json!({ "v": 1 })));
    local.ok("put", json!({ "key": odd, "value": "two" }));
    local.ok("put", json!({ "key": "b", "value": "three", "options": { "expirationTtl": 60 } }));
    let gone = json!({ "key": "c", "value": "past", "options": { "expiration": 1 } });
    local.ok("put", gone);

    assert_eq!(
        local.ok("many", json!({ "keys": [odd, "b", "c", "d"] })),
        json!({ odd: "two", "b": "three", "c": null, "d": null })
    );
    let listed = local.ok("list", json!({}));
    assert_eq!(listed["list_complete"], json!(true));
    assert_eq!(listed["keys"][0]["name"], json!("b"));
    assert!(listed["keys"][0]["expiration"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(listed["keys"][1]["name"], json!(odd));

    let page = local.ok("list", json!({ "options": { "limit": 1 } }));
    assert_eq!(page["list_complete"], json!(false));
    let next = json!({ "options": { "limit": 1, "cursor": page["cursor"] } });
    assert_eq!(local.ok("list", next)["keys"][0]["name"], json!(odd));
    let prefixed = local.ok("list", json!({ "options": { "prefix": "k1:" } }));
    assert_eq!(prefixed["keys"].as_array().unwrap().len(), 1);

    local.restart();
    assert_eq!(*value(&local.ok("get", json!({ "key": odd }))), json!("two"), "after a kill");
    local.ok("delete", json!({ "key": odd }));
    assert_eq!(*value(&local.ok("get", json!({ "key": odd }))), Value::Null);
}

#[test]
fn control_seeds_counts_and_guards_itself() {
    let local = Local::start("control", Options { port: port(), ..Options::default() });
    let rows = (0..10_000).map(|n| (format!("k{n}"), vec![b'x'; 400]));
    local.server().control.put_rows(rows).unwrap();
    assert_eq!(local.control("GET", "/kv", &[], "").json().unwrap(), json!({ "rows": 10_000 }));
    let array = r#"[{"key":"m","value":"aGk=","metadata":{"a":1}}]"#;
    assert_eq!(local.control("POST", "/kv", &[], array).json().unwrap(), json!({ "rows": 1 }));
    let read = local.ok("get", json!({ "key": "m" }));
    assert_eq!(read["metadata"], json!({ "a": 1 }));
    local.control("PUT", "/kv/raw%2Fkey", &[], "bytes");
    assert_eq!(*value(&local.ok("get", json!({ "key": "raw/key" }))), json!("bytes"));
    assert_eq!(local.control("GET", "/kv/raw%2Fkey", &[], "").body, b"bytes");

    let counts = local.server().control.counts().unwrap();
    assert_eq!(counts["kv"]["reads"], json!(2));
    assert_eq!(counts["kv"]["keys"], json!({ "m": 1, "raw/key": 1 }));
    local.server().control.reset_counts().unwrap();
    assert_eq!(local.server().control.counts().unwrap()["kv"]["reads"], json!(0));

    local.server().control.delete_row("m").unwrap();
    assert_eq!(local.control("GET", "/kv/m", &[], "").status, 404);
    assert_eq!(local.control("DELETE", "/kv", &[], "").status, 200);
    assert_eq!(local.control("GET", "/kv", &[], "").json().unwrap(), json!({ "rows": 0 }));

    let foreign = [("Origin", "https://evil.example")];
    assert_eq!(local.control("POST", "/kv", &foreign, array).status, 403);
    assert_eq!(local.control("GET", "/nothing", &[], "").status, 404);
    let origin = json!({ "origin": { "kind": "hang" } }).to_string();
    assert_eq!(local.control("PUT", "/faults", &[], &origin).status, 409, "not without chaos");
}

#[test]
fn kv_misbehaves_as_told() {
    let local = Local::start("kv-faults", Options { port: port(), ..Options::default() });
    let control = local.server().control;
    let rows = ["k1:a", "h1:a"].map(|key| (key.to_owned(), b"0123456789".to_vec()));
    control.put_rows(rows).unwrap();
    let get = |key: &str| local.run("get", json!({ "key": key }));
    let text = |outcome: &Value| value(&outcome["ok"]).as_str().map(str::to_owned);

    control.set_faults(&json!({ "kv": { "kind": "error", "prefix": "k1:", "count": 2 } })).unwrap();
    assert!(get("k1:a")["error"].is_string());
    assert_eq!(text(&get("h1:a")).as_deref(), Some("0123456789"));
    assert!(get("k1:a")["error"].is_string());
    assert_eq!(text(&get("k1:a")).as_deref(), Some("0123456789"), "used up");

    for (fault, expected) in [
        (json!({ "kind": "flip", "at": 0 }), Some("1123456789")),
        (json!({ "kind": "truncate" }), Some("01234")),
        (json!({ "kind": "miss" }), None),
    ] {
        control.set_faults(&json!({ "kv": fault })).unwrap();
        assert_eq!(text(&get("k1:a")).as_deref(), expected, "{fault}");
    }
    control.set_faults(&json!({ "kv": { "kind": "garbage" } })).unwrap();
    assert_ne!(text(&get("k1:a")).as_deref(), Some("0123456789"));

    control.set_faults(&json!({ "kv": [{ "kind": "delay", "delay_ms": 300 }] })).unwrap();
    let start = Instant::now();
    assert_eq!(text(&get("k1:a")).as_deref(), Some("0123456789"));
    assert!(start.elapsed() >= Duration::from_millis(290));

    let faults = json!({ "kv": { "kind": "error", "ops": ["put"] } });
    control.set_faults(&faults).unwrap();
    let put = json!({ "key": "k1:a", "value": "new" });
    assert!(local.run("put", put.clone())["error"].is_string());
    assert_eq!(text(&get("k1:a")).as_deref(), Some("0123456789"));

    control.set_faults(&json!({ "kv": { "kind": "hang" } })).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, local.options.port));
    let body = json!(["get", { "key": "k1:a" }]).to_string();
    let hung = request(address, "POST", "/", &[], body.as_bytes(), Duration::from_millis(500));
    assert!(hung.is_err());
    control.clear_faults().unwrap();
    assert_eq!(text(&get("k1:a")).as_deref(), Some("0123456789"), "others go on");
}

#[test]
fn gates_are_isolates_with_one_kv_and_secrets_from_the_environment() {
    let base = loop {
        let base = port();
        if TcpListener::bind(("127.0.0.1", base + 1)).is_ok() {
            break base;
        }
    };
    let secrets = vec![("PORTCULLIS_ROOT", "a root".to_owned())];
    let options = Options { port: base, isolates: 2, secrets, ..Options::default() };
    let local = Local::start("isolates", options);
    local.ok("put", json!({ "key": "a", "value": "shared" }));
    let read = local.run_on(1, "get", json!({ "key": "a" }));
    assert_eq!(*value(&read["ok"]), json!("shared"));
    assert_eq!(local.ok("bindings", json!({})), json!({ "root": "a root", "keys": null }));
    let config = fs::read_to_string(local.state.folder().join("workerd.capnp")).unwrap();
    assert!(!config.contains("a root"));
}

#[test]
fn the_demo_origin_answers_what_it_saw() {
    let local = Local::start("origin", Options { port: port(), ..Options::default() });
    for global in [false, true] {
        let seen = local.ok(
            "origin",
            json!({ "url": "http://host/a%2fb?c='d'&e", "method": "POST", "body": "hello",
                    "headers": { "X-Test": "1" }, "global": global }),
        );
        assert_eq!(seen["status"], json!(200));
        let seen: Value = serde_json::from_str(seen["text"].as_str().unwrap()).unwrap();
        assert_eq!((&seen["method"], &seen["headers"]["x-test"]), (&json!("POST"), &json!("1")));
        assert_eq!(
            seen["body_sha256"],
            json!("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
        );
    }
    let seen = local.ok("origin", json!({ "url": "http://host" }));
    let seen: Value = serde_json::from_str(seen["text"].as_str().unwrap()).unwrap();
    assert_eq!(seen["target"], json!("/"));
    assert!(seen["body_sha256"].as_str().unwrap().starts_with("e3b0c442"));
}

#[test]
fn the_chaotic_origin_misbehaves_as_told() {
    // The control service takes the port before.
    let base = loop {
        let base = port();
        if TcpListener::bind(("127.0.0.1", base - 1)).is_ok() {
            break base;
        }
    };
    let local = Local::start("chaos", Options { port: base, chaos: true, ..Options::default() });
    assert_eq!(local.server().control_address.port(), base - 1);
    let control = local.server().control;
    let get = |path: &str| local.run("origin", json!({ "url": format!("http://host{path}") }));
    let fault = |fault: Value| control.set_faults(&json!({ "origin": fault })).unwrap();

    assert_eq!(get("/a")["ok"]["status"], json!(200));
    fault(json!({ "kind": "status", "status": 500, "body": "oh", "prefix": "/v1", "count": 1 }));
    assert_eq!(get("/a")["ok"]["status"], json!(200));
    assert_eq!(get("/v1/a")["ok"], json!({ "status": 500, "location": null, "text": "oh" }));
    assert_eq!(get("/v1/a")["ok"]["status"], json!(200));
    fault(json!({ "kind": "redirect", "location": "https://elsewhere.example/" }));
    assert_eq!(get("/a")["ok"]["status"], json!(302));
    assert_eq!(get("/a")["ok"]["location"], json!("https://elsewhere.example/"));
    fault(json!({ "kind": "refuse" }));
    assert!(get("/a")["error"].is_string());
    fault(json!({ "kind": "close" }));
    assert!(get("/a")["error"].is_string());
    fault(json!({ "kind": "drip", "bytes": 5, "interval_ms": 60 }));
    let start = Instant::now();
    assert_eq!(get("/a")["ok"]["text"], json!("....."));
    assert!(start.elapsed() >= Duration::from_millis(280));
    control.clear_faults().unwrap();
    assert_eq!(get("/a")["ok"]["status"], json!(200));
    assert_eq!(control.counts().unwrap()["origin"]["requests"], json!(10));
}

#[test]
fn workerd_ends_with_its_server() {
    let mut local = Local::start("end", Options { port: port(), ..Options::default() });
    let pid = local.server().pid;
    assert!(alive(pid));
    local.server = None;
    assert!(!alive(pid));
}

#[test]
fn a_guarded_program_ends_when_the_pipe_closes() {
    // However a process ends, the kernel closes its pipes.
    let mut guard = Command::new(env!("CARGO_BIN_EXE_xtask"));
    guard.args(["guard", "--", "sleep", "600"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut guard = guard.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(guard.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let start: Value = serde_json::from_str(&line).unwrap();
    let pid = start["pid"].as_u64().unwrap() as u32;
    assert!(alive(pid));
    drop(guard.stdin.take());
    guard.wait().unwrap();
    assert!(!alive(pid));
}

fn alive(pid: u32) -> bool {
    let mut kill = Command::new("kill");
    kill.args(["-0", &pid.to_string()]).stderr(Stdio::null());
    kill.status().unwrap().success()
}

const TIMEOUT: Duration = Duration::from_secs(20);
