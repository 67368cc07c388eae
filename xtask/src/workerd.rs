//! `workerd serve` with the built Workers, local KV and an origin, from one state folder.

mod config;

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::checkout::{self, lock_now, private_dir, say};
use crate::control::Control;
use crate::members;
use crate::worker::MODULES;
use crate::www;

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
            let _ = fs::remove_file(folder.join(members::SEEDED));
            let _ = fs::remove_dir_all(folder.join(OBJECTS));
        }
        let log = folder.join(LOG);
        if fresh || fs::metadata(&log).is_ok_and(|log| log.len() > MAX_LOG) {
            let _ = fs::remove_file(log);
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
    /// The folder of the built Workers.
    pub workers: PathBuf,
    /// Port of the first gate; the others follow. The control service takes the one before when
    /// there is `chaos`, else any.
    pub port: u16,
    /// How many gates, each an isolate of its own; all share KV and Durable Objects.
    pub isolates: u16,
    /// What of it all this process holds.
    pub part: Part,
    /// The origin's URL, without a path; `None` for the demo origin.
    pub origin: Option<String>,
    /// The module of the demo origin, which then reaches the Workspaces; `None` for the usual one.
    pub demo: Option<PathBuf>,
    /// By what the gates' sockets speak TLS; `None` for plain HTTP.
    pub https: Option<KeyPair>,
    /// Names of further bindings that lead to the origin, besides `ORIGIN`.
    pub services: Vec<String>,
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
    /// Whether the Workspaces get no root.
    pub without_authority: bool,
    /// Where an issuer listens that stands for those of this machine and of `.test` names.
    pub issuer: Option<SocketAddr>,
    /// Where a receiver of webhooks listens that stands for `hooks.localhost`.
    pub receiver: Option<SocketAddr>,
    /// Whether a module that moves the clock and swaps signed texts on request stands in front of the
    /// Worker of the Workspaces.
    pub clock: bool,
    /// What the gates' binding to the management API leads to.
    pub management: Management,
    /// What is recorded of that which gates tell of decisions.
    pub observed: Observed,
    /// Whether a module that breaks the gate's Wasm on request stands in front of the gate's own.
    pub provoke: bool,
}

/// A server's certificate and its key.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// In PEM.
    pub certificate: String,
    /// The bytes of PKCS #8 in lines of base64.
    pub pkcs8: String,
}

/// What a process holds of that which gates need.
#[derive(Debug, Clone, Copy, Default)]
pub enum Part {
    /// All of it.
    #[default]
    Whole,
    /// Workspaces and KV, for gates of other processes; no gate.
    Home,
    /// Gates alone, whose Workspaces and KV are at a home.
    Gates(Home),
}

/// What a gate's binding to the management API leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Management {
    /// The Worker that serves it.
    #[default]
    Served,
    /// There is no such binding.
    Unbound,
    /// Nothing that answers.
    Unreachable,
}

/// What is recorded of that which gates tell of decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Observed {
    /// Nothing: it goes to the log with all else, and there is no Analytics Engine.
    #[default]
    Nothing,
    /// Lines of the log.
    Lines,
    /// Lines of the log, and points of Analytics Engine.
    All,
}

/// Where a process listens that holds Workspaces and KV for others.
#[derive(Debug, Clone, Copy)]
pub struct Home {
    /// Its control service.
    pub control: SocketAddr,
    /// Its Workspaces.
    pub workspaces: SocketAddr,
    /// Its KV.
    pub keys: SocketAddr,
}

