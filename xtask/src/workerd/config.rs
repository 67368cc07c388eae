//! The configuration of one workerd, and the modules that it names besides the built Workers'.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Result, anyhow, bail};

use super::{Management, OBJECTS, Observed, Options, Part};
use crate::checkout::write_private;

/// Writes the configuration, by the name of [`CONFIG`], and its modules into a folder.
pub(super) fn write(folder: &Path, options: &Options) -> Result<()> {
    for (name, text) in SERVICES {
        fs::write(folder.join(name), text)?;
    }
    fs::write(folder.join("trap.wasm"), TRAP)?;
    if let Some(demo) = &options.demo {
        fs::copy(demo, folder.join("origin.mjs"))?;
    }
    if let Some(pair) = &options.https {
        fs::write(folder.join("tls.pem"), &pair.certificate)?;
        let key = format!("-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----\n", pair.pkcs8);
        write_private(&folder.join("tls.key"), key.as_bytes())?;
    }
    write_private(&folder.join(CONFIG), text(options)?.as_bytes())
}

/// How many sockets tell that they listen.
pub(super) fn sockets(options: &Options) -> usize {
    let others = match options.part {
        Part::Whole => 1,
        Part::Home => 3,
        Part::Gates(_) => 0,
    };
    usize::from(options.isolates) + others
}

