//! What came of the fires that were followed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::ids::JobName;
use crate::model::{Outcome, Reason};

/// One fire, decided.
pub struct Decided<'a> {
    /// Whose.
    pub job: &'a JobName,
    /// Its instant.
    pub scheduled: Timestamp,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It ran.
    Runs {
        /// From when.
        started: Timestamp,
        /// Until when.
        ended: Timestamp,
    },
    /// It ran, and was ended for a newer fire of its job.
    Replaced {
        /// From when.
        started: Timestamp,
        /// Until when.
        ended: Timestamp,
    },
    /// It did not.
    Not(Outcome, Reason),
}

/// What came of the fires that were followed.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Every fire before this instant was followed.
    pub until: Timestamp,
    /// How many.
    pub fires: u64,
    /// The most that ran at once.
    pub peak: Peak,
    /// Processes, requests, then the named pools.
    pub pools: Vec<PoolUse>,
    /// Fires that waited behind a run of their own job (`overlap: queue`), and ran.
    pub behind: u64,
    /// Fires that did not run, or not to their end, by job and reason.
    pub unrun: Vec<Unrun>,
}

/// The most that ran at once.
#[derive(Clone, Debug, Default)]
pub struct Peak {
    /// How many.
    pub runs: u64,
    /// Since when.
    pub at: Option<Timestamp>,
    /// Some of them, those that ran longest first.
    pub names: Vec<JobName>,
}

/// How a bound on what runs at once was used.
#[derive(Clone, Debug)]
pub struct PoolUse {
    /// `processes`, `requests` or the name of a pool.
    pub name: Arc<str>,
    /// Whether it is the name of a pool.
    pub is_named: bool,
    /// How many places there are.
    pub places: u32,
    /// The most that were taken.
    pub peak: u64,
    /// Since when.
    pub peak_at: Option<Timestamp>,
    /// Fires that waited for a place, and ran.
    pub waited: u64,
    /// The longest wait, and whose.
    pub longest: Option<(Duration, JobName, Timestamp)>,
    pub(super) in_use: u64,
}

/// Fires of a job that did not run, or not to their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrun {
    /// Whose.
    pub job: JobName,
    /// As what they ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// How long a run takes.
    pub time: Duration,
}
