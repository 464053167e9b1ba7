//! The API's calls, one file for each kind of thing.

pub(super) mod audit;
pub(super) mod config;
pub(super) mod events;
pub(super) mod explain;
pub(super) mod jobs;
pub(super) mod output;
pub(super) mod pauses;
pub(super) mod plan;
pub(super) mod preview;
pub(super) mod runs;
pub(super) mod stats;
pub(super) mod stop;
pub(super) mod store;

use axum::body::Bytes;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The body of a call; an empty one is the type's default.
fn body<T: DeserializeOwned + Default>(bytes: &Bytes) -> Result<T, Problem> {
    if bytes.is_empty() {
        return Ok(T::default());
    }
    // A list would pass for the members in their order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::bad_request("the body is a JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let what = match error.classify() {
            serde_json::error::Category::Data => "does not fit this call",
            _ => "is not JSON",
        };
        Problem::bad_request(format!("the body {what} at line {line}, column {column}"))
    })
}
