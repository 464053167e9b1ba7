//! Errors as RFC 9457 problem documents: what is wrong and the mend, and
//! nothing of paths, tables or secrets.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::audit::Said;

/// The media type of a problem document.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// How long what somebody asks for may take to be recorded.
pub(super) const RECORDED_WITHIN: Duration = Duration::from_secs(30);

/// An error as an answer.
#[derive(Debug)]
pub(super) struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    kind: &'static str,
    detail: String,
    more: Map<String, Value>,
    header: Option<(HeaderName, HeaderValue)>,
    said: Option<&'static str>,
    caller: Option<Arc<str>>,
}

impl Problem {
    /// A problem; `kind` is a stable word for programs, `detail` a sentence for people.
    pub(super) fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            status,
            kind,
            detail: detail.into(),
            more: Map::new(),
            header: None,
            said: None,
            caller: None,
        }))
    }

    /// 400: the request itself is wrong.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// 404: there is no such thing.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// 503: the engine has ended or does not answer.
    pub(super) fn scheduler_stopped() -> Self {
        let detail = "the scheduler does not answer; see elder's log, and /healthz";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "scheduler-stopped", detail)
    }

    /// 503: the store does not answer. Its own words go to the log alone.
    pub(super) fn store_unreachable() -> Self {
        let detail = "the store cannot be used at the moment; see elder's log";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store-unreachable", detail)
    }

    /// 503: the disk stands still, and nobody knows whether it is done; `what` says how that shows.
    pub(super) fn not_recorded_yet(what: &str) -> Self {
        let detail = format!(
            "it is not recorded after {} s and {what}; see elder's log, and /healthz",
            RECORDED_WITHIN.as_secs()
        );
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "store-unreachable", detail);
        problem.0.said = Some("not recorded in time: it may be done all the same");
        problem
    }

    /// 503: the sync takes longer than an answer may, and goes on.
    pub(super) fn not_synced_yet(within: Duration) -> Self {
        let detail = format!(
            "the sync is not over after {} s and goes on: `elder status`, or GET /api/v1/config, tells what came of it",
            within.as_secs()
        );
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "reload-failed", detail);
        problem.0.said = Some("not over in time: it goes on");
        problem
    }

    /// 503: which jobs there are is not known before the files are read.
    pub(super) fn first_sync() -> Self {
        let detail = "elder is still reading its job files and does not know this job yet: ask again once /readyz says ready";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "first-sync", detail)
    }

    /// 500: elder itself went wrong.
    pub(super) fn internal() -> Self {
        let detail = "this went wrong inside elder; it is a bug, and its log says more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// Adds a member.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.more.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header.
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    /// Of somebody who is known.
    pub(super) fn of(mut self, caller: &Arc<str>) -> Self {
        self.0.caller = Some(caller.clone());
        self
    }

    /// Whose it is, if they are known.
    pub(super) fn caller(&self) -> Option<&Arc<str>> {
        self.0.caller.as_ref()
    }

    /// Its status.
    pub(super) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Its word.
    pub(super) fn kind(&self) -> &'static str {
        self.0.kind
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(parts) = self;
        let mut body = json!({
            "type": format!("urn:elder:problem:{}", parts.kind),
            "title": parts.status.canonical_reason().unwrap_or("Error"),
            "status": parts.status.as_u16(),
            "detail": parts.detail,
        });
        if let Some(body) = body.as_object_mut() {
            body.extend(parts.more);
        }
        let mut response = (parts.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some((name, value)) = parts.header {
            headers.insert(name, value);
        }
        if let Some(said) = parts.said {
            response.extensions_mut().insert(Said(Some(said.into())));
        }
        response
    }
}
