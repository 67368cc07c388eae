//! Allowlists against mask arithmetic and against `ipnet` itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use portcullis::address::{Allowlist, BadNetwork, ClientAddress};
use proptest::prelude::*;

/// A network and an address that is often close to it.
fn pair() -> impl Strategy<Value = (IpAddr, u8, IpAddr)> {
    let v4 =
        (any::<u32>(), 0..=32u8, 0..=32u32, any::<bool>()).prop_map(|(base, len, flip, far)| {
            let network = base & u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
            let near = base ^ 1u32.checked_shl(flip).unwrap_or(0);
            let other = if far { base.rotate_left(7) } else { near };
            (IpAddr::from(Ipv4Addr::from(network)), len, IpAddr::from(Ipv4Addr::from(other)))
        });
    let v6 =
        (any::<u128>(), 0..=128u8, 0..=128u32, any::<bool>()).prop_map(|(base, len, flip, far)| {
            let network = base & u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
            let near = base ^ 1u128.checked_shl(flip).unwrap_or(0);
            let other = if far { base.rotate_left(7) } else { near };
            (IpAddr::from(Ipv6Addr::from(network)), len, IpAddr::from(Ipv6Addr::from(other)))
        });
    prop_oneof![v4, v6]
}

/// Compares the first `len` bits as integers.
fn naive(network: IpAddr, len: u8, address: IpAddr) -> bool {
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(u32::from(a)), u128::from(u32::from(b)), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a), u128::from(b), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    let drop = width - u32::from(len);
    network.checked_shr(drop).unwrap_or(0) == address.checked_shr(drop).unwrap_or(0)
}

proptest! {
    #[test]
    fn contains_is_mask_arithmetic((network, len, address) in pair()) {
        let text = format!("{network}/{len}");
        let list = Allowlist::parse([text.as_str()]).unwrap();
        let client = ClientAddress::parse(&address.to_string()).unwrap();
        let expected = naive(network, len, client.ip());
        prop_assert_eq!(list.contains(client), expected);
        prop_assert_eq!(text.parse::<IpNet>().unwrap().contains(&client.ip()), expected);
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_address(bits in any::<u32>()) {
        let v4 = Ipv4Addr::from(bits);
        let mapped = ClientAddress::parse(&format!("::ffff:{v4}"));
        prop_assert_eq!(mapped, ClientAddress::parse(&v4.to_string()));
    }

    #[test]
    fn bits_after_the_prefix_are_refused((network, len, _) in pair(), bit in 0..128u32) {
        let width = if network.is_ipv4() { 32 } else { 128 };
        prop_assume!(u32::from(len) < width);
        let bit = bit % (width - u32::from(len));
        let dirty = match network {
            IpAddr::V4(v4) => IpAddr::from(Ipv4Addr::from(u32::from(v4) | 1 << bit)),
            IpAddr::V6(v6) => IpAddr::from(Ipv6Addr::from(u128::from(v6) | 1 << bit)),
        };
        let text = format!("{dirty}/{len}");
        prop_assert_eq!(Allowlist::parse([text.as_str()]), Err(BadNetwork::HostBits));
    }
}
