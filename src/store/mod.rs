//! The ledger: rows of runs, marks of jobs, and the set that was last applied.
//!
//! One trait and its adapters, one conformance suite for all of them
//! (`conformance`). A store keeps promises about rows; it decides no policy.

mod address;
#[cfg(test)]
mod conformance;
mod history;
mod memory;
pub(crate) mod rules;
#[cfg(test)]
pub(crate) mod shelf;
mod sqlite;

pub use address::{OpenError, file_of, open, restore};
pub use history::run_times;
pub use memory::{MemoryBounds, MemoryStore};
pub use sqlite::{Inspected, Soundness, SqliteStore};

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::decide::{Edition, Failing};
use crate::ids::{DefinitionId, JobName, RunId, SageName};
use crate::model::{AuditEntry, History, JobTimes, Letter, Outcome, Output, Pause, Run};

/// What a store answers, later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A name that is gone for less than this is the same job when it comes back.
pub const RETURN_WITHIN: Duration = Duration::from_secs(600);

/// A mark that lies further in the future than this was made by a clock that was ahead. One that does
/// not may be of a clock that was set back by hand or for another zone: it is waited for.
pub const AHEAD: Duration = Duration::from_secs(86_400);

/// The largest page that a store gives, whatever was asked for.
pub const MAX_PAGE: usize = 10_000;

/// So many rows of the audit trail are kept, and none that is older.
pub const AUDIT_ROWS: u64 = 100_000;
/// No row of the audit trail is kept for longer.
pub const AUDIT_AGE: Duration = Duration::from_secs(365 * 86_400);

/// Where elder remembers.
pub trait Store: Send + Sync + 'static {
    /// Commits all of `writes` in one transaction, in order, durably, before it
    /// answers: one [`Written`] for each. On an error nothing of it is there. Who stops waiting
    /// does not undo it.
    /// The writes are shared, so that whoever sent them still has them when they are refused.
    fn commit_shared(&self, writes: Arc<Vec<Write>>) -> Answer<'_, Vec<Written>>;

    /// [`Store::commit_shared`] for writes that nobody needs afterwards.
    fn commit(&self, writes: Vec<Write>) -> Answer<'_, Vec<Written>> {
        self.commit_shared(Arc::new(writes))
    }

    /// Everything that a start needs.
    fn recall(&self) -> Answer<'_, Recalled>;

    /// The marks of these jobs, in the order asked; `None` for one never seen or forgotten.
    fn marks(&self, jobs: Vec<JobName>) -> Answer<'_, Vec<Option<Mark>>>;

    /// The last pause of each job that had one, also of names that are gone, in no order.
    fn pauses(&self) -> Answer<'_, Vec<(JobName, Pause)>>;

    /// The editions of a job that are remembered, the oldest first; none of one that is not known.
    fn editions(&self, job: JobName) -> Answer<'_, Vec<Edition>>;

    /// One page of rows, newest first.
    fn runs(&self, query: RunQuery) -> Answer<'_, RunPage>;

    /// One row with its output.
    fn run(&self, id: RunId) -> Answer<'_, Option<(Run, Output)>>;

    /// The run of `job` under this request.
    fn run_of_request(&self, job: JobName, request: String) -> Answer<'_, Option<Run>>;

    /// Letters that wait in the outbox, of those that came after number `after`, in the order in
    /// which they came, at most `limit`.
    fn outbox(&self, after: u64, limit: usize) -> Answer<'_, Vec<Waiting>>;

    /// A letter that waits.
    fn letter(&self, id: RunId) -> Answer<'_, Option<Letter>>;

    /// One page of the audit trail, newest first.
    fn audit(&self, query: AuditQuery) -> Answer<'_, AuditPage>;

    /// Sums per job, by name, over the ended rows whose `scheduled_at` is at or after `since` and
    /// before `until`, for reports: spans that follow each other count nothing twice.
    fn summary(&self, since: Timestamp, until: Timestamp) -> Answer<'_, Vec<JobSummary>>;

    /// Deletes the ended runs beyond either bound, and at most `limit` rows at a time; says how many.
    /// A job that was seen with bounds of its own has these; of fires that did not run as many rows
    /// are kept as `bounds` says, whatever its own. Marks stay: pruning never reopens an instant. When nothing more is too old or too many, jobs
    /// without rows that are gone for longer than `max_age` are forgotten. The audit trail is cut to
    /// its own bounds, [`AUDIT_ROWS`] and [`AUDIT_AGE`].
    fn prune(&self, bounds: History, now: Timestamp, limit: usize) -> Answer<'_, u64>;

    /// Copies the whole store to a new file while it is in use.
    fn backup(&self, to: PathBuf) -> Answer<'_, ()>;

    /// Tidies: checks the whole for damage, gives free space back, empties the log.
    fn optimize(&self) -> Answer<'_, ()>;

    /// Whether it can be written right now.
    fn check(&self) -> Answer<'_, ()>;

    /// The adapter's name: `sqlite`, `memory`.
    fn kind(&self) -> &'static str;
}

