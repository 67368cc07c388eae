//! `dev` and `workerd`: builds, seeds, serves, and says so in one line or in words.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::api::Api;
use crate::checkout::Checkout;
use crate::http;
use crate::issuer::{self, Issuer};
use crate::members;
use crate::seed::{self, Seeds};
use crate::tools;
use crate::worker::{self, Flavour};
use crate::workerd::{Options, Server, State};

/// What to serve, and how.
#[derive(Debug, Clone)]
pub struct Serve {
    /// Port of the first gate.
    pub port: u16,
    /// How many gates.
    pub isolates: u16,
    /// The origin's URL; `None` for the demo origin.
    pub origin: Option<String>,
    /// The state folder.
    pub state: PathBuf,
    /// Whether to empty it first.
    pub fresh: bool,
    /// Whether faults can be set over the port before `port`.
    pub chaos: bool,
    /// Another policy than the clone's.
    pub policy: Option<PathBuf>,
    /// Port of the development issuer; 0 for any, which is also taken if another has the port.
    pub issuer: u16,
    /// What of this machine stands for `hooks.localhost`, where webhooks can go.
    pub receiver: Option<SocketAddr>,
}

impl Serve {
    /// What `dev` serves.
    #[must_use]
    pub fn dev(port: u16, state: PathBuf) -> Self {
        Self {
            port,
            isolates: 1,
            origin: None,
            state,
            fresh: false,
            chaos: false,
            policy: None,
            issuer: issuer::PORT,
            receiver: None,
        }
    }

    /// The issuer, elsewhere if its port is to be a gate's or is taken.
    fn issuer(&self, state: &State) -> Result<Issuer> {
        let gates = self.port.saturating_sub(1)..=self.port.saturating_add(self.isolates - 1);
        let port = if gates.contains(&self.issuer) { 0 } else { self.issuer };
        Issuer::start(port, state.folder()).or_else(|_| Issuer::start(0, state.folder()))
    }
}

/// A gate that answers.
#[derive(Debug)]
pub struct Running {
    /// Its process. Ends with this.
    pub server: Server,
    /// Where the gates listen.
    pub gates: Vec<SocketAddr>,
    /// The demo workspace.
    pub seeds: Seeds,
    /// The development issuer.
    pub issuer: Issuer,
    chaos: bool,
    _state: State,
}

/// Makes the tools present, builds, starts workerd, stores the demo workspace and waits until
/// every gate answers.
pub fn start(checkout: &Checkout, serve: &Serve) -> Result<Running> {
    tools::ensure_present(checkout, tools::BUILD)?;
    let root = seed::dev_root(checkout)?;
    let fingerprint = seed::fingerprint(&root)?;
    let flavour = match &serve.policy {
        None => Flavour::Dev { fingerprint },
        Some(policy) => Flavour::Conformance { policy: policy.clone(), fingerprint },
    };
    let built = worker::build(checkout, &flavour)?;
    let state = State::open(&serve.state, serve.fresh)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut seeds = seed::stored(state.folder(), &root, now)?;
    let issuer = serve.issuer(&state)?;
    seeds.tokens = issuer.tokens()?;
    let known = seed::known(&root, &seeds, now)?;
    let options = Options {
        workers: built.folder,
        port: serve.port,
        isolates: serve.isolates,
        origin: serve.origin.clone(),
        chaos: serve.chaos,
        issuer: Some(issuer.address),
        receiver: serve.receiver,
        guard: None,
        secrets: vec![
            ("PORTCULLIS_ROOT", root),
            ("PORTCULLIS_STATIC_KEYS", seeds.static_keys.clone()),
        ],
        ..Options::default()
    };
    let server = Server::start(&tools::workerd(checkout)?, &state, &options)?;
    server.control.put_rows(known.rows)?;
    seed::put(&server.control, &seeds.workspace, &known.documents)?;
    let gates: Vec<_> = (serve.port..=serve.port.saturating_add(serve.isolates - 1))
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .collect();
    for gate in &gates {
        await_answer(*gate)?;
    }
    let owner = Api::new(gates[0], seeds.tokens.get("owner").cloned());
    let seeded = members::seed(&owner, state.folder(), &seeds.workspace);
    // Another policy need not name this issuer, or this owner.
    if serve.policy.is_none() {
        seeded?;
    }
    server.control.reset_counts()?;
    Ok(Running { server, gates, seeds, issuer, chaos: serve.chaos, _state: state })
}

/// Starts, prints the ready line (JSON) or words, and serves until a signal. The exit code.
pub fn serve(checkout: &Checkout, serve: &Serve, json: bool) -> Result<i32> {
    let mut running = start(checkout, serve)?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    if json {
        println!("{}", running.ready());
    } else {
        print!("{}", running.words());
    }
    loop {
        if let Some(signal) = signals.pending().next() {
            return Ok(128 + signal);
        }
        if let Some(status) = running.server.ended()? {
            bail!("workerd ended ({status}):\n{}", running.server.log());
        }
        std::thread::sleep(POLL);
    }
}

