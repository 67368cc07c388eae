//! `workerd serve` with a built Worker, local KV and an origin, from one state folder.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;

use crate::checkout::{self, lock_now, private_dir, say, write_private};
use crate::control::Control;
use crate::worker::MODULES;

/// A folder that holds what outlives a run: rows, objects, seeds. One run at a time.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    _lock: File,
}

impl State {
    /// Opens or makes a state folder; `fresh` empties it first.
    pub fn open(folder: &Path, fresh: bool) -> Result<Self> {
        private_dir(folder)?;
        let lock = lock_now(&folder.join("lock"))?;
        let folder = folder.canonicalize()?;
        if fresh {
            let _ = fs::remove_file(folder.join("seeds.json"));
            let _ = fs::remove_dir_all(folder.join(OBJECTS));
        }
        private_dir(&folder.join(OBJECTS))?;
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// What to serve, and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The folder of the built Worker.
    pub worker: PathBuf,
    /// Port of the first gate; the others follow. The control service takes the one before when
    /// there is `chaos`, else any.
    pub port: u16,
    /// How many gates, each an isolate of its own; all share KV and Durable Objects.
    pub isolates: u16,
    /// The origin's URL, without a path; `None` for the demo origin.
    pub origin: Option<String>,
    /// Whether a chaotic origin stands in front of the origin.
    pub chaos: bool,
    /// The program that has `xtask guard`; `None` for the running one.
    pub guard: Option<PathBuf>,
    /// Environment variables for text bindings; one that is set for us, even empty, wins.
    pub secrets: Vec<(&'static str, String)>,
    /// Whether `secrets` are all there are: what is set for us is not passed on.
    pub only_secrets: bool,
    /// Whether the gates get no KV at all.
    pub without_keys: bool,
    /// Where V8's inspector listens.
    pub inspector: Option<SocketAddr>,
    /// Whether a module that breaks the Wasm on request stands in front of the Worker's own.
    pub provoke: bool,
}

/// A running workerd. It ends when this is dropped, and when this process ends in any way.
#[derive(Debug)]
pub struct Server {
    /// Process id of workerd itself.
    pub pid: u32,
    /// Its control service.
    pub control: Control,
    /// Where the control service listens.
    pub control_address: SocketAddr,
    guard: Child,
    /// Closed to end the guard.
    pipe: Option<ChildStdin>,
    log: Arc<Mutex<VecDeque<String>>>,
    /// The threads that fill the log.
    followers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts workerd (a path to the native binary) and waits until every socket listens.
    pub fn start(workerd: &Path, state: &State, options: &Options) -> Result<Self> {
        let external = options.origin.as_deref().map(External::parse).transpose()?;
        ensure!(options.isolates > 0, "at least one isolate is needed");
        ensure!(options.port.checked_add(options.isolates - 1).is_some(), "no such ports");
        ensure!(!options.chaos || options.port > 1, "no port before {}", options.port);
        for module in MODULES {
            fs::copy(options.worker.join(module), state.folder.join(module))
                .with_context(|| format!("no {module} in {}", options.worker.display()))?;
        }
        for (name, text) in SERVICES {
            fs::write(state.folder.join(name), text)?;
        }
        fs::write(state.folder.join("trap.wasm"), TRAP)?;
        let config = config(options, external.as_ref());
        write_private(&state.folder.join(CONFIG), config.as_bytes())?;

        let guard = options.guard.clone().map_or_else(checkout::this_program, Ok)?;
        let mut command = Command::new(guard);
        command.arg("guard").arg("--").arg(workerd);
        // Standard output carries the control messages and what Workers log.
        command.args(["serve", "--control-fd=1", CONFIG]);
        command.args(options.inspector.map(|address| format!("--inspector-addr={address}")));
        command.current_dir(&state.folder);
        // In a group of its own a Ctrl-C reaches us only.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        if options.only_secrets {
            for name in TEXT_BINDINGS {
                command.env_remove(name);
            }
        }
        for (name, value) in &options.secrets {
            if options.only_secrets || std::env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut guard = command.spawn().context("cannot start the guard")?;
        let pipe = guard.stdin.take();
        let (stdout, stderr) = (guard.stdout.take(), guard.stderr.take());
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let (sender, messages) = channel();
        let mut followers = Vec::new();
        if let (Some(stdout), Some(stderr)) = (stdout, stderr) {
            followers.push(follow(stdout, Arc::clone(&log), Some(sender)));
            followers.push(follow(stderr, Arc::clone(&log), None));
        }
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let control = Control::new(any);
        let mut server =
            Self { pid: 0, control, control_address: any, guard, pipe, log, followers };
        server.await_sockets(&messages, usize::from(options.isolates) + 1)?;
        Ok(server)
    }

    /// How workerd ended, if it did; its log is complete then.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.guard.try_wait()?;
        if status.is_some() {
            self.finish_log();
        }
        Ok(status)
    }

    fn finish_log(&mut self) {
        for follower in self.followers.drain(..) {
            let _ = follower.join();
        }
    }

    /// The last lines that workerd and its Workers printed.
    pub fn log(&self) -> String {
        let lines = self.log.lock().map(|lines| lines.iter().cloned().collect::<Vec<_>>());
        lines.unwrap_or_default().join("\n")
    }

    fn await_sockets(&mut self, messages: &Receiver<Message>, sockets: usize) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        let mut ports = BTreeMap::new();
        while ports.len() < sockets {
            match messages.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Message::Pid(pid)) => self.pid = pid,
                Ok(Message::Listens { socket, port }) => drop(ports.insert(socket, port)),
                Err(RecvTimeoutError::Timeout) => {
                    bail!("workerd does not listen after {START_TIMEOUT:?}:\n{}", self.log())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.guard.wait()?;
                    self.finish_log();
                    bail!("workerd ended:\n{}", self.log())
                }
            }
        }
        let port = ports.get("control").copied().context("the control service does not listen")?;
        self.control_address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.control = Control::new(self.control_address);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.guard.wait();
    }
}

