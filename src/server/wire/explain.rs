//! The explanation of a fire on the wire.

use jiff::Timestamp;
use serde::Serialize;

use crate::engine::JobView;
use crate::model::Run;
use crate::tools::explain::Explanation;

use super::run::RunJson;

/// `GET /jobs/{id}/explain`
#[derive(Debug, Serialize)]
pub(in super::super) struct ExplanationJson {
    job_id: String,
    /// The instant that is explained: the fire that was meant.
    at: Option<Timestamp>,
    due_at: Option<Timestamp>,
    verdict: &'static str,
    summary: String,
    details: Vec<String>,
    hints: Vec<String>,
    status: &'static str,
    schedule: ScheduleJson,
    run: Option<RunJson>,
    blocking_run: Option<RunJson>,
    first_seen_at: Timestamp,
    /// Since when the schedule counts.
    since: Timestamp,
    /// Up to where everything is decided.
    mark: Timestamp,
}

#[derive(Debug, Serialize)]
struct ScheduleJson {
    trigger: String,
    timezone: String,
    description: String,
    /// Whether it has that instant.
    fires: bool,
    previous: Option<Timestamp>,
    next: Option<Timestamp>,
}

impl ExplanationJson {
    /// What was found of the instant `at`.
    pub(in super::super) fn new(
        view: &JobView,
        at: Option<Timestamp>,
        told: Explanation,
        run: Option<&Run>,
        blocking: Option<&Run>,
    ) -> Self {
        let definition = &view.job.definition;
        let (previous, next) = told.around;
        Self {
            job_id: definition.name.to_string(),
            at,
            due_at: told.due_at,
            verdict: told.verdict.as_str(),
            summary: told.summary,
            details: told.details,
            hints: told.hints,
            status: view.status.as_str(),
            schedule: ScheduleJson {
                trigger: definition.schedule_text.to_string(),
                timezone: definition.timezone.to_string(),
                description: definition.schedule.describe(),
                fires: told.due_at.is_some(),
                previous,
                next,
            },
            run: run.map(RunJson::from),
            blocking_run: blocking.map(RunJson::from),
            first_seen_at: view.mark.first_seen,
            since: view.mark.since,
            mark: view.mark.mark,
        }
    }
}