impl Running {
    /// The URL of the first gate.
    pub fn url(&self) -> String {
        format!("http://{}", self.gates[0])
    }

    /// The ready line.
    pub fn ready(&self) -> Value {
        let mut ready = json!({
            "ready": true,
            "url": self.url(),
            "urls": self.gates.iter().map(|gate| format!("http://{gate}")).collect::<Vec<_>>(),
            "admin_url": self.admin_url(),
            "issuer_url": self.issuer.url(),
            "workspace": self.seeds.workspace,
            "keys": self.seeds.keys,
            "signing": self.seeds.signing,
            "tokens": self.seeds.tokens,
            "curl": self.curls().iter().map(|curl| json!({
                "name": curl.name, "command": curl.command, "status": curl.status, "code": curl.code,
            })).collect::<Vec<_>>(),
            "pid": self.server.pid,
        });
        if self.chaos {
            ready["control_url"] = format!("http://{}", self.server.control_address).into();
        }
        ready
    }

    /// The same for people, with lines to paste.
    fn words(&self) -> String {
        let mut words = format!(
            "\nPortcullis answers at {} (management: {}).\nDevelopment issuer: {}\nDemo workspace: {}\n",
            self.url(),
            self.admin_url(),
            self.issuer.url(),
            self.seeds.workspace
        );
        if self.chaos {
            words.push_str(&format!("Control: http://{}\n", self.server.control_address));
        }
        for curl in self.curls() {
            let code = curl.code.map(|code| format!(" {code}")).unwrap_or_default();
            words.push_str(&format!(
                "\n# {} → {}{code}\n{}\n",
                curl.name, curl.status, curl.command
            ));
        }
        words.push_str("\nCtrl-C ends it.\n");
        words
    }

    fn admin_url(&self) -> String {
        format!("http://{}", self.admin_host())
    }

    fn curls(&self) -> Vec<Curl> {
        let keys = TRIES.iter().filter_map(|try_out| try_out.curl(&self.url(), &self.seeds));
        let signed = SIGNED.iter().filter_map(|try_out| try_out.curl(&self.url(), &self.seeds));
        keys.chain(signed)
            .chain(signed_v2(&self.url(), &self.seeds))
            .chain(["owner", "admin", "member"].iter().filter_map(|who| self.me(who)))
            .chain(self.person("GET", "/v1/agents"))
            .chain(self.person("POST", "/v1/agents/agent-123/runs"))
            .collect()
    }

    /// Who somebody is to the management API. Not every resolver knows names below `localhost`.
    fn me(&self, who: &str) -> Option<Curl> {
        let token = self.seeds.tokens.get(who)?;
        let (url, host) = (self.url(), self.admin_host());
        let command =
            format!("curl -i {url}/api/v1/me -H 'Host: {host}' -H 'Authorization: Bearer {token}'");
        let name = format!("{who}'s token: GET /api/v1/me on the admin host");
        Some(Curl { name, command, status: 200, code: None })
    }

    /// Somebody at a gated route.
    fn person(&self, method: &str, path: &str) -> Option<Curl> {
        let (url, token) = (self.url(), self.seeds.tokens.get("member")?);
        let command = format!("curl -i {url}{path} -X {method} -H 'Authorization: Bearer {token}'");
        let name = format!("member's token: {method} {path}");
        Some(Curl { name, command, status: 200, code: None })
    }

    fn admin_host(&self) -> String {
        format!("portcullis.localhost:{}", self.gates[0].port())
    }
}

/// A command to try, and what it is answered.
struct Curl {
    name: String,
    command: String,
    status: u16,
    code: Option<&'static str>,
}

/// A request of the demo.
struct Try {
    /// The key's name and the header it goes in.
    key: Option<(&'static str, &'static str)>,
    method: &'static str,
    path: &'static str,
    header: Option<&'static str>,
    status: u16,
    code: Option<&'static str>,
}

impl Try {
    /// The command, if there is such a key.
    fn curl(&self, url: &str, seeds: &Seeds) -> Option<Curl> {
        let mut command = format!("curl -i {url}{}", self.path);
        if self.method != "GET" {
            command.push_str(&format!(" -X {}", self.method));
        }
        if let Some((name, header)) = self.key {
            command.push_str(&format!(" -H '{header}{}'", seeds.keys.get(name)?));
        }
        if let Some(header) = self.header {
            command.push_str(&format!(" -H '{header}'"));
        }
        let name = self.key.map_or("no key", |(name, _)| name);
        let name = format!("{name}: {} {}", self.method, self.path);
        Some(Curl { name, command, status: self.status, code: self.code })
    }
}

/// A signed request of the demo: a line for a shell that has `openssl`.
struct Signed {
    /// The key's name.
    key: &'static str,
    /// Whether the key goes with it, or its public name alone.
    bearer: bool,
    method: &'static str,
    path: &'static str,
    body: &'static str,
}

