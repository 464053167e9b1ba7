//! Which names elder answers to, and whose pages may write.
//!
//! A page that a browser shows can make its name resolve to 127.0.0.1; so a
//! loopback listener answers to loopback names only. And a page can send a
//! form anywhere; so a write that comes from another site is refused.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, request};

use super::super::problem::Problem;

/// Which names a listener answers to.
pub(super) struct Hosts {
    loopback: bool,
    port: u16,
    allowed: Vec<String>,
}

impl Hosts {
    /// Those of a listener at this address and of `--allowed-host`.
    pub(super) fn new(address: SocketAddr, allowed: Vec<String>) -> Self {
        Self {
            loopback: address.ip().is_loopback(),
            port: address.port(),
            allowed: allowed
                .iter()
                .map(|host| host.to_ascii_lowercase())
                .collect(),
        }
    }

    /// The host that a request names, if elder answers to it.
    pub(super) fn check(&self, head: &request::Parts) -> Result<Authority, Problem> {
        let host = named(head)?;
        if self.answers_to(&host) {
            return Ok(host);
        }
        let detail =
            "elder does not answer to this Host; start it with --allowed-host NAME if it should";
        Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "host",
            detail,
        ))
    }

    fn answers_to(&self, host: &Authority) -> bool {
        let whole = host.as_str().to_ascii_lowercase();
        let name = host.host().to_ascii_lowercase();
        if self
            .allowed
            .iter()
            .any(|allowed| *allowed == whole || *allowed == name)
        {
            return true;
        }
        if !self.loopback {
            return self.allowed.is_empty();
        }
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let local = name == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        local && host.port_u16().unwrap_or(80) == self.port
    }
}

/// The one host that a request names.
fn named(head: &request::Parts) -> Result<Authority, Problem> {
    let bad = || Problem::bad_request("a request names its Host once, as name:port");
    let host = match head.uri.authority() {
        Some(authority) => authority.clone(),
        None => {
            let mut hosts = head.headers.get_all(HOST).iter();
            let (Some(host), None) = (hosts.next(), hosts.next()) else {
                return Err(bad());
            };
            host.as_bytes().try_into().map_err(|_| bad())?
        }
    };
    match host.as_str().contains('@') {
        true => Err(bad()),
        false => Ok(host),
    }
}

/// Refuses a write that a page of another site sent. Who sends neither of the headers is no browser.
pub(super) fn check_origin(headers: &HeaderMap, host: &Authority) -> Result<(), Problem> {
    let same = match (headers.get("sec-fetch-site"), headers.get(ORIGIN)) {
        // The browser itself compared; it knows better than a host that a proxy may have changed.
        (Some(site), _) => matches!(site.as_bytes(), b"same-origin" | b"none"),
        (None, Some(origin)) => origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .is_some_and(|(_, of)| of.eq_ignore_ascii_case(host.as_str())),
        (None, None) => true,
    };
    if same {
        return Ok(());
    }
    let detail = "a page of another site may not write here";
    Err(Problem::new(StatusCode::FORBIDDEN, "origin", detail))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn head(uri: &str, headers: &[(&str, &str)]) -> request::Parts {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_loopback_listener_answers_to_loopback_names_at_its_port() {
        let local = Hosts::new(
            "127.0.0.1:8000".parse().unwrap(),
            vec!["Elder.example".into()],
        );
        for (host, want) in [
            ("localhost:8000", true),
            ("LOCALHOST:8000", true),
            ("127.0.0.1:8000", true),
            ("127.1.2.3:8000", true),
            ("[::1]:8000", true),
            ("localhost", false),
            ("localhost:8001", false),
            ("evil.example:8000", false),
            ("127.0.0.1.evil.example:8000", false),
            ("10.0.0.1:8000", false),
            ("elder.example", true),
            ("elder.example:443", true),
            ("user@localhost:8000", false),
            ("", false),
        ] {
            let got = local.check(&head("/", &[("host", host)])).is_ok();
            assert_eq!(got, want, "{host:?}");
        }
        assert!(local.check(&head("/", &[])).is_err());
        let twice = [("host", "localhost:8000"), ("host", "evil.example")];
        assert!(local.check(&head("/", &twice)).is_err());
        for absolute in ["http://evil.example/", "http://user@localhost:8000/"] {
            let absolute = head(absolute, &[("host", "localhost:8000")]);
            assert!(local.check(&absolute).is_err());
        }
    }

    #[test]
    fn another_listener_checks_the_host_only_when_it_was_told_some() {
        let open = Hosts::new("0.0.0.0:8000".parse().unwrap(), vec![]);
        assert!(open.check(&head("/", &[("host", "anything:1")])).is_ok());
        let told = Hosts::new(
            "0.0.0.0:8000".parse().unwrap(),
            vec!["a.example:8000".into()],
        );
        assert!(
            told.check(&head("/", &[("host", "a.example:8000")]))
                .is_ok()
        );
        assert!(told.check(&head("/", &[("host", "a.example:1")])).is_err());
        assert!(
            told.check(&head("/", &[("host", "localhost:8000")]))
                .is_err()
        );
    }

    #[test]
    fn a_write_from_another_site_is_refused() {
        let host = Authority::from_static("localhost:8000");
        for (headers, want) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("origin", "http://localhost:8000")], true),
            (&[("origin", "http://localhost:9000")], false),
            (&[("origin", "null")], false),
            (&[("origin", "https://evil.example")], false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://localhost:8000"),
                ],
                false,
            ),
        ] {
            let head = head("/", headers);
            assert_eq!(
                check_origin(&head.headers, &host).is_ok(),
                want,
                "{headers:?}"
            );
        }
    }
}
