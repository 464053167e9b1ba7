//! What was changed of a job since it last succeeded, and since when it fails.
//!
//! The same as in the store, which learns it from the same rows: [`Mark`](crate::store::Mark) for what
//! runs say, and the sync's own writes for what edits say.

use std::collections::HashMap;
use std::sync::Arc;

use crate::decide::{self, Edition, Failing, FailingSince, LastSuccess};
use crate::ids::{DefinitionId, JobKey, JobName};
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
        // One that is to come gives its author when it comes in force.
        let own = spec::fingerprint(&job.job.definition);
        if let Some(newest) = new.last().filter(|newest| newest.definition == own) {
            job.author.clone_from(&newest.edit.author);
        }
        let past = job.past();
        for edition in new {
            match past.editions.last_mut() {
                // Only its edit has become a revision.
                Some(last) if last.definition == edition.definition => *last = edition,
                _ => past.editions.push(edition),
            }
        }
        past.bound_editions();
    }

    /// Says in a run where its definition is written, what it is known by, and who changed it last.
    pub(super) fn describe_source(&self, key: JobKey, run: &mut Run, job: &Job) {
        run.revision.clone_from(&self.revision);
        let origin = &job.origin;
        run.source = Some(format!("{}:{}", origin.file, origin.line).into());
        let id = spec::fingerprint(&job.definition);
        run.definition = Some(id);
        run.author = self.job(key).and_then(|state| state.author_of(id));
    }

    /// A job's definition is another one: who made it so.
    pub(super) fn tell_author(&mut self, key: JobKey) {
        let Some(job) = self.job_mut(key) else { return };
        let new = spec::fingerprint(&job.job.definition);
        let past = job.past.as_deref();
        let newest = past.and_then(|past| past.editions.last());
        let newest = newest.filter(|newest| newest.definition == new);
        job.author = newest.and_then(|newest| newest.edit.author.clone());
    }

    /// Who made the newest edition of a job.
    pub(super) fn recall_author(&mut self, key: JobKey, author: Option<Arc<str>>) {
        if let Some(job) = self.job_mut(key) {
            job.author = author;
        }
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
    /// Who made that definition of it.
    fn author_of(&self, id: DefinitionId) -> Option<Arc<str>> {
        let past = self.past.as_deref();
        let editions = past.map_or(&[][..], |past| &past.editions);
        match editions.iter().rfind(|edition| edition.definition == id) {
            Some(edition) => edition.edit.author.clone(),
            // Those up to the last success are forgotten.
            None if id == spec::fingerprint(&self.job.definition) => self.author.clone(),
            None => None,
        }
    }

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
    /// Leaves only the editions that came after the last success.
    fn forget_editions(&mut self) {
        let failing = self.failing.as_deref();
        let left = decide::since_success(&self.editions, self.good, failing).len();
        self.editions.drain(..self.editions.len() - left);
    }

    /// As [`Self::forget_editions`], when there is one more.
    fn bound_editions(&mut self) {
        let came_back = match &self.editions[..] {
            [_, .., newest] => self.failing.is_none() && Some(newest.definition) == self.good,
            _ => false,
        };
        // A run by one of those between may still be under way, and fail.
        if !came_back {
            self.forget_editions();
        }
        let failing = self.failing.as_deref();
        while let Some(place) = decide::superfluous(&self.editions, self.good, failing) {
            self.editions.remove(place);
        }
    }
}
