//! The conformance step: the built Workers on plain workerd, in front of an origin that records,
//! asked over raw sockets.
//!
//! The vectors of decisions ([`decisions`]) and of signatures ([`signatures`]) over HTTP, the raw cases of `tests/conformance/*.json`
//! ([`raw`]), and what takes more than one request to see ([`programs`]). The raw cases once more by TLS,
//! before the Workers that somebody would deploy ([`deployed`]).

mod authority;
mod cases;
mod decisions;
pub mod deployed;
mod fault;
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
mod tally;
mod tokens;
mod verdicts;
mod wycheproof;

pub(crate) use raw::now;

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use portcullis::root::Keyring;

use crate::checkout::Checkout;
use crate::control::Control;
use crate::http::{Connection, Reply};
use crate::vectors::{WORKSPACE, World};
use crate::worker::{self, Flavour};
use crate::workerd::{Observed, Options, Server, State};
use crate::{seed, serve, tools};
use cases::Case;
use issuers::Issuers;
use origin::{Origin, Seen};
use raw::Stage;
use tally::Tally;

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
        tally: Tally::default(),
    };
    bench.restart()?;
    seed::put(bench.control()?, WORKSPACE, &signed::documents(&bench.world, &bench.keyring)?)?;
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
    bench.tally.report()?;
    drop(bench);
    deployed::test(checkout)
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
    tally: Tally,
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

    /// See [`fault::check`].
    fn check_own_answer(&self, reply: &Reply, head: bool) -> Result<String> {
        fault::check(&self.world, reply, head, Some(fault::DOCS))
    }

    /// The same of an answer that explains its code on this page, or on none.
    fn check_fault(&self, reply: &Reply, head: bool, docs: Option<&str>) -> Result<String> {
        fault::check(&self.world, reply, head, docs)
    }

    /// No request may reach the origin after the case it belongs to.
    fn nothing_left(&self) -> Result<()> {
        let seen = self.origin()?.take();
        ensure!(seen.is_empty(), "after the case before, the origin got {seen:?}");
        Ok(())
    }
}

impl Stage for Bench {
    fn world(&self) -> &World {
        &self.world
    }

    fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    fn host(&self) -> &str {
        raw::HOST
    }

    fn connect(&self) -> Result<Connection> {
        Connection::open(self.address, TIMEOUT)
    }

    fn leaves_out(&mut self, _: &Case, _: &str) -> bool {
        false
    }

    fn begin(&self) -> Result<()> {
        self.nothing_left()?;
        self.control()?.reset_counts()
    }

    fn seen(&self, _: Option<&Reply>, ended: bool) -> Result<Vec<Seen>> {
        let origin = self.origin()?;
        Ok(if ended { origin.take_ended() } else { origin.take() })
    }

    fn check_rows(&self, allowed: &[&String]) -> Result<()> {
        let mut read = decisions::rows_read(self)?;
        read.retain(|row| !allowed.contains(&row) && !self.may_read.contains(row));
        ensure!(read.is_empty(), "KV was asked for {read:?}");
        Ok(())
    }

    fn note(&mut self, id: &str, outcome: Result<()>) {
        if !self.tally.note(id, outcome) {
            // So that it does not count against the next case.
            std::thread::sleep(Duration::from_millis(50));
            self.forget();
        }
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

/// A key made for these tests and used nowhere else.
const RSA: &str = "tests/conformance/rsa-pkcs8.b64";
const SCANNER: &str = "tests/conformance/scanner-pkcs8.b64";
const PORTS: (u16, u16) = (9100, 9200);
/// For one answer.
const TIMEOUT: Duration = Duration::from_secs(10);