/// A running workerd. It ends when this is dropped, and when this process ends in any way.
#[derive(Debug)]
pub struct Server {
    /// Process id of workerd itself.
    pub pid: u32,
    /// Its control service, or that of its home.
    pub control: Control,
    /// Where the control service listens.
    pub control_address: SocketAddr,
    /// Where gates of other processes find it, if it is their home.
    pub home: Option<Home>,
    guard: Child,
    /// Closed to end the guard.
    pipe: Option<ChildStdin>,
    log: Arc<Mutex<VecDeque<String>>>,
    /// What was told of decisions.
    told: Arc<Mutex<Vec<String>>>,
    /// The threads that fill the log.
    followers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts workerd (a path to the native binary) and waits until every socket listens.
    pub fn start(workerd: &Path, state: &State, options: &Options) -> Result<Self> {
        let is_home = matches!(options.part, Part::Home);
        ensure!(is_home || options.isolates > 0, "at least one isolate is needed");
        ensure!(!is_home || options.isolates == 0, "a home has no gates");
        let last = options.port.checked_add(options.isolates.saturating_sub(1));
        ensure!(last.is_some(), "no such ports");
        ensure!(!options.chaos || options.port > 1, "no port before {}", options.port);
        let is_whole = matches!(options.part, Part::Whole);
        ensure!(is_whole || !options.chaos, "a chaotic origin needs all in one process");
        for module in MODULES {
            let copy = state.folder.join(module);
            copy.parent().map_or(Ok(()), private_dir)?;
            fs::copy(options.workers.join(module), copy)
                .with_context(|| format!("no {module} in {}", options.workers.display()))?;
        }
        www::copy(&options.workers.join(www::FOLDER), &state.folder.join(www::FOLDER))?;
        config::write(&state.folder, options)?;

        let guard = options.guard.clone().map_or_else(checkout::this_program, Ok)?;
        let mut command = Command::new(guard);
        command.arg("guard").arg("--").arg(workerd);
        // Standard output carries the control messages and what Workers log.
        command.args(["serve", "--control-fd=1", config::CONFIG]);
        if options.observed == Observed::All {
            // For the binding of Analytics Engine.
            command.arg("--experimental");
        }
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
        let told = Arc::default();
        let (sender, messages) = channel();
        let mut followers = Vec::new();
        if let (Some(stdout), Some(stderr)) = (stdout, stderr) {
            let (to, told) = (
                Arc::clone(&log),
                (options.observed != Observed::Nothing).then(|| Arc::clone(&told)),
            );
            let file = || File::options().create(true).append(true).open(state.folder.join(LOG));
            followers.push(follow(stdout, to, told, Some(sender), file()?));
            followers.push(follow(stderr, Arc::clone(&log), None, None, file()?));
        }
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let control = Control::new(any);
        let mut server = Self {
            pid: 0,
            control,
            control_address: any,
            home: None,
            guard,
            pipe,
            log,
            told,
            followers,
        };
        let ports = server.await_sockets(&messages, config::sockets(options))?;
        let listens = |socket: &str| {
            let port = ports.get(socket).with_context(|| format!("{socket} does not listen"))?;
            anyhow::Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, *port)))
        };
        server.control_address = match options.part {
            Part::Gates(home) => home.control,
            Part::Whole | Part::Home => listens("control")?,
        };
        server.control = Control::new(server.control_address);
        if is_home {
            server.home = Some(Home {
                control: server.control_address,
                workspaces: listens("workspaces")?,
                keys: listens("keys")?,
            });
        }
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

    /// Takes the lines of the log that tell of decisions, if those are recorded.
    pub fn take_told(&self) -> Vec<String> {
        self.told.lock().map(|mut told| std::mem::take(&mut *told)).unwrap_or_default()
    }

    /// Waits until so many sockets listen; their ports.
    fn await_sockets(
        &mut self,
        messages: &Receiver<Message>,
        sockets: usize,
    ) -> Result<BTreeMap<String, u16>> {
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
        Ok(ports)
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

/// Reads lines until the end: messages go to `messages`, what is told of decisions to `told`, the rest to the
/// log and to the user; all of it into a file.
fn follow(
    stream: impl Read + Send + 'static,
    log: Arc<Mutex<VecDeque<String>>>,
    told: Option<Arc<Mutex<Vec<String>>>>,
    messages: Option<Sender<Message>>,
    mut file: File,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for mut line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            line.push(b'\n');
            let _ = file.write_all(&line);
            line.pop();
            let line = String::from_utf8_lossy(&line).into_owned();
            if let Some(messages) = &messages
                && let Some(message) = Message::parse(&line)
            {
                let _ = messages.send(message);
                continue;
            }
            if let Some(Ok(mut told)) = told.as_deref().map(Mutex::lock)
                && line.starts_with(DECISION)
            {
                told.push(line);
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

const TEXT_BINDINGS: [&str; 2] = ["PORTCULLIS_ROOT", "PORTCULLIS_STATIC_KEYS"];
/// The folder of the Durable Objects in a state folder.
const OBJECTS: &str = "objects";
/// The file in a state folder that has all lines of its logs: the last step looks into it for secrets.
const LOG: &str = "log";
const MAX_LOG: u64 = 16 << 20;
/// What a line that tells of a decision begins with.
const DECISION: &str = r#"{"event":"decision""#;
const START_TIMEOUT: Duration = Duration::from_secs(30);
const LOG_LINES: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

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
