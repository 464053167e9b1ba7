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
        (RunState::Waiting, JobPresence::Present) => {
            Recovery::Wait(run.next_attempt_at.unwrap_or(now))
        }
        (RunState::Queued, JobPresence::Present) => Recovery::Late,
        (RunState::Queued, JobPresence::Removed) => {
            close(run, Outcome::Missed, Reason::Removed, now)
        }
        // What an attempt under way did is not known: it is not started again by itself.
        _ => close(run, Outcome::Interrupted, Reason::Interrupted, now),
    }
}

/// Whether a row's job still exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobPresence {
    /// It does, and it is enabled.
    Present,
    /// It was removed or disabled meanwhile.
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
        let mut outcome = |state, job| {
            run.state = state;
            match recover(&run, job, now) {
                Recovery::Close(run) => {
                    assert_eq!(run.state, RunState::Done);
                    format!("{} ({})", run.outcome.unwrap(), run.reason.unwrap())
                }
                Recovery::Wait(until) => format!("waits until {until}"),
                Recovery::Late => "late".to_owned(),
            }
        };
        use JobPresence::{Present, Removed};
        assert_eq!(
            outcome(RunState::Running, Present),
            "interrupted (interrupted)"
        );
        assert_eq!(
            outcome(RunState::Running, Removed),
            "interrupted (interrupted)"
        );
        assert_eq!(
            outcome(RunState::Waiting, Present),
            "waits until 2027-01-01T00:01:00Z"
        );
        assert_eq!(
            outcome(RunState::Waiting, Removed),
            "interrupted (interrupted)"
        );
        assert_eq!(outcome(RunState::Queued, Present), "late");
        assert_eq!(outcome(RunState::Queued, Removed), "missed (removed)");
    }
}
