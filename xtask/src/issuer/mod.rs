//! The development issuer: an OpenID provider on this machine, at which anybody is whom they choose to be.
//!
//! It stands for a secret scanner besides. To the Worker it is an issuer like any other. Its tokens name `http://127.0.0.1:8788` whatever port it
//! listens on, since a policy is compiled into the build.

pub mod codes;
pub mod devices;
pub mod key;
mod pages;
pub mod scanner;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};
use tiny_http::{Method, Response, Server};

use crate::seed;
use codes::{Codes, Grant};
use devices::Devices;
use key::{SigningKey, encode};
use pages::Page;

/// The running issuer. It ends when this is dropped.
#[derive(Debug)]
pub struct Issuer {
    /// Where it listens.
    pub address: SocketAddr,
    key: Arc<SigningKey>,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

struct Stop(Server);

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server(..)")
    }
}

impl Issuer {
    /// Listens on a port of this machine, 0 for any; the key is kept in the folder.
    pub fn start(port: u16, folder: &Path) -> Result<Self> {
        let key = Arc::new(signing_key(folder)?);
        let server = Server::http((Ipv4Addr::LOCALHOST, port))
            .map_err(|error| anyhow!("the issuer cannot listen on port {port}: {error}"))?;
        let address = server.server_addr().to_ip().context("no address")?;
        let stop = Arc::new(Stop(server));
        let service = Service {
            key: Arc::clone(&key),
            address,
            codes: Mutex::default(),
            devices: Mutex::default(),
        };
        let served = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for request in served.0.incoming_requests() {
                service.answer(request);
            }
        });
        Ok(Self { address, key, stop, thread: Some(thread) })
    }

    /// Its URL, as a browser reaches it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An access token for a subject.
    pub fn token(&self, subject: &str) -> Result<String> {
        access_token(&self.key, subject, "portcullis-dev", SCOPE, now()?)
    }

    /// One for each of [`SUBJECTS`].
    pub fn tokens(&self) -> Result<std::collections::BTreeMap<String, String>> {
        SUBJECTS.iter().map(|name| Ok(((*name).to_owned(), self.token(name)?))).collect()
    }

    /// Waits for its end.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.stop.0.unblock();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The key that is kept in a folder, made if there is none.
pub fn signing_key(folder: &Path) -> Result<SigningKey> {
    SigningKey::stored(&folder.join("issuer.pk8"))
}

struct Service {
    key: Arc<SigningKey>,
    address: SocketAddr,
    codes: Mutex<Codes>,
    devices: Mutex<Devices>,
}

impl Service {
    fn answer(&self, mut request: tiny_http::Request) {
        let url = request.url().to_owned();
        let (path, query) = url.split_once('?').unwrap_or((&url, ""));
        let page = match (request.method(), path) {
            // A page elsewhere could reach in here by rebinding a name.
            _ if !host_is_local(&request) => Page::error(403, "access_denied", "unknown host"),
            (Method::Get, "/.well-known/openid-configuration") => {
                Page::json(200, &self.discovery())
            }
            (Method::Get, "/jwks.json") => Page::json(200, &json!({ "keys": [self.key.jwk()] })),
            (Method::Get, "/public_keys.json") => {
                Page::json(200, &scanner::published(&[&self.key]))
            }
            (Method::Get, "/authorize") => self.authorize(query),
            (Method::Get, "/device") => self.device(query),
            (Method::Post, "/token" | "/device_authorization") => {
                let mut form = String::new();
                let mut body = std::io::Read::take(request.as_reader(), MAX_FORM);
                match std::io::Read::read_to_string(&mut body, &mut form) {
                    Ok(_) if path == "/token" => self.redeem(&form),
                    Ok(_) => self.authorize_device(&form),
                    Err(_) => Page::error(400, "invalid_request", "the form cannot be read"),
                }
            }
            _ => Page::error(404, "not_found", "there is nothing here"),
        };
        let mut response = Response::from_string(page.body).with_status_code(page.status);
        for (name, value) in page.headers {
            if let Ok(header) = tiny_http::Header::from_bytes(name, value) {
                response.add_header(header);
            }
        }
        let _ = request.respond(response);
    }

