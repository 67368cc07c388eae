//! `cargo xtask bench`: the gate against its peers, on plain workerd.
//!
//! All contenders are services of one workerd process. They take turns under the
//! same load; each round gives a ratio to the baseline of that round, so that
//! what disturbs a round disturbs both sides of it.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use portcullis::record::KeyType;
use portcullis::root::Keyring;
use portcullis::workspace::call::Call;

use crate::checkout::{Checkout, run, say};
use crate::interval::Interval;
use crate::keys::{self, Spec};
use crate::load::{Load, Report, Until, repeat};
use crate::{http, seed, tools, worker};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Turns of every contender.
    pub rounds: usize,
    /// Seconds of load a turn.
    pub seconds: f64,
}

/// Enough to place a ratio within a few percent on a quiet machine.
pub const FULL: Size = Size { rounds: 21, seconds: 3.0 };
/// Enough to see that the bench works and that nothing has become twice as slow.
pub const SMALL: Size = Size { rounds: 5, seconds: 1.0 };

/// Prints the performance table; fails when a goal is missed beyond doubt.
pub fn bench(checkout: &Checkout, size: Size) -> Result<()> {
    let table = measure(checkout, size)?;
    println!("{}", table.text);
    println!("{}", core(checkout)?);
    if table.missed.is_empty() {
        return Ok(());
    }
    bail!("missed: {}", table.missed.join("; "))
}

/// The core alone, natively, by criterion.
fn core(checkout: &Checkout) -> Result<String> {
    let mut cargo = checkout.command("cargo");
    let folder = checkout.private("criterion")?;
    cargo.args(["bench", "--quiet", "--bench", "decision", "--", "--noplot"]);
    cargo.env("CRITERION_HOME", &folder).stdout(Stdio::null());
    run("cargo bench", &mut cargo)?;
    let sha = fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("sha_ni"));
    let mut text =
        format!("core, natively, CPU {} SHA extensions", if sha { "with" } else { "without" });
    for name in ["bearer", "bearer with plan and assertion", "forged"] {
        let estimates = fs::read(folder.join(name).join("new/estimates.json"))?;
        let estimates: serde_json::Value = serde_json::from_slice(&estimates)?;
        let nanoseconds = estimates["median"]["point_estimate"].as_f64().context("criterion")?;
        text.push_str(&format!("\n{name:<48} {:>8.3} µs", nanoseconds / 1000.0));
    }
    Ok(text)
}

/// What was measured.
#[derive(Debug)]
pub struct Table {
    /// The table, ready to print.
    pub text: String,
    /// Goals whose 95 % interval lies on the wrong side.
    pub missed: Vec<String>,
}

/// Runs the rounds.
pub fn measure(checkout: &Checkout, size: Size) -> Result<Table> {
    tools::ensure_present(checkout, tools::BUILD)?;
    let contest = Contest::prepare(checkout)?;
    let workerd = contest.start(checkout)?;
    for peer in PEERS {
        // Warm: code compiled, record in memory.
        contest.turn(peer, 0.5)?.all(200).with_context(|| peer.name.to_owned())?;
    }
    let mut rounds = Vec::new();
    for round in 0..size.rounds {
        let mut turns = BTreeMap::new();
        for at in 0..PEERS.len() {
            // No contender always follows the same other.
            let peer = &PEERS[(at + round) % PEERS.len()];
            let before = workerd.cpu()?;
            let report = contest.turn(peer, size.seconds)?;
            report.all(200).with_context(|| peer.name.to_owned())?;
            let cpu = (workerd.cpu()? - before).as_secs_f64() / report.responses() as f64;
            turns.insert(peer.name, Turn { rate: report.per_second(), cpu });
        }
        say(format!("round {} of {}: {}", round + 1, size.rounds, turns_line(&turns)));
        rounds.push(turns);
    }
    Ok(tabulate(&rounds))
}

struct Peer {
    name: &'static str,
    port: u16,
    ours: bool,
}

const PEERS: &[Peer] = &[
    Peer { name: BASELINE, port: 8711, ours: false },
    Peer { name: GATE, port: 8717, ours: true },
    Peer { name: JS, port: 8712, ours: false },
    Peer { name: JS_WEBCRYPTO, port: 8713, ours: false },
    Peer { name: HONO, port: 8714, ours: false },
    Peer { name: HONO_FORWARD, port: 8716, ours: false },
    Peer { name: PASS, port: 8710, ours: false },
];

