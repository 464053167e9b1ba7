//! What the state says while it is followed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::ids::{JobName, RunId};
use crate::model::{Event, Observer, Outcome, Reason};

/// What the state said about a fire.
pub(super) enum Said {
    Started {
        run: RunId,
        lateness: Duration,
    },
    NotRun {
        job: JobName,
        at: Timestamp,
        outcome: Outcome,
        reason: Reason,
        count: u64,
    },
}

/// Hears the state.
#[derive(Default)]
pub(super) struct Ears(Mutex<Vec<Said>>);

impl Observer for Ears {
    fn observe(&self, event: &Event<'_>) {
        let said = match event {
            Event::AttemptStarted { run, lateness, .. } => Said::Started {
                run: run.id,
                lateness: lateness.unwrap_or_default(),
            },
            // Those of the start, which the span is not about, are no fires of a schedule.
            Event::NotRun { run, added, .. } if run.reason != Some(Reason::Restart) => {
                Said::NotRun {
                    job: run.job.clone(),
                    at: run.scheduled_until.unwrap_or(run.scheduled_at),
                    outcome: run.outcome.unwrap_or(Outcome::Missed),
                    reason: run.reason.unwrap_or(Reason::Internal),
                    count: *added,
                }
            }
            _ => return,
        };
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(said);
    }
}

impl Ears {
    pub(super) fn take(&self) -> Vec<Said> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
