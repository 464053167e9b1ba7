//! Every address in every notation, against rules and without.

use url::Url;

use super::super::check_literal;
use super::*;

fn rule(text: &str) -> EgressRule {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn policy(rules: &str) -> Egress {
    Egress::new(rules.split_whitespace().map(rule).collect())
}

/// As a request to this host, which resolves to `address` if it is a name.
fn may(rules: &str, host: &str, address: &str) -> bool {
    match Host::parse(host).unwrap() {
        Host::Domain(name) => policy(rules)
            .check(Some(&name), address.parse().unwrap())
            .is_ok(),
        Host::Ipv4(address) => policy(rules).check(None, address.into()).is_ok(),
        Host::Ipv6(address) => policy(rules).check(None, address.into()).is_ok(),
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    for (rules, refused, allowed) in [
        (
            "",
            &["169.254.169.254", "[fd00:ec2::254]"][..],
            &["10.0.0.1", "127.0.0.1", "8.8.8.8", "[::1]"][..],
        ),
        (
            "deny:private",
            &["10.0.0.1", "127.0.0.1", "[::1]", "[fd00::1]", "169.254.1.1"],
            &["8.8.8.8", "[2606:4700::1111]"],
        ),
        (
            "allow:10.1.0.0/16 deny:private",
            &["10.2.0.1", "192.168.0.1"],
            &["10.1.2.3", "8.8.8.8"],
        ),
        (
            "deny:private allow:10.1.0.0/16",
            &["10.1.2.3"],
            &["8.8.8.8"],
        ),
        (
            "allow:10.0.0.0/8 deny:all",
            &["8.8.8.8", "192.168.0.1", "[::1]", "169.254.169.254"],
            &["10.9.9.9"],
        ),
        (
            "deny:loopback",
            &[
                "127.0.0.1",
                "127.9.9.9",
                "0.0.0.0",
                "0.1.2.3",
                "[::1]",
                "[::]",
            ],
            &["10.0.0.1"],
        ),
        ("deny:8.8.8.8", &["8.8.8.8"], &["8.8.8.9", "8.8.4.4"]),
        (
            "deny:2001:db8::/32",
            &["[2001:db8::1]", "[2001:db8:ffff::]"],
            &["[2001:db9::1]", "32.1.13.184"],
        ),
        (
            "deny:0.0.0.0/0",
            &["8.8.8.8", "10.0.0.1"],
            &["[2606:4700::1111]"],
        ),
        ("deny:::/0", &["[2606:4700::1111]", "[::1]"], &["8.8.8.8"]),
        (
            "deny:metadata allow:metadata",
            &["169.254.169.254"],
            &["10.0.0.1"],
        ),
    ] {
        for host in refused {
            assert!(!may(rules, host, ""), "{rules:?} lets jobs go to {host}");
        }
        for host in allowed {
            assert!(may(rules, host, ""), "{rules:?} refuses {host}");
        }
    }
}

#[test]
fn a_denied_network_is_denied_in_every_notation() {
    for host in [
        "10.0.0.1",
        "10.0.0.1.",
        "10.1",
        "167772161",
        "0x0a000001",
        "0xA.0x0.0x0.0x1",
        "012.0.0.1",
        "%31%30.0.0.1",
        "１０.0.0.1",
        "10。0。0。1",
        "[::ffff:10.0.0.1]",
        "[::ffff:a00:1]",
        "[0:0:0:0:0:FFFF:0A00:0001]",
        "[::ffff:0:10.0.0.1]",
        "[::10.0.0.1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b:1::10.0.0.1]",
        "[2002:a00:1::1]",
    ] {
        let url = Url::parse(&format!("http://{host}/")).unwrap();
        for rules in [
            "deny:10.0.0.0/8",
            "deny:10.0.0.1",
            "deny:private",
            "deny:all",
        ] {
            let refused = check_literal(&policy(rules), &url);
            assert!(
                refused.is_err(),
                "{rules} lets jobs go to {url}, written {host}"
            );
        }
        assert_eq!(check_literal(&policy(""), &url), Ok(()), "{host}");
    }
}

#[test]
fn an_allowed_network_is_meant_as_such_and_no_gateway_leads_into_it() {
    let rules = "allow:10.0.0.0/8 deny:all";
    for (host, fine) in [
        ("10.0.0.1", true),
        ("[::ffff:10.0.0.1]", true),
        ("[64:ff9b::10.0.0.1]", false),
        ("[2002:a00:1::1]", false),
        ("[::10.0.0.1]", false),
    ] {
        assert_eq!(may(rules, host, ""), fine, "{host}");
    }
    // `::/0` is IPv6, and an IPv4 address written as such is not.
    assert!(!may("allow:::/0 deny:all", "[::ffff:8.8.8.8]", ""));
}

#[test]
fn only_a_rule_that_means_them_opens_the_addresses_of_credentials() {
    for wide in [
        "allow:all",
        "allow:0.0.0.0/0",
        "allow:128.0.0.0/1",
        "allow:private",
        "allow-host:meta.example",
        "allow:::/0",
    ] {
        assert!(!may(wide, "169.254.169.254", ""), "{wide}");
        assert!(!may(wide, "[fd00:ec2::254]", ""), "{wide}");
        assert!(!may(wide, "meta.example", "169.254.169.254"), "{wide}");
        assert!(!may(wide, "[::ffff:169.254.169.254]", ""), "{wide}");
    }
    for (narrow, host) in [
        ("allow:metadata", "169.254.169.254"),
        ("allow:metadata", "[fd00:ec2::254]"),
        ("allow:169.254.169.254", "169.254.169.254"),
        ("allow:169.254.169.254/32", "169.254.169.254"),
        ("allow:169.254.169.254", "[::ffff:169.254.169.254]"),
        ("allow:fd00:ec2::254", "[fd00:ec2::254]"),
    ] {
        assert!(may(narrow, host, ""), "{narrow} {host}");
    }
    assert!(!may("allow:169.254.169.254", "169.254.170.2", ""));
    // A rule that denies means them like any other address.
    assert!(!may("deny:all allow:metadata", "169.254.169.254", ""));
}

#[test]
fn a_name_is_matched_as_such_and_an_address_is_no_name() {
    let rules =
        "allow-host:shop.example allow-host:*.internal.example deny:private deny-host:evil.example";
    for (host, address, fine) in [
        ("shop.example", "10.0.0.1", true),
        ("SHOP.example.", "10.0.0.1", true),
        ("other.shop.example", "10.0.0.1", false),
        ("notshop.example", "10.0.0.1", false),
        ("a.internal.example", "10.0.0.1", true),
        ("a.b.internal.example", "10.0.0.1", true),
        ("internal.example", "10.0.0.1", false),
        ("xinternal.example", "10.0.0.1", false),
        ("evil.example", "8.8.8.8", false),
        ("10.0.0.1", "", false),
    ] {
        assert_eq!(may(rules, host, address), fine, "{host} at {address}");
    }
    assert!(may(
        "allow-host:bücher.example deny:all",
        "xn--bcher-kva.example",
        "8.8.8.8"
    ));
}

#[test]
fn a_rule_that_cannot_be_read_is_answered_with_what_to_write() {
    for (text, hint) in [
        ("", "begins with allow:, deny:, allow-host: or deny-host:"),
        ("10.0.0.0/8", "as in deny:10.0.0.0/8"),
        ("private", "as in deny:private"),
        ("block:private", "begins with allow:"),
        ("ALLOW:all", "begins with allow:"),
        ("deny:", "none of all, private, loopback, metadata"),
        ("deny:privat", "none of all, private, loopback, metadata"),
        ("deny:10.0.0.0/33", "a number from 0 to 32"),
        ("deny:10.0.0.0/", "a number from 0 to 32"),
        ("deny:10.0.0.0/+8", "a number from 0 to 32"),
        ("deny:::/129", "a number from 0 to 128"),
        (
            "deny:10.1.2.3/8",
            "write 10.0.0.0/8 for the network, or 10.1.2.3",
        ),
        ("deny:2001:db8::1/32", "write 2001:db8::/32"),
        ("deny:10.0.0", "none of all"),
        ("deny:[::1]", "none of all"),
        ("deny:shop.example", "deny-host:shop.example"),
        ("deny:::ffff:10.0.0.1", "write 10.0.0.1 as IPv4"),
        ("allow:169.254.0.0/16", "write allow:metadata"),
        ("allow:169.254.169.0/24", "write allow:metadata"),
        ("allow-host:10.0.0.1", "write allow:10.0.0.1"),
        ("allow-host:*", "no name of a host"),
        ("allow-host:", "no name of a host"),
        ("deny-host:a.*.example", "no name of a host"),
        ("deny-host:a b", "no name of a host"),
    ] {
        let error = text.parse::<EgressRule>().unwrap_err().to_string();
        assert!(error.contains(hint), "{text:?}: {error}");
    }
    for text in [
        "deny:169.254.0.0/16",
        "allow:10.0.0.0/8",
        " allow:all ",
        "allow:0.0.0.0/0",
        "deny:fc00::/7",
        "deny-host:*.example.com.",
    ] {
        assert!(text.parse::<EgressRule>().is_ok(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_rule_and_no_address_panics(text in "(allow|deny|allow-host|deny-host):[0-9a-f:./*]{0,20}", v4: u32, v6: u128) {
        if let Ok(rule) = text.parse::<EgressRule>() {
            let egress = Egress::new(vec![rule]);
            for address in [IpAddr::V4(v4.into()), IpAddr::V6(v6.into())] {
                let _ = egress.check(None, address);
                let _ = egress.check(Some("a.example"), address);
            }
        }
    }

    #[test]
    fn a_network_holds_its_first_and_last_address_and_not_its_neighbours(number: u32, length in 1u8..=32) {
        let network = begin(IpAddr::V4(number.into()), length);
        let end = last(network, length);
        let number = |address| match address {
            IpAddr::V4(v4) => v4.to_bits(),
            IpAddr::V6(_) => unreachable!(),
        };
        assert!(contains(network, length, network) && contains(network, length, end));
        if let Some(before) = number(network).checked_sub(1) {
            assert!(!contains(network, length, IpAddr::V4(before.into())));
        }
        if let Some(after) = number(end).checked_add(1) {
            assert!(!contains(network, length, IpAddr::V4(after.into())));
        }
    }
}
