//! Where requests may go: by default everywhere but to the addresses at which clouds hand out
//! their machines' credentials, else as `--egress` says.
//!
//! A job's address may come from a label, a redirect or a name server, so what
//! counts is the address that is connected to: every address of a name is
//! checked at the moment of use, and only checked ones reach the connection.

mod addresses;
mod rules;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use url::{Host, Url};

pub use rules::{BadRule, Egress, EgressRule};

use rules::Refusal;

/// How many names are looked up at once: each lookup takes a thread for as long as the name server likes.
const LOOKUPS: usize = 64;

/// An address that jobs may not reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// The name that leads there, if it was one.
    name: Option<String>,
    address: IpAddr,
    why: Refusal,
}

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} is {}, ", self.address)?,
            None => write!(f, "{}: ", self.address)?,
        }
        match &self.why {
            Refusal::Rule(rule) => write!(
                f,
                "jobs may not go there, because elder runs with --egress {rule}"
            ),
            Refusal::Metadata => f.write_str(
                "clouds hand out a machine's credentials there: jobs may not go there unless elder runs with --egress allow:metadata",
            ),
        }
    }
}

/// How a name is looked up: the system's own way, but for tests.
type LookUp = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// Looks names up, and refuses those that lead where jobs may not go.
#[derive(Clone)]
pub(super) struct CheckedResolver {
    lookups: Arc<Semaphore>,
    egress: Egress,
    look_up: LookUp,
}

impl CheckedResolver {
    pub(super) fn new(egress: Egress) -> Self {
        Self::with(egress, |host| Ok((host, 0).to_socket_addrs()?.collect()))
    }

    pub(super) fn with(egress: Egress, look_up: LookUp) -> Self {
        Self {
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            egress,
            look_up,
        }
    }

    /// Checks an address that is written as a number, in whatever notation: it never comes to a lookup.
    pub(super) fn check_literal(&self, url: &Url) -> Result<(), Refused> {
        check_literal(&self.egress, url)
    }
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let Self {
            lookups,
            egress,
            look_up,
        } = self.clone();
        Box::pin(async move {
            let permit = lookups.acquire_owned().await?;
            let host = name.as_str().to_owned();
            let addresses = tokio::task::spawn_blocking(move || {
                // A lookup that nobody waits for any more still has its thread.
                let _permit = permit;
                checked(&egress, &host, look_up)
            });
            let addresses = addresses.await??;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// All addresses of a name, if jobs may go to every one of them.
fn checked(egress: &Egress, host: &str, look_up: LookUp) -> Result<Vec<SocketAddr>, Failed> {
    let addresses = look_up(host)?;
    for address in &addresses {
        check(egress, Some(host), address.ip())?;
    }
    Ok(addresses)
}

fn check_literal(egress: &Egress, url: &Url) -> Result<(), Refused> {
    match url.host() {
        Some(Host::Ipv4(address)) => check(egress, None, address.into()),
        Some(Host::Ipv6(address)) => check(egress, None, address.into()),
        Some(Host::Domain(_)) | None => Ok(()),
    }
}

fn check(egress: &Egress, name: Option<&str>, address: IpAddr) -> Result<(), Refused> {
    egress.check(name, address).map_err(|why| Refused {
        name: name.map(str::to_owned),
        address,
        why,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(host: &str) -> Result<Vec<SocketAddr>, Failed> {
        let resolver = CheckedResolver::new(Egress::default());
        checked(&resolver.egress, host, resolver.look_up)
    }

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
            assert!(
                check_literal(&Egress::default(), &url).is_err(),
                "{host} as {url}"
            );
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
            assert_eq!(check_literal(&Egress::default(), &url), Ok(()), "{host}");
        }
    }

    #[test]
    fn names_are_refused_by_what_they_resolve_to() {
        // What the system's own lookup makes of unusual numbers counts as well.
        for name in ["169.254.169.254", "2852039166", "0xa9fea9fe"] {
            let error = system(name).unwrap_err();
            assert!(error.downcast_ref::<Refused>().is_some(), "{name}: {error}");
        }
        let local = system("localhost").unwrap();
        assert!(local.iter().all(|address| address.ip().is_loopback()));
    }
}
