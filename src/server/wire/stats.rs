//! Sums on the wire.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::engine::Stats;
use crate::model::Outcome;
use crate::store::JobSummary;

use super::edition::FailingJson;

/// `GET /stats`
#[derive(Debug, Serialize)]
pub(in super::super) struct StatsJson {
    since: Timestamp,
    total_executed: u64,
    total_errors: u64,
    total_missed: u64,
    total_skipped: u64,
    active_jobs: u64,
    jobs: u64,
    running: u64,
    queued: u64,
    stale_jobs: u64,
    /// Jobs whose last runs failed.
    failing_jobs: u64,
    /// The first of them by name.
    failing_job_names: Vec<String>,
    outcomes: BTreeMap<&'static str, u64>,
    last_tick: Timestamp,
    /// `ok`, or `failing` when the last write was refused.
    store: &'static str,
    version: String,
}

impl StatsJson {
    /// The engine's sums and elder's version.
    pub(in super::super) fn new(stats: &Stats, version: &str) -> Self {
        Self {
            since: stats.since,
            total_executed: stats.total_executed,
            total_errors: stats.total_errors,
            total_missed: stats.total_missed,
            total_skipped: stats.total_skipped,
            active_jobs: stats.active_jobs,
            jobs: stats.jobs,
            running: stats.running,
            queued: stats.queued,
            stale_jobs: stats.stale_jobs,
            failing_jobs: stats.failing_jobs,
            failing_job_names: stats
                .failing_names
                .iter()
                .map(ToString::to_string)
                .collect(),
            outcomes: outcomes(&stats.outcomes),
            last_tick: stats.last_tick,
            store: match stats.store_error {
                None => "ok",
                Some(_) => "failing",
            },
            version: version.to_owned(),
        }
    }
}

/// `GET /summary`
#[derive(Debug, Serialize)]
pub(in super::super) struct SummaryJson {
    pub(in super::super) since: Timestamp,
    pub(in super::super) until: Timestamp,
    pub(in super::super) outcomes: BTreeMap<&'static str, u64>,
    pub(in super::super) jobs: Vec<JobSummaryJson>,
    /// Of jobs whose last runs failed, the first ones by name: since when, and what was changed.
    pub(in super::super) failing: Vec<FailingJobJson>,
}

/// A job whose last runs failed.
#[derive(Debug, Serialize)]
pub(in super::super) struct FailingJobJson {
    pub(in super::super) job_id: String,
    pub(in super::super) failing_since: FailingJson,
}

/// One job's sums.
#[derive(Debug, Serialize)]
pub(in super::super) struct JobSummaryJson {
    job_id: String,
    outcomes: BTreeMap<&'static str, u64>,
    total_duration_seconds: f64,
    longest_duration_seconds: f64,
}

impl SummaryJson {
    /// The sums of a span, by name.
    pub(in super::super) fn new(
        since: Timestamp,
        until: Timestamp,
        mut jobs: Vec<JobSummary>,
        failing: Vec<FailingJobJson>,
    ) -> Self {
        jobs.sort_by(|a, b| a.job.cmp(&b.job));
        let all: Vec<_> = jobs.iter().flat_map(|job| job.outcomes.clone()).collect();
        let each = jobs.iter().map(|job| JobSummaryJson {
            job_id: job.job.to_string(),
            outcomes: outcomes(&job.outcomes),
            total_duration_seconds: job.total_duration.as_secs_f64(),
            longest_duration_seconds: job.longest.as_secs_f64(),
        });
        Self {
            since,
            until,
            outcomes: outcomes(&all),
            jobs: each.collect(),
            failing,
        }
    }
}

/// Every outcome with its sum, also those that did not happen.
fn outcomes(counts: &[(Outcome, u64)]) -> BTreeMap<&'static str, u64> {
    let mut sums: BTreeMap<_, _> = Outcome::ALL.iter().map(|o| (o.as_str(), 0)).collect();
    for (outcome, count) in counts {
        *sums.entry(outcome.as_str()).or_insert(0) += count;
    }
    sums
}
