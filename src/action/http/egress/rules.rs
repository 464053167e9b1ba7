//! `--egress`: where jobs' requests may go, as rules of which the first that matches decides.
//!
//! A rule allows or denies a set of addresses or a name. What no rule matches
//! is allowed, but for the addresses at which clouds hand out their machines'
//! credentials: those need a rule of their own, `allow:metadata` or the address
//! itself. A wide rule such as `allow:0.0.0.0/0` never opens them by accident.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use url::Host;

use super::addresses::{canonical, embedded, is_loopback, is_metadata, is_private};

/// The policy: rules in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    rules: Arc<[EgressRule]>,
}

impl Egress {
    /// The policy of these rules.
    #[must_use]
    pub fn new(rules: Vec<EgressRule>) -> Self {
        Self {
            rules: rules.into(),
        }
    }

    /// Whether a request to `name`, or to an address that was written as a number, may go to `address`.
    pub(super) fn check(&self, name: Option<&str>, address: IpAddr) -> Result<(), Refusal> {
        match self.rules.iter().find(|rule| rule.matches(name, address)) {
            Some(rule) if rule.allows => Ok(()),
            Some(rule) => Err(Refusal::Rule(rule.written.clone())),
            None if is_metadata(address) => Err(Refusal::Metadata),
            None => Ok(()),
        }
    }
}

/// Why a request may not go somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// This rule says so.
    Rule(Arc<str>),
    /// Nothing allows it, and credentials are to be had there.
    Metadata,
}

/// One rule: `allow:10.0.0.0/8`, `deny:private`, `allow-host:*.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressRule {
    allows: bool,
    what: What,
    written: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    All,
    Private,
    Loopback,
    Metadata,
    Network(IpAddr, u8),
    /// In the form that addresses use: lower case, ASCII, no dot at the end.
    Host(String),
    /// Every name that ends so; with the dot.
    HostsBelow(String),
}

impl EgressRule {
    fn matches(&self, name: Option<&str>, address: IpAddr) -> bool {
        if self.allows && is_metadata(address) {
            return match self.what {
                What::Metadata => true,
                What::Network(network, length) => {
                    length == bits(network) && contains(network, length, canonical(address))
                }
                _ => false,
            };
        }
        let by_name = |fits: &dyn Fn(&str) -> bool| {
            name.is_some_and(|name| fits(name.strip_suffix('.').unwrap_or(name)))
        };
        // Who allows a network means that network. Who denies one means every way into it, also
        // an IPv6 address that some gateway turns into one of it.
        let any = |fits: &dyn Fn(IpAddr) -> bool| {
            fits(canonical(address))
                || !self.allows && (fits(address) || embedded(address).is_some_and(fits))
        };
        match &self.what {
            What::All => true,
            What::Private => any(&is_private),
            What::Loopback => any(&is_loopback),
            What::Metadata => is_metadata(address),
            What::Network(network, length) => any(&|address| contains(*network, *length, address)),
            What::Host(host) => by_name(&|name| name.eq_ignore_ascii_case(host)),
            What::HostsBelow(end) => by_name(&|name| {
                let split = name.len().checked_sub(end.len());
                let tail = split.filter(|at| *at > 0).and_then(|at| name.get(at..));
                tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
            }),
        }
    }
}

fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Whether the first `length` bits of both are the same.
fn contains(network: IpAddr, length: u8, address: IpAddr) -> bool {
    bits(network) == bits(address) && first_bits(network, length) == first_bits(address, length)
}

fn first_bits(address: IpAddr, length: u8) -> u128 {
    let (number, width) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    number.checked_shr(width - u32::from(length)).unwrap_or(0)
}

/// A rule that cannot be read, with the mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRule(String);