const BASELINE: &str = "baseline";
const GATE: &str = "portcullis";
const JS: &str = "js gate, node:crypto";
const JS_WEBCRYPTO: &str = "js gate, WebCrypto";
const HONO: &str = "hono, light forwarding";
const HONO_FORWARD: &str = "hono, our forwarding";
const PASS: &str = "pass-through";

struct Contest {
    folder: PathBuf,
    root: String,
    rows: String,
    key: String,
    /// Calls that make the key known to its Workspace.
    calls: [String; 2],
}

impl Contest {
    /// Puts the peers, the bundle of Hono and the built Worker into one folder.
    fn prepare(checkout: &Checkout) -> Result<Self> {
        let root = seed::dev_root(checkout)?;
        let fingerprint = seed::fingerprint(&root)?;
        let built = worker::build(checkout, &worker::Flavour::Dev { fingerprint })?;
        let folder = checkout.private("bench")?;
        copy(&checkout.path("benches/peers"), &folder)?;
        copy(&built.folder, &folder.join("worker"))?;
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
        let (name, value) = keys::sealed(keyring.newest(), &document)?;
        let rows = serde_json::json!({ name: String::from_utf8(value)? }).to_string();
        let put = Call::Put { document: Box::new(document), replaces: 0 };
        let open = Call::Open { workspace: keys::WORKSPACE.to_owned() };
        let objects = folder.join("objects");
        let _ = fs::remove_dir_all(&objects);
        fs::create_dir_all(&objects)?;
        Ok(Self { folder, root, rows, key, calls: [open, put].map(|call| call.print()) })
    }

    fn start(&self, checkout: &Checkout) -> Result<Workerd> {
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
        for peer in PEERS {
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
            let (path, body) = (format!("/{}", keys::WORKSPACE), call.as_bytes());
            let answer = http::request(CONTROL, "POST", &path, &[], body, CONTROL_TIMEOUT)?;
            ensure!(answer.status == 200, "the Workspace does not answer: {}", answer.text());
        }
        Ok(workerd)
    }

    fn turn(&self, peer: &Peer, seconds: f64) -> Result<Report> {
        let key = if peer.ours { &self.key } else { PEERS_KEY };
        let request = format!(
            "GET /v1/agents/agent-123?limit=10 HTTP/1.1\r\nHost: api.test\r\nUser-Agent: bench\r\n\
             Accept: application/json\r\nAuthorization: Bearer {key}\r\nCF-Connecting-IP: 203.0.113.9\r\n\r\n"
        );
        let until = Until::Elapsed(Duration::from_secs_f64(seconds));
        repeat(&Load { address: address(peer), connections: 8, until }, &[request.into_bytes()])
    }
}

const CONTROL: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8718));
const CONTROL_TIMEOUT: Duration = Duration::from_secs(10);

/// The key in `bench.capnp`.
const PEERS_KEY: &str = "ak_0ABCDEF1234567TAGTAG_GABCDEFGHJKMNPQRSTVWXYZ0123TAGTAGCRC1234";

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
    },
};

struct Workerd(Child);

