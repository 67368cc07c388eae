//! The contenders, their records and the workerd that serves them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use portcullis::crypto::MacKey;
use portcullis::host::HostName;
use portcullis::record::{KeyType, SignatureMode};
use portcullis::root::Keyring;
use portcullis::signature::{Generation, Signing, Version, v1};
use portcullis::workspace::call::Call;

use super::leases::Leases;
use super::routes;
use crate::checkout::{Checkout, run};
use crate::http::Reply;
use crate::keys::{self, Spec};
use crate::load::{Load, Report, Until, repeat};
use crate::{http, seed, tools, worker};

/// What is served, and with which keys.
pub struct Contest {
    folder: PathBuf,
    root: String,
    rows: String,
    key: String,
    /// By what requests with it are signed.
    signing: MacKey,
    /// Calls that make the key known to its Workspace.
    calls: [String; 2],
}

impl Contest {
    /// Puts the peers, the bundle of Hono and the built Workers into one folder.
    pub fn prepare(checkout: &Checkout) -> Result<Self> {
        let root = seed::dev_root(checkout)?;
        let fingerprint = seed::fingerprint(&root)?;
        let flavour = worker::Flavour::Dev { fingerprint: fingerprint.clone() };
        let built = worker::build(checkout, &flavour)?;
        let folder = checkout.private("bench")?;
        routes::build(checkout, &folder, &fingerprint)?;
        copy(&checkout.path("benches/peers"), &folder)?;
        for module in worker::MODULES {
            let copy = folder.join("workers").join(module);
            copy.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::copy(built.folder.join(module), copy)?;
        }
        let mut esbuild = checkout.command(tools::npm_bin(checkout, "esbuild"));
        esbuild
            .args(["hono.mjs", "hono-forward.mjs", "hono-proxy.mjs"])
            .args(["--bundle", "--minify", "--format=esm", "--out-extension:.js=.mjs"])
            .args(["--outdir=dist", "--log-level=warning"])
            .env("NODE_PATH", checkout.path("node_modules"))
            .current_dir(&folder);
        run("esbuild", &mut esbuild)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        let keyring = Keyring::parse(&root)?;
        let (key, document) = keys::native(keyring.newest(), &[0x62; 32], &SPEC, now)?;
        let signing = keys::signing(keyring.newest(), &document).context("no signing secret")?;
        let signing = signing.mac_key();
        let (name, value) = keys::sealed(keyring.newest(), &document)?;
        let rows = serde_json::json!({ name: String::from_utf8(value)? }).to_string();
        let put = Call::Put { document: Box::new(document), replaces: 0 };
        let open = Call::Open { workspace: keys::WORKSPACE.to_owned() };
        let objects = folder.join("objects");
        let _ = fs::remove_dir_all(&objects);
        fs::create_dir_all(&objects)?;
        Ok(Self { folder, root, rows, key, signing, calls: [open, put].map(|call| call.print()) })
    }

    /// Starts workerd and makes the gate's key known to its Workspace.
    pub fn start(&self, checkout: &Checkout) -> Result<Workerd> {
        let log = fs::File::create(self.folder.join("workerd.log"))?;
        let child = Command::new(tools::workerd(checkout)?)
            .args(["serve", "bench.capnp"])
            .current_dir(&self.folder)
            .env("PORTCULLIS_ROOT", &self.root)
            .env("PORTCULLIS_ROWS", &self.rows)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("workerd does not start")?;
        let workerd = Workerd(child);
        let deadline = Instant::now() + Duration::from_secs(10);
        for peer in PEERS.iter().chain(&routes::PEERS) {
            while std::net::TcpStream::connect(address(peer)).is_err() {
                if Instant::now() > deadline {
                    bail!(
                        "workerd does not listen: see {}",
                        self.folder.join("workerd.log").display()
                    );
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        for call in &self.calls {
            control("POST", "", call.as_bytes())?;
        }
        Ok(workerd)
    }

    /// Loads a contender; fails unless every request was answered 200.
    pub fn turn(&self, peer: &Peer, kind: Kind, seconds: f64) -> Result<Report> {
        self.turn_at(peer, kind, &["/v1/agents/agent-123?limit=10".to_owned()], seconds)
    }

    /// The same with requests to these targets in turn.
    pub fn turn_at(
        &self,
        peer: &Peer,
        kind: Kind,
        targets: &[String],
        seconds: f64,
    ) -> Result<Report> {
        let requests: Vec<_> =
            targets.iter().map(|target| self.request(peer, kind, target)).collect::<Result<_>>()?;
        let until = Until::Elapsed(Duration::from_secs_f64(seconds));
        let load = Load { address: address(peer), connections: CONNECTIONS, until };
        let report = repeat(&load, &requests)?;
        report.all(200).with_context(|| peer.name)?;
        Ok(report)
    }

    fn request(&self, peer: &Peer, kind: Kind, target: &str) -> Result<Vec<u8>> {
        let (key, signing) = if peer.ours {
            (self.key.as_str(), self.signing.clone())
        } else {
            (PEERS_KEY, MacKey::new(PEERS_SIGNING.as_bytes()))
        };
        let method = "GET";
        let signature = match kind {
            Kind::Bearer => String::new(),
            Kind::Signed => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
                let timestamp = &now.to_string();
                let message = v1::Message { method, target, timestamp, nonce: None, body: b"" };
                let mac = message.sign(&signing);
                format!("X-Timestamp: {timestamp}\r\nX-Signature: {mac}\r\n")
            }
        };
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: api.test\r\nUser-Agent: bench\r\n\
             Accept: application/json\r\nAuthorization: Bearer {key}\r\n{signature}\
             CF-Connecting-IP: 203.0.113.9\r\n\r\n"
        );
        Ok(request.into_bytes())
    }
}

/// See `benches/peers/control.mjs`.
fn control(method: &str, what: &str, body: &[u8]) -> Result<Reply> {
    let target = format!("/{}{what}", keys::WORKSPACE);
    let reply = http::request(CONTROL, method, &target, &[], body, CONTROL_TIMEOUT)?;
    ensure!(reply.status == 200, "the Workspace does not answer: {}", reply.text());
    Ok(reply)
}

/// Requests under way at a contender.
pub const CONNECTIONS: usize = 8;
/// For a lease of the policy, its report, and some time.
const CLOSED: Duration = Duration::from_secs(10);

const CONTROL: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8718));
const CONTROL_TIMEOUT: Duration = Duration::from_secs(10);

