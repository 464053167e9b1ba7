//! Marks that lie in the future: the clock was ahead when they were made, and was set right.
//!
//! Nothing up to a mark is decided again, so a job whose mark is a year ahead would not fire for a
//! year. A mark that is ahead by no more than [`AHEAD`] is waited for: that is how a small step back
//! repeats nothing. One further ahead is mended by the store, which knows where the clock's leap
//! began and keeps what ran after it closed. A wait between two attempts is no longer than its job
//! allows, from now: what such a clock planned for a year ahead would keep its job from running for
//! as long.

use jiff::Timestamp;

use crate::decide;
use crate::ids::{JobKey, JobName};
use crate::model::{Event, Reason};
use crate::schedule::Fire;
use crate::store::{AHEAD, Mark, Write};

use super::active::{Active, Stage, is_fire};
use super::commits::Then;
use super::{Effect, Phase, State};

/// So many names are told.
const NAMED: usize = 5;

/// The mark, if it is ahead of this instant and that is waited for.
pub(super) fn waited_for(mark: Timestamp, at: Timestamp) -> Option<Timestamp> {
    let latest = at.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
    (mark > at && mark <= latest).then_some(mark)
}

impl State {
    /// Has marks that are too far ahead mended, and tells of those that are waited for.
    pub(super) fn mend_marks(&mut self) {
        if self.phase != Phase::Running || self.commits.is_down() {
            return;
        }
        let now = self.now.wall;
        let (mut wait, mut far) = (None, Vec::new());
        for (name, key) in &self.names {
            let Some(job) = self.job(*key) else { continue };
            // What the loop itself takes, and what a clock is kept in step by, is no news.
            if self.is_far(job.mark) {
                far.push((name.clone(), *key, job.mark));
            } else if job.mark.duration_since(now) > jiff::SignedDuration::from_secs(1) {
                wait = wait.max(Some(job.mark));
            }
        }
        if let Some(until) = wait {
            self.notice(&format!(
                "the clock was set back: jobs that were decided for later already fire again when it has passed that, the last at {until}"
            ));
        }
        let Some(furthest) = far.iter().map(|(.., mark)| *mark).max() else {
            return;
        };
        let names: Vec<_> = far
            .iter()
            .take(NAMED)
            .map(|(name, ..)| name.as_str())
            .collect();
        let more = far.len().saturating_sub(NAMED);
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        self.notice(&format!(
            "the clock was ahead: {} jobs were decided up to {furthest} ({}{more}); they go on from now, and what ran under that clock does not run again when its time comes",
            far.len(),
            names.join(", "),
        ));
        for (job, key, _) in far {
            self.mend(key, job);
        }
    }

    /// Has the store mend the job's mark.
    fn mend(&mut self, key: JobKey, job: JobName) {
        let at = self.now.wall;
        let write = Write::Mend {
            job: job.clone(),
            at,
        };
        self.write(write, Then::Mended(key, job));
        // A row of these would come after, and move the mark ahead again.
        self.forget_what_is_to_come(key, at);
    }

    /// A job has another name: where its mark was to be read under the old one it is read again.
    pub(super) fn mend_renamed(&mut self, key: JobKey, name: &JobName) {
        let is_ahead = self.job(key).is_some_and(|job| self.is_far(job.mark));
        if is_ahead && self.phase == Phase::Running && !self.commits.is_down() {
            self.mend(key, name.clone());
        }
    }

    /// Whether a mark is so far ahead that nobody waits for it.
    fn is_far(&self, mark: Timestamp) -> bool {
        let latest = self.now.wall.saturating_add(AHEAD);
        mark > latest.unwrap_or(Timestamp::MAX)
    }