/// The configuration. It holds no secret: those are bound from the environment.
fn text(options: &Options) -> Result<String> {
    let upstream = match options.origin.as_deref() {
        None => "worker = .demo".to_owned(),
        Some(url) => format!("external = {}", External::parse(url)?.capnp()),
    };
    let mut services = String::new();
    service(&mut services, "origin", &upstream);
    let (control_port, origin, faults) = if options.chaos {
        service(&mut services, "chaos", "worker = .chaos");
        // Nothing listens on port 1.
        service(&mut services, "closed", "external = (address = \"127.0.0.1:1\", http = ())");
        (options.port - 1, "chaos", CHAOS_FAULTS)
    } else {
        (0, "origin", "")
    };
    // Nothing listens on port 1.
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    service(&mut services, "issuer", &at(options.issuer.unwrap_or(nobody)));
    service(&mut services, "receiver", &at(options.receiver.unwrap_or(nobody)));
    service(&mut services, "outside", "worker = .outside");
    service(&mut services, "outbound", "worker = .outbound");
    let mut sockets = String::new();
    for gate in 0..options.isolates {
        let name = format!("gate-{gate}");
        service(&mut services, &name, "worker = .gate");
        let protocol = if options.https.is_some() { HTTPS } else { HTTP };
        socket(&mut sockets, &name, options.port.saturating_add(gate), protocol, &name);
    }
    if let Part::Gates(home) = options.part {
        service(&mut services, "workspace", "worker = .away");
        service(&mut services, "home", &at(home.workspaces));
        service(&mut services, "kv", &at(home.keys));
    } else {
        service(&mut services, "workspace", "worker = .workspace");
        service(&mut services, "assets", "disk = (path = \"www\")");
        service(&mut services, "kv", "worker = .kv");
        service(&mut services, "control", "worker = .control");
        service(&mut services, "disk", &format!("disk = (path = \"{OBJECTS}\", writable = true)"));
        socket(&mut sockets, "control", control_port, HTTP, "control");
    }
    if matches!(options.part, Part::Home) {
        service(&mut services, "home", "worker = .home");
        socket(&mut sockets, "workspaces", 0, HTTP, "home");
        socket(&mut sockets, "keys", 0, HTTP, "kv");
    }
    let keys = if options.without_keys { "" } else { KEYS };
    let authority = if options.without_authority { "" } else { ROOT };
    let front = if options.provoke { PROVOKE } else { "" };
    let management = match options.management {
        Management::Served => "    (name = \"MANAGEMENT\", service = \"workspace\"),\n",
        Management::Unbound => "",
        Management::Unreachable => {
            service(&mut services, "nowhere", "external = (address = \"127.0.0.1:1\", http = ())");
            "    (name = \"MANAGEMENT\", service = \"nowhere\"),\n"
        }
    };
    let origins: String = options
        .services
        .iter()
        .map(|name| format!("    (name = \"{name}\", service = \"{origin}\"),\n"))
        .collect();
    let demo = if options.demo.is_some() { WORKSPACE } else { "" };
    let clock = if options.clock { CLOCK } else { "" };
    let (analytics, points) = if options.observed == Observed::All {
        service(&mut services, "points", "worker = .points");
        (ANALYTICS, "    (name = \"POINTS\", service = \"points\"),\n")
    } else {
        ("", "")
    };
    Ok(format!(
        r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
{services}  ],
  sockets = [
{sockets}  ],
);

const gate :Workerd.Worker = (
  modules = [
{front}    (name = "index.js", esModule = embed "gate/index.js"),
    (name = "index_bg.wasm", wasm = embed "gate/index_bg.wasm"),
  ],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  globalOutbound = "outbound",
  bindings = [
{keys}{WORKSPACE}    (name = "ORIGIN", service = "{origin}"),
{analytics}{origins}{management}{ROOT}    (name = "PORTCULLIS_STATIC_KEYS", fromEnvironment = "PORTCULLIS_STATIC_KEYS"),
  ],
);

# object.mjs counts the calls of its objects and breaks them.
const workspace :Workerd.Worker = (
  modules = [
{clock}    (name = "object.mjs", esModule = embed "object.mjs"),
    (name = "faults.mjs", esModule = embed "faults.mjs"),
    (name = "trap.wasm", wasm = embed "trap.wasm"),
    (name = "index.js", esModule = embed "workspace/index.js"),
    (name = "index_bg.wasm", wasm = embed "workspace/index_bg.wasm"),
  ],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  compatibilityFlags = ["global_fetch_strictly_public"],
  globalOutbound = "outside",
  durableObjectNamespaces = [
    (className = "Workspace", uniqueKey = "portcullis-workspace", enableSql = true),
    (className = "Directory", uniqueKey = "portcullis-directory", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
{KEYS}    (name = "WORKSPACE", durableObjectNamespace = "Workspace"),
    (name = "DIRECTORY", durableObjectNamespace = "Directory"),
    (name = "ASSETS", service = "assets"),
{authority}  ],
);

# What the gates fetch.
const outbound :Workerd.Worker = (
  modules = [(name = "outbound.mjs", esModule = embed "outbound.mjs")],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  bindings = [(name = "OUTSIDE", service = "outside"), (name = "ORIGIN", service = "{origin}")],
);

# What lies outside: the issuer of this run has a fixed address in policies, and another port;
# so has the receiver of webhooks.
const outside :Workerd.Worker = (
  modules = [(name = "outside.mjs", esModule = embed "outside.mjs")],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  bindings = [(name = "ISSUER", service = "issuer"), (name = "RECEIVER", service = "receiver")],
);

# In the place of `workspace` where the objects live in another process.
const away :Workerd.Worker = (
  modules = [(name = "relay.mjs", esModule = embed "relay.mjs")],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  durableObjectNamespaces = [(className = "Workspace", uniqueKey = "portcullis-away")],
  durableObjectStorage = (inMemory = void),
  bindings = [(name = "HOME", service = "home")],
);

# The objects, for gates of other processes.
const home :Workerd.Worker = (
  modules = [(name = "relay.mjs", esModule = embed "relay.mjs")],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  bindings = [
{WORKSPACE}  ],
);

const kv :Workerd.Worker = (
  modules = [
    (name = "kv.mjs", esModule = embed "kv.mjs"),
    (name = "faults.mjs", esModule = embed "faults.mjs"),
  ],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  durableObjectNamespaces = [(className = "Store", uniqueKey = "portcullis-kv", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [(name = "STORE", durableObjectNamespace = "Store")],
);

const control :Workerd.Worker = (
  modules = [(name = "control.mjs", esModule = embed "control.mjs")],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  bindings = [
    (name = "STORE", durableObjectNamespace = (className = "Store", serviceName = "kv")),
{WORKSPACE}    (name = "AUTHORITY", service = "workspace"),
{points}{faults}  ],
);

const points :Workerd.Worker = (
  modules = [(name = "points.mjs", esModule = embed "points.mjs")],
  compatibilityDate = "{COMPATIBILITY_DATE}",
);

const demo :Workerd.Worker = (
  modules = [(name = "origin.mjs", esModule = embed "origin.mjs")],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  bindings = [
{demo}  ],
);

const chaos :Workerd.Worker = (
  modules = [
    (name = "chaos.mjs", esModule = embed "chaos.mjs"),
    (name = "faults.mjs", esModule = embed "faults.mjs"),
  ],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  bindings = [(name = "ORIGIN", service = "origin"), (name = "CLOSED", service = "closed")],
);
"#
    ))
}

fn service(services: &mut String, name: &str, what: &str) {
    let _ = writeln!(services, "    (name = \"{name}\", {what}),");
}

fn socket(sockets: &mut String, name: &str, port: u16, protocol: &str, service: &str) {
    let _ = writeln!(
        sockets,
        "    (name = \"{name}\", address = \"127.0.0.1:{port}\", {protocol}, service = \"{service}\"),"
    );
}

/// A service that another process on this machine has.
fn at(address: SocketAddr) -> String {
    format!("external = (address = \"{address}\", http = ())")
}

/// An origin outside workerd.
#[derive(Debug, PartialEq, Eq)]
struct External {
    /// `host:port`.
    address: String,
    /// The host whose certificate is expected.
    https: Option<String>,
}

impl External {
    fn parse(url: &str) -> Result<Self> {
        let (https, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => bail!("the origin is no http or https URL: {url}"),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if authority.is_empty() || !authority.chars().all(allowed) {
            bail!("the origin must be a URL of a host and a port alone: {url}");
        }
        let port = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
        let (host, port) = match port {
            Some((host, port)) => (host, port.parse().map_err(|_| anyhow!("no port: {port}"))?),
            None => (authority, if https { 443_u16 } else { 80 }),
        };
        Ok(Self { address: format!("{host}:{port}"), https: https.then(|| host.to_owned()) })
    }

    fn capnp(&self) -> String {
        let address = &self.address;
        match &self.https {
            None => format!("(address = \"{address}\", http = ())"),
            Some(host) => format!(
                "(address = \"{address}\", https = (options = (), \
                 tlsOptions = (trustBrowserCas = true), certificateHost = \"{host}\"))"
            ),
        }
    }
}

/// The compatibility date of every Worker served here.
const COMPATIBILITY_DATE: &str = "2026-10-01";

const SERVICES: [(&str, &str); 13] = [
    ("kv.mjs", include_str!("../../workerd/kv.mjs")),
    ("faults.mjs", include_str!("../../workerd/faults.mjs")),
    ("points.mjs", include_str!("../../workerd/points.mjs")),
    ("control.mjs", include_str!("../../workerd/control.mjs")),
    ("chaos.mjs", include_str!("../../workerd/chaos.mjs")),
    ("origin.mjs", include_str!("../../workerd/origin.mjs")),
    ("object.mjs", include_str!("../../workerd/object.mjs")),
    ("relay.mjs", include_str!("../../workerd/relay.mjs")),
    ("provoke.mjs", include_str!("../../workerd/provoke.mjs")),
    ("outbound.mjs", include_str!("../../workerd/outbound.mjs")),
    ("outside.mjs", include_str!("../../workerd/outside.mjs")),
    ("clock.mjs", include_str!("../../workerd/clock.mjs")),
    ("errands.mjs", include_str!("../../../src/edge/errands.mjs")),
];
const HTTP: &str = "http = ()";
const HTTPS: &str = "https = (options = (), tlsOptions = \
    (keypair = (privateKey = embed \"tls.key\", certificateChain = embed \"tls.pem\")))";
const CHAOS_FAULTS: &str =
    "    (name = \"ORIGIN_FAULTS\", service = (name = \"chaos\", entrypoint = \"Faults\")),\n";
const KEYS: &str = "    (name = \"KEYS\", kvNamespace = \"kv\"),\n";
const WORKSPACE: &str = "    (name = \"WORKSPACE\", durableObjectNamespace = \
    (className = \"Workspace\", serviceName = \"workspace\")),\n";
const ANALYTICS: &str = "    (name = \"PORTCULLIS_ANALYTICS\", analyticsEngine = \"points\"),\n";
const ROOT: &str = "    (name = \"PORTCULLIS_ROOT\", fromEnvironment = \"PORTCULLIS_ROOT\"),\n";
const PROVOKE: &str = "    (name = \"provoke.mjs\", esModule = embed \"provoke.mjs\"),
    (name = \"trap.wasm\", wasm = embed \"trap.wasm\"),\n";
const CLOCK: &str = "    (name = \"clock.mjs\", esModule = embed \"clock.mjs\"),
    (name = \"errands.mjs\", esModule = embed \"errands.mjs\"),\n";
/// `(module (func (export "trap") unreachable))`
const TRAP: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x04\x01\x60\0\0\
    \x03\x02\x01\0\
    \x07\x08\x01\x04trap\0\0\
    \x0a\x05\x01\x03\0\0\x0b";
/// The name of the configuration in a state folder.
pub(super) const CONFIG: &str = "workerd.capnp";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_host_and_a_port() {
        let parse = |url| External::parse(url).map(|e| (e.address, e.https)).ok();
        let some =
            |address: &str, https: Option<&str>| Some((address.into(), https.map(Into::into)));
        assert_eq!(parse("http://127.0.0.1:9000"), some("127.0.0.1:9000", None));
        assert_eq!(parse("http://localhost/"), some("localhost:80", None));
        assert_eq!(parse("http://[::1]"), some("[::1]:80", None));
        assert_eq!(parse("http://[::1]:81"), some("[::1]:81", None));
        assert_eq!(parse("https://a.example"), some("a.example:443", Some("a.example")));
        for url in ["a.example", "http://", "http://a/b", "http://a:b", "http://a\"b", "ftp://a"] {
            assert_eq!(parse(url), None, "{url}");
        }
    }
}
