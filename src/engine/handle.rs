//! The engine as everyone else sees it: messages in, read-only views out.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::decide::{Edition, FailingSince};
use crate::ids::{JobName, RunId};
use crate::model::{Job, Outcome, Pause, Pool, Run, RunState, Sages, Trigger};
use crate::store::{AppliedFile, Mark};

/// A cheap, cloneable way to talk to the engine. Every call waits for its turn in a bounded queue.
#[derive(Clone)]
pub struct Handle {
    inbox: mpsc::Sender<Message>,
}

/// The engine has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the scheduler has stopped")]
pub struct Gone;

/// What can be said to the engine.
pub enum Message {
    /// Other jobs from now on.
    Apply(
        Box<Change>,
        oneshot::Sender<Result<ApplyAnswer, NotApplied>>,
    ),
    /// Answer when everything that was decided so far is in the store.
    Recorded(oneshot::Sender<Result<(), NotApplied>>),
    /// Run a job now.
    Trigger(TriggerRequest, oneshot::Sender<Result<Triggered, Refusal>>),
    /// Pause a job, or let it go on.
    Pause(PauseRequest, oneshot::Sender<Result<PauseAnswer, Refusal>>),
    /// The pauses that are on, at most so many.
    Pauses(usize, oneshot::Sender<PausePage>),
    /// End a run that is not over; answers whether there is one, or why its row cannot be closed.
    Cancel(RunId, oneshot::Sender<Result<bool, String>>),
    /// A page of jobs.
    Jobs(JobQuery, oneshot::Sender<JobPage>),
    /// One job.
    Job(JobName, oneshot::Sender<Option<JobView>>),
    /// Sums.
    Stats(oneshot::Sender<Stats>),
    /// Take no more fires; let runs end until the deadline, then end them; answer when all is over.
    Stop(Timestamp, oneshot::Sender<()>),
    /// End everything at once.
    StopNow,
}

/// A change of the set of jobs, already decided.
///
/// The engine first settles everything that was due up to `at` by the old
/// schedules and policies, then puts the change in force: no fire at or before
/// `at` comes from a new or changed schedule.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// When the sync decided it.
    pub at: Timestamp,
    /// New jobs, with what the store remembers of them: the mark is the first sight or older.
    pub added: Vec<(Job, Mark)>,
    /// The pauses that the store has of them; of others it does no harm.
    pub pauses: HashMap<JobName, Pause>,
    /// Jobs that are there and whose definition or origin is another.
    pub changed: Vec<Job>,
    /// Editions of definitions that the engine does not know yet, the oldest first: of changed and new
    /// jobs those that come in force, of recalled ones those that the store remembers.
    pub editions: HashMap<JobName, Vec<Edition>>,
    /// Who made the newest editions of recalled jobs, as far as that is known.
    pub authors: Vec<(JobName, Arc<str>)>,
    /// Who made new jobs of which `editions` says nothing.
    pub author: Option<Arc<str>>,
    /// Jobs that go.
    pub removed: Vec<JobName>,
    /// All names that are held at the moment.
    pub held: Vec<JobName>,
    /// All sages from now on; `None` for those of before.
    pub sages: Option<Arc<Sages>>,
    /// All named pools at the moment: those that files define, and those that jobs go on by.
    pub pools: Vec<Arc<Pool>>,
    /// The revision of the whole set.
    pub revision: Option<Arc<str>>,
    /// Jobs that have another name, and what else a name was before; nothing else changes then.
    pub renamed: Option<Renamed>,
    /// The first change after a start: `startup` schedules fire after it.
    pub first: bool,
    /// The set that the store applied last, given back before the first change:
    /// what its jobs missed is decided when the first change tells what became of them.
    pub recalled: bool,
}

/// Jobs under other names.
#[derive(Clone, Debug, Default)]
pub struct Renamed {
    /// From which name to which. A name that no job has is one that the store may know.
    pub moves: Vec<(JobName, JobName)>,
    /// What files say of it: recorded with it, at once or not at all.
    pub files: Vec<AppliedFile>,
}

/// What came of a [`Change`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplyAnswer {
    /// How many jobs there are now.
    pub jobs: usize,
    /// Jobs whose fire of today moved from after now to before now.
    pub will_not_fire_today: Vec<JobName>,
    /// Jobs that are rescheduled or gone while a fire of theirs waits for its jitter: their marks
    /// go only so far, and not to the instant of the change.
    pub open: Vec<(JobName, Timestamp)>,
}

/// Why a change is not in force, or not yet recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotApplied {
    /// The store does not record, so what was due before the change cannot be decided.
    #[error("the store does not record: {0}")]
    Store(String),
    /// The engine is stopping or has ended.
    #[error("the scheduler has stopped")]
    Stopped,
}

/// A run that somebody asks for.
#[derive(Clone, Debug)]
pub struct TriggerRequest {
    /// Which job.
    pub job: JobName,
    /// The request's identity: the same one again answers with the same run.
    pub request: Arc<str>,
    /// [`Trigger::Manual`] or [`Trigger::Api`].
    pub trigger: Trigger,
}

