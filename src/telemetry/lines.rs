//! Events as log lines: one each, with the same keys everywhere.
//!
//! What happens for every fire is `info` when it is over and `debug` before;
//! what somebody should look at is `warn`; what elder itself could not do is
//! `error`. Commands, addresses and secrets are in none of them.

use jiff::Timestamp;
use tracing::{debug, error, info, trace, warn};

use crate::finding::{Finding, Severity};
use crate::model::{
    AuditEntry, AuditResult, Definition, Delivery, Event, Outcome, Reason, ReloadReport,
    ReloadResult, Run,
};

/// How many findings of one reload get a line.
const FINDINGS: usize = 20;

/// Writes the line of an event.
pub(super) fn write(event: &Event<'_>) {
    match event {
        Event::JobAdded { job, .. } => debug!(
            job = job.name().as_str(),
            file = &*job.origin.file,
            schedule = &*job.definition.schedule_text,
            "job added"
        ),
        Event::JobChanged { job, .. } => debug!(
            job = job.name().as_str(),
            file = &*job.origin.file,
            schedule = &*job.definition.schedule_text,
            "job changed"
        ),
        Event::Stale {
            job,
            deadline,
            last_success,
            ..
        } => warn!(
            job = job.name().as_str(),
            deadline = %deadline,
            last_success = last_success.map(|at: Timestamp| at.to_string()),
            "job stale: no success by its deadline"
        ),
        Event::Fresh { job, .. } => {
            info!(job = job.name().as_str(), "job is no longer stale");
        }
        Event::Paused { job, pause } => info!(
            job = job.name().as_str(),
            since = %pause.since,
            until = pause.until.map(|at| at.to_string()),
            author = &*pause.author,
            reason = pause.reason.as_deref(),
            "job paused"
        ),
        Event::PauseOver { job, pause, by } => info!(
            job = job.name().as_str(),
            since = %pause.since,
            ended_at = pause.ended_at.map(|at| at.to_string()),
            by = *by,
            author = &*pause.author,
            reason = pause.reason.as_deref(),
            "job no longer paused"
        ),
        Event::NextFire { .. }
        | Event::SuccessDeadline { .. }
        | Event::JobCounts { .. }
        | Event::PausesKnown { .. }
        | Event::PausedUntil { .. }
        | Event::Tick { .. }
        | Event::LettersWritten
        | Event::JobsRenamed { .. }
        | Event::SagesKnown { .. }
        | Event::SageWaiting { .. }
        | Event::JobRemoved { .. } => {}
        Event::AttemptStarted {
            run,
            action,
            lateness,
            ..
        } => debug!(
            job = run.job.as_str(),
            run_id = run.id.as_str(),
            scheduled_at = %run.scheduled_at,
            revision = run.revision.as_deref(),
            source = run.source.as_deref(),
            definition = run.definition.map(|id| id.to_string()),
            author = run.author.as_deref(),
            trigger = run.trigger.as_str(),
            action,
            attempt = run.attempt,
            lateness_seconds = lateness.map(|length| length.as_secs_f64()),
            "attempt started"
        ),
        Event::RetryPlanned { run, at, .. } => info!(
            job = run.job.as_str(),
            run_id = run.id.as_str(),
            scheduled_at = %run.scheduled_at,
            revision = run.revision.as_deref(),
            source = run.source.as_deref(),
            definition = run.definition.map(|id| id.to_string()),
            author = run.author.as_deref(),
            attempt = run.attempt,
            reason = run.reason.map(Reason::as_str),
            detail = run.detail.as_deref(),
            next_attempt_at = %at,
            "attempt failed, another follows"
        ),
        Event::RunEnded { run, .. } => ended(run),
        Event::NotRun { run, added, .. } => not_run(run, *added),
        Event::Queued { pool, length } => trace!(pool = &***pool, length, "queue"),
        Event::PoolGone { pool } => trace!(pool = &***pool, "pool gone"),
        Event::ClockJump { by, forward } => warn!(
            direction = if *forward { "forward" } else { "backward" },
            seconds = by.as_secs_f64(),
            "the wall clock was set, or the machine slept"
        ),
        Event::StoreOperation {
            operation,
            took,
            error,
        } => match error {
            Some(error) => error!(operation, error, "the store failed"),
            None => trace!(operation, seconds = took.as_secs_f64(), "store"),
        },
        Event::StoreBack => info!("the store is back"),
        Event::Claims { lost, .. } => {
            if *lost > 0 {
                debug!(lost, "fires were recorded already");
            }
        }
        Event::Reloaded(report) => reloaded(report),
        Event::SourceState { path, reason } => match reason {
            Some(reason) => warn!(
                path,
                reason, "source lost: its jobs go on as they were last applied"
            ),
            None => info!(path, "source is back"),
        },
        Event::Tzdata {
            version,
            source,
            text,
        } => info!(
            tzdata = version.as_ref(),
            source = source.as_ref(),
            "{text}"
        ),
        Event::SageDelivery {
            sage,
            result,
            count,
            detail,
            again_at,
        } => delivery(sage.as_str(), *result, *count, *detail, *again_at),
        Event::Audit(entry) => audit(entry),
        Event::Notice { warning, text } => match warning {
            true => warn!("{text}"),
            false => info!("{text}"),
        },
    }
}

