//! What the bars run against: the Workers built with the policy of the proofs, on plain workerd.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use portcullis::crypto::MacKey;
use portcullis::key::Workspace;
use portcullis::mint;
use portcullis::record::{Document, SecretDocument};
use portcullis::root::Keyring;
use portcullis::scope::Grants;

use crate::checkout::{Checkout, private_dir, sha256};
use crate::http::{self, Reply};
use crate::keys::{self, Row};
use crate::seed;
use crate::tools;
use crate::worker::{self, Flavour};
use crate::workerd::{Options, Server, State};

/// The built Workers and the root they are for.
pub(super) struct Site {
    pub(super) checkout: Checkout,
    pub(super) keyring: Keyring,
    pub(super) root: String,
    workers: PathBuf,
    digest: String,
}

/// A running process with gates, or the home of others' gates. Ends when dropped.
pub(super) struct Gate {
    pub(super) server: Server,
    pub(super) address: SocketAddr,
    _state: State,
}

impl Site {
    /// Makes the tools present and builds the Workers.
    pub(super) fn build(checkout: &Checkout) -> Result<Self> {
        tools::ensure_present(checkout, tools::BUILD)?;
        Self::with_policy(checkout, "policy")
    }

    /// Builds the Workers with another policy of `tests/prove`.
    pub(super) fn with_policy(checkout: &Checkout, policy: &'static str) -> Result<Self> {
        Self::of(checkout, |fingerprint| Flavour::Proof { policy, fingerprint })
    }

    /// Builds the Workers with the product's own policy.
    pub(super) fn product(checkout: &Checkout) -> Result<Self> {
        Self::of(checkout, |fingerprint| Flavour::Dev { fingerprint })
    }

    fn of(checkout: &Checkout, flavour: impl FnOnce(String) -> Flavour) -> Result<Self> {
        let root = seed::dev_root(checkout)?;
        let flavour = flavour(seed::fingerprint(&root)?);
        let workers = worker::build(checkout, &flavour)?.folder;
        let mut bytes = Vec::new();
        for module in worker::MODULES {
            bytes.extend(fs::read(workers.join(module))?);
        }
        let keyring = Keyring::parse(&root)?;
        let checkout = checkout.clone();
        Ok(Self { checkout, keyring, root, workers, digest: sha256(&bytes) })
    }

    /// SHA-256 over the Workers' files.
    pub(super) fn workers_digest(&self) -> &str {
        &self.digest
    }

    /// Options for a gate before this origin, with the clone's root and no environment keys.
    pub(super) fn options(&self, origin: SocketAddr) -> Result<Options> {
        Ok(Options {
            workers: self.workers.clone(),
            port: free_port()?,
            isolates: 1,
            origin: Some(format!("http://{origin}")),
            secrets: vec![
                ("PORTCULLIS_ROOT", self.root.clone()),
                ("PORTCULLIS_STATIC_KEYS", String::new()),
            ],
            only_secrets: true,
            ..Options::default()
        })
    }

    /// Starts a process whose state is kept in a folder of this name, emptied first if `fresh`, and
    /// waits until its first gate, if there is one, answers anything.
    pub(super) fn start(&self, name: &str, fresh: bool, options: &Options) -> Result<Gate> {
        let state = State::open(&self.folder(name)?, fresh)?;
        let server = Server::start(&tools::workerd(&self.checkout)?, &state, options)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let gate = Gate { server, address, _state: state };
        let deadline = Instant::now() + TIMEOUT;
        while options.isolates > 0
            && let Err(error) = gate.get("/", None)
        {
            if Instant::now() > deadline {
                return Err(error).context("the gate does not answer");
            }
            std::thread::sleep(POLL);
        }
        Ok(gate)
    }

