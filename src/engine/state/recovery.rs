//! Rows that another process left open are settled before anything new fires.

use crate::decide::{self, JobPresence, Recovery};
use crate::ids::JobKey;
use crate::model::{Event, Outcome, Reason, Remains, Run, RunState, Trigger};
use crate::schedule::Fire;
use crate::store::Write;

use super::active::{Active, Place, Row, Stage};
use super::commits::Then;
use super::{Incoming, State};

impl State {
    pub(super) fn recover_rows(&mut self) {
        let remains = std::mem::take(&mut self.remains);
        let mut recalled = std::mem::take(&mut self.recalled);
        // What had begun has its place before what waited for it, also where both are of one instant.
        recalled.sort_by_key(|run| run.state == RunState::Queued);
        for run in recalled {
            let remains = remains.get(&run.id).copied().unwrap_or_default();
            let key = self.names.get(run.job.as_str()).copied();
            let presence = match key.map(|key| (self.incoming.get(&key), self.job(key))) {
                None | Some((Some(Incoming::Removed), _) | (_, None)) => JobPresence::Removed,
                Some((Some(Incoming::Disabled), _)) => JobPresence::Disabled,
                Some((Some(Incoming::Job(_)), _)) => JobPresence::Enabled,
                Some((None, Some(job))) if job.job.definition.enabled => JobPresence::Enabled,
                Some((None, Some(_))) => JobPresence::Disabled,
            };
            let job = key.and_then(|key| self.job(key));
            let policy = job.map(|job| &*job.job.definition.policy);
            let recovery = decide::recover(&run, presence, policy, remains, self.now.wall);
            match (recovery, key) {
                (Recovery::Close(closed), key) => self.close_row(*closed, key),
                (Recovery::Wait(at), Some(key)) => self.wait_again(run, key, at),
                (Recovery::Late, Some(key)) => self.queue_again(run, key),
                (Recovery::Again, Some(key)) => self.begin_again(run, key, remains),
                // Present means that there is a key.
                (Recovery::Wait(_) | Recovery::Late | Recovery::Again, None) => {}
            }
        }
    }

    fn close_row(&mut self, run: Run, key: Option<JobKey>) {
        if run.attempt > 0 {
            let action = key
                .and_then(|key| self.job(key))
                .map_or("run", |job| job.job.definition.action.kind());
            self.count_end(key, &run, action, false);
        } else {
            match run.outcome {
                Some(Outcome::Skipped) => self.stats.total_skipped += run.count,
                _ => self.stats.total_missed += 1,
            }
            self.observer.observe(&Event::NotRun {
                key,
                run: &run,
                added: run.count,
            });
        }
        let run = Box::new(run);
        let job = key.and_then(|key| self.job(key));
        if let Some(job) = job.map(|job| job.job.clone()) {
            self.tell(key, &job, &run, run.count, None);
        }
        self.write(Write::Update { run, output: None }, Then::Nothing);
    }

    /// A run between attempts goes on, with its count.
    fn wait_again(&mut self, mut run: Run, key: JobKey, at: jiff::Timestamp) {
        let Some(job) = self.job(key).map(|job| job.job.clone()) else {
            return;
        };
        let now = self.now.wall;
        let latest = decide::latest_attempt(&job.definition.policy.retry, now);
        let is_mended = at > latest;
        let at = at.min(latest).max(now);
        run.next_attempt_at = Some(at);
        let id = run.id;
        let mut active = Active::new(run, job, Some(key));
        active.row = Row::There;
        active.stage = Stage::Waiting;
        self.timers.insert((at, id));
        self.runs.insert(id, active);
        if let Some(job) = self.job_mut(key) {
            job.past().active.push(id);
        }
        if is_mended {
            self.update_row(id);
        }
    }

    /// A run that was cut off waits for another attempt, which begins as soon as there is a place.
    fn begin_again(&mut self, mut run: Run, key: JobKey, remains: Remains) {
        let id = run.id;
        run.state = RunState::Waiting;
        run.reason = Some(Reason::Interrupted);
        run.detail = Some(format!("{}; it is begun again", decide::cut_off(remains)).into());
        self.wait_again(run, key, self.now.wall);
        let Some(active) = self.runs.get(&id) else {
            return;
        };
        let run = Box::new(active.run.clone());
        self.write(Write::Update { run, output: None }, Then::Nothing);
    }

    /// A queued fire is a late fire.
    fn queue_again(&mut self, run: Run, key: JobKey) {
        let Some(job) = self.job(key).map(|job| job.job.clone()) else {
            return;
        };
        // As with every late fire: the old policy decides, the new action runs.
        let run_by = self.run_by(key).unwrap_or_else(|| job.clone());
        let scheduled = run.scheduled_at;
        let schedule = &job.definition.schedule;
        // Of a schedule that is no more: it was due at its own instant.
        let fire = schedule.fire_at(scheduled).unwrap_or(Fire {
            scheduled,
            due: scheduled,
        });
        // Ahead of a clock that was set back it is due by now.
        let paused = self.pause_over(key, fire.due.min(self.now.wall));
        if let Some(words) = paused.filter(|_| run.request.is_none()) {
            let mut run = run;
            run.detail = Some(words);
            return self.close_unrun(run, key, Outcome::Skipped, Reason::Paused);
        }
        let next = schedule.next_after(scheduled);
        let grace = decide::grace(&job.definition.policy, schedule, fire, next);
        let until = fire
            .due
            .saturating_add(grace)
            .unwrap_or(jiff::Timestamp::MAX);
        // Who asked for a run waits for as long as it takes, also over a restart.
        let is_fire = run.request.is_none();
        if is_fire && until < self.now.wall {
            return self.close_unrun(run, key, Outcome::Missed, Reason::Downtime);
        }
        let place = self.place_again(&run, key);
        let mut active = Active::new(run, run_by, Some(key));
        active.row = Row::There;
        if is_fire {
            active.due = Some(fire.due);
            active.grace_until = (place == Place::Pool).then_some(until);
        }
        self.add_run(active, place);
    }

    fn close_unrun(&mut self, mut run: Run, key: JobKey, outcome: Outcome, reason: Reason) {
        run.state = RunState::Done;
        run.outcome = Some(outcome);
        run.reason = Some(reason);
        run.finished_at = Some(self.now.wall);
        self.close_row(run, Some(key));
    }

    /// Late fires of one job stay one after another, and the others stay as few as may run at once.
    fn place_again(&self, run: &Run, key: JobKey) -> Place {
        let Some(job) = self.job(key) else {
            return Place::Pool;
        };
        let at_once = match run.trigger {
            Trigger::CatchUp => 1,
            _ => job.job.definition.policy.max_instances as usize,
        };
        if job.active().len() < at_once {
            Place::Pool
        } else {
            Place::Backlog
        }
    }
}
