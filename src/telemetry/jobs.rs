//! What is counted per job: a slab by [`JobKey`].
//!
//! A job to which nothing has happened yet costs one slot of 32 bytes; what has
//! happened is boxed beside it. The lock is held for a few words at a time,
//! also by a scrape, which copies in slices: the engine writes here from its
//! own loop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::ids::{JobKey, RunId};
use crate::model::{Definition, Job, JobTimes, Outcome, Reason, Run, error_reason};

/// The outcomes of `elder_executed_total`.
pub(super) const EXECUTED: [Outcome; 5] = [
    Outcome::Success,
    Outcome::Failed,
    Outcome::TimedOut,
    Outcome::Cancelled,
    Outcome::Interrupted,
];

/// The reasons of `elder_errors_total`; the last one also takes what none of the others fits.
pub(super) const ERRORS: [Reason; 10] = [
    Reason::Exit,
    Reason::Signal,
    Reason::Timeout,
    Reason::Spawn,
    Reason::Setup,
    Reason::Connect,
    Reason::Http,
    Reason::Limit,
    Reason::Interrupted,
    Reason::Internal,
];

/// The reasons of `elder_missed_total`.
pub(super) const MISSED: [Reason; 6] = [
    Reason::Downtime,
    Reason::Clock,
    Reason::Store,
    Reason::Pool,
    Reason::Coalesced,
    Reason::Removed,
];

/// The reasons of `elder_skipped_total`.
pub(super) const SKIPPED: [Reason; 3] = [Reason::Overlap, Reason::Paused, Reason::Restart];

/// Slots in one chunk: chunks never move, so that a million jobs are never copied.
const CHUNK: usize = 1024;

/// How many jobs a scrape copies before it lets the engine in.
const SLICE: usize = 256;

/// All jobs.
#[derive(Default)]
pub(super) struct Jobs {
    slab: Mutex<Slab>,
}

#[derive(Default)]
struct Slab {
    chunks: Vec<Vec<Option<Slot>>>,
    files: Files,
    /// Goes up when a job comes or goes: a selection made before is of no use then.
    generation: u64,
    selected: Option<(u64, usize, Arc<[u32]>)>,
}

struct Slot {
    definition: Arc<Definition>,
    /// Nanoseconds since the epoch, or `NO_FIRE`. An instant fits until 2262.
    next: i64,
    activity: Option<Box<Activity>>,
    file: u32,
}

const NO_FIRE: i64 = i64::MIN;

/// What has happened to a job.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity {
    /// From the store at first, then from the events.
    pub(super) times: JobTimes,
    /// By when it must succeed.
    success_deadline: Option<Timestamp>,
    /// Until when it is or was paused; [`Timestamp::MAX`] without an end.
    paused_until: Option<Timestamp>,
    /// From the first event on.
    pub(super) counts: Option<Box<Counts>>,
}

/// Counters of a job, in the order of the lists above.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) executed: [u64; EXECUTED.len()],
    pub(super) errors: [u64; ERRORS.len()],
    pub(super) missed: [u64; MISSED.len()],
    pub(super) skipped: [u64; SKIPPED.len()],
    pub(super) retries: u64,
    pub(super) truncated: u64,
    /// Runs with an attempt under way; as many as `max_instances` at most.
    running: Vec<RunId>,
}

/// A job as a scrape sees it.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) definition: Arc<Definition>,
    pub(super) file: Arc<str>,
    pub(super) next: Option<Timestamp>,
    pub(super) times: JobTimes,
    pub(super) success_deadline: Option<Timestamp>,
    pub(super) paused_until: Option<Timestamp>,
    pub(super) counts: Counts,
}

impl Sample {
    /// How many runs have an attempt under way.
    pub(super) fn running(&self) -> u64 {
        self.counts.running.len() as u64
    }
}

impl Jobs {
    /// A job is known from now on.
    pub(super) fn add(&self, key: JobKey, job: &Job, times: JobTimes) {
        let mut slab = self.lock();
        let file = slab.files.take(&job.origin.file);
        let activity = (times != JobTimes::default()).then(|| {
            Box::new(Activity {
                times,
                ..Activity::default()
            })
        });
        let slot = Slot {
            definition: job.definition.clone(),
            next: NO_FIRE,
            activity,
            file,
        };
        while slab.chunks.len() <= key.index() / CHUNK {
            slab.chunks.push(Vec::with_capacity(CHUNK));
        }
        let chunk = &mut slab.chunks[key.index() / CHUNK];
        if chunk.len() <= key.index() % CHUNK {
            chunk.resize_with(key.index() % CHUNK + 1, || None);
        }
        let before = chunk[key.index() % CHUNK].replace(slot);
        slab.left(before);
        slab.generation += 1;
    }

