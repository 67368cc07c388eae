//! The conformance step: the built Workers on plain workerd, in front of an origin that records,
//! asked over raw sockets.
//!
//! The vectors of decisions ([`decisions`]) and of signatures ([`signatures`]) over HTTP, the raw cases of `tests/conformance/*.json`
//! ([`raw`]), and what takes more than one request to see ([`programs`]).

mod authority;
mod decisions;
pub(crate) mod forwarded;
mod issuers;
mod jose;
mod keysets;
mod leaks;
mod management;
mod observed;
pub(crate) mod origin;
mod panics;
mod people;
mod programs;
mod raw;
mod settled;
mod signatures;
mod signed;
mod tokens;
mod verdicts;
mod wycheproof;

pub(crate) use raw::now;

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use portcullis::root::Keyring;

use crate::checkout::{Checkout, say};
use crate::control::Control;
use crate::http::Reply;
use crate::vectors::{WORKSPACE, World};
use crate::worker::{self, Flavour};
use crate::workerd::{Observed, Options, Server, State};
use crate::{seed, serve, tools};
use issuers::Issuers;
use origin::Origin;

/// Runs everything; an error tells how many cases failed, and each failure is printed with its id.
pub fn run(checkout: &Checkout) -> Result<()> {
    for name in ["PORTCULLIS_ROOT", "PORTCULLIS_STATIC_KEYS"] {
        ensure!(std::env::var_os(name).is_none(), "unset {name}: the test root is to be used");
    }
    let world = World::read(checkout)?;
    let keyring = Keyring::parse(&world.root)?;
    let policy = observed::policy(checkout, observed::ALL)?;
    let fingerprint = keyring.newest().fingerprint().to_owned();
    let built = worker::build(checkout, &Flavour::Conformance { policy, fingerprint })?;
    let origin_port = free_ports(1)?;
    let origin = Origin::start(origin_port)?;
    let issuers = Issuers::start(
        &fs::read_to_string(checkout.path(RSA))?,
        &fs::read_to_string(checkout.path(SCANNER))?,
    )?;
    let options = Options {
        workers: built.folder,
        issuer: Some(issuers.address),
        clock: true,
        observed: Observed::All,
        port: free_ports(1)?,
        isolates: 1,
        origin: Some(origin.url()),
        secrets: vec![
            ("PORTCULLIS_ROOT", world.root.clone()),
            ("PORTCULLIS_STATIC_KEYS", world.static_keys.clone()),
        ],
        only_secrets: true,
        ..Options::default()
    };
    let state = State::open(&checkout.private("conformance-state")?, true)?;
    let mut bench = Bench {
        workerd: tools::workerd(checkout)?,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)),
        world,
        keyring,
        state,
        options,
        origin: Some(origin),
        origin_port,
        issuers,
        server: None,
        told: observed::Record::default(),
        may_read: BTreeSet::new(),
        failures: Vec::new(),
        passed: 0,
    };
    bench.restart()?;
    seed::put(bench.control()?, WORKSPACE, &signed::documents(&bench)?)?;
    // So that no later case is the Workspace's first.
    bench.restart()?;
    decisions::run(checkout, &mut bench)?;
    signatures::run(&mut bench)?;
    raw::run(checkout, &mut bench)?;
    programs::run(&mut bench)?;
    bench.restart()?;
    let outcome = observed::scan(&bench);
    bench.note("nothing secret is told of any decision", outcome);
    let outcome = observed::sampled(checkout, &mut bench);
    bench.note("shares of decisions, and no Analytics Engine", outcome);
    bench.report()
}

/// The Workers, their origin, and what came of the cases.
struct Bench {
    workerd: std::path::PathBuf,
    address: SocketAddr,
    world: World,
    keyring: Keyring,
    state: State,
    options: Options,
    /// `None` while it is down.
    origin: Option<Origin>,
    origin_port: u16,
    issuers: Issuers,
    server: Option<Server>,
    /// What gates have told of decisions.
    told: observed::Record,
    /// The rows that a refresh of an earlier case may still read.
    may_read: BTreeSet<String>,
    failures: Vec<String>,
    passed: usize,
}

