//! What differs between two sets of jobs.
//!
//! Jobs are compared by definition: a moved line or another file is no change,
//! though whoever shows the job must learn of its new place.

use std::collections::HashMap;
use std::sync::Arc;

use super::merge::InForce;
use crate::ids::JobName;
use crate::model::{Definition, Job};

/// The way from one set of jobs to another. Each job is in one list at most.
#[derive(Clone, Debug, Default)]
pub struct Diff {
    /// New jobs.
    pub added: Vec<Job>,
    /// Jobs that fire at other times now: another schedule, enabled or disabled.
    pub rescheduled: Vec<Job>,
    /// Jobs whose definition is another, but not the times.
    pub changed: Vec<Job>,
    /// What the rescheduled and changed ones were, each under its name.
    pub before: Vec<Arc<Definition>>,
    /// Those of the changed and rescheduled of which more or less of the past is kept now.
    pub kept: Vec<Job>,
    /// Jobs that stand elsewhere and are the same.
    pub moved: Vec<Job>,
    /// Jobs that are gone.
    pub removed: Vec<JobName>,
}

impl Diff {
    /// Whether nothing differs, not even a place.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.rescheduled.is_empty()
            && self.changed.is_empty()
            && self.moved.is_empty()
            && self.removed.is_empty()
    }
}

/// The way from `before` to `after`. Files that are one and the same in memory cost nothing.
#[must_use]
pub fn diff(before: &InForce, after: &InForce) -> Diff {
    let (old, new) = touched(before, after);
    let mut rest: HashMap<&JobName, &Job> = old.iter().map(|job| (job.name(), *job)).collect();
    let mut diff = Diff::default();
    for job in new {
        let old = rest.remove(job.name());
        let history = |job: &Job| job.definition.policy.history;
        if old.is_some_and(|old| history(old) != history(job)) {
            diff.kept.push(job.clone());
        }
        let Some(old) = old else {
            diff.added.push(job.clone());
            continue;
        };
        let list = match compare(&old.definition, &job.definition) {
            Difference::Times => &mut diff.rescheduled,
            Difference::Other => &mut diff.changed,
            Difference::None if old.origin != job.origin => &mut diff.moved,
            Difference::None => continue,
        };
        if old.definition != job.definition {
            diff.before.push(old.definition.clone());
        }
        list.push(job.clone());
    }
    // In the old order, so that equal input gives equal output.
    let gone = old.iter().map(|job| job.name());
    diff.removed = gone
        .filter(|name| rest.contains_key(name))
        .cloned()
        .collect();
    diff
}

enum Difference {
    Times,
    Other,
    None,
}

fn compare(old: &Arc<Definition>, new: &Arc<Definition>) -> Difference {
    if Arc::ptr_eq(old, new) {
        Difference::None
    } else if old.enabled != new.enabled || old.schedule != new.schedule {
        Difference::Times
    } else if old != new {
        Difference::Other
    } else {
        Difference::None
    }
}

/// The jobs of both sides that may differ: all but those of files that are the same in memory.
fn touched<'a>(before: &'a InForce, after: &'a InForce) -> (Vec<&'a Job>, Vec<&'a Job>) {
    let (mut old, mut new) = (Vec::new(), Vec::new());
    let mut others: HashMap<&str, _> = before
        .roots
        .iter()
        .map(|root| (&*root.path, root))
        .collect();
    for root in &after.roots {
        new.extend(root.held.iter().map(|held| &held.job));
        let other = others.remove(&*root.path);
        let mut files = other.map_or(&[][..], |root| &root.files).iter().peekable();
        if let Some(other) = other {
            old.extend(other.held.iter().map(|held| &held.job));
        }
        for file in &root.files {
            while let Some(gone) = files.next_if(|old| old.path < file.path) {
                old.extend(gone.content.jobs());
            }
            match files.next_if(|old| old.path == file.path) {
                Some(same) if same.content.is_same(&file.content) => {}
                Some(other) => {
                    old.extend(other.content.jobs());
                    new.extend(file.content.jobs());
                }
                None => new.extend(file.content.jobs()),
            }
        }
        old.extend(files.flat_map(|gone| gone.content.jobs()));
    }
    let gone = before
        .roots
        .iter()
        .filter(|root| others.contains_key(&*root.path));
    for root in gone {
        old.extend(root.files.iter().flat_map(|file| file.content.jobs()));
        old.extend(root.held.iter().map(|held| &held.job));
    }
    (old, new)
}

#[cfg(test)]
mod tests;
