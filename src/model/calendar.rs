//! A calendar: dates with a name, as a file defines them.

use std::sync::Arc;

use crate::ids::CalendarName;
use crate::schedule;

use super::Origin;

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

/// What a name is the name of. Each kind has its own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameKind {
    /// A job.
    Job,
    /// A calendar.
    Calendar,
}

impl NameKind {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            NameKind::Job => "job",
            NameKind::Calendar => "calendar",
        }
    }
}
