//! What the store remembers of jobs that come in force, and what it is to remember of new ones.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::super::editions::{FEW, Turned, first, write};
use super::super::marks::seen;
use super::{Failed, Reloader};
use crate::decide::{Edit, Edition, is_uncommitted};
use crate::engine::Change;
use crate::ids::JobName;
use crate::model::{Job, Pause};
use crate::spec::fingerprint;
use crate::store::{EditionOrder, Mark, Recalled, Store, Write};

/// As many are recorded in one transaction: runs wait for their rows meanwhile.
const AT_ONCE: usize = 1_024;

impl Reloader {
    /// Gives the engine the set that the store applied last, with its marks.
    pub(super) async fn give_back(&mut self, recalled: Recalled) -> Result<(), Failed> {
        let Recalled {
            marks,
            editions,
            authors,
            pauses,
            ..
        } = recalled;
        let newest = editions
            .iter()
            .filter_map(|(job, all)| Some((job.clone(), all.last()?.clone())));
        let is_dirty = |edition: &Edition| {
            let revision = edition.edit.revision.as_deref();
            revision.is_some_and(is_uncommitted)
        };
        self.uncommitted = newest.filter(|(_, newest)| is_dirty(newest)).collect();
        let now = self.parts.clock.now();
        let mut marks: HashMap<JobName, Mark> = marks.into_iter().collect();
        let added: Vec<_> = self
            .in_force
            .jobs()
            .map(|job| {
                let mark = marks.remove(job.name());
                (job.clone(), mark.unwrap_or_else(|| Mark::first_sight(now)))
            })
            .collect();
        // A start that was cut off may have seen names that never were in force.
        self.seen_only = marks.into_keys().collect();
        if added.is_empty() {
            return Ok(());
        }
        let change = Change {
            at: now,
            added,
            pauses: pauses.into_iter().collect(),
            editions: editions.into_iter().collect(),
            authors,
            held: self.held.clone(),
            revision: self.revision.clone(),
            recalled: true,
            ..Change::default()
        };
        self.parts.engine.apply(change).await?;
        Ok(())
    }

    /// Records that these jobs are seen and answers with their marks, and the pauses that the store has
    /// then. A store that does not record would let nothing start, so nothing is put in force then.
    pub(super) async fn see(
        &self,
        jobs: &[Job],
        at: Timestamp,
    ) -> Result<(Vec<Mark>, HashMap<JobName, Pause>), Failed> {
        if jobs.is_empty() {
            self.parts.store.check().await?;
            return Ok((Vec::new(), HashMap::new()));
        }
        let names = jobs.iter().map(|job| job.name().clone()).collect();
        let seen = jobs.iter().map(|job| seen(job, at));
        self.parts.store.commit(seen.collect()).await?;
        let marks = self.parts.store.marks(names).await?.into_iter();
        let marks = marks.map(|mark| mark.unwrap_or_else(|| Mark::first_sight(at)));
        // Of a name that is another job now, the store has forgotten it just then.
        let pauses = self.parts.store.pauses().await?;
        Ok((marks.collect(), pauses.into_iter().collect()))
    }

    /// The editions that come in force, for the engine, and what the store is to remember of them.
    pub(super) fn editions(
        &mut self,
        turned: &[Turned],
        committed: &[(JobName, Option<Arc<str>>)],
        at: Timestamp,
        writes: &mut Vec<Write>,
    ) -> HashMap<JobName, Vec<Edition>> {
        let mut editions = HashMap::new();
        for (job, author) in committed {
            let Some(mut edition) = self.uncommitted.remove(job) else {
                continue;
            };
            edition.edit.revision.clone_from(&self.revision);
            edition.edit.author.clone_from(author);
            writes.push(write(job, &edition, EditionOrder::Committed));
            editions.insert(job.clone(), vec![edition]);
        }
        let is_dirty = self.revision.as_deref().is_some_and(is_uncommitted);
        for turned in turned {
            let (job, edition) = (&turned.job, turned.edition(at, self.revision.as_ref()));
            writes.push(write(job, &edition, EditionOrder::Next));
            self.uncommitted.remove(job);
            if is_dirty && self.uncommitted.len() < FEW {
                self.uncommitted.insert(job.clone(), edition.clone());
            }
            editions.insert(job.clone(), vec![edition]);
        }
        editions
    }

    /// Puts the editions that the store remembers of jobs that come back before their new ones.
    pub(super) async fn with_those_of_before(
        &self,
        editions: &mut HashMap<JobName, Vec<Edition>>,
        added: &[Job],
        marks: &[Mark],
    ) -> Result<(), Failed> {
        // Where nothing ever ran, there is nothing to compare with.
        let ran = |mark: &Mark| mark.good.is_some() || mark.failing.is_some();
        let back = added.iter().zip(marks).filter(|(_, mark)| ran(mark));
        for (job, _) in back.take(FEW) {
            let mut known = self.parts.store.editions(job.name().clone()).await?;
            let new = editions.entry(job.name().clone()).or_default();
            let newest = known.last().map(|newest| newest.definition);
            new.retain(|edition| Some(edition.definition) != newest);
            known.append(new);
            *new = known;
        }
        Ok(())
    }

    /// Records the first editions of a great many new jobs once they run.
    pub(super) fn record_later(&self, jobs: Vec<Job>, at: Timestamp) {
        let edit = Edit {
            at: Some(at),
            revision: self.revision.clone(),
            author: self.author.clone(),
        };
        tokio::spawn(record_first(self.parts.store.clone(), jobs, edit));
    }

    /// After a start: finds what each definition is known by, so that no run waits for that, and
    /// records what an elder of before did not.
    pub(super) fn know_definitions(&self, without_edition: Vec<JobName>) {
        let in_force = self.in_force.clone();
        let store = self.parts.store.clone();
        tokio::spawn(async move {
            let find = move || {
                let without: HashSet<JobName> = without_edition.into_iter().collect();
                let mut jobs: Vec<Job> = Vec::new();
                for job in in_force.jobs() {
                    let _ = fingerprint(&job.definition);
                    if without.contains(job.name()) {
                        jobs.push(job.clone());
                    }
                }
                jobs
            };
            if let Ok(jobs) = tokio::task::spawn_blocking(find).await {
                // Since when, nobody knows any more.
                record_first(store, jobs, Edit::default()).await;
            }
        });
    }
}

/// Records the first editions of jobs. What cannot be recorded is not there: it only tells of the past.
async fn record_first(store: Arc<dyn Store>, mut jobs: Vec<Job>, edit: Edit) {
    while !jobs.is_empty() {
        let rest = jobs.split_off(AT_ONCE.min(jobs.len()));
        let edit = edit.clone();
        let writes = tokio::task::spawn_blocking(move || first(&jobs, &edit)).await;
        let Ok(writes) = writes else { return };
        if store.commit(writes).await.is_err() {
            return;
        }
        jobs = rest;
    }
}
