//! Editions of definitions: what a plan changes of them, and what of that is still to be recorded.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::decide::diff::Diff;
use crate::decide::fields::Field;
use crate::decide::merge::InForce;
use crate::decide::{Edit, Edition, remembered};
use crate::ids::{DefinitionId, JobName};
use crate::model::{Definition, Job};
use crate::spec::fingerprint;
use crate::store::{EditionOrder, Write};

/// So many new jobs at once have their editions recorded with the rest, and known to the engine; of
/// more, a start with a large tree, this is made up for afterwards.
pub(super) const FEW: usize = 1_000;

/// So many changed definitions are compared key by key. An edit of the defaults may change them all,
/// and what it is about shows in these.
const COMPARED: usize = 2_000;

/// What a plan makes of the definition of a job.
#[derive(Clone, Debug)]
pub(super) struct Turned {
    pub(super) job: JobName,
    definition: DefinitionId,
    changed: Option<Arc<[Field]>>,
    author: Option<Arc<str>>,
}

/// Two sets of jobs, and what leads from one to the other.
pub(super) struct Way<'a> {
    pub(super) before: &'a InForce,
    pub(super) after: &'a InForce,
    pub(super) renamed: &'a [(JobName, JobName)],
    pub(super) diff: &'a Diff,
}

/// What this way makes of definitions, and who made them so.
pub(super) fn turned(
    way: &Way<'_>,
    mut author: impl FnMut(&Job) -> Option<Arc<str>>,
) -> Vec<Turned> {
    let Way { renamed, diff, .. } = way;
    let before: HashMap<&JobName, &Arc<Definition>> =
        diff.before.iter().map(|old| (&old.name, old)).collect();
    let has_new_name = |job: &&Job| renamed.iter().any(|(_, to)| to == job.name());
    let changed = diff.rescheduled.iter().chain(&diff.changed);
    let changed = changed.filter(|job| renamed.is_empty() || !has_new_name(job));
    let changed = changed.filter_map(|job| Some((*before.get(job.name())?, job)));
    let pairs: Vec<(&Arc<Definition>, &Job)> = changed.chain(way.renamed_pairs()).collect();
    let mut all: Vec<Turned> = Vec::new();
    for (was, job) in pairs {
        let definition = fingerprint(&job.definition);
        if definition == fingerprint(was) {
            continue;
        }
        all.push(Turned {
            job: job.name().clone(),
            definition,
            changed: (all.len() < COMPARED).then(|| remembered(was, &job.definition)),
            author: author(job),
        });
    }
    if diff.added.len() <= FEW {
        all.extend(diff.added.iter().map(|job| Turned {
            job: job.name().clone(),
            definition: fingerprint(&job.definition),
            changed: None,
            author: author(job),
        }));
    }
    all
}

impl<'a> Way<'a> {
    /// What renamed jobs were under the old name, and what they are under the new one.
    fn renamed_pairs(&self) -> Vec<(&'a Arc<Definition>, &'a Job)> {
        if self.renamed.is_empty() {
            return Vec::new();
        }
        let jobs = |set: &'a InForce| -> HashMap<&'a JobName, &'a Job> {
            set.jobs().map(|job| (job.name(), job)).collect()
        };
        let (before, after) = (jobs(self.before), jobs(self.after));
        let pairs = self.renamed.iter();
        pairs
            .filter_map(|(from, to)| Some((&before.get(from)?.definition, *after.get(to)?)))
            .collect()
    }
}

impl Turned {
    /// The edition that comes of it with this reload.
    pub(super) fn edition(&self, at: Timestamp, revision: Option<&Arc<str>>) -> Edition {
        Edition {
            definition: self.definition,
            edit: Edit {
                at: Some(at),
                revision: revision.cloned(),
                author: self.author.clone(),
            },
            changed: self.changed.clone(),
        }
    }
}

/// An edition, as the store takes it.
pub(super) fn write(job: &JobName, edition: &Edition, order: EditionOrder) -> Write {
    Write::Edition {
        job: job.clone(),
        edition: Box::new(edition.clone()),
        order,
    }
}

/// The first editions of these jobs, as the store takes them.
pub(super) fn first(jobs: &[Job], edit: &Edit) -> Vec<Write> {
    let first = |job: &Job| {
        let edition = Edition {
            definition: fingerprint(&job.definition),
            edit: edit.clone(),
            changed: None,
        };
        write(job.name(), &edition, EditionOrder::First)
    };
    jobs.iter().map(first).collect()
}
