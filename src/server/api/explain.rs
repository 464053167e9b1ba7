//! Why a fire ran, did not, or waits: what engine and store know, put into sentences.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use jiff::civil;
use jiff::{Timestamp, ToSpan};

use crate::duration;
use crate::ids::JobName;
use crate::model::Run;
use crate::schedule::Schedule;
use crate::store::RunQuery;
use crate::tools::explain::{Facts, blocked_by, explain as put_in_words, stands_for, subject};

use super::super::problem::Problem;
use super::super::query::Pairs;
use super::super::shared::Shared;
use super::super::wire::explain::ExplanationJson;

/// So many rows before an instant are looked through for the one that stands for it: of requests
/// there may be any number between.
const LOOKED_AT: usize = 500;

/// `GET /jobs/{id}/explain`
pub(in super::super) async fn explain(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    pairs: Pairs,
) -> Result<Json<ExplanationJson>, Problem> {
    let query = pairs.check(&["at"])?;
    let name = super::jobs::name(&id)?;
    let view = shared.ask(shared.engine.job(name.clone())).await?;
    let view = view.ok_or_else(|| super::jobs::no_job(&shared))?;
    let now = shared.clock.now();
    let schedule = &view.job.definition.schedule;
    let asked = match query.get("at") {
        Some(text) => Some(instant(text, schedule, now).ok_or_else(no_instant)?),
        None => None,
    };
    let at = subject(&view, asked, now);
    let row = match at {
        Some(at) => row(&shared, name, at).await?,
        None => None,
    };
    let blocking = match row.as_ref().and_then(blocked_by) {
        Some(id) => shared.read(shared.store.run(id)).await?.map(|(run, _)| run),
        None => None,
    };
    let stats = shared.ask(shared.engine.stats()).await?;
    // Its words have paths in them, which are for the log.
    let store_error = stats.store_error.map(|_| "the store refuses to record");
    let told = put_in_words(&Facts {
        now,
        view: &view,
        at,
        row: row.as_ref(),
        blocking: blocking.as_ref(),
        store_error,
    });
    Ok(Json(ExplanationJson::new(
        &view,
        at,
        told,
        row.as_ref(),
        blocking.as_ref(),
    )))
}

/// The row that stands for the fire of an instant.
async fn row(shared: &Shared, job: JobName, at: Timestamp) -> Result<Option<Run>, Problem> {
    let query = RunQuery {
        job: Some(job),
        until: Some(at),
        limit: LOOKED_AT,
        ..RunQuery::default()
    };
    let page = shared.read(shared.store.runs(query)).await?;
    let mut rows = page.runs.into_iter();
    Ok(rows.find(|row| stands_for(row, at)))
}

/// An instant; a reading of the schedule's clock, with or without its date (then the last one);
/// or so long ago.
fn instant(text: &str, schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    if let Ok(reading) = text.parse::<civil::DateTime>()
        && text.contains(['T', 't', ' '])
    {
        return schedule.instant_meant(reading);
    }
    if let Ok(ago) = duration::parse(text) {
        return now.checked_sub(ago).ok();
    }
    let time = crate::schedule::parse_time(text).ok()?;
    let today = now.to_zoned(schedule.timezone()).date();
    let at = schedule.instant_meant(today.to_datetime(time))?;
    if at <= now {
        return Some(at);
    }
    let yesterday = today.checked_sub(1.day()).ok()?;
    schedule.instant_meant(yesterday.to_datetime(time))
}

fn no_instant() -> Problem {
    let detail = "at is an instant (2027-01-01T02:00:00Z), a time of the job's own clock \
         (2027-01-01T02:00, or 02:00 for the last one), or so long ago (24h)";
    Problem::bad_request(detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Item, Zones};

    #[test]
    fn an_instant_is_named_as_people_name_one() {
        let berlin = Zones::bundled().get("Europe/Berlin").unwrap();
        let item = Item::daily(&[civil::time(2, 0, 0, 0)], berlin).unwrap();
        let schedule = Schedule::new(vec![item]);
        let now = "2027-01-15T03:00:00+01:00".parse().unwrap();
        for (text, want) in [
            ("2027-01-10T01:00:00Z", Some("2027-01-10T01:00:00Z")),
            ("2027-01-10T02:00:00+01:00", Some("2027-01-10T01:00:00Z")),
            ("2027-01-10T02:00", Some("2027-01-10T01:00:00Z")),
            ("2027-01-10 02:00:30", Some("2027-01-10T01:00:30Z")),
            ("02:00", Some("2027-01-15T01:00:00Z")),
            ("23:30", Some("2027-01-14T22:30:00Z")),
            ("1h", Some("2027-01-15T01:00:00Z")),
            ("2027-01-10", None),
            ("soon", None),
            ("25:00", None),
        ] {
            let want = want.map(|at| at.parse().unwrap());
            assert_eq!(instant(text, &schedule, now), want, "{text}");
        }
    }
}