/// One thing to write.
#[derive(Clone, Debug)]
pub enum Write {
    /// A job is seen. A new name, or one gone for [`RETURN_WITHIN`] or longer, gets `at` as its
    /// first sight and mark; any other keeps its own.
    Seen {
        /// Whose.
        job: JobName,
        /// When.
        at: Timestamp,
        /// How much of its past is kept from now on.
        history: History,
    },
    /// A job is gone from the files.
    Gone {
        /// Whose.
        job: JobName,
        /// When.
        at: Timestamp,
    },
    /// The job's times are others from here on: moves its mark forward (never back), without a row, and
    /// its schedule counts since this instant.
    Mark {
        /// Whose.
        job: JobName,
        /// To where.
        at: Timestamp,
    },
    /// The clock says `at`: a mark beyond it by more than [`AHEAD`] goes back there, and so does all else
    /// that is remembered of later instants. What ran under the clock that was ahead stays closed.
    Mend {
        /// Whose.
        job: JobName,
        /// What the clock says.
        at: Timestamp,
    },
    /// Inserts a row unless its key is there: (job, scheduled instant) for fires, (job, request)
    /// for requests. For fires it also refuses an instant at or before the job's mark, or closed beyond it, and moves the
    /// mark to the row's last instant. The answer says whether it was inserted.
    Claim {
        /// The row.
        run: Box<Run>,
    },
    /// Lets a row stand for more fires, and moves the job's mark to `until`. The row never shrinks.
    Extend {
        /// Which row.
        id: RunId,
        /// Whose.
        job: JobName,
        /// How many fires it stands for now.
        count: u64,
        /// Its last instant now.
        until: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// Replaces a row that is there, but for its key and trigger, and keeps the output if there is some.
    /// A done row also updates the job's times, and is never opened again.
    Update {
        /// The row.
        run: Box<Run>,
        /// What it said.
        output: Option<Output>,
    },
    /// A job has another edition, or its first one. The oldest beyond [`MOST_EDITIONS`] go, and one
    /// that is the newest already is no other. Of a job that is not known nothing is remembered.
    ///
    /// [`MOST_EDITIONS`]: crate::decide::MOST_EDITIONS
    Edition {
        /// Whose.
        job: JobName,
        /// What it says, and how it came in force.
        edition: Box<Edition>,
        /// Where it belongs.
        order: EditionOrder,
    },
    /// Jobs have other names, and files that are applied say so, at once or not at all. Rows, mark and
    /// times go along; where the new name is known as well, the two become one: the mark is that of the
    /// name that is not gone, and of two rows with one key that which is open stays, else the new
    /// name's. A name that is not known is passed over.
    Rename {
        /// From which name to which.
        moves: Vec<(JobName, JobName)>,
        /// What these files define now.
        files: Vec<AppliedFile>,
    },
    /// Letters into the outbox, and what is to be remembered of them. A letter that waits already
    /// stays as it is.
    Tell(Box<Telling>),
    /// A letter was tried in vain: so often by now, and when it is tried again.
    LetterTried {
        /// Which.
        id: RunId,
        /// Attempts so far.
        attempts: u32,
        /// When the next one is due.
        next_attempt_at: Timestamp,
    },
    /// A letter leaves the outbox.
    LetterOver {
        /// Which.
        id: RunId,
    },
    /// A job's last pause: replaces the one before. A job that is seen anew, with another first
    /// sight, has none; a rename takes it along.
    Pause {
        /// Whose.
        job: JobName,
        /// Which.
        pause: Box<Pause>,
    },
    /// A row of the audit trail. Nothing ever changes one.
    Audit(Box<AuditEntry>),
    /// What a file defines, as applied; replaces what it defined before.
    File(AppliedFile),
    /// A file defines nothing any more.
    DropFile {
        /// Its PATH.
        root: String,
        /// Below the PATH.
        path: String,
    },
}

/// Where an edition belongs among those that are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditionOrder {
    /// It is the first one, and not kept where there is any.
    First,
    /// It came after all others.
    Next,
    /// It is the newest one, whose edit has become a revision: nothing else of it is another.
    Committed,
}

