//! What a file defines for the whole tree beside jobs: calendars, pools and sages, each under a name.

use std::sync::Arc;

use crate::ids::{CalendarName, JobName, PoolName};
use crate::schedule;

use super::{Origin, Sage};

/// What one file defines for the whole tree, beside its jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commons {
    /// Dates.
    pub calendars: Vec<Calendar>,
    /// Places for runs.
    pub pools: Vec<Placed<Pool>>,
    /// Who is told.
    pub sages: Vec<Placed<Sage>>,
    /// Sages that its jobs name and that no file defines any more, as they last were.
    pub kept_sages: Vec<Placed<Sage>>,
}

impl Commons {
    /// Of a file that defines none of it.
    pub const NONE: &'static Self = &Self {
        calendars: Vec::new(),
        pools: Vec::new(),
        sages: Vec::new(),
        kept_sages: Vec::new(),
    };

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == *Self::NONE
    }

    /// Every name, of what it is the name, and where it was written.
    pub fn names(&self) -> impl Iterator<Item = (NameKind, &JobName, &Origin)> {
        let calendars = self.calendars.iter();
        let calendars = calendars.map(|one| (NameKind::Calendar, &one.name, &one.origin));
        let pools = self.pools.iter();
        let pools = pools.map(|one| (NameKind::Pool, &one.value.name, &one.origin));
        let sages = self.sages.iter();
        let sages = sages.map(|one| (NameKind::Sage, &one.value.name, &one.origin));
        calendars.chain(pools).chain(sages)
    }
}

/// Dates with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// What schedules and other calendars call it.
    pub name: CalendarName,
    /// Its dates, with those of everything that it includes.
    pub dates: Arc<schedule::Calendar>,
    /// Where it was written.
    pub origin: Origin,
}

/// How many runs of some jobs may be under way at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    /// What jobs call it.
    pub name: PoolName,
    /// So many attempts at once, at least 1.
    pub limit: u32,
}

impl Pool {
    /// The pool of jobs that name none: it has no limit of its own.
    pub const DEFAULT: &'static str = "default";
}

/// Something and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// It.
    pub value: Arc<T>,
    /// Where it was written.
    pub origin: Origin,
}

/// What a name is the name of. Each kind has its own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameKind {
    /// A job.
    Job,
    /// A calendar.
    Calendar,
    /// A pool.
    Pool,
    /// A sage.
    Sage,
}

impl NameKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Job, Self::Calendar, Self::Pool, Self::Sage];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            NameKind::Job => "job",
            NameKind::Calendar => "calendar",
            NameKind::Pool => "pool",
            NameKind::Sage => "sage",
        }
    }

    /// The key at the top of a job file under which such names stand.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            NameKind::Job => "jobs",
            NameKind::Calendar => "calendars",
            NameKind::Pool => "pools",
            NameKind::Sage => "sages",
        }
    }
}