    /// A job's definition or origin is another.
    pub(super) fn change(&self, key: JobKey, job: &Job) {
        let mut slab = self.lock();
        let file = slab.files.take(&job.origin.file);
        let before = match slab.slot(key) {
            Some(slot) => {
                slot.definition = job.definition.clone();
                std::mem::replace(&mut slot.file, file)
            }
            None => file,
        };
        slab.files.release(before);
    }

    /// A job is known no more; says which it was.
    pub(super) fn remove(&self, key: JobKey) -> Option<Arc<Definition>> {
        let mut slab = self.lock();
        let chunk = slab.chunks.get_mut(key.index() / CHUNK)?;
        let before = chunk.get_mut(key.index() % CHUNK)?.take();
        let definition = before.as_ref().map(|slot| slot.definition.clone());
        slab.left(before);
        definition
    }

    /// A job's next fire is another.
    pub(super) fn next(&self, key: JobKey, due: Option<Timestamp>) {
        if let Some(slot) = self.lock().slot(key) {
            slot.next = due
                .and_then(|due| i64::try_from(due.as_nanosecond()).ok())
                .unwrap_or(NO_FIRE);
        }
    }

    /// Until when a job is paused, or was.
    pub(super) fn paused_until(&self, key: JobKey, at: Timestamp) {
        self.edit(key, |activity| activity.paused_until = Some(at));
    }

    /// By when a job must succeed is another instant.
    pub(super) fn success_deadline(&self, key: JobKey, at: Option<Timestamp>) {
        self.edit(key, |activity| activity.success_deadline = at);
    }

    /// An attempt begins.
    pub(super) fn started(&self, key: JobKey, run: &Run) {
        self.edit(key, |activity| {
            activity.times.last_run = run.started_at.or(activity.times.last_run);
            let counts = activity.counts.get_or_insert_default();
            if run.attempt > 1 {
                counts.retries += 1;
            }
            if !counts.running.contains(&run.id) {
                counts.running.push(run.id);
            }
        });
    }

    /// An attempt ended and another will follow.
    pub(super) fn waits(&self, key: JobKey, run: &Run) {
        self.edit(key, |activity| {
            let counts = activity.counts.get_or_insert_default();
            counts.running.retain(|id| *id != run.id);
        });
    }

    /// A run is over.
    pub(super) fn ended(&self, key: JobKey, run: &Run, truncated: bool) {
        self.edit(key, |activity| {
            let counts = activity.counts.get_or_insert_default();
            counts.running.retain(|id| *id != run.id);
            counts.truncated += u64::from(truncated);
            let Some(outcome) = run.outcome else { return };
            let Some(index) = EXECUTED.iter().position(|known| *known == outcome) else {
                return;
            };
            // Ended before its first attempt: that is no execution.
            if run.attempt == 0 {
                return;
            }
            counts.executed[index] += 1;
            if let Some(reason) = error_reason(outcome, run.reason) {
                let index = ERRORS.iter().position(|known| *known == reason);
                counts.errors[index.unwrap_or(ERRORS.len() - 1)] += 1;
                activity.times.last_failure = run.finished_at;
            } else if outcome == Outcome::Success {
                activity.times.last_success = run.finished_at;
            }
            activity.times.last_run = run.started_at.or(activity.times.last_run);
            activity.times.last_duration = run.duration.or(activity.times.last_duration);
        });
    }

    /// Fires that did not run.
    pub(super) fn not_run(&self, key: JobKey, run: &Run, added: u64) {
        self.edit(key, |activity| {
            let counts = activity.counts.get_or_insert_default();
            let (list, known): (&mut [u64], &[Reason]) = match run.outcome {
                Some(Outcome::Missed) => (&mut counts.missed, &MISSED),
                Some(Outcome::Skipped) => (&mut counts.skipped, &SKIPPED),
                _ => return,
            };
            // Every such row has one of the reasons; a row without still counts.
            let index = known.iter().position(|known| Some(*known) == run.reason);
            if let Some(count) = list.get_mut(index.unwrap_or(0)) {
                *count += added;
            }
        });
    }

