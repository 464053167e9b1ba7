//! By when a job must have succeeded again (`expect_success_within`), and which are past it.
//!
//! Only jobs that expect a success cost anything here: a place in a map, and one deadline in
//! order, so that nothing is looked at before it is due. A job's *deadline* is so long after the first
//! fire that follows its last success; where it never had one, its first sight; where its times were
//! edited since, the edit; where it was paused since, the end of the pause: neither makes a job stale by
//! fires that it never had.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::ids::{JobKey, JobName};
use crate::model::{Event, Pause};

use super::{JobState, State, just_before};

/// So many names of stale jobs are told at once.
const NAMED: usize = 10;

/// Jobs that expect a success.
#[derive(Default)]
pub(super) struct Freshness {
    known: HashMap<JobKey, Expected>,
    /// Of those that are not stale yet.
    deadlines: BTreeSet<(Timestamp, JobKey)>,
    stale: BTreeSet<JobName>,
    /// When elder was last there again after it was not: its start, or a step of the clock forward.
    /// What was late for that reason has the time that any fire has.
    resumed: Timestamp,
}

struct Expected {
    deadline: Timestamp,
    is_stale: bool,
}

impl Freshness {
    /// How many entries it has in all.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.known.len() + self.deadlines.len() + self.stale.len()
    }

    /// The first deadline of all.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// How many jobs are stale, and the first of them by name.
    pub(super) fn stale(&self) -> (u64, Vec<JobName>) {
        let names = self.stale.iter().take(NAMED).cloned().collect();
        (self.stale.len() as u64, names)
    }

    /// By when the job must succeed, and whether it is past that.
    pub(super) fn of(&self, key: JobKey) -> Option<(Timestamp, bool)> {
        let expected = self.known.get(&key)?;
        Some((expected.deadline, expected.is_stale))
    }

    /// A job has another name, and is as stale as it was.
    pub(super) fn rename(&mut self, from: &JobName, to: &JobName) {
        if self.stale.remove(from) {
            self.stale.insert(to.clone());
        }
    }

    /// Elder is there again after it was not.
    pub(super) fn resume(&mut self, at: Timestamp) {
        self.resumed = at;
    }
}

impl State {
    /// Finds a job's deadline anew, after something that may have moved it: a success, an edit, the
    /// end of a run, a step of the clock.
    pub(super) fn expect(&mut self, key: JobKey) {
        let pause = self.pauses.of(key);
        let job = self.job(key);
        let deadline = job.and_then(|job| deadline(job, pause, self.now.wall));
        let before = self.freshness.known.get(&key);
        let (was, was_stale) = before.map_or((None, false), |it| (Some(it.deadline), it.is_stale));
        if let Some(was) = was {
            self.freshness.deadlines.remove(&(was, key));
        }
        let is_stale = was_stale && deadline.is_some_and(|at| at <= self.now.wall);
        match deadline {
            Some(deadline) => {
                self.freshness
                    .known
                    .insert(key, Expected { deadline, is_stale });
                if !is_stale {
                    self.freshness.deadlines.insert((deadline, key));
                }
            }
            None => drop(self.freshness.known.remove(&key)),
        }
        if was != deadline {
            self.tell_deadline(key, deadline);
        }
        if was_stale && !is_stale {
            self.fresh_again(key);
        }
    }

    /// A run of the job is over, or its place is.
    pub(super) fn expect_after_end(&mut self, key: JobKey) {
        if self.freshness.known.contains_key(&key) {
            self.expect(key);
        }
    }

    /// Every job that expects a success, after the clock was set.
    pub(super) fn expect_all(&mut self) {
        let keys: Vec<_> = self.freshness.known.keys().copied().collect();
        for key in keys {
            self.expect(key);
        }
    }

    /// The job is known no more.
    pub(super) fn expect_nothing(&mut self, key: JobKey, name: &JobName) {
        if let Some(expected) = self.freshness.known.remove(&key) {
            self.freshness.deadlines.remove(&(expected.deadline, key));
            self.freshness.stale.remove(name);
        }
    }

    /// Jobs whose deadline is over become stale.
    pub(super) fn stale_due(&mut self) {
        let now = self.now.wall;
        while let Some((deadline, key)) = self.freshness.deadlines.first().copied() {
            if deadline > now {
                break;
            }
            self.freshness.deadlines.pop_first();
            match self.given_time(key, deadline) {
                Some(later) => {
                    self.freshness.deadlines.insert((later, key));
                    if let Some(expected) = self.freshness.known.get_mut(&key) {
                        expected.deadline = later;
                    }
                    self.tell_deadline(key, Some(later));
                }
                None => self.stale(key, deadline),
            }
        }
    }

    /// The deadline of a job that had one while elder was not there, and that is being caught up.
    fn given_time(&self, key: JobKey, deadline: Timestamp) -> Option<Timestamp> {
        let job = self.job(key)?;
        let resumed = self.freshness.resumed;
        if deadline > resumed || job.active().is_empty() {
            return None;
        }
        let within = job.job.definition.policy.success_within?;
        let later = resumed.saturating_add(within).ok()?;
        (later > self.now.wall).then_some(later)
    }

    fn stale(&mut self, key: JobKey, deadline: Timestamp) {
        if let Some(expected) = self.freshness.known.get_mut(&key) {
            expected.is_stale = true;
        }
        let Some(job) = self.job(key) else { return };
        let last_success = job.past.as_ref().and_then(|past| past.times.last_success);
        self.observer.observe(&Event::Stale {
            key,
            job: &job.job,
            deadline,
            last_success,
        });
        let name = job.job.name().clone();
        self.freshness.stale.insert(name);
        self.tell_stale(key, deadline, last_success);
    }

    fn fresh_again(&mut self, key: JobKey) {
        let Some(job) = self.job(key) else { return };
        self.observer.observe(&Event::Fresh { key, job: &job.job });
        let name = job.job.name().clone();
        self.freshness.stale.remove(&name);
    }

    fn tell_deadline(&self, key: JobKey, at: Option<Timestamp>) {
        self.observer.observe(&Event::SuccessDeadline { key, at });
    }
}

/// By when the job must succeed; `None` where nothing is expected: without the key, disabled, paused,
/// or without a fire.
fn deadline(state: &JobState, pause: Option<&Pause>, now: Timestamp) -> Option<Timestamp> {
    let definition = &state.job.definition;
    let within = definition.policy.success_within?;
    if !definition.enabled || pause.is_some_and(|pause| pause.ended_at.is_none()) {
        return None;
    }
    let past = state.past.as_ref();
    // A success of a time that has not come was told by a clock that was wrong.
    let success = past.and_then(|past| past.times.last_success);
    let success = success.map_or(state.since, |at| at.min(now));
    let schedule = &definition.schedule;
    let first = schedule.next_after(success.max(state.since))?;
    // What a pause left out is not held against the job.
    let paused_until = pause.and_then(Pause::end).filter(|end| *end <= now);
    let first = match paused_until {
        Some(end) if first.due < end => schedule.next_due_after(just_before(end))?,
        _ => first,
    };
    first.due.saturating_add(within).ok()
}
