//! Where requests may not go: to the addresses at which clouds hand out their machines' credentials.
//!
//! A job's address may come from a label, a redirect or a name server, so what
//! counts is the address that is connected to: every address of a name is
//! checked at the moment of use, and only checked ones reach the connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use url::{Host, Url};

/// How many names are looked up at once: each lookup takes a thread for as long as the name server likes.
const LOOKUPS: usize = 64;

/// An address that jobs may not reach.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{host} is {address}, where clouds hand out a machine's credentials: jobs may not go there"
)]
pub(super) struct Refused {
    host: String,
    address: IpAddr,
}

/// Looks names up, and refuses those that lead where jobs may not go.
pub(super) struct CheckedResolver {
    lookups: Arc<Semaphore>,
}

impl Default for CheckedResolver {
    fn default() -> Self {
        Self {
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
        }
    }
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let lookups = Arc::clone(&self.lookups);
        Box::pin(async move {
            let permit = lookups.acquire_owned().await?;
            let host = name.as_str().to_owned();
            let addresses = tokio::task::spawn_blocking(move || {
                // A lookup that nobody waits for any more still has its thread.
                let _permit = permit;
                look_up(&host)
            });
            let addresses = addresses.await??;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn look_up(host: &str) -> Result<Vec<SocketAddr>, Failed> {
    let addresses: Vec<SocketAddr> = (host, 0).to_socket_addrs()?.collect();
    for address in &addresses {
        check(host, address.ip())?;
    }
    Ok(addresses)
}

/// Checks an address that is written as a number, in whatever notation: it never comes to a lookup.
pub(super) fn check_literal(url: &Url) -> Result<(), Refused> {
    match url.host() {
        Some(Host::Ipv4(address)) => check(&address.to_string(), address.into()),
        Some(Host::Ipv6(address)) => check(&format!("[{address}]"), address.into()),
        Some(Host::Domain(_)) | None => Ok(()),
    }
}

fn check(host: &str, address: IpAddr) -> Result<(), Refused> {
    if is_metadata(address) {
        return Err(Refused {
            host: host.to_owned(),
            address,
        });
    }
    Ok(())
}

fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_metadata_v4(address),
        IpAddr::V6(address) => {
            METADATA_V6.contains(&address) || embedded(address).is_some_and(is_metadata_v4)
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

/// The IPv4 address that an IPv6 address stands for.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_addresses_are_refused_in_every_notation() {
        for host in [
            "169.254.169.254",
            "169.254.169.254.",
            "169.254.170.2",
            "169.254.42.42",
            "2852039166",
            "0xa9fea9fe",
            "0xA9.0xFE.0xA9.0xFE",
            "0251.0376.0251.0376",
            "169.254.43518",
            "169.16689662",
            "%31%36%39.254.169.254",
            "１６９.254.169.254",
            "169。254。169。254",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "[fd00:ec2::254]",
            "[FD00:0EC2:0:0::254]",
            "[fd20:ce::254]",
            "[fe80::a9fe:a9fe]",
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[::ffff:0:169.254.169.254]",
            "[::169.254.169.254]",
            "[64:ff9b::169.254.169.254]",
            "[2002:a9fe:a9fe::1]",
        ] {
            let url = Url::parse(&format!("http://{host}/latest/meta-data")).unwrap();
            assert!(check_literal(&url).is_err(), "{host} as {url}");
        }
    }

    #[test]
    fn other_addresses_are_not() {
        for host in [
            "127.0.0.1",
            "10.0.0.1",
            "192.168.1.1",
            "169.253.169.254",
            "8.8.8.8",
            "[::1]",
            "[fd00:ec2::253]",
            "[2001:db8::1]",
            "[::ffff:127.0.0.1]",
            "example.com",
        ] {
            let url = Url::parse(&format!("http://{host}/")).unwrap();
            assert_eq!(check_literal(&url), Ok(()), "{host}");
        }
    }

    #[test]
    fn names_are_refused_by_what_they_resolve_to() {
        // What the system's own lookup makes of unusual numbers counts as well.
        for name in ["169.254.169.254", "2852039166", "0xa9fea9fe"] {
            let error = look_up(name).unwrap_err();
            assert!(error.downcast_ref::<Refused>().is_some(), "{name}: {error}");
        }
        let local = look_up("localhost").unwrap();
        assert!(local.iter().all(|address| address.ip().is_loopback()));
    }
}
