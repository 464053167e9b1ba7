//! What happens, told to whoever watches: one event becomes one log line and its metrics.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::finding::Finding;
use crate::ids::{JobKey, JobName, SageName};

use super::{AuditEntry, Delivery, Job, Outcome, Pause, Reason, Run};

/// Receives events. Must not block: it is called from the engine's own loop.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn observe(&self, event: &Event<'_>);
}

/// Hears nothing; for tests and tools.
pub struct NoObserver;

impl Observer for NoObserver {
    fn observe(&self, _event: &Event<'_>) {}
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A job is known from now on, under this key, until [`Event::JobRemoved`].
    JobAdded {
        /// Its key.
        key: JobKey,
        /// The job.
        job: &'a Job,
        /// What the store remembered of it.
        memory: JobTimes,
    },
    /// A job's definition or origin is another from now on.
    JobChanged {
        /// Its key.
        key: JobKey,
        /// The job as it is now.
        job: &'a Job,
    },
    /// A job is known no more; its key may be used again.
    JobRemoved {
        /// Its key.
        key: JobKey,
    },
    /// A job's next fire is another, or there is none.
    NextFire {
        /// Whose.
        key: JobKey,
        /// When it is due.
        due: Option<Timestamp>,
    },
    /// By when a job must succeed is another instant, or nothing is expected of it.
    SuccessDeadline {
        /// Whose.
        key: JobKey,
        /// By when.
        at: Option<Timestamp>,
    },
    /// A job did not succeed within `expect_success_within`; told once, until [`Event::Fresh`].
    Stale {
        /// Its key.
        key: JobKey,
        /// The job.
        job: &'a Job,
        /// By when it should have succeeded.
        deadline: Timestamp,
        /// The end of its last success, if there ever was one.
        last_success: Option<Timestamp>,
    },
    /// A stale job has succeeded, or an edit made that nothing is expected of it yet.
    Fresh {
        /// Its key.
        key: JobKey,
        /// The job.
        job: &'a Job,
    },
    /// A job is paused, or its pause is another.
    Paused {
        /// The job.
        job: &'a Job,
        /// How long, why, and who said so.
        pause: &'a Pause,
    },
    /// A job's pause is over.
    PauseOver {
        /// The job.
        job: &'a Job,
        /// The pause, with its end.
        pause: &'a Pause,
        /// Who ended it; `None` for one that ended by itself.
        by: Option<&'a str>,
    },
    /// Until when a job is paused, or was last.
    PausedUntil {
        /// Whose.
        key: JobKey,
        /// Until when; [`Timestamp::MAX`] for a pause without an end.
        at: Timestamp,
    },
    /// So many jobs are paused, whatever their status.
    PausesKnown {
        /// How many.
        count: u64,
    },
    /// How many jobs there are in each status.
    JobCounts {
        /// With a next fire.
        active: u64,
        /// Enabled, without one.
        idle: u64,
        /// Paused.
        paused: u64,
        /// `enabled: false`.
        disabled: u64,
        /// Gone from the files, kept until confirmed.
        held: u64,
    },
    /// An attempt begins.
    AttemptStarted {
        /// Whose.
        key: JobKey,
        /// The run, `attempt` already counted.
        run: &'a Run,
        /// `run`, `exec` or `http`.
        action: &'static str,
        /// How long after the due instant; `None` for further attempts and requests.
        lateness: Option<Duration>,
    },
    /// An attempt ended and another will follow.
    RetryPlanned {
        /// Whose.
        key: JobKey,
        /// The run.
        run: &'a Run,
        /// When.
        at: Timestamp,
    },
    /// A run with at least one attempt is over.
    RunEnded {
        /// Whose; `None` when the job is gone meanwhile.
        key: Option<JobKey>,
        /// The run.
        run: &'a Run,
        /// `run`, `exec` or `http`.
        action: &'static str,
        /// Whether output was cut.
        output_truncated: bool,
    },
    /// Fires that did not run. `run` is their row; `added` how many were new in it.
    NotRun {
        /// Whose; `None` when the job is gone.
        key: Option<JobKey>,
        /// The row.
        run: &'a Run,
        /// How many fires this event adds to the row.
        added: u64,
    },
    /// How many runs wait for a place.
    Queued {
        /// In the line of this pool; `default` for jobs that name none.
        pool: &'a Arc<str>,
        /// How many.
        length: u64,
    },
    /// Nothing names the pool any more, and no run needs it.
    PoolGone {
        /// Its name.
        pool: &'a Arc<str>,
    },
    /// The engine's loop went round.
    Tick {
        /// When.
        at: Timestamp,
    },
    /// The wall clock was set, or the machine slept.
    ClockJump {
        /// By how much.
        by: Duration,
        /// Whether forward.
        forward: bool,
    },
    /// One operation of the store.
    StoreOperation {
        /// `commit`, `read`, `backup`, …
        operation: &'static str,
        /// How long.
        took: Duration,
        /// What went wrong.
        error: Option<&'a str>,
    },
    /// A store that refused writes takes them again.
    StoreBack,
    /// Claims answered: rows that are ours, and rows that were there already.
    Claims {
        /// Ours.
        won: u64,
        /// There already.
        lost: u64,
    },
    /// A reload came to its end.
    Reloaded(&'a ReloadReport),
    /// A source is gone or unreadable, or is back (`reason` is `None`).
    SourceState {
        /// Its PATH.
        path: &'a str,
        /// What is wrong.
        reason: Option<&'a str>,
    },
    /// Which rules of time zones are in use: told at the start, and when they change.
    Tzdata {
        /// Their version, such as `2026e`.
        version: &'a Arc<str>,
        /// `system` or `bundled`.
        source: &'a Arc<str>,
        /// A sentence that says so.
        text: &'a str,
    },
    /// Letters are in the outbox.
    LettersWritten,
    /// The store has jobs under other names, in this order.
    JobsRenamed {
        /// From which name to which.
        moves: &'a [(JobName, JobName)],
    },
    /// These are all sages from now on.
    SagesKnown {
        /// Their names.
        names: &'a [SageName],
    },
    /// A sage was told, or could not be.
    SageDelivery {
        /// Who.
        sage: &'a SageName,
        /// What came of it.
        result: Delivery,
        /// How many letters.
        count: u64,
        /// Why not, in a sentence; no secrets.
        detail: Option<&'a str>,
        /// When the next attempt follows.
        again_at: Option<Timestamp>,
    },
    /// How many letters wait for a sage.
    SageWaiting {
        /// Who.
        sage: &'a SageName,
        /// How many.
        count: u64,
    },
    /// Something was done to elder, or asked for in vain.
    Audit(&'a AuditEntry),
    /// Anything else worth a line: start, stop, listening, legacy variables.
    Notice {
        /// A warning rather than information.
        warning: bool,
        /// A sentence.
        text: &'a str,
    },
}

/// Instants of a job's past, as the store remembers them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobTimes {
    /// End of the last success.
    pub last_success: Option<Timestamp>,
    /// End of the last failed, timed out or interrupted run.
    pub last_failure: Option<Timestamp>,
    /// Begin of the last run.
    pub last_run: Option<Timestamp>,
    /// Length of the last run.
    pub last_duration: Option<Duration>,
}

/// What a reload did.
#[derive(Clone, Debug)]
pub struct ReloadReport {
    /// In one word.
    pub result: ReloadResult,
    /// What asked for it.
    pub trigger: ReloadTrigger,
    /// When it came to its end.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Jobs that are new.
    pub added: usize,
    /// Jobs with another schedule.
    pub rescheduled: usize,
    /// Jobs that go on under another name.
    pub renamed: usize,
    /// Jobs that differ otherwise.
    pub changed: usize,
    /// Jobs that are gone.
    pub removed: usize,
    /// Which these are, the first of each kind, in words.
    pub touched: Vec<String>,
    /// Names that wait for a confirmation of their removal.
    pub held: Vec<String>,
    /// All of the change waits for the end of a freeze: until when, why, and what it is.
    pub waits: Option<String>,
    /// Jobs whose fire of today moved from after now to before now.
    pub will_not_fire_today: Vec<String>,
    /// How many jobs there are now.
    pub jobs: usize,
    /// How many files were read.
    pub files: usize,
    /// Everything found.
    pub findings: Vec<Finding>,
    /// The revision, if one is known.
    pub revision: Option<Arc<str>>,
    /// Who made it, if that is known.
    pub author: Option<Arc<str>>,
    /// SHA-256 over all files, in hexadecimal.
    pub content_hash: Arc<str>,
}

/// A reload's result, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReloadResult {
    /// Everything is in force.
    Applied,
    /// What was good is in force; at least one file is bad.
    Partial,
    /// Nothing was in order.
    Rejected,
    /// Applied but for removals that wait for a confirmation; or nothing of it, for a freeze.
    Held,
    /// Nothing was different.
    Unchanged,
}

impl ReloadResult {
    /// The word in API, metrics and log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ReloadResult::Applied => "applied",
            ReloadResult::Partial => "partial",
            ReloadResult::Rejected => "rejected",
            ReloadResult::Held => "held",
            ReloadResult::Unchanged => "unchanged",
        }
    }
}

/// What asked for a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReloadTrigger {
    /// The start.
    Start,
    /// A change that the kernel reported.
    Watch,
    /// The regular rescan.
    Poll,
    /// SIGHUP.
    Signal,
    /// The API.
    Api,
}

impl ReloadTrigger {
    /// The word in API, metrics and log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ReloadTrigger::Start => "start",
            ReloadTrigger::Watch => "watch",
            ReloadTrigger::Poll => "poll",
            ReloadTrigger::Signal => "signal",
            ReloadTrigger::Api => "api",
        }
    }
}

/// Whether an outcome counts in `elder_errors_total`, and under which reason.
#[must_use]
pub fn error_reason(outcome: Outcome, reason: Option<Reason>) -> Option<Reason> {
    match outcome {
        Outcome::Failed => Some(reason.unwrap_or(Reason::Internal)),
        Outcome::TimedOut => Some(Reason::Timeout),
        Outcome::Interrupted => Some(Reason::Interrupted),
        Outcome::Success | Outcome::Cancelled | Outcome::Skipped | Outcome::Missed => None,
    }
}
