//! What a row says of its fires.

use jiff::Timestamp;

use super::{Explanation, Facts, Verdict, Words, length, waits};
use crate::ids::RunId;
use crate::model::{Outcome, Reason, Run, RunState, Trigger};
use crate::schedule::Fire;

/// The answer where there is a row.
pub(super) fn explain(
    facts: &Facts<'_>,
    row: &Run,
    fire: Option<Fire>,
    words: &Words,
) -> Explanation {
    let at = facts.at.unwrap_or(row.scheduled_at);
    let what = match is_asked(row) {
        true => format!("the run that was asked for at {}", words.moment(at)),
        false => format!("the fire of {}", words.instant(at)),
    };
    let mut told = match (row.state, row.outcome) {
        (RunState::Done, Some(outcome)) => over(facts, row, outcome, &what, words),
        _ => under_way(facts, row, &what, words),
    };
    told.details.extend(started(row, fire));
    if row.count > 1 {
        let until = row.scheduled_until.unwrap_or(row.scheduled_at);
        told.details.push(format!(
            "It shares its row with all {} fires from {} to {}: one reason, one row.",
            row.count,
            words.instant(row.scheduled_at),
            words.instant(until)
        ));
    }
    if let Some(detail) = &row.detail {
        told.details.push(format!("The row says: {detail}."));
    }
    told.details.push(origin(row));
    if row.attempt > 0 {
        let command = format!("elder logs {} --server $ELDER_SERVER", row.id);
        told = told.hint(&command, "what it said");
    }
    told
}

fn under_way(facts: &Facts<'_>, row: &Run, what: &str, words: &Words) -> Explanation {
    if row.state == RunState::Running {
        let since = row
            .started_at
            .map_or_else(String::new, |at| format!(", since {}", words.moment(at)));
        let summary = format!("{what} runs: attempt {}{since}", row.attempt);
        return Explanation::new(Verdict::Running, summary);
    }
    let head = facts.view.active.iter().find(|head| head.id == row.id);
    let why = match (head, row.next_attempt_at) {
        (Some(head), _) => waits(head, words),
        (None, Some(at)) => format!("for its next attempt at {}", words.moment(at)),
        (None, None) => "nobody knows it any more; the next start settles it".to_owned(),
    };
    let mut told = Explanation::new(Verdict::Waiting, format!("{what} waits: {why}"));
    if let (Some(reason), true) = (row.reason, row.attempt > 0) {
        told.details.push(format!(
            "Attempt {} ended with {reason}; `retry` says that another follows.",
            row.attempt
        ));
    }
    told
}

fn over(facts: &Facts<'_>, row: &Run, outcome: Outcome, what: &str, words: &Words) -> Explanation {
    let reason = row.reason;
    match outcome {
        Outcome::Skipped => {
            let mut told = Explanation::new(
                Verdict::Skipped,
                format!("{what} was skipped: {}", skipped(reason)),
            );
            told.details
                .extend(facts.blocking.map(|run| blocking(run, words)));
            if let (Some(Reason::Paused), Some(detail)) = (reason, &row.detail) {
                told.details.push(format!("It was {detail}."));
            }
            with_advice(told, outcome, reason)
        }
        Outcome::Missed => {
            let told = Explanation::new(
                Verdict::Missed,
                format!("{what} was missed: {}", missed(reason)),
            );
            with_advice(told, outcome, reason)
        }
        Outcome::Cancelled if row.attempt == 0 => Explanation::new(
            Verdict::Cancelled,
            format!(
                "{what} was cancelled before it began: {}",
                cancelled(reason)
            ),
        ),
        _ => {
            let mut summary = format!("{what} ran: {outcome}");
            if let Some(reason) = reason {
                summary.push_str(&format!(" ({reason})"));
            }
            if let Some(took) = row.duration {
                summary.push_str(&format!(" after {}", length(took)));
            }
            for (name, value) in [
                ("exit code", row.exit_code.map(i64::from)),
                ("signal", row.signal.map(i64::from)),
                ("status", row.http_status.map(i64::from)),
            ] {
                if let Some(value) = value.filter(|_| outcome != Outcome::Success) {
                    summary.push_str(&format!(", {name} {value}"));
                }
            }
            Explanation::new(Verdict::Ran, summary)
        }
    }
}

fn with_advice(told: Explanation, outcome: Outcome, reason: Option<Reason>) -> Explanation {
    match advice(outcome, reason) {
        Some(advice) => told.detail(advice),
        None => told,
    }
}