/// The run that answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triggered {
    /// Its identity.
    pub run: RunId,
    /// The request was known already, and this is its run.
    pub repeated: bool,
}

/// Why a run was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such job.
    #[error("there is no job {0:?}")]
    NoSuchJob(String),
    /// As many run already as may.
    #[error("{job} runs already as often as max_instances allows: {blocking}")]
    Overlap {
        /// The job.
        job: JobName,
        /// A run that is in the way.
        blocking: RunId,
    },
    /// The store cannot record it, so it is not done.
    #[error("it cannot be recorded, so it was not done: {0}")]
    Store(String),
    /// Elder is stopping.
    #[error("elder is stopping and starts nothing any more")]
    Stopping,
}

/// A pause that somebody asks for, or the end of one.
#[derive(Clone, Debug)]
pub struct PauseRequest {
    /// Which job.
    pub job: JobName,
    /// Who asks: the name of a token.
    pub author: Arc<str>,
    /// For what.
    pub wish: PauseWish,
}

/// What is to become of a job's pause.
#[derive(Clone, Debug)]
pub enum PauseWish {
    /// It begins; of a job that is paused already, end, reason and author are others from now on.
    Pause {
        /// When it ends by itself; `None` for not at all.
        until: Option<Timestamp>,
        /// Why, in one line.
        reason: Option<Arc<str>>,
    },
    /// It ends.
    Resume,
}

/// What came of a [`PauseRequest`]. It is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseAnswer {
    /// The pause that the job is in now.
    pub pause: Option<Pause>,
    /// Its runs that go on all the same.
    pub active: Vec<RunHead>,
    /// When the job is due next.
    pub next: Option<Timestamp>,
}

/// Pauses that are on, by name.
#[derive(Clone, Debug, Default)]
pub struct PausePage {
    /// The first of them.
    pub pauses: Vec<PausedJob>,
    /// How many there are in all.
    pub total: u64,
}

/// A paused job.
#[derive(Clone, Debug)]
pub struct PausedJob {
    /// Which.
    pub job: Job,
    /// Its pause.
    pub pause: Pause,
}

/// Which jobs to show.
#[derive(Clone, Debug, Default)]
pub struct JobQuery {
    /// Only this status.
    pub status: Option<JobStatus>,
    /// Only names that hold this text.
    pub name: Option<String>,
    /// Only names after this one.
    pub after: Option<String>,
    /// At most so many; the engine's own bound is 1,000.
    pub limit: usize,
}

/// A page of jobs, by name.
#[derive(Clone, Debug, Default)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<JobView>,
    /// Whether there are more.
    pub more: bool,
}

/// A job is exactly one of these, in this order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// Gone from the files, kept until the removal is confirmed.
    Held,
    /// `enabled: false`.
    Disabled,
    /// Paused.
    Paused,
    /// Has a next fire.
    Active,
    /// Has none: manual, or over.
    Idle,
}

impl JobStatus {
    /// The word in API and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            JobStatus::Held => "held",
            JobStatus::Disabled => "disabled",
            JobStatus::Paused => "paused",
            JobStatus::Active => "active",
            JobStatus::Idle => "idle",
        }
    }
}

/// One job at one moment.
#[derive(Clone, Debug)]
pub struct JobView {
    /// The job.
    pub job: Job,
    /// Its status.
    pub status: JobStatus,
    /// When it is due next: while it is paused, the first fire after the pause's end, if it has one.
    pub next: Option<Timestamp>,
    /// The pause that it is in.
    pub pause: Option<Pause>,
    /// Its runs that are not over, oldest first.
    pub active: Vec<RunHead>,
    /// Its last ended run that had an attempt, of this process.
    pub last: Option<Run>,
    /// Instants that the store remembers.
    pub mark: Mark,
    /// Since when it fails, if its last runs did.
    pub failing: Option<FailingSince>,
    /// By when it must succeed, where it expects that of itself.
    pub success_deadline: Option<Timestamp>,
    /// It did not succeed by then.
    pub is_stale: bool,
    /// Until when everything is decided although that time has not come: the clock was set back.
    pub ahead: Option<Timestamp>,
}

/// A run that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunHead {
    /// Its identity.
    pub id: RunId,
    /// Where it stands.
    pub state: RunState,
    /// Its instant.
    pub scheduled_at: Timestamp,
    /// Which attempt.
    pub attempt: u32,
    /// What it waits for; `None` while an attempt is under way.
    pub waits: Option<Waits>,
}

/// What a run that is not over waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Older late fires of its job go first.
    Backlog,
    /// A run of its job is to end.
    Run(RunId),
    /// A place.
    Place {
        /// Of what there are too few: `of the pool database`, `processes (--max-workers)`.
        of: String,
        /// How many places there are.
        limit: u32,
        /// How many wait in its pool.
        waiting: u64,
        /// Until when it waits; without an end for a request.
        until: Option<Timestamp>,
    },
    /// Its row is on its way to the store.
    Record,
    /// Its next attempt is due then.
    Attempt(Timestamp),
}

