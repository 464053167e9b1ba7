//! What differs from the files on purpose, on the wire: pauses, and removals that are held.

use jiff::Timestamp;
use serde::Serialize;

use crate::engine::{PauseAnswer, PausePage, PausedJob};
use crate::ids::JobName;
use crate::model::{Job, Pause};
use crate::sync::SyncStatus;

use super::run::HeadJson;

/// So many are shown.
pub(in super::super) const MOST_SHOWN: usize = 1000;

/// A pause as part of its job.
#[derive(Debug, Serialize)]
pub(in super::super) struct PauseJson {
    since: Timestamp,
    until: Option<Timestamp>,
    reason: Option<String>,
    author: String,
}

impl From<&Pause> for PauseJson {
    fn from(pause: &Pause) -> Self {
        Self {
            since: pause.since,
            until: pause.until,
            reason: pause.reason.as_deref().map(str::to_owned),
            author: pause.author.to_string(),
        }
    }
}

/// What came of `pause` and `resume`.
#[derive(Debug, Serialize)]
pub(in super::super) struct PausedJson {
    job_id: String,
    status: &'static str,
    /// The pause that the job is in; null when it is not paused.
    pause: Option<PauseJson>,
    next_run_time: Option<Timestamp>,
    /// Runs that go on all the same.
    active_runs: Vec<HeadJson>,
}

impl PausedJson {
    /// The answer for a job that is now `paused` or `resumed`.
    pub(in super::super) fn new(job: &JobName, status: &'static str, answer: &PauseAnswer) -> Self {
        Self {
            job_id: job.to_string(),
            status,
            pause: answer.pause.as_ref().map(PauseJson::from),
            next_run_time: answer.next,
            active_runs: answer.active.iter().map(HeadJson::from).collect(),
        }
    }
}

/// Something that differs from the files on purpose.
#[derive(Debug, Serialize)]
struct OverrideJson {
    /// `pause` or `removal`.
    kind: &'static str,
    job_id: String,
    reason: Option<String>,
    /// Null where nobody said so: a removal is held by the guard.
    author: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// Where the job is, or was, defined.
    source: String,
    /// The command that ends it.
    mend: String,
}

/// `GET /overrides`
#[derive(Debug, Serialize)]
pub(in super::super) struct OverridesJson {
    overrides: Vec<OverrideJson>,
    /// How many there are in all; the list is cut.
    total: u64,
}

impl OverridesJson {
    /// All of them, pauses first, each kind by name.
    pub(in super::super) fn new(pauses: &PausePage, status: &SyncStatus) -> Self {
        let mut overrides: Vec<_> = pauses.pauses.iter().map(OverrideJson::from).collect();
        let held = status.in_force.roots.iter();
        let mut held: Vec<&Job> = held
            .flat_map(|root| root.held.iter().map(|held| &held.job))
            .collect();
        held.sort_by(|a, b| a.name().cmp(b.name()));
        let total = pauses.total + held.len() as u64;
        let room = MOST_SHOWN.saturating_sub(overrides.len());
        overrides.extend(held.into_iter().take(room).map(removal));
        Self { overrides, total }
    }
}

impl From<&PausedJob> for OverrideJson {
    fn from(paused: &PausedJob) -> Self {
        let PausedJob { job, pause } = paused;
        Self {
            kind: "pause",
            job_id: job.name().to_string(),
            reason: pause.reason.as_deref().map(str::to_owned),
            author: Some(pause.author.to_string()),
            since: Some(pause.since),
            until: pause.until,
            source: source(job),
            mend: format!("elder resume {}", job.name()),
        }
    }
}

fn removal(job: &Job) -> OverrideJson {
    OverrideJson {
        kind: "removal",
        job_id: job.name().to_string(),
        reason: Some("gone from the files, and kept until that is confirmed".to_owned()),
        author: None,
        since: None,
        until: None,
        source: source(job),
        mend: format!("elder sync --prune {}", job.name()),
    }
}

fn source(job: &Job) -> String {
    format!("{}:{}", job.origin.file, job.origin.line)
}
