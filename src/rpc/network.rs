//! The addresses of this machine: when they change, links that stand may lead nowhere, and lost ones may be had again.

use std::collections::BTreeSet;
use std::net::IpAddr;

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;

/// The networks that this machine is in, by its addresses there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network(BTreeSet<IpAddr>);

impl Network {
    /// As the system says now; none when it does not. Costs a tenth of a millisecond and sends nothing.
    #[must_use]
    pub fn here() -> Option<Self> {
        let addresses = getifaddrs().ok()?;
        Some(Self(addresses.filter(|a| leads_somewhere(a.flags)).filter_map(|a| address(&a)).filter(is_of_a_network).collect()))
    }

    /// For tests of what a change leads to.
    #[must_use]
    pub fn of(addresses: &[IpAddr]) -> Self {
        Self(addresses.iter().copied().filter(is_of_a_network).collect())
    }
}

fn leads_somewhere(flags: InterfaceFlags) -> bool {
    flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING) && !flags.contains(InterfaceFlags::IFF_LOOPBACK)
}

fn address(of: &InterfaceAddress) -> Option<IpAddr> {
    let address = of.address.as_ref()?;
    let four = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
    four.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
}

/// Every container that starts brings an interface with a link-local address; no way to a host begins there.
fn is_of_a_network(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => !four.is_link_local(),
        IpAddr::V6(six) => !six.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_until_an_address_comes_or_goes() {
        let all = |list: &[&str]| Network::of(&list.iter().map(|a| a.parse().expect("an address")).collect::<Vec<_>>());
        let home = all(&["192.168.1.7", "2001:db8::7"]);
        for (other, same) in [
            (all(&["2001:db8::7", "192.168.1.7"]), true),
            (all(&["192.168.1.7", "2001:db8::7", "fe80::1", "169.254.1.1"]), true),
            (all(&["192.168.1.7", "2001:db8::7", "10.8.0.2"]), false),
            (all(&["192.168.1.8", "2001:db8::7"]), false),
            (all(&[]), false),
        ] {
            assert_eq!(home == other, same, "{other:?}");
        }
        assert_eq!(Network::here(), Network::here());
    }
}
