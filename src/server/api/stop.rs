//! The end of elder, asked for by a call: as SIGTERM asks for it.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::super::problem::Problem;
use super::super::query::Pairs;
use super::super::shared::Shared;

/// There is nothing to say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StopBody {}

/// Elder will end.
#[derive(Debug, Serialize)]
pub(in super::super) struct StopJson {
    status: &'static str,
    /// Its process, as its own machine or container counts.
    process: u32,
}

/// `POST /stop`: no new fire, runs end within the grace. Asked again it changes nothing: only a
/// second signal ends runs at once.
pub(in super::super) async fn stop(
    State(shared): State<Arc<Shared>>,
    pairs: Pairs,
    bytes: Bytes,
) -> Result<(StatusCode, Json<StopJson>), Problem> {
    pairs.check(&[])?;
    let StopBody {} = super::body(&bytes)?;
    shared.stop.notify_one();
    let answer = StopJson {
        status: "stopping",
        process: std::process::id(),
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}