    /// A folder of the proofs' own.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.checkout.private("proof")?.join(name);
        private_dir(&folder)?;
        Ok(folder)
    }

    /// The `number`th key: its text and row. It may do anything.
    pub(super) fn key(&self, number: u64, now: u64) -> Result<(String, Row)> {
        let (text, document) = self.key_of(keys::WORKSPACE, number, now)?;
        Ok((text, keys::sealed(self.keyring.newest(), &document)?))
    }

    /// The `number`th key of a workspace: its text and document.
    pub(super) fn key_of(
        &self,
        workspace: &str,
        number: u64,
        now: u64,
    ) -> Result<(String, Document)> {
        let root = self.keyring.newest();
        let workspace = Workspace::parse(workspace).context("workspace")?;
        let mut entropy = *MacKey::new(SEED).mac(&[&number.to_be_bytes()]).as_bytes();
        // A kid has 35 random bits, and no two of a million may be the same.
        let distinct = number.wrapping_mul(SPREAD) << 29;
        entropy[..5].copy_from_slice(&distinct.to_be_bytes()[..5]);
        let entropy = entropy.first_chunk().context("22 bytes")?;
        let minted = mint::native(root, "ak", workspace, entropy).context("prefix")?;
        let secret = SecretDocument::new(0, root.version(), &minted.digest);
        let mut document = Document::new(&minted.kid, "ak", secret, now);
        document.name = number.to_string();
        document.scopes = Grants::parse(["*:*"])?;
        Ok((minted.secret.expose().to_owned(), document))
    }
}

impl Gate {
    /// The gates, each an isolate.
    pub(super) fn gates(&self, isolates: u16) -> Vec<SocketAddr> {
        let port = |gate| self.address.port().saturating_add(gate);
        (0..isolates).map(|gate| SocketAddr::from((Ipv4Addr::LOCALHOST, port(gate)))).collect()
    }

    /// One GET on a connection of its own.
    pub(super) fn get(&self, target: &str, key: Option<&str>) -> Result<Reply> {
        http::exchange(self.address, request("GET", target, key).as_bytes(), TIMEOUT)
    }

    /// How often KV was read since the last reset.
    pub(super) fn kv_reads(&self) -> Result<u64> {
        let counts = self.server.control.counts()?;
        counts["kv"]["reads"].as_u64().context("no count of KV reads")
    }

    /// Resident memory of workerd, in bytes.
    pub(super) fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.pid))
            .context("cannot read the memory of workerd")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
        kibibytes.map(|kibibytes: u64| kibibytes * 1024).context("no VmRSS")
    }

    /// Processor time that workerd's threads have used.
    pub(super) fn processor(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.server.pid))? {
            let times = fs::read_to_string(thread?.path().join("schedstat"))
                .context("cannot read the processor time of workerd")?;
            let first = times.split(' ').next().and_then(|time| time.parse::<u64>().ok());
            nanoseconds += first.context("bad schedstat")?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

/// The head of a request to the gate, with a key or without one.
pub(super) fn request(method: &str, target: &str, key: Option<&str>) -> String {
    let key = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
    format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{key}\r\n")
}

/// The value of `error.code` in an answer of the gate's own.
pub(super) fn code(reply: &Reply) -> String {
    let code = reply.json().ok().and_then(|body| body["error"]["code"].as_str().map(str::to_owned));
    code.unwrap_or_default()
}

/// Epoch seconds.
pub(super) fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// A port that nobody uses, of a range that nobody else is given.
pub(super) fn free_port() -> Result<u16> {
    free_ports(1)
}

/// The first of so many such ports in a row.
pub(super) fn free_ports(count: u16) -> Result<u16> {
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let mut firsts = PORTS.filter(|first| first + count <= PORTS.end);
    let first = firsts.find(|first| (*first..first + count).all(free));
    first.with_context(|| format!("no {count} free ports in {PORTS:?}"))
}

/// Longest wait for an answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
const PORTS: std::ops::Range<u16> = 9200..9300;
/// Odd, so that different numbers stay different.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
const SEED: &[u8; 32] = b"the keys of the proofs are known";