    /// The first `limit` jobs by name.
    pub(super) fn samples(&self, limit: usize) -> Vec<Sample> {
        let keys = self.select(limit);
        let mut samples = Vec::with_capacity(keys.len());
        for slice in keys.chunks(SLICE) {
            let mut slab = self.lock();
            samples.extend(slice.iter().filter_map(|key| slab.sample(JobKey(*key))));
        }
        samples
    }

    /// The keys of the first `limit` jobs by name; found anew only when jobs came or went.
    fn select(&self, limit: usize) -> Arc<[u32]> {
        let slots = {
            let slab = self.lock();
            if let Some((generation, of, keys)) = &slab.selected
                && (*generation, *of) == (slab.generation, limit)
            {
                return keys.clone();
            }
            slab.chunks.len() * CHUNK
        };
        let generation = self.lock().generation;
        let mut named = Vec::new();
        for begin in (0..slots).step_by(SLICE) {
            let mut slab = self.lock();
            for index in begin..begin + SLICE {
                let key = u32::try_from(index).unwrap_or(u32::MAX);
                if let Some(slot) = slab.slot(JobKey(key)) {
                    named.push((slot.definition.clone(), key));
                }
            }
        }
        if named.len() > limit {
            let by_name =
                |a: &(Arc<Definition>, u32), b: &(Arc<Definition>, u32)| a.0.name.cmp(&b.0.name);
            named.select_nth_unstable_by(limit, by_name);
            named.truncate(limit);
        }
        named.sort_unstable_by(|a, b| a.0.name.cmp(&b.0.name));
        let keys: Arc<[u32]> = named.into_iter().map(|(_, key)| key).collect();
        self.lock().selected = Some((generation, limit, keys.clone()));
        keys
    }

