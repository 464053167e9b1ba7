//! What becomes of the rows that a dead process left open.

use jiff::Timestamp;

use crate::model::{Outcome, Reason, Run, RunState};

/// What to do with an open row at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Close it like this.
    Close(Box<Run>),
    /// It waits for its next attempt until then, with its count.
    Wait(Timestamp),
    /// It never started: decide it as a late fire.
    Late,
}

/// What to do with `run`, left open by another process; `job_is_there` says
/// whether its job still exists.
#[must_use]
pub fn recover(run: &Run, job: JobPresence, now: Timestamp) -> Recovery {
    match (run.state, job) {
        (RunState::Waiting, JobPresence::Enabled | JobPresence::Disabled) => {
            Recovery::Wait(run.next_attempt_at.unwrap_or(now))
        }
        (RunState::Queued, JobPresence::Enabled) => Recovery::Late,
        (RunState::Queued, JobPresence::Disabled) if run.request.is_some() => Recovery::Late,
        (RunState::Queued, JobPresence::Disabled | JobPresence::Removed) => {
            close(run, Outcome::Missed, Reason::Removed, now)
        }
        // What an attempt under way did is not known: it is not started again by itself.
        _ => close(run, Outcome::Interrupted, Reason::Interrupted, now),
    }
}

/// Whether a row's job still exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobPresence {
    /// It does, and it fires.
    Enabled,
    /// It does and fires no more; what began goes on, and what was asked for.
    Disabled,
    /// It does not.
    Removed,
}

fn close(run: &Run, outcome: Outcome, reason: Reason, now: Timestamp) -> Recovery {
    let mut run = run.clone();
    run.state = RunState::Done;
    run.outcome = Some(outcome);
    run.reason = Some(reason);
    run.finished_at = Some(now);
    run.next_attempt_at = None;
    if outcome == Outcome::Interrupted {
        run.detail = Some("elder ended while this run was under way".into());
    }
    Recovery::Close(Box::new(run))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{JobName, RunId};
    use crate::model::Trigger;

    #[test]
    fn no_row_stays_open_by_itself() {
        let name = JobName::new("a").unwrap();
        let at: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        let now: Timestamp = "2027-01-01T00:01:00Z".parse().unwrap();
        let mut run = Run::new(RunId::of_fire(&name, at), name, at, Trigger::Schedule);
        run.next_attempt_at = Some(now);
        let mut outcome = |state, job, request: Option<&str>| {
            run.state = state;
            run.request = request.map(Into::into);
            match recover(&run, job, now) {
                Recovery::Close(run) => {
                    assert_eq!(run.state, RunState::Done);
                    format!("{} ({})", run.outcome.unwrap(), run.reason.unwrap())
                }
                Recovery::Wait(until) => format!("waits until {until}"),
                Recovery::Late => "late".to_owned(),
            }
        };
        use JobPresence::{Disabled, Enabled, Removed};
        let (cut_off, waits) = (
            "interrupted (interrupted)",
            "waits until 2027-01-01T00:01:00Z",
        );
        for (state, job, request, want) in [
            (RunState::Running, Enabled, None, cut_off),
            (RunState::Running, Disabled, None, cut_off),
            (RunState::Running, Removed, None, cut_off),
            (RunState::Waiting, Enabled, None, waits),
            (RunState::Waiting, Disabled, None, waits),
            (RunState::Waiting, Removed, None, cut_off),
            (RunState::Queued, Enabled, None, "late"),
            (RunState::Queued, Disabled, None, "missed (removed)"),
            (RunState::Queued, Disabled, Some("r"), "late"),
            (RunState::Queued, Removed, None, "missed (removed)"),
            (RunState::Queued, Removed, Some("r"), "missed (removed)"),
        ] {
            assert_eq!(
                outcome(state, job, request),
                want,
                "{state} {job:?} {request:?}"
            );
        }
    }
}
