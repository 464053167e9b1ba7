//! Jobs: a page of them, one, and running one now.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::engine::{JobQuery, JobStatus, JobView, Refusal, TriggerRequest};
use crate::ids::{JobName, RunId};
use crate::model::{Outcome, Run, RunState, Trigger};
use crate::spec::fingerprint;
use crate::store::RunQuery;

use super::super::problem::{Problem, RECORDED_WITHIN};
use super::super::query::{Limit, Pairs};
use super::super::shared::Shared;
use super::super::wire::cursor;
use super::super::wire::job::{JobJson, JobsJson, Surroundings};
use super::super::wire::run::RERUN;

/// The longest request identity.
const MAX_REQUEST: usize = 255;

/// `GET /jobs`
pub(in super::super) async fn list(
    State(shared): State<Arc<Shared>>,
    pairs: Pairs,
) -> Result<Json<JobsJson>, Problem> {
    let query = pairs.check(&["status", "name", "limit", "cursor"])?;
    let query = JobQuery {
        status: query.get("status").map(status).transpose()?,
        name: query.get("name").map(str::to_owned),
        after: query.get("cursor").map(cursor::read_job).transpose()?,
        limit: query.limit(Limit::Most)?,
    };
    let page = shared.ask(shared.engine.jobs(query)).await?;
    let around = Surroundings::from(&*shared.sync.status());
    let mut jobs = Vec::with_capacity(page.jobs.len());
    let mut remembered = Remembered::default();
    for view in &page.jobs {
        let old = remembered.last_run(&shared, view).await;
        jobs.push(JobJson::new(
            view,
            view.last.as_ref().or(old.as_ref()),
            &around,
        ));
    }
    let last = page.jobs.last().filter(|_| page.more);
    let next = last.map(|view| cursor::write_job(view.job.name()));
    Ok(Json(JobsJson { jobs, next }))
}

/// `GET /jobs/{id}`
pub(in super::super) async fn one(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    pairs: Pairs,
) -> Result<Json<JobJson>, Problem> {
    pairs.check(&[])?;
    let name = name(&id)?;
    let view = shared.ask(shared.engine.job(name)).await?;
    let view = view.ok_or_else(|| no_job(&shared))?;
    let around = Surroundings::from(&*shared.sync.status());
    let old = Remembered::default().last_run(&shared, &view).await;
    let last = view.last.as_ref().or(old.as_ref());
    let job = JobJson::new(&view, last, &around);
    // What runs is told also while the store does not answer.
    let name = view.job.name().clone();
    let editions = shared.read(shared.store.editions(name)).await;
    let editions = editions.unwrap_or_default();
    let id = fingerprint(&view.job.definition);
    let edition = editions.iter().rfind(|edition| edition.definition == id);
    Ok(Json(job.with_edition(edition)))
}

/// What the store knows of runs from before this start.
#[derive(Default)]
struct Remembered {
    /// The store did not answer once: a page is not to wait for it again and again.
    silent: bool,
}

impl Remembered {
    /// The last run of a job that has not run since the start.
    async fn last_run(&mut self, shared: &Shared, view: &JobView) -> Option<Run> {
        if self.silent || view.last.is_some() || view.mark.times.last_run.is_none() {
            return None;
        }
        let query = RunQuery {
            job: Some(view.job.name().clone()),
            outcomes: vec![
                Outcome::Success,
                Outcome::Failed,
                Outcome::TimedOut,
                Outcome::Cancelled,
                Outcome::Interrupted,
            ],
            limit: 1,
            ..RunQuery::default()
        };
        let page = shared.read(shared.store.runs(query)).await;
        self.silent = page.is_err();
        page.ok()?.runs.into_iter().next()
    }
}

/// What may be said of a run that is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunBody {
    /// Who asks: a program, or a person at the command line.
    #[serde(default)]
    trigger: Asked,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Asked {
    #[default]
    Api,
    Manual,
}

/// The run that was made.
#[derive(Debug, Serialize)]
pub(in super::super) struct RanJson {
    job_id: String,
    run_id: String,
    /// The request was known already, and this is its run.
    repeated: bool,
    /// The run that this one is again.
    #[serde(skip_serializing_if = "Option::is_none")]
    rerun_of: Option<String>,
}

