//! From a due instant to a run, or to the row that says why there is none.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::decide::{self, Admission};
use crate::ids::{JobKey, RunId};
use crate::model::{Grace, Job, Outcome, Reason, Run, RunState, Trigger};
use crate::schedule::{Fire, Schedule};
use crate::store::Write;

use super::active::{Active, Place, Row, Stage, is_fire};
use super::commits::Then;
use super::{Incoming, Phase, Span, State, just_before};

/// Fires that did not run, before they are a row.
pub(super) struct NotRun {
    pub(super) outcome: Outcome,
    pub(super) reason: Reason,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) count: u64,
    pub(super) detail: Option<Arc<str>>,
}

impl NotRun {
    pub(super) fn one(outcome: Outcome, reason: Reason, instant: Timestamp) -> Self {
        Self {
            outcome,
            reason,
            first: instant,
            last: instant,
            count: 1,
            detail: None,
        }
    }
}

impl State {
    /// Every group that is due, each job of it.
    pub(super) fn fire_due(&mut self) {
        let now = self.now.wall;
        while let Some(group) = self.timetable.pop_due(now) {
            // The usual case, decided once for the whole group: exactly one fire is due.
            let second = group.schedule.next_after(group.first.scheduled);
            let only = second == group.next;
            for key in group.members {
                let next = self.next_fire(key).map(|fire| fire.due);
                self.tell_next(key, next);
                if only {
                    self.settle_one(key, &group.schedule, group.first, second);
                } else {
                    self.settle(key, &group.schedule, self.punctual());
                }
                if next.is_none() {
                    self.refresh_status(key);
                }
            }
        }
        self.lateness = Reason::Downtime;
    }

    /// One fire of one job is due, and no other.
    fn settle_one(&mut self, key: JobKey, schedule: &Schedule, fire: Fire, next: Option<Fire>) {
        let Some(job) = self.job(key) else { return };
        // A clock that went back shows instants again that were decided already.
        if fire.scheduled <= job.mark {
            return;
        }
        if let Some(words) = self.pause_over(key, fire.due) {
            return self.skip_paused(key, fire.scheduled, words);
        }
        let policy = &job.job.definition.policy;
        let grace = decide::grace(policy, schedule, fire, next).max(self.punctual());
        if self.now.wall.duration_since(fire.due).unsigned_abs() > grace {
            let lateness = self.lateness;
            self.missed_one(key, fire.scheduled, lateness);
        } else {
            self.fire(key, schedule, fire, Trigger::Schedule);
        }
    }

    /// What the loop itself takes is no lateness: a grace of nothing is about downtime and the like,
    /// and a job with it fires as long as elder is there.
    pub(super) fn punctual(&self) -> Duration {
        match (self.phase, self.lateness) {
            (Phase::Running, Reason::Downtime) => Duration::from_secs(1),
            _ => Duration::ZERO,
        }
    }

    /// Everything of one job that became due since its mark, by its present schedule and policy,
    /// with this grace at least.
    pub(super) fn settle(&mut self, key: JobKey, schedule: &Arc<Schedule>, least: Duration) {
        self.settle_paused(key, schedule);
        let Some(job) = self.job(key) else { return };
        let mut policy = job.job.definition.policy.clone();
        if let Grace::Fixed(length) = policy.grace
            && length < least
        {
            Arc::make_mut(&mut policy).grace = Grace::Fixed(least);
        }
        let due = decide::due(schedule, job.mark, self.now.wall, &policy, self.lateness);
        let at_once = due.starts.len() == 1;
        let mut starts = due.starts.into_iter().peekable();
        // The store takes a job's instants in order.
        for missed in due.missed {
            while let Some(fire) = starts.next_if(|fire| fire.scheduled < missed.first) {
                self.catch_up(key, schedule, fire, at_once);
            }
            let not_run = NotRun {
                outcome: Outcome::Missed,
                reason: missed.reason,
                first: missed.first,
                last: missed.last,
                count: missed.count,
                detail: None,
            };
            self.not_run(key, not_run);
        }
        for fire in starts {
            self.catch_up(key, schedule, fire, at_once);
        }
        if !at_once {
            self.bound_backlog(key);
            self.next_of_job(key);
        }
    }

