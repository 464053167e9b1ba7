//! Editions of definitions, in memory.

use std::sync::Arc;

use super::job::JobRows;
use super::state::State;
use crate::decide::{Edition, superfluous};
use crate::ids::JobName;
use crate::store::{EditionOrder, Written};

impl State {
    /// Remembers an edition of a job.
    pub(super) fn edition(
        &mut self,
        job: &JobName,
        edition: Edition,
        order: EditionOrder,
    ) -> Written {
        let Some(job) = self.jobs.get_mut(job) else {
            return Written::Taken;
        };
        let newest = job.editions.last_mut();
        match (newest, order) {
            (Some(newest), EditionOrder::Committed) if newest.definition == edition.definition => {
                newest.edit.revision = edition.edit.revision;
                newest.edit.author = edition.edit.author;
                return Written::Done;
            }
            (_, EditionOrder::Committed) | (Some(_), EditionOrder::First) => {
                return Written::Taken;
            }
            (Some(newest), _) if newest.definition == edition.definition => {
                return Written::Taken;
            }
            _ => job.editions.push(edition),
        }
        job.bound_editions();
        Written::Done
    }

    /// The editions of jobs for which they matter: those that fail, and those that have another
    /// edition than that of their last success.
    pub(super) fn editions_that_matter(&self) -> Vec<(JobName, Vec<Edition>)> {
        let jobs = self.jobs.iter().filter(|(_, job)| {
            let newest = job.editions.last().map(|newest| newest.definition);
            let is_other = job.editions.len() > 1 && job.mark.good != newest;
            job.mark.gone_at.is_none()
                && !job.editions.is_empty()
                && (job.mark.failing.is_some() || is_other)
        });
        jobs.map(|(name, job)| (name.clone(), job.editions.clone()))
            .collect()
    }

    /// Who made the newest edition of each job.
    pub(super) fn authors(&self) -> Vec<(JobName, Arc<str>)> {
        let jobs = self.jobs.iter();
        let jobs = jobs.filter(|(_, job)| job.mark.gone_at.is_none());
        let author = |job: &JobRows| job.editions.last()?.edit.author.clone();
        jobs.filter_map(|(name, job)| Some((name.clone(), author(job)?)))
            .collect()
    }

    /// Jobs that are not gone and have no edition.
    pub(super) fn without_edition(&self) -> Vec<JobName> {
        let jobs = self.jobs.iter();
        let jobs = jobs.filter(|(_, job)| job.mark.gone_at.is_none() && job.editions.is_empty());
        jobs.map(|(name, _)| name.clone()).collect()
    }
}

impl JobRows {
    /// Forgets editions beyond the bound.
    pub(super) fn bound_editions(&mut self) {
        let (good, failing) = (self.mark.good, self.mark.failing.as_deref());
        while let Some(place) = superfluous(&self.editions, good, failing) {
            self.editions.remove(place);
        }
    }
}
