//! The request of one attempt, filled in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHORIZATION, TRANSFER_ENCODING, USER_AGENT,
};
use reqwest::{Method, Request};
use url::{Url, form_urlencoded};

use crate::model::{Body, Http, Part, Text, Trigger, Variable};

use super::super::Attempt;
use super::super::failure::Failure;
use super::super::fill::{Facts, holds_secret, json_holds_secret};
use super::super::trace::traceparent;
use super::redirect::same_place;

const AGENT: &str = concat!("elder/", env!("CARGO_PKG_VERSION"));
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A request that is ready to be sent.
pub(super) struct Prepared {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
    /// Headers that no other host than the first may see.
    pub(super) private: Vec<HeaderName>,
    /// Whether no other host than the first may see the body.
    pub(super) private_body: bool,
}

impl Prepared {
    /// Fills `http` in.
    pub(super) fn new(http: &Http, facts: &Facts<'_>) -> Result<Self, Failure> {
        let method = Method::from_bytes(http.method.as_bytes())
            .ok()
            .filter(|method| *method != Method::CONNECT)
            .ok_or_else(|| Failure::setup(format!("{} is no method for a job", http.method)))?;
        let mut prepared = Self {
            method,
            url: url(http, facts)?,
            headers: own_headers(facts.attempt)?,
            body: None,
            private: vec![AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION],
            private_body: false,
        };
        prepared.credentials_of_url()?;
        prepared.body(&http.body, facts)?;
        prepared.headers(&http.headers, facts)?;
        Ok(prepared)
    }

    /// What is to be sent now. What it holds is kept only if it may have to be sent again.
    pub(super) fn take(&mut self, may_go_on: bool) -> Request {
        let mut request = Request::new(self.method.clone(), self.url.clone());
        let (headers, body) = if may_go_on {
            (self.headers.clone(), self.body.clone())
        } else {
            (std::mem::take(&mut self.headers), self.body.take())
        };
        *request.headers_mut() = headers;
        *request.body_mut() = body.map(Into::into);
        request
    }

    fn headers(
        &mut self,
        headers: &[(std::sync::Arc<str>, Text)],
        facts: &Facts<'_>,
    ) -> Result<(), Failure> {
        let mut seen: Vec<HeaderName> = Vec::with_capacity(headers.len());
        for (name, text) in headers {
            let bad = |what| Failure::setup(format!("the header {name} {what}"));
            let key = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| bad("has characters that no header's name may have"))?;
            if key == CONTENT_LENGTH || key == TRANSFER_ENCODING {
                return Err(bad("is what elder itself sets: take it out"));
            }
            let mut value = HeaderValue::from_bytes(facts.fill(text)?.as_bytes())
                .map_err(|_| bad("holds a line break or another control character"))?;
            if holds_secret(text) {
                value.set_sensitive(true);
                self.private.push(key.clone());
            }
            // The job's own word replaces elder's, and several of the same name stand beside each other.
            if seen.contains(&key) {
                self.headers.append(key, value);
            } else {
                self.headers.insert(key.clone(), value);
                seen.push(key);
            }
        }
        Ok(())
    }

    fn body(&mut self, body: &Body, facts: &Facts<'_>) -> Result<(), Failure> {
        let (text, kind, private) = match body {
            Body::Empty => match &facts.attempt.told {
                Some(told) if self.method != Method::GET && self.method != Method::HEAD => {
                    (told.body().to_string(), "application/json", false)
                }
                _ => return Ok(()),
            },
            Body::Text(text) => (
                facts.fill(text)?,
                "text/plain; charset=utf-8",
                holds_secret(text),
            ),
            Body::Json(json) => (
                facts.fill_json(json)?,
                "application/json",
                json_holds_secret(json),
            ),
            Body::Form(fields) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (name, value) in fields {
                    form.append_pair(name, &facts.fill(value)?);
                }
                let private = fields.iter().any(|(_, value)| holds_secret(value));
                (form.finish(), "application/x-www-form-urlencoded", private)
            }
        };
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        self.body = Some(text.into_bytes());
        self.private_body = private;
        Ok(())
    }

    /// `http://user:password@host/` means basic authentication.
    fn credentials_of_url(&mut self) -> Result<(), Failure> {
        let (user, password) = (self.url.username(), self.url.password());
        if user.is_empty() && password.is_none() {
            return Ok(());
        }
        let mut pair = unescape(user);
        pair.push(b':');
        pair.extend(unescape(password.unwrap_or_default()));
        let value = format!("Basic {}", STANDARD.encode(pair));
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| Failure::internal("basic authentication could not be written"))?;
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        without_credentials(&mut self.url);
        Ok(())
    }
}

/// Takes user and password out of `url`.
pub(super) fn without_credentials(url: &mut Url) {
    // This fails for addresses without a host only, which have neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

fn url(http: &Http, facts: &Facts<'_>) -> Result<Url, Failure> {
    let text = facts.fill(&http.url)?;
    let mut url = Url::parse(&text)
        .map_err(|error| Failure::setup(format!("the address cannot be used: {error}")))?;
    if !url.has_host() {
        return Err(Failure::setup("the address names no host"));
    }
    if let Some(server @ Part::Variable(Variable::Server)) = http.url.parts().first() {
        // An address of elder's own that became another's, as by `@`, would be a way around what
        // was checked of it.
        let own = facts.fill(&Text::of_parts("", vec![server.clone()]))?;
        let is_own = Url::parse(&own).is_ok_and(|own| same_place(&own, &url));
        if !is_own || !url.username().is_empty() || url.password().is_some() {
            return Err(Failure::setup(
                "the address begins with `${elder.server}` and leads elsewhere",
            ));
        }
    }
    if !http.query.is_empty() {
        let mut pairs = url.query_pairs_mut();
        for (name, value) in &http.query {
            pairs.append_pair(name, &facts.fill(value)?);
        }
    }
    Ok(url)
}

/// What each request carries.
fn own_headers(attempt: &Attempt) -> Result<HeaderMap, Failure> {
    let value = |text: String| {
        HeaderValue::try_from(text)
            .map_err(|_| Failure::internal("elder's own headers could not be written"))
    };
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(
        TRACEPARENT,
        value(traceparent(attempt.run, attempt.attempt))?,
    );
    headers.insert(IDEMPOTENCY_KEY, value(idempotency_key(attempt))?);
    Ok(headers)
}

/// Equal for all attempts of one run, and for no two runs.
fn idempotency_key(attempt: &Attempt) -> String {
    let (job, instant) = (attempt.job.name(), attempt.scheduled_at);
    match attempt.trigger {
        Trigger::Schedule | Trigger::CatchUp | Trigger::Startup => format!("{job}/{instant}"),
        Trigger::Manual | Trigger::Api => format!("{job}/{instant}/{}", attempt.run),
    }
}

/// Undoes `%41`.
fn unescape(text: &str) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = &after[2..];
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}