/// What is told, and what is remembered of that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Telling {
    /// For the outbox, in order.
    pub letters: Vec<Letter>,
    /// What is remembered from now on under these names; `None` forgets.
    pub said: Vec<(String, Option<String>)>,
}

/// A letter that waits in the outbox, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The place in the order in which they came; never used again.
    pub number: u64,
    /// Its identity.
    pub id: RunId,
    /// For whom.
    pub sage: SageName,
    /// Of which job.
    pub job: Option<JobName>,
    /// When it was written.
    pub at: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// When the next one is due; `None` for the first.
    pub next_attempt_at: Option<Timestamp>,
}

/// What became of a [`Write`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is there.
    Done,
    /// The fire of a [`Write::Claim`] is there under this identity: a row of the name's past has its own.
    Under(RunId),
    /// The key was there already, or the instant is at or before the mark: not ours to start.
    /// For [`Write::Extend`] and [`Write::Update`]: that job has no such row (any more), or it has ended
    /// and would be opened again, and nothing was written.
    /// For what is written of a letter: it waits no more.
    Taken,
}

/// A job's high-water mark and what else is remembered of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When the job was first seen.
    pub first_seen: Timestamp,
    /// Since when its present schedule counts: the first sight, or the last edit of its times.
    pub since: Timestamp,
    /// The last scheduled instant that was decided, or the first sight.
    pub mark: Timestamp,
    /// Since when it is gone.
    pub gone_at: Option<Timestamp>,
    /// The scheduled instant of the last successful run.
    pub previous_success_at: Option<Timestamp>,
    /// The newest begin of a run that `startup` made.
    pub last_startup_at: Option<Timestamp>,
    /// Instants for metrics.
    pub times: JobTimes,
    /// The last stretch of more than [`AHEAD`] that was late as a whole: in `from < instant <= until`
    /// nothing ran.
    pub leap: Option<(Timestamp, Timestamp)>,
    /// What is decided beyond the mark, `from < instant <= until`: it ran under a clock that was ahead.
    pub closed: Option<(Timestamp, Timestamp)>,
    /// The definition by which it last succeeded.
    pub good: Option<DefinitionId>,
    /// Since which run it fails.
    pub failing: Option<Arc<Failing>>,
}

impl Mark {
    /// The memory of a job that was first seen at this instant.
    #[must_use]
    pub fn first_sight(at: Timestamp) -> Self {
        Self {
            first_seen: at,
            since: at,
            mark: at,
            gone_at: None,
            previous_success_at: None,
            last_startup_at: None,
            times: JobTimes::default(),
            leap: None,
            closed: None,
            good: None,
            failing: None,
        }
    }
}