    fn edit(&self, key: JobKey, edit: impl FnOnce(&mut Activity)) {
        if let Some(slot) = self.lock().slot(key) {
            edit(slot.activity.get_or_insert_default());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slab> {
        self.slab.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slab {
    fn slot(&mut self, key: JobKey) -> Option<&mut Slot> {
        let chunk = self.chunks.get_mut(key.index() / CHUNK)?;
        chunk.get_mut(key.index() % CHUNK)?.as_mut()
    }

    fn left(&mut self, before: Option<Slot>) {
        if let Some(slot) = before {
            self.files.release(slot.file);
            self.generation += 1;
        }
    }

    fn sample(&mut self, key: JobKey) -> Option<Sample> {
        let slot = self.slot(key)?;
        let activity = slot.activity.as_deref();
        let sample = Sample {
            definition: slot.definition.clone(),
            next: (slot.next != NO_FIRE)
                .then(|| Timestamp::from_nanosecond(slot.next.into()).ok())
                .flatten(),
            times: activity.map(|activity| activity.times).unwrap_or_default(),
            success_deadline: activity.and_then(|activity| activity.success_deadline),
            paused_until: activity.and_then(|activity| activity.paused_until),
            counts: activity
                .and_then(|activity| activity.counts.as_deref().cloned())
                .unwrap_or_default(),
            file: "".into(),
        };
        let file = slot.file;
        Some(Sample {
            file: self.files.name(file),
            ..sample
        })
    }
}

/// File names, each kept once however many jobs it holds.
#[derive(Default)]
struct Files {
    /// A name and how many jobs use it; 0 for a free place.
    names: Vec<(Arc<str>, u32)>,
    numbers: HashMap<Arc<str>, u32>,
    free: Vec<u32>,
}

impl Files {
    fn take(&mut self, name: &Arc<str>) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            self.names[*number as usize].1 += 1;
            return *number;
        }
        let number = match self.free.pop() {
            Some(number) => {
                self.names[number as usize] = (name.clone(), 1);
                number
            }
            None => {
                self.names.push((name.clone(), 1));
                u32::try_from(self.names.len() - 1).unwrap_or(u32::MAX)
            }
        };
        self.numbers.insert(name.clone(), number);
        number
    }

    fn release(&mut self, number: u32) {
        let Some((name, users)) = self.names.get_mut(number as usize) else {
            return;
        };
        *users = users.saturating_sub(1);
        if *users == 0 {
            self.numbers.remove(name);
            *name = "".into();
            self.free.push(number);
        }
    }

    fn name(&self, number: u32) -> Arc<str> {
        let found = self.names.get(number as usize);
        found.map_or_else(|| "".into(), |(name, _)| name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::example::{instant, job, run};

    #[test]
    fn an_idle_job_costs_32_bytes() {
        assert_eq!(size_of::<Option<Slot>>(), 32);
    }

    #[test]
    fn a_removed_job_leaves_nothing_behind_and_its_key_begins_anew() {
        let jobs = Jobs::default();
        let key = JobKey(5000);
        jobs.add(key, &job("old"), JobTimes::default());
        let mut done = run("old", 1);
        done.outcome = Some(Outcome::Success);
        jobs.ended(key, &done, false);
        assert_eq!(jobs.samples(10)[0].counts.executed[0], 1);
        assert_eq!(jobs.remove(key).unwrap().name.as_str(), "old");
        assert!(jobs.samples(10).is_empty());
        assert_eq!(jobs.lock().files.numbers.len(), 0);
        jobs.add(key, &job("new"), JobTimes::default());
        let samples = jobs.samples(10);
        assert_eq!(samples[0].definition.name.as_str(), "new");
        assert_eq!(samples[0].counts.executed, [0; 5]);
        assert_eq!(samples.len(), 1);
    }

    #[test]
    fn the_first_by_name_are_shown_when_there_are_too_many() {
        let jobs = Jobs::default();
        for (key, name) in ["d", "a", "c", "b"].into_iter().enumerate() {
            jobs.add(JobKey(key as u32), &job(name), JobTimes::default());
        }
        let names = |limit| {
            let samples = jobs.samples(limit);
            let names = samples
                .iter()
                .map(|sample| sample.definition.name.to_string());
            names.collect::<Vec<_>>()
        };
        assert_eq!(names(2), ["a", "b"]);
        assert_eq!(names(9), ["a", "b", "c", "d"]);
        jobs.remove(JobKey(1));
        assert_eq!(names(2), ["b", "c"]);
        assert!(names(0).is_empty());
    }

    #[test]
    fn a_run_counts_as_running_from_its_attempt_to_its_end_and_not_between() {
        let jobs = Jobs::default();
        let key = JobKey(0);
        jobs.add(key, &job("a"), JobTimes::default());
        let running = || jobs.samples(1)[0].running();
        let mut run = run("a", 1);
        jobs.started(key, &run);
        assert_eq!(running(), 1);
        jobs.waits(key, &run);
        assert_eq!(running(), 0);
        run.attempt = 2;
        jobs.started(key, &run);
        assert_eq!(running(), 1);
        run.outcome = Some(Outcome::Failed);
        run.reason = Some(Reason::Exit);
        jobs.ended(key, &run, true);
        assert_eq!(running(), 0);
        // Cut off before this process began: it was never counted as running.
        let mut orphan = super::super::example::run("a", 1);
        orphan.outcome = Some(Outcome::Interrupted);
        jobs.ended(key, &orphan, false);
        let sample = &jobs.samples(1)[0];
        assert_eq!(sample.running(), 0);
        assert_eq!(sample.counts.retries, 1);
        assert_eq!(sample.counts.truncated, 1);
        assert_eq!(sample.counts.executed, [0, 1, 0, 0, 1]);
        assert_eq!(sample.counts.errors[0], 1);
        assert_eq!(
            sample.times.last_run,
            Some(instant("2027-01-01T00:00:00.5Z"))
        );
    }

    #[test]
    fn a_next_fire_comes_and_goes() {
        let jobs = Jobs::default();
        jobs.add(JobKey(0), &job("a"), JobTimes::default());
        assert_eq!(jobs.samples(1)[0].next, None);
        let due = instant("2027-01-01T00:00:00.123456789Z");
        jobs.next(JobKey(0), Some(due));
        assert_eq!(jobs.samples(1)[0].next, Some(due));
        jobs.next(JobKey(0), None);
        assert_eq!(jobs.samples(1)[0].next, None);
        // Nobody knows this one.
        jobs.next(JobKey(77_777), Some(due));
    }
}
