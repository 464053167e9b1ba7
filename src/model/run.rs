//! What came of a fire.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::words::words;
use crate::ids::{DefinitionId, JobName, RunId};

/// What the attempt that elder's death cut off had left behind, at the next start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Remains {
    /// Nothing that could be found.
    #[default]
    None,
    /// Processes, which were ended.
    Ended,
    /// Processes, of which at least one cannot be ended.
    Alive,
}

words! {
    /// Where a run stands.
    RunState {
        /// Waits for a place in a pool.
        Queued = "queued",
        /// An attempt is under way.
        Running = "running",
        /// Between two attempts.
        Waiting = "waiting",
        /// Over; the outcome says how.
        Done = "done",
    }
}

words! {
    /// How a run ended.
    Outcome {
        /// It did what it should.
        Success = "success",
        /// The last attempt failed.
        Failed = "failed",
        /// The last attempt took too long.
        TimedOut = "timed_out",
        /// Somebody ended it.
        Cancelled = "cancelled",
        /// It did not start, by policy.
        Skipped = "skipped",
        /// It did not start, because it was too late.
        Missed = "missed",
        /// Elder's own end cut it off.
        Interrupted = "interrupted",
    }
}

words! {
    /// Why a run ended as it did.
    Reason {
        /// failed: an exit code that is no success.
        Exit = "exit",
        /// failed: ended by a signal.
        Signal = "signal",
        /// timed_out.
        Timeout = "timeout",
        /// failed: no process could be started.
        Spawn = "spawn",
        /// failed: a secret, file or folder was not there.
        Setup = "setup",
        /// failed: no connection, or it broke.
        Connect = "connect",
        /// failed: a status or body outside `expect`.
        Http = "http",
        /// failed: a resource limit.
        Limit = "limit",
        /// interrupted.
        Interrupted = "interrupted",
        /// failed: a defect of elder itself.
        Internal = "internal",
        /// missed: elder was not running.
        Downtime = "downtime",
        /// missed: the wall clock was set forward, or the machine slept.
        Clock = "clock",
        /// missed: the store could not record it.
        Store = "store",
        /// missed: no place in the pool within the grace.
        Pool = "pool",
        /// missed: a newer late fire started in its stead.
        Coalesced = "coalesced",
        /// missed: the job was removed or disabled before it was decided.
        Removed = "removed",
        /// skipped: as many ran already as may.
        Overlap = "overlap",
        /// skipped: the job was paused.
        Paused = "paused",
        /// skipped: a `startup` job that started less than 60 s ago.
        Restart = "restart",
        /// cancelled: asked for.
        Request = "request",
        /// cancelled: a newer run took its place.
        Replaced = "replaced",
        /// interrupted: elder was told to stop.
        Shutdown = "shutdown",
    }
}

words! {
    /// What made the run.
    Trigger {
        /// The schedule, on time.
        Schedule = "schedule",
        /// The schedule, late.
        CatchUp = "catch_up",
        /// A person at the command line.
        Manual = "manual",
        /// A call of the API.
        Api = "api",
        /// The start of the daemon.
        Startup = "startup",
    }
}

/// One row of the ledger: a run, or several successive fires that did not run for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The identity.
    pub id: RunId,
    /// Whose.
    pub job: JobName,
    /// The scheduled instant; for a request, when it was asked for; the first of a row that stands for several.
    pub scheduled_at: Timestamp,
    /// The last instant of a row that stands for several.
    pub scheduled_until: Option<Timestamp>,
    /// How many fires the row stands for.
    pub count: u64,
    /// What made it.
    pub trigger: Trigger,
    /// The request's identity, for runs that somebody asked for: unique per job.
    pub request: Option<Arc<str>>,
    /// Where it stands.
    pub state: RunState,
    /// Attempts begun; 0 for one that never started.
    pub attempt: u32,
    /// When the first attempt began.
    pub started_at: Option<Timestamp>,
    /// When the row was closed.
    pub finished_at: Option<Timestamp>,
    /// When the next attempt is due, while `waiting`.
    pub next_attempt_at: Option<Timestamp>,
    /// How it ended; `None` until it is done.
    pub outcome: Option<Outcome>,
    /// Why.
    pub reason: Option<Reason>,
    /// A sentence for people: the error, or the run that stood in the way. No secrets.
    pub detail: Option<Arc<str>>,
    /// The last attempt's exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended the last attempt.
    pub signal: Option<i32>,
    /// The last answer's status.
    pub http_status: Option<u16>,
    /// From the first attempt's begin to the end, on the monotonic clock where one process saw both.
    pub duration: Option<Duration>,
    /// The revision of the definition.
    pub revision: Option<Arc<str>>,
    /// The file and line of the definition.
    pub source: Option<Arc<str>>,
    /// What the definition is known by.
    pub definition: Option<DefinitionId>,
    /// Who last changed the definition, if that is known. Told as it happens, and not kept with the row.
    pub author: Option<Arc<str>>,
    /// How many bytes of output there were, before any cut.
    pub output_bytes: u64,
}

impl Run {
    /// A new row for `job`; everything else is set by the caller.
    #[must_use]
    pub fn new(id: RunId, job: JobName, scheduled_at: Timestamp, trigger: Trigger) -> Self {
        Self {
            id,
            job,
            scheduled_at,
            scheduled_until: None,
            count: 1,
            trigger,
            request: None,
            state: RunState::Queued,
            attempt: 0,
            started_at: None,
            finished_at: None,
            next_attempt_at: None,
            outcome: None,
            reason: None,
            detail: None,
            exit_code: None,
            signal: None,
            http_status: None,
            duration: None,
            revision: None,
            source: None,
            definition: None,
            author: None,
            output_bytes: 0,
        }
    }
}

/// What is kept of a run's output: the first and the last half, any bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The first part.
    pub head: Vec<u8>,
    /// The last part; empty unless something between was cut.
    pub tail: Vec<u8>,
    /// How many bytes there were in all.
    pub total: u64,
}

impl Output {
    /// Whether something was cut.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.total > (self.head.len() + self.tail.len()) as u64
    }
}

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptEnd {
    /// How.
    pub ended: Ended,
    /// What it said; secrets masked.
    pub output: Output,
    /// The exit code, if there was one.
    pub exit_code: Option<i32>,
    /// The signal, if one ended it.
    pub signal: Option<i32>,
    /// The HTTP status, if there was one.
    pub http_status: Option<u16>,
    /// A sentence for people; no secrets.
    pub detail: Option<Arc<str>>,
    /// How long the target asks to be left alone, counted from this end: `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// How one attempt ended, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It did what it should.
    Success,
    /// It failed.
    Failed(Reason),
    /// It took too long and was ended.
    TimedOut,
    /// It was told to end.
    Stopped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(*outcome));
        }
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
        }
        for state in RunState::ALL {
            assert_eq!(RunState::parse(state.as_str()), Some(*state));
        }
        for trigger in Trigger::ALL {
            assert_eq!(Trigger::parse(trigger.as_str()), Some(*trigger));
        }
        assert_eq!(Outcome::parse("fine"), None);
    }
}
