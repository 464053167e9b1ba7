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
use crate::model::Event;
use crate::schedule::Fire;
use crate::store::{AHEAD, Mark, Write};

use super::active::{Active, Stage};
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
        let latest = now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
        let (mut wait, mut far) = (None, Vec::new());
        for (name, key) in &self.names {
            let Some(job) = self.job(*key) else { continue };
            // What the loop itself takes, and what a clock is kept in step by, is no news.
            if job.mark > latest {
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
            let write = Write::Mend {
                job: job.clone(),
                at: now,
            };
            self.write(write, Then::Mended(key, job));
        }
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
            let next = self.next_fire(key);
            self.tell_next(key, next.map(|fire| fire.due));
            self.expect(key);
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