    /// Brings waits between two attempts back to what their jobs allow.
    pub(super) fn mend_waits(&mut self) {
        let now = self.now.wall;
        let latest = |active: &Active| {
            let retry = &active.job.definition.policy.retry;
            let latest = decide::latest_attempt(retry, now);
            let planned = active.run.next_attempt_at?;
            (active.stage == Stage::Waiting && planned > latest).then_some((planned, latest))
        };
        let runs = self.runs.iter();
        let mut far: Vec<_> = runs
            .filter_map(|(id, active)| Some((*id, latest(active)?)))
            .collect();
        far.sort_unstable();
        for (id, (planned, latest)) in far {
            if let Some(active) = self.runs.get_mut(&id) {
                active.run.next_attempt_at = Some(latest);
            }
            self.timers.remove(&(planned, id));
            self.timers.insert((latest, id));
            self.update_row(id);
        }
    }

    /// Asks for the marks that were mended in this round.
    pub(super) fn read_mended(&mut self) {
        if !self.mended_jobs.is_empty() {
            let jobs = std::mem::take(&mut self.mended_jobs);
            self.effects.push(Effect::ReadMarks(jobs));
        }
    }

    /// The marks as the store has them now.
    pub(super) fn mended(&mut self, marks: Vec<(JobName, Mark)>) {
        let now = self.now.wall;
        for (name, mark) in marks {
            let Some(key) = self.names.get(name.as_str()).copied() else {
                continue;
            };
            if self.is_far(mark.mark) {
                // A row of that time was on its way.
                self.mend(key, name);
                continue;
            }
            let Some(job) = self.job_mut(key) else {
                continue;
            };
            // An edit meanwhile has moved it on.
            if job.mark <= mark.mark {
                continue;
            }
            job.mark = mark.mark;
            job.since = mark.since;
            job.first_seen = mark.first_seen;
            let past = job.past();
            past.span = None;
            past.previous_success_at = mark.previous_success_at;
            past.last_startup_at = mark.last_startup_at;
            past.times = mark.times;
            past.good = mark.good;
            past.failing = mark.failing;
            self.forget_what_is_to_come(key, now);
            self.settle_mended(key, now);
            let next = self.next_fire(key);
            self.tell_next(key, next.map(|fire| fire.due));
            self.expect(key);
        }
    }

    /// What came due until the store had answered: by the mark that was ahead it was decided.
    fn settle_mended(&mut self, key: JobKey, now: Timestamp) {
        let Some(job) = self.job(key) else { return };
        let fires = job.active().iter().filter_map(|id| self.runs.get(id));
        let fires = fires.filter(|active| is_fire(&active.run));
        let decided = fires.map(|active| active.run.scheduled_at);
        let newest = decided.filter(|at| *at <= now).max();
        let definition = &job.job.definition;
        let schedule = definition.enabled.then(|| definition.schedule.clone());
        if let Some(newest) = newest {
            self.move_mark(key, newest);
        }
        if let Some(schedule) = schedule
            && self.phase == Phase::Running
            && !self.commits.is_down()
            && !self.commits.is_clogged()
        {
            let punctual = self.punctual();
            self.lateness = Reason::Store;
            self.settle(key, &schedule, punctual);
        }
    }

    /// Fires that wait without a row and whose time has not come are decided when it does.
    fn forget_what_is_to_come(&mut self, key: JobKey, now: Timestamp) {
        let Some(job) = self.job(key) else { return };
        let waits = |id: &&crate::ids::RunId| {
            let active = self.runs.get(*id);
            active.is_some_and(|active| active.needs_row() && active.run.scheduled_at > now)
        };
        let ids: Vec<_> = job.active().iter().filter(waits).copied().collect();
        for id in ids {
            self.forget(id);
        }
        self.next_of_job(key);
    }

    /// A job's next fire: none that is decided already or falls into a pause.
    pub(super) fn next_fire(&self, key: JobKey) -> Option<Fire> {
        let next = self.timetable.next_of(key)?;
        let job = self.job(key)?;
        let next = match next.scheduled > job.mark {
            true => next,
            false => job.job.definition.schedule.next_after(job.mark)?,
        };
        self.after_pause(key, next)
    }

    pub(super) fn notice(&self, text: &str) {
        self.observer.observe(&Event::Notice {
            warning: true,
            text,
        });
    }
}
