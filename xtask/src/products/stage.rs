//! The built Workers with one product's policy, between its people and its origins.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use portcullis::policy::{Document, Period, Upstream, source};
use portcullis::root::Keyring;

use super::people::People;
use crate::checkout::Checkout;
use crate::conformance::origin::Origin;
use crate::conformance::{free_ports, now};
use crate::vectors;
use crate::worker::{self, Flavour};
use crate::workerd::{Options, Server, State};
use crate::{serve, tools};

/// What is served, and what it meets.
pub struct Stage<'c> {
    checkout: &'c Checkout,
    /// The policy's text, as it is now.
    text: String,
    pub policy: Document,
    pub keyring: Keyring,
    pub people: People,
    /// Every origin of the policy.
    pub origin: Origin,
    /// Of webhooks, at `http://hooks.localhost`.
    pub receiver: Origin,
    pub address: SocketAddr,
    /// The millisecond in which a week begins in UTC: the first after this run.
    pub monday: u64,
    workerd: PathBuf,
    state: State,
    options: Options,
    environment: String,
    /// Whether the Workers have the policy as it is now.
    is_built: bool,
    server: Option<Server>,
}

impl<'c> Stage<'c> {
    /// Serves a policy, on new storage.
    pub fn open(
        checkout: &'c Checkout,
        policy: &Path,
        environment: &str,
        people: impl FnOnce(&Document) -> Result<People>,
    ) -> Result<Self> {
        let text = fs::read_to_string(policy)?;
        let compiled = compile(&text)?;
        let people = people(&compiled)?;
        let (origin, receiver) = (Origin::start(0)?, Origin::start(0)?);
        let options = Options {
            port: free_ports(1)?,
            isolates: 1,
            origin: Some(origin.url()),
            services: services(&compiled),
            issuer: Some(people.address),
            receiver: Some(receiver.address()),
            clock: true,
            only_secrets: true,
            ..Options::default()
        };
        let mut stage = Self {
            checkout,
            text,
            policy: compiled,
            keyring: Keyring::parse(&vectors::root())?,
            people,
            origin,
            receiver,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)),
            monday: Period::Week.end(now()? + LONGEST_RUN) * 1000,
            workerd: tools::workerd(checkout)?,
            state: State::open(&checkout.private("products-state")?, true)?,
            options,
            environment: environment.to_owned(),
            is_built: false,
            server: None,
        };
        stage.serve()?;
        Ok(stage)
    }

    /// Changes the policy's text or the environment, and serves that in new isolates.
    pub fn deploy(
        &mut self,
        changes: &BTreeMap<String, String>,
        environment: Option<String>,
    ) -> Result<()> {
        for (old, new) in changes {
            let places = self.text.matches(old.as_str()).count();
            ensure!(places == 1, "the policy says {old:?} {places} times");
            self.text = self.text.replace(old.as_str(), new);
        }
        self.policy = compile(&self.text)?;
        self.is_built &= changes.is_empty();
        if let Some(environment) = environment {
            self.environment = environment;
        }
        self.serve()
    }

    fn serve(&mut self) -> Result<()> {
        self.server = None;
        if self.is_built {
            return self.start();
        }
        let policy = self.checkout.private("products-policy.toml")?;
        fs::write(&policy, &self.text)?;
        let fingerprint = self.keyring.newest().fingerprint().to_owned();
        let flavour = Flavour::Conformance { policy, fingerprint };
        self.options.workers = worker::build(self.checkout, &flavour)?.folder;
        self.is_built = true;
        self.start()
    }

    fn start(&mut self) -> Result<()> {
        self.options.secrets = vec![
            ("PORTCULLIS_ROOT", vectors::root()),
            ("PORTCULLIS_STATIC_KEYS", self.environment.clone()),
        ];
        self.server = Some(Server::start(&self.workerd, &self.state, &self.options)?);
        serve::await_answer(self.address)?;
        self.origin.take();
        Ok(())
    }

    /// The first of the policy's hosts.
    pub fn host(&self) -> Result<&str> {
        self.policy.hosts.first().map(|host| host.as_str()).context("no host")
    }

    /// The only origin of the policy.
    pub fn only_origin(&self) -> Result<&str> {
        match self.policy.origins.as_slice() {
            [origin] => Ok(origin.name.as_str()),
            several => Err(anyhow!("which of {} origins?", several.len())),
        }
    }
}

fn compile(text: &str) -> Result<Document> {
    source::compile(text).map_err(|error| anyhow!("{error}"))
}

/// The names of the bindings to origins.
fn services(policy: &Document) -> Vec<String> {
    let binding = |upstream: &Upstream| match upstream {
        Upstream::Service { binding } => Some(binding.as_str().to_owned()),
        Upstream::Url { .. } => None,
    };
    policy.origins.iter().filter_map(|origin| binding(&origin.upstream)).collect()
}

/// Seconds in which the cases of a product are done.
const LONGEST_RUN: u64 = 3600;
