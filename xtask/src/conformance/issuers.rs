//! Issuers that answer as they are told, one a host.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use data_encoding::BASE64;
use serde_json::json;
use tiny_http::{Header, Response, Server};

use crate::issuer::key::SigningKey;

/// What an issuer answers when it is asked for its keys.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// This text, with this status.
    Text(u16, String),
    /// That they are elsewhere.
    Redirect(String),
    /// Nothing for so long, and then 404.
    Hang(Duration),
}

/// The issuers of the conformance policy. They end when this is dropped.
pub struct Issuers {
    /// Where all of them listen.
    pub address: SocketAddr,
    /// By the last part of `kty`, `crv`: one of each algorithm.
    pub es: SigningKey,
    /// RS256.
    pub rs: SigningKey,
    /// EdDSA.
    pub ed: SigningKey,
    /// The secret scanner's that is written down in the policy.
    pub scanner: SigningKey,
    hosts: Arc<Mutex<BTreeMap<String, (Behaviour, usize)>>>,
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
}

impl Issuers {
    /// Starts them with new keys, an RSA key and the scanner's, both in PKCS #8, base64.
    pub fn start(rsa: &str, scanner: &str) -> Result<Self> {
        let decode = |text: &str| BASE64.decode(text.replace('\n', "").as_bytes());
        let (rsa, mut scanner) = (decode(rsa)?, SigningKey::es256_of(&decode(scanner)?)?);
        scanner.kid = "written-down".to_owned();
        let server = Server::http((Ipv4Addr::LOCALHOST, 0)).map_err(|error| anyhow!("{error}"))?;
        let address = server.server_addr().to_ip().context("no address")?;
        let server = Arc::new(server);
        let hosts = Arc::<Mutex<BTreeMap<String, (Behaviour, usize)>>>::default();
        let (served, told) = (Arc::clone(&server), Arc::clone(&hosts));
        let thread = std::thread::spawn(move || {
            for request in served.incoming_requests() {
                answer(request, &told);
            }
        });
        let issuers = Self {
            address,
            es: SigningKey::es256()?,
            rs: SigningKey::rs256(&rsa)?,
            ed: SigningKey::eddsa()?,
            scanner,
            hosts,
            server,
            thread: Some(thread),
        };
        for (host, key) in [
            ("es.test", &issuers.es),
            ("rs.test", &issuers.rs),
            ("ed.test", &issuers.ed),
            ("cold.test", &issuers.es),
            ("team.cloudflareaccess.test", &issuers.rs),
        ] {
            issuers.publish(host, &[key]);
        }
        Ok(issuers)
    }

    /// Has an issuer publish these keys.
    pub fn publish(&self, host: &str, keys: &[&SigningKey]) {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        self.set(host, Behaviour::Text(200, json!({ "keys": keys }).to_string()));
    }

    /// Has an issuer do this from now on; it is counted anew.
    pub fn set(&self, host: &str, behaviour: Behaviour) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.insert(host.to_owned(), (behaviour, 0));
    }

    /// How often an issuer was asked since it was last told what to do.
    pub fn asked(&self, host: &str) -> usize {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.get(host).map_or(0, |(_, asked)| *asked)
    }
}

impl Drop for Issuers {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(request: tiny_http::Request, hosts: &Mutex<BTreeMap<String, (Behaviour, usize)>>) {
    let header = request.headers().iter().find(|header| header.field.equiv("host"));
    let host = header.map(|header| header.value.as_str().to_owned()).unwrap_or_default();
    let mut hosts = hosts.lock().unwrap_or_else(PoisonError::into_inner);
    let behaviour = hosts.get_mut(&host).map(|(behaviour, asked)| {
        *asked += 1;
        behaviour.clone()
    });
    drop(hosts);
    let _ = match behaviour {
        Some(Behaviour::Text(status, text)) => {
            request.respond(Response::from_string(text).with_status_code(status))
        }
        Some(Behaviour::Redirect(url)) => {
            let location = Header::from_bytes("Location", url);
            let response = Response::from_string("").with_status_code(302);
            request.respond(match location {
                Ok(location) => response.with_header(location),
                Err(()) => response,
            })
        }
        Some(Behaviour::Hang(time)) => {
            std::thread::spawn(move || {
                std::thread::sleep(time);
                let _ = request.respond(Response::from_string("").with_status_code(404));
            });
            Ok(())
        }
        None => request.respond(Response::from_string("").with_status_code(404)),
    };
}