/// Sums since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Since when.
    pub since: Timestamp,
    /// Ended runs with at least one attempt.
    pub total_executed: u64,
    /// Those of them that failed, timed out or were interrupted.
    pub total_errors: u64,
    /// Fires that were missed.
    pub total_missed: u64,
    /// Fires that were skipped.
    pub total_skipped: u64,
    /// Jobs with a next fire.
    pub active_jobs: u64,
    /// All jobs.
    pub jobs: u64,
    /// Runs with an attempt under way.
    pub running: u64,
    /// Runs that wait for a place.
    pub queued: u64,
    /// Jobs that did not succeed within `expect_success_within`.
    pub stale_jobs: u64,
    /// The first of them by name, ten at most.
    pub stale_names: Vec<JobName>,
    /// Jobs whose last runs failed.
    pub failing_jobs: u64,
    /// The first of them by name, ten at most.
    pub failing_names: Vec<JobName>,
    /// When the loop last went round.
    pub last_tick: Timestamp,
    /// The store refused the last write, with its words.
    pub store_error: Option<String>,
    /// Ended runs by outcome.
    pub outcomes: Vec<(Outcome, u64)>,
}

impl Handle {
    /// A handle and the inbox that the engine reads.
    #[must_use]
    pub fn pair() -> (Self, mpsc::Receiver<Message>) {
        let (inbox, messages) = mpsc::channel(1024);
        (Self { inbox }, messages)
    }

    /// Puts a change in force, or leaves everything as it is.
    ///
    /// # Errors
    /// [`NotApplied`] says why not.
    pub async fn apply(&self, change: Change) -> Result<ApplyAnswer, NotApplied> {
        self.ask(|answer| Message::Apply(Box::new(change), answer))
            .await
            .unwrap_or(Err(NotApplied::Stopped))
    }

    /// Comes back when everything that the engine decided so far is in the store: only then may
    /// a mark be moved past it.
    ///
    /// # Errors
    /// When the store refused some of it, or the engine has ended.
    pub async fn recorded(&self) -> Result<(), NotApplied> {
        self.ask(Message::Recorded)
            .await
            .unwrap_or(Err(NotApplied::Stopped))
    }

    /// Runs a job now.
    ///
    /// # Errors
    /// [`Refusal`] says why not.
    pub async fn trigger(&self, request: TriggerRequest) -> Result<Triggered, Refusal> {
        self.ask(|answer| Message::Trigger(request, answer))
            .await
            .unwrap_or(Err(Refusal::Stopping))
    }

    /// Pauses a job, or lets it go on; comes back when the store has it.
    ///
    /// # Errors
    /// [`Refusal`] says why not.
    pub async fn pause(&self, request: PauseRequest) -> Result<PauseAnswer, Refusal> {
        self.ask(|answer| Message::Pause(request, answer))
            .await
            .unwrap_or(Err(Refusal::Stopping))
    }

    /// The pauses that are on, by name, at most `limit`, and how many there are.
    ///
    /// # Errors
    /// When the engine has ended.
    pub async fn pauses(&self, limit: usize) -> Result<PausePage, Gone> {
        self.ask(|answer| Message::Pauses(limit, answer)).await
    }

    /// Ends a run, whatever it waits for: it will be `cancelled (request)`. Says whether there is such a run that
    /// is not over; or the store's words when it cannot record the end of a run that does not run.
    ///
    /// # Errors
    /// When the engine has ended.
    pub async fn cancel(&self, run: RunId) -> Result<Result<bool, String>, Gone> {
        self.ask(|answer| Message::Cancel(run, answer)).await
    }

    /// A page of jobs.
    ///
    /// # Errors
    /// When the engine has ended; so with the calls that follow.
    pub async fn jobs(&self, query: JobQuery) -> Result<JobPage, Gone> {
        self.ask(|answer| Message::Jobs(query, answer)).await
    }

    /// One job.
    ///
    /// # Errors
    /// When the engine has ended.
    pub async fn job(&self, name: JobName) -> Result<Option<JobView>, Gone> {
        self.ask(|answer| Message::Job(name, answer)).await
    }

    /// Sums.
    ///
    /// # Errors
    /// When the engine has ended.
    pub async fn stats(&self) -> Result<Stats, Gone> {
        self.ask(Message::Stats).await
    }

    /// Whether the engine has ended.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.inbox.is_closed()
    }

    /// Takes no more fires, lets runs end until `deadline`, then ends them; comes back when all is over and recorded.
    pub async fn stop(&self, deadline: Timestamp) {
        // An engine that has ended has stopped.
        let _ = self.ask(|answer| Message::Stop(deadline, answer)).await;
    }

    /// Ends everything at once.
    pub async fn stop_now(&self) {
        let _ = self.inbox.send(Message::StopNow).await;
    }

    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Result<T, Gone> {
        let (answer, wait) = oneshot::channel();
        self.inbox.send(message(answer)).await.map_err(|_| Gone)?;
        wait.await.map_err(|_| Gone)
    }
}
