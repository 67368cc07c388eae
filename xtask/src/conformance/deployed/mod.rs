//! The raw cases before a gate that is deployed: by TLS, and seen from outside alone.
//!
//! What the origin got it tells itself, in a header of its answers. KV cannot be seen, nor a request
//! whose answer the gate makes; cases that need either, or that Cloudflare's network decides before
//! any Worker, say so in `local` and are left out.

mod prepare;

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use data_encoding::BASE64;
use portcullis::host::HostName;
use portcullis::root::Keyring;
use rustls::ClientConfig;
use serde::Deserialize;

use super::cases::Case;
use super::origin::Seen;
use super::raw::{self, Stage};
use super::tally::Tally;
use super::{TIMEOUT, free_ports};
use crate::checkout::{Checkout, say};
use crate::http::{Connection, Reply};
use crate::vectors::World;
use crate::workerd::{KeyPair, Options, Server, State};
use crate::{stream, tools};

/// Writes what is to be deployed for this URL into `.portcullis/deployed`.
///
/// # Errors
/// If the URL is not `https://HOST`, or the namespace no id.
pub fn prepare(checkout: &Checkout, url: &str, namespace: &str) -> Result<()> {
    let folder = checkout.private("deployed")?;
    prepare::prepare(checkout, &folder, &host(url)?, namespace)?;
    say(format!(
        "{} is written: docs/testing.md has the commands that deploy it.",
        folder.display()
    ));
    say("Its root is published: deploy it for this test alone, and delete it afterwards.");
    Ok(())
}

/// Plays the cases before the gate at this URL, whose certificate one of `ca` vouches for if it is given.
///
/// # Errors
/// Names the cases that failed.
pub fn run(checkout: &Checkout, url: &str, ca: Option<&Path>) -> Result<()> {
    let host = host(url)?;
    let mut addresses = (host.as_str(), 443).to_socket_addrs().context("no such host")?;
    let answers = |address: &SocketAddr| TcpStream::connect_timeout(address, TIMEOUT).is_ok();
    let address = addresses.find(answers).context("nothing answers on port 443")?;
    let mut gate = Deployed::new(World::read(checkout)?, &host, address, stream::believe(ca)?)?;
    gate.play(checkout)
}

/// Prepares a gate, serves it here by TLS, and plays the cases.
///
/// # Errors
/// Names the cases that failed.
pub fn test(checkout: &Checkout) -> Result<()> {
    let folder = checkout.private("deployed-test")?;
    let host = host(&format!("https://{HOST}"))?;
    let world = prepare::prepare(checkout, &folder, &host, "00")?;
    let certificate = checkout.path(CERTIFICATE);
    let options = Options {
        workers: folder.clone(),
        port: free_ports(1)?,
        isolates: 1,
        demo: Some(folder.join(prepare::ORIGIN)),
        https: Some(KeyPair {
            certificate: fs::read_to_string(&certificate)?,
            pkcs8: fs::read_to_string(checkout.path(KEY))?,
        }),
        secrets: vec![
            ("PORTCULLIS_ROOT", fs::read_to_string(folder.join("root"))?),
            ("PORTCULLIS_STATIC_KEYS", fs::read_to_string(folder.join("static-keys"))?),
        ],
        only_secrets: true,
        ..Options::default()
    };
    let state = State::open(&checkout.private("deployed-state")?, true)?;
    let server = Server::start(&tools::workerd(checkout)?, &state, &options)?;
    let rows: Vec<Row> = serde_json::from_slice(&fs::read(folder.join(prepare::ROWS))?)?;
    server.control.put_rows(rows.into_iter().map(|row| (row.key, row.value.into_bytes())))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let believed = stream::believe(Some(&certificate))?;
    // The gate has this host, too; its certificate has not.
    let other = HostName::parse("localhost").map_err(|_| anyhow!("no host"))?;
    let other = Deployed::new(world.clone(), &other, address, Arc::clone(&believed))?;
    let refused = other.make_known().err().map(|error| format!("{error:#}"));
    let of_certificate = refused.as_deref().is_some_and(|text| text.contains("peer certificate"));
    ensure!(of_certificate, "a key goes to a host without its certificate: {refused:?}");
    let mut gate = Deployed::new(world, &host, address, believed)?;
    gate.play(checkout)?;
    ensure!(gate.tally.passed() >= AT_LEAST, "only {} cases were played", gate.tally.passed());
    Ok(())
}