fn delivery(
    sage: &str,
    result: Delivery,
    letters: u64,
    detail: Option<&str>,
    again_at: Option<Timestamp>,
) {
    let again_at = again_at.map(|at| at.to_string());
    match result {
        Delivery::Delivered => debug!(sage, letters, "sage told"),
        Delivery::Failed => warn!(
            sage,
            letters,
            detail,
            next_attempt_at = again_at,
            "sage not told, another attempt follows"
        ),
        Delivery::GivenUp => warn!(
            sage,
            letters, detail, "sage not told, no further attempt follows"
        ),
        Delivery::Gone => warn!(sage, letters, detail, "sage is gone for good"),
        Delivery::Dropped => warn!(sage, letters, detail, "letters to a sage dropped"),
    }
}

/// One line for a row of the audit trail, at a level that its result chooses.
macro_rules! audit_line {
    ($level:ident, $entry:expr) => {
        $level!(
            target: "audit",
            actor = &*$entry.actor,
            from = $entry.from.as_deref(),
            subject = $entry.subject.as_deref(),
            result = $entry.result.as_str(),
            detail = $entry.detail.as_deref(),
            before = $entry.before.as_deref(),
            after = $entry.after.as_deref(),
            request = $entry.request.as_deref(),
            "audit: {}", $entry.action
        )
    };
}

fn audit(entry: &AuditEntry) {
    match entry.result {
        AuditResult::Done => audit_line!(info, entry),
        AuditResult::Refused | AuditResult::Partial => audit_line!(warn, entry),
    }
}

/// Writes that a job is gone.
pub(super) fn removed(definition: Option<&Definition>) {
    if let Some(definition) = definition {
        debug!(job = definition.name.as_str(), "job removed");
    }
}

/// One line for a run, at a level that its outcome chooses.
macro_rules! run_line {
    ($level:ident, $run:expr, $text:literal) => {
        $level!(
            job = $run.job.as_str(),
            run_id = $run.id.as_str(),
            scheduled_at = %$run.scheduled_at,
            revision = $run.revision.as_deref(),
            source = $run.source.as_deref(),
            definition = $run.definition.map(|id| id.to_string()),
            author = $run.author.as_deref(),
            trigger = $run.trigger.as_str(),
            attempt = $run.attempt,
            reason = $run.reason.map(Reason::as_str),
            exit_code = $run.exit_code,
            signal = $run.signal,
            http_status = $run.http_status,
            duration_seconds = $run.duration.map(|length| length.as_secs_f64()),
            detail = $run.detail.as_deref(),
            $text
        )
    };
}

fn ended(run: &Run) {
    match run.outcome {
        Some(Outcome::Success) => run_line!(info, run, "run succeeded"),
        Some(Outcome::Failed) => run_line!(warn, run, "run failed"),
        Some(Outcome::TimedOut) => run_line!(warn, run, "run timed out"),
        Some(Outcome::Cancelled) => run_line!(info, run, "run cancelled"),
        Some(Outcome::Interrupted) => run_line!(warn, run, "run interrupted"),
        Some(Outcome::Skipped | Outcome::Missed) | None => run_line!(warn, run, "run ended"),
    }
}

