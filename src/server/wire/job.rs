//! A job on the wire.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::decide::Edition;
use crate::engine::{JobStatus, JobView};
use crate::finding::Severity;
use crate::model::Run;
use crate::spec::fingerprint;
use crate::sync::SyncStatus;

use super::edition::{EditionJson, FailingJson};
use super::overrides::PauseJson;
use super::run::{HeadJson, RunJson};

/// A job.
#[derive(Debug, Serialize)]
pub(in super::super) struct JobJson {
    job_id: String,
    name: String,
    status: &'static str,
    /// `last_good` while what is in force is not what the file says.
    definition: &'static str,
    /// While it is paused: its first fire after the pause, where that has an end.
    next_run_time: Option<Timestamp>,
    /// The pause that it is in.
    pause: Option<PauseJson>,
    /// The schedule in the words of the job file.
    trigger: String,
    timezone: String,
    action: &'static str,
    description: Option<String>,
    owner: Option<String>,
    labels: BTreeMap<String, String>,
    source: String,
    revision: Option<String>,
    definition_hash: String,
    /// Only where one job is asked for: how the definition came in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    edition: Option<EditionJson>,
    max_instances: u32,
    /// Where its runs need a place.
    pool: String,
    active_runs: Vec<HeadJson>,
    last_run: Option<RunJson>,
    last_success_at: Option<Timestamp>,
    last_failure_at: Option<Timestamp>,
    /// Null unless its last runs failed.
    failing_since: Option<FailingJson>,
    first_seen_at: Timestamp,
    /// It did not succeed by `success_deadline`.
    stale: bool,
    success_deadline: Option<Timestamp>,
    /// Until when everything is decided although that time has not come: the clock was set back.
    decided_until: Option<Timestamp>,
}

/// What the jobs of a page share.
pub(in super::super) struct Surroundings {
    revision: Option<String>,
    bad_files: HashSet<Arc<str>>,
}

impl From<&SyncStatus> for Surroundings {
    fn from(sync: &SyncStatus) -> Self {
        let bad = sync
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| finding.at.place.file.clone());
        Self {
            revision: sync.revision.as_deref().map(str::to_owned),
            bad_files: bad.collect(),
        }
    }
}

impl JobJson {
    /// A job as it stands; `last` is its last run, wherever that was found.
    pub(in super::super) fn new(view: &JobView, last: Option<&Run>, around: &Surroundings) -> Self {
        let definition = &*view.job.definition;
        let origin = &view.job.origin;
        let about = definition.about.as_deref();
        let old = view.status == JobStatus::Held || around.bad_files.contains(&origin.file);
        let text = |text: &Arc<str>| text.to_string();
        let labels = about.map(|about| {
            let labels = about.labels.iter();
            labels.map(|(name, value)| (name.to_string(), value.shown().to_owned()))
        });
        Self {
            job_id: definition.name.to_string(),
            name: definition.name.to_string(),
            status: view.status.as_str(),
            definition: if old { "last_good" } else { "current" },
            next_run_time: view.next,
            pause: view.pause.as_ref().map(PauseJson::from),
            trigger: text(&definition.schedule_text),
            timezone: text(&definition.timezone),
            action: definition.action.kind(),
            description: about.and_then(|about| about.description.as_ref().map(text)),
            owner: about.and_then(|about| about.owner.as_ref().map(text)),
            labels: labels.into_iter().flatten().collect(),
            source: format!("{}:{}", origin.file, origin.line),
            revision: around.revision.clone(),
            definition_hash: fingerprint(&view.job.definition).to_string(),
            edition: None,
            max_instances: definition.policy.max_instances,
            pool: definition.policy.pool_name().to_owned(),
            active_runs: view.active.iter().map(HeadJson::from).collect(),
            last_run: last.map(RunJson::from),
            last_success_at: view.mark.times.last_success,
            last_failure_at: view.mark.times.last_failure,
            failing_since: view.failing.as_ref().map(FailingJson::from),
            first_seen_at: view.mark.first_seen,
            stale: view.is_stale,
            success_deadline: view.success_deadline,
            decided_until: view.ahead,
        }
    }
}

impl JobJson {
    /// The same with how its definition came in force.
    pub(in super::super) fn with_edition(self, edition: Option<&Edition>) -> Self {
        Self {
            edition: edition.map(EditionJson::from),
            ..self
        }
    }
}

/// A page of jobs, by name.
#[derive(Debug, Serialize)]
pub(in super::super) struct JobsJson {
    pub(in super::super) jobs: Vec<JobJson>,
    pub(in super::super) next: Option<String>,
}