/// What a start needs.
#[derive(Clone, Debug, Default)]
pub struct Recalled {
    /// Marks of every job that is not gone, in no order.
    pub marks: Vec<(JobName, Mark)>,
    /// Rows that are not done, oldest first.
    pub open: Vec<Run>,
    /// What was applied last.
    pub files: Vec<AppliedFile>,
    /// What is remembered of what sages were told, in no order.
    pub said: Vec<(String, String)>,
    /// Of jobs that fail, or have another edition than that of their last success: all that are
    /// remembered, the oldest first.
    pub editions: Vec<(JobName, Vec<Edition>)>,
    /// Who made the newest edition of each job that is not gone, where that is known; in no order.
    pub authors: Vec<(JobName, Arc<str>)>,
    /// Jobs that are not gone and of which no edition is remembered.
    pub without_edition: Vec<JobName>,
    /// The last pause of each job that had one, also of names that are gone, in no order.
    pub pauses: Vec<(JobName, Pause)>,
}

/// What came of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The store.
    pub place: PathBuf,
    /// Where the store of before is, if there was one.
    pub aside: Option<PathBuf>,
    /// How many jobs the backup knows.
    pub jobs: u64,
    /// How many runs.
    pub runs: u64,
    /// The scheduled instant of the newest run.
    pub newest: Option<Timestamp>,
}

/// What one file defined when it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedFile {
    /// The PATH, as the command line named it.
    pub root: String,
    /// Below the PATH.
    pub path: String,
    /// SHA-256 of the file and of what it inherits, in hexadecimal.
    pub hash: String,
    /// The definitions in their canonical form.
    pub definitions: String,
}

/// Which rows to read.
#[derive(Clone, Debug, Default)]
pub struct RunQuery {
    /// Only this job's.
    pub job: Option<JobName>,
    /// Only these outcomes; empty for all.
    pub outcomes: Vec<Outcome>,
    /// `scheduled_at` at or after.
    pub since: Option<Timestamp>,
    /// `scheduled_at` at or before.
    pub until: Option<Timestamp>,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: usize,
}

/// A place in the order of rows: newest `scheduled_at` first, then by identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Of the last row of the page before.
    pub scheduled_at: Timestamp,
    /// Of the same row.
    pub id: RunId,
}

/// A page of rows.
#[derive(Clone, Debug, Default)]
pub struct RunPage {
    /// Newest first.
    pub runs: Vec<Run>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// Which rows of the audit trail to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// At or after.
    pub since: Option<Timestamp>,
    /// Only rows before this number: where the page before ended.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// A page of the audit trail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// Newest first, each with its number.
    pub rows: Vec<(u64, AuditEntry)>,
    /// Where the next page begins, if there is one.
    pub next: Option<u64>,
}

/// A job's sums over a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSummary {
    /// Whose.
    pub job: JobName,
    /// Fires by outcome; a row that stands for several counts them all.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Total and longest run time of ended runs.
    pub total_duration: Duration,
    /// The longest.
    pub longest: Duration,
}

/// Why a store did not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds it.
    #[error(
        "the store {path} is in use by process {pid}; stop that elder first, or use another --state"
    )]
    Locked {
        /// Which file.
        path: String,
        /// Who holds it; 0 when that cannot be told.
        pid: u32,
    },
    /// It was written by a newer elder.
    #[error(
        "the store {path} has version {found}, this elder knows up to {known}; use the newer elder, or restore a backup"
    )]
    Newer {
        /// Which file.
        path: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// It is damaged.
    #[error(
        "the store {path} is damaged: {detail}; put a backup in its place with elder restore (elder writes them to backups/); the damaged file is left as it is"
    )]
    Corrupt {
        /// Which file.
        path: String,
        /// What was seen.
        detail: String,
    },
    /// It cannot be reached or written for the moment.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
}
