//! What an address is: of this machine, of a private network, or where clouds hand out credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 address that is written as IPv6 as what it is: the connection is the same.
pub(super) fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// The IPv4 address that an IPv6 address stands for, whoever turns it into one.
pub(super) fn embedded(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => embedded_v4(address).map(IpAddr::V4),
    }
}

/// Whether clouds hand out their machines' credentials there.
pub(super) fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_metadata_v4(address),
        IpAddr::V6(address) => {
            METADATA_V6.contains(&address) || embedded_v4(address).is_some_and(is_metadata_v4)
        }
    }
}

/// Whether it is this machine. Who connects to 0.0.0.0 or `::` reaches this machine too.
pub(super) fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.octets()[0] == 0,
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified(),
    }
}

/// Whether it belongs to no public network: loopback, private, link-local, shared, multicast, reserved.
pub(super) fn is_private(address: IpAddr) -> bool {
    if is_loopback(address) {
        return true;
    }
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_private()
                || v4.is_link_local()
                // Shared between a provider's customers; IETF's own; for benchmarks.
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (18..20).contains(&b))
                // Multicast and reserved, the broadcast address included.
                || a >= 224
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            // Unique local; link-local and the old site-local; multicast; NAT64 for private use.
            first & 0xfe00 == 0xfc00
                || first & 0xff80 == 0xfe80
                || first & 0xff00 == 0xff00
                || v6.segments()[..3] == [0x64, 0xff9b, 1]
        }
    }
}

/// The IPv6 addresses of metadata services.
const METADATA_V6: [Ipv6Addr; 5] = [
    // Amazon EC2 and EKS
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    // Google Cloud
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    // OpenStack
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    // Scaleway
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

/// The whole link-local range is refused: 169.254.169.254 is the best known, but clouds use
/// many others of it (169.254.170.2, 169.254.170.23, 169.254.42.42, 169.254.0.23), and no job has business there.
fn is_metadata_v4(address: Ipv4Addr) -> bool {
    // Alibaba Cloud, Oracle Cloud, Azure.
    const OTHERS: [Ipv4Addr; 3] = [
        Ipv4Addr::new(100, 100, 100, 200),
        Ipv4Addr::new(192, 0, 0, 192),
        Ipv4Addr::new(168, 63, 129, 16),
    ];
    address.is_link_local() || OTHERS.contains(&address)
}

fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bytes = address.octets();
    let at = |place: usize| {
        Ipv4Addr::new(
            bytes[place],
            bytes[place + 1],
            bytes[place + 2],
            bytes[place + 3],
        )
    };
    match bytes {
        // `::` and `::1` are this machine and stand for nothing else.
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // ::ffff:a.b.c.d, mapped; ::ffff:0:a.b.c.d, translated; ::a.b.c.d, compatible
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ..]
        | [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, ..]
        | [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ..] => Some(at(12)),
        // 64:ff9b::a.b.c.d and 64:ff9b:1::/48, NAT64
        [0, 0x64, 0xff, 0x9b, ..] => Some(at(12)),
        // 2002:ab:cd::, 6to4
        [0x20, 0x02, ..] => Some(at(2)),
        _ => None,
    }
}
