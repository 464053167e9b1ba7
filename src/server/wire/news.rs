//! What happens, on the wire: an event's name and its data.

use serde_json::{Value, json};

use crate::ids::JobName;
use crate::sync::SyncStatus;
use crate::telemetry::feed::{News, Reload};

use super::overrides::PauseJson;
use super::run::RunJson;

/// How the sync stands: told first, and whenever it is another.
pub(in super::super) const SYNC_STATUS: &str = "sync_status";

/// Something was missed.
pub(in super::super) const MISSED: &str = "missed_events";

/// The names that a reader may choose from.
pub(in super::super) const NAMES: [&str; 15] = [
    "run_started",
    "run_waiting",
    "run_ended",
    "not_run",
    "job_paused",
    "job_resumed",
    "job_stale",
    "job_fresh",
    "reloaded",
    SYNC_STATUS,
    "source_lost",
    "source_back",
    "store_lost",
    "store_back",
    "clock_jumped",
];

/// The name of an event.
pub(in super::super) fn name(news: &News) -> &'static str {
    match news {
        News::RunStarted(_) => "run_started",
        News::RunWaiting(_) => "run_waiting",
        News::RunEnded(_) => "run_ended",
        News::NotRun { .. } => "not_run",
        News::Paused { .. } => "job_paused",
        News::Resumed { .. } => "job_resumed",
        News::Stale { .. } => "job_stale",
        News::Fresh { .. } => "job_fresh",
        News::Reloaded(_) => "reloaded",
        News::Source {
            reason: Some(_), ..
        } => "source_lost",
        News::Source { reason: None, .. } => "source_back",
        News::Store { lost: true } => "store_lost",
        News::Store { lost: false } => "store_back",
        News::ClockJumped { .. } => "clock_jumped",
    }
}

/// The job that an event is about.
pub(in super::super) fn job(news: &News) -> Option<&JobName> {
    match news {
        News::RunStarted(run)
        | News::RunWaiting(run)
        | News::RunEnded(run)
        | News::NotRun { run, .. } => Some(&run.job),
        News::Paused { job, .. }
        | News::Resumed { job, .. }
        | News::Stale { job, .. }
        | News::Fresh { job } => Some(job),
        News::Reloaded(_) | News::Source { .. } | News::Store { .. } | News::ClockJumped { .. } => {
            None
        }
    }
}

/// What is told of it: a run as everywhere, without its output.
pub(in super::super) fn data(news: &News) -> Value {
    match news {
        News::RunStarted(run) | News::RunWaiting(run) | News::RunEnded(run) => {
            json!(RunJson::from(run))
        }
        News::NotRun { run, added } => {
            let mut row = json!(RunJson::from(run));
            row["added"] = json!(added);
            row
        }
        News::Paused { job, pause } => json!({
            "job_id": job.as_str(), "pause": PauseJson::from(pause),
        }),
        News::Resumed { job, pause, by } => json!({
            "job_id": job.as_str(), "pause": PauseJson::from(pause),
            "ended_at": pause.ended_at, "by": by.as_deref(),
        }),
        News::Stale {
            job,
            deadline,
            last_success,
        } => json!({
            "job_id": job.as_str(), "success_deadline": deadline, "last_success_at": last_success,
        }),
        News::Fresh { job } => json!({ "job_id": job.as_str() }),
        News::Reloaded(reload) => of_reload(reload),
        News::Source { path, reason } => json!({ "path": &**path, "reason": reason.as_deref() }),
        News::Store { .. } => json!({}),
        News::ClockJumped { by, forward } => json!({
            "direction": if *forward { "forward" } else { "backward" },
            "seconds": by.as_secs_f64(),
        }),
    }
}

fn of_reload(reload: &Reload) -> Value {
    let mut told = json!({
        "result": reload.result.as_str(), "trigger": reload.trigger.as_str(), "at": reload.at,
        "duration_seconds": reload.took.as_secs_f64(),
        "jobs": reload.jobs, "files": reload.files, "touched": reload.touched,
        "held": reload.held, "waits": reload.waits,
        "will_not_fire_today": reload.will_not_fire_today,
        "errors": reload.errors, "warnings": reload.warnings,
        "revision": reload.revision.as_deref(), "author": reload.author.as_deref(),
        "content_hash": &*reload.content_hash,
    });
    for (kind, count) in reload.counts {
        told[kind] = json!(count);
    }
    told
}

/// How the sync stands, without what `GET /config` has of it and no event can bound.
pub(in super::super) fn of_status(status: &SyncStatus) -> Value {
    json!({
        "status": status.state.as_str(), "reason": status.reason,
        "revision": status.revision.as_deref(), "author": status.author.as_deref(),
        "content_hash": &*status.content_hash, "applied_at": status.applied_at,
        "pending_removals": status.pending.len(),
    })
}
