//! Whose schedule is read: some of it follows from the job's name.

use std::borrow::Cow;

use crate::schedule::Seed;

/// A job's name, and whether its schedule makes use of it.
#[derive(Default)]
pub(super) struct Naming<'t> {
    job: Cow<'t, str>,
    is_used: bool,
}

impl<'t> Naming<'t> {
    pub fn of(job: Cow<'t, str>) -> Self {
        let is_used = false;
        Self { job, is_used }
    }

    /// What the name gives, for schedules that differ from job to job.
    pub fn seed(&mut self) -> Seed {
        self.is_used = true;
        Seed::of(&self.job)
    }

    /// Whether somebody asked for the seed.
    pub fn is_used(&self) -> bool {
        self.is_used
    }
}