    /// OpenID Connect Discovery §3. What a browser visits stands where it is reached.
    fn discovery(&self) -> Value {
        let here = format!("http://{}", self.address);
        json!({
            "issuer": ISSUER,
            "authorization_endpoint": format!("{here}/authorize"),
            "token_endpoint": format!("{here}/token"),
            "device_authorization_endpoint": format!("{here}/device_authorization"),
            "jwks_uri": format!("{ISSUER}/jwks.json"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "grant_types_supported": ["authorization_code", DEVICE],
        })
    }

    fn authorize(&self, query: &str) -> Page {
        let fields = pages::fields(query);
        let redirect = match codes::check(&fields) {
            Ok(redirect) => redirect,
            Err(problem) => return Page::error(400, "invalid_request", problem),
        };
        let Some(subject) = fields.get("subject") else {
            return pages::choice("/authorize", &fields, SUBJECTS);
        };
        let granted = now().and_then(|now| {
            let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
            codes.issue(Grant::of(&fields, subject), now)
        });
        match granted {
            Ok(code) => Page::redirect(&codes::with_code(redirect, &code, fields.get("state"))),
            Err(_) => Page::error(500, "server_error", "no code could be made"),
        }
    }

    fn authorize_device(&self, form: &str) -> Page {
        let here = format!("http://{}", self.address);
        let issued = now().and_then(|now| {
            let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
            devices.issue(&pages::fields(form), &here, now)
        });
        issued.map_or_else(
            |_| Page::error(500, "server_error", "no code could be made"),
            |codes| Page::json(200, &codes),
        )
    }

    fn device(&self, query: &str) -> Page {
        let fields = pages::fields(query);
        if !fields.contains_key("subject") {
            return pages::choice("/device", &fields, SUBJECTS);
        }
        let Ok(now) = now() else { return Page::error(500, "server_error", "no clock") };
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        if devices.approve(&fields, now) {
            Page::json(200, &json!({ "device": "is let in" }))
        } else {
            Page::error(404, "not_found", "no device waits with this code")
        }
    }

    fn redeem(&self, form: &str) -> Page {
        let fields = pages::fields(form);
        let Ok(now) = now() else { return Page::error(500, "server_error", "no clock") };
        let redeemed = if fields.get("grant_type").is_some_and(|grant| grant == DEVICE) {
            self.devices.lock().unwrap_or_else(PoisonError::into_inner).redeem(&fields, now)
        } else {
            self.codes.lock().unwrap_or_else(PoisonError::into_inner).redeem(&fields, now)
        };
        match redeemed {
            Ok(grant) => match self.tokens_of(&grant, now) {
                Ok(tokens) => Page::json(200, &tokens),
                Err(_) => Page::error(500, "server_error", "no token could be made"),
            },
            Err((code, problem)) => Page::error(400, code, problem),
        }
    }

    fn tokens_of(&self, grant: &Grant, now: u64) -> Result<Value> {
        let Grant { subject, client, nonce, .. } = grant;
        let mut claims = json!({
            "iss": ISSUER, "sub": subject, "aud": client, "iat": now, "exp": now + LIFETIME,
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": self.key.kid });
        Ok(json!({
            "access_token": access_token(&self.key, subject, client, SCOPE, now)?,
            "id_token": self.key.token(&header, &claims)?,
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            "scope": SCOPE,
        }))
    }
}

/// An access token (RFC 9068).
fn access_token(
    key: &SigningKey,
    subject: &str,
    client: &str,
    scope: &str,
    now: u64,
) -> Result<String> {
    let header = json!({ "alg": key.algorithm(), "typ": "at+jwt", "kid": key.kid });
    let claims = json!({
        "iss": ISSUER, "sub": subject, "aud": AUDIENCE, "client_id": client, "scope": scope,
        "email": format!("{subject}@example.test"), "jti": encode(seed::entropy::<16>()?),
        "iat": now, "exp": now + LIFETIME,
    });
    key.token(&header, &claims)
}

fn host_is_local(request: &tiny_http::Request) -> bool {
    let host = request.headers().iter().find(|header| header.field.equiv("host"));
    host.is_some_and(|host| codes::is_local(host.value.as_str()))
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// Who can be chosen. `foreign_admin` is meant for another workspace than the others.
pub const SUBJECTS: &[&str] = &["owner", "admin", "member", "stranger", "foreign_admin"];
/// The `iss` of its tokens, as in policy.toml.
pub const ISSUER: &str = "http://127.0.0.1:8788";
/// Where it listens if it can.
pub const PORT: u16 = 8788;
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const AUDIENCE: &str = "portcullis";
const SCOPE: &str = "*:*";
/// Seconds: a day's work.
const LIFETIME: u64 = Duration::from_secs(12 * 3600).as_secs();
/// Bytes.
const MAX_FORM: u64 = 16 * 1024;