/// What workerd (or the guard) tells us.
enum Message {
    Pid(u32),
    Listens { socket: String, port: u16 },
}

impl Message {
    fn parse(line: &str) -> Option<Self> {
        let message: Value = serde_json::from_str(line).ok()?;
        let number = |name| message.get(name).and_then(Value::as_u64);
        match message.get("event")?.as_str()? {
            "start" => Some(Self::Pid(number("pid")?.try_into().ok()?)),
            "listen" => {
                let socket = message.get("socket")?.as_str()?.to_owned();
                Some(Self::Listens { socket, port: number("port")?.try_into().ok()? })
            }
            _ => None,
        }
    }
}

/// Reads lines until the end: messages go to `messages`, the rest to the log and to the user.
fn follow(
    stream: impl Read + Send + 'static,
    log: Arc<Mutex<VecDeque<String>>>,
    messages: Option<Sender<Message>>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if let Some(messages) = &messages
                && let Some(message) = Message::parse(&line)
            {
                let _ = messages.send(message);
                continue;
            }
            say(&line);
            if let Ok(mut log) = log.lock() {
                log.push_back(line);
                if log.len() > LOG_LINES {
                    log.pop_front();
                }
            }
        }
    })
}

/// An origin outside workerd.
#[derive(Debug, PartialEq, Eq)]
struct External {
    /// `host:port`.
    address: String,
    /// The host whose certificate is expected.
    https: Option<String>,
}

