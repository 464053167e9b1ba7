//! When a schedule would fire, in whatever form it is written.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::finding::Severity;
use crate::forecast;
use crate::ids::JobName;
use crate::spec;

use super::super::problem::Problem;
use super::super::query::Pairs;
use super::super::shared::Shared;

/// How many fires are shown when nothing is said, and at most.
const FEW: usize = 5;
const MOST: usize = 1_000;

/// What is asked, with the names that `elder next --stdin` has.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// In any form of the job file.
    schedule: Option<Value>,
    /// The zone; this elder's own when absent.
    timezone: Option<String>,
    /// Fires after this instant; now when absent.
    from: Option<Timestamp>,
    n: Option<usize>,
    /// Whose jitter, spread and random fires.
    name: Option<String>,
}

/// What a schedule does next.
#[derive(Debug, Serialize)]
pub(in super::super) struct PreviewJson {
    next_runs: Vec<String>,
    description: String,
    timezone: String,
}

/// `GET /schedules/preview?cron_expression=…`, and `POST` of any schedule
pub(in super::super) async fn preview(
    State(shared): State<Arc<Shared>>,
    method: Method,
    pairs: Pairs,
    bytes: Bytes,
) -> Result<Json<PreviewJson>, Problem> {
    let question = match method == Method::POST {
        true => {
            pairs.check(&[])?;
            super::body(&bytes)?
        }
        false => of_query(&shared, pairs)?,
    };
    // It may have much to look for, and looks to its end whoever hangs up.
    let place = Arc::clone(&shared.previews).acquire_owned().await;
    let answered = tokio::task::spawn_blocking(move || {
        let _place = place;
        answer(&shared, &question)
    });
    answered.await.map_err(|_| Problem::internal())?.map(Json)
}

fn of_query(shared: &Shared, pairs: Pairs) -> Result<Question, Problem> {
    let query = pairs.check(&["cron_expression", "timezone", "from", "n", "name"])?;
    let n = query.get("n").map(|n| n.parse().map_err(|_| how_many()));
    Ok(Question {
        schedule: query.get("cron_expression").map(Value::from),
        timezone: query.get("timezone").map(str::to_owned),
        from: query.instant("from", shared.clock.now())?,
        n: n.transpose()?,
        name: query.get("name").map(str::to_owned),
    })
}

fn answer(shared: &Shared, question: &Question) -> Result<PreviewJson, Problem> {
    let Some(schedule) = &question.schedule else {
        let detail = r#"name a schedule: ?cron_expression=30+3+*+*+1-5, or POST {"schedule": {"daily": "02:00"}}"#;
        return Err(Problem::bad_request(detail));
    };
    let n = question.n.unwrap_or(FEW);
    if !(1..=MOST).contains(&n) {
        return Err(how_many());
    }
    let name = question.name.as_deref().map(JobName::new).transpose();
    let name = name.map_err(|error| Problem::bad_request(format!("name: {error}")))?;
    let terms = (shared.terms)();
    let own = terms.options.timezone.as_deref();
    let timezone = question.timezone.as_deref().or(own).unwrap_or("UTC");
    let name = name.as_ref().map_or("", JobName::as_str);
    let parsed = spec::schedule_of_json(schedule, timezone, &terms.zones, name);
    let parsed = parsed.map_err(|findings| {
        let mut errors = findings.iter();
        let first = errors.find(|finding| finding.severity == Severity::Error);
        Problem::bad_request(match first {
            Some(first) if first.help.is_empty() => first.message.clone(),
            Some(first) => format!("{}; {}", first.message, first.help),
            None => "this is no schedule".to_owned(),
        })
    })?;
    let from = question.from.unwrap_or_else(|| shared.clock.now());
    let forecast = forecast::next::fires(&parsed.schedule, &parsed.zone, from, n);
    Ok(PreviewJson {
        next_runs: forecast.fires,
        description: forecast.description,
        timezone: parsed.zone.name().to_owned(),
    })
}

fn how_many() -> Problem {
    Problem::bad_request(format!("n is a number from 1 to {MOST}"))
}
