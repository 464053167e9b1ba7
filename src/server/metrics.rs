//! `GET /metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, VARY};
use axum::response::{IntoResponse, Response};

use crate::telemetry::Format;

use super::problem::Problem;
use super::shared::Shared;

/// The text of all samples, in the format that `Accept` prefers.
pub(super) async fn metrics(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let busy = || {
        let detail = "elder is writing its metrics for others; ask again";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
    };
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::negotiate(accept);
    let _place = shared.scrapes.acquire().await.map_err(|_| busy())?;
    let telemetry = shared.telemetry.clone();
    // Milliseconds of work with ten thousand jobs: not on a thread that others wait for.
    let encoded = tokio::task::spawn_blocking(move || telemetry.encode(format));
    let text = encoded.await.map_err(|_| busy())?;
    let mut response = text.into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static(format.content_type());
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}
