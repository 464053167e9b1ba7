//! The configuration and a reload on the wire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::PausePage;
use crate::finding::{Finding, Severity};
use crate::model::ReloadReport;
use crate::sync::{Confirm, SyncStatus};

use super::super::problem::Problem;
use super::overrides::OverridesJson;

/// A finding, with the names that `validate --format json` has.
#[derive(Debug, Serialize)]
pub(in super::super) struct FindingJson {
    severity: &'static str,
    file: String,
    line: u32,
    column: u32,
    code: &'static str,
    message: String,
    help: String,
}

impl From<&Finding> for FindingJson {
    fn from(finding: &Finding) -> Self {
        let place = &finding.at.place;
        Self {
            severity: match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            },
            file: place.file.to_string(),
            line: place.line,
            column: place.column,
            code: finding.code.as_str(),
            message: finding.message.clone(),
            help: finding.help.clone(),
        }
    }
}

/// `GET /config`
#[derive(Debug, Serialize)]
pub(in super::super) struct ConfigJson {
    sync: SyncJson,
    sources: Vec<SourceJson>,
    pending_removals: Vec<String>,
    /// What to confirm them with; null when there are none.
    pending: Option<String>,
    /// What differs from the files on purpose; null when the scheduler does not answer.
    overrides: Option<OverridesJson>,
}

#[derive(Debug, Serialize)]
struct SyncJson {
    status: &'static str,
    reason: String,
    revision: Option<String>,
    author: Option<String>,
    content_hash: String,
    applied_at: Option<Timestamp>,
    observed_at: Option<Timestamp>,
    /// Changes wait at the moment.
    freeze: Option<FreezeJson>,
    /// A change that waits for that.
    waiting: Option<WaitingJson>,
    findings: Vec<FindingJson>,
}

#[derive(Debug, Serialize)]
struct FreezeJson {
    until: Option<Timestamp>,
    reason: String,
}

#[derive(Debug, Serialize)]
struct WaitingJson {
    since: Timestamp,
    revision: Option<String>,
    change: String,
}

#[derive(Debug, Serialize)]
struct SourceJson {
    path: String,
    files: usize,
    bad_files: usize,
    lost: Option<String>,
}

impl ConfigJson {
    /// How the sync stands, and what is paused.
    pub(in super::super) fn new(sync: &SyncStatus, pauses: Option<&PausePage>) -> Self {
        let sources = sync.sources.iter().map(|source| SourceJson {
            path: source.path.to_string(),
            files: source.files,
            bad_files: source.bad_files,
            lost: source.lost.clone(),
        });
        let pending = !sync.pending_hash.is_empty();
        Self {
            sync: SyncJson {
                status: sync.state.as_str(),
                reason: sync.reason.clone(),
                revision: sync.revision.as_deref().map(str::to_owned),
                author: sync.author.as_deref().map(str::to_owned),
                content_hash: sync.content_hash.to_string(),
                applied_at: sync.applied_at,
                observed_at: sync.observed_at,
                freeze: sync.freeze.as_ref().map(|freeze| FreezeJson {
                    until: freeze.until,
                    reason: freeze.why.to_string(),
                }),
                waiting: sync.waiting.as_ref().map(|change| WaitingJson {
                    since: change.since,
                    revision: change.revision.as_deref().map(str::to_owned),
                    change: change.text.clone(),
                }),
                findings: sync.findings.iter().map(FindingJson::from).collect(),
            },
            sources: sources.collect(),
            pending_removals: sync.pending.clone(),
            pending: pending.then(|| sync.pending_hash.clone()),
            overrides: pauses.map(|pauses| OverridesJson::new(pauses, sync)),
        }
    }
}

/// What a reload did.
#[derive(Debug, Serialize)]
pub(in super::super) struct ReloadJson {
    result: &'static str,
    jobs: usize,
    files: usize,
    added: usize,
    rescheduled: usize,
    renamed: usize,
    changed: usize,
    removed: usize,
    held: Vec<String>,
    /// Nothing of it is in force: until when, why, and what it is.
    waits: Option<String>,
    will_not_fire_today: Vec<String>,
    findings: Vec<FindingJson>,
    revision: Option<String>,
    author: Option<String>,
    content_hash: String,
    duration_seconds: f64,
}

impl From<&ReloadReport> for ReloadJson {
    fn from(report: &ReloadReport) -> Self {
        Self {
            result: report.result.as_str(),
            jobs: report.jobs,
            files: report.files,
            added: report.added,
            rescheduled: report.rescheduled,
            renamed: report.renamed,
            changed: report.changed,
            removed: report.removed,
            held: report.held.clone(),
            waits: report.waits.clone(),
            will_not_fire_today: report.will_not_fire_today.clone(),
            findings: report.findings.iter().map(FindingJson::from).collect(),
            revision: report.revision.as_deref().map(str::to_owned),
            author: report.author.as_deref().map(str::to_owned),
            content_hash: report.content_hash.to_string(),
            duration_seconds: report.took.as_secs_f64(),
        }
    }
}

/// The body of a reload: which held removals to carry out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct SyncBody {
    #[serde(default)]
    prune: Option<Prune>,
    #[serde(default)]
    pending: Option<String>,
    /// In spite of a freeze.
    #[serde(default)]
    pub(in super::super) force: bool,
    /// Why, with `force`.
    #[serde(default)]
    pub(in super::super) reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Prune {
    All(bool),
    Names(Vec<String>),
}

impl SyncBody {
    /// What it asks for; `None` for a plain reload.
    pub(in super::super) fn confirm(self) -> Result<Option<Confirm>, Problem> {
        let names = match self.prune {
            Some(Prune::All(true)) => None,
            Some(Prune::Names(names)) if !names.is_empty() => Some(names),
            Some(Prune::Names(_)) => {
                let detail = "prune names no job: write true for all that are held";
                return Err(Problem::bad_request(detail));
            }
            Some(Prune::All(false)) | None if self.pending.is_some() => {
                let detail = "pending confirms a prune: write \"prune\": true, or the names";
                return Err(Problem::bad_request(detail));
            }
            Some(Prune::All(false)) | None => return Ok(None),
        };
        Ok(Some(Confirm {
            names,
            pending: self.pending,
        }))
    }
}