impl Workerd {
    /// User and system time so far.
    fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
        let ticks = ticks(11).zip(ticks(12)).context("/proc/…/stat has another form")?;
        Ok(Duration::from_millis((ticks.0 + ticks.1) * 1000 / TICKS_PER_SECOND))
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `USER_HZ`, fixed by Linux's interface.
const TICKS_PER_SECOND: u64 = 100;

#[derive(Clone, Copy)]
struct Turn {
    rate: f64,
    cpu: f64,
}

fn turns_line(turns: &BTreeMap<&str, Turn>) -> String {
    let each = turns.iter().map(|(name, turn)| format!("{name} {:.0}/s", turn.rate));
    each.collect::<Vec<_>>().join(", ")
}

fn tabulate(rounds: &[BTreeMap<&str, Turn>]) -> Table {
    let series = |value: &dyn Fn(&BTreeMap<&str, Turn>) -> f64| {
        Interval::of(&rounds.iter().map(value).collect::<Vec<_>>()).unwrap_or(UNKNOWN)
    };
    let rate = |over: &'static str, under: &'static str| {
        series(&|turns| turns[over].rate / turns[under].rate)
    };
    let added = |turns: &BTreeMap<&str, Turn>, name: &str| turns[name].cpu - turns[BASELINE].cpu;
    let js = if rate(JS, JS_WEBCRYPTO).median >= 1.0 { JS } else { JS_WEBCRYPTO };
    let cpu = series(&|turns| added(turns, GATE) / added(turns, js));
    let rows = [
        (format!("throughput / {BASELINE}"), rate(GATE, BASELINE), Goal::AtLeast(0.92)),
        (format!("throughput / {js}"), rate(GATE, js), Goal::AtLeast(1.15)),
        (format!("throughput / {HONO}"), rate(GATE, HONO), Goal::AtLeast(1.15)),
        (format!("throughput / {HONO_FORWARD}"), rate(GATE, HONO_FORWARD), Goal::AtLeast(1.15)),
        (format!("CPU added to {BASELINE} / that {js} adds"), cpu, Goal::AtMost(0.5)),
        (format!("({js} / {BASELINE})"), rate(js, BASELINE), Goal::None),
        (format!("({HONO} / {BASELINE})"), rate(HONO, BASELINE), Goal::None),
        (format!("({HONO_FORWARD} / {BASELINE})"), rate(HONO_FORWARD, BASELINE), Goal::None),
        (format!("({PASS} / {BASELINE})"), rate(PASS, BASELINE), Goal::None),
        (
            format!("(CPU a request, {BASELINE}, µs)"),
            series(&|turns| turns[BASELINE].cpu * 1e6),
            Goal::None,
        ),
        (
            format!("(CPU added a request, {GATE}, µs)"),
            series(&|turns| added(turns, GATE) * 1e6),
            Goal::None,
        ),
        (
            format!("(CPU added a request, {js}, µs)"),
            series(&|turns| added(turns, js) * 1e6),
            Goal::None,
        ),
    ];
    let mut text =
        format!("{:<48} {:>8}  {:>17}  goal", "warm bearer request", "median", "95 % interval");
    let mut missed = Vec::new();
    for (name, median, goal) in rows {
        let verdict = goal.verdict(&median);
        if verdict == "MISSED" {
            missed.push(name.clone());
        }
        let Interval { median, low, high } = median;
        text.push_str(&format!(
            "\n{name:<48} {median:>8.3}  {low:>8.3}–{high:<8.3}  {goal} {verdict}"
        ));
    }
    Table { text, missed }
}

const UNKNOWN: Interval = Interval { median: f64::NAN, low: f64::NAN, high: f64::NAN };

enum Goal {
    AtLeast(f64),
    AtMost(f64),
    None,
}

impl Goal {
    fn verdict(&self, median: &Interval) -> &'static str {
        let (met, missed) = match *self {
            Self::AtLeast(goal) => (median.median >= goal, median.high < goal),
            Self::AtMost(goal) => (median.median <= goal, median.low > goal),
            Self::None => return "",
        };
        match (met, missed) {
            (true, _) => "met",
            (false, true) => "MISSED",
            (false, false) => "undecided",
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(goal) => write!(f, "≥ {goal}"),
            Self::AtMost(goal) => write!(f, "≤ {goal}"),
            Self::None => Ok(()),
        }
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

/// Loads `http://ADDRESS:PORT/target` with GETs and prints what came of it, to compare the load
/// generator with others.
pub fn load(url: &str, connections: usize, seconds: f64, headers: &[String]) -> Result<()> {
    let rest = url.strip_prefix("http://").context("only http:// URLs")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let address: SocketAddr = authority.parse().context("the URL needs an address and a port")?;
    let target = if path.is_empty() { "/" } else { path };
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    let until = Until::Elapsed(Duration::from_secs_f64(seconds));
    let report = repeat(&Load { address, connections, until }, &[request.into_bytes()])?;
    println!("{}", line(&report));
    Ok(())
}

/// A report in one line.
pub fn line(report: &Report) -> String {
    format!(
        "{:.0}/s, p50 {:.2?}, p99 {:.2?}, {:?}, {} errors",
        report.per_second(),
        report.percentile(0.5),
        report.percentile(0.99),
        report.statuses,
        report.errors
    )
}