    /// No more late fires wait in line than one look back may start: the oldest ones go.
    fn bound_backlog(&mut self, key: JobKey) {
        let Some(job) = self.job(key) else { return };
        let late = |id: &RunId| {
            let active = self.runs.get(id)?;
            let is_late = active.stage == Stage::Backlog && is_fire(&active.run);
            is_late.then_some((active.run.scheduled_at, *id))
        };
        let mut late: Vec<_> = job.active().iter().filter_map(late).collect();
        late.sort_unstable();
        late.truncate(late.len().saturating_sub(decide::MOST_STARTS));
        for (_, id) in late {
            match self.runs.get(&id).map(|active| active.row) {
                // Until the store has answered nobody knows which row to close.
                Some(Row::OnItsWay) => self.withdraw(id, Reason::Coalesced),
                _ => self.give_up(id, Outcome::Missed, Reason::Coalesced),
            }
        }
    }

    /// A late fire that starts: at once, or in line with others.
    fn catch_up(&mut self, key: JobKey, schedule: &Schedule, fire: Fire, at_once: bool) {
        if at_once {
            self.fire(key, schedule, fire, Trigger::CatchUp);
        } else {
            self.add_backlog(key, fire);
        }
    }

    /// A fire that is in time: it runs, waits for a place, or is skipped.
    pub(super) fn fire(&mut self, key: JobKey, schedule: &Schedule, fire: Fire, trigger: Trigger) {
        if self.keep_promise(key, fire.scheduled) {
            return;
        }
        let Some(run_by) = self.run_by(key) else {
            self.missed_one(key, fire.scheduled, Reason::Removed);
            return;
        };
        if let Some(words) = self.pause_over(key, fire.due) {
            return self.skip_paused(key, fire.scheduled, words);
        }
        let Some(job) = self.job(key) else { return };
        let (admission, blocking) = self.admission(job);
        if admission == Admission::Skip {
            self.skip_overlap(key, fire.scheduled, blocking);
            return;
        }
        let policy = &job.job.definition.policy;
        let next = schedule.next_after(fire.scheduled);
        let grace = decide::grace(policy, schedule, fire, next);
        let mut run = Run::new(
            self.fire_id(&run_by, fire.scheduled),
            run_by.name().clone(),
            fire.scheduled,
            trigger,
        );
        self.describe_source(key, &mut run, &run_by);
        let grace_until = fire.due.saturating_add(grace).unwrap_or(Timestamp::MAX);
        let id = run.id;
        let mut active = Active::new(run, run_by, Some(key));
        active.due = Some(fire.due);
        self.move_mark(key, fire.scheduled);
        if admission == Admission::Start {
            active.grace_until = Some(grace_until);
            self.add_run(active, Place::Pool);
            return;
        }
        self.add_run(active, Place::Behind);
        if admission == Admission::Replace {
            self.replace_for(key, id);
        }
    }

    /// What a run of this job runs by: the incoming definition where one is coming; `None` when the job goes.
    pub(super) fn run_by(&self, key: JobKey) -> Option<Job> {
        match self.incoming.get(&key) {
            Some(Incoming::Removed | Incoming::Disabled) => None,
            Some(Incoming::Job(job)) => Some(job.clone()),
            None => self.job(key).map(|job| job.job.clone()),
        }
    }

    fn add_backlog(&mut self, key: JobKey, fire: Fire) {
        if self.keep_promise(key, fire.scheduled) {
            return;
        }
        let Some(run_by) = self.run_by(key) else {
            self.missed_one(key, fire.scheduled, Reason::Removed);
            return;
        };
        let mut run = Run::new(
            self.fire_id(&run_by, fire.scheduled),
            run_by.name().clone(),
            fire.scheduled,
            Trigger::CatchUp,
        );
        self.describe_source(key, &mut run, &run_by);
        self.move_mark(key, fire.scheduled);
        let mut active = Active::new(run, run_by, Some(key));
        active.due = Some(fire.due);
        self.add_run(active, Place::Backlog);
    }

    pub(super) fn missed_one(&mut self, key: JobKey, scheduled: Timestamp, reason: Reason) {
        self.not_run(key, NotRun::one(Outcome::Missed, reason, scheduled));
    }

