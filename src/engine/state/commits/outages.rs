//! A store that refuses: what was to start goes back to where it was, what ended is kept to be written
//! later, and its return decides what was due meanwhile.

use std::time::Duration;

use jiff::Timestamp;

use crate::ids::{JobKey, RunId};
use crate::model::{Outcome, Reason, Run, RunState};
use crate::store::Write;

use super::super::active::{Active, Row, Stage, is_fire};
use super::super::overlap::promised;
use super::super::{Effect, Phase, Refusal, State};
use super::Then;

impl State {
    pub(super) fn refused(
        &mut self,
        batch: u64,
        error: String,
        thens: Vec<Then>,
        writes: Vec<Write>,
    ) {
        let mut telling = None;
        for (then, write) in thens.into_iter().zip(writes) {
            if matches!(then, Then::Told(_)) {
                telling = Some((write, then));
                continue;
            }
            let telling = telling.take();
            match then {
                Then::Start(id) | Then::Recorded(id) => self.not_recorded(id, write, &error),
                Then::NotRun {
                    key,
                    ref run,
                    first,
                    ..
                } => match self.undecided_again(key, run, first) {
                    Some(key) => {
                        if let Some((_, Then::Told(missed))) = telling {
                            self.untold(key, &missed);
                        }
                        self.reopen(key, first);
                    }
                    None => self.commits.kept.keep_with(telling, write, then),
                },
                Then::Paused(asked) => self.pause_refused(&asked, &error),
                // It is looked at again when the store is back.
                Then::Mended(..) => {}
                Then::Nothing | Then::Told(_) | Then::ToldAlone => {
                    let telling = self.told_again(telling, &write);
                    self.commits.kept.keep_with(telling, write, then);
                }
            }
        }
        for (_, ticket) in std::mem::take(&mut self.commits.waiting) {
            let error = Err(error.clone());
            self.effects.push(Effect::Recorded(ticket, error));
        }
        // What was sent before the return was known says nothing of now.
        if self.commits.back_after.is_some_and(|last| batch > last) {
            self.commits.back_after = None;
        }
        self.commits.error = Some(error);
    }

    /// A run whose row was refused goes back to where it was.
    fn not_recorded(&mut self, id: RunId, write: Write, error: &str) {
        let is_claim = matches!(write, Write::Claim { .. });
        let Some(active) = self.runs.get_mut(&id) else {
            // It was given up meanwhile: the row of that follows.
            if is_claim {
                self.commits.kept.keep(write, Then::Nothing);
            }
            return;
        };
        let is_asked = !active.tickets.is_empty();
        if is_claim && (is_asked || is_fire(&active.run)) {
            if let Some(active) = self.forget(id) {
                self.undone(active, error);
            }
            return;
        }
        active.row = if is_claim { Row::Absent } else { Row::There };
        if active.stage == Stage::Recording {
            self.back_in_line(id);
        }
    }

    /// A run that is to be as if it had never been: asked for in vain, or a fire to be decided anew.
    fn undone(&mut self, active: Active, error: &str) {
        let (key, first) = (active.key, active.run.scheduled_at);
        for ticket in &active.tickets {
            let refusal = Refusal::Store(error.to_owned());
            self.effects.push(Effect::Triggered(*ticket, Err(refusal)));
        }
        if is_fire(&active.run) {
            match self.undecided_again(key, &active.run, first) {
                Some(key) => {
                    self.remember_promise(key, &active);
                    self.reopen(key, first);
                }
                None => self.keep_missed(active, key),
            }
        }
        if let Some(key) = key {
            self.next_of_job(key);
        }
    }

    /// A fire that cannot be decided anew, for its job or its schedule is gone, is missed, unless its
    /// end was promised before.
    fn keep_missed(&mut self, active: Active, key: Option<JobKey>) {
        let Active { run, job, .. } = active;
        let first = run.scheduled_at;
        let why = active.end_reason.map(|why| (promised(why), why));
        let (outcome, reason) = why.unwrap_or((Outcome::Missed, Reason::Store));
        let run = Box::new(Run {
            state: RunState::Done,
            outcome: Some(outcome),
            reason: Some(reason),
            finished_at: Some(self.now.wall),
            attempt: 0,
            started_at: None,
            ..run
        });
        let then = Then::NotRun {
            key,
            run: run.clone(),
            first,
            added: 1,
        };
        let telling = self.telling(key, &job, &run, 1, None);
        self.commits
            .kept
            .keep_with(telling, Write::Claim { run }, then);
    }

    /// The store can be written again.
    pub(in super::super) fn store_back(&mut self) {
        if self.commits.is_down() {
            self.commits.back_after = Some(self.commits.last_batch);
            self.resume();
        }
    }

    /// Once everything from before the store's return is answered: first what ended, then what was due meanwhile.
    pub(super) fn resume(&mut self) {
        let first = self.commits.first_under_way();
        if self.commits.back_after.is_none_or(|last| first <= last) {
            return;
        }
        self.commits.back_after = None;
        self.commits.error = None;
        self.commits.untold.clear();
        let (kept, dropped) = self.commits.kept.take();
        let held = std::mem::take(&mut self.commits.writes).into_iter();
        let held = held.zip(std::mem::take(&mut self.commits.thens));
        self.write_again(kept.chain(held));
        if dropped > 0 {
            self.notice(&format!(
                "the store was away for so long that the ends of {dropped} runs could not be kept: the next start finds them open, as interrupted"
            ));
        }
        self.lateness = Reason::Store;
        if self.phase != Phase::Running {
            return;
        }
        self.mend_marks();
        self.pauses_after_outage();
        for key in std::mem::take(&mut self.commits.unsettled) {
            // What stood before it in the job's line may be open again.
            self.next_of_job(key);
            let Some(job) = self.job(key) else { continue };
            if job.job.definition.enabled {
                let schedule = job.job.definition.schedule.clone();
                self.settle(key, &schedule, Duration::ZERO);
            }
            self.forget_promises(key);
        }
    }

    /// The job whose present schedule can decide this instant anew; `None` when it came from another one.
    fn undecided_again(
        &self,
        key: Option<JobKey>,
        run: &Run,
        instant: Timestamp,
    ) -> Option<JobKey> {
        let key = self.still(key, &run.job)?;
        let since = self.job(key)?.since;
        (is_fire(run) && instant > since).then_some(key)
    }
}
