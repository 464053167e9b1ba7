//! A job: a definition with a name, and where it was written.

use std::sync::Arc;

use crate::ids::JobName;
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
