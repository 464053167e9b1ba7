//! The end of a run before its time: somebody asks for it, or a newer run needs its place.

use crate::ids::RunId;
use crate::model::{Outcome, Reason};

use super::active::{Row, Stage};
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
}