/// `POST /jobs/{id}/run`
pub(in super::super) async fn run(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    pairs: Pairs,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<RanJson>, Problem> {
    pairs.check(&[])?;
    let job = name(&id)?;
    let body: RunBody = super::body(&bytes)?;
    let request = request_id(&headers)?;
    if request.starts_with(RERUN) {
        let detail = "an Idempotency-Key that begins with rerun/ is elder's own";
        return Err(Problem::bad_request(detail));
    }
    trigger(&shared, job, request, body.trigger).await.map(Json)
}

/// `POST /runs/{id}/rerun`: a run of the job as it is defined now.
pub(in super::super) async fn rerun(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    pairs: Pairs,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<RanJson>, Problem> {
    pairs.check(&[])?;
    let body: RunBody = super::body(&bytes)?;
    let id = RunId::parse(&id).ok_or_else(super::runs::no_run)?;
    let found = shared.read(shared.store.run(id)).await?;
    let (run, _) = found.ok_or_else(super::runs::no_run)?;
    if run.state != RunState::Done {
        let detail = format!("the run is not over: it is {}", run.state);
        return Err(Problem::new(StatusCode::CONFLICT, "run-open", detail));
    }
    let request = format!("{RERUN}{id}/{}", request_id(&headers)?);
    let ran = trigger(&shared, run.job, request, body.trigger).await?;
    Ok(Json(RanJson {
        rerun_of: Some(id.to_string()),
        ..ran
    }))
}

async fn trigger(
    shared: &Shared,
    job: JobName,
    request: String,
    asked: Asked,
) -> Result<RanJson, Problem> {
    let request = TriggerRequest {
        job: job.clone(),
        request: request.into(),
        trigger: match asked {
            Asked::Api => Trigger::Api,
            Asked::Manual => Trigger::Manual,
        },
    };
    let trigger = tokio::time::timeout(RECORDED_WITHIN, shared.engine.trigger(request));
    let late = "may begin all the same: `elder runs` tells, and the same Idempotency-Key makes no second one";
    let triggered = trigger.await;
    let triggered = triggered.map_err(|_elapsed| Problem::not_recorded_yet(late))?;
    let triggered = triggered.map_err(|refusal| refused(shared, refusal))?;
    Ok(RanJson {
        job_id: job.to_string(),
        run_id: triggered.run.to_string(),
        repeated: triggered.repeated,
        rerun_of: None,
    })
}

pub(super) fn refused(shared: &Shared, refusal: Refusal) -> Problem {
    match refusal {
        Refusal::NoSuchJob(_) => no_job(shared),
        Refusal::Overlap { job, blocking } => {
            let detail = format!(
                "{job} runs already as often as max_instances allows: {blocking} is in the way"
            );
            Problem::new(StatusCode::CONFLICT, "overlap", detail)
                .with("job_id", job.as_str())
                .with("blocking_run", blocking.as_str())
        }
        Refusal::Store(error) => {
            tracing::error!(error, "what was asked for could not be recorded");
            Problem::store_unreachable()
        }
        Refusal::Stopping => Problem::scheduler_stopped(),
    }
}

/// The caller's `Idempotency-Key`, or one of our own.
fn request_id(headers: &HeaderMap) -> Result<String, Problem> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let bad = || {
        let detail = "Idempotency-Key is there once, with 1 to 255 visible ASCII characters";
        Problem::bad_request(detail)
    };
    let Some(key) = keys.next() else {
        return super::super::random_hex::<16>().map_err(|_| Problem::scheduler_stopped());
    };
    let key = key.to_str().map_err(|_| bad())?;
    let visible = |c: char| c.is_ascii_graphic();
    if keys.next().is_some()
        || key.is_empty()
        || key.len() > MAX_REQUEST
        || !key.chars().all(visible)
    {
        return Err(bad());
    }
    Ok(key.to_owned())
}

/// A path's name of a job; one that breaks the pattern is no job's.
pub(super) fn name(id: &str) -> Result<JobName, Problem> {
    JobName::new(id).map_err(|_| no_such_job())
}

/// No such job, unless that is not known yet.
pub(super) fn no_job(shared: &Shared) -> Problem {
    match shared.sync.status().observed_at {
        None => Problem::first_sync(),
        Some(_) => no_such_job(),
    }
}

fn no_such_job() -> Problem {
    Problem::not_found("there is no such job: `elder list`, or GET /api/v1/jobs, shows all")
}

fn status(word: &str) -> Result<JobStatus, Problem> {
    const ALL: [JobStatus; 5] = [
        JobStatus::Active,
        JobStatus::Idle,
        JobStatus::Paused,
        JobStatus::Disabled,
        JobStatus::Held,
    ];
    let found = ALL.into_iter().find(|status| status.as_str() == word);
    found.ok_or_else(|| {
        Problem::bad_request("status is one of active, idle, paused, disabled, held")
    })
}