impl Signed {
    /// The command, if there is such a key.
    fn curl(&self, url: &str, seeds: &Seeds) -> Option<Curl> {
        let (key, secret) = (seeds.keys.get(self.key)?, seeds.signing.get(self.key)?);
        let Self { method, path, body, .. } = self;
        let credential = if self.bearer {
            format!("Authorization: Bearer {key}")
        } else {
            format!("X-Key-Id: {}", kid(key)?)
        };
        let data = if body.is_empty() { String::new() } else { format!(" -d '{body}'") };
        let command = format!(
            "t=$(date +%s); s=$(printf '%s\\n' {method} '{path}' \"$t\" | {{ cat; printf %s '{body}'; }} | \
             openssl dgst -sha256 -hmac {secret} -r | cut -c 1-64); \
             curl -i '{url}{path}' -X {method}{data} -H '{credential}' -H \"X-Timestamp: $t\" -H \"X-Signature: $s\""
        );
        let name = format!("{}: {method} {path}", self.key);
        Some(Curl { name, command, status: 200, code: None })
    }
}

/// The same of version 2: a read.
fn signed_v2(url: &str, seeds: &Seeds) -> Option<Curl> {
    let (kid, secret) = (kid(seeds.keys.get("signed_v2")?)?, seeds.signing.get("signed_v2")?);
    let host = url.strip_prefix("http://")?;
    let params = format!(
        r#"(\"@method\" \"@authority\" \"@path\" \"@query\");created=$t;expires=$((t+60));nonce=\"$n\";keyid=\"{kid}\";tag=\"portcullis\""#
    );
    let base = format!(
        r#""@method": GET\n"@authority": {host}\n"@path": /v1/agents\n"@query": ?page=2\n"@signature-params": "#
    );
    let command = format!(
        "t=$(date +%s); n=$(openssl rand -hex 16); p=\"{params}\"; \
         s=$(printf '{base}%s' \"$p\" | openssl dgst -sha256 -hmac {secret} -binary | openssl base64 -A); \
         curl -i '{url}/v1/agents?page=2' -H \"Signature-Input: sig=$p\" -H \"Signature: sig=:$s:\""
    );
    let name = "signed_v2: GET /v1/agents?page=2".to_owned();
    Some(Curl { name, command, status: 200, code: None })
}

/// A key's public name.
fn kid(key: &str) -> Option<&str> {
    key.rsplit('_').nth(1)
}

const SIGNED: &[Signed] = &[
    Signed { key: "signed_v1", bearer: true, method: "GET", path: "/v1/agents?page=2", body: "" },
    Signed {
        key: "signed_only",
        bearer: false,
        method: "POST",
        path: "/v1/agents",
        body: r#"{"name":"x"}"#,
    },
];

const TRIES: &[Try] = &[
    get(bearer("read_only"), "/v1/agents", 200, None),
    post(bearer("read_only"), "/v1/agents", 403, Some("PERMISSION_DENIED")),
    post(bearer("full"), "/v1/agents", 200, None),
    get(bearer("expired"), "/v1/agents", 401, Some("EXPIRED_API_KEY")),
    get(bearer("agent_bound"), "/v1/agents/agent-123", 200, None),
    get(bearer("agent_bound"), "/v1/agents/agent-456", 403, Some("WRONG_RESOURCE")),
    Try {
        header: Some("CF-Connecting-IP: 203.0.113.7"),
        ..get(bearer("ip_bound"), "/v1/agents", 200, None)
    },
    get(bearer("ip_bound"), "/v1/agents", 403, Some("IP_NOT_ALLOWED")),
    get(api_key("imported"), "/v1/agents", 200, None),
    get(api_key("environment"), "/v1/agents", 200, None),
    get(bearer("signed_v1"), "/v1/agents", 401, Some("SIGNATURE_REQUIRED")),
    get(bearer("signed_only"), "/v1/agents", 401, Some("SIGNATURE_REQUIRED")),
    post(bearer("full"), "/v1/agents/agent-123/runs", 403, Some("API_KEY_NOT_ALLOWED")),
    get(None, "/v1/agents", 401, Some("MISSING_API_KEY")),
    get(None, "/v1/public", 200, None),
];

type Key = Option<(&'static str, &'static str)>;

const fn bearer(name: &'static str) -> Key {
    Some((name, "Authorization: Bearer "))
}

const fn api_key(name: &'static str) -> Key {
    Some((name, "x-api-key: "))
}

const fn get(key: Key, path: &'static str, status: u16, code: Option<&'static str>) -> Try {
    Try { key, method: "GET", path, header: None, status, code }
}

const fn post(key: Key, path: &'static str, status: u16, code: Option<&'static str>) -> Try {
    Try { key, method: "POST", path, header: None, status, code }
}

/// Waits until a gate answers anything.
pub(crate) fn await_answer(gate: SocketAddr) -> Result<()> {
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    loop {
        match http::request(gate, "GET", "/v1/public", &[], b"", ANSWER_TIMEOUT) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => {
                return Err(error).with_context(|| format!("the gate at {gate} does not answer"));
            }
            Err(_) => std::thread::sleep(POLL),
        }
    }
}

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
