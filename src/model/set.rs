//! All jobs, each under its name.

use std::collections::HashMap;

use crate::ids::JobName;

use super::Job;

/// All jobs, each under its name.
#[derive(Clone, Debug, Default)]
pub struct JobSet {
    jobs: HashMap<JobName, Job>,
}

impl JobSet {
    /// Puts a job in and gives back the one that had its name.
    pub fn insert(&mut self, job: Job) -> Option<Job> {
        self.jobs.insert(job.name().clone(), job)
    }

    /// Takes a job out.
    pub fn remove(&mut self, name: &str) -> Option<Job> {
        self.jobs.remove(name)
    }

    /// The job of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Job> {
        self.jobs.get(name)
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values()
    }

    /// All of them, by name.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Job> {
        let mut jobs: Vec<_> = self.jobs.values().collect();
        jobs.sort_by(|a, b| a.name().cmp(b.name()));
        jobs
    }
}

impl FromIterator<Job> for JobSet {
    fn from_iter<I: IntoIterator<Item = Job>>(jobs: I) -> Self {
        let mut set = Self::default();
        for job in jobs {
            set.insert(job);
        }
        set
    }
}