/// A gate that somebody has deployed.
struct Deployed {
    world: World,
    keyring: Keyring,
    host: String,
    address: SocketAddr,
    believed: Arc<ClientConfig>,
    tally: Tally,
    /// How many cases are left out, by the reason.
    left_out: BTreeMap<String, usize>,
}

impl Deployed {
    fn new(
        world: World,
        host: &HostName,
        address: SocketAddr,
        believed: Arc<ClientConfig>,
    ) -> Result<Self> {
        let keyring = Keyring::parse(&world.root)?;
        let host = host.as_str().to_owned();
        let (tally, left_out) = (Tally::default(), BTreeMap::new());
        Ok(Self { world, keyring, host, address, believed, tally, left_out })
    }

    fn play(&mut self, checkout: &Checkout) -> Result<()> {
        self.make_known()?;
        raw::run(checkout, self)?;
        for (reason, count) in &self.left_out {
            say(format!("left out: {count:>3}  {reason}"));
        }
        self.tally.report()
    }

    /// Has the origin make its keys known. No other gate is to get the cases.
    fn make_known(&self) -> Result<()> {
        let mut connection = self.connect()?;
        let request = "GET /near/known HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {key open}\r\n\r\n";
        let request = self.world.fill(&request.replace("{host}", &self.host))?;
        connection.send(request.as_bytes())?;
        let reply = connection.receive(false)?;
        let is_known = reply.status == 204 && reply.header(GOT).is_some();
        ensure!(is_known, "{} is no gate made by --prepare: {}", self.host, reply.status);
        Ok(())
    }
}

impl Stage for Deployed {
    fn world(&self) -> &World {
        &self.world
    }

    fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    fn host(&self) -> &str {
        &self.host
    }

    fn connect(&self) -> Result<Connection> {
        Connection::open_tls(self.address, &self.host, &self.believed, TIMEOUT)
    }

    fn leaves_out(&mut self, case: &Case, via: &str) -> bool {
        let is_far = via == "far" || case.send.parts().iter().any(|text| text.contains(" /far/"));
        let reason = case.local.as_deref().or(is_far.then_some(FAR));
        reason.map(|reason| *self.left_out.entry(reason.to_owned()).or_default() += 1).is_some()
    }

    fn begin(&self) -> Result<()> {
        Ok(())
    }

    fn seen(&self, reply: Option<&Reply>, _: bool) -> Result<Vec<Seen>> {
        let Some(got) = reply.and_then(|reply| reply.header(GOT)) else { return Ok(Vec::new()) };
        let got: Got = serde_json::from_slice(&BASE64.decode(got.as_bytes())?)?;
        let body = BASE64.decode(got.body.context("a body too long to be told")?.as_bytes())?;
        let Got { method, target, headers, .. } = got;
        Ok(vec![Seen { method, target, headers, body, whole: true, ..Seen::default() }])
    }

    fn check_rows(&self, _: &[&String]) -> Result<()> {
        Ok(())
    }

    fn note(&mut self, id: &str, outcome: Result<()>) {
        self.tally.note(id, outcome);
    }
}

/// What xtask/deployed/origin.mjs tells.
#[derive(Deserialize)]
struct Got {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    /// In base64, unless it is too long.
    body: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    key: String,
    value: String,
}

fn host(url: &str) -> Result<HostName> {
    let host = url.strip_prefix("https://").map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let host = host.and_then(|host| HostName::parse(host).ok());
    host.with_context(|| format!("--url: https://HOST and no more, not {url}"))
}

/// The header by which the origin tells what it got.
const GOT: &str = "x-origin-got";
const FAR: &str = "its one origin is reached by a service binding, not by a URL";
/// Of the certificate.
const HOST: &str = "gate.test";
/// Made for this test and used nowhere else; valid until 2126.
const CERTIFICATE: &str = "tests/conformance/tls.pem";
const KEY: &str = "tests/conformance/tls-pkcs8.b64";
/// So that not all can be left out.
const AT_LEAST: usize = 350;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_https_and_a_host() {
        assert_eq!(host("https://api.example.com/").unwrap().as_str(), "api.example.com");
        for url in ["api.example.com", "http://a.example", "https://a.example/b", "https://"] {
            assert!(host(url).is_err(), "{url}");
        }
    }
}
