//! The HTTP client: no redirects, and names below `localhost` are this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Agent, Error, Proxy};

use super::unsent::{Marking, unsent};
use crate::site::{Site, is_loopback};

/// A client for what answers there.
pub(crate) fn agent(site: &Site) -> Agent {
    // A token for this machine is nothing for a proxy.
    let proxy = if site.is_local() { None } else { Proxy::try_from_env() };
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(proxy)
        .tls_config(tls)
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(WHOLE))
        .user_agent(concat!("portcullis-cli/", env!("CARGO_PKG_VERSION")))
        .build();
    Agent::with_parts(config, Marking::default(), Names)
}

/// Not every system's resolver knows names below `localhost` (RFC 6761 §6.3).
#[derive(Debug)]
struct Names;

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let name = uri.host().filter(|host| host.parse::<IpAddr>().is_err());
        let name = name.filter(|host| is_loopback(host) && !host.starts_with('['));
        let port = uri.port_u16().or_else(|| match uri.scheme_str() {
            Some("https") => Some(443),
            Some("http") => Some(80),
            _ => None,
        });
        match (name, port) {
            (Some(_), Some(port)) => {
                let mut found = self.empty();
                found.push(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
                Ok(found)
            }
            _ => DefaultResolver::default().resolve(uri, config, timeout).map_err(unsent),
        }
    }
}

const CONNECT: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(60);
