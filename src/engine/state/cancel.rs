//! The end of a run before its time: somebody asks for it, or a newer run needs its place.

use jiff::Timestamp;

use crate::ids::{JobKey, RunId};
use crate::model::{Outcome, Reason};

use super::active::{Active, Row, Stage};
use super::fires::NotRun;
use super::overlap::promised;
use super::{Effect, EndHow, State};

impl State {
    /// Whether this run is there and not over, and so can be ended by [`Input::Cancel`](super::Input::Cancel).
    ///
    /// # Errors
    /// The store's own words when its row would have to be closed and cannot be: an older word of it may
    /// still be on its way back, and would come after.
    pub fn can_cancel(&self, id: RunId) -> Result<bool, String> {
        let Some(active) = self.runs.get(&id) else {
            return Ok(false);
        };
        match (active.stage, self.commits.error()) {
            (Stage::Recording | Stage::Running, _) | (_, None) => Ok(true),
            (_, Some(error)) => Err(error),
        }
    }

    /// Somebody asks for the end of a run.
    pub(super) fn cancel_asked(&mut self, id: RunId) {
        if self.can_cancel(id) == Ok(true) {
            self.cancel(id, Reason::Request);
        }
    }

    /// Ends a run wherever it stands: it will be cancelled, for this reason.
    pub(super) fn cancel(&mut self, id: RunId, why: Reason) {
        let Some(active) = self.runs.get_mut(&id) else {
            return;
        };
        // Who ends already ends for the reason that was first.
        if active.is_ending {
            return;
        }
        match active.stage {
            Stage::Recording | Stage::Running => {
                active.is_ending = true;
                active.end_reason = Some(why);
                if active.stage == Stage::Running {
                    let how = EndHow::Gracefully;
                    self.effects.push(Effect::End { run: id, how });
                }
            }
            // Between two attempts: there is nothing to end but the run.
            Stage::Waiting => self.close(id, Outcome::Cancelled, Some(why), None),
            Stage::Queued | Stage::Backlog | Stage::Behind if active.run.attempt > 0 => {
                self.close(id, Outcome::Cancelled, Some(why), None);
            }
            // Until the store has answered nobody knows which row to close.
            Stage::Queued | Stage::Backlog | Stage::Behind if active.row == Row::OnItsWay => {
                self.withdraw(id, why);
            }
            Stage::Queued | Stage::Backlog | Stage::Behind => {
                self.give_up(id, Outcome::Cancelled, why);
            }
        }
    }

    /// The row of a fire was refused, and it is decided anew; what was promised of it holds.
    pub(super) fn remember_promise(&mut self, key: JobKey, active: &Active) {
        let at = active.run.scheduled_at;
        if let (Some(why), Some(job)) = (active.end_reason, self.job_mut(key)) {
            job.past().promised.push((at, why));
        }
    }

    /// Records a fire whose end was promised before as that; says whether it is one.
    pub(super) fn keep_promise(&mut self, key: JobKey, scheduled: Timestamp) -> bool {
        let past = self.job_mut(key).and_then(|job| job.past.as_mut());
        let Some(of_job) = past.map(|past| &mut past.promised) else {
            return false;
        };
        let Some(index) = of_job.iter().position(|(at, _)| *at == scheduled) else {
            return false;
        };
        let (_, why) = of_job.swap_remove(index);
        self.not_run(key, NotRun::one(promised(why), why, scheduled));
        true
    }

    /// Fires that are decided by now need no promise.
    pub(super) fn forget_promises(&mut self, key: JobKey) {
        if let Some(job) = self.job_mut(key)
            && let Some(past) = job.past.as_mut()
        {
            past.promised.retain(|(at, _)| *at > job.mark);
        }
    }
}
