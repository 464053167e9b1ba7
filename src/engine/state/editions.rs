//! What was changed of a job since it last succeeded, and since when it fails.
//!
//! The same as in the store, which learns it from the same rows: [`Mark`](crate::store::Mark) for what
//! runs say, and the sync's own writes for what edits say.

use std::collections::HashMap;
use std::sync::Arc;

use crate::decide::{self, Edition, Failing, FailingSince, LastSuccess, MOST_EDITIONS};
use crate::ids::{JobKey, JobName};
use crate::model::{Job, Outcome, Run};
use crate::spec;
use crate::store::rules;

use super::State;
use super::job::{JobState, Past};

impl State {
    /// Jobs that are there have these editions beside those that are known, the oldest first.
    pub(super) fn add_editions(&mut self, editions: &mut HashMap<JobName, Vec<Edition>>) {
        editions.retain(|name, new| match self.names.get(name.as_str()).copied() {
            Some(key) => {
                self.add_editions_of(key, std::mem::take(new));
                false
            }
            None => true,
        });
    }

    /// The same for one job.
    pub(super) fn add_editions_of(&mut self, key: JobKey, new: Vec<Edition>) {
        let Some(job) = self.job_mut(key) else { return };
        let past = job.past();
        for edition in new {
            match past.editions.last_mut() {
                // Only its edit has become a revision.
                Some(last) if last.definition == edition.definition => *last = edition,
                _ => past.editions.push(edition),
            }
        }
        past.forget_editions();
    }

    /// Says in a run where its definition is written, what it is known by, and who changed it last.
    pub(super) fn describe_source(&self, key: JobKey, run: &mut Run, job: &Job) {
        run.revision.clone_from(&self.revision);
        let origin = &job.origin;
        run.source = Some(format!("{}:{}", origin.file, origin.line).into());
        let id = spec::fingerprint(&job.definition);
        run.definition = Some(id);
        let past = self.job(key).and_then(|job| job.past.as_deref());
        let editions = past.map_or(&[][..], |past| &past.editions);
        let edition = editions.iter().rfind(|edition| edition.definition == id);
        run.author = edition.and_then(|edition| edition.edit.author.clone());
    }

    /// Since when the job fails, if it does.
    pub(super) fn failing(&self, key: JobKey) -> Option<FailingSince> {
        self.job(key)?.failing()
    }

    /// The end of a run tells whether its job fails.
    pub(super) fn remember_failing(&mut self, key: JobKey, run: &Run) {
        let Some(job) = self.job_mut(key) else { return };
        let name = job.job.name().clone();
        let past = job.past();
        match run.outcome {
            Some(Outcome::Success) => {
                past.good = run.definition;
                past.failing = None;
                past.forget_editions();
                self.fails.remove(name.as_str());
            }
            Some(Outcome::Failed | Outcome::TimedOut | Outcome::Interrupted) => {
                let failing = || Arc::new(rules::failing(run, run.scheduled_at));
                past.failing.get_or_insert_with(failing);
                self.fails.insert(name);
            }
            _ => {}
        }
    }

    /// How many jobs fail, and the first of them by name.
    pub(super) fn failing_jobs(&self) -> (u64, Vec<JobName>) {
        const NAMED: usize = 10;
        let names = self.fails.iter().take(NAMED).cloned().collect();
        (self.fails.len() as u64, names)
    }
}

impl JobState {
    /// Since when it fails, if it does.
    pub(super) fn failing(&self) -> Option<FailingSince> {
        let past = self.past.as_deref()?;
        let failing: &Failing = past.failing.as_deref()?;
        let success = match past.times.last_success {
            None => LastSuccess::None,
            Some(_) => past.good.map_or(LastSuccess::Unknown, LastSuccess::By),
        };
        Some(decide::failing_since(failing, success, &past.editions))
    }
}

impl Past {
    /// Leaves only the editions that came after the last success, the newest of these.
    fn forget_editions(&mut self) {
        let left = decide::since_success(&self.editions, self.good).len();
        let gone = self.editions.len() - left.min(MOST_EDITIONS);
        self.editions.drain(..gone);
    }
}