impl FromStr for EgressRule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let text = text.trim();
        let bad = |message: String| Err(BadRule(message));
        let known = text.split_once(':').and_then(|(verb, what)| match verb {
            "allow" => Some((true, false, what)),
            "deny" => Some((false, false, what)),
            "allow-host" => Some((true, true, what)),
            "deny-host" => Some((false, true, what)),
            _ => None,
        });
        let Some((allows, is_name, what)) = known else {
            let shown = if what(text).is_ok() { text } else { "private" };
            return bad(format!(
                "a rule begins with allow:, deny:, allow-host: or deny-host:, as in deny:{shown}"
            ));
        };
        let read = if is_name {
            host(what)
        } else {
            self::what(what)
        };
        let what = read.map_err(BadRule)?;
        if let (true, What::Network(network, length)) = (allows, &what)
            && *length < bits(*network)
            && is_metadata(*network)
            && is_metadata(last(*network, *length))
        {
            return bad(format!(
                "clouds hand out credentials there, and a network does not open it: \
                 write allow:metadata, or each address, such as allow:{network}"
            ));
        }
        Ok(Self {
            allows,
            what,
            written: text.into(),
        })
    }
}

/// The last address of a network.
fn last(network: IpAddr, length: u8) -> IpAddr {
    match network {
        IpAddr::V4(address) => {
            let rest = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
            IpAddr::V4((address.to_bits() | rest).into())
        }
        IpAddr::V6(address) => {
            let rest = u128::MAX.checked_shr(u32::from(length)).unwrap_or(0);
            IpAddr::V6((address.to_bits() | rest).into())
        }
    }
}

fn what(text: &str) -> Result<What, String> {
    Ok(match text {
        "all" => What::All,
        "private" => What::Private,
        "loopback" => What::Loopback,
        "metadata" => What::Metadata,
        _ => return network(text),
    })
}

fn network(text: &str) -> Result<What, String> {
    let (number, length) = match text.split_once('/') {
        Some((number, length)) => (number, Some(length)),
        None => (text, None),
    };
    let Ok(address) = number.parse::<IpAddr>() else {
        return Err(match host(text) {
            Ok(_) if text.contains('.') && !text.contains('/') => {
                format!("{text} is a name: write allow-host:{text} or deny-host:{text}")
            }
            _ => format!(
                "`{text}` is none of all, private, loopback, metadata, an address, or a network such as 10.0.0.0/8"
            ),
        });
    };
    if let IpAddr::V6(v6) = address
        && let Some(v4) = v6.to_ipv4_mapped()
    {
        return Err(format!("write {v4} as IPv4: that covers this form too"));
    }
    let most = bits(address);
    let Some(length) = length else {
        return Ok(What::Network(address, most));
    };
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let length = length
        .parse::<u8>()
        .ok()
        .filter(|length| digits && *length <= most);
    let Some(length) = length else {
        return Err(format!("what follows `/` is a number from 0 to {most}"));
    };
    let begin = begin(address, length);
    if begin != address {
        return Err(format!(
            "{text} names an address inside of a network: write {begin}/{length} for the network, or {address} for the address"
        ));
    }
    Ok(What::Network(address, length))
}

/// The first address of the network that `address` lies in.
fn begin(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let rest = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & !rest).into())
        }
        IpAddr::V6(v6) => {
            let rest = u128::MAX.checked_shr(u32::from(length)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !rest))
        }
    }
}

fn host(text: &str) -> Result<What, String> {
    let (name, below) = match text.strip_prefix("*.") {
        Some(name) => (name, true),
        None => (text, false),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    match Host::parse(name) {
        Ok(Host::Domain(name)) if !name.contains('*') && !name.is_empty() => Ok(if below {
            What::HostsBelow(format!(".{name}"))
        } else {
            What::Host(name)
        }),
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => Err(format!(
            "{name} is an address: write allow:{name} or deny:{name}"
        )),
        _ => Err(format!(
            "`{text}` is no name of a host: write shop.example.com, or *.example.com for all below it"
        )),
    }
}

#[cfg(test)]
mod tests;
