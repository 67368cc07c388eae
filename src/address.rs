//! Client addresses and the networks a key may be used from.

use core::fmt;
use core::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The address of a client. An IPv4 address in IPv6 form (`::ffff:a.b.c.d`) is that IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// Reads exactly one address: no list, port, zone, space, network or leading zero.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<IpAddr>().ok().map(|address| Self(address.to_canonical()))
    }

    /// The address, never IPv4-mapped.
    pub const fn ip(self) -> IpAddr {
        self.0
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The networks a key may be used from; never empty, as "from anywhere" is the lack of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Network>", into = "Vec<Network>")]
pub struct Allowlist(Vec<Network>);

impl Allowlist {
    /// Reads a list of networks (`203.0.113.0/24`, `2001:db8::/32`) and single addresses.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, BadNetwork> {
        texts.into_iter().map(Network::parse).collect::<Result<Vec<_>, _>>()?.try_into()
    }

    /// Whether one of the networks holds the address.
    pub fn contains(&self, address: ClientAddress) -> bool {
        self.0.iter().any(|network| network.0.contains(&address.0))
    }

    /// The networks, each with its prefix length.
    pub fn networks(&self) -> impl Iterator<Item = IpNet> {
        self.0.iter().map(|network| network.0)
    }
}

impl TryFrom<Vec<Network>> for Allowlist {
    type Error = BadNetwork;

    fn try_from(networks: Vec<Network>) -> Result<Self, BadNetwork> {
        if networks.is_empty() { Err(BadNetwork::EmptyList) } else { Ok(Self(networks)) }
    }
}

impl From<Allowlist> for Vec<Network> {
    fn from(list: Allowlist) -> Self {
        list.0
    }
}

/// One element of an [`Allowlist`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Network(IpNet);

impl Network {
    fn parse(text: &str) -> Result<Self, BadNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| BadNetwork::Address)?;
        if let IpAddr::V6(v6) = address
            && v6.to_ipv4_mapped().is_some()
        {
            return Err(BadNetwork::Mapped);
        }
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(widest), prefix_length).ok_or(BadNetwork::Prefix)?;
        let network = IpNet::new(address, prefix).map_err(|_| BadNetwork::Prefix)?;
        if network.trunc() == network { Ok(Self(network)) } else { Err(BadNetwork::HostBits) }
    }
}

/// Why a text is not a network, or a list not an allowlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadNetwork {
    /// Not an IPv4 or IPv6 address.
    Address,
    /// Not a prefix length of that kind of address.
    Prefix,
    /// Bits set after the prefix.
    HostBits,
    /// IPv4 written as IPv6.
    Mapped,
    /// A list without networks, which would refuse everyone.
    EmptyList,
}

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "not an IP address or network such as '203.0.113.0/24'",
            Self::Prefix => "the prefix length is 0 to 32 for IPv4 and 0 to 128 for IPv6",
            Self::HostBits => {
                "the address has bits set after its prefix: write the network's first address"
            }
            Self::Mapped => "write IPv4 networks as IPv4, not as '::ffff:…'",
            Self::EmptyList => "an empty list would refuse every address; leave it out instead",
        })
    }
}

impl core::error::Error for BadNetwork {}

impl TryFrom<String> for Network {
    type Error = BadNetwork;

    fn try_from(text: String) -> Result<Self, BadNetwork> {
        Self::parse(&text)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.0.to_string()
    }
}

/// Plain decimal: no sign, no leading zero.
fn prefix_length(text: &str) -> Option<u8> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_address_is_its_own_network() {
        let list = Allowlist::parse(["203.0.113.5", "2001:db8::1"]).unwrap();
        let text = serde_json::to_string(&list).unwrap();
        assert_eq!(text, r#"["203.0.113.5/32","2001:db8::1/128"]"#);
        assert_eq!(serde_json::from_str::<Allowlist>(&text).unwrap(), list);
        let networks: Vec<String> = list.networks().map(|own| own.to_string()).collect();
        assert_eq!(networks, ["203.0.113.5/32", "2001:db8::1/128"]);
    }

    #[test]
    fn an_empty_list_is_refused() {
        assert_eq!(Allowlist::parse([]), Err(BadNetwork::EmptyList));
        assert!(serde_json::from_str::<Allowlist>("[]").is_err());
    }
}
