//! A job, and what is remembered of its past.

use std::sync::Arc;

use jiff::Timestamp;

use crate::decide::{Edition, Failing, Trouble};
use crate::engine::handle::JobStatus;
use crate::ids::{DefinitionId, RunId};
use crate::model::{Job, JobTimes, Reason, Run};
use crate::store::Mark;

/// One job.
pub(super) struct JobState {
    pub(super) job: Job,
    /// The last decided instant, or the first sight.
    pub(super) mark: Timestamp,
    /// Its schedule decides nothing at or before this.
    pub(super) since: Timestamp,
    pub(super) first_seen: Timestamp,
    pub(super) status: JobStatus,
    /// Who made its definition what it is, if that is known.
    pub(super) author: Option<Arc<str>>,
    /// What only a job that has fired needs.
    pub(super) past: Option<Box<Past>>,
}

/// A job's runs and what is remembered of them.
#[derive(Default)]
pub(super) struct Past {
    /// Runs that are not over, oldest first.
    pub(super) active: Vec<RunId>,
    /// The row that the next fire that does not run may join.
    pub(super) span: Option<Span>,
    pub(super) previous_success_at: Option<Timestamp>,
    pub(super) last_startup_at: Option<Timestamp>,
    pub(super) times: JobTimes,
    pub(super) last: Option<Box<Run>>,
    /// Fires whose end was promised, and whose rows the store then refused: they are decided anew,
    /// and do not run.
    pub(super) promised: Vec<(Timestamp, Reason)>,
    /// What sages were told, from a failure to the next success.
    pub(super) trouble: Option<Box<Trouble>>,
    /// The definition of the last success.
    pub(super) good: Option<DefinitionId>,
    /// The first failure after it.
    pub(super) failing: Option<Arc<Failing>>,
    /// Editions of the definition that came after it, the oldest first.
    pub(super) editions: Vec<Edition>,
}

/// A row of successive fires that did not run for the same reason.
#[derive(Clone)]
pub(super) struct Span {
    pub(super) run: Box<Run>,
}

impl JobState {
    pub(super) fn new(job: Job, mark: &Mark) -> Self {
        let mut state = Self {
            job,
            mark: mark.mark,
            since: mark.since,
            first_seen: mark.first_seen,
            status: JobStatus::Idle,
            author: None,
            past: None,
        };
        let times = mark.times;
        if mark.previous_success_at.is_some()
            || mark.last_startup_at.is_some()
            || times != JobTimes::default()
            || mark.failing.is_some()
        {
            let past = state.past();
            past.previous_success_at = mark.previous_success_at;
            past.last_startup_at = mark.last_startup_at;
            past.times = times;
            past.good = mark.good;
            past.failing.clone_from(&mark.failing);
        }
        state
    }

    pub(super) fn past(&mut self) -> &mut Past {
        self.past.get_or_insert_default()
    }

    pub(super) fn active(&self) -> &[RunId] {
        self.past.as_ref().map_or(&[], |past| &past.active)
    }

    pub(super) fn mark(&self) -> Mark {
        let past = self.past.as_ref();
        Mark {
            first_seen: self.first_seen,
            since: self.since,
            mark: self.mark,
            gone_at: None,
            previous_success_at: past.and_then(|past| past.previous_success_at),
            last_startup_at: past.and_then(|past| past.last_startup_at),
            times: past.map(|past| past.times).unwrap_or_default(),
            // The store's alone.
            leap: None,
            closed: None,
            good: past.and_then(|past| past.good),
            failing: past.and_then(|past| past.failing.clone()),
        }
    }
}