/// The key in `bench.capnp`.
const PEERS_KEY: &str = "ak_0ABCDEF1234567TAGTAG_GABCDEFGHJKMNPQRSTVWXYZ0123TAGTAGCRC1234";

/// What signs its requests, also there.
const PEERS_SIGNING: &str =
    "ak_sign_0ABCDEF1234567TAGTAG_G_0123456789ABCDEFGHJKMNPQRSTVWXYZ0123456789ABCDEFGHJKCRC1234";

/// The same record as in `benches/peers/kv.mjs`.
const SPEC: Spec<'_> = Spec {
    name: "bench",
    scopes: &["agents:read", "agents:write"],
    change: |key, now| {
        key.kind = KeyType::Personal;
        key.subject = Some("svc-bench".to_owned());
        key.expires = Some(now + 86_400);
        key.ips =
            serde_json::from_str(r#"["198.51.100.0/24","2001:db8::/32","203.0.113.0/24"]"#).ok();
        key.bindings.insert("agent_id".to_owned(), vec!["agent-123".to_owned()]);
        key.limits = serde_json::from_str(
            r#"{"requests":1000000000,"window_seconds":3600,"burst":1000000}"#,
        )
        .ok();
        key.signature = SignatureMode::Optional;
        key.signing = Some(Signing {
            version: Version::V1,
            hosts: HostName::parse("api.test").into_iter().collect(),
            nonce: false,
            debug_until: None,
            secrets: vec![Generation { generation: 0, root: 1, expires: None }],
        });
    },
};

/// The running contenders; they end when this is dropped.
pub struct Workerd(Child);

impl Workerd {
    /// Time that its threads have run so far. `/proc/…/stat` counts in hundredths of a second, of which a turn
    /// has 25.
    pub fn cpu(&self) -> Result<Duration> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0.id()))?;
        let mut nanoseconds = 0;
        for thread in threads {
            // One may have ended.
            let Ok(times) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            let ran = times.split(' ').next().and_then(|ran| ran.parse::<u64>().ok());
            nanoseconds += ran.context("/proc/…/schedstat has another form")?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// What the gate has asked of its Workspace, once its leases are closed.
    pub fn leases(&self) -> Result<Leases> {
        let deadline = Instant::now() + CLOSED;
        loop {
            let calls: Vec<(String, String)> =
                serde_json::from_slice(&control("GET", "/calls", b"")?.body)?;
            let leases = Leases::of(&calls)?;
            if leases.are_closed() || Instant::now() > deadline {
                return Ok(leases);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn address(peer: &Peer) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], peer.port))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path.is_file()
            && let Some(name) = path.file_name()
        {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// What kind of request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With a secret.
    Bearer,
    /// With a secret and a signature of version 1.
    Signed,
}

/// A contender.
pub struct Peer {
    /// In the table.
    pub name: &'static str,
    /// Where it listens.
    pub port: u16,
    /// Whether it is the gate under test.
    pub ours: bool,
    /// Whether it verifies signatures, or decides nothing at all.
    pub signs: bool,
}

/// All of them.
pub const PEERS: &[Peer] = &[
    Peer { name: BASELINE, port: 8711, ours: false, signs: true },
    Peer { name: GATE, port: 8717, ours: true, signs: true },
    Peer { name: JS, port: 8712, ours: false, signs: true },
    Peer { name: JS_WEBCRYPTO, port: 8713, ours: false, signs: true },
    Peer { name: HONO, port: 8714, ours: false, signs: false },
    Peer { name: HONO_FORWARD, port: 8716, ours: false, signs: false },
    Peer { name: PASS, port: 8710, ours: false, signs: true },
];

/// Mandatory work alone.
pub const BASELINE: &str = "baseline";
pub const GATE: &str = "portcullis";
pub const JS: &str = "js gate, node:crypto";
pub const JS_WEBCRYPTO: &str = "js gate, WebCrypto";
pub const HONO: &str = "hono, light forwarding";
pub const HONO_FORWARD: &str = "hono, our forwarding";
pub const PASS: &str = "pass-through";
