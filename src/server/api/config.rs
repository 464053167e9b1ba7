//! The configuration: how it stands, and reading it anew.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::Value;

use crate::finding::Severity;
use crate::finding::render::amount;
use crate::model::{ReloadReport, ReloadResult, ReloadTrigger};
use crate::sync::{Confirm, Pass, SyncAnswer, SyncState, SyncStatus};

use super::super::audit::Said;
use super::super::auth::Caller;
use super::super::problem::Problem;
use super::super::query::Pairs;
use super::super::shared::{PROBE_PATIENCE, Shared};
use super::super::wire::config::{ConfigJson, ReloadJson, SyncBody};
use super::super::wire::overrides::MOST_SHOWN;

/// `GET /config`
pub(in super::super) async fn config(
    State(shared): State<Arc<Shared>>,
    pairs: Pairs,
) -> Result<Json<ConfigJson>, Problem> {
    pairs.check(&[])?;
    // How the sync stands is worth an answer, whatever the scheduler does.
    let pauses = shared.engine.pauses(MOST_SHOWN);
    let pauses = tokio::time::timeout(PROBE_PATIENCE, pauses).await;
    let pauses = pauses.ok().and_then(Result::ok);
    let status = shared.sync.status();
    Ok(Json(ConfigJson::new(&status, pauses.as_ref())))
}

/// `POST /-/reload` and `POST /config/sync`
///
/// Waits for the sync: what a reloader sees is what became of its change.
pub(in super::super) async fn sync(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    pairs: Pairs,
    bytes: Bytes,
) -> Result<Response, Problem> {
    pairs.check(&[])?;
    let mut body: SyncBody = super::body(&bytes)?;
    let (force, reason) = (body.force, super::pauses::reason(body.reason.take())?);
    let pass = match (force, &reason) {
        (true, Some(_)) => Pass::Force,
        (false, None) => Pass::Windows,
        (true, None) => {
            let detail = "force says why: write \"reason\"";
            return Err(Problem::bad_request(detail));
        }
        (false, Some(_)) => {
            let detail = "reason is for \"force\": true";
            return Err(Problem::bad_request(detail));
        }
    };
    let confirm = body.confirm()?;
    if confirm.is_some() || force {
        caller.administers()?;
    }
    let said = reason.map(|reason| format!("in spite of a freeze: {reason}"));
    let mut response = ask(&shared, confirm, pass).await.into_response();
    response.extensions_mut().insert(Said::from(said));
    Ok(response)
}

async fn ask(shared: &Shared, confirm: Option<Confirm>, pass: Pass) -> Result<Response, Problem> {
    let answer = shared.sync.sync_by(ReloadTrigger::Api, confirm, pass);
    let answer = tokio::time::timeout(shared.sync_patience, answer).await;
    match answer.map_err(|_elapsed| Problem::not_synced_yet(shared.sync_patience))? {
        SyncAnswer::Done(report) => done(&report, &shared.sync.status()),
        SyncAnswer::PendingChanged { pending, hash } => {
            let detail = "what waits for a confirmation is not what was confirmed; look again";
            Err(
                Problem::new(StatusCode::CONFLICT, "pending-changed", detail)
                    .with("pending_removals", pending)
                    .with("pending", hash),
            )
        }
        SyncAnswer::Failed(error) => {
            tracing::error!(error, "a reload that was asked for failed");
            let detail = "the reload could not be carried out; see elder's log";
            Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "reload-failed",
                detail,
            ))
        }
    }
}

fn done(report: &ReloadReport, status: &SyncStatus) -> Result<Response, Problem> {
    let error = |finding: &&crate::finding::Finding| finding.severity == Severity::Error;
    let errors = report.findings.iter().filter(error).count();
    let refused = matches!(
        report.result,
        ReloadResult::Partial | ReloadResult::Rejected
    );
    let lost = status.state == SyncState::SourceLost;
    // A PATH that is gone refuses its files too, and has no finding that says so.
    let (code, kind, detail) = if errors > 0 || refused && !lost {
        let detail = format!(
            "{} in job files: what was good before goes on, see findings for the mends",
            amount(errors as u64, "error")
        );
        (StatusCode::UNPROCESSABLE_ENTITY, "rejected", detail)
    } else if lost {
        let detail = "a PATH is gone or unreadable: its jobs go on as they were last applied";
        (StatusCode::CONFLICT, "source-lost", detail.to_owned())
    } else if let Some(waits) = &report.waits {
        (StatusCode::CONFLICT, "frozen", waits.clone())
    } else if !report.held.is_empty() || report.result == ReloadResult::Held {
        let held = report.held.len();
        let detail =
            format!("{held} removals are held: confirm them with elder sync --prune, or \"prune\"");
        (StatusCode::CONFLICT, "held", detail)
    } else {
        return Ok(Json(ReloadJson::from(report)).into_response());
    };
    let mut problem = Problem::new(code, kind, detail);
    // The same members as in a good answer, so that one program reads both.
    if let Ok(Value::Object(members)) = serde_json::to_value(ReloadJson::from(report)) {
        for (name, value) in members {
            problem = problem.with(&name, value);
        }
    }
    if !status.pending.is_empty() {
        problem = problem
            .with("pending_removals", status.pending.clone())
            .with("pending", status.pending_hash.as_str());
    }
    Err(problem)
}
