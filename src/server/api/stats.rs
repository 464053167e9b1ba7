//! Sums: of this process, and of a span of history.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;

use super::super::problem::Problem;
use super::super::query::Pairs;
use super::super::shared::Shared;
use super::super::wire::edition::FailingJson;
use super::super::wire::stats::{FailingJobJson, StatsJson, SummaryJson};

/// The span of a summary when nothing is said.
const DAY: Duration = Duration::from_secs(86_400);

/// `GET /stats`
pub(in super::super) async fn stats(
    State(shared): State<Arc<Shared>>,
    pairs: Pairs,
) -> Result<Json<StatsJson>, Problem> {
    pairs.check(&[])?;
    let stats = shared.ask(shared.engine.stats()).await?;
    Ok(Json(StatsJson::new(&stats, shared.telemetry.version())))
}

/// `GET /summary`
pub(in super::super) async fn summary(
    State(shared): State<Arc<Shared>>,
    pairs: Pairs,
) -> Result<Json<SummaryJson>, Problem> {
    let query = pairs.check(&["since", "until"])?;
    let now = shared.clock.now();
    let until = query.instant("until", now)?.unwrap_or(now);
    let since = match query.instant("since", now)? {
        Some(since) => since,
        None => until.checked_sub(DAY).unwrap_or(until),
    };
    if since > until {
        return Err(Problem::bad_request("since comes after until"));
    }
    let jobs = shared.read(shared.store.summary(since, until)).await?;
    // A report is about the past, and told also while the engine does not answer.
    let names = shared.ask(shared.engine.stats()).await;
    let mut failing = Vec::new();
    for name in names.map_or_else(|_| Vec::new(), |stats| stats.failing_names) {
        let view = shared.ask(shared.engine.job(name.clone())).await;
        failing.extend(view.ok().flatten().and_then(|view| {
            Some(FailingJobJson {
                job_id: name.to_string(),
                failing_since: FailingJson::from(&view.failing?),
            })
        }));
    }
    Ok(Json(SummaryJson::new(since, until, jobs, failing)))
}
