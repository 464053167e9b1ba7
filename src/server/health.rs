//! `GET /healthz` and `GET /readyz`.
//!
//! 503 of the first means: restart me. So it says it only when the engine's
//! loop does not go round; a store that is away is no reason to be restarted.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::finding::Severity;
use crate::sync::SyncState;

use super::shared::{PROBE_PATIENCE, Shared};

/// An engine that does not answer in time may be busy; one whose last tick is older than this is not.
const TICK_AGE: Duration = Duration::from_secs(10);

/// What is the matter, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Matter {
    SchedulerStopped,
    StoreUnreachable,
    StaleJobs,
    SourceLost,
    RemovalsHeld,
    BadFiles,
    NoActiveJobs,
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    reason: Option<Matter>,
    active_jobs: u64,
    stale_jobs: u64,
    /// The first of them, ten at most.
    stale_job_names: Vec<String>,
}

/// How elder is.
pub(super) async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let stats = tokio::time::timeout(PROBE_PATIENCE, shared.engine.stats()).await;
    let mut active_jobs = shared.telemetry.active_jobs();
    let (mut stale_jobs, mut stale_job_names) = (0, Vec::new());
    let mut matters = Vec::new();
    match stats {
        Ok(Ok(stats)) => {
            active_jobs = stats.active_jobs;
            stale_jobs = stats.stale_jobs;
            stale_job_names = stats.stale_names.iter().map(ToString::to_string).collect();
            if stats.store_error.is_some() {
                matters.push(Matter::StoreUnreachable);
            }
        }
        Ok(Err(_gone)) => matters.push(Matter::SchedulerStopped),
        Err(_elapsed) => {
            let now = shared.clock.now();
            let tick = shared.telemetry.last_tick();
            if tick.is_none_or(|tick| now.duration_since(tick).unsigned_abs() > TICK_AGE) {
                matters.push(Matter::SchedulerStopped);
            }
        }
    }
    if stale_jobs > 0 {
        matters.push(Matter::StaleJobs);
    }
    if !shared.store_reachable().await {
        matters.push(Matter::StoreUnreachable);
    }
    let sync = shared.sync.status();
    let lost = sync.sources.iter().any(|source| source.lost.is_some());
    if sync.state == SyncState::SourceLost || lost {
        matters.push(Matter::SourceLost);
    }
    if !sync.pending.is_empty() {
        matters.push(Matter::RemovalsHeld);
    }
    let bad = |finding: &crate::finding::Finding| finding.severity == Severity::Error;
    if sync.state == SyncState::Invalid || sync.findings.iter().any(bad) {
        matters.push(Matter::BadFiles);
    }
    if active_jobs == 0 {
        matters.push(Matter::NoActiveJobs);
    }
    let reason = matters.into_iter().min();
    let health = Health {
        status: match reason {
            None => "healthy",
            Some(Matter::SchedulerStopped | Matter::StoreUnreachable) => "unhealthy",
            Some(_) => "warning",
        },
        reason,
        active_jobs,
        stale_jobs,
        stale_job_names,
    };
    let status = match reason {
        Some(Matter::SchedulerStopped) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    (status, Json(health)).into_response()
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    reason: Option<&'static str>,
}

/// Whether elder has begun: the first sync is done and the store can be reached.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let reason = if shared.sync.status().observed_at.is_none() {
        Some("first_sync")
    } else if !shared.store_reachable().await {
        Some("store_unreachable")
    } else {
        None
    };
    let (code, status) = match reason {
        None => (StatusCode::OK, "ready"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
    };
    (code, Json(Ready { status, reason })).into_response()
}
