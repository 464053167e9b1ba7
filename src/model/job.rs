//! A job: a definition with a name, and where it was written.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ids::{DefinitionId, JobName};
use crate::schedule::Schedule;

use super::{Action, Context, Policy};

/// A definition and its origin. Two jobs are compared by definition: a moved line is no change.
#[derive(Clone, Debug)]
pub struct Job {
    /// What the job is.
    pub definition: Arc<Definition>,
    /// Where it was written.
    pub origin: Origin,
}

impl Job {
    /// The job's name.
    #[must_use]
    pub fn name(&self) -> &JobName {
        &self.definition.name
    }
}

/// What a job is: the part that the diff compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The identity.
    pub name: JobName,
    /// Names that it had before.
    pub aliases: Arc<[JobName]>,
    /// `false` keeps the definition and never fires.
    pub enabled: bool,
    /// When it fires.
    pub schedule: Arc<Schedule>,
    /// The schedule in the words of the job file, on one line: `30 3 * * 1-5`, `every: 5m`.
    pub schedule_text: Arc<str>,
    /// The zone's name, for people; the schedule holds it resolved.
    pub timezone: Arc<str>,
    /// What it does.
    pub action: Action,
    /// What surrounds the action.
    pub context: Arc<Context>,
    /// How its fires become runs.
    pub policy: Arc<Policy>,
    /// What people say about it.
    pub about: Option<Arc<About>>,
    /// What it is known by, once somebody has asked.
    pub id: IdCell,
}

/// What a definition is known by, found once: a run must not wait for it each time.
///
/// It follows from the rest of the definition, so it takes no part in comparisons, and a copy, of
/// which something may be changed, begins without it.
#[derive(Default)]
pub struct IdCell(AtomicU64);

impl IdCell {
    /// What was found before, else what `find` finds now.
    pub fn get_or_find(&self, find: impl FnOnce() -> DefinitionId) -> DefinitionId {
        // Whoever comes at the same time finds the same.
        DefinitionId::from_number(self.0.load(Ordering::Relaxed)).unwrap_or_else(|| {
            let id = find();
            self.0.store(id.number(), Ordering::Relaxed);
            id
        })
    }
}

impl Clone for IdCell {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for IdCell {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for IdCell {}

impl fmt::Debug for IdCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.load(Ordering::Relaxed);
        fmt::Debug::fmt(&DefinitionId::from_number(number), f)
    }
}

/// `description`, `owner`, `labels`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct About {
    /// `description`
    pub description: Option<Arc<str>>,
    /// `owner`
    pub owner: Option<Arc<str>>,
    /// `labels`, in order; as written and as filled in.
    pub labels: Vec<(Arc<str>, super::Text)>,
}

/// Where a job was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The file as the user named it: PATH joined with the path below it.
    pub file: Arc<str>,
    /// The line of the job's name.
    pub line: u32,
}
