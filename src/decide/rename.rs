//! Which jobs go on under another name, by their `aliases`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::merge::{Defined, HeldJob, InForce};
use crate::ids::JobName;
use crate::model::{Definition, Job};

/// Jobs that take other names.
#[derive(Clone, Debug)]
pub struct Renames {
    /// From which name to which: of jobs that are in force, and of names that only the past may know.
    pub moves: Vec<(JobName, JobName)>,
    /// Those of jobs that are in force.
    pub renamed: Vec<(JobName, JobName)>,
    /// What was in force, under the new names and the same in all else.
    pub in_force: InForce,
}

/// What `aliases` make of the way from `before` to `after`; `None` when they say nothing new.
#[must_use]
pub fn renames(before: &InForce, after: &InForce) -> Option<Renames> {
    let mut claiming = after.jobs().filter(|job| has_aliases(job)).peekable();
    claiming.peek()?;
    let known: HashMap<&JobName, &Job> = before.jobs().map(|job| (job.name(), job)).collect();
    let stays: HashSet<&JobName> = after.jobs().map(Job::name).collect();
    let mut moves = Vec::new();
    let mut renamed: Vec<(JobName, &Job)> = Vec::new();
    for job in claiming {
        let own = known.get(job.name());
        if own.is_some_and(|own| own.definition.aliases == job.definition.aliases) {
            continue;
        }
        let mut is_new = own.is_none();
        for alias in job.definition.aliases.iter() {
            let was = known.contains_key(alias);
            // Of two jobs that are there the one is not the other.
            if stays.contains(alias) || was && !is_new {
                continue;
            }
            moves.push((alias.clone(), job.name().clone()));
            if was {
                is_new = false;
                renamed.push((alias.clone(), job));
            }
        }
    }
    if moves.is_empty() {
        return None;
    }
    let to: HashMap<&JobName, &Job> = renamed.iter().map(|(from, job)| (from, *job)).collect();
    Some(Renames {
        moves,
        in_force: under(before, &to),
        renamed: renamed
            .iter()
            .map(|(from, job)| (from.clone(), job.name().clone()))
            .collect(),
    })
}

fn has_aliases(job: &Job) -> bool {
    !job.definition.aliases.is_empty()
}

/// The same jobs, some of them under other names.
fn under(before: &InForce, to: &HashMap<&JobName, &Job>) -> InForce {
    let mut in_force = before.clone();
    let again = |job: &Job| {
        let new = to.get(job.name())?;
        Some(Job {
            definition: Arc::new(Definition {
                name: new.name().clone(),
                aliases: new.definition.aliases.clone(),
                ..(*job.definition).clone()
            }),
            origin: job.origin.clone(),
        })
    };
    for root in &mut in_force.roots {
        for file in &mut root.files {
            if file.content.jobs().iter().all(|job| again(job).is_none()) {
                continue;
            }
            let jobs = file.content.jobs().iter();
            let jobs: Arc<[Job]> = jobs
                .map(|job| again(job).unwrap_or_else(|| job.clone()))
                .collect();
            file.content = match &file.content {
                Defined::Commons(_, commons) => Defined::Commons(jobs, commons.clone()),
                _ => Defined::Jobs(jobs),
            };
        }
        for held in &mut root.held {
            if let Some(job) = again(&held.job) {
                *held = HeldJob {
                    job,
                    cause: held.cause,
                };
            }
        }
    }
    in_force
}
