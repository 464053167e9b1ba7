//! Sages: who is told what becomes of jobs, and what troubles elder itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::words::words;
use super::{Action, Context, Policy, Retry};
use crate::ids::{JobName, RunId, SageName};

words! {
    /// What a sage is told of.
    SageEvent {
        /// A run did what it should.
        Success = "success",
        /// A run failed, timed out or was interrupted, after its last attempt.
        Failure = "failure",
        /// A fire came too late to start.
        Missed = "missed",
        /// The first success after a failure.
        Recovery = "recovery",
        /// A success is overdue.
        Stale = "stale",
        /// A job file is refused.
        ConfigRejected = "config_rejected",
        /// Removals wait for a confirmation.
        ConfigHeld = "config_held",
        /// A PATH is gone or unreadable.
        SourceLost = "source_lost",
        /// The store cannot be written.
        StoreLost = "store_lost",
    }
}

impl SageEvent {
    /// What a sage's own `events` may name: elder's own troubles, which belong to no job.
    pub const OF_ELDER: [SageEvent; 4] = [
        SageEvent::ConfigRejected,
        SageEvent::ConfigHeld,
        SageEvent::SourceLost,
        SageEvent::StoreLost,
    ];
}

words! {
    /// What came of one delivery of a letter.
    Delivery {
        /// The sage took it.
        Delivered = "delivered",
        /// It did not; another attempt follows.
        Failed = "failed",
        /// It did not, and no further attempt follows.
        GivenUp = "given_up",
        /// It is gone for good (410): nothing is sent to it until its definition is another.
        Gone = "gone",
        /// Too many letters waited: the oldest went.
        Dropped = "dropped",
    }
}

/// Somebody who is told, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sage {
    /// What jobs call it.
    pub name: SageName,
    /// How it is told.
    pub action: Action,
    /// What surrounds the action.
    pub context: Arc<Context>,
    /// `timeout`, `kill_grace` and `retry`; the rest means nothing here.
    pub policy: Arc<Policy>,
    /// So many failures in a row before it is told of any; at least 1.
    pub after: u32,
    /// It is told of one kind of trouble at most once per job in this time, until recovery.
    pub remind: Duration,
    /// Which of elder's own troubles it is told of.
    pub events: Vec<SageEvent>,
}

impl Sage {
    /// One delivery when nothing is said.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
    /// `remind` when nothing is said.
    pub const REMIND: Duration = Duration::from_secs(3600);

    /// How a letter is tried again when nothing is said: ever more seldom, as long as it is kept.
    #[must_use]
    pub fn built_in_retry() -> Retry {
        Retry {
            max: 1_000,
            backoff: Duration::from_secs(5),
            factor_permille: 2000,
            max_backoff: Duration::from_secs(3600),
            jitter_permille: 100,
            when: Arc::from([]),
        }
    }
}

/// All sages by name.
pub type Sages = BTreeMap<SageName, Arc<Sage>>;

/// Which sages hear what of a job: `on_success` and its kin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Audience {
    /// `on_success`
    pub success: Vec<SageName>,
    /// `on_failure`
    pub failure: Vec<SageName>,
    /// `on_missed`
    pub missed: Vec<SageName>,
    /// `on_recovery`
    pub recovery: Vec<SageName>,
    /// `on_stale`
    pub stale: Vec<SageName>,
}

impl Audience {
    /// Every key with its names, in the order of the job file's contract.
    #[must_use]
    pub fn all(&self) -> [(SageEvent, &[SageName]); 5] {
        [
            (SageEvent::Success, &self.success),
            (SageEvent::Failure, &self.failure),
            (SageEvent::Missed, &self.missed),
            (SageEvent::Recovery, &self.recovery),
            (SageEvent::Stale, &self.stale),
        ]
    }

    /// Whether nobody hears anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all().iter().all(|(_, names)| names.is_empty())
    }
}

/// One event for one sage, on its way through the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its identity, the same for every attempt to deliver it: `webhook-id`.
    pub id: RunId,
    /// Who is to be told.
    pub sage: SageName,
    /// Of which job; `None` for elder's own troubles.
    pub job: Option<JobName>,
    /// What happened.
    pub event: SageEvent,
    /// When that was.
    pub at: Timestamp,
    /// All of it as a JSON object, but for what only the delivery knows.
    pub body: Arc<str>,
}