impl Bench {
    /// A new isolate on the world's rows.
    fn restart(&mut self) -> Result<()> {
        if let Some(server) = self.server.take().filter(|_| self.options.observed == Observed::All)
        {
            self.told.take(&server)?;
        }
        let server = Server::start(&self.workerd, &self.state, &self.options)?;
        let rows = self.world.kv.iter();
        server.control.put_rows(rows.map(|(name, value)| (name.clone(), value.clone().into())))?;
        serve::await_answer(self.address)?;
        self.server = Some(server);
        self.forget();
        Ok(())
    }

    fn control(&self) -> Result<&Control> {
        Ok(&self.server.as_ref().context("no server")?.control)
    }

    fn origin(&self) -> Result<&Origin> {
        self.origin.as_ref().context("the origin is down")
    }

    /// Drops what the origin has seen so far.
    fn forget(&self) {
        self.origin.iter().for_each(|origin| drop(origin.take()));
    }

    /// Counts a case, and keeps why it failed.
    fn note(&mut self, id: &str, outcome: Result<()>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(error) => {
                let failure = format!("{id}: {error:#}");
                say(format!("FAILED {failure}"));
                self.failures.push(failure);
                // So that it does not count against the next case.
                std::thread::sleep(Duration::from_millis(50));
                self.forget();
            }
        }
    }

    fn report(&self) -> Result<()> {
        say(format!("conformance: {} passed, {} failed", self.passed, self.failures.len()));
        if !self.failures.is_empty() {
            bail!("{} cases failed:\n{}", self.failures.len(), self.failures.join("\n"));
        }
        Ok(())
    }

    /// What holds for every answer of the gate's own: its headers, its body's form, and that it
    /// repeats no secret.
    fn check_own_answer(&self, reply: &Reply, head: bool) -> Result<String> {
        self.check_fault(reply, head, Some(DOCS))
    }

    /// The same of an answer that explains its code on this page, or on none.
    fn check_fault(&self, reply: &Reply, head: bool, docs: Option<&str>) -> Result<String> {
        let header = |name| reply.header(name).with_context(|| format!("no {name}"));
        ensure!(header("cache-control")? == "no-store", "not no-store");
        ensure!(header("x-content-type-options")? == "nosniff", "not nosniff");
        let request_id = header("x-request-id")?;
        ensure!(request_id.len() == 32, "request id {request_id}");
        if reply.status == 401 {
            ensure!(header("www-authenticate")?.starts_with("Bearer realm="), "no challenge");
        }
        let everything = format!("{:?} {}", reply.headers, reply.text());
        for (name, key) in &self.world.keys {
            ensure!(!everything.contains(key.as_str()), "the answer holds the key {name}");
        }
        if head {
            ensure!(reply.body.is_empty(), "a body after HEAD");
            return Ok(String::new());
        }
        let json = reply.json()?;
        let problem = header("content-type")? == "application/problem+json";
        let body = if problem { &json } else { &json["error"] };
        let code = body["code"].as_str().context("no code")?.to_owned();
        ensure!(body["status"] == reply.status, "another status in the body: {body}");
        ensure!(body["request_id"] == request_id, "another request id in the body");
        let doc = if problem { &body["type"] } else { &body["doc_url"] };
        let expected = docs.map(|docs| format!("{docs}#{code}"));
        let none = problem.then(|| "about:blank".to_owned());
        ensure!(doc.as_str() == expected.or(none).as_deref(), "doc_url {doc}");
        let wait = reply.header("retry-after").map(str::parse::<u64>).transpose()?;
        ensure!(body["retry_after"].as_u64() == wait, "another retry_after in the body");
        ensure!(wait.is_none_or(|wait| wait > 0), "retry at once");
        Ok(code)
    }
}

/// The first of some free, adjacent ports.
pub(crate) fn free_ports(count: u16) -> Result<u16> {
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    (PORTS.0..PORTS.1)
        .step_by(usize::from(count))
        .find(|first| (*first..first + count).all(free))
        .context("no free port")
}

/// As in the policy.
const DOCS: &str = "https://docs.test/errors";
/// A key made for these tests and used nowhere else.
const RSA: &str = "tests/conformance/rsa-pkcs8.b64";
const SCANNER: &str = "tests/conformance/scanner-pkcs8.b64";
const PORTS: (u16, u16) = (9100, 9200);
/// For one answer.
const TIMEOUT: Duration = Duration::from_secs(10);