/// The run that was in the way.
fn blocking(run: &Run, words: &Words) -> String {
    let began = run.started_at.unwrap_or(run.scheduled_at);
    let end = match (run.outcome, run.finished_at) {
        (Some(outcome), Some(at)) => format!("ended {outcome} at {}", words.moment(at)),
        _ => format!("is {} still", run.state),
    };
    format!(
        "Run {} was in its way: of {}, begun at {}; it {end}.",
        run.id,
        words.instant(run.scheduled_at),
        words.moment(began)
    )
}

/// Whether somebody asked for it, and no schedule or start made it.
fn is_asked(row: &Run) -> bool {
    matches!(row.trigger, Trigger::Manual | Trigger::Api)
}

/// When and by what the first attempt began.
fn started(row: &Run, fire: Option<Fire>) -> Option<String> {
    let at = row.started_at?;
    let attempts = match row.attempt {
        0 | 1 => String::new(),
        n => format!(", in {n} attempts"),
    };
    let late = fire.filter(|_| !is_asked(row)).map(|fire| {
        let late: jiff::SignedDuration = at.duration_since(fire.due);
        length(late.max(jiff::SignedDuration::ZERO).unsigned_abs())
    });
    let late = late.map_or_else(String::new, |late| format!("{late} after it was due"));
    let by = match row.trigger {
        Trigger::CatchUp => " (caught up)",
        _ => "",
    };
    Some(match late.is_empty() {
        true => format!("It began at {at}{by}{attempts}."),
        false => format!("It began {late}{by}{attempts}."),
    })
}

fn origin(row: &Run) -> String {
    let source = row.source.as_deref().unwrap_or("a file that is not known");
    let revision = row.revision.as_deref();
    let revision = revision.map_or_else(String::new, |it| format!(", revision {it}"));
    format!("Run {} by {source}{revision}.", row.id)
}

fn skipped(reason: Option<Reason>) -> &'static str {
    match reason {
        Some(Reason::Overlap) => {
            "as many runs of the job as `max_instances` allows were under way (overlap)"
        }
        Some(Reason::Paused) => "the job was paused",
        Some(Reason::Restart) => "the job had started less than 60 s before (restart)",
        _ => "by its policy",
    }
}

fn missed(reason: Option<Reason>) -> &'static str {
    match reason {
        Some(Reason::Downtime) => "elder was not there, and came back after its grace (downtime)",
        Some(Reason::Clock) => {
            "the clock was set forward, or the machine slept, past its grace (clock)"
        }
        Some(Reason::Store) => "the store could not record it within its grace (store)",
        Some(Reason::Pool) => "there was no place in its pool within its grace (pool)",
        Some(Reason::Coalesced) => {
            "a newer late fire of the same job started in its stead (coalesced)"
        }
        Some(Reason::Removed) => "the job was removed or disabled before it was decided (removed)",
        _ => "it came too late",
    }
}

fn cancelled(reason: Option<Reason>) -> &'static str {
    match reason {
        Some(Reason::Replaced) => "a newer fire took its place (replaced)",
        _ => "somebody asked for that",
    }
}

/// The mend, where there is one.
fn advice(outcome: Outcome, reason: Option<Reason>) -> Option<&'static str> {
    Some(match (outcome, reason?) {
        (Outcome::Skipped, Reason::Overlap) => {
            "A longer period, a `timeout`, more `max_instances` or `overlap: queue` mend that."
        }
        (Outcome::Skipped, Reason::Paused) => {
            "What is due during a pause does not run later. `elder resume` ends a pause, `elder overrides` lists all."
        }
        (Outcome::Skipped, Reason::Restart) => "Find out why elder restarts so often.",
        (Outcome::Missed, Reason::Downtime) => {
            "Raise `misfire_grace_time` if late is better than not at all."
        }
        (Outcome::Missed, Reason::Clock) => "Mend the time synchronisation of the machine.",
        (Outcome::Missed, Reason::Store) => {
            "Free the disk, or mend the mount under the state folder."
        }
        (Outcome::Missed, Reason::Pool) => {
            "Raise the pool's limit, spread the schedules, or shorten the jobs."
        }
        (Outcome::Missed, Reason::Coalesced) => "`coalesce: false` runs each of them.",
        _ => return None,
    })
}

/// Whether the row stands for the fire of this instant.
#[must_use]
pub fn stands_for(row: &Run, at: Timestamp) -> bool {
    let last = row.scheduled_until.unwrap_or(row.scheduled_at);
    row.scheduled_at == at || row.count > 1 && row.scheduled_at <= at && at <= last
}

/// The run that a row names as being in its way.
#[must_use]
pub fn blocked_by(row: &Run) -> Option<RunId> {
    if row.reason != Some(Reason::Overlap) {
        return None;
    }
    let mut words = row.detail.as_deref()?.split_whitespace();
    words.find_map(RunId::parse)
}
