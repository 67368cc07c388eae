//! The issuers of a policy, whatever their names, and the tokens that they sign.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use portcullis::policy::Document;
use serde_json::{Value, json};
use tiny_http::{Response, Server};

use super::case::Person;
use super::words::Words;
use crate::conformance::now;
use crate::issuer::key::SigningKey;

/// Answers every request with the keys of all issuers. Ends when it is dropped.
pub struct People {
    pub address: SocketAddr,
    key: SigningKey,
    forger: SigningKey,
    people: BTreeMap<String, (Person, Value, String)>,
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
}

impl People {
    /// Signs for these people, as the policy wants it.
    pub fn start(people: BTreeMap<String, Person>, policy: &Document) -> Result<Self> {
        let key = SigningKey::es256()?;
        let set = json!({ "keys": [key.jwk()] }).to_string();
        let server = Server::http((Ipv4Addr::LOCALHOST, 0)).map_err(|error| anyhow!("{error}"))?;
        let address = server.server_addr().to_ip().context("no address")?;
        let server = Arc::new(server);
        let served = Arc::clone(&server);
        let thread = std::thread::spawn(move || {
            for request in served.incoming_requests() {
                let _ = request.respond(Response::from_string(set.as_str()));
            }
        });
        let known = |(name, person): (String, Person)| {
            let rules = policy.issuers.iter().find(|rules| rules.name.as_str() == person.issuer);
            let rules = rules.with_context(|| format!("{name}: no such issuer"))?;
            let audience = rules.audiences.first().context("no audience")?;
            let typ = rules.types.first().map_or("JWT", |typ| typ.as_str()).to_owned();
            let claims = json!({ "iss": rules.issuer.as_str(), "aud": audience.as_str() });
            Ok((name, (person, claims, typ)))
        };
        let people = people.into_iter().map(known).collect::<Result<_>>()?;
        let forger = SigningKey::es256()?;
        Ok(Self { address, key, forger, people, server, thread: Some(thread) })
    }

    /// A token of a person's.
    pub fn token(&self, name: &str, words: &Words) -> Result<String> {
        let (person, claims, typ) =
            self.people.get(name).with_context(|| format!("nobody is called {name}"))?;
        let now = now()?;
        let mut claims = claims.clone();
        claims["sub"] = json!(person.sub);
        claims["iat"] = json!(now.saturating_sub(600));
        claims["exp"] = json!(now.checked_add_signed(person.lasts).context("time")?);
        if let Some(scope) = &person.scope {
            claims["scope"] = json!(scope);
        }
        for (name, value) in &person.claims {
            claims[name] = words.plain_value(value)?;
        }
        let key = if person.forged { &self.forger } else { &self.key };
        key.token(&json!({ "alg": key.algorithm(), "typ": typ, "kid": self.key.kid }), &claims)
    }
}

impl Drop for People {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
