//! Following a redirect: the next address, and what may go along to it.

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Method, StatusCode};
use url::Url;

use crate::model::Reason;

use super::super::failure::Failure;
use super::request::{Prepared, without_credentials};
use super::sign;

impl Prepared {
    /// Points the request to where the answer says; `false` when the answer is no redirect.
    ///
    /// Another host gets neither credentials nor any header with a secret in it,
    /// and a body with a secret is not sent to it at all.
    pub(super) fn redirect(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<bool, Failure> {
        let becomes_get = match status.as_u16() {
            303 => self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            307 | 308 => false,
            _ => return Ok(false),
        };
        let Some(location) = headers.get(LOCATION) else {
            return Ok(false);
        };
        let bad = |what: String| Failure::new(Reason::Http, what);
        let location = String::from_utf8_lossy(location.as_bytes());
        let mut next = self.url.join(&location).map_err(|error| {
            bad(format!(
                "it redirects to an address that cannot be used: {error}"
            ))
        })?;
        without_credentials(&mut next);
        if !matches!(next.scheme(), "http" | "https") || !next.has_host() {
            return Err(bad(format!(
                "it redirects to {}:, which is not followed",
                next.scheme()
            )));
        }
        if becomes_get {
            self.method = Method::GET;
            self.body = None;
            self.private_body = false;
            self.headers.remove(CONTENT_TYPE);
            // What was signed is that body.
            for name in [sign::ID, sign::TIMESTAMP, sign::SIGNATURE] {
                self.headers.remove(name);
            }
        }
        if !same_place(&self.url, &next) {
            if self.private_body && self.body.is_some() {
                return Err(bad(format!(
                    "it redirects to {}, and the body holds a secret: write that address into the job if it is right",
                    next.host_str().unwrap_or_default()
                )));
            }
            for name in &self.private {
                self.headers.remove(name);
            }
        }
        self.url = next;
        Ok(true)
    }
}

/// Whether two addresses belong to the same server, spoken to in the same way.
pub(super) fn same_place(a: &Url, b: &Url) -> bool {
    (a.scheme(), a.host(), a.port_or_known_default())
        == (b.scheme(), b.host(), b.port_or_known_default())
}

/// Where an answer points, for messages: without credentials and query.
pub(super) fn location_text(status: StatusCode, headers: &HeaderMap) -> Option<String> {
    const MOST: usize = 200;
    let location = headers.get(LOCATION).filter(|_| status.is_redirection())?;
    let text = String::from_utf8_lossy(location.as_bytes());
    let text = match Url::parse(&text) {
        Ok(mut url) => {
            without_credentials(&mut url);
            url.set_query(None);
            url.to_string()
        }
        Err(_) => text.split('?').next().unwrap_or_default().to_owned(),
    };
    Some(text.chars().take(MOST).collect())
}