impl External {
    fn parse(url: &str) -> Result<Self> {
        let (https, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => bail!("the origin is no http or https URL: {url}"),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if authority.is_empty() || !authority.chars().all(allowed) {
            bail!("the origin must be a URL of a host and a port alone: {url}");
        }
        let port = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
        let (host, port) = match port {
            Some((host, port)) => (host, port.parse().map_err(|_| anyhow!("no port: {port}"))?),
            None => (authority, if https { 443_u16 } else { 80 }),
        };
        Ok(Self { address: format!("{host}:{port}"), https: https.then(|| host.to_owned()) })
    }

    fn capnp(&self) -> String {
        let address = &self.address;
        match &self.https {
            None => format!("(address = \"{address}\", http = ())"),
            Some(host) => format!(
                "(address = \"{address}\", https = (options = (), \
                 tlsOptions = (trustBrowserCas = true), certificateHost = \"{host}\"))"
            ),
        }
    }
}

/// The configuration. It holds no secret: those are bound from the environment.
fn config(options: &Options, external: Option<&External>) -> String {
    let (mut services, mut sockets) = (String::new(), String::new());
    for gate in 0..options.isolates {
        let port = options.port.saturating_add(gate);
        let _ = writeln!(services, "    (name = \"gate-{gate}\", worker = .gate),");
        let _ = writeln!(
            sockets,
            "    (name = \"gate-{gate}\", address = \"127.0.0.1:{port}\", http = (), service = \"gate-{gate}\"),"
        );
    }
    let upstream = match external {
        None => "worker = .demo".to_owned(),
        Some(external) => format!("external = {}", external.capnp()),
    };
    let _ = writeln!(services, "    (name = \"origin\", {upstream}),");
    let (control_port, origin, faults) = if options.chaos {
        // Nothing listens on port 1.
        services.push_str(
            "    (name = \"chaos\", worker = .chaos),
    (name = \"closed\", external = (address = \"127.0.0.1:1\", http = ())),\n",
        );
        (options.port - 1, "chaos", CHAOS_FAULTS)
    } else {
        (0, "origin", "")
    };
    let keys = if options.without_keys { "" } else { KEYS };
    let front = if options.provoke { PROVOKE } else { "" };
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
{services}    (name = "kv", worker = .kv),
    (name = "workspace", worker = .workspace),
    (name = "control", worker = .control),
    (name = "disk", disk = (path = "{OBJECTS}", writable = true)),
  ],
  sockets = [
{sockets}    (name = "control", address = "127.0.0.1:{control_port}", http = (), service = "control"),
  ],
);

const gate :Workerd.Worker = (
  modules = [
{front}    (name = "index.js", esModule = embed "index.js"),
    (name = "index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  globalOutbound = "{origin}",
  bindings = .bindings,
);

# The same Worker once more, where its objects live; object.mjs counts and breaks them.
const workspace :Workerd.Worker = (
  modules = [
    (name = "object.mjs", esModule = embed "object.mjs"),
    (name = "faults.mjs", esModule = embed "faults.mjs"),
    (name = "index.js", esModule = embed "index.js"),
    (name = "index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  durableObjectNamespaces = [(className = "Workspace", uniqueKey = "portcullis-workspace", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
  bindings = .bindings,
);

const bindings :List(Workerd.Worker.Binding) = [
{keys}  (name = "WORKSPACE", durableObjectNamespace = (className = "Workspace", serviceName = "workspace")),
  (name = "ORIGIN", service = "{origin}"),
  (name = "PORTCULLIS_ROOT", fromEnvironment = "PORTCULLIS_ROOT"),
  (name = "PORTCULLIS_STATIC_KEYS", fromEnvironment = "PORTCULLIS_STATIC_KEYS"),
];

const kv :Workerd.Worker = (
  modules = [
    (name = "kv.mjs", esModule = embed "kv.mjs"),
    (name = "faults.mjs", esModule = embed "faults.mjs"),
  ],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  durableObjectNamespaces = [(className = "Store", uniqueKey = "portcullis-kv", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [(name = "STORE", durableObjectNamespace = "Store")],
);

const control :Workerd.Worker = (
  modules = [(name = "control.mjs", esModule = embed "control.mjs")],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  bindings = [
    (name = "STORE", durableObjectNamespace = (className = "Store", serviceName = "kv")),
    (name = "WORKSPACE", durableObjectNamespace = (className = "Workspace", serviceName = "workspace")),
{faults}  ],
);

const demo :Workerd.Worker = (
  modules = [(name = "origin.mjs", esModule = embed "origin.mjs")],
  compatibilityDate = "{COMPATIBILITY_DATE}",
);

const chaos :Workerd.Worker = (
  modules = [
    (name = "chaos.mjs", esModule = embed "chaos.mjs"),
    (name = "faults.mjs", esModule = embed "faults.mjs"),
  ],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  bindings = [(name = "ORIGIN", service = "origin"), (name = "CLOSED", service = "closed")],
);
"#
    )
}

/// The compatibility date of every Worker served here.
pub const COMPATIBILITY_DATE: &str = "2026-10-01";

const SERVICES: [(&str, &str); 7] = [
    ("kv.mjs", include_str!("../workerd/kv.mjs")),
    ("faults.mjs", include_str!("../workerd/faults.mjs")),
    ("control.mjs", include_str!("../workerd/control.mjs")),
    ("chaos.mjs", include_str!("../workerd/chaos.mjs")),
    ("origin.mjs", include_str!("../workerd/origin.mjs")),
    ("object.mjs", include_str!("../workerd/object.mjs")),
    ("provoke.mjs", include_str!("../workerd/provoke.mjs")),
];
const CHAOS_FAULTS: &str =
    "    (name = \"ORIGIN_FAULTS\", service = (name = \"chaos\", entrypoint = \"Faults\")),\n";
const KEYS: &str = "  (name = \"KEYS\", kvNamespace = \"kv\"),\n";
const PROVOKE: &str = "    (name = \"provoke.mjs\", esModule = embed \"provoke.mjs\"),
    (name = \"trap.wasm\", wasm = embed \"trap.wasm\"),\n";
/// `(module (func (export "trap") unreachable))`
const TRAP: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x04\x01\x60\0\0\
    \x03\x02\x01\0\
    \x07\x08\x01\x04trap\0\0\
    \x0a\x05\x01\x03\0\0\x0b";
const TEXT_BINDINGS: [&str; 2] = ["PORTCULLIS_ROOT", "PORTCULLIS_STATIC_KEYS"];
const CONFIG: &str = "workerd.capnp";
/// The folder of the Durable Objects in a state folder.
const OBJECTS: &str = "objects";
const START_TIMEOUT: Duration = Duration::from_secs(30);
const LOG_LINES: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_host_and_a_port() {
        let parse = |url| External::parse(url).map(|e| (e.address, e.https)).ok();
        let some =
            |address: &str, https: Option<&str>| Some((address.into(), https.map(Into::into)));
        assert_eq!(parse("http://127.0.0.1:9000"), some("127.0.0.1:9000", None));
        assert_eq!(parse("http://localhost/"), some("localhost:80", None));
        assert_eq!(parse("http://[::1]"), some("[::1]:80", None));
        assert_eq!(parse("http://[::1]:81"), some("[::1]:81", None));
        assert_eq!(parse("https://a.example"), some("a.example:443", Some("a.example")));
        for url in ["a.example", "http://", "http://a/b", "http://a:b", "http://a\"b", "ftp://a"] {
            assert_eq!(parse(url), None, "{url}");
        }
    }

    #[test]
    fn messages_are_told_from_logs() {
        assert!(matches!(
            Message::parse(r#"{"event":"start","pid":123}"#),
            Some(Message::Pid(123))
        ));
        let line = r#"{"event":"listen","socket":"gate-0","port":8787}"#;
        assert!(matches!(Message::parse(line), Some(Message::Listens { port: 8787, .. })));
        assert!(Message::parse(r#"{"event":"other"}"#).is_none());
        assert!(Message::parse("123").is_none());
    }
}