    /// Records fires that do not run: in the row before, where that stands for
    /// the same reason, else in a row of their own.
    pub(super) fn not_run(&mut self, key: JobKey, not_run: NotRun) {
        // The store takes a job's instants in order: what waits unrecorded comes first.
        self.record_waiting(key, not_run.first);
        let at = self.now.wall;
        let reason = match self.incoming.get(&key) {
            Some(Incoming::Removed | Incoming::Disabled) => Reason::Removed,
            _ => not_run.reason,
        };
        let outcome = match reason {
            Reason::Removed => Outcome::Missed,
            _ => not_run.outcome,
        };
        self.move_mark(key, not_run.last);
        let Some(job) = self.job_mut(key) else { return };
        let source = job.job.clone();
        let name = source.name().clone();
        if let Some(span) = job.past().span.as_mut()
            && span.run.reason == Some(reason)
        {
            span.run.count += not_run.count;
            span.run.scheduled_until = Some(not_run.last);
            span.run.finished_at = Some(at);
            let run = span.run.clone();
            let write = Write::Extend {
                id: run.id,
                job: name,
                count: run.count,
                until: not_run.last,
                at,
            };
            self.tell(Some(key), &source, &run, not_run.count, None);
            self.write(
                write,
                Then::NotRun {
                    key: Some(key),
                    run,
                    first: not_run.first,
                    added: not_run.count,
                },
            );
            return;
        }
        let id = self.fire_id(&source, not_run.first);
        let mut run = Run::new(id, name, not_run.first, Trigger::Schedule);
        run.count = not_run.count;
        run.scheduled_until = (not_run.last > not_run.first).then_some(not_run.last);
        run.state = RunState::Done;
        run.outcome = Some(outcome);
        run.reason = Some(reason);
        run.finished_at = Some(at);
        run.detail = not_run.detail;
        self.describe_source(key, &mut run, &source);
        let run = Box::new(run);
        if let Some(job) = self.job_mut(key) {
            job.past().span = Some(Span { run: run.clone() });
        }
        self.tell(Some(key), &source, &run, not_run.count, None);
        self.write(
            Write::Claim { run: run.clone() },
            Then::NotRun {
                key: Some(key),
                run,
                first: not_run.first,
                added: not_run.count,
            },
        );
    }

    /// Gives rows to the job's fires before `instant` that wait without one: whatever moves the
    /// mark past them would close them.
    pub(super) fn record_waiting(&mut self, key: JobKey, instant: Timestamp) {
        let Some(job) = self.job(key) else { return };
        let waits = |id: &&RunId| {
            let active = self.runs.get(*id);
            active.is_some_and(|active| active.needs_row() && active.run.scheduled_at < instant)
        };
        let ids: Vec<_> = job.active().iter().filter(waits).copied().collect();
        for id in ids {
            let Some(active) = self.runs.get_mut(&id) else {
                continue;
            };
            active.row = Row::OnItsWay;
            let run = Box::new(active.run.clone());
            self.end_span(key);
            self.write(Write::Claim { run }, Then::Recorded(id));
        }
    }

    pub(super) fn move_mark(&mut self, key: JobKey, to: Timestamp) {
        if let Some(job) = self.job_mut(key) {
            job.mark = job.mark.max(to);
        }
    }

    /// Opens instants again that could not be recorded, with everything after them:
    /// the store takes a job's instants in order.
    pub(super) fn reopen(&mut self, key: JobKey, first: Timestamp) {
        let Some(job) = self.job(key) else { return };
        let is_after = |id: &&RunId| {
            let active = self.runs.get(*id);
            active.is_some_and(|active| active.needs_row() && active.run.scheduled_at >= first)
        };
        let later: Vec<_> = job.active().iter().filter(is_after).copied().collect();
        for id in later {
            self.forget(id);
        }
        if let Some(job) = self.job_mut(key) {
            job.mark = job.mark.min(just_before(first));
            job.past().span = None;
        }
        self.commits.unsettled.insert(key);
    }

    pub(super) fn end_span(&mut self, key: JobKey) {
        if let Some(past) = self.job_mut(key).and_then(|job| job.past.as_mut()) {
            past.span = None;
        }
    }
}
