//! Runs: pages of them, and one with its output.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::decide;
use crate::ids::{JobName, RunId};
use crate::store::RunQuery;

use super::super::problem::Problem;
use super::super::query::{Checked, Limit, Pairs};
use super::super::shared::Shared;
use super::super::wire::run::{RunJson, RunsJson};

const FILTERS: [&str; 5] = ["limit", "outcome", "since", "until", "cursor"];

/// `GET /runs`
pub(in super::super) async fn list(
    State(shared): State<Arc<Shared>>,
    pairs: Pairs,
) -> Result<Json<RunsJson>, Problem> {
    let query = pairs.check(&FILTERS)?;
    page(&shared, None, &query).await
}

/// `GET /jobs/{id}/runs`: also of a job that is gone, as long as its history is kept.
pub(in super::super) async fn of_job(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    pairs: Pairs,
) -> Result<Json<RunsJson>, Problem> {
    let query = pairs.check(&FILTERS)?;
    let job = super::jobs::name(&id)?;
    let page = page(&shared, Some(job.clone()), &query).await?;
    if page.is_empty() {
        let known = shared.ask(shared.engine.job(job.clone())).await?.is_some();
        let marks = shared.read(shared.store.marks(vec![job])).await?;
        if !known && marks.iter().all(Option::is_none) {
            return Err(super::jobs::no_job(&shared));
        }
    }
    Ok(page)
}

/// `GET /runs/{id}`
pub(in super::super) async fn one(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    pairs: Pairs,
) -> Result<Json<RunJson>, Problem> {
    pairs.check(&[])?;
    let id = RunId::parse(&id).ok_or_else(no_run)?;
    let found = shared.read(shared.store.run(id)).await?;
    let (run, output) = found.ok_or_else(no_run)?;
    let editions = shared.read(shared.store.editions(run.job.clone())).await?;
    let edition = run
        .definition
        .and_then(|id| decide::edition_of(&editions, id, run.started_at));
    Ok(Json(RunJson::with_output(&run, &output, edition)))
}

/// `POST /runs/{id}/cancel`: the run will be cancelled; it is not over yet when this answers.
pub(in super::super) async fn cancel(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    pairs: Pairs,
    body: Bytes,
) -> Result<Json<CancelJson>, Problem> {
    pairs.check(&[])?;
    let CancelBody {} = super::body(&body)?;
    let id = RunId::parse(&id).ok_or_else(no_run)?;
    let is_there = shared.ask(shared.engine.cancel(id)).await?;
    if is_there.map_err(|_| Problem::store_unreachable())? {
        return Ok(Json(CancelJson {
            run_id: id.to_string(),
            status: "cancelling",
        }));
    }
    let found = shared.read(shared.store.run(id)).await?;
    let (run, _) = found.ok_or_else(no_run)?;
    let outcome = run.outcome.map_or("over", |outcome| outcome.as_str());
    let detail = format!("the run is over already: {outcome}");
    Err(Problem::new(StatusCode::CONFLICT, "run-over", detail).with("outcome", outcome))
}

/// There is nothing to say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CancelBody {}

/// The run that will end.
#[derive(Debug, Serialize)]
pub(in super::super) struct CancelJson {
    run_id: String,
    status: &'static str,
}

pub(super) fn no_run() -> Problem {
    Problem::not_found("there is no such run; its history may have been pruned")
}

async fn page(
    shared: &Shared,
    job: Option<JobName>,
    query: &Checked,
) -> Result<Json<RunsJson>, Problem> {
    let now = shared.clock.now();
    let query = RunQuery {
        job,
        outcomes: query.outcomes()?,
        since: query.instant("since", now)?,
        until: query.instant("until", now)?,
        after: query.cursor()?,
        limit: query.limit(Limit::Page)?,
    };
    let page = shared.read(shared.store.runs(query)).await?;
    Ok(Json(page.into()))
}
