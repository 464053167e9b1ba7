//! A run that is not over, and where it stands.

use std::time::Duration;

use jiff::Timestamp;

use super::Ticket;
use crate::ids::JobKey;
use crate::model::{Job, Reason, Run, Trigger};

/// A run that is not over.
pub(super) struct Active {
    pub(super) run: Run,
    /// The definition that it began with.
    pub(super) job: Job,
    /// `None` when the job is gone from the set.
    pub(super) key: Option<JobKey>,
    pub(super) stage: Stage,
    /// When the fire was due; `None` for a request.
    pub(super) due: Option<Timestamp>,
    /// How long it may wait for a place; `None` for as long as it takes.
    pub(super) grace_until: Option<Timestamp>,
    /// Whether its row is in the store.
    pub(super) row: Row,
    /// Who waits to hear that it was recorded, the one who asked first.
    pub(super) tickets: Vec<Ticket>,
    /// The monotonic time of the first attempt.
    pub(super) began: Option<Duration>,
    /// Its end was asked for.
    pub(super) is_ending: bool,
    /// Why, when neither a request nor the daemon's end is the reason.
    pub(super) end_reason: Option<Reason>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Behind other late fires of its job.
    Backlog,
    /// Behind other runs of its job, by `overlap: queue` or `replace`.
    Behind,
    /// In its pool's queue.
    Queued,
    /// Its attempt is being recorded.
    Recording,
    /// An attempt is under way.
    Running,
    /// Between two attempts.
    Waiting,
}

/// Whether a run has its row in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// It has none: after a crash its fire is a late fire.
    Absent,
    /// The store has not answered yet.
    OnItsWay,
    /// It has.
    There,
}

/// Where a new run goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Into the queue of its pool.
    Pool,
    /// Behind other late fires of its job.
    Backlog,
    /// Behind other runs of its job.
    Behind,
}

impl Active {
    pub(super) fn new(run: Run, job: Job, key: Option<JobKey>) -> Self {
        Self {
            run,
            job,
            key,
            stage: Stage::Queued,
            due: None,
            grace_until: None,
            row: Row::Absent,
            tickets: Vec::new(),
            began: None,
            is_ending: false,
            end_reason: None,
        }
    }

    /// Whether it is a fire that waits for its first attempt without a row.
    pub(super) fn needs_row(&self) -> bool {
        self.row == Row::Absent
            && matches!(self.stage, Stage::Queued | Stage::Backlog | Stage::Behind)
            && is_fire(&self.run)
    }
}

/// Whether a schedule made it: then its instant is the mark's business.
pub(super) fn is_fire(run: &Run) -> bool {
    run.request.is_none() && run.trigger != Trigger::Startup
}
