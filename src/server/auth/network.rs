//! Networks that a token may be used from.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A network such as `10.0.0.0/8`, `::1/128`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    /// IPv4 as mapped into IPv6, so that `::ffff:10.0.0.1` is `10.0.0.1`.
    bits: u128,
    mask: u128,
}

impl Network {
    /// Whether an address is in it.
    pub(super) fn contains(self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.bits
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no network: write 10.0.0.0/8, fd00::/8 or one address");
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) => length.parse().map_err(|_| bad())?,
            None => width,
        };
        if length > width {
            return Err(bad());
        }
        let mask = u128::MAX.checked_shl(width - length).unwrap_or(0);
        // The upper 96 bits of a mapped address say that it is one.
        let mask = if address.is_ipv4() {
            mask | (u128::MAX << 32)
        } else {
            mask
        };
        let bits = bits(address);
        if bits & !mask != 0 {
            return Err(format!("{text:?} has bits beyond its length /{length}"));
        }
        Ok(Self { bits, mask })
    }
}

fn bits(address: IpAddr) -> u128 {
    let address: Ipv6Addr = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    address.to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (network, address, want) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.0/8", "fd00::1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "fd00::1", false),
            ("::/0", "fd00::1", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                want,
                "{address}"
            );
        }
        for bad in [
            "",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "host",
            "::/129",
            "10.0.0.0/-1",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad:?}");
        }
    }
}
