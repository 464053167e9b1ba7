//! A fire while runs of its job are under way: it is skipped, waits for one of them to end, or
//! takes the place of one.

use std::sync::Arc;

use jiff::Timestamp;

use crate::decide::{self, Admission};
use crate::ids::{JobKey, RunId};
use crate::model::{AfterCrash, Outcome, Overlap, Reason, Run, RunState};
use crate::schedule::Fire;

use super::active::Stage;
use super::fires::NotRun;
use super::{JobState, State};

impl State {
    /// What becomes of one more run of this job, and the run that is in its way. Before the first
    /// change, what another process left and that will go on counts as well.
    pub(super) fn admission(&self, job: &JobState) -> (Admission, Option<RunId>) {
        let policy = &job.job.definition.policy;
        let is_begun_again = policy.after_crash == AfterCrash::Rerun;
        let goes_on = |run: &&Run| {
            run.job == *job.job.name() && (is_begun_again || run.state != RunState::Running)
        };
        let left = self.recalled.iter().filter(goes_on).map(|run| run.id);
        let waiting = job
            .active()
            .iter()
            .filter(|id| self.is_behind(**id))
            .count();
        let all = job.active().len() + left.clone().count();
        let blocking = job.active().iter().copied().chain(left).next();
        (decide::admit(policy, all - waiting, waiting), blocking)
    }

    pub(super) fn is_behind(&self, id: RunId) -> bool {
        let active = self.runs.get(&id);
        active.is_some_and(|active| active.stage == Stage::Behind && !active.is_ending)
    }

    pub(super) fn skip_overlap(
        &mut self,
        key: JobKey,
        scheduled: Timestamp,
        blocking: Option<RunId>,
    ) {
        let mut not_run = NotRun::one(Outcome::Skipped, Reason::Overlap, scheduled);
        not_run.detail = blocking.map(under_way);
        self.not_run(key, not_run);
    }

    /// Makes room for `newer`: of those before it whoever waits like it goes, and of the others the oldest,
    /// until there is room once they have ended. Who ends already was told so.
    pub(super) fn replace_for(&mut self, key: JobKey, newer: RunId) {
        let Some(job) = self.job(key) else { return };
        let before = job.active().iter().take_while(|id| **id != newer);
        let (waiting, others): (Vec<_>, Vec<_>) = before.partition(|id| self.is_behind(**id));
        let stays = |id: &&RunId| {
            let active = self.runs.get(*id);
            active.is_some_and(|active| !active.is_ending && active.stage != Stage::Backlog)
        };
        let most = job.job.definition.policy.max_instances as usize;
        let mut others: Vec<_> = others.into_iter().filter(stays).collect();
        others.truncate((others.len() + 1).saturating_sub(most));
        let replaced: Vec<_> = waiting.into_iter().chain(others).copied().collect();
        for id in replaced {
            self.cancel(id, Reason::Replaced);
        }
    }

    /// Takes a run that has not begun out of its line; it is over when its row is there.
    pub(super) fn withdraw(&mut self, id: RunId, why: Reason) {
        let Some(active) = self.runs.get_mut(&id) else {
            return;
        };
        active.stage = Stage::Behind;
        active.is_ending = true;
        active.end_reason = Some(why);
        let until = active.grace_until.take();
        self.places.leave(active);
        if let Some(until) = until {
            self.timers.remove(&(until, id));
        }
    }

    /// The row of a run that has not begun is there: it may be over already.
    pub(super) fn end_withdrawn(&mut self, id: RunId) {
        let Some(active) = self.runs.get(&id) else {
            return;
        };
        if active.stage == Stage::Behind && active.is_ending {
            let why = active.end_reason.unwrap_or(Reason::Request);
            self.give_up(id, promised(why), why);
        }
    }

    /// A request takes the place of another run only when it is recorded: it may be an old one come again.
    pub(super) fn replace_by_request(&mut self, id: RunId) {
        let Some(active) = self.runs.get(&id) else {
            return;
        };
        let replaces = self.is_behind(id)
            && active.run.request.is_some()
            && active.job.definition.policy.overlap == Overlap::Replace;
        if let (true, Some(key)) = (replaces, active.key) {
            self.replace_for(key, id);
        }
    }

    /// Whoever waits for one of the job's runs to end goes on when there is room.
    pub(super) fn next_behind(&mut self, key: JobKey) {
        loop {
            let Some(job) = self.job(key) else { return };
            let policy = &job.job.definition.policy;
            let behind = job.active().iter().filter(|id| self.is_behind(**id));
            let under_way = job.active().len() - behind.clone().count();
            let Some(id) = behind.copied().next() else {
                return;
            };
            if under_way >= policy.max_instances as usize {
                return;
            }
            self.leave_behind(id);
        }
    }

    /// Its wait behind the job's own runs is no lateness: its grace begins now.
    fn leave_behind(&mut self, id: RunId) {
        let now = self.now.wall;
        if let Some(active) = self.runs.get_mut(&id)
            && let Some(due) = active.due
        {
            let definition = &active.job.definition;
            let scheduled = active.run.scheduled_at;
            let schedule = &definition.schedule;
            let next = schedule.next_after(scheduled);
            let fire = Fire { scheduled, due };
            let grace = decide::grace(&definition.policy, schedule, fire, next);
            active.grace_until = Some(now.saturating_add(grace).unwrap_or(Timestamp::MAX));
        }
        self.enqueue(id);
    }
}

/// What becomes of a run that has not begun and whose end was promised for this reason.
pub(super) fn promised(why: Reason) -> Outcome {
    match why {
        Reason::Paused => Outcome::Skipped,
        Reason::Removed | Reason::Coalesced => Outcome::Missed,
        _ => Outcome::Cancelled,
    }
}

/// Why a fire was skipped, in words.
pub(super) fn under_way(blocking: RunId) -> Arc<str> {
    format!("run {blocking} was still under way").into()
}
