//! Rows that another process left open are settled before anything new fires.

use crate::decide::{self, JobPresence, Recovery};
use crate::ids::JobKey;
use crate::model::{Event, Outcome, Reason, Run, RunState, error_reason};
use crate::schedule::Fire;
use crate::store::Write;

use super::commits::Then;
use super::runs::{Active, Place, Row, Stage};
use super::{Incoming, State};

impl State {
    pub(super) fn recover_rows(&mut self) {
        for run in std::mem::take(&mut self.recalled) {
            let key = self.names.get(run.job.as_str()).copied();
            let is_present = key.filter(|key| {
                !matches!(self.incoming.get(key), Some(Incoming::Gone))
                    && self.job(*key).is_some_and(|job| job.job.definition.enabled)
            });
            let presence = match is_present {
                Some(_) => JobPresence::Present,
                None => JobPresence::Removed,
            };
            match (decide::recover(&run, presence, self.now.wall), key) {
                (Recovery::Close(closed), key) => self.close_row(*closed, key),
                (Recovery::Wait(at), Some(key)) => self.wait_again(run, key, at),
                (Recovery::Late, Some(key)) => self.queue_again(run, key),
                // Present means that there is a key.
                (Recovery::Wait(_) | Recovery::Late, None) => {}
            }
        }
    }

    fn close_row(&mut self, run: Run, key: Option<JobKey>) {
        if run.attempt > 0 {
            let action = key
                .and_then(|key| self.job(key))
                .map_or("run", |job| job.job.definition.action.kind());
            self.stats.total_executed += 1;
            if let Some(outcome) = run.outcome
                && error_reason(outcome, run.reason).is_some()
            {
                self.stats.total_errors += 1;
            }
            self.observer.observe(&Event::RunEnded {
                key,
                run: &run,
                action,
                output_truncated: false,
            });
        } else {
            self.stats.total_missed += 1;
            self.observer.observe(&Event::NotRun {
                key,
                run: &run,
                added: run.count,
            });
        }
        let run = Box::new(run);
        self.write(Write::Update { run, output: None }, Then::Nothing);
    }

    /// A run between attempts goes on, with its count.
    fn wait_again(&mut self, mut run: Run, key: JobKey, at: jiff::Timestamp) {
        let Some(job) = self.job(key).map(|job| job.job.clone()) else {
            return;
        };
        let at = at.max(self.now.wall);
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
    }

    /// A queued fire is a late fire.
    fn queue_again(&mut self, run: Run, key: JobKey) {
        let Some(job) = self.job(key).map(|job| job.job.clone()) else {
            return;
        };
        let scheduled = run.scheduled_at;
        let fire = Fire {
            scheduled,
            due: scheduled,
        };
        let next = job.definition.schedule.next_after(scheduled);
        let grace = decide::grace(&job.definition.policy, fire, next);
        let until = scheduled
            .saturating_add(grace)
            .unwrap_or(jiff::Timestamp::MAX);
        if until < self.now.wall {
            let mut run = run;
            run.state = RunState::Done;
            run.outcome = Some(Outcome::Missed);
            run.reason = Some(Reason::Downtime);
            run.finished_at = Some(self.now.wall);
            self.close_row(run, Some(key));
            return;
        }
        let mut active = Active::new(run, job, Some(key));
        active.row = Row::There;
        active.due = Some(scheduled);
        active.grace_until = Some(until);
        self.add_run(active, Place::Pool);
    }
}
