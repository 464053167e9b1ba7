//! What becomes of the rows that a dead process left open.

use jiff::Timestamp;

use crate::model::{AfterCrash, Outcome, Policy, Reason, Remains, Run, RunState};

/// What to do with an open row at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Close it like this.
    Close(Box<Run>),
    /// It waits for its next attempt until then, with its count.
    Wait(Timestamp),
    /// It never started: decide it as a late fire.
    Late,
    /// Its attempt was cut off: it is begun again, with its identity and count.
    Again,
}

/// So often a run is begun again after crashes. One that brings elder down each time must end.
const RERUNS: u32 = 10;

/// What to do with `run`, left open by another process, by its job's policy.
#[must_use]
pub fn recover(
    run: &Run,
    job: JobPresence,
    policy: Option<&Policy>,
    remains: Remains,
    now: Timestamp,
) -> Recovery {
    let reruns = |policy: &Policy| {
        policy.after_crash == AfterCrash::Rerun && run.attempt <= policy.retry.max + RERUNS
    };
    match (run.state, job) {
        (RunState::Running, JobPresence::Enabled | JobPresence::Disabled)
            // Beside what is still under way, nothing of it begins.
            if remains != Remains::Alive && policy.is_some_and(reruns) =>
        {
            Recovery::Again
        }
        (RunState::Waiting, JobPresence::Enabled | JobPresence::Disabled) => {
            Recovery::Wait(run.next_attempt_at.unwrap_or(now))
        }
        (RunState::Queued, JobPresence::Enabled) => Recovery::Late,
        (RunState::Queued, JobPresence::Disabled) if run.request.is_some() => Recovery::Late,
        (RunState::Queued, JobPresence::Disabled | JobPresence::Removed) => {
            Recovery::Close(Box::new(closed(run, Outcome::Missed, Reason::Removed, now)))
        }
        // What an attempt under way did is not known: unless the job says so, it is not started again.
        _ => {
            let mut run = closed(run, Outcome::Interrupted, Reason::Interrupted, now);
            run.detail = Some(cut_off(remains).into());
            Recovery::Close(Box::new(run))
        }
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

/// What is known of an attempt that elder's death cut off, as the begin of a sentence.
#[must_use]
pub fn cut_off(remains: Remains) -> &'static str {
    match remains {
        Remains::None => "elder ended while this run was under way",
        Remains::Ended => {
            "elder ended while this run was under way; what it had started still ran at the next start, and was ended"
        }
        Remains::Alive => {
            "elder ended while this run was under way; what it had started still runs and cannot be ended: it hangs in the kernel"
        }
    }
}

fn closed(run: &Run, outcome: Outcome, reason: Reason, now: Timestamp) -> Run {
    let mut run = run.clone();
    run.state = RunState::Done;
    run.outcome = Some(outcome);
    run.reason = Some(reason);
    run.finished_at = Some(now);
    run.next_attempt_at = None;
    run
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
            match recover(&run, job, None, Remains::None, now) {
                Recovery::Close(run) => {
                    assert_eq!(run.state, RunState::Done);
                    format!("{} ({})", run.outcome.unwrap(), run.reason.unwrap())
                }
                Recovery::Wait(until) => format!("waits until {until}"),
                Recovery::Late => "late".to_owned(),
                Recovery::Again => "again".to_owned(),
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

    #[test]
    fn what_may_run_twice_is_begun_again_and_not_for_ever() {
        let name = JobName::new("a").unwrap();
        let at: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        let mut run = Run::new(RunId::of_fire(&name, at), name, at, Trigger::Schedule);
        run.state = RunState::Running;
        let mut policy = Policy::built_in(Duration::from_secs(60));
        policy.retry.max = 2;
        let mut again_after = |remains, after_crash, attempt, presence| {
            policy.after_crash = after_crash;
            run.attempt = attempt;
            recover(&run, presence, Some(&policy), remains, at) == Recovery::Again
        };
        use AfterCrash::{Record, Rerun};
        assert!(again_after(Remains::Ended, Rerun, 1, JobPresence::Enabled));
        assert!(!again_after(Remains::Alive, Rerun, 1, JobPresence::Enabled));
        let mut is_again = |after_crash, attempt, presence| {
            again_after(Remains::None, after_crash, attempt, presence)
        };
        assert!(is_again(Rerun, 1, JobPresence::Enabled));
        assert!(is_again(Rerun, 1, JobPresence::Disabled));
        assert!(!is_again(Rerun, 1, JobPresence::Removed));
        assert!(!is_again(Record, 1, JobPresence::Enabled));
        assert!(is_again(Rerun, 12, JobPresence::Enabled));
        assert!(!is_again(Rerun, 13, JobPresence::Enabled));
    }
}