/// One line for fires that did not run, at a level that their outcome chooses.
macro_rules! fire_line {
    ($level:ident, $run:expr, $added:expr, $text:literal) => {
        $level!(
            job = $run.job.as_str(),
            run_id = $run.id.as_str(),
            scheduled_at = %$run.scheduled_at,
            revision = $run.revision.as_deref(),
            source = $run.source.as_deref(),
            definition = $run.definition.map(|id| id.to_string()),
            author = $run.author.as_deref(),
            reason = $run.reason.map(Reason::as_str),
            fires = $added,
            until = $run.scheduled_until.map(|at: Timestamp| at.to_string()),
            detail = $run.detail.as_deref(),
            $text
        )
    };
}

fn not_run(run: &Run, added: u64) {
    match (run.outcome, run.reason) {
        // A newer fire ran in its stead: nothing to look at.
        (Some(Outcome::Missed), Some(Reason::Coalesced)) => {
            fire_line!(info, run, added, "fire missed");
        }
        (Some(Outcome::Missed), _) => fire_line!(warn, run, added, "fire missed"),
        // The first of a pause says it for all of them.
        (Some(Outcome::Skipped), Some(Reason::Paused)) if run.count > added => {
            fire_line!(debug, run, added, "fire skipped");
        }
        (Some(Outcome::Skipped), _) => fire_line!(info, run, added, "fire skipped"),
        _ => fire_line!(info, run, added, "fire did not run"),
    }
}

/// One line for a reload, at a level that its result chooses.
macro_rules! reload_line {
    ($level:ident, $report:expr, $today:expr) => {
        $level!(
            result = $report.result.as_str(),
            trigger = $report.trigger.as_str(),
            revision = $report.revision.as_deref(),
            author = $report.author.as_deref(),
            content_hash = &*$report.content_hash,
            jobs = $report.jobs,
            files = $report.files,
            added = $report.added,
            rescheduled = $report.rescheduled,
            renamed = $report.renamed,
            changed = $report.changed,
            removed = $report.removed,
            held = $report.held.len(),
            findings = $report.findings.len(),
            will_not_fire_today = $today,
            seconds = $report.took.as_secs_f64(),
            "configuration reloaded"
        )
    };
}

fn reloaded(report: &ReloadReport) {
    let today = names(&report.will_not_fire_today);
    match report.result {
        ReloadResult::Unchanged => return reload_line!(debug, report, today),
        ReloadResult::Applied => reload_line!(info, report, today),
        ReloadResult::Partial | ReloadResult::Rejected | ReloadResult::Held => {
            reload_line!(warn, report, today);
        }
    }
    if let Some(waits) = &report.waits {
        warn!("{waits}");
    }
    if let Some(held) = names(&report.held) {
        warn!(
            jobs = held,
            "removals are held: confirm them with elder sync --prune"
        );
    }
    // What is bad comes first: warnings must not fill the room that there is.
    let bad = |finding: &&Finding| finding.severity == Severity::Error;
    let errors = report.findings.iter().filter(bad);
    let others = report.findings.iter().filter(|finding| !bad(finding));
    for finding in errors.chain(others).take(FINDINGS) {
        shown(finding);
    }
    if report.findings.len() > FINDINGS {
        let more = report.findings.len() - FINDINGS;
        warn!(more, "further findings: elder validate shows them all");
    }
}

fn shown(finding: &Finding) {
    let place = &finding.at.place;
    let at = match place.line {
        0 => place.file.to_string(),
        line => format!("{}:{line}:{}", place.file, place.column),
    };
    let help = (!finding.help.is_empty()).then_some(finding.help.as_str());
    let (code, text) = (finding.code.as_str(), finding.message.as_str());
    match finding.severity {
        Severity::Error => warn!(at, code, help, severity = "error", "{text}"),
        Severity::Warning => warn!(at, code, help, severity = "warning", "{text}"),
        Severity::Note => info!(at, code, help, severity = "note", "{text}"),
    }
}

/// The first names of a list and how many more; `None` for an empty one.
fn names(list: &[String]) -> Option<String> {
    const SHOWN: usize = 10;
    if list.is_empty() {
        return None;
    }
    let mut text = list[..list.len().min(SHOWN)].join(", ");
    if list.len() > SHOWN {
        text.push_str(&format!(" and {} more", list.len() - SHOWN));
    }
    Some(text)
}
